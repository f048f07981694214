//! The sandbox's truth: objects, tokens, switches, faults and the journal, behind one lock.
//!
//! The lock is held for one request's work and never across an await. Must not know any vendor's rules; what a switch means
//! is decided where it is read.

use super::faults::Faults;
use super::journal::Journal;
use super::quota::Quotas;
use super::record::Record;
use super::store::Store;
use axum::http::HeaderMap;
use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

/// A token that begins like this is valid for ever, unless a switch says otherwise.
pub(super) const STANDING_TOKEN: &str = "sandbox-token";

/// Why a bearer token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denied {
    Missing,
    Invalid,
    Expired,
}

/// What `POST /control/world` has set, beyond what lies on accounts and objects.
#[derive(Debug, Default, Clone)]
pub(super) struct Switches {
    /// Added to every answer.
    pub(super) latency_ms: u64,
    /// Everything created becomes visible to look-ups this much later.
    pub(super) late_visibility_ms: u64,
    /// Accounts do not appear by being used.
    pub(super) strict_accounts: bool,
    /// Settings for every account of a vendor, existing and future, in the order given.
    pub(super) account_defaults: Vec<(String, String, Value)>,
    /// GA4 properties, `*` for those not named.
    pub(super) ga4: BTreeMap<String, Map<String, Value>>,
    /// Merchant Center accounts, `*` for those not named.
    pub(super) merchant: BTreeMap<String, Map<String, Value>>,
    /// Assets that differ from "ready".
    pub(super) assets: BTreeMap<String, Value>,
    /// Review disapproves an ad with one of these texts in it.
    pub(super) disapprove: Vec<String>,
    /// Review has not finished with an ad with one of these texts in it.
    pub(super) review_pending: Vec<String>,
    /// An ad with one of these texts in it is refused when it is created.
    pub(super) policy_finding: Vec<String>,
    /// The next n authenticated calls of a vendor are told that their token has expired; `*` for any vendor.
    pub(super) token_expired: BTreeMap<String, u64>,
    /// Refresh tokens and service accounts that `/oauth/token` no longer honours; `*` for all.
    pub(super) revoked: Vec<String>,
    /// How long an access token lives, in seconds.
    pub(super) token_ttl_s: Option<i64>,
    /// Product catalogs that are not well, by vendor and id, `vendor/*` for all.
    pub(super) catalogs: BTreeMap<String, Map<String, Value>>,
    /// How long an uploaded video cannot be used.
    pub(super) transcoding_ms: u64,
    /// Meta calls without an `appsecret_proof` are refused.
    pub(super) require_appsecret_proof: bool,
    /// How far the vendors' clocks are ahead of ours, in seconds; tokens live by ours.
    pub(super) clock_ahead_s: i64,
    /// How much faster than the vendors' own clocks their quotas run; 0: there are no quotas.
    pub(super) quota_speed: u32,
}

/// Ids and opaque strings, from a seed: monotonic where a vendor's are, and of its size.
pub(super) struct Ids {
    pub(super) rng: StdRng,
    last: u64,
}

impl Ids {
    fn new(seed: u64) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed),
            last: 0,
        }
    }

    /// The next number of the one sequence that all ids are made of.
    fn next(&mut self) -> u64 {
        self.last += self.rng.random_range(1..=997u64);
        self.last
    }

    /// An id as Google Ads gives them: 11 digits.
    pub(super) fn google(&mut self) -> String {
        (20_000_000_000 + self.next()).to_string()
    }

    /// An id as Meta gives them: 18 digits.
    pub(super) fn meta(&mut self) -> String {
        (120_210_000_000_000_000 + self.next() * 10).to_string()
    }

    /// An id as TikTok gives them: 16 digits.
    pub(super) fn tiktok(&mut self) -> String {
        (1_800_000_000_000_000 + self.next() * 100).to_string()
    }

    /// An opaque string of letters and digits.
    pub(super) fn opaque(&mut self, length: usize) -> String {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        (0..length)
            .map(|_| char::from(ALPHABET[self.rng.random_range(0..ALPHABET.len())]))
            .collect()
    }
}

