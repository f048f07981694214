//! The port: what the service asks of a platform, and the list of platforms.
//!
//! To add a platform, add its folder beside this file and its line at the end of it. Nothing outside a platform's
//! folder may match on a platform. Must not see `store`, `bus` or `health`; must not retry a mutation, nor decide
//! whether one may be sent: an adapter plans (pure) and sends exactly what it is told to.
//!
//! How the worker uses it: `desire` says what should exist; `next` compares that with the manifest and names the
//! mutations that are ready now; the worker commits them as intents, sends each with `execute` and commits what came of it;
//! again, until `next` names none. Where an outcome is unknown, `find` looks. Then `read` shows what is really there.

#[cfg(test)]
mod fields;
mod google_geo;

use crate::domain::catalog::CatalogHealth;
use crate::domain::error::LegError;
use crate::domain::manifest::{Desired, Manifest, Serving};
use crate::domain::money::{Currency, Money};
use crate::domain::plan::{AdGroup, Catalog, Objective};
use crate::domain::spec::{Asset, LegSpec};
use crate::domain::tenant::Account;
use crate::domain::tracking;
use crate::outbound::Outbound;
use crate::outbound::pace::{Pace, Quota};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// What a platform is like, as far as the service must know.
#[derive(Debug, Clone, Copy)]
pub struct Traits {
    /// For people: `Google Ads`.
    pub display_name: &'static str,
    /// Where it stands in `launch.order: recommended` (0 first).
    pub position: u8,
    /// Where production lives; `platforms.<name>.base_url` overrides it. Ends before the version segment.
    pub base_url: &'static str,
    /// Which tracking rule its campaigns must satisfy.
    pub tracking: tracking::Rule,
    /// How long after a lost answer an object may still be invisible to a look-up.
    pub settle: Duration,
    /// How long one call may take at the most.
    pub deadline: Duration,
}

/// What an account is, as its probe told. Stored with the gate's verdict and given to the worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountFacts {
    /// The account's own currency. A plan in another one is refused.
    pub currency: Currency,
    /// The account's zone, IANA.
    pub timezone: Tz,
    /// Google: whether auto-tagging is on. None where there is no such switch.
    pub auto_tagging: Option<bool>,
    /// The smallest daily budget that the platform accepts there, where it tells.
    #[serde(default)]
    pub minimum_daily: Option<Money>,
    /// What the account may still spend before its own cap or its balance stops it, where it tells.
    #[serde(default)]
    pub spendable: Option<Money>,
    /// The product feeds it may advertise from, by the ids that a plan's `catalog` names; empty where it doesn't tell.
    #[serde(default)]
    pub catalogs: Vec<String>,
    /// Why the account cannot launch now; empty: it can.
    pub problems: Vec<LegError>,
}

/// One tenant's account on one platform, with the means to call it.
#[derive(Clone)]
pub struct Session {
    /// HTTP and credentials.
    pub outbound: Outbound,
    /// `platforms.<name>.base_url`, without a slash at its end.
    pub base_url: Arc<str>,
    /// From the tenant's account map.
    pub account: Account,
    /// How long one call may take: the platform's own, or less if so configured.
    pub deadline: Duration,
}

impl Session {
    /// The means to call an account, where `base_urls` (by platform id) say or else at the vendor's own address, each call as
    /// long as the platform takes at the most.
    #[must_use]
    pub fn of(
        outbound: &Outbound,
        base_urls: &BTreeMap<String, Arc<str>>,
        platform: &dyn Platform,
        account: &Account,
    ) -> Self {
        let base_url = base_urls.get(platform.name()).cloned();
        let traits = platform.traits();
        Self {
            outbound: outbound.clone(),
            base_url: base_url.unwrap_or_else(|| traits.base_url.into()),
            account: account.clone(),
            deadline: traits.deadline,
        }
    }

    /// How fast the account may be called: see `outbound::pace`.
    #[must_use]
    pub fn pace(&self, platform: &str, quota: &'static Quota) -> Arc<Pace> {
        self.outbound.paces.of(platform, &self.account.account_id, quota)
    }
}

