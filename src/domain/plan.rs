//! A media plan version as the planning system approved it: parsed once (by `wire`), valid ever after.
//!
//! Must not know how it travels (`wire` spells the JSON) nor what a platform makes of it (`platform/*/mapping.rs`).

use super::ids::{LogicalKey, PlanId, PlanVersion, PlatformId, TenantId};
use super::money::{Currency, Money};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One approved payload. `(tenant_id, plan_version)` identifies it; a later `approved_at` amends it.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The client.
    pub tenant_id: TenantId,
    /// The plan.
    pub plan_id: PlanId,
    /// Its version, unique within the tenant.
    pub plan_version: PlanVersion,
    /// The version of the same plan that this one replaces.
    pub supersedes: Option<PlanVersion>,
    /// As it came; the gate demands `approved`.
    pub status: String,
    /// When a person approved it.
    pub approved_at: DateTime<Utc>,
    /// Who did.
    pub approved_by: String,
    /// The currency of every amount in the plan.
    pub currency: Currency,
    /// The zone of schedule times that came without an offset.
    pub timezone: Tz,
    /// How the legs depend on each other.
    pub launch: Launch,
    /// What the tracking check looks at.
    pub tracking: Tracking,
    /// The product feeds the plan relies on.
    pub catalog: Option<Catalog>,
    /// One per leg, 1 to 10,000; keys are unique per platform.
    pub campaigns: Vec<Campaign>,
}

/// How legs depend on each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// Nothing goes live before everything is built and verified; one failure undoes all.
    pub atomic: bool,
    /// When each platform starts.
    pub order: Order,
}

/// When each platform's commands go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// All at once.
    Parallel,
    /// Google Ads, Meta, TikTok, DV360: each when the one before has built or failed.
    Recommended,
}

/// What the GA4 check looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracking {
    /// `properties/<digits>`.
    pub ga4_property: String,
    /// Event names that must be key events of the property; empty: none demanded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key_events: Vec<String>,
}

/// The product feeds a plan relies on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalog {
    /// Merchant Center account (digits).
    pub merchant_account: Option<String>,
    /// Meta catalog id.
    pub meta_catalog_id: Option<String>,
    /// TikTok catalog id.
    pub tiktok_catalog_id: Option<String>,
    /// TikTok Business Center id.
    pub tiktok_bc_id: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub countries: Vec<String>,
    /// How many critical errors are still acceptable.
    pub max_critical: u64,
}

impl Catalog {
    /// Every catalog that the plan names, with the field that names it; each must have been looked at before a launch. The
    /// Business Center is no catalog but where TikTok's lives.
    #[must_use]
    pub fn named(&self) -> Vec<(&'static str, &str)> {
        [
            ("merchant_account", &self.merchant_account),
            ("meta_catalog_id", &self.meta_catalog_id),
            ("tiktok_catalog_id", &self.tiktok_catalog_id),
        ]
        .into_iter()
        .filter_map(|(field, id)| Some((field, id.as_deref()?)))
        .collect()
    }
}

/// What a campaign is for; the last part but one of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// Reach people.
    Awareness,
    /// Visits.
    Traffic,
    /// Interactions.
    Engagement,
    /// Contacts.
    Leads,
    /// Purchases.
    Sales,
    /// Installs.
    App,
}

impl Objective {
    /// Every objective.
    pub const ALL: [Self; 6] = [
        Self::Awareness,
        Self::Traffic,
        Self::Engagement,
        Self::Leads,
        Self::Sales,
        Self::App,
    ];

    /// As messages and campaign names spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Awareness => "awareness",
            Self::Traffic => "traffic",
            Self::Engagement => "engagement",
            Self::Leads => "leads",
            Self::Sales => "sales",
            Self::App => "app",
        }
    }
}

