//! Google's product feeds: the Merchant Center account's issues, its products' issues in the plan's countries, and whether the
//! latest file of each feed was read.
//!
//! Critical: a product disapproved until the merchant acts, in the context of Shopping ads and one of the plan's countries,
//! for each product, issue and country; an account issue that Google calls critical there; a feed whose latest file failed.
//! A warning, shown and not blocking: disapproved while Google still processes, demoted, an account issue that is an error, no
//! active product in a country, rows that a feed file lost. Not shown: what has no impact, suggestions, other contexts.
//! Facts: `merchantapi.{accounts,issueresolution,datasources}_v1` discovery documents.
//!
//! Must not judge (`domain::catalog` does) nor retry.

use super::google::{Api, Trouble};
use super::{NotAsked, Unknown};
use crate::domain::catalog::{CatalogHealth, Finding, Severity};
use crate::domain::tenant::Account;
use crate::outbound::Outbound;
use crate::outbound::google_oauth::SCOPE_CONTENT;
use futures::{StreamExt, TryStreamExt, future, stream};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;

/// Where the plan's products are to be shown.
const CONTEXT: &str = "SHOPPING_ADS";
/// "The maximum value is 250."
const AGGREGATES_PAGE: &str = "250";
/// "The maximum value is 100."
const ISSUES_PAGE: &str = "100";
/// "The maximum value is 1000."
const SOURCES_PAGE: &str = "1000";
/// Uploads asked for at the same time.
const UPLOADS: usize = 4;
/// The CLDR region that stands for the whole world.
const WORLD: &str = "001";

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// `merchant.base_url`.
    pub base: &'a str,
    /// The tenant's Merchant Center account.
    pub account: &'a Account,
    /// Where the plan sells, ISO 3166-1 alpha-2; empty: wherever the account does.
    pub countries: &'a [String],
}