/// What a call is to achieve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Everything desired exists, paused, with the desired fields.
    Built,
    /// Everything built may serve.
    Active,
    /// Nothing of it may serve (first the campaign, then the rest if at all).
    Paused,
    /// Nothing of it is there any more (newest first).
    Removed,
}

/// What one mutation does to its objects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "op")]
pub enum Op {
    /// Creates them. Not repeatable: an unknown outcome is looked up first.
    Create,
    /// Sets the fields given, by object key. Repeatable: the same values again change nothing.
    Update {
        /// Object key → all fields of the object as they shall be afterwards.
        applied: serde_json::Map<String, Value>,
    },
    /// Turns them on or off. Repeatable.
    Serve {
        /// `Active` or `Paused`.
        serving: Serving,
    },
    /// Removes them. Repeatable: "already gone" is success.
    Remove,
    /// Changes a setting of the account that the launch depends on. Repeatable.
    Account {
        /// What it does, for the audit: `turn auto-tagging on`.
        what: String,
    },
}

/// One write call: planned, committed as an intent, then sent as it stands. Holds no secret: the adapter adds
/// credentials while sending.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mutation {
    /// What it does.
    pub op: Op,
    /// The manifest keys of the objects it touches, in the order in which the answer will name them. Empty for
    /// [`Op::Account`].
    pub objects: Vec<String>,
    /// HTTP method.
    pub method: String,
    /// From the version segment on: `/v26/customers/1/googleAds:mutate`.
    pub path: String,
    /// JSON; sent as JSON or, where the vendor wants it, as a form whose nested values are JSON.
    pub body: Value,
}

/// What came of a mutation that the platform accepted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Done {
    /// Object key → the platform's id. For [`Op::Create`] one per object; empty otherwise.
    pub ids: Vec<(String, String)>,
    /// The platform's own id of the request, for its support.
    pub request_id: Option<String>,
    /// What of the answer is worth keeping in the audit: ids and states, no secrets, at most about 2 kB.
    pub essence: Value,
}

/// An object that a look-up found under the name of an intended one.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The manifest key whose name it bears.
    pub key: String,
    /// Its id.
    pub remote_id: String,
    /// Whether it may serve now.
    pub serving: Serving,
    /// When it was created, where the platform tells; ids ascend otherwise.
    pub created_at: Option<DateTime<Utc>>,
    /// Whether it ever spent, where the platform tells.
    pub spent: Option<bool>,
}

/// One object as the platform holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// The manifest key.
    pub key: String,
    /// Its id.
    pub remote_id: String,
    /// Whether it may serve.
    pub serving: Serving,
    /// The same keys, in the same normal form, as [`Desired::fields`].
    pub fields: Value,
}

/// Whether the platform would serve the campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Eligibility {
    /// It serves.
    Eligible,
    /// It is on, nothing keeps it from serving, and its flight has not begun on the platform: it will by itself.
    NotBegun,
    /// Paused by us: cannot tell.
    Paused,
    /// The platform's review is still running.
    InReview,
    /// Refused by the platform's policies, so that nothing of it can serve.
    Disapproved(Box<LegError>),
}

/// What a leg looks like on the platform.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Every object of the manifest that is really there. What is missing here is gone.
    pub objects: Vec<Seen>,
    /// Every place that holds tracking.
    pub tracking: Vec<tracking::Observed>,
    /// The account's auto-tagging switch, where there is one.
    pub auto_tagging: Option<bool>,
    /// Would it serve?
    pub eligibility: Eligibility,
    /// What the platform's policies refuse of it, although the rest may serve: a person is asked, the campaign goes on.
    pub finding: Option<Box<LegError>>,
    /// Whether the campaign ever spent; none: the platform doesn't tell.
    pub spent: Option<bool>,
}

