//! `plan.approved` → `domain::plan::Plan`: the schema first, then the rules that a schema cannot say.
//!
//! Must not look at the time (a plan is the same plan tomorrow; the gate judges dates) nor at a tenant.

use super::{Invalid, capped, hides, local_time, pointer_token, schema};
use crate::domain::ids::{LogicalKey, PlanId, PlanVersion, PlatformId, TenantId};
use crate::domain::money::{Currency, Money, parse_micros};
use crate::domain::plan as d;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::HashSet;

#[derive(Deserialize)]
struct Plan {
    tenant_id: TenantId,
    plan_id: PlanId,
    plan_version: PlanVersion,
    #[serde(default)]
    supersedes: Option<PlanVersion>,
    status: String,
    approved_at: String,
    approved_by: String,
    currency: String,
    timezone: String,
    #[serde(default)]
    launch: Launch,
    tracking: d::Tracking,
    #[serde(default)]
    catalog: Option<Catalog>,
    campaigns: Vec<Campaign>,
}

#[derive(Deserialize, Default)]
struct Launch {
    #[serde(default)]
    atomic: bool,
    order: Option<d::Order>,
}

#[derive(Deserialize)]
struct Catalog {
    merchant_account: Option<String>,
    meta_catalog_id: Option<String>,
    tiktok_catalog_id: Option<String>,
    tiktok_bc_id: Option<String>,
    #[serde(default)]
    countries: Vec<String>,
    #[serde(default)]
    max_critical: u64,
}

#[derive(Deserialize)]
struct Campaign {
    logical_campaign_key: LogicalKey,
    platform: PlatformId,
    objective: d::Objective,
    channel: Option<String>,
    budget: Budget,
    schedule: Schedule,
    bidding: Bidding,
    audience: Audience,
    #[serde(default)]
    crm: d::Crm,
    frequency_cap: Option<d::FrequencyCap>,
    #[serde(default)]
    settings: Map<String, Value>,
    ad_groups: Vec<AdGroup>,
}

#[derive(Deserialize)]
struct Budget {
    amount: String,
    period: d::Period,
}

#[derive(Deserialize)]
struct Schedule {
    start: String,
    #[serde(default)]
    end: Option<String>,
}

#[derive(Deserialize)]
struct Bidding {
    strategy: String,
    target_cpa: Option<String>,
    target_roas: Option<String>,
    bid: Option<String>,
    kpi: Option<Kpi>,
}

#[derive(Deserialize)]
struct Kpi {
    #[serde(rename = "type")]
    kind: String,
    amount: String,
}

#[derive(Deserialize)]
struct Audience {
    countries: Vec<String>,
    #[serde(default)]
    languages: Vec<String>,
    age_min: Option<u8>,
    age_max: Option<u8>,
    #[serde(default)]
    genders: Vec<String>,
}

#[derive(Deserialize)]
struct AdGroup {
    key: LogicalKey,
    #[serde(default)]
    keywords: Vec<d::Keyword>,
    #[serde(default)]
    negative_keywords: Vec<d::Keyword>,
    ads: Vec<Ad>,
}

#[derive(Deserialize)]
struct Ad {
    key: LogicalKey,
    format: String,
    #[serde(default)]
    asset_ids: Vec<String>,
    landing_url: String,
    #[serde(default)]
    headlines: Vec<String>,
    #[serde(default)]
    long_headlines: Vec<String>,
    #[serde(default)]
    descriptions: Vec<String>,
    primary_text: Option<String>,
    call_to_action: Option<String>,
    path1: Option<String>,
    path2: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
}

