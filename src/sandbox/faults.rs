//! Faults that can be armed: which calls they strike, how often, and what happens then.
//!
//! A rule names calls by vendor, logical method, account and a piece of the request; the first rule that fires decides the
//! end of the call, while delays and late visibility add up. Must not touch sockets or objects.

use chrono::TimeDelta;
use rand::RngExt;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// What an armed fault does to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// Answers with `status` (and `body`, `headers`, or the vendor's own shape of `error`).
    Status,
    /// Answers late.
    Latency,
    /// The request never takes effect and is never answered.
    SilenceBefore,
    /// The request takes effect and is never answered.
    SilenceAfter,
    /// The request takes effect; its answer ends halfway through the body.
    Cut,
    /// The connection is reset instead of an answer, before or after the effect (`effect`).
    Reset,
    /// The answer comes, a few bytes at a time over `latency_ms`.
    Drip,
    /// The answer's body is followed by as many bytes of padding as `bytes` says.
    Huge,
    /// What the request creates stays hidden from look-ups for `late_visibility_ms`.
    LateVisibility,
}

/// Whether a fault strikes before or after the request has taken effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Moment {
    Before,
    After,
}

/// A fault as `POST /control/faults` takes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    /// `google-ads`, `meta`, … or `*`.
    #[serde(default = "any")]
    pub(super) vendor: String,
    /// A logical method: `google-ads.mutate`, or `mutate` for short; `*` stands for anything (`*.create`).
    #[serde(default = "any")]
    pub(super) method: String,
    /// Only calls for this account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) account: Option<String>,
    /// Only calls whose path, query or body contains this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) contains: Option<String>,
    /// May be left out where `late_visibility_ms`, `latency_ms` or `status` says it already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<Kind>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<u16>,
    /// A string is sent as it is, anything else as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<Value>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) headers: BTreeMap<String, String>,
    /// The vendor's own error instead of a body: `quotaError.RESOURCE_EXHAUSTED` (Google Ads), `80004/2446079` (Meta).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) latency_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) late_visibility_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) effect: Option<Moment>,
    /// Strikes this many times, then is spent. Absent: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) times: Option<u64>,
    /// Strikes with this chance (0 to 1). Absent: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) probability: Option<f64>,
    /// Lets this many matching calls pass first.
    #[serde(default)]
    pub(super) skip: u64,
}

fn any() -> String {
    "*".to_owned()
}

impl Rule {
    fn resolved(&self) -> Result<Kind, String> {
        let kind = match self.kind {
            Some(kind) => kind,
            None if self.status.is_some() || self.error.is_some() || self.body.is_some() => Kind::Status,
            None if self.late_visibility_ms.is_some() => Kind::LateVisibility,
            None if self.latency_ms.is_some() => Kind::Latency,
            None => return Err("kind is missing".to_owned()),
        };
        let missing = match kind {
            Kind::Latency | Kind::Drip if self.latency_ms.is_none() => Some("latency_ms"),
            Kind::LateVisibility if self.late_visibility_ms.is_none() => Some("late_visibility_ms"),
            Kind::Status if self.status.is_none() && self.error.is_none() => Some("status"),
            Kind::Status
            | Kind::Latency
            | Kind::SilenceBefore
            | Kind::SilenceAfter
            | Kind::Cut
            | Kind::Reset
            | Kind::Drip
            | Kind::Huge
            | Kind::LateVisibility => None,
        };
        if let Some(missing) = missing {
            return Err(format!("{missing} is missing"));
        }
        if self.probability.is_some_and(|p| !(0.0..=1.0).contains(&p)) {
            return Err("probability must be between 0 and 1".to_owned());
        }
        if self.status.is_some_and(|s| !(200..=599).contains(&s)) {
            return Err("status must be between 200 and 599".to_owned());
        }
        Ok(kind)
    }

    fn names(&self, vendor: &str, method: &str) -> bool {
        let short = method
            .strip_prefix(vendor)
            .and_then(|m| m.strip_prefix('.'))
            .unwrap_or(method);
        glob(&self.vendor, vendor) && (glob(&self.method, method) || glob(&self.method, short))
    }
}

/// Whether a text fits a pattern in which `*` stands for anything.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len()).any(|n| rest.get(n..).is_some_and(|tail| glob(after, tail)))
        }),
    }
}

/// What a rule is matched against.
pub(super) struct Target<'a> {
    pub(super) vendor: &'a str,
    pub(super) method: &'a str,
    pub(super) account: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) body: &'a [u8],
}

impl Target<'_> {
    fn contains(&self, text: &str) -> bool {
        self.path.contains(text)
            || self.query.contains(text)
            || self
                .body
                .windows(text.len().max(1))
                .any(|window| window == text.as_bytes())
    }
}

/// What to do to one call.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    /// Wait this long, then let the request take effect, whether or not the client is still there.
    pub(super) before: Duration,
    /// Let it take effect, then wait this long.
    pub(super) after: Duration,
    /// Hide what it creates.
    pub(super) hidden_for: TimeDelta,
    /// The rule that decides how the call ends.
    pub(super) end: Option<(Kind, Rule)>,
    /// The ids of the rules that struck, for the journal.
    pub(super) struck: Vec<String>,
}

struct Armed {
    id: u64,
    rule: Rule,
    kind: Kind,
    seen: u64,
    struck: u64,
}

