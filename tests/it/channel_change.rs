//! A channel is another kind of campaign: where the tenant's policy asks for it, the campaign on the one is replaced by one on the
//! other, end to end, on every platform that has channels.

use crate::amend::{amended, campaigns, order, preview};
use crate::support::app::App;
use crate::support::{particulars, plans};
use campaign_execution::platform;
use serde_json::{Value, json};

fn on(status: &str) -> bool {
    matches!(status, "ENABLED" | "ACTIVE" | "ENABLE" | "ENTITY_STATUS_ACTIVE")
}

/// The platforms that have channels, each with what makes the example's campaign one on another channel.
fn with_channels() -> Vec<(&'static str, Value)> {
    let all = platform::all().into_iter();
    let found: Vec<(&str, Value)> = all
        .filter(|p| p.channels().len() > 1)
        .map(|p| {
            let patch = particulars::of(p.name()).other_channel;
            (
                p.name(),
                patch.unwrap_or_else(|| panic!("{}: another channel", p.name())),
            )
        })
        .collect();
    assert!(found.len() >= 2, "{found:?}");
    found
}

async fn start(policy: &str) -> App {
    let app = App::bare().await;
    app.onboard(|t| t["policy"]["immutable_change"] = json!(policy))
        .await;
    app
}

/// A launched campaign on the example's channel, its leg's key, and the same plan on the other one.
async fn launched(app: &App, name: &str, patch: &Value) -> (Value, String, Value) {
    let mut plan = plans::only(plans::running_plan(&format!("channel.{name}")), name);
    plan["plan_id"] = json!(format!("channel-{name}"));
    app.publish(&plan).await;
    app.settle_and_warp(8).await;
    let legs = app.legs(&plan).await;
    let (leg, state) = legs.iter().next().expect("a leg");
    assert_eq!(state, "live", "{name}");
    let other = amended(&plan, 1, |p| plans::merge(&mut p["campaigns"][0], patch));
    assert_ne!(
        other["campaigns"][0]["channel"], plan["campaigns"][0]["channel"],
        "{name}"
    );
    (plan, leg.clone(), other)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_channel_is_a_new_campaign_and_the_old_one_goes_off_after_it() {
    for (name, patch) in with_channels() {
        let app = start("replace").await;
        let (plan, leg, other) = launched(&app, name, &patch).await;
        let first = campaigns(&app, name).await;
        assert_eq!((first.len(), on(&first[0].2)), (1, true), "{name}: {first:?}");
        let (code, text) = preview(&app, &other).await;
        assert_eq!(code, 5, "{text}");
        assert!(
            text.contains("1 to replace") && text.contains(&first[0].0),
            "{text}"
        );
        let channels = [
            "channel".to_owned(),
            patch["channel"].to_string().replace('"', ""),
        ];
        let line = text.lines().find(|l| l.trim_start().starts_with("channel "));
        assert!(
            channels.iter().all(|w| line.is_some_and(|l| l.contains(w))),
            "{text}"
        );

        app.publish(&other).await;
        app.settle_and_warp(8).await;
        let legs = app.legs(&plan).await;
        assert_eq!(legs[&leg], "live", "{name}: {legs:?}");
        assert_eq!(legs[&format!("{leg}.replaced-1")], "retired", "{name}: {legs:?}");
        let two = campaigns(&app, name).await;
        assert_eq!(two.len(), 2, "{name}: {two:?}");
        let old = two.iter().find(|c| c.0 == first[0].0).expect("the old one");
        let new = two.iter().find(|c| c.0 != first[0].0).expect("the new one");
        assert_eq!(
            (&old.1, on(&old.2)),
            (&first[0].1, false),
            "{name}: off, and kept"
        );
        assert!(on(&new.2), "{name}: {new:?}");
        // It really is of the other kind: what the platform holds is what the other channel's plan alone would make.
        let views = app.leg_views(&plan).await;
        assert_eq!(json!(views[0].spec.campaign.channel), patch["channel"], "{name}");
        let kinds = |n: usize| -> Vec<String> {
            let manifest = views[n].manifest.as_ref().expect("a manifest");
            manifest.objects.iter().map(|o| o.applied.to_string()).collect()
        };
        assert_ne!(kinds(0), kinds(1), "{name}");
        let execution = app.execution(&plan).await;
        let looked = app.wiring.drift().look(execution.id).await.expect("a look");
        assert!(
            looked.iter().all(|l| format!("{:?}", l.told) == "Same"),
            "{looked:?}"
        );
        let told = app.events("campaign.live");
        let last = &told.last().expect("an event").data;
        assert_eq!(
            (&last["platform_campaign_id"], &last["replaces"]),
            (&json!(new.0), &json!([old.0])),
            "{name}"
        );

        // Nothing more comes of it when it comes again; a rollback takes both back.
        let quiet = app.effects().await;
        app.publish(&other).await;
        app.settle_and_warp(4).await;
        assert_eq!(app.effects().await, quiet, "{name}");
        order(&app, &plan, "rollback").await;
        app.settle_and_warp(10).await;
        let legs = app.legs(&plan).await;
        assert!(legs.values().all(|s| s == "undone"), "{name}: {legs:?}");
        let there = campaigns(&app, name).await;
        assert!(there.iter().all(|c| !on(&c.2)), "{name}: {there:?}");
        app.assert_no_duplicates().await;
        app.assert_audit_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_channel_is_refused_where_the_policy_says_nothing_else() {
    for (name, patch) in with_channels() {
        let app = start("refuse").await;
        let (plan, leg, other) = launched(&app, name, &patch).await;
        let (before, quiet) = (campaigns(&app, name).await, app.effects().await);
        let (_, text) = preview(&app, &other).await;
        assert!(text.contains("cannot be changed"), "{text}");
        app.publish(&other).await;
        app.settle_and_warp(4).await;
        assert_eq!(app.legs(&plan).await[&leg], "live", "{name}");
        assert_eq!(campaigns(&app, name).await, before, "{name}");
        assert_eq!(app.effects().await, quiet, "{name}");
        let blocked = app.events("execution.blocked");
        let checks = blocked.last().expect("it is told").data["checks"].to_string();
        assert!(checks.contains("channel"), "{name}: {checks}");
    }
}