/// One change that a platform's own log shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// When it was committed there.
    pub at: DateTime<Utc>,
    /// Who, as the platform says: an e-mail address; none: it does not.
    pub by: Option<String>,
    /// By which client, in the platform's words.
    pub through: String,
    /// Whether that client was a program: then it may have been us.
    pub program: bool,
    /// What was changed: the platform's kind and address of it.
    pub object: String,
    /// `create`, `update` or `remove`.
    pub operation: String,
    /// The fields, in the platform's words; none for what was made or removed.
    pub fields: Vec<String>,
}

/// What a call can come to, other than well.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CallError {
    /// The platform said no, and will say no again. Nothing was changed.
    #[error("refused: {}", .0.message)]
    Refused(Box<LegError>),
    /// Nothing was changed; later it may work.
    #[error("unavailable: {why}")]
    Unavailable {
        /// For a person.
        why: String,
        /// The platform's own hint.
        after: Option<Duration>,
    },
    /// It may have been done or not. A mutation is looked up before it is sent again.
    #[error("outcome unknown: {why}")]
    Unclear {
        /// For a person.
        why: String,
    },
}

impl CallError {
    /// A refusal.
    #[must_use]
    pub fn refused(error: LegError) -> Self {
        Self::Refused(Box::new(error))
    }
}

/// An asset of the library that an account must be given before an ad can name it: once per asset and account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Upload {
    /// The asset, as the library describes it.
    pub asset: Asset,
    /// The deterministic external name under which the account will hold it, by which a look-up finds it.
    pub name: String,
    /// Whether the platform must be sent the content; otherwise it fetches [`Asset::url`] by itself.
    pub needs_content: bool,
}

/// What an account holds of an upload. `refs` are the platform's own references, spelled as the asset library spells
/// them (`{"image_hash": "…"}`): [`Asset::platform_refs`] takes them, and [`Platform::desire`] reads them there.
#[derive(Debug, Clone, PartialEq)]
pub enum Uploaded {
    /// It can be used.
    Ready {
        /// What the platform calls it.
        refs: BTreeMap<String, String>,
    },
    /// It is there and not usable yet (transcoding).
    Processing {
        /// What the platform calls it.
        refs: BTreeMap<String, String>,
    },
    /// The account has no such thing.
    Absent,
}

/// Why an objective cannot be pursued there, and what can instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotOffered {
    /// For a person.
    pub why: &'static str,
    /// What to use instead.
    pub instead: &'static str,
}

/// What is wrong with a campaign for this platform, before anything is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// JSON pointer within the campaign: `/bidding/strategy`.
    pub pointer: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

/// What an adapter's check has found so far.
#[derive(Debug, Default)]
pub(crate) struct Check {
    pub(crate) problems: Vec<Problem>,
}

impl Check {
    /// One more.
    pub(crate) fn no(
        &mut self,
        pointer: impl Into<String>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.problems.push(Problem {
            pointer: pointer.into(),
            what: what.into(),
            remedy: remedy.into(),
        });
    }

    /// The platform has no keywords, in its own words; the ad group at this place may have none.
    pub(crate) fn no_keywords(&mut self, group: &AdGroup, place: usize, what: &str) {
        for (given, name) in [
            (!group.keywords.is_empty(), "keywords"),
            (!group.negative_keywords.is_empty(), "negative_keywords"),
        ] {
            if given {
                self.no(format!("/ad_groups/{place}/{name}"), what, "take them out");
            }
        }
    }
}

