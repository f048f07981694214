//! The health of a product feed, as whoever holds it tells, and whether a plan may rely on it.
//!
//! The rule: critical errors, counted, must not exceed the plan's `catalog.max_critical` (0 unless the plan says otherwise).
//! A finding about single products counts as many as it affects, in every country and for every issue apart; what keeps the
//! *whole* catalog from serving (an account issue, a feed file that failed) is beyond any number of tolerated products.
//! Warnings (pending, limited, may hurt later) are shown in the reason and never block: the owner's precondition speaks of
//! critical errors alone, and `policy.tracking_amber` is about tracking, not feeds.
//!
//! Must not know any vendor's words: an adapter, or `health::merchant`, says which of its findings are critical.

use super::gate::{Check, Outcome};
use super::manifest::spelled;
use serde::{Deserialize, Serialize};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Products do not serve because of it, and somebody must mend it.
    Critical,
    /// It serves with a reservation, or will mend itself: shown, never blocking.
    Warning,
}
spelled!(Severity { Critical = "critical", Warning = "warning" });

/// Something that is not as it should be in a feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// The vendor's own code: `image_link_broken`.
    pub code: String,
    /// For a person.
    pub title: String,
    /// How many products it affects; none: the whole catalog.
    pub affected: Option<u64>,
    /// ISO 3166-1 alpha-2, where the vendor tells it per country; empty: everywhere.
    pub countries: Vec<String>,
    /// The vendor's page about it.
    pub link: Option<String>,
}

/// What was found in one catalog. No findings: all is well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogHealth {
    /// The id that the plan names it by (`catalog.meta_catalog_id` …), exactly: so is known which of the plan's catalogs was
    /// looked at.
    pub catalog_id: String,
    /// For a person: `Merchant Center 555666`.
    pub name: String,
    /// What is not as it should be.
    pub findings: Vec<Finding>,
}

impl CatalogHealth {
    /// How many products the findings of this severity affect, all together; those about the whole catalog not counted.
    #[must_use]
    pub fn products(&self, severity: Severity) -> u64 {
        let of = self.findings.iter().filter(|f| f.severity == severity);
        of.filter_map(|f| f.affected).fold(0, u64::saturating_add)
    }

    /// How many findings of this severity are about the whole catalog.
    #[must_use]
    pub fn whole(&self, severity: Severity) -> usize {
        let of = self.findings.iter().filter(|f| f.severity == severity);
        of.filter(|f| f.affected.is_none()).count()
    }
}

/// Findings spelled out in a reason; the rest is a number.
const SHOWN: usize = 5;

/// Whether a plan that tolerates `max_critical` critical errors may rely on the catalog.
#[must_use]
pub fn judge(check: &str, health: &CatalogHealth, max_critical: u64) -> Check {
    let products = health.products(Severity::Critical);
    let whole = health.whole(Severity::Critical);
    let mut reason = match (whole, products) {
        (0, 0) => format!("{} has no critical errors", health.name),
        (0, _) => format!("{} has {products} critical errors in products", health.name),
        (_, 0) => format!("{} has {whole} critical errors of the whole catalog", health.name),
        (_, _) => format!(
            "{} has {whole} critical errors of the whole catalog and {products} in products",
            health.name
        ),
    };
    if products > 0 {
        reason.push_str(&format!(" ({max_critical} tolerated)"));
    }
    let mut shown: Vec<&Finding> = health.findings.iter().collect();
    // The worst first: critical before warning, the whole catalog before products, many before few.
    shown.sort_by_key(|f| {
        let affected = f.affected.map_or(u64::MAX, |n| n);
        (
            f.severity == Severity::Warning,
            std::cmp::Reverse(affected),
            f.code.clone(),
        )
    });
    for (n, finding) in shown.iter().enumerate().take(SHOWN) {
        reason.push_str(if n == 0 { ": " } else { "; " });
        reason.push_str(&told(finding));
    }
    if shown.len() > SHOWN {
        reason.push_str(&format!("; and {} more findings", shown.len() - SHOWN));
    }
    if whole == 0 && products <= max_critical {
        return Check::pass(check, reason);
    }
    let link = shown.iter().find_map(|f| f.link.as_deref());
    let mut remedy =
        "mend the feed, or allow for it with catalog.max_critical (products only); the gate asks again by itself"
            .to_owned();
    if let Some(link) = link {
        remedy.push_str(&format!("; see {link}"));
    }
    Check::not(Outcome::Fail, check, reason, remedy)
}

fn told(finding: &Finding) -> String {
    let mut told = match finding.severity {
        Severity::Critical => String::new(),
        Severity::Warning => "warning: ".to_owned(),
    };
    told.push_str(&format!("{} ({}", finding.title, finding.code));
    match finding.affected {
        Some(1) => told.push_str(", 1 product"),
        Some(n) => told.push_str(&format!(", {n} products")),
        None => {}
    }
    if !finding.countries.is_empty() {
        told.push_str(&format!(", {}", finding.countries.join(" ")));
    }
    told.push(')');
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(severity: Severity, affected: Option<u64>) -> Finding {
        Finding {
            severity,
            code: "image_link_broken".into(),
            title: "Image cannot be fetched".into(),
            affected,
            countries: vec!["DE".into()],
            link: Some("https://support.example/1".into()),
        }
    }

    fn verdict(findings: Vec<Finding>, max_critical: u64) -> Check {
        let health = CatalogHealth {
            catalog_id: "5".into(),
            name: "Merchant Center 5".into(),
            findings,
        };
        judge("feed:google-ads", &health, max_critical)
    }

    #[test]
    fn products_are_counted_against_what_the_plan_tolerates() {
        let few = || {
            vec![
                finding(Severity::Critical, Some(3)),
                finding(Severity::Critical, Some(4)),
            ]
        };
        assert_eq!(verdict(vec![], 0).outcome, Outcome::Pass);
        assert_eq!(verdict(few(), 7).outcome, Outcome::Pass);
        let refused = verdict(few(), 6);
        assert_eq!(refused.outcome, Outcome::Fail);
        assert!(
            refused
                .reason
                .contains("7 critical errors in products (6 tolerated)")
        );
        assert!(
            refused
                .reason
                .contains("Image cannot be fetched (image_link_broken, 4 products, DE)")
        );
        assert!(refused.remedy.contains("https://support.example/1"));
    }

    #[test]
    fn what_stops_the_whole_catalog_is_beyond_any_tolerance() {
        assert_eq!(
            verdict(vec![finding(Severity::Critical, None)], 1_000).outcome,
            Outcome::Fail
        );
    }

    #[test]
    fn warnings_are_shown_and_do_not_block() {
        let check = verdict(
            vec![
                finding(Severity::Warning, Some(9)),
                finding(Severity::Warning, None),
            ],
            0,
        );
        assert_eq!(check.outcome, Outcome::Pass);
        assert!(
            check.reason.contains("warning: Image cannot be fetched"),
            "{}",
            check.reason
        );
    }

    #[test]
    fn counts_do_not_overflow_and_long_lists_are_cut() {
        let many = vec![finding(Severity::Critical, Some(u64::MAX)); 9];
        let check = verdict(many, u64::MAX - 1);
        assert_eq!(check.outcome, Outcome::Fail);
        assert!(check.reason.ends_with("and 4 more findings"), "{}", check.reason);
    }
}
