//! Where the clicks of a creative lead, as Meta shows it: every link of it with the tags that Meta appends. Pure.
//!
//! Must not trust that a link is where we put it: each that is there is told, so that none goes untracked or doubly tracked.

use serde_json::Value;

/// Every place of a creative that a click can lead from: its pointer, and the whole URL as a click would open it. Without any
/// link, the tags alone.
pub(super) fn of(creative: &Value) -> Vec<(String, String)> {
    let tags = creative
        .get("url_tags")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let mut found = Vec::new();
    if let Some(story) = creative.get("object_story_spec") {
        collect(story, "", &mut found);
    }
    if found.is_empty() {
        return vec![("url_tags".to_owned(), tags.to_owned())];
    }
    found
        .into_iter()
        .map(|(at, link)| (at, tagged(link, tags)))
        .collect()
}

/// Every field called `link`, however deep: `/link_data/link`, `/link_data/child_attachments/0/link`,
/// `/video_data/call_to_action/value/link`.
fn collect<'v>(value: &'v Value, at: &str, found: &mut Vec<(String, &'v str)>) {
    match value {
        Value::Object(map) => {
            for (name, inner) in map {
                let at = format!("{at}/{name}");
                match inner.as_str() {
                    Some(link) if name == "link" => found.push((at, link)),
                    Some(_) | None => collect(inner, &at, found),
                }
            }
        }
        Value::Array(items) => {
            for (n, inner) in items.iter().enumerate() {
                collect(inner, &format!("{at}/{n}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A link with the tags behind its query and before its fragment.
fn tagged(link: &str, tags: &str) -> String {
    let (before, fragment) = match link.split_once('#') {
        Some((before, fragment)) => (before, format!("#{fragment}")),
        None => (link, String::new()),
    };
    let between = match before.split_once('?') {
        _ if tags.is_empty() => "",
        None => "?",
        Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{before}{between}{tags}{fragment}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_link_is_told_as_a_click_would_open_it() {
        let creative = json!({ "url_tags": "a=1", "object_story_spec": { "page_id": "1", "link_data": {
            "link": "https://x.example/?b=2#top", "child_attachments": [
                { "link": "https://x.example/one" },
                { "link": "https://x.example/?", "call_to_action": { "value": { "link": "https://y.example/" } } },
            ] } } });
        let mut all = of(&creative);
        all.sort();
        let all: Vec<(&str, &str)> = all.iter().map(|(at, url)| (at.as_str(), url.as_str())).collect();
        assert_eq!(
            all,
            [
                ("/link_data/child_attachments/0/link", "https://x.example/one?a=1"),
                (
                    "/link_data/child_attachments/1/call_to_action/value/link",
                    "https://y.example/?a=1"
                ),
                ("/link_data/child_attachments/1/link", "https://x.example/?a=1"),
                ("/link_data/link", "https://x.example/?b=2&a=1#top"),
            ]
        );
        let bare = json!({ "url_tags": "a=1", "object_story_id": "1_2" });
        assert_eq!(of(&bare), [("url_tags".to_owned(), "a=1".to_owned())]);
    }
}
