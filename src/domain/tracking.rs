//! The tracking rules (design §6) and the check of what a platform really holds.
//!
//! Must not know which platform it looks at: an adapter declares its [`Rule`], this module applies it.

use super::manifest::spelled;
use serde::{Deserialize, Serialize};
use url::Url;

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
    /// `utm_source/medium/campaign/content`; `utm_campaign` is the macro given here or the literal campaign id.
    Utm {
        /// The vendor's macro for the campaign's id: `{{campaign.id}}`, `__CAMPAIGN_ID__`.
        campaign_macro: &'static str,
    },
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

fn is_utm(name: &str) -> bool {
    name.get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("utm_"))
}

/// The landing URL without any `utm_*` parameter, everything else byte for byte as it was, and the names that were taken
/// out.
#[must_use]
pub fn without_utm(url: &Url) -> (Url, Vec<String>) {
    let Some(query) = url.query() else {
        return (url.clone(), Vec::new());
    };
    let mut removed = Vec::new();
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| {
            let (name, _) = url::form_urlencoded::parse(pair.as_bytes())
                .next()
                .unwrap_or_default();
            if is_utm(&name) {
                removed.push(name.into_owned());
                return false;
            }
            true
        })
        .collect();
    if removed.is_empty() {
        return (url.clone(), removed);
    }
    let mut clean = url.clone();
    clean.set_query((!kept.is_empty()).then(|| kept.join("&")).as_deref());
    (clean, removed)
}

/// Whether the URL names any parameter twice; the names that it does.
#[must_use]
pub fn repeated_parameters(url: &Url) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    let mut twice = Vec::new();
    for (name, _) in url.query_pairs() {
        if !seen.insert(name.to_string()) && !twice.contains(&name.to_string()) {
            twice.push(name.to_string());
        }
    }
    twice
}

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
        Rule::AutoTagging => check_auto_tagging(auto_tagging, observed),
        Rule::Utm { campaign_macro } => check_utm(campaign_macro, campaign_id, observed),
    }
}

fn check_auto_tagging(on: Option<bool>, observed: &[Observed]) -> Result<Mode, Vec<Violation>> {
    let mut violations: Vec<Violation> = observed
        .iter()
        .filter(|o| o.value.to_ascii_lowercase().contains("utm_"))
        .map(|o| Violation {
            object: o.object.clone(),
            field: o.field.clone(),
            what: "holds a utm_ parameter, which this platform must not have".to_owned(),
        })
        .collect();
    if on != Some(true) {
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
        let query = place
            .value
            .split_once('?')
            .map_or(place.value.as_str(), |(_, q)| q);
        let query = query.split('#').next().unwrap_or(query);
        let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        for wanted in UTM {
            let values: Vec<&str> = pairs
                .iter()
                .filter(|(n, _)| n == wanted)
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
    }
    if observed.is_empty() {
        violations.push(Violation {
            object: "campaign".to_owned(),
            field: "utm".to_owned(),
            what: "the platform shows no tracked URL at all".to_owned(),
        });
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
    fn utm_is_taken_out_and_nothing_else_is_touched() {
        let url = Url::parse("https://a.example/p?x=%20a+b&UTM_Source=q&utm%5Fmedium=z&y#f").unwrap();
        let (clean, removed) = without_utm(&url);
        assert_eq!(clean.as_str(), "https://a.example/p?x=%20a+b&y#f");
        assert_eq!(removed, ["UTM_Source", "utm_medium"]);
        let only = Url::parse("https://a.example/p?utm_source=q").unwrap();
        assert_eq!(without_utm(&only).0.as_str(), "https://a.example/p");
    }

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
        ] {
            assert!(check(META, None, "77", &[place(&bad)]).is_err(), "{bad}");
        }
        assert!(check(META, None, "77", &[]).is_err());
    }
}