/// The faults that are armed.
#[derive(Default)]
pub(super) struct Faults {
    next: u64,
    armed: Vec<Armed>,
}

impl Faults {
    /// Arms a fault and gives its id, or says what is wrong with it.
    pub(super) fn arm(&mut self, rule: Rule) -> Result<u64, String> {
        let kind = rule.resolved()?;
        self.next += 1;
        self.armed.push(Armed {
            id: self.next,
            rule,
            kind,
            seen: 0,
            struck: 0,
        });
        Ok(self.next)
    }

    /// Disarms everything, or one fault.
    pub(super) fn disarm(&mut self, id: Option<u64>) -> usize {
        let before = self.armed.len();
        self.armed.retain(|armed| id.is_some_and(|id| armed.id != id));
        before - self.armed.len()
    }

    /// The armed faults and how often each struck.
    pub(super) fn list(&self) -> Vec<Value> {
        self.armed
            .iter()
            .map(|armed| {
                let mut value = serde_json::to_value(&armed.rule).unwrap_or_default();
                if let Value::Object(map) = &mut value {
                    map.insert("id".into(), armed.id.into());
                    map.insert(
                        "kind".into(),
                        serde_json::to_value(armed.kind).unwrap_or_default(),
                    );
                    map.insert("struck".into(), armed.struck.into());
                }
                value
            })
            .collect()
    }

    /// What happens to this call.
    pub(super) fn plan(&mut self, target: &Target<'_>, rng: &mut StdRng) -> Plan {
        let mut plan = Plan::default();
        for armed in &mut self.armed {
            if armed.rule.times.is_some_and(|times| armed.struck >= times)
                || !armed.rule.names(target.vendor, target.method)
                || armed
                    .rule
                    .account
                    .as_deref()
                    .is_some_and(|account| account != target.account)
                || armed
                    .rule
                    .contains
                    .as_deref()
                    .is_some_and(|text| !target.contains(text))
            {
                continue;
            }
            armed.seen += 1;
            if armed.seen <= armed.rule.skip
                || armed
                    .rule
                    .probability
                    .is_some_and(|p| rng.random_range(0.0..1.0) >= p)
            {
                continue;
            }
            let wait = Duration::from_millis(armed.rule.latency_ms.unwrap_or(0));
            match armed.kind {
                Kind::Latency => match armed.rule.effect {
                    Some(Moment::Before) => plan.before += wait,
                    Some(Moment::After) | None => plan.after += wait,
                },
                Kind::LateVisibility => {
                    let ms = armed.rule.late_visibility_ms.unwrap_or(0);
                    plan.hidden_for = TimeDelta::milliseconds(i64::try_from(ms).unwrap_or(i64::MAX / 2));
                }
                Kind::Status
                | Kind::SilenceBefore
                | Kind::SilenceAfter
                | Kind::Cut
                | Kind::Reset
                | Kind::Drip
                | Kind::Huge => plan.end = Some((armed.kind, armed.rule.clone())),
            }
            armed.struck += 1;
            let kind = serde_json::to_value(armed.kind).unwrap_or_default();
            plan.struck
                .push(format!("{}:{}", armed.id, kind.as_str().unwrap_or_default()));
            if plan.end.is_some() {
                break;
            }
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn strike(faults: &mut Faults, method: &str) -> Plan {
        let target = Target {
            vendor: "meta",
            method,
            account: "42",
            path: "/x",
            query: "",
            body: b"name=one",
        };
        faults.plan(&target, &mut StdRng::seed_from_u64(1))
    }

    fn rule(json: Value) -> Rule {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_rule_strikes_the_calls_it_names_as_often_as_it_says() {
        let mut faults = Faults::default();
        faults
            .arm(rule(serde_json::json!({"vendor": "meta", "method": "campaigns.*", "status": 503, "times": 1, "skip": 1})))
            .unwrap();
        assert!(strike(&mut faults, "meta.ads.create").end.is_none());
        assert!(
            strike(&mut faults, "meta.campaigns.create").end.is_none(),
            "skipped"
        );
        assert_eq!(
            strike(&mut faults, "meta.campaigns.create").end.map(|e| e.0),
            Some(Kind::Status)
        );
        assert!(
            strike(&mut faults, "meta.campaigns.create").end.is_none(),
            "spent"
        );
    }

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, fits) in [
            ("*", "meta.ads.create", true),
            ("*.create", "meta.ads.create", true),
            ("meta.*.create", "meta.ads.create", true),
            ("meta.*", "meta.ads.create", true),
            ("*.create", "meta.ads.list", false),
            ("ads", "meta.ads", false),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn delays_add_up_and_the_first_ending_wins() {
        let mut faults = Faults::default();
        faults.arm(rule(serde_json::json!({"latency_ms": 5}))).unwrap();
        faults
            .arm(rule(
                serde_json::json!({"latency_ms": 7, "kind": "latency", "effect": "before"}),
            ))
            .unwrap();
        faults
            .arm(rule(serde_json::json!({"kind": "reset", "contains": "one"})))
            .unwrap();
        faults.arm(rule(serde_json::json!({"kind": "cut"}))).unwrap();
        let plan = strike(&mut faults, "meta.ads.create");
        assert_eq!((plan.before.as_millis(), plan.after.as_millis()), (7, 5));
        assert_eq!(plan.end.map(|e| e.0), Some(Kind::Reset));
        assert!(faults.arm(rule(serde_json::json!({"probability": 0.5}))).is_err());
    }
}
