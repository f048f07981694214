//! Every platform on every channel and in every form of campaign that it offers, not only in the example's: built, read back,
//! amended, switched, removed; and never twice, whatever call is lost.
//!
//! Must not match on a platform outside `samples`: a new one adds its forms there.

use super::bench::{Bench, Leg};
use super::losses;
use crate::support::plans;
use campaign_execution::domain::manifest::Serving;
use campaign_execution::domain::money::Money;
use campaign_execution::domain::plan::Objective;
use campaign_execution::domain::tracking;
use campaign_execution::platform::{self, CallError, Goal, Op, Platform};
use serde_json::{Value, json};
use std::sync::Arc;

/// One form of campaign.
pub struct Sample {
    /// For messages: `performance_max, with products`.
    pub name: &'static str,
    pub channel: &'static str,
    pub objective: &'static str,
    /// The parts of the campaign that make the form.
    pub campaign: Value,
    /// The plan's catalog.
    pub catalog: Value,
    /// How the keys begin of what an account holds once for all its legs; none has such things where this is empty.
    pub shared: &'static str,
}

impl Sample {
    /// A plan with this one campaign.
    pub fn plan(&self, platform: &str, version: &str) -> Value {
        let mut plan = plans::only(plans::plan(version), platform);
        plan["catalog"] = self.catalog.clone();
        let campaign = &mut plan["campaigns"][0];
        campaign["channel"] = json!(self.channel);
        campaign["objective"] = json!(self.objective);
        for (field, value) in self.campaign.as_object().expect("fields") {
            campaign[field] = value.clone();
        }
        plan
    }
}

/// What a platform offers beside the example's campaign. Each channel that it offers must be there.
fn samples(platform: &str) -> Vec<Sample> {
    match platform {
        "google-ads" => super::google_ads::samples(),
        "dv360" => super::dv360::samples(),
        _ => Vec::new(),
    }
}

/// Every form of campaign of every platform.
pub fn all() -> Vec<(Arc<dyn Platform>, Sample)> {
    let forms = |platform: Arc<dyn Platform>| {
        let samples = samples(platform.name());
        samples.into_iter().map(move |sample| (platform.clone(), sample))
    };
    platform::all().into_iter().flat_map(forms).collect()
}