/// Reads a plan.
///
/// # Errors
/// Every problem found (at most a hundred), each with its JSON pointer.
pub fn parse(data: &Value) -> Result<d::Plan, Vec<Invalid>> {
    let problems = schema::validate("plan.approved", data);
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut reader = Reader::default();
    if has_a_point(data) {
        reader.whole_numbers(data, "");
    }
    if !reader.problems.is_empty() {
        return Err(capped(reader.problems, 0));
    }
    let wire = Plan::deserialize(data).map_err(|e| vec![Invalid::at("", e.to_string())])?;
    let plan = reader.plan(wire);
    match plan {
        Some(plan) if reader.problems.is_empty() => Ok(plan),
        Some(_) | None => Err(capped(reader.problems, 0)),
    }
}

/// What a launch approval and an amendment are about: the plan's content without who approved it and when.
#[must_use]
pub fn content_hash(data: &Value) -> String {
    let mut content = data.clone();
    if let Some(object) = content.as_object_mut() {
        object.remove("approved_at");
        object.remove("approved_by");
    }
    super::canonical_hash(&content)
}

#[derive(Default)]
struct Reader {
    problems: Vec<Invalid>,
}

impl Reader {
    fn problem(&mut self, pointer: &str, message: impl Into<String>) {
        self.problems.push(Invalid::at(pointer, message));
    }

    /// JSON Schema takes 25.0 for an integer; every number of a plan counts something, so one with a point is refused where it
    /// stands. Settings are the platform's own.
    fn whole_numbers(&mut self, value: &Value, at: &str) {
        match value {
            Value::Object(map) => {
                for (name, inner) in map.iter().filter(|(name, _)| *name != "settings") {
                    self.whole_numbers(inner, &format!("{at}/{name}"));
                }
            }
            Value::Array(list) => {
                for (i, inner) in list.iter().enumerate() {
                    self.whole_numbers(inner, &format!("{at}/{i}"));
                }
            }
            Value::Number(number) if number.is_f64() => {
                self.problem(
                    at,
                    format!("{number} is written with a point; expected a whole number"),
                );
            }
            Value::Number(_) | Value::Null | Value::Bool(_) | Value::String(_) => {}
        }
    }

    fn plan(&mut self, wire: Plan) -> Option<d::Plan> {
        self.text(&wire.status, "/status");
        self.text(&wire.approved_by, "/approved_by");
        for (i, event) in wire.tracking.key_events.iter().enumerate() {
            self.text(event, &format!("/tracking/key_events/{i}"));
        }
        let approved_at = self.instant(&wire.approved_at, "/approved_at");
        if wire.supersedes.as_ref() == Some(&wire.plan_version) {
            self.problem("/supersedes", "a version cannot supersede itself");
        }
        let currency = Currency::parse(&wire.currency).map_err(|e| self.problem("/currency", e.to_string()));
        let zone: Result<Tz, ()> = wire.timezone.parse().map_err(|_| {
            self.problem(
                "/timezone",
                format!(
                    "{:?} is not an IANA time zone such as Europe/Berlin",
                    wire.timezone
                ),
            );
        });
        let (Ok(currency), Ok(timezone)) = (currency, zone) else {
            return None;
        };
        let mut keys = HashSet::new();
        let mut campaigns = Vec::with_capacity(wire.campaigns.len());
        for (i, campaign) in wire.campaigns.into_iter().enumerate() {
            let at = format!("/campaigns/{i}");
            if !keys.insert((campaign.platform.clone(), campaign.logical_campaign_key.clone())) {
                let message = format!(
                    "{} occurs twice for {}; expected a key that is unique per platform",
                    campaign.logical_campaign_key, campaign.platform
                );
                self.problem(&format!("{at}/logical_campaign_key"), message);
            }
            campaigns.extend(self.campaign(campaign, &at, currency, timezone));
        }
        Some(d::Plan {
            tenant_id: wire.tenant_id,
            plan_id: wire.plan_id,
            plan_version: wire.plan_version,
            supersedes: wire.supersedes,
            status: wire.status,
            approved_at: approved_at?,
            approved_by: wire.approved_by,
            currency,
            timezone,
            launch: d::Launch {
                atomic: wire.launch.atomic,
                order: wire.launch.order.unwrap_or(d::Order::Parallel),
            },
            tracking: wire.tracking,
            catalog: wire.catalog.map(|c| d::Catalog {
                merchant_account: c.merchant_account,
                meta_catalog_id: c.meta_catalog_id,
                tiktok_catalog_id: c.tiktok_catalog_id,
                tiktok_bc_id: c.tiktok_bc_id,
                countries: c.countries,
                max_critical: c.max_critical,
            }),
            campaigns,
        })
    }