/// One advertising platform. Methods without `async` are pure.
#[async_trait]
pub trait Platform: Send + Sync + 'static {
    /// The platform's id: `google-ads`. Topics, configuration, rows and labels derive from it.
    fn name(&self) -> &'static str;

    /// What it is like.
    fn traits(&self) -> Traits;

    /// What it allows one account to call in a stretch of time; its transport keeps to that, the worker drives no more legs
    /// at once than that feeds.
    fn quota(&self) -> &'static Quota {
        &Quota::NONE
    }

    /// The pace by which a session's calls are counted: its account's own, unless the platform counts otherwise.
    fn pace(&self, session: &Session) -> Arc<Pace> {
        session.pace(self.name(), self.quota())
    }

    /// The channels that a campaign can name there; empty: the platform has none.
    fn channels(&self) -> &'static [&'static str] {
        &[]
    }

    /// What an objective on a channel becomes there, in the vendor's words; `check` refuses what is not offered with the
    /// same reason.
    ///
    /// # Errors
    /// [`NotOffered`]: why not, and what to use instead.
    fn offer(&self, objective: Objective, channel: Option<&str>) -> Result<&'static str, NotOffered>;

    /// Ad formats that people ask for there and that are not offered; `check` refuses them with the same reason.
    fn formats_not_offered(&self) -> &'static [(&'static str, NotOffered)] {
        &[]
    }

    /// Every rule of the platform that can be checked offline: channels, strategies, lengths, unknown settings, budget form.
    fn check(&self, spec: &LegSpec) -> Vec<Problem>;

    /// What should exist for this leg, parents before children; fields in the normal form in which `read` gives them.
    ///
    /// # Errors
    /// [`LegError`] where the spec cannot be expressed (an asset without this platform's reference …).
    fn desire(
        &self,
        spec: &LegSpec,
        account: &Account,
        facts: &AccountFacts,
    ) -> Result<Vec<Desired>, Box<LegError>>;

    /// What of a campaign that exists cannot be changed, as fields of `domain::diff`; what lies below one is meant too. An
    /// objective and a budget's period are fixed on every platform (Google: `campaignError: CANNOT_CHANGE_BUDGET_PERIOD`;
    /// Meta and TikTok: the objective is no parameter of an update), and a channel is another kind of campaign.
    fn immutable(&self) -> &'static [&'static str] {
        &["objective", "channel", "budget.period"]
    }

    /// When a campaign that is built now begins there, whose plan says `start`: a platform may begin nothing new before some later
    /// moment. `zone`: the account's, or where nobody has asked for that the plan's. Pure.
    fn begins(&self, start: DateTime<Utc>, _now: DateTime<Utc>, _zone: Tz) -> DateTime<Utc> {
        start
    }

    /// The mutations that are ready to be sent now towards the goal; none: it is reached. Never names an object that
    /// is `Intended` (its outcome must be resolved first). Those returned together may be sent at the same time.
    fn next(&self, goal: Goal, desired: &[Desired], manifest: &Manifest, account: &Account) -> Vec<Mutation>;

    /// The mutation that removes one object that the manifest doesn't hold (a duplicate found by `find`).
    fn removal(&self, kind: &str, remote_id: &str, account: &Account) -> Mutation;

    /// Is the account alive, authenticated, able to pay? Problems with the account are facts, not errors.
    async fn probe(&self, session: &Session) -> Result<AccountFacts, CallError>;

    /// How the platform's own catalog fares that the plan names (`meta_catalog_id` …); none: the plan names none of this
    /// platform's, and nothing is asked. `session.account` is the tenant's account here: a catalog that it cannot see is
    /// refused. Which findings are critical is the platform's to say, whether they are too many `domain::catalog`'s.
    async fn catalog_health(
        &self,
        _session: &Session,
        _catalog: &Catalog,
    ) -> Result<Option<CatalogHealth>, CallError> {
        Ok(None)
    }

    /// The id of the catalog whose products this leg's ads show (the Merchant Center account of a shopping campaign, the
    /// catalog of a catalog ad); none: it shows none. The gate demands that the plan's `catalog` names it, so that no feed is
    /// advertised unchecked. Pure.
    fn catalog_used(&self, _spec: &LegSpec) -> Option<String> {
        None
    }

    /// Mutations of the account that this launch depends on (auto-tagging off → turn it on); none: all is well.
    fn account_mutations(&self, account: &Account, facts: &AccountFacts) -> Vec<Mutation>;

    /// What must be uploaded before this asset can be used in an ad of this leg; none: the library's reference will do, or
    /// the platform has no use for the asset. Pure.
    ///
    /// # Errors
    /// [`LegError`] where the asset cannot be used there at all (kind, type, size).
    fn upload(&self, _spec: &LegSpec, _asset: &Asset) -> Result<Option<Upload>, Box<LegError>> {
        Ok(None)
    }

    /// Sends an upload, once. `content` is there exactly when [`Upload::needs_content`] says so.
    async fn send_upload(
        &self,
        _session: &Session,
        _upload: &Upload,
        _content: Option<Vec<u8>>,
    ) -> Result<Uploaded, CallError> {
        Ok(Uploaded::Absent)
    }

    /// Whether the account holds an upload, and whether it can be used yet: by its references where an earlier call gave
    /// them, else by its name or content. Exact matches only.
    async fn find_upload(
        &self,
        _session: &Session,
        _upload: &Upload,
        _refs: Option<&BTreeMap<String, String>>,
    ) -> Result<Uploaded, CallError> {
        Ok(Uploaded::Absent)
    }

    /// Sends one mutation, once.
    async fn execute(&self, session: &Session, mutation: &Mutation) -> Result<Done, CallError>;

    /// Looks for the objects that a mutation with an unknown outcome was to create, by their names, in as few calls as
    /// possible. Exact names only; includes paused and archived ones; every one found, also several for one key.
    async fn find(
        &self,
        session: &Session,
        manifest: &Manifest,
        keys: &[String],
    ) -> Result<Vec<Found>, CallError>;

    /// What is really there, in as few calls as possible.
    async fn read(&self, session: &Session, manifest: &Manifest) -> Result<Reading, CallError>;

    /// What is really there of several legs of the session's account (100 at the most), in the order in which they were
    /// named: lists about many campaigns at once, where the platform has such. All or nothing.
    async fn read_all(&self, session: &Session, manifests: &[&Manifest]) -> Result<Vec<Reading>, CallError> {
        let mut readings = Vec::with_capacity(manifests.len());
        for manifest in manifests {
            readings.push(self.read(session, manifest).await?);
        }
        Ok(readings)
    }

    /// Who changed these legs' objects within this time, for each leg, newest first, where the platform keeps such a log for us to read;
    /// nothing where it keeps none. What we changed ourselves is in it too.
    async fn changes(
        &self,
        _session: &Session,
        manifests: &[&Manifest],
        _within: Range<DateTime<Utc>>,
    ) -> Result<Vec<Vec<Change>>, CallError> {
        Ok(manifests.iter().map(|_| Vec::new()).collect())
    }
}

