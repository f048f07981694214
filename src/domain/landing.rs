//! Landing URLs: read once, and rebuilt for a platform with nothing changed but what tracking wants changed.
//!
//! # The rules
//! | what | what becomes of it |
//! |---|---|
//! | scheme, host | `https` and a host name; international names in their ASCII form (IDNA), which is also what the tenant's allow-list is compared with |
//! | user name, password, a parameter named twice | the plan is refused when it is taken in |
//! | port, path | kept |
//! | query | kept byte for byte, in its order, empty pairs, `+`, `%20` and a bare `?` too; but for the pieces below |
//! | a parameter whose name begins with `utm_`, in any case or encoding | taken out, whatever its value |
//! | the same after a `;` within another parameter's value | that piece is taken out |
//! | the same in the fragment (`#utm_source=x`, `#/route?utm_source=x`) | that piece is taken out; `#utm-guide` and `#utm_guide` are anchors and stay |
//! | a `utm_` deeper than that: inside another parameter's encoded value, encoded twice | stays for platforms that want `utm_*`; for those that must not have any the plan is refused ([`hidden_utm`]) |
//! | a parameter of the name of one that we add | replaced by ours, which stand at the end of the query |
//!
//! Must not know a platform: its adapter says which parameters it wants.

use url::Url;

/// Whether a parameter's name is one of tracking's.
pub(super) fn is_utm(name: &str) -> bool {
    name.get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("utm_"))
}

/// The name of a `name=value`, decoded.
fn name_of(pair: &str) -> String {
    let parsed = url::form_urlencoded::parse(pair.as_bytes()).next();
    parsed.map(|(name, _)| name.into_owned()).unwrap_or_default()
}

/// Takes out of a query every pair whose name is to go, and every such piece after a `;`. Untouched where there is none.
fn without(query: &str, goes: &dyn Fn(&str) -> bool, removed: &mut Vec<String>) -> Option<String> {
    let before = removed.len();
    let mut pairs: Vec<String> = Vec::new();
    for pair in query.split('&') {
        let name = name_of(pair);
        if goes(&name) {
            removed.push(name);
            continue;
        }
        let mut pieces = pair.split(';');
        let mut kept = vec![pieces.next().unwrap_or_default()];
        for piece in pieces {
            let name = name_of(piece);
            if is_utm(&name) && goes(&name) {
                removed.push(name);
            } else {
                kept.push(piece);
            }
        }
        pairs.push(kept.join(";"));
    }
    if removed.len() == before {
        return Some(query.to_owned());
    }
    (!pairs.is_empty()).then(|| pairs.join("&"))
}

/// The same in a fragment, where only `name=value` is a parameter: `#utm_guide` is a place on the page.
fn fragment_without(fragment: &str, removed: &mut Vec<String>) -> Option<String> {
    let (route, parameters) = match fragment.split_once('?') {
        Some((route, parameters)) => (Some(route), parameters),
        None => (None, fragment),
    };
    let before = removed.len();
    let pairs: Vec<&str> = parameters
        .split('&')
        .filter(|pair| {
            let name = name_of(pair);
            let goes = pair.contains('=') && is_utm(&name);
            if goes {
                removed.push(name);
            }
            !goes
        })
        .collect();
    if removed.len() == before {
        return Some(fragment.to_owned());
    }
    let kept = pairs.join("&");
    match (route, kept.is_empty()) {
        (Some(route), true) => Some(route.to_owned()),
        (Some(route), false) => Some(format!("{route}?{kept}")),
        (None, true) => None,
        (None, false) => Some(kept),
    }
}

/// The landing URL without any `utm_*` parameter, everything else byte for byte as it was, and the names that were taken
/// out.
#[must_use]
pub fn without_utm(url: &Url) -> (Url, Vec<String>) {
    let mut removed = Vec::new();
    let query = url.query().map(|q| without(q, &is_utm, &mut removed));
    let fragment = url.fragment().map(|f| fragment_without(f, &mut removed));
    if removed.is_empty() {
        return (url.clone(), removed);
    }
    let mut clean = url.clone();
    if let Some(query) = query {
        clean.set_query(query.as_deref());
    }
    if let Some(fragment) = fragment {
        clean.set_fragment(fragment.as_deref());
    }
    (clean, removed)
}