    fn money(&mut self, text: &str, currency: Currency, at: &str) -> Option<Money> {
        Money::parse(text, currency)
            .map_err(|e| self.problem(at, e.to_string()))
            .ok()
    }

    fn maybe_money(&mut self, text: Option<String>, currency: Currency, at: &str) -> Option<Money> {
        text.and_then(|t| self.money(&t, currency, at))
    }

    fn campaign(&mut self, wire: Campaign, at: &str, currency: Currency, zone: Tz) -> Option<d::Campaign> {
        let amount = self.money(&wire.budget.amount, currency, &format!("{at}/budget/amount"));
        if amount.is_some_and(|a| a.micros == 0) {
            self.problem(
                &format!("{at}/budget/amount"),
                "a budget of nothing; expected more than 0",
            );
        }
        let schedule = self.schedule(&wire.schedule, zone, &format!("{at}/schedule"));
        if wire.budget.period == d::Period::Lifetime && wire.schedule.end.is_none() {
            self.problem(
                &format!("{at}/schedule/end"),
                "is missing; a lifetime budget needs an end",
            );
        }
        let bidding = self.bidding(wire.bidding, currency, &format!("{at}/bidding"));
        let audience = self.audience(wire.audience, &format!("{at}/audience"));
        for (name, id) in [("kcid", &wire.crm.kcid), ("kpv", &wire.crm.kpv)] {
            if let Some(id) = id {
                self.text(id, &format!("{at}/crm/{name}"));
            }
        }
        for (name, value) in &wire.settings {
            self.texts(value, &format!("{at}/settings/{}", pointer_token(name)));
        }
        let mut group_keys = HashSet::new();
        let mut ad_groups = Vec::with_capacity(wire.ad_groups.len());
        for (i, group) in wire.ad_groups.into_iter().enumerate() {
            let at = format!("{at}/ad_groups/{i}");
            if !group_keys.insert(group.key.clone()) {
                self.problem(
                    &format!("{at}/key"),
                    format!("{} occurs twice in this campaign", group.key),
                );
            }
            ad_groups.push(self.ad_group(group, &at));
        }
        Some(d::Campaign {
            logical_campaign_key: wire.logical_campaign_key,
            platform: wire.platform,
            objective: wire.objective,
            channel: wire.channel,
            budget: d::Budget {
                amount: amount?,
                period: wire.budget.period,
            },
            schedule: schedule?,
            bidding,
            audience,
            crm: wire.crm,
            frequency_cap: wire.frequency_cap,
            settings: wire.settings,
            ad_groups,
        })
    }

    fn bidding(&mut self, wire: Bidding, currency: Currency, at: &str) -> d::Bidding {
        let target_roas_micros = match wire.target_roas.as_deref().map(parse_micros) {
            None => None,
            Some(Some(Ok(micros))) => Some(micros),
            Some(Some(Err(_)) | None) => {
                self.problem(&format!("{at}/target_roas"), "expected a decimal such as \"3.5\"");
                None
            }
        };
        let kpi = wire.kpi.and_then(|k| {
            let amount = self.money(&k.amount, currency, &format!("{at}/kpi/amount"))?;
            Some(d::Kpi { kind: k.kind, amount })
        });
        d::Bidding {
            strategy: wire.strategy,
            target_cpa: self.maybe_money(wire.target_cpa, currency, &format!("{at}/target_cpa")),
            target_roas_micros,
            bid: self.maybe_money(wire.bid, currency, &format!("{at}/bid")),
            kpi,
        }
    }

