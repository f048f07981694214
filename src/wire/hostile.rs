//! What producers get wrong in practice: each is refused, or decided, with its place.

use super::plan::parse;
use super::{Invalid, schema, unwrap};
use serde_json::{Value, json};

fn example() -> Value {
    serde_json::from_str(include_str!("../../schemas/examples/plan.approved.json")).expect("the example")
}

fn with(place: &str, value: Value) -> Value {
    let mut plan = example();
    let (parent, name) = place.rsplit_once('/').expect("a place");
    let parent = plan.pointer_mut(parent).expect("its parent");
    match name.parse::<usize>() {
        Ok(index) => parent[index] = value,
        Err(_) => parent[name] = value,
    }
    plan
}

fn problems(place: &str, value: Value) -> Vec<Invalid> {
    parse(&with(place, value)).expect_err(place)
}

fn names(problems: &[Invalid], pointer: &str) -> bool {
    problems.iter().any(|p| p.pointer == pointer)
}

#[test]
fn a_key_that_occurs_twice_is_refused_with_its_place() {
    let text = br#"{"a":{"b":[{"amount":"1"},{"amount":"250.00","amount":"9000.00"}]}}"#;
    let found = unwrap(&[], Some(text), 1000).expect_err("two amounts");
    assert!(names(&found, "/a/b/1/amount"), "{found:?}");
}

#[test]
fn the_character_that_the_database_cannot_hold_is_refused() {
    for text in [
        r#"{"settings":{"x":["a\u0000b"]}}"#,
        r#"{"settings":{"a\u0000b":1}}"#,
    ] {
        let found = unwrap(&[], Some(text.as_bytes()), 1000).expect_err(text);
        assert!(
            found
                .iter()
                .all(|p| !p.pointer.contains('\0') && !p.message.contains('\0'))
        );
        assert!(found[0].pointer.starts_with("/settings/"), "{found:?}");
    }
    let headers = vec![("ce_id".to_owned(), b"a\0b".to_vec())];
    assert!(unwrap(&headers, Some(b"{}"), 100).is_err());
}

#[test]
fn a_trace_context_that_is_none_is_left_out() {
    let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for (name, value, kept) in [
        ("traceparent", good, true),
        ("ce_traceparent", good, true),
        ("traceparent", "a\0b", false),
        (
            "traceparent",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            false,
        ),
        ("traceparent", "", false),
    ] {
        let headers = vec![(name.to_owned(), value.as_bytes().to_vec())];
        let envelope = unwrap(&headers, Some(b"{}"), 100).expect("a message");
        assert_eq!(envelope.traceparent.is_some(), kept, "{name}: {value:?}");
    }
}

#[test]
fn unknown_fields_are_refused_with_their_own_pointer() {
    for place in [
        "/colour",
        "/campaigns/0/colour",
        "/campaigns/0/ad_groups/0/ads/0/colour",
        "/launch/a~1b",
    ] {
        let found = problems(place, json!("red"));
        let expected = place.replace("a~1b", "a~01b");
        assert!(names(&found, &expected), "{place}: {found:?}");
    }
    let found = problems("/campaigns/0/budgt", json!({}));
    assert!(
        found.iter().any(|p| p.message.contains("did you mean budget?")),
        "{found:?}"
    );
    let found = problems("/catalog", json!({ "merchant_account": "1", "colour": 1 }));
    assert!(names(&found, "/catalog/colour"), "{found:?}");
    let found = problems("/catalog", json!({ "countries": ["DE"] }));
    assert!(found[0].message.contains("merchant_account"), "{found:?}");
    let found = problems("/campaigns/1/channel", json!("search"));
    assert!(
        names(&found, "/campaigns/1/channel") && !found[0].message.contains("schema"),
        "{found:?}"
    );
}

#[test]
fn numbers_with_a_point_are_refused_where_they_stand() {
    for place in [
        "/campaigns/1/audience/age_min",
        "/campaigns/3/frequency_cap/impressions",
    ] {
        let found = problems(place, json!(25.0));
        assert!(names(&found, place), "{place}: {found:?}");
    }
    assert!(
        parse(&with("/campaigns/1/settings/ratio", json!(1.5))).is_ok(),
        "settings are the platform's own"
    );
}

#[test]
fn what_hides_is_refused_wherever_a_person_reads_it() {
    for place in [
        "/approved_by",
        "/status",
        "/campaigns/0/crm/kcid",
        "/campaigns/0/ad_groups/0/keywords/0/text",
        "/campaigns/1/settings/dsa_payor",
        "/campaigns/1/ad_groups/0/ads/0/primary_text",
    ] {
        for bad in ["a\u{202e}b", "a\u{061c}b", "a\u{7}b", "a\u{2028}b"] {
            assert!(names(&problems(place, json!(bad)), place), "{place}: {bad:?}");
        }
    }
    let url = "/campaigns/0/ad_groups/0/ads/0/landing_url";
    for bad in [
        "https://shop.acme.example/\tspring",
        "https://shop.acme.example/\u{202e}x",
        " https://a.example/",
    ] {
        assert!(names(&problems(url, json!(bad)), url), "{bad:?}");
    }
    for good in [
        "https://müller.example/größe",
        "https://shop.acme.example/a b?q=c d",
    ] {
        assert!(parse(&with(url, json!(good))).is_ok(), "{good}");
    }
}

#[test]
fn a_hundred_problems_are_listed_and_the_rest_counted() {
    let mut plan = example();
    let twin = plan["campaigns"][0].clone();
    let list = plan["campaigns"].as_array_mut().expect("a list");
    list.extend(std::iter::repeat_n(twin, 250));
    let semantic = parse(&plan).expect_err("twins");
    for campaign in plan["campaigns"].as_array_mut().expect("a list") {
        campaign["colour"] = json!("red");
    }
    let syntactic = schema::validate("plan.approved", &plan);
    for (found, more) in [(semantic, "151 more"), (syntactic, "155 more")] {
        assert_eq!(found.len(), 100);
        assert!(found[99].message.contains(more), "{:?}", found[99]);
    }
}

#[test]
fn what_a_stranger_wrote_stays_short_in_a_problem() {
    let long = "x".repeat(1 << 20);
    let mut plan = example();
    plan[long.as_str()] = json!(1);
    plan["status"] = json!(long);
    plan["campaigns"][0]["platform"] = json!({ "a": long });
    for problem in parse(&plan).expect_err("long texts") {
        assert!(problem.to_string().len() < 3000);
    }
}