/// The landing URL with these parameters at the end of its query, in their order. What it had of `utm_*`, and of the names
/// given, is gone: none stands there twice. Everything else is byte for byte as it was, the fragment still last.
#[must_use]
pub fn with_parameters(url: &Url, parameters: &[(&str, String)]) -> Url {
    let (mut url, _) = without_utm(url);
    let ours = |name: &str| parameters.iter().any(|(n, _)| *n == name);
    let mut replaced = Vec::new();
    let kept = url.query().and_then(|query| without(query, &ours, &mut replaced));
    let query = match kept.filter(|query| !query.is_empty()) {
        Some(kept) => format!("{kept}&{}", query_of(parameters)),
        None => query_of(parameters),
    };
    url.set_query(Some(&query).filter(|q| !q.is_empty()).map(String::as_str));
    url
}

/// The same parameters as a query of their own, where a platform appends them by itself (`url_tags`).
#[must_use]
pub fn query_of(parameters: &[(&str, String)]) -> String {
    let pairs: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    pairs.join("&")
}

/// A parameter's value, encoded; the characters of a vendor's macro (`{{campaign.id}}`, `__CAMPAIGN_ID__`) and of a placeholder
/// (`@`) stay as they are, or the vendor would not know them.
fn encoded(value: &str) -> String {
    let encoded: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    encoded
        .replace("%40", "@")
        .replace("%7B", "{")
        .replace("%7D", "}")
}

/// A `utm_` that [`without_utm`] cannot reach: inside another parameter's value, or encoded more than once. Says where.
#[must_use]
pub fn hidden_utm(url: &Url) -> Option<String> {
    let (clean, _) = without_utm(url);
    if holds_utm(clean.as_str()) {
        let place = if clean.query().is_some_and(|q| contains_utm(q, false)) {
            "its query"
        } else {
            "its fragment"
        };
        return Some(format!(
            "the landing URL carries utm_ inside another parameter of {place}, where it cannot be taken out"
        ));
    }
    None
}

/// Whether a URL, a query, a template or a custom parameter carries `utm_` where a click would: anywhere but in a path.
#[must_use]
pub fn holds_utm(value: &str) -> bool {
    let place = value.find(['?', '#']);
    let (query, fragment) = match place {
        None if value.contains("://") => return false,
        None => (value, ""),
        Some(at) => {
            let rest = &value[at..];
            let (query, fragment) = rest.split_once('#').unwrap_or((rest, ""));
            (query, fragment)
        }
    };
    contains_utm(query, false) || contains_utm(fragment, true)
}

/// How often a value may be encoded into another before nobody would decode it.
const DEPTH: usize = 4;

/// Whether `utm_` stands there, however encoded; in a fragment only as `utm_…=`.
fn contains_utm(text: &str, as_parameter: bool) -> bool {
    let mut text = text.to_ascii_lowercase();
    for _ in 0..DEPTH {
        let mut rest = text.as_str();
        while let Some(at) = rest.find("utm_") {
            rest = rest.get(at + 4..).unwrap_or_default();
            let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
            if !as_parameter || rest.trim_start_matches(name).starts_with('=') {
                return true;
            }
        }
        let decoded = decoded(&text);
        if decoded == text {
            return false;
        }
        text = decoded;
    }
    false
}