/// One campaign of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Campaign {
    /// The planner's key, unique per platform.
    pub logical_campaign_key: LogicalKey,
    /// Where it runs.
    pub platform: PlatformId,
    /// What it is for.
    pub objective: Objective,
    /// google-ads: `search display shopping performance_max demand_gen`; dv360: `display video`; others none.
    pub channel: Option<String>,
    /// What it may spend.
    pub budget: Budget,
    /// When it runs.
    pub schedule: Schedule,
    /// How it bids.
    pub bidding: Bidding,
    /// Whom it addresses.
    pub audience: Audience,
    /// The client's own ids, carried in the click.
    pub crm: Crm,
    /// How often one person may see it.
    pub frequency_cap: Option<FrequencyCap>,
    /// Read by the platform's folder only, which refuses unknown keys.
    pub settings: Map<String, Value>,
    /// At least one.
    pub ad_groups: Vec<AdGroup>,
}

/// What a campaign may spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Per period.
    pub amount: Money,
    /// A day, or the whole flight.
    pub period: Period,
}

/// What a budget is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// Each day.
    Daily,
    /// The whole flight; needs an end.
    Lifetime,
}

/// When a campaign runs. Instants, already resolved from the plan's zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// First moment.
    pub start: DateTime<Utc>,
    /// Last moment; none: until stopped.
    pub end: Option<DateTime<Utc>>,
}

/// How a campaign bids. Which strategies exist is the platform folder's to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bidding {
    /// `maximize_conversions`, `lowest_cost`, `fixed` …
    pub strategy: String,
    /// Target cost per action.
    pub target_cpa: Option<Money>,
    /// Target return on ad spend in millionths: 3.5 is 3,500,000.
    pub target_roas_micros: Option<i64>,
    /// A bid, cap or ceiling, as the strategy takes it.
    pub bid: Option<Money>,
    /// What the campaign is measured by (DV360).
    pub kpi: Option<Kpi>,
}

/// A performance goal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kpi {
    /// `cpm`, `cpc`, `cpa` …
    #[serde(rename = "type")]
    pub kind: String,
    /// The goal.
    pub amount: Money,
}

/// Whom a campaign addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audience {
    /// ISO 3166-1 alpha-2, at least one.
    pub countries: Vec<String>,
    /// ISO 639-1; empty: all.
    pub languages: Vec<String>,
    /// Years.
    pub age_min: Option<u8>,
    /// Years.
    pub age_max: Option<u8>,
    /// `female`, `male`; empty: all.
    pub genders: Vec<String>,
}

/// The client's own ids.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crm {
    /// CRM SKU.
    pub kcid: Option<String>,
    /// CRM plan value.
    pub kpv: Option<String>,
}

/// How often one person may see a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrequencyCap {
    /// Impressions.
    pub impressions: u32,
    /// `day`, `week`, `month`, `lifetime`.
    pub per: String,
}

/// Ads that share targeting and bids.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdGroup {
    /// Unique within the campaign.
    pub key: LogicalKey,
    /// Search keywords.
    pub keywords: Vec<Keyword>,
    /// Searches to stay away from.
    pub negative_keywords: Vec<Keyword>,
    /// At least one.
    pub ads: Vec<Ad>,
}

/// A search keyword.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyword {
    /// The words.
    pub text: String,
    /// How closely a search must match.
    #[serde(rename = "match")]
    pub match_type: MatchType,
}

/// How closely a search must match a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchType {
    /// The same meaning.
    Exact,
    /// Contains the meaning.
    Phrase,
    /// Related.
    Broad,
}

/// One ad.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ad {
    /// Unique within the ad group.
    pub key: LogicalKey,
    /// `responsive_search`, `single_image`, `single_video`, `carousel`, `display_image` …
    pub format: String,
    /// Ids in the asset library.
    pub asset_ids: Vec<String>,
    /// Where a click leads: https, parsed.
    pub landing_url: url::Url,
    /// Titles.
    pub headlines: Vec<String>,
    /// Titles with room for a sentence, where a format has both.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub long_headlines: Vec<String>,
    /// Longer texts.
    pub descriptions: Vec<String>,
    /// The body text.
    pub primary_text: Option<String>,
    /// `shop_now`, `learn_more` …
    pub call_to_action: Option<String>,
    /// First part of the display path.
    pub path1: Option<String>,
    /// Second part of the display path.
    pub path2: Option<String>,
    /// Pixels.
    pub width: Option<u32>,
    /// Pixels.
    pub height: Option<u32>,
}