    fn audience(&mut self, wire: Audience, at: &str) -> d::Audience {
        if let (Some(min), Some(max)) = (wire.age_min, wire.age_max)
            && min > max
        {
            self.problem(&format!("{at}/age_max"), format!("{max} is below age_min {min}"));
        }
        d::Audience {
            countries: wire.countries,
            languages: wire.languages,
            age_min: wire.age_min,
            age_max: wire.age_max,
            genders: wire.genders,
        }
    }

    fn schedule(&mut self, wire: &Schedule, zone: Tz, at: &str) -> Option<d::Schedule> {
        let start = self.time(&wire.start, zone, &format!("{at}/start"));
        let end = match &wire.end {
            Some(text) => Some(self.time(text, zone, &format!("{at}/end"))?),
            None => None,
        };
        let start = start?;
        if end.is_some_and(|end| end <= start) {
            self.problem(
                &format!("{at}/end"),
                "is not after the start; expected start before end",
            );
            return None;
        }
        Some(d::Schedule { start, end })
    }

    fn instant(&mut self, text: &str, at: &str) -> Option<DateTime<Utc>> {
        let parsed = DateTime::parse_from_rfc3339(text);
        let message = || format!("{text:?} is not an RFC 3339 time such as 2026-11-20T09:30:00Z");
        let instant = parsed.map_err(|_| self.problem(at, message())).ok()?;
        Some(instant.with_timezone(&Utc))
    }

    fn time(&mut self, text: &str, zone: Tz, at: &str) -> Option<DateTime<Utc>> {
        local_time::instant(text, zone)
            .map_err(|message| self.problem(at, message))
            .ok()
    }

    fn ad_group(&mut self, wire: AdGroup, at: &str) -> d::AdGroup {
        let mut keys = HashSet::new();
        let mut ads = Vec::with_capacity(wire.ads.len());
        for (i, ad) in wire.ads.into_iter().enumerate() {
            let at = format!("{at}/ads/{i}");
            if !keys.insert(ad.key.clone()) {
                self.problem(
                    &format!("{at}/key"),
                    format!("{} occurs twice in this ad group", ad.key),
                );
            }
            ads.extend(self.ad(ad, &at));
        }
        for (name, words) in [
            ("keywords", &wire.keywords),
            ("negative_keywords", &wire.negative_keywords),
        ] {
            for (i, word) in words.iter().enumerate() {
                self.text(&word.text, &format!("{at}/{name}/{i}/text"));
            }
        }
        d::AdGroup {
            key: wire.key,
            keywords: wire.keywords,
            negative_keywords: wire.negative_keywords,
            ads,
        }
    }

    fn ad(&mut self, wire: Ad, at: &str) -> Option<d::Ad> {
        for (name, texts) in [
            ("headlines", &wire.headlines),
            ("long_headlines", &wire.long_headlines),
            ("descriptions", &wire.descriptions),
        ] {
            for (i, text) in texts.iter().enumerate() {
                self.text(text, &format!("{at}/{name}/{i}"));
            }
        }
        for (name, text) in [("path1", &wire.path1), ("path2", &wire.path2)] {
            if let Some(text) = text {
                self.text(text, &format!("{at}/{name}"));
            }
        }
        if let Some(text) = &wire.primary_text {
            // A post's body has paragraphs.
            self.text(&text.replace('\n', " "), &format!("{at}/primary_text"));
        }
        let landing_url = self.landing_url(&wire.landing_url, &format!("{at}/landing_url"))?;
        Some(d::Ad {
            key: wire.key,
            format: wire.format,
            asset_ids: wire.asset_ids,
            landing_url,
            headlines: wire.headlines,
            long_headlines: wire.long_headlines,
            descriptions: wire.descriptions,
            primary_text: wire.primary_text,
            call_to_action: wire.call_to_action,
            path1: wire.path1,
            path2: wire.path2,
            width: wire.width,
            height: wire.height,
        })
    }