/// Everything.
pub(super) struct World {
    /// The instant of the request at hand.
    pub(super) now: DateTime<Utc>,
    /// How much longer than every other answer that of the request at hand takes.
    pub(super) slower_by: Duration,
    pub(super) store: Store,
    pub(super) ids: Ids,
    pub(super) journal: Journal,
    /// The journal's copy on disk, where one is asked for.
    pub(super) record: Option<Record>,
    pub(super) faults: Faults,
    pub(super) switches: Switches,
    pub(super) quotas: Quotas,
    /// TikTok's calls of the last minute, and whether each created ads.
    pub(super) tiktok_calls: VecDeque<(DateTime<Utc>, bool)>,
    tokens: HashMap<String, DateTime<Utc>>,
    seed: u64,
    latency_ms: u64,
}

impl World {
    /// An empty world.
    pub(super) fn new(seed: u64, latency_ms: u64) -> Self {
        let now = Utc::now();
        Self {
            now,
            slower_by: Duration::ZERO,
            store: Store::at(now),
            ids: Ids::new(seed),
            journal: Journal::default(),
            record: None,
            faults: Faults::default(),
            switches: Switches {
                latency_ms,
                ..Switches::default()
            },
            quotas: Quotas::default(),
            tiktok_calls: VecDeque::new(),
            tokens: HashMap::new(),
            seed,
            latency_ms,
        }
    }

    /// The same world with its requests written down.
    pub(super) fn recorded(self, record: Record) -> Self {
        Self {
            record: Some(record),
            ..self
        }
    }

    /// Forgets everything but the ids already given, so that an old id never names a new object, and the record.
    pub(super) fn reset(&mut self) {
        let (last, record) = (self.ids.last, self.record.take());
        *self = Self::new(self.seed, self.latency_ms);
        self.ids.last = last;
        self.record = record;
    }

    /// Sets the clock for a request.
    pub(super) fn tick(&mut self, hidden_for: TimeDelta) {
        self.now = Utc::now() + TimeDelta::seconds(self.switches.clock_ahead_s);
        self.store.now = self.now;
        self.store.by_hand = false;
        let standing = i64::try_from(self.switches.late_visibility_ms).unwrap_or(i64::MAX / 2);
        self.store.hidden_for = hidden_for.max(TimeDelta::milliseconds(standing));
    }

    /// Gives out an access token.
    pub(super) fn issue_token(&mut self) -> (String, i64) {
        let ttl = self.switches.token_ttl_s.unwrap_or(3599);
        let now = Utc::now();
        if self.tokens.len() > 10_000 {
            self.tokens.retain(|_, expires| *expires > now);
        }
        let token = format!("ya29.sandbox-{}", self.ids.opaque(40));
        self.tokens.insert(token.clone(), now + TimeDelta::seconds(ttl));
        (token, ttl)
    }

    /// Whether the vendor's next call is to be told that its token has expired; counts down.
    pub(super) fn expire_now(&mut self, vendor: &str) -> bool {
        for key in [vendor, "*"] {
            if let Some(left) = self.switches.token_expired.get_mut(key)
                && *left > 0
            {
                *left -= 1;
                return true;
            }
        }
        false
    }

    /// Checks the `Authorization` header.
    pub(super) fn bearer(&mut self, vendor: &str, headers: &HeaderMap) -> Result<(), Denied> {
        let token = headers
            .get("authorization")
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .unwrap_or("");
        if token.is_empty() {
            return Err(Denied::Missing);
        }
        if self.expire_now(vendor) {
            return Err(Denied::Expired);
        }
        if token.starts_with(STANDING_TOKEN) {
            // A service signs in at the token endpoint; who has the standing token stands for a person at a screen.
            self.store.by_hand = true;
            return Ok(());
        }
        match self.tokens.get(token) {
            Some(expires) if *expires > Utc::now() => Ok(()),
            Some(_) => Err(Denied::Expired),
            None => Err(Denied::Invalid),
        }
    }
}

/// Whether one of the patterns occurs in one of the texts (case does not matter; `*` matches everything).
pub(super) fn mentions(patterns: &[String], texts: &[&str]) -> bool {
    patterns.iter().any(|pattern| {
        let pattern = pattern.to_lowercase();
        pattern == "*" || texts.iter().any(|text| text.to_lowercase().contains(&pattern))
    })
}