/// Everything that is wrong with a leg before anything is sent: the platform's own rules, and what tracking demands of its
/// landing URLs.
#[must_use]
pub fn problems(platform: &dyn Platform, spec: &LegSpec) -> Vec<Problem> {
    let mut problems = platform.check(spec);
    if platform.traits().tracking.forbids_utm() {
        for (g, group) in spec.campaign.ad_groups.iter().enumerate() {
            for (a, ad) in group.ads.iter().enumerate() {
                problems.extend(tracking::hidden_utm(&ad.landing_url).map(|what| Problem {
                    pointer: format!("/ad_groups/{g}/ads/{a}/landing_url"),
                    what,
                    remedy: format!(
                        "{} must not have any: take it out of the URL",
                        platform.traits().display_name
                    ),
                }));
            }
        }
    }
    problems
}

/// The platform with this id, if we have an adapter for it.
#[must_use]
pub fn by_name(name: &str) -> Option<Arc<dyn Platform>> {
    all().into_iter().find(|platform| platform.name() == name)
}

macro_rules! platforms {
    ($($folder:ident::$adapter:ident),* $(,)?) => {
        $(pub mod $folder;)*
        /// Every platform, in no particular order.
        #[must_use]
        pub fn all() -> Vec<Arc<dyn Platform>> { vec![$(Arc::new($folder::$adapter)),*] }

        /// Every platform with campaigns that it takes as they are: one for each of its channels and formats.
        #[cfg(test)]
        fn samples() -> Vec<(Arc<dyn Platform>, Vec<fields::Sample>)> {
            vec![$((Arc::new($folder::$adapter), $folder::tests::samples())),*]
        }
    };
}

// To add a platform, add its folder beside this file and its line here.
platforms! {
    google_ads::GoogleAds,
    meta::Meta,
    tiktok::TikTok,
    dv360::Dv360,
}
