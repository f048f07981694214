//! The tracking rules (design §6) and the check of what a platform really holds.
//!
//! Every URL that carries tracking is built by `landing` (its rules stand there): [`without_utm`] for a platform that tags clicks
//! by itself, [`with_parameters`] or [`query_of`] for one that wants `utm_*`.
//!
//! Must not know which platform it looks at: an adapter declares its [`Rule`], this module applies it.

pub use super::landing::{hidden_utm, query_of, repeated_parameters, with_parameters, without_utm};
use super::landing::{holds_utm, is_utm};
use super::manifest::spelled;
use serde::{Deserialize, Serialize};

/// How clicks of a leg are tracked: `tracking_mode` in manifest and events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The vendor tags the click (gclid); no `utm_*` anywhere.
    AutoTagging,
    /// `utm_*` with the vendor's own macros.
    UtmMacro,
    /// `utm_*` with the literal campaign id.
    UtmInjected,
}
spelled!(Mode { AutoTagging = "auto_tagging", UtmMacro = "utm_macro", UtmInjected = "utm_injected" });

/// What an adapter's platform demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Auto-tagging on, and no `utm_*` in any URL, suffix, template or custom parameter.
    AutoTagging,
    /// The platform tags every click by itself, and has no switch for it that could be off; no `utm_*` in any URL or tag.
    TaggedByPlatform,
    /// `utm_source/medium/campaign/content`; `utm_campaign` is the macro given here or the literal campaign id.
    Utm {
        /// The vendor's macro for the campaign's id: `{{campaign.id}}`, `__CAMPAIGN_ID__`.
        campaign_macro: &'static str,
    },
}

impl Rule {
    /// Whether the platform must not have any `utm_*`.
    #[must_use]
    pub fn forbids_utm(self) -> bool {
        match self {
            Self::AutoTagging | Self::TaggedByPlatform => true,
            Self::Utm { .. } => false,
        }
    }
}

/// One place where a platform holds tracking, as read back from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// The manifest key of the object.
    pub object: String,
    /// The vendor's field: `final_urls[0]`, `url_tags` …
    pub field: String,
    /// What it holds: a URL, a query string, a template, a custom parameter's `key=value`.
    pub value: String,
}

/// A broken tracking rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The manifest key of the object.
    pub object: String,
    /// The vendor's field.
    pub field: String,
    /// What is wrong, for a person.
    pub what: String,
}

/// The parameters of a click URL.
pub const UTM: [&str; 4] = ["utm_source", "utm_medium", "utm_campaign", "utm_content"];

/// Checks what a platform holds against the rule and says which mode it amounts to.
///
/// # Errors
/// All violations, not only the first.
pub fn check(
    rule: Rule,
    auto_tagging: Option<bool>,
    campaign_id: &str,
    observed: &[Observed],
) -> Result<Mode, Vec<Violation>> {
    match rule {
        Rule::AutoTagging => check_auto_tagging(auto_tagging == Some(true), observed),
        // What nobody can look at is not tracked as it must be.
        Rule::TaggedByPlatform if observed.is_empty() => Err(vec![nothing_seen()]),
        Rule::TaggedByPlatform => check_auto_tagging(true, observed),
        Rule::Utm { campaign_macro } => check_utm(campaign_macro, campaign_id, observed),
    }
}

/// The platform shows no place where tracking could be.
fn nothing_seen() -> Violation {
    Violation {
        object: "campaign".to_owned(),
        field: "utm".to_owned(),
        what: "the platform shows no tracked URL at all".to_owned(),
    }
}

fn check_auto_tagging(on: bool, observed: &[Observed]) -> Result<Mode, Vec<Violation>> {
    let mut violations: Vec<Violation> = observed
        .iter()
        .filter(|o| holds_utm(&o.value))
        .map(|o| Violation {
            object: o.object.clone(),
            field: o.field.clone(),
            what: "holds a utm_ parameter, which this platform must not have".to_owned(),
        })
        .collect();
    if !on {
        violations.push(Violation {
            object: "account".to_owned(),
            field: "auto_tagging".to_owned(),
            what: "auto-tagging is not on".to_owned(),
        });
    }
    if violations.is_empty() {
        Ok(Mode::AutoTagging)
    } else {
        Err(violations)
    }
}

