//! A client of the agency as onboarding describes it: the platform account map and the policies.
//!
//! Must not hold a secret: `credential` is the name of a file, not what is in it.

use super::ids::TenantId;
use super::money::parse_micros;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `tenant.onboarded`, as in the contract. Accounts are keyed by platform id, `ga4` and `merchant`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// The tenant.
    pub tenant_id: TenantId,
    /// A later one replaces an earlier one.
    pub updated_at: DateTime<Utc>,
    /// For people.
    pub display_name: String,
    /// By platform id, `ga4`, `merchant`.
    pub accounts: BTreeMap<String, Account>,
    /// Hosts that ads may lead to, exactly or as parent domains.
    #[serde(default)]
    pub landing_hosts: Vec<String>,
    /// What the agency and the client agreed.
    #[serde(default)]
    pub policy: Policy,
    /// Ceilings by platform id.
    #[serde(default)]
    pub limits: BTreeMap<String, Limits>,
    /// Alert routes: `client`, `agency_master` → the name of a receiver.
    #[serde(default)]
    pub alerts: BTreeMap<String, String>,
}

/// One account of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// As the platform spells it: digits, `act_42`, `properties/1`.
    pub account_id: String,
    /// The manager account to act through (Google Ads).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_account_id: Option<String>,
    /// The partner (DV360).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner_id: Option<String>,
    /// `active`, or why not.
    pub status: String,
    /// The name of the credential file, without `.json`.
    pub credential: String,
}

/// What the agency and the client agreed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// When a person must approve a launch.
    pub launch_approval: LaunchApproval,
    /// What amber tracking health means.
    pub tracking_amber: TrackingAmber,
    /// `does_not_contain` or `contains`.
    pub eu_political_advertising: String,
    /// What a new payload comes to that changes what a platform does not let be changed.
    #[serde(skip_serializing_if = "ImmutableChange::refuses")]
    pub immutable_change: ImmutableChange,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            launch_approval: LaunchApproval::FirstLaunch,
            tracking_amber: TrackingAmber::Block,
            eu_political_advertising: "does_not_contain".to_owned(),
            immutable_change: ImmutableChange::Refuse,
        }
    }
}

/// When a person must approve a launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LaunchApproval {
    /// Never.
    Never,
    /// The tenant's first launch only.
    FirstLaunch,
    /// Each one.
    Always,
}

/// What a new payload comes to that changes an objective, a channel or a budget's period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImmutableChange {
    /// The gate refuses it, and says what to do instead.
    Refuse,
    /// A new campaign is built and switched on, then the old one is switched off.
    Replace,
}

impl ImmutableChange {
    /// Whether it is the default, which nobody has to name.
    #[must_use]
    pub fn refuses(&self) -> bool {
        *self == Self::Refuse
    }
}

/// What amber tracking health means for a launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrackingAmber {
    /// As red.
    Block,
    /// As green.
    Allow,
}

/// The tenant's own ceilings on one platform, decimal strings in the account's currency.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Per campaign and day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub daily_max: Option<String>,
    /// Per campaign and flight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifetime_max: Option<String>,
}

impl Limits {
    /// Both ceilings in micros, or the one that is no decimal.
    ///
    /// # Errors
    /// The text that is no amount.
    pub fn micros(&self) -> Result<(Option<i64>, Option<i64>), String> {
        let parse = |text: &Option<String>| match text {
            None => Ok(None),
            Some(t) => match parse_micros(t) {
                Some(Ok(micros)) => Ok(Some(micros)),
                Some(Err(_)) | None => Err(t.clone()),
            },
        };
        Ok((parse(&self.daily_max)?, parse(&self.lifetime_max)?))
    }
}

impl Tenant {
    /// Whether ads may lead to this host: it or a parent domain is in the list, both in their ASCII form. An empty list allows
    /// none.
    #[must_use]
    pub fn allows_host(&self, host: &str) -> bool {
        let host = ascii(host);
        self.landing_hosts.iter().any(|allowed| {
            let allowed = ascii(allowed);
            !allowed.is_empty() && (host == allowed || host.ends_with(&format!(".{allowed}")))
        })
    }
}

/// A host name as URLs hold it: lower case, international names in their ASCII form, no dot at its end.
fn ascii(host: &str) -> String {
    let parsed = url::Host::parse(host).map(|h| h.to_string());
    let host = parsed.unwrap_or_else(|_| host.to_ascii_lowercase());
    host.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_compared_as_urls_hold_them() {
        let tenant = Tenant {
            tenant_id: TenantId::parse("acme").unwrap(),
            updated_at: DateTime::default(),
            display_name: String::new(),
            accounts: BTreeMap::new(),
            landing_hosts: vec![
                "BÜCHER.example".into(),
                "shop.acme.example.".into(),
                String::new(),
            ],
            policy: Policy::default(),
            limits: BTreeMap::new(),
            alerts: BTreeMap::new(),
        };
        let host = |url: &str| url::Url::parse(url).unwrap().host_str().unwrap().to_owned();
        assert!(tenant.allows_host(&host("https://bücher.example/x")));
        assert!(tenant.allows_host(&host("https://www.BÜCHER.example")));
        assert!(tenant.allows_host(&host("https://shop.acme.example./")));
        assert!(!tenant.allows_host(&host("https://notshop.acme.example")));
        assert!(!tenant.allows_host(&host("https://bucher.example")));
        assert!(!tenant.allows_host(&host("https://evil.example")));
    }
}
