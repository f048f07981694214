//! Names that identify things: parsed once, valid ever after, derived rather than invented.
//!
//! Must not contain anything random: a name that is derived twice from the same plan is the same name.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a text is not the identifier it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {value:?} is not valid: {rule}")]
pub struct BadId {
    /// Which identifier: `tenant_id`, `plan_version` …
    pub what: &'static str,
    /// The text as it came, cut to 80 characters.
    pub value: String,
    /// The rule it breaks, for a person.
    pub rule: &'static str,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $valid:path, $rule:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks the text against the contract's rule.
            ///
            /// # Errors
            /// [`BadId`] names the rule that the text breaks.
            pub fn parse(text: impl Into<String>) -> Result<Self, BadId> {
                let text = text.into();
                if $valid(&text) {
                    Ok(Self(text))
                } else {
                    Err(BadId { what: $what, value: text.chars().take(80).collect(), rule: $rule })
                }
            }

            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadId;
            fn try_from(text: String) -> Result<Self, BadId> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

fn is_tenant(text: &str) -> bool {
    let ok = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (1..=40).contains(&text.len()) && text.starts_with(ok) && text.chars().all(|c| ok(c) || c == '-')
}

fn is_key(text: &str) -> bool {
    let ok = |c: char| c.is_ascii_alphanumeric();
    (1..=64).contains(&text.len())
        && text.starts_with(ok)
        && text.chars().all(|c| ok(c) || c == '.' || c == '-')
}

fn is_platform(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

text_id!(
    /// A client of the agency. `_` is not allowed: it separates the parts of a campaign name.
    TenantId, "tenant_id", is_tenant, "it must match [a-z0-9][a-z0-9-]{0,39}"
);
text_id!(
    /// A media plan; its versions share it.
    PlanId, "plan_id", is_key, "it must match [A-Za-z0-9][A-Za-z0-9.-]{0,63}"
);
text_id!(
    /// One version of a media plan, unique within its tenant.
    PlanVersion, "plan_version", is_key, "it must match [A-Za-z0-9][A-Za-z0-9.-]{0,63}"
);
text_id!(
    /// The planner's key of one campaign, unique per platform within a plan version.
    LogicalKey, "logical_campaign_key", is_key, "it must match [A-Za-z0-9][A-Za-z0-9.-]{0,63}"
);
text_id!(
    /// A platform's id as messages spell it: `google-ads`, `meta` … Whether we have an adapter for it is
    /// for `platform::by_name` to say.
    PlatformId, "platform", is_platform, "it must match [a-z][a-z0-9-]{0,39}"
);

/// The idempotency key of the owner's spec: one campaign of one plan version on one platform.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LegKey {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The plan version.
    pub plan_version: PlanVersion,
    /// The platform.
    pub platform: PlatformId,
    /// The planner's key.
    pub logical_campaign_key: LogicalKey,
}

impl fmt::Display for LegKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{}/{}/{}",
            self.tenant_id, self.plan_version, self.platform, self.logical_campaign_key
        )
    }
}

/// `kobi_{tenant}_{platform}_{objective}_{plan_version}`, the owner's naming convention. Where a plan version
/// has several legs with the same platform and objective, every one after the first (in the plan's order)
/// gets `_{logical_campaign_key}` appended, which keeps names unique and searchable.
#[must_use]
pub fn campaign_name(key: &LegKey, objective: &str, first_of_its_kind: bool) -> String {
    let base = format!(
        "kobi_{}_{}_{objective}_{}",
        key.tenant_id, key.platform, key.plan_version
    );
    if first_of_its_kind {
        base
    } else {
        format!("{base}_{}", key.logical_campaign_key)
    }
}

/// The name of a campaign that takes the place of others which had the shorter ones: `…_{logical_campaign_key}_2`, and so
/// on. No key contains `_`, so that no other campaign's name can end like this.
#[must_use]
pub fn campaign_name_again(key: &LegKey, objective: &str, nth: u32) -> String {
    format!("{}_{nth}", campaign_name(key, objective, false))
}

/// The key of a leg that was the campaign of another leg: `{key}.replaced-1`, or the next number that is free. A key that
/// leaves no room is cut.
#[must_use]
pub fn replaced_key(key: &LogicalKey, taken: impl Fn(&str) -> bool) -> LogicalKey {
    (1_u32..)
        .find_map(|n| {
            let end = format!(".replaced-{n}");
            let room = 64 - end.len();
            let base = key.as_str().get(..room).unwrap_or(key.as_str());
            let text = format!("{base}{end}");
            (!taken(&text)).then(|| LogicalKey::parse(text).ok()).flatten()
        })
        .unwrap_or_else(|| key.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_replaced_has_a_key_and_a_name_of_its_own() {
        let key = LogicalKey::parse("brand").unwrap();
        assert_eq!(replaced_key(&key, |_| false).as_str(), "brand.replaced-1");
        let taken = |k: &str| k == "brand.replaced-1" || k == "brand.replaced-2";
        assert_eq!(replaced_key(&key, taken).as_str(), "brand.replaced-3");
        let long = LogicalKey::parse("k".repeat(64)).unwrap();
        let cut = replaced_key(&long, |k| k.ends_with("-1"));
        assert_eq!(
            (cut.as_str().len(), cut.as_str().ends_with("k.replaced-2")),
            (64, true)
        );
        let leg = LegKey {
            tenant_id: TenantId::parse("acme").unwrap(),
            plan_version: PlanVersion::parse("v.1").unwrap(),
            platform: PlatformId::parse("meta").unwrap(),
            logical_campaign_key: key,
        };
        assert_eq!(
            campaign_name_again(&leg, "leads", 2),
            "kobi_acme_meta_leads_v.1_brand_2"
        );
    }

    #[test]
    fn ids_keep_to_the_contract() {
        for good in ["a", "acme", "0-9", &"a".repeat(40)] {
            assert!(TenantId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "Acme", "a_b", "ä", &"a".repeat(41)] {
            assert!(TenantId::parse(bad).is_err(), "{bad}");
        }
        assert!(PlanVersion::parse("spring-sale-2027.3").is_ok());
        for bad in ["", ".a", "a_b", "a/b", "a b", &"a".repeat(65)] {
            assert!(PlanVersion::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn later_legs_of_a_kind_carry_their_key() {
        let key = LegKey {
            tenant_id: TenantId::parse("acme").unwrap(),
            plan_version: PlanVersion::parse("v.1").unwrap(),
            platform: PlatformId::parse("google-ads").unwrap(),
            logical_campaign_key: LogicalKey::parse("brand").unwrap(),
        };
        assert_eq!(
            campaign_name(&key, "sales", true),
            "kobi_acme_google-ads_sales_v.1"
        );
        assert_eq!(
            campaign_name(&key, "sales", false),
            "kobi_acme_google-ads_sales_v.1_brand"
        );
    }
}