fn check_utm(campaign_macro: &str, campaign_id: &str, observed: &[Observed]) -> Result<Mode, Vec<Violation>> {
    let mut violations = Vec::new();
    let mut mode = Mode::UtmMacro;
    for place in observed {
        let violation = |what: String| Violation {
            object: place.object.clone(),
            field: place.field.clone(),
            what,
        };
        let before_fragment = place.value.split('#').next().unwrap_or_default();
        let query = match before_fragment.split_once('?') {
            Some((_, query)) => query,
            None if before_fragment.contains("://") => "",
            None => before_fragment,
        };
        let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        for wanted in UTM {
            let values: Vec<&str> = pairs
                .iter()
                .filter(|(n, _)| n.eq_ignore_ascii_case(wanted))
                .map(|(_, v)| v.as_str())
                .collect();
            match values.as_slice() {
                [] => violations.push(violation(format!("{wanted} is missing"))),
                [""] => violations.push(violation(format!("{wanted} is empty"))),
                [value] if wanted == "utm_campaign" => {
                    if *value == campaign_id {
                        mode = Mode::UtmInjected;
                    } else if *value != campaign_macro {
                        violations.push(violation(format!(
                            "utm_campaign is {value:?}, neither {campaign_macro} nor the campaign's id {campaign_id}"
                        )));
                    }
                }
                [_] => {}
                [..] => violations.push(violation(format!("{wanted} stands there {} times", values.len()))),
            }
        }
        let known = |name: &str| UTM.iter().any(|u| u.eq_ignore_ascii_case(name));
        for (name, _) in pairs.iter().filter(|(n, _)| is_utm(n) && !known(n)) {
            violations.push(violation(format!("{name} is none of the four")));
        }
    }
    if observed.is_empty() {
        violations.push(nothing_seen());
    }
    if violations.is_empty() {
        Ok(mode)
    } else {
        Err(violations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(value: &str) -> Observed {
        Observed {
            object: "ad/a/b".into(),
            field: "url_tags".into(),
            value: value.into(),
        }
    }

    const META: Rule = Rule::Utm {
        campaign_macro: "{{campaign.id}}",
    };

    #[test]
    fn auto_tagging_wants_the_switch_on_and_no_utm() {
        let clean = [place("https://a.example/?kcid=1")];
        assert_eq!(
            check(Rule::AutoTagging, Some(true), "1", &clean),
            Ok(Mode::AutoTagging)
        );
        assert!(check(Rule::AutoTagging, Some(false), "1", &clean).is_err());
        assert!(check(Rule::AutoTagging, None, "1", &clean).is_err());
        assert!(check(Rule::AutoTagging, Some(true), "1", &[place("x?UTM_id=4")]).is_err());
    }

    #[test]
    fn a_platform_without_a_switch_wants_a_url_and_no_utm() {
        let clean = [place("https://a.example/?kcid=1")];
        let rule = Rule::TaggedByPlatform;
        assert_eq!(check(rule, None, "1", &clean), Ok(Mode::AutoTagging));
        assert!(check(rule, None, "1", &[]).is_err());
        assert!(check(rule, None, "1", &[place("https://a.example/?UTM_medium=x")]).is_err());
    }

    #[test]
    fn a_path_may_be_about_utm() {
        let page = [place("https://a.example/what-is-utm_source/#utm_guide")];
        assert_eq!(
            check(Rule::AutoTagging, Some(true), "1", &page),
            Ok(Mode::AutoTagging)
        );
    }

    #[test]
    fn social_wants_all_four_once_and_the_campaigns_id() {
        let all =
            "utm_source=facebook&utm_medium=paid_social&utm_campaign={{campaign.id}}&utm_content={{ad.id}}";
        assert_eq!(check(META, None, "77", &[place(all)]), Ok(Mode::UtmMacro));
        let injected = all.replace("{{campaign.id}}", "77");
        assert_eq!(
            check(META, None, "77", &[place(&injected)]),
            Ok(Mode::UtmInjected)
        );
        for bad in [
            all.replace("{{campaign.id}}", "78"),
            all.replace("&utm_content={{ad.id}}", ""),
            format!("{all}&utm_source=x"),
            all.replace("=facebook", "="),
            format!("{all}&UTM_Source=x"),
            format!("{all}&utm_term=x"),
            "https://a.example/p".to_owned(),
        ] {
            assert!(check(META, None, "77", &[place(&bad)]).is_err(), "{bad}");
        }
        assert!(check(META, None, "77", &[]).is_err());
    }
}