/// One layer of percent-encoding less, lower case.
fn decoded(text: &str) -> String {
    // `+` would become a space: that is no matter here.
    let whole = format!("a={}", text.replace('&', "%26"));
    let value = url::form_urlencoded::parse(whole.as_bytes()).next();
    value.map(|(_, v)| v.to_ascii_lowercase()).unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use super::super::tracking::{Mode, Observed, Rule, UTM, check};
    use super::*;
    use proptest::prelude::*;

    fn clean(url: &str) -> String {
        without_utm(&Url::parse(url).unwrap()).0.to_string()
    }

    #[test]
    fn utm_is_taken_out_and_nothing_else_is_touched() {
        for (given, wanted) in [
            (
                "https://a.example/p?x=%20a+b&UTM_Source=q&utm%5Fmedium=z&y#f",
                "https://a.example/p?x=%20a+b&y#f",
            ),
            ("https://a.example/p?utm_source=q", "https://a.example/p"),
            ("https://a.example/p?utm_source", "https://a.example/p"),
            ("https://a.example/p?", "https://a.example/p?"),
            ("https://a.example/p?&&a==&", "https://a.example/p?&&a==&"),
            (
                "https://a.example/p?a=1;utm_source=x;b=2&c=%C3%BC",
                "https://a.example/p?a=1;b=2&c=%C3%BC",
            ),
            (
                "https://a.example/p?utm_source=x;b=2&c=3",
                "https://a.example/p?c=3",
            ),
            ("https://a.example/p#utm_source=x", "https://a.example/p"),
            (
                "https://a.example/p#/r?utm_source=x&k=1",
                "https://a.example/p#/r?k=1",
            ),
            ("https://a.example/p#/r?utm_source=x", "https://a.example/p#/r"),
            (
                "https://a.example/utm_source=x/p#utm_guide",
                "https://a.example/utm_source=x/p#utm_guide",
            ),
            (
                "https://BÜCHER.example/ü?q=ü",
                "https://xn--bcher-kva.example/%C3%BC?q=%C3%BC",
            ),
            (
                "https://a.example:8443/p?a=%2f%2F",
                "https://a.example:8443/p?a=%2f%2F",
            ),
        ] {
            assert_eq!(clean(given), wanted, "{given}");
        }
        let (_, removed) =
            without_utm(&Url::parse("https://a.example/?UTM_Source=q&utm%5Fmedium=z#utm_id=1").unwrap());
        assert_eq!(removed, ["UTM_Source", "utm_medium", "utm_id"]);
    }

    #[test]
    fn ours_stand_at_the_end_and_once() {
        let parameters = [
            ("utm_source", "tiktok".to_owned()),
            ("utm_campaign", "__CAMPAIGN_ID__".to_owned()),
            ("utm_content", "{{ad.id}}".to_owned()),
            ("kcid", "a b&c@".to_owned()),
        ];
        let url = Url::parse("https://a.example/p?kcid=old&x=1&utm_source=q#f").unwrap();
        let made = with_parameters(&url, &parameters);
        assert_eq!(
            made.as_str(),
            "https://a.example/p?x=1&utm_source=tiktok&utm_campaign=__CAMPAIGN_ID__&utm_content={{ad.id}}&kcid=a+b%26c@#f"
        );
        assert_eq!(with_parameters(&made, &parameters), made);
        let bare = Url::parse("https://a.example/?").unwrap();
        assert_eq!(
            with_parameters(&bare, &parameters[..1]).as_str(),
            "https://a.example/?utm_source=tiktok"
        );
        assert_eq!(
            query_of(&parameters[..2]),
            "utm_source=tiktok&utm_campaign=__CAMPAIGN_ID__"
        );
    }

    #[test]
    fn what_cannot_be_reached_is_found() {
        let hidden = |url: &str| hidden_utm(&Url::parse(url).unwrap()).is_some();
        assert!(hidden(
            "https://a.example/?to=https%3A%2F%2Fb.example%2F%3Futm_source%3Dx"
        ));
        assert!(hidden("https://a.example/?utm%255Fsource=x"));
        assert!(hidden("https://a.example/#to=%3Futm_source%3Dx"));
        assert!(!hidden(
            "https://a.example/what-is-utm_source?utm_source=x#utm_guide"
        ));
    }

    #[test]
    fn a_click_carries_utm_anywhere_but_in_a_path() {
        for with in [
            "https://a.example/?x=1&utm_id=4",
            "x?UTM_id=4",
            "{lpurl}?utm_source=x",
            "{lpurl}&utm_source=x",
            "utm_source={campaignid}",
            "kcid=utm%5Fsource",
            "https://a.example/#utm_source=1",
        ] {
            assert!(holds_utm(with), "{with}");
        }
        for without in [
            "https://a.example/utm_source/",
            "https://a.example/?a=1#utm_guide",
            "{lpurl}",
            "kcid=SKU-1",
            "",
        ] {
            assert!(!holds_utm(without), "{without}");
        }
    }

    /// What planners, shops and other tracking tools put into URLs, and what nobody should.
    fn landing() -> impl Strategy<Value = Url> {
        let host = prop::sample::select(vec![
            "shop.acme.example",
            "BÜCHER.example",
            "例え.example",
            "a.example:8443",
            "xn--bcher-kva.example",
        ]);
        let piece = prop_oneof![
            "[a-c]{1,2}=[a-z0-9%+;:@/?'{}|ü ]{0,6}",
            "(utm|UTM|Utm)(_|%5F|%5f)(source|medium|campaign|content|term|id|X)(=[a-z%+;&]{0,5})?",
            "[d-f]{1,2}=1;utm_(source|id)=[a-z]{0,3}",
            prop::sample::select(vec![
                "",
                "=",
                "==",
                "%",
                "%zz",
                "kcid=1",
                "kpv",
                "g=%26utm%3d1",
                "h=%F0%9F%98%80"
            ])
            .prop_map(str::to_owned),
        ];
        let query = prop::option::of(prop::collection::vec(piece, 0..5).prop_map(|p| p.join("&")));
        let fragment = prop::option::of(prop_oneof![
            "[a-z/!ü ]{0,6}",
            "(/r)?\\??utm_(source|medium)=[a-z]{0,3}(&k=1)?",
            Just("utm_guide".to_owned()),
        ]);
        let path = "(/[a-z_%20ü.]{0,6}){0,3}";
        (host, path, query, fragment).prop_filter_map("no URL", |(host, path, query, fragment)| {
            let query = query.map(|q| format!("?{q}")).unwrap_or_default();
            let fragment = fragment.map(|f| format!("#{f}")).unwrap_or_default();
            Url::parse(&format!("https://{host}{path}{query}{fragment}")).ok()
        })
    }

    /// The parameters that tracking must leave alone, decoded. A `;utm_…` piece within a value goes.
    fn others(url: &Url, ours: &[&str]) -> Vec<(String, String)> {
        let plain = |value: &str| -> String {
            let pieces = value.split(';').enumerate();
            let kept = pieces.filter(|(n, p)| *n == 0 || !is_utm(&name_of(p)));
            kept.map(|(_, p)| p).collect::<Vec<_>>().join(";")
        };
        url.query_pairs()
            .filter(|(name, _)| !is_utm(name) && !ours.contains(&name.as_ref()))
            .map(|(name, value)| (name.into_owned(), plain(&value)))
            .collect()
    }

    fn seen(value: &str) -> [Observed; 1] {
        [Observed {
            object: "ad/a/b".into(),
            field: "url".into(),
            value: value.into(),
        }]
    }

    fn fragment(url: &Url) -> Option<String> {
        url.fragment().and_then(|f| fragment_without(f, &mut Vec::new()))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn any_landing_url_satisfies_each_platforms_rule(
            url in landing(),
            content in prop_oneof![Just("{{ad.id}}".to_owned()), Just("__CID__".to_owned()), "[a-z0-9 &=ü]{1,8}"],
            literal in any::<bool>(),
            kcid in prop::option::of("[A-Za-z0-9 &=+%;#ü-]{1,10}"),
        ) {
            for campaign_macro in ["{{campaign.id}}", "__CAMPAIGN_ID__"] {
                let campaign = if literal { "120210000000004210" } else { campaign_macro };
                let mut parameters = vec![
                    ("utm_source", "facebook".to_owned()), ("utm_medium", "paid_social".to_owned()),
                    ("utm_campaign", campaign.to_owned()), ("utm_content", content.clone()),
                ];
                parameters.extend(kcid.clone().map(|kcid| ("kcid", kcid)));
                let ours: Vec<&str> = parameters.iter().map(|(n, _)| *n).collect();
                let made = with_parameters(&url, &parameters);
                let again = Url::parse(made.as_str()).expect("it parses");
                prop_assert_eq!(&again, &made);
                for name in UTM.iter().chain(kcid.iter().map(|_| &"kcid")) {
                    let times = made.query_pairs().filter(|(n, _)| n.eq_ignore_ascii_case(name)).count();
                    prop_assert_eq!(times, 1, "{} in {}", name, made);
                }
                let utms = made.query_pairs().filter(|(n, _)| is_utm(n)).count();
                prop_assert_eq!(utms, 4, "no other utm_ in {}", made);
                for (name, value) in &parameters {
                    let found = made.query_pairs().find(|(n, _)| n == name).map(|(_, v)| v.into_owned());
                    prop_assert_eq!(found.as_deref(), Some(value.as_str()));
                }
                prop_assert_eq!(others(&made, &ours), others(&url, &ours), "{} from {}", made, url);
                prop_assert_eq!(made.fragment().map(str::to_owned), fragment(&url));
                prop_assert_eq!((made.host_str(), made.port(), made.path()), (url.host_str(), url.port(), url.path()));
                prop_assert_eq!(&with_parameters(&made, &parameters), &made, "idempotent");
                let mode = if literal { Mode::UtmInjected } else { Mode::UtmMacro };
                let rule = Rule::Utm { campaign_macro };
                prop_assert_eq!(check(rule, None, "120210000000004210", &seen(made.as_str())), Ok(mode));
            }
        }

        #[test]
        fn any_landing_url_is_free_of_utm_or_refused_beforehand(url in landing()) {
            let (made, _) = without_utm(&url);
            prop_assert_eq!(&Url::parse(made.as_str()).expect("it parses"), &made);
            prop_assert_eq!(others(&made, &[]), others(&url, &[]));
            prop_assert_eq!(made.fragment().map(str::to_owned), fragment(&url));
            prop_assert_eq!(&without_utm(&made).0, &made, "idempotent");
            let verdict = check(Rule::AutoTagging, Some(true), "1", &seen(made.as_str()));
            prop_assert_eq!(verdict == Ok(Mode::AutoTagging), hidden_utm(&url).is_none(), "{}", made);
        }
    }
}
