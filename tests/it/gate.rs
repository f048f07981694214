//! The gate's own checks, each seen to block, to say why, and to open again: feeds, GA4 and its budget of errors, accounts.
//!
//! Must not test what a platform makes of a campaign (`contract/`), only what keeps it from starting.

use super::support::{app::App, plans};
use campaign_execution::platform;
use serde_json::{Value, json};

/// The checks of the last `execution.blocked`.
fn blocked(app: &App) -> Vec<Value> {
    let events = app.events("execution.blocked");
    let last = events.last().expect("it is blocked");
    last.data["checks"].as_array().expect("checks").clone()
}

/// The one check of this name; it did not pass.
#[track_caller]
fn check(app: &App, name: &str) -> Value {
    let checks = blocked(app);
    let found = checks.iter().find(|c| c["check"] == name);
    found
        .unwrap_or_else(|| panic!("no check {name} in {checks:?}"))
        .clone()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A plan on Google Ads that relies on the tenant's Merchant Center.
fn plan_with_feed(version: &str, max_critical: u64) -> Value {
    let mut plan = plans::only(plans::plan(version), "google-ads");
    plan["catalog"] =
        json!({ "merchant_account": "555666", "countries": ["DE", "AT"], "max_critical": max_critical });
    plan
}

async fn publish(app: &App, plan: &Value) {
    app.publish(plan).await;
    app.settle().await;
}

async fn again(app: &App) {
    app.warp().await;
    app.settle().await;
}

/// What of a verdict's story is kept for `explain`: `check outcome reason`.
async fn kept(app: &App, plan: &Value) -> Vec<String> {
    let execution = app.execution(plan).await;
    let checks = app.wiring.store.gate_checks(execution.id).await.expect("checks");
    checks
        .into_iter()
        .map(|c| format!("{} {} {}", c.check, c.outcome.as_str(), c.reason))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_without_critical_errors_opens_the_gate() {
    let app = App::start().await;
    app.world(json!({ "merchant": "amber" })).await;
    let plan = plan_with_feed("feed.1", 0);
    publish(&app, &plan).await;
    assert_eq!(app.events("campaign.scheduled").len(), 1);
    let kept = kept(&app, &plan).await;
    let feed = kept
        .iter()
        .find(|c| c.starts_with("feed:google-ads pass"))
        .expect("the feed's verdict");
    // What is amber is shown and does not block.
    assert!(feed.contains("warning: pending initial review"), "{feed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn critical_feed_errors_block_until_mended_or_tolerated() {
    let app = App::start().await;
    app.world(json!({ "merchant": { "555666": { "item_issues": [
        { "code": "image_link_broken", "severity": "DISAPPROVED", "country": "DE", "count": 4 },
        { "code": "price_mismatch", "severity": "DISAPPROVED", "country": "FR", "count": 90 }] } } }))
        .await;
    publish(&app, &plan_with_feed("feed.3", 3)).await;
    let refused = check(&app, "feed:google-ads");
    assert_eq!(refused["outcome"], "fail");
    // France is none of the plan's countries.
    assert!(
        text(&refused["reason"]).contains("4 critical errors in products (3 tolerated)"),
        "{refused}"
    );
    assert!(
        text(&refused["reason"]).contains("image_link_broken"),
        "{refused}"
    );
    assert_eq!(app.effects().await, 0);
    publish(&app, &plan_with_feed("feed.4", 4)).await;
    assert_eq!(
        app.events("campaign.scheduled").len(),
        1,
        "the other plan tolerates four"
    );
    app.world(json!({ "merchant": { "555666": { "item_issues": [] } } }))
        .await;
    again(&app).await;
    assert_eq!(app.events("campaign.scheduled").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stops_a_whole_feed_is_not_tolerated() {
    let app = App::start().await;
    for (state, why) in [
        ("suspended", "Misrepresentation"),
        ("feed_failed", "could not be processed"),
    ] {
        app.world(json!({ "merchant": state })).await;
        publish(
            &app,
            &plan_with_feed(&format!("whole.{}", state.replace('_', "-")), 1_000_000),
        )
        .await;
        let refused = check(&app, "feed:google-ads");
        assert!(text(&refused["reason"]).contains(why), "{refused}");
    }
    assert_eq!(app.effects().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_cannot_be_asked_is_no_pass() {
    let app = App::start().await;
    app.fault(json!({ "vendor": "merchant", "method": "*", "status": 503 }))
        .await;
    let plan = plan_with_feed("away.1", 0);
    publish(&app, &plan).await;
    assert_eq!(app.effects().await, 0);
    let verdict = kept(&app, &plan).await;
    assert!(
        verdict
            .iter()
            .any(|c| c.starts_with("feed:google-ads unknown Merchant API answered 503")),
        "{verdict:?}"
    );
    assert!(
        app.events("execution.blocked").is_empty(),
        "nobody has to do anything"
    );
    app.mend().await;
    again(&app).await;
    assert_eq!(app.events("campaign.scheduled").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn access_to_a_feed_and_whose_it_is() {
    let app = App::start().await;
    for (state, remedy) in [
        ("no_access", "access to Merchant Center 555666"),
        ("not_registered", "developerRegistration:registerGcp"),
        ("advanced", "a sub-account"),
    ] {
        app.world(json!({ "merchant": state })).await;
        publish(
            &app,
            &plan_with_feed(&format!("access.{}", state.replace('_', "-")), 0),
        )
        .await;
        let refused = check(&app, "feed:google-ads");
        assert!(text(&refused["remedy"]).contains(remedy), "{refused}");
    }
    assert_eq!(app.effects().await, 0);
    app.world(json!({ "merchant": "green" })).await;
    let mut other = plan_with_feed("others.1", 0);
    other["catalog"]["merchant_account"] = json!("999");
    publish(&app, &other).await;
    assert!(text(&check(&app, "feed:google-ads")["reason"]).contains("the tenant's is 555666"));
    let mut unseen = plan_with_feed("unseen.1", 0);
    unseen["catalog"] = json!({ "tiktok_catalog_id": "77", "tiktok_bc_id": "8", "countries": ["DE"] });
    app.onboard(|t| {
        t["updated_at"] = json!(plans::stamp(chrono::Duration::zero()));
        t["accounts"].as_object_mut().expect("accounts").remove("tiktok");
    })
    .await;
    publish(&app, &unseen).await;
    let refused = check(&app, "feed:tiktok_catalog_id");
    assert!(
        text(&refused["reason"]).contains("nobody could be asked"),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feeds_verdict_is_shared_and_its_age_told() {
    let app = App::start().await;
    publish(&app, &plan_with_feed("share.1", 0)).await;
    app.sql("UPDATE probe_verdict SET probed_at = probed_at - interval '40 seconds'")
        .await;
    let plan = plan_with_feed("share.2", 0);
    publish(&app, &plan).await;
    assert_eq!(app.events("campaign.scheduled").len(), 2);
    assert_eq!(calls(&app, "merchant.aggregateProductStatuses.list").await, 1);
    let ages = "SELECT max(age_s) FROM gate_check WHERE check_name = 'feed:google-ads'";
    assert!((40..60).contains(&app.number(ages).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_a_feed_are_all_read() {
    let app = App::start().await;
    let mut countries: Vec<String> = (0..300).map(|n| format!("X{n}")).collect();
    countries.extend(["AT".to_owned(), "DE".to_owned()]);
    app.world(
        json!({ "merchant": { "555666": { "countries": countries, "item_issues": [
        { "code": "image_link_broken", "severity": "DISAPPROVED", "country": "DE", "count": 4 }] } } }),
    )
    .await;
    publish(&app, &plan_with_feed("pages.1", 0)).await;
    assert!(text(&check(&app, "feed:google-ads")["reason"]).contains("4 critical errors"));
}

/// How often a logical method was called.
async fn calls(app: &App, method: &str) -> usize {
    let path = format!("requests?method={method}&limit=100000");
    let answer = app.control(reqwest::Method::GET, &path, None).await;
    answer["requests"].as_array().map_or(0, Vec::len)
}

// ---- GA4 -----------------------------------------------------------------------------------------------------------

fn google(version: &str) -> Value {
    plans::only(plans::plan(version), "google-ads")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_clause_of_tracking_health_blocks_with_its_own_reason() {
    let app = App::start().await;
    let mut n = 0;
    for (world, key_events, why) in [
        (json!("red"), json!([]), "in the trash"),
        (json!("silent"), json!([]), "received no page_view"),
        (json!("no_access"), json!([]), "no access to GA4"),
        (
            json!({ "*": { "state": "green", "default_uri": "https://other.example" } }),
            json!([]),
            "no web stream",
        ),
        (
            json!({ "*": { "default_uri": "https://www.acme.example", "ads_linked": ["1"] } }),
            json!([]),
            "not linked",
        ),
        (
            json!({ "*": { "ads_linked": true } }),
            json!(["invented"]),
            "no key event",
        ),
        (
            json!({ "*": { "key_events": ["purchase"], "events": { "purchase": 0 } } }),
            json!(["purchase"]),
            "received no purchase",
        ),
        (
            json!({ "*": { "events": {}, "state": "amber" } }),
            json!([]),
            "thresholding",
        ),
    ] {
        n += 1;
        app.world(json!({ "ga4": world })).await;
        let mut plan = google(&format!("clause.{n}"));
        plan["tracking"]["key_events"] = key_events;
        publish(&app, &plan).await;
        let checks = blocked(&app);
        let both = matches!(why, "in the trash" | "no key event");
        assert_eq!(checks.len(), if both { 2 } else { 1 }, "{why}: {checks:?}");
        assert!(
            checks.iter().any(|c| text(&c["reason"]).contains(why)),
            "{why}: {checks:?}"
        );
    }
    assert_eq!(app.effects().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn amber_passes_where_the_tenant_allows_it_and_red_does_not() {
    let app = App::start().await;
    app.onboard(|t| {
        t["updated_at"] = json!(plans::stamp(chrono::Duration::zero()));
        t["policy"]["tracking_amber"] = json!("allow");
    })
    .await;
    app.world(json!({ "ga4": "amber" })).await;
    publish(&app, &google("amber.1")).await;
    assert_eq!(app.events("campaign.scheduled").len(), 1);
    app.world(json!({ "ga4": "silent" })).await;
    app.warp().await;
    publish(&app, &google("amber.2")).await;
    assert!(text(&check(&app, "tracking")["reason"]).contains("received no page_view"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ads_link_is_asked_for_only_by_plans_with_legs_there() {
    let app = App::start().await;
    app.world(json!({ "ga4": { "*": { "ads_linked": false } } }))
        .await;
    publish(&app, &plans::only(plans::plan("link.1"), "meta")).await;
    assert_eq!(app.events("campaign.scheduled").len(), 1);
    assert_eq!(calls(&app, "ga4-admin.googleAdsLinks.list").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_key_events_are_all_read() {
    let app = App::start().await;
    let mut events: Vec<String> = (0..450).map(|n| format!("event_{n}")).collect();
    events.push("purchase".to_owned());
    app.world(json!({ "ga4": { "*": { "key_events": events } } }))
        .await;
    let mut plan = google("pages.1");
    plan["tracking"]["key_events"] = json!(["purchase"]);
    publish(&app, &plan).await;
    assert_eq!(app.events("campaign.scheduled").len(), 1);
    assert_eq!(calls(&app, "ga4-admin.keyEvents.list").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn ga4_is_never_asked_beyond_its_budget_of_server_errors() {
    let app = App::start().await;
    app.fault(json!({ "vendor": "ga4-*", "method": "*", "status": 503 }))
        .await;
    let plan = google("budget.1");
    app.publish(&plan).await;
    for _ in 0..30 {
        app.settle().await;
        app.sql("UPDATE execution SET gate_at = clock_timestamp(), gate_lease = NULL")
            .await;
        // The waits pass, the hour does not.
        app.sql("UPDATE ga4_budget SET server_errors = ARRAY(SELECT at - interval '100 seconds' FROM unnest(server_errors) at)")
            .await;
    }
    let asked = calls(&app, "ga4-admin.properties.get").await;
    assert!((4..=10).contains(&asked), "asked {asked} times in fifty minutes");
    let verdict = kept(&app, &plan).await;
    let tracking = verdict
        .iter()
        .find(|c| c.starts_with("tracking unknown"))
        .expect("unknown");
    assert!(
        tracking.contains("server error") && tracking.contains("it is asked again at"),
        "{tracking}"
    );
    // It is not asked soon either.
    let soon = "SELECT count(*) FROM execution WHERE gate_at > clock_timestamp() + interval '20 seconds'";
    app.settle().await;
    assert_eq!(app.number(soon).await, 1);
    // The hour passes.
    app.mend().await;
    again(&app).await;
    assert_eq!(app.events("campaign.scheduled").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn ga4_says_wait_and_nobody_asks_before() {
    let app = App::start().await;
    app.fault(
        json!({ "vendor": "ga4-data", "method": "runReport", "status": 429,
        "headers": { "retry-after": "120" }, "times": 1 }),
    )
    .await;
    for n in 0..3 {
        publish(&app, &google(&format!("wait.{n}"))).await;
    }
    assert_eq!(
        calls(&app, "ga4-data.runReport").await,
        1,
        "the others were told to wait"
    );
    let waits = "SELECT count(*) FROM execution WHERE gate_at > clock_timestamp() + interval '100 seconds'";
    assert_eq!(app.number(waits).await, 3);
    again(&app).await;
    assert_eq!(app.events("campaign.scheduled").len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_plans_at_once_ask_once() {
    let app = App::start().await;
    for n in 0..12 {
        app.publish(&plan_with_feed(&format!("many.{n}"), 0)).await;
    }
    app.settle().await;
    assert_eq!(app.events("campaign.scheduled").len(), 12);
    for method in ["ga4-data.runReport", "merchant.issues.list"] {
        assert_eq!(calls(&app, method).await, 1, "{method}");
    }
}

// ---- accounts ------------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn a_payer_in_trouble_is_the_agencys_on_every_platform() {
    for platform in platform::all() {
        let name = platform.name();
        let app = App::start().await;
        app.world(json!({ "accounts": { format!("{name}/*"): { "payer": "unsettled" } } }))
            .await;
        publish(&app, &plans::only(plans::plan("payer.1"), name)).await;
        let refused = check(&app, &format!("account:{name}"));
        assert_eq!(
            refused["alert_code"],
            format!("PRE-{}-PAYER", name.to_uppercase()),
            "{refused}"
        );
        assert_eq!(refused["route"], "agency_master");
        assert!(
            !text(&refused["remedy"]).to_lowercase().contains("client"),
            "{refused}"
        );
        assert_eq!(app.effects().await, 0);
        app.world(json!({ "accounts": { format!("{name}/*"): { "payer": "settled" } } }))
            .await;
        again(&app).await;
        assert_eq!(
            app.events("campaign.scheduled").len(),
            1,
            "{name}: {:?}",
            app.wiring.store.gate_checks(1).await
        );
    }
}

// ---- budgets -------------------------------------------------------------------------------------------------------

/// Lets the last probe of a platform's account have told these amounts, in micros.
async fn probe_told(app: &App, platform: &str, facts: Value) {
    let mut connection = app.connect().await;
    let done = sqlx::query(
        "UPDATE probe_verdict SET verdict = verdict || $1, probed_at = clock_timestamp() WHERE probe = $2",
    )
    .bind(facts)
    .bind(format!("account:{platform}"))
    .execute(&mut connection)
    .await
    .expect("the verdict is there");
    assert_eq!(done.rows_affected(), 1);
}

fn euros(micros: i64) -> Value {
    json!({ "micros": micros, "currency": "EUR" })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_stands_beside_what_the_account_allows_before_anything_is_built() {
    for platform in platform::all() {
        let name = platform.name();
        let app = App::start().await;
        publish(&app, &plans::only(plans::plan("known.1"), name)).await;
        let before = app.effects().await;
        let plan = plans::only(plans::plan("small.1"), name);
        let (key, amount) = {
            let campaign = &plan["campaigns"][0];
            (
                text(&campaign["logical_campaign_key"]).to_owned(),
                text(&campaign["budget"]["amount"]).to_owned(),
            )
        };
        probe_told(
            &app,
            name,
            json!({ "minimum_daily": euros(20_000_000_000), "spendable": null }),
        )
        .await;
        publish(&app, &plan).await;
        let refused = check(&app, &format!("budget:{name}/{key}"));
        assert_eq!(refused["plan_amount"], format!("{amount} EUR"), "{refused}");
        assert_eq!(refused["platform_limit"], "20000.00 EUR", "{refused}");

        probe_told(
            &app,
            name,
            json!({ "minimum_daily": null, "spendable": euros(1_000_000) }),
        )
        .await;
        publish(&app, &plans::only(plans::plan("large.1"), name)).await;
        let refused = check(&app, &format!("budget:{name}/{key}"));
        assert_eq!(refused["platform_limit"], "1.00 EUR", "{refused}");

        probe_told(&app, name, json!({ "spendable": euros(0) })).await;
        publish(&app, &plans::only(plans::plan("empty.1"), name)).await;
        let refused = check(&app, &format!("budget:{name}"));
        assert_eq!(
            refused["alert_code"],
            format!("PRE-{}-PAYER", name.to_uppercase())
        );
        assert_eq!(refused["route"], "agency_master");
        assert_eq!(app.effects().await, before, "nothing was built");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_budgets_of_an_account_together_must_be_covered() {
    let app = App::start().await;
    publish(&app, &google("known.1")).await;
    probe_told(&app, "google-ads", json!({ "spendable": euros(499_990_000) })).await;
    let mut plan = google("sum.1");
    let mut second = plan["campaigns"][0].clone();
    second["logical_campaign_key"] = json!("search-more");
    plan["campaigns"].as_array_mut().expect("campaigns").push(second);
    publish(&app, &plan).await;
    let refused = check(&app, "budget:google-ads");
    assert_eq!(refused["plan_amount"], "500.00 EUR", "{refused}");
    assert_eq!(refused["platform_limit"], "499.99 EUR", "{refused}");
    probe_told(&app, "google-ads", json!({ "spendable": euros(500_000_000) })).await;
    app.sql("UPDATE execution SET gate_at = clock_timestamp(), gate_lease = NULL")
        .await;
    app.settle().await;
    assert_eq!(app.events("campaign.scheduled").len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tenants_own_ceiling_holds_even_where_the_account_is_away() {
    let app = App::start().await;
    app.fault(json!({ "vendor": "google-ads", "method": "*", "status": 503 }))
        .await;
    let mut plan = google("ceiling.1");
    plan["campaigns"][0]["budget"]["amount"] = json!("5000.01");
    publish(&app, &plan).await;
    let refused = check(&app, "budget:google-ads/search-brand");
    assert_eq!(refused["plan_amount"], "5000.01 EUR");
    assert!(
        text(&refused["reason"]).contains("the tenant's limit there is 5000.00 EUR"),
        "{refused}"
    );
    assert_eq!(check(&app, "account:google-ads")["outcome"], "unknown");
}

// ---- tracking ------------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn every_platform_tracks_as_its_rule_says_and_says_so() {
    let app = App::start().await;
    app.onboard(|t| {
        t["updated_at"] = json!(plans::stamp(chrono::Duration::zero()));
        t["landing_hosts"] = json!(["xn--bcher-kva.example"]);
    })
    .await;
    app.world(json!({ "ga4": { "*": { "default_uri": "https://bücher.example" } } }))
        .await;
    let mut plan = plans::plan("mode.1");
    for campaign in plan["campaigns"].as_array_mut().expect("campaigns") {
        for group in campaign["ad_groups"].as_array_mut().expect("groups") {
            for ad in group["ads"].as_array_mut().expect("ads") {
                ad["landing_url"] = json!("https://BÜCHER.example/ü?a=%20b+c&UTM%5Fsource=old&d#teil");
            }
        }
    }
    publish(&app, &plan).await;
    let live = app.events("campaign.scheduled");
    assert_eq!(
        live.len(),
        plan["campaigns"].as_array().expect("campaigns").len(),
        "{:?}",
        app.events("execution.blocked")
    );
    for platform in platform::all() {
        let name = platform.name();
        let rule = platform.traits().tracking;
        let modes: &[&str] = if rule.forbids_utm() {
            &["auto_tagging"]
        } else {
            &["utm_macro", "utm_injected"]
        };
        for event in live.iter().filter(|e| e.data["platform"] == name) {
            assert!(
                modes.contains(&text(&event.data["tracking_mode"])),
                "{name}: {}",
                event.data
            );
        }
        // Only what a platform must not be given is stripped, and the audit says of which ad.
        let mut connection = app.connect().await;
        let notes: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM audit_log WHERE entry::jsonb ->> 'action' = 'tracking.stripped'
             AND entry::jsonb ->> 'leg' LIKE $1 || '/%' AND entry LIKE '%UTM_source%'",
        )
        .bind(name)
        .fetch_one(&mut connection)
        .await
        .expect("the audit log");
        let legs = live.iter().filter(|e| e.data["platform"] == name).count() as i64;
        assert_eq!(notes, if rule.forbids_utm() { legs } else { 0 }, "{name}");
    }
    let kept = "SELECT count(*) FROM execution_manifest WHERE tracking_mode IS NULL";
    assert_eq!(
        app.number(kept).await,
        0,
        "every leg's manifest says how it is tracked"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_utm_that_cannot_be_taken_out_is_refused_where_none_may_be() {
    let app = App::start().await;
    let mut plan = google("hidden.1");
    plan["campaigns"][0]["ad_groups"][0]["ads"][0]["landing_url"] =
        json!("https://shop.acme.example/r?to=https%3A%2F%2Fshop.acme.example%2F%3Futm_source%3Dx");
    publish(&app, &plan).await;
    let refused = check(&app, "spec:google-ads/search-brand/ad_groups/0/ads/0/landing_url");
    assert!(
        text(&refused["reason"]).contains("utm_ inside another parameter"),
        "{refused}"
    );
    assert_eq!(app.effects().await, 0);
}