#[test]
fn each_channel_that_a_platform_offers_has_a_form_here_or_is_the_examples() {
    for platform in platform::all() {
        let name = platform.name();
        let example = plans::only(plans::plan("offers.1"), name);
        let example = example["campaigns"][0]["channel"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        for channel in platform.channels() {
            let offered = Objective::ALL
                .iter()
                .any(|objective| platform.offer(*objective, Some(channel)).is_ok());
            let shown = samples(name).iter().any(|sample| sample.channel == *channel);
            assert!(
                !offered || shown || example == *channel,
                "{name} offers {channel}: add its form to `samples`"
            );
        }
    }
}

async fn built(bench: &Bench, sample: &Sample, version: &str) -> Leg {
    let plan = sample.plan(bench.platform.name(), version);
    let mut leg = bench.leg_of(plan).await;
    let reached = bench.reach(Goal::Built, &mut leg).await;
    assert!(reached.is_ok(), "{}: {reached:?}", sample.name);
    leg
}

#[tokio::test(flavor = "multi_thread")]
async fn each_form_is_built_read_back_amended_switched_and_removed() {
    for (platform, sample) in all() {
        let name = sample.name;
        let bench = Bench::start(platform).await;
        let mut leg = built(&bench, &sample, "form.1").await;
        assert_eq!(bench.next(Goal::Built, &leg), [], "{name}: built is built");
        let reading = bench.read(&leg).await;
        assert_eq!(leg.differences(&reading), [] as [String; 0], "{name}");
        assert!(
            reading.objects.iter().all(|o| o.serving != Serving::Active),
            "{name}: all is paused"
        );
        let id = leg.manifest.campaign_id().expect("the campaign's id").to_owned();
        let rule = bench.platform.traits().tracking;
        let mode = tracking::check(rule, reading.auto_tagging, &id, &reading.tracking);
        assert!(mode.is_ok(), "{name}: {mode:?}");

        amend(&bench, &mut leg, name).await;

        bench.reach(Goal::Active, &mut leg).await.expect("on");
        let active = bench.read(&leg).await;
        assert_eq!(
            leg.differences(&active),
            [] as [String; 0],
            "{name}: on is not changed"
        );
        let campaign = active.objects.iter().find(|o| o.key == "campaign");
        assert_eq!(campaign.expect("it").serving, Serving::Active, "{name}");
        bench.reach(Goal::Paused, &mut leg).await.expect("off");

        let before = leg.manifest.clone();
        let removals = bench.reach(Goal::Removed, &mut leg).await.expect("removed");
        assert_eq!(leg.manifest.existing().count(), 0, "{name}: nothing is forgotten");
        leg.manifest = before;
        assert_eq!(bench.read(&leg).await.objects, [], "{name}: nothing is left");
        for removal in removals {
            let again = bench.platform.execute(&bench.session, &removal).await;
            assert!(again.is_ok(), "{name}: already gone is success: {again:?}");
        }
    }
}

/// Another budget is one update; another text ends as desired, with nothing twice.
async fn amend(bench: &Bench, leg: &mut Leg, name: &str) {
    let budget = &mut leg.spec.campaign.budget.amount;
    *budget = Money::from_micros(budget.micros + 10_000_000, budget.currency);
    bench.desire(leg);
    let sent = bench.reach(Goal::Built, leg).await.expect("changed");
    assert_eq!(sent.len(), 1, "{name}: {sent:?}");
    assert!(matches!(sent[0].op, Op::Update { .. }), "{name}: {sent:?}");
    let ad = &mut leg.spec.campaign.ad_groups[0].ads[0];
    ad.landing_url = "https://shop.acme.example/summer?ref=x&utm_source=y"
        .parse()
        .expect("a URL");
    if let Some(text) = ad.descriptions.last_mut() {
        *text = "Another text.".to_owned();
    }
    bench.desire(leg);
    let changed = bench.reach(Goal::Built, leg).await;
    assert!(changed.is_ok(), "{name}: {changed:?}");
    assert_eq!(bench.next(Goal::Built, leg), [], "{name}");
    let reading = bench.read(leg).await;
    assert_eq!(leg.differences(&reading), [] as [String; 0], "{name}");
    assert!(
        reading.tracking.iter().all(|o| !o.value.contains("utm_")),
        "{name}: {:?}",
        reading.tracking
    );
    assert_eq!(bench.duplicates().await, [] as [String; 0], "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_form_is_made_twice_whatever_call_is_lost() {
    for (platform, sample) in all() {
        for (loss, fault, effect) in losses() {
            let bench = Bench::start(platform.clone()).await;
            let mut struck = 0;
            loop {
                let what = format!("{}, creation {struck}: {loss}", sample.name);
                let plan = sample.plan(platform.name(), &format!("lost.{struck}"));
                let mut leg = bench.leg_of(plan).await;
                let faults = std::slice::from_ref(&fault);
                let Some((mutation, outcome)) = bench.strike(&mut leg, struck, faults).await else {
                    break;
                };
                assert!(
                    matches!(outcome, Err(CallError::Unclear { .. })),
                    "{what}: {outcome:?}"
                );
                let found = bench.find(&leg, &mutation.objects).await;
                for key in &mutation.objects {
                    let times = found.iter().filter(|f| f.key == *key).count();
                    // What an account holds once for all its legs may have been there before.
                    let shared =
                        !effect && times == 1 && !sample.shared.is_empty() && key.starts_with(sample.shared);
                    assert!(
                        times == usize::from(effect) || shared,
                        "{what}: {key} is there {times} times"
                    );
                }
                leg.adopt(&found);
                let reached = bench.reach(Goal::Built, &mut leg).await;
                assert!(reached.is_ok(), "{what}: {reached:?}");
                let reading = bench.read(&leg).await;
                assert_eq!(leg.differences(&reading), [] as [String; 0], "{what}");
                struck += 1;
            }
            assert!(struck > 0, "{}: nothing is created", sample.name);
            assert_eq!(
                bench.duplicates().await,
                [] as [String; 0],
                "{}: {loss}",
                sample.name
            );
        }
    }
}