impl Question<'_> {
    fn concerns(&self, region: &str) -> bool {
        let everywhere = self.countries.is_empty() || region.is_empty() || region == WORLD;
        everywhere || self.countries.iter().any(|c| c.eq_ignore_ascii_case(region))
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct AccountIssue {
    name: String,
    title: String,
    severity: String,
    impacted_destinations: Vec<Destination>,
    documentation_uri: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Destination {
    reporting_context: String,
    impacts: Vec<Impact>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Impact {
    region_code: String,
    severity: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Aggregate {
    reporting_context: String,
    country: String,
    stats: Stats,
    item_level_issues: Vec<ItemIssue>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Stats {
    #[serde(deserialize_with = "int64")]
    active_count: u64,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ItemIssue {
    code: String,
    severity: String,
    resolution: String,
    attribute: String,
    description: String,
    documentation_uri: Option<String>,
    #[serde(deserialize_with = "int64")]
    product_count: u64,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DataSource {
    name: String,
    display_name: String,
    input: String,
    primary_product_data_source: Option<Primary>,
    supplemental_product_data_source: Option<serde_json::Value>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Primary {
    countries: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Upload {
    processing_state: String,
    issues: Vec<UploadIssue>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct UploadIssue {
    severity: String,
    #[serde(deserialize_with = "int64")]
    count: u64,
}

/// proto3 JSON spells an int64 as a string; a number is taken as well. Anything else makes the answer unreadable, and so
/// the verdict unknown.
fn int64<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Number(u64),
    }
    match Either::deserialize(from)? {
        Either::Number(n) => Ok(n),
        Either::Text(text) => text.parse().map_err(serde::de::Error::custom),
    }
}

/// Asks Merchant API.
///
/// # Errors
/// [`NotAsked`] when it refuses us, or cannot be asked.
pub async fn check(outbound: &Outbound, question: Question<'_>) -> Result<CatalogHealth, NotAsked> {
    let api = Api {
        outbound,
        credential: &question.account.credential,
        scope: SCOPE_CONTENT,
    };
    let id = question.account.account_id.as_str();
    let url = |sub: &str, list: &str| format!("{}/{sub}/v1/accounts/{id}/{list}", question.base);
    let filter = format!("reporting_context = \"{CONTEXT}\"");
    let (issues_url, aggregates_url) = (
        url("accounts", "issues"),
        url("issueresolution", "aggregateProductStatuses"),
    );
    let issues_query = [("languageCode", "en-GB"), ("pageSize", ISSUES_PAGE)];
    let aggregates_query = [("filter", filter.as_str()), ("pageSize", AGGREGATES_PAGE)];
    let asked = future::try_join3(
        api.list::<AccountIssue>(&issues_url, &issues_query, "accountIssues"),
        api.list::<Aggregate>(&aggregates_url, &aggregates_query, "aggregateProductStatuses"),
        uploads(&api, question, url("datasources", "dataSources")),
    );
    let (issues, aggregates, sources) = asked.await.map_err(|trouble| explained(&trouble, question))?;
    let mut findings = Vec::new();
    findings.extend(issues.iter().filter_map(|issue| about_account(issue, question)));
    findings.extend(about_products(&aggregates, question));
    findings.extend(
        sources
            .iter()
            .flat_map(|(source, upload)| about_feed(source, upload.as_ref())),
    );
    Ok(CatalogHealth {
        catalog_id: id.to_owned(),
        name: format!("Merchant Center {id}"),
        findings,
    })
}

/// The file feeds that hold the plan's products, each with its latest upload; none: there never was one.
async fn uploads(
    api: &Api<'_>,
    question: Question<'_>,
    url: String,
) -> Result<Vec<(DataSource, Option<Upload>)>, Trouble> {
    let sources: Vec<DataSource> = api
        .list(&url, &[("pageSize", SOURCES_PAGE)], "dataSources")
        .await?;
    let ours = sources.into_iter().filter(|source| {
        let primary = source.primary_product_data_source.as_ref();
        let here = primary.is_some_and(|p| {
            p.countries.is_empty() || p.countries.iter().any(|country| question.concerns(country))
        });
        source.input == "FILE" && (here || source.supplemental_product_data_source.is_some())
    });
    stream::iter(ours)
        .map(|source| async move {
            let latest = format!(
                "{}/datasources/v1/{}/fileUploads/latest",
                question.base, source.name
            );
            match api.get::<Upload>(&latest, &[]).await {
                Ok(upload) => Ok((source, Some(upload))),
                Err(Trouble::Refused { status: 404, .. }) => Ok((source, None)),
                Err(trouble) => Err(trouble),
            }
        })
        .buffered(UPLOADS)
        .try_collect()
        .await
}

/// An account issue where and as far as it hurts the plan.
fn about_account(issue: &AccountIssue, question: Question<'_>) -> Option<Finding> {
    let (severities, countries): (Vec<&str>, Vec<String>) = if issue.impacted_destinations.is_empty() {
        (vec![&issue.severity], Vec::new())
    } else {
        let impacts: Vec<&Impact> = issue
            .impacted_destinations
            .iter()
            .filter(|d| d.reporting_context == CONTEXT)
            .flat_map(|d| &d.impacts)
            .filter(|i| question.concerns(&i.region_code))
            .collect();
        let worst = impacts.iter().map(|i| i.severity.as_str()).collect();
        let named = |i: &&Impact| !i.region_code.is_empty() && i.region_code != WORLD;
        let countries = impacts
            .iter()
            .copied()
            .filter(named)
            .map(|i| i.region_code.clone())
            .collect();
        (worst, countries)
    };
    let severity = if severities.contains(&"CRITICAL") {
        Severity::Critical
    } else if severities.contains(&"ERROR") {
        Severity::Warning
    } else {
        return None;
    };
    let code = issue.name.rsplit('/').next().unwrap_or_default();
    Some(Finding {
        severity,
        code: code.to_owned(),
        title: issue.title.clone(),
        affected: None,
        countries,
        link: issue.documentation_uri.clone().filter(|uri| !uri.is_empty()),
    })
}

/// The products' issues, each once for all countries it strikes; and countries without anything to show.
fn about_products(aggregates: &[Aggregate], question: Question<'_>) -> Vec<Finding> {
    let mut found: BTreeMap<(&str, &str, &str), Finding> = BTreeMap::new();
    let ours = |a: &&Aggregate| a.reporting_context == CONTEXT && question.concerns(&a.country);
    for aggregate in aggregates.iter().filter(ours) {
        for issue in &aggregate.item_level_issues {
            // Whatever disapproves, and is not said to pass by itself, needs somebody.
            let severity = match (issue.severity.as_str(), issue.resolution.as_str()) {
                ("DISAPPROVED", "PENDING_PROCESSING") | ("DEMOTED", _) => Severity::Warning,
                ("DISAPPROVED", _) => Severity::Critical,
                (_, _) => continue,
            };
            let key = (severity.as_str(), issue.code.as_str(), issue.attribute.as_str());
            let finding = found.entry(key).or_insert_with(|| Finding {
                severity,
                code: issue.code.clone(),
                title: title(issue),
                affected: Some(0),
                countries: Vec::new(),
                link: issue.documentation_uri.clone().filter(|uri| !uri.is_empty()),
            });
            finding.affected = finding.affected.map(|n| n.saturating_add(issue.product_count));
            finding.countries.push(aggregate.country.clone());
        }
    }
    let mut findings: Vec<Finding> = found.into_values().collect();
    let empty: Vec<String> = question
        .countries
        .iter()
        .filter(|country| {
            let there = aggregates.iter().filter(|a| a.reporting_context == CONTEXT);
            !there
                .into_iter()
                .any(|a| a.country.eq_ignore_ascii_case(country) && a.stats.active_count > 0)
        })
        .cloned()
        .collect();
    if !empty.is_empty() {
        findings.push(Finding {
            severity: Severity::Warning,
            code: "no-active-products".to_owned(),
            title: "no active products for Shopping ads".to_owned(),
            affected: Some(0),
            countries: empty,
            link: None,
        });
    }
    findings
}

fn title(issue: &ItemIssue) -> String {
    match (issue.description.is_empty(), issue.attribute.is_empty()) {
        (true, _) => issue.code.clone(),
        (false, true) => issue.description.clone(),
        (false, false) => format!("{} [{}]", issue.description, issue.attribute),
    }
}

/// What a feed's latest file came to.
fn about_feed(source: &DataSource, upload: Option<&Upload>) -> Vec<Finding> {
    let finding = |severity, code: &str, what: &str, affected| Finding {
        severity,
        code: code.to_owned(),
        title: format!("feed {:?} {what}", source.display_name),
        affected,
        countries: Vec::new(),
        link: None,
    };
    let primary = source.primary_product_data_source.is_some();
    let Some(upload) = upload else {
        return if primary {
            vec![finding(
                Severity::Warning,
                "feed-never-uploaded",
                "was never given a file",
                None,
            )]
        } else {
            Vec::new()
        };
    };
    let mut findings = match (upload.processing_state.as_str(), primary) {
        ("FAILED", true) => vec![finding(
            Severity::Critical,
            "feed-failed",
            "could not be processed",
            None,
        )],
        ("FAILED", false) => vec![finding(
            Severity::Warning,
            "supplemental-feed-failed",
            "could not be processed",
            None,
        )],
        ("IN_PROGRESS", _) => vec![finding(
            Severity::Warning,
            "feed-in-progress",
            "is being processed",
            None,
        )],
        (_, _) => Vec::new(),
    };
    let lost: u64 = upload
        .issues
        .iter()
        .filter(|i| i.severity == "ERROR")
        .map(|i| i.count)
        .fold(0, u64::saturating_add);
    if lost > 0 {
        findings.push(finding(
            Severity::Warning,
            "feed-rows",
            "has rows with errors",
            Some(lost),
        ));
    }
    findings
}

fn explained(trouble: &Trouble, question: Question<'_>) -> NotAsked {
    let told = trouble.told("Merchant API");
    let account = question.account;
    let refused = |remedy: String| NotAsked::Refused {
        reason: told.clone(),
        remedy,
    };
    match trouble {
        Trouble::Refused { reason, .. } if reason == "GCP_NOT_REGISTERED" => refused(format!(
            "register the Google Cloud project of {} once: POST /accounts/v1/accounts/{}/developerRegistration:registerGcp",
            account.credential, account.account_id
        )),
        Trouble::Refused { status: 404, .. } => {
            refused("correct accounts.merchant and onboard the tenant again".to_owned())
        }
        Trouble::Refused { status: 400, .. } => refused(
            "correct accounts.merchant: a standalone account or a sub-account, since an advanced account has no products"
                .to_owned(),
        ),
        Trouble::Refused { .. } => refused(format!(
            "give the owner of {} access to Merchant Center {}",
            account.credential, account.account_id
        )),
        Trouble::Credential(_) => refused(format!("renew the credential {}", account.credential)),
        Trouble::Throttled { after } => NotAsked::Unknown(Unknown {
            why: told,
            again_in: *after,
        }),
        Trouble::Server { .. } | Trouble::Unreachable(_) => NotAsked::Unknown(Unknown::new(told)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::catalog::judge;
    use crate::domain::gate::Outcome;
    use serde_json::{Value, json};

    fn account() -> Account {
        serde_json::from_value(json!({"account_id": "5", "status": "active", "credential": "c"})).unwrap()
    }

    fn aggregates(value: Value) -> Vec<Aggregate> {
        serde_json::from_value(value).unwrap()
    }

    fn of_products(value: Value) -> Vec<Finding> {
        let (account, countries) = (account(), ["DE".to_owned(), "AT".to_owned()]);
        let question = Question {
            base: "",
            account: &account,
            countries: &countries,
        };
        about_products(&aggregates(value), question)
    }

    fn status(country: &str, severity: &str, resolution: &str, count: &str) -> Value {
        json!({"reportingContext": "SHOPPING_ADS", "country": country, "stats": {"activeCount": "7"}, "itemLevelIssues": [
            {"code": "image_link_broken", "severity": severity, "resolution": resolution, "productCount": count}]})
    }

    #[test]
    fn disapproved_until_the_merchant_acts_is_critical_in_the_plans_countries() {
        let two = json!([
            status("DE", "DISAPPROVED", "MERCHANT_ACTION", "4"),
            status("AT", "DISAPPROVED", "MERCHANT_ACTION", "3"),
            status("FR", "DISAPPROVED", "MERCHANT_ACTION", "90"),
        ]);
        let found = of_products(two);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].severity, found[0].affected),
            (Severity::Critical, Some(7))
        );
        assert_eq!(found[0].countries, ["DE", "AT"]);
        for (severity, resolution, expected) in [
            ("DISAPPROVED", "PENDING_PROCESSING", Some(Severity::Warning)),
            ("DISAPPROVED", "RESOLUTION_UNSPECIFIED", Some(Severity::Critical)),
            ("DEMOTED", "MERCHANT_ACTION", Some(Severity::Warning)),
            ("NOT_IMPACTED", "MERCHANT_ACTION", None),
        ] {
            let found = of_products(json!([
                status("DE", severity, resolution, "1"),
                status("AT", "NOT_IMPACTED", "MERCHANT_ACTION", "1"),
            ]));
            assert_eq!(
                found.first().map(|f| f.severity),
                expected,
                "{severity} {resolution}"
            );
        }
    }

    #[test]
    fn a_country_without_products_is_a_warning() {
        let found = of_products(json!([status("DE", "NOT_IMPACTED", "MERCHANT_ACTION", "0")]));
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].severity, found[0].countries.as_slice()),
            (Severity::Warning, ["AT".to_owned()].as_slice())
        );
    }

    #[test]
    fn an_account_issue_counts_where_it_strikes() {
        let (account, countries) = (account(), ["DE".to_owned()]);
        let question = Question {
            base: "",
            account: &account,
            countries: &countries,
        };
        let of = |value: Value| {
            let issue: AccountIssue = serde_json::from_value(value).unwrap();
            about_account(&issue, question).map(|f| f.severity)
        };
        let issue = |context: &str, region: &str, severity: &str| {
            json!({"name": "accounts/5/issues/x", "title": "t", "severity": "CRITICAL", "impactedDestinations": [
                {"reportingContext": context, "impacts": [{"regionCode": region, "severity": severity}]}]})
        };
        assert_eq!(
            of(issue("SHOPPING_ADS", "DE", "CRITICAL")),
            Some(Severity::Critical)
        );
        assert_eq!(
            of(issue("SHOPPING_ADS", "001", "CRITICAL")),
            Some(Severity::Critical)
        );
        assert_eq!(of(issue("SHOPPING_ADS", "DE", "ERROR")), Some(Severity::Warning));
        assert_eq!(of(issue("SHOPPING_ADS", "DE", "SUGGESTION")), None);
        assert_eq!(of(issue("SHOPPING_ADS", "FR", "CRITICAL")), None);
        assert_eq!(of(issue("FREE_LISTINGS", "DE", "CRITICAL")), None);
        let bare = json!({"name": "accounts/5/issues/x", "title": "t", "severity": "CRITICAL"});
        assert_eq!(of(bare), Some(Severity::Critical));
    }

    #[test]
    fn a_feed_whose_file_failed_stops_everything() {
        let source = |kind: &str| -> DataSource {
            serde_json::from_value(
                json!({"name": "accounts/5/dataSources/7", "displayName": "Main", "input": "FILE", kind: {}}),
            )
            .unwrap()
        };
        let upload = |state: &str| Upload {
            processing_state: state.into(),
            issues: Vec::new(),
        };
        let outcome = |findings: Vec<Finding>| {
            let health = CatalogHealth {
                catalog_id: "5".into(),
                name: "5".into(),
                findings,
            };
            judge("feed:google-ads", &health, 1_000).outcome
        };
        let primary = source("primaryProductDataSource");
        assert_eq!(
            outcome(about_feed(&primary, Some(&upload("FAILED")))),
            Outcome::Fail
        );
        assert_eq!(
            outcome(about_feed(&primary, Some(&upload("SUCCEEDED")))),
            Outcome::Pass
        );
        assert_eq!(about_feed(&primary, None)[0].severity, Severity::Warning);
        let more = source("supplementalProductDataSource");
        assert_eq!(outcome(about_feed(&more, Some(&upload("FAILED")))), Outcome::Pass);
    }

    #[test]
    fn counts_are_strings_and_what_is_none_is_no_zero() {
        assert!(
            serde_json::from_value::<ItemIssue>(json!({"productCount": "many"})).is_err(),
            "an unreadable count must not pass as none"
        );
        let issue: ItemIssue = serde_json::from_value(json!({"productCount": 3})).unwrap();
        assert_eq!(issue.product_count, 3);
    }
}