    fn landing_url(&mut self, text: &str, at: &str) -> Option<url::Url> {
        // The URL parser drops tabs and line ends without a word.
        let before = self.problems.len();
        self.text(text, at);
        if self.problems.len() > before {
            return None;
        }
        let url = url::Url::parse(text)
            .map_err(|e| self.problem(at, format!("not a URL: {e}")))
            .ok()?;
        if url.scheme() != "https" || url.host_str().is_none_or(|h| !h.contains('.')) {
            self.problem(at, "expected https:// and a host name");
            return None;
        }
        if !url.username().is_empty() || url.password().is_some() {
            self.problem(at, "must not carry a user name or password");
            return None;
        }
        let twice = crate::domain::tracking::repeated_parameters(&url);
        if !twice.is_empty() {
            self.problem(
                at,
                format!("has the parameter {} more than once", twice.join(", ")),
            );
            return None;
        }
        Some(url)
    }

    /// Nothing may hide what a person approves.
    fn text(&mut self, text: &str, at: &str) {
        if let Some(bad) = text.chars().find(|c| hides(*c)) {
            self.problem(
                at,
                format!("holds the invisible character U+{:04X}", u32::from(bad)),
            );
        }
    }

    /// The same for every text and name within a value.
    fn texts(&mut self, value: &Value, at: &str) {
        match value {
            Value::String(text) => self.text(text, at),
            Value::Array(list) => {
                for (i, inner) in list.iter().enumerate() {
                    self.texts(inner, &format!("{at}/{i}"));
                }
            }
            Value::Object(map) => {
                for (name, inner) in map {
                    let at = format!("{at}/{}", pointer_token(name));
                    self.text(name, &at);
                    self.texts(inner, &at);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// Whether any number is written with a point: cheap, so that places are put together only where there is something to say.
fn has_a_point(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.values().any(has_a_point),
        Value::Array(list) => list.iter().any(has_a_point),
        Value::Number(number) => number.is_f64(),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn example() -> Value {
        serde_json::from_str(include_str!("../../schemas/examples/plan.approved.json")).unwrap()
    }

    #[test]
    fn the_contracts_example_is_a_plan() {
        let plan = parse(&example()).unwrap();
        assert_eq!(plan.campaigns.len(), 4);
        assert_eq!(plan.campaigns[0].budget.amount.micros, 250_000_000);
        // 1 March 2027, midnight in Berlin.
        assert_eq!(
            plan.campaigns[0].schedule.start.to_rfc3339(),
            "2027-02-28T23:00:00+00:00"
        );
    }

    #[test]
    fn approving_the_same_content_again_is_no_amendment() {
        let mut later = example();
        later["approved_at"] = json!("2026-12-01T00:00:00Z");
        later["approved_by"] = json!("another@acme.example");
        assert_eq!(content_hash(&example()), content_hash(&later));
        later["campaigns"][0]["budget"]["amount"] = json!("251.00");
        assert_ne!(content_hash(&example()), content_hash(&later));
    }

    #[test]
    fn every_problem_is_named_by_its_pointer() {
        let cases = [
            ("/campaigns/0/platform", json!("bing"), "/campaigns/0/platform"),
            (
                "/campaigns/0/budget/amount",
                json!(250.0),
                "/campaigns/0/budget/amount",
            ),
            (
                "/campaigns/0/budget/amount",
                json!("250.001"),
                "/campaigns/0/budget/amount",
            ),
            (
                "/campaigns/0/budget/amount",
                json!("0.00"),
                "/campaigns/0/budget/amount",
            ),
            (
                "/campaigns/0/schedule/end",
                json!("2027-02-01T00:00:00"),
                "/campaigns/0/schedule/end",
            ),
            (
                "/campaigns/0/schedule/start",
                json!("2027-02-30T00:00:00"),
                "/campaigns/0/schedule/start",
            ),
            (
                "/campaigns/0/ad_groups/0/ads/0/landing_url",
                json!("http://a.example"),
                "/campaigns/0/ad_groups/0/ads/0/landing_url",
            ),
            (
                "/campaigns/0/ad_groups/0/ads/0/landing_url",
                json!("https://a.example/?x=1&x=2"),
                "/campaigns/0/ad_groups/0/ads/0/landing_url",
            ),
            (
                "/campaigns/0/ad_groups/0/ads/0/headlines/0",
                json!("a\u{202e}b"),
                "/campaigns/0/ad_groups/0/ads/0/headlines/0",
            ),
            (
                "/campaigns/0/ad_groups/0/keywords/0/match",
                json!("fuzzy"),
                "/campaigns/0/ad_groups/0/keywords/0/match",
            ),
            (
                "/campaigns/3/schedule/end",
                Value::Null,
                "/campaigns/3/schedule/end",
            ),
            (
                "/campaigns/1/audience/age_max",
                json!(20),
                "/campaigns/1/audience/age_max",
            ),
            ("/currency", json!("EUX"), "/currency"),
            ("/timezone", json!("Europe/Atlantis"), "/timezone"),
            ("/tenant_id", json!("a_b"), "/tenant_id"),
            ("/supersedes", json!("spring-sale-2027.3"), "/supersedes"),
            ("/catalog", json!({ "countries": ["DE"] }), "/catalog"),
            ("/campaigns", json!([]), "/campaigns"),
        ];
        for (place, value, expected) in cases {
            let mut plan = example();
            *plan.pointer_mut(place).expect(place) = value.clone();
            let problems = parse(&plan).expect_err(place);
            assert!(
                problems.iter().any(|p| p.pointer.starts_with(expected)),
                "{place} = {value}: {problems:?}"
            );
        }
    }

    #[test]
    fn unknown_fields_and_keys_that_occur_twice_are_refused() {
        let mut plan = example();
        plan["campaigns"][0]["colour"] = json!("red");
        assert!(
            parse(&plan)
                .unwrap_err()
                .iter()
                .any(|p| p.message.contains("colour"))
        );
        let mut plan = example();
        plan["campaigns"][1]["logical_campaign_key"] = json!("search-brand");
        assert!(
            parse(&plan).is_ok(),
            "the same key on another platform is another leg"
        );
        let twin = plan["campaigns"][0].clone();
        plan["campaigns"].as_array_mut().unwrap().push(twin);
        assert_eq!(
            parse(&plan).unwrap_err()[0].pointer,
            "/campaigns/4/logical_campaign_key"
        );
    }

    #[test]
    fn types_and_schema_agree() {
        use crate::wire::agree::{examples, same_fields};
        const P: &str = "plan.approved";
        same_fields::<Plan>(P, "");
        same_fields::<Launch>(P, "/properties/launch");
        same_fields::<d::Tracking>(P, "/properties/tracking");
        same_fields::<Catalog>(P, "/$defs/catalog");
        same_fields::<Campaign>(P, "/$defs/campaign");
        let of = |name: &str| format!("/$defs/campaign/properties/{name}");
        same_fields::<Budget>(P, &of("budget"));
        same_fields::<Schedule>(P, &of("schedule"));
        same_fields::<Bidding>(P, &of("bidding"));
        same_fields::<Kpi>(P, &of("bidding/properties/kpi"));
        same_fields::<Audience>(P, &of("audience"));
        same_fields::<d::Crm>(P, &of("crm"));
        same_fields::<d::FrequencyCap>(P, &of("frequency_cap"));
        same_fields::<AdGroup>(P, "/$defs/ad_group");
        same_fields::<d::Keyword>(P, "/$defs/keyword");
        same_fields::<Ad>(P, "/$defs/ad");
        for example in examples(P) {
            assert_eq!(parse(&example).map(|_| ()), Ok(()));
        }
    }
}
