//! What is found before anything is sent: plans that DV360 would refuse, assets that it cannot show.

use super::super::Dv360;
use super::{account, asset, eur, known, spec};
use crate::domain::error::ErrorClass;
use crate::domain::money::Money;
use crate::domain::plan::{FrequencyCap, Kpi, Objective};
use crate::domain::spec::LegSpec;
use crate::platform::Platform;
use serde_json::json;

#[test]
fn an_asset_is_uploaded_once_and_only_what_dv360_takes() {
    let spec = spec();
    assert_eq!(
        Dv360.upload(&spec, &asset(Some("4242"))),
        Ok(None),
        "it has a media id"
    );
    let upload = Dv360.upload(&spec, &asset(None)).unwrap().unwrap();
    assert_eq!(upload.name, "asset-img-003-abababababababab.jpg");
    assert!(upload.needs_content);
    let mut other = asset(None);
    other.asset_id = "unused".into();
    assert_eq!(Dv360.upload(&spec, &other), Ok(None), "no ad shows it");
    let mut large = asset(None);
    large.bytes = Some(10 * 1024 * 1024 + 1);
    let mut odd = asset(None);
    odd.mime_type = Some("application/pdf".into());
    let mut disguised = asset(None);
    disguised.mime_type = Some("video/mp4".into());
    for unfit in [large, odd, disguised] {
        let error = Dv360.upload(&spec, &unfit).unwrap_err();
        assert_eq!(error.class, ErrorClass::AssetMissing, "{error:?}");
    }
}

#[test]
fn an_asset_without_a_media_id_is_missing() {
    let mut spec = spec();
    spec.assets.insert("asset-img-003".into(), asset(None));
    let error = Dv360.desire(&spec, &account(), &known()).unwrap_err();
    assert_eq!(error.class, ErrorClass::AssetMissing);
    assert_eq!(error.field.as_deref(), Some("asset-img-003"));
}

/// Each change makes exactly one thing wrong; its place and a remedy are told.
#[test]
fn what_dv360_would_refuse_is_found_before_anything_is_sent() {
    type Change = fn(&mut LegSpec);
    let kpi = |kind: &str| Kpi {
        kind: kind.to_owned(),
        amount: Money::parse("5.00", eur()).unwrap(),
    };
    let cases: &[(&str, Change)] = &[
        ("/channel", |s| s.campaign.channel = None),
        ("/channel", |s| s.campaign.channel = Some("audio".into())),
        ("/objective", |s| s.campaign.objective = Objective::Engagement),
        ("/settings/pacin", |s| {
            drop(s.campaign.settings.insert("pacin".into(), json!("even")))
        }),
        ("/settings/pacing", |s| {
            drop(s.campaign.settings.insert("pacing".into(), json!("asap")))
        }),
        ("/settings/markup_percent", |s| {
            drop(
                s.campaign
                    .settings
                    .insert("markup_percent".into(), json!("1.2345")),
            )
        }),
        ("/settings/app_id", |s| {
            drop(s.campaign.settings.insert("app_id".into(), json!("a.b")))
        }),
        ("/settings/floodlight_activity_ids", |s| {
            s.campaign.objective = Objective::Sales
        }),
        ("/settings/app_id", |s| s.campaign.objective = Objective::App),
        ("/schedule/end", |s| s.campaign.schedule.end = None),
        ("/schedule/end", |s| {
            s.campaign.schedule.end = Some("2037-02-01T00:00:00Z".parse().unwrap())
        }),
        ("/budget/amount", |s| s.campaign.budget.amount.micros = 0),
        ("/bidding/strategy", |s| {
            s.campaign.bidding.strategy = "lowest_cost".into()
        }),
        ("/bidding/bid", |s| s.campaign.bidding.bid = None),
        ("/bidding/bid", |s| {
            s.campaign.bidding.bid = Some(Money::parse("1000.01", eur()).unwrap())
        }),
        ("/bidding/target_roas", |s| {
            s.campaign.bidding.target_roas_micros = Some(1)
        }),
        ("/frequency_cap", |s| {
            s.campaign.frequency_cap = Some(FrequencyCap {
                impressions: 3,
                per: "lifetime".into(),
            })
        }),
        ("/frequency_cap", |s| {
            s.campaign.frequency_cap = Some(FrequencyCap {
                impressions: 0,
                per: "day".into(),
            })
        }),
        ("/audience/countries/0", |s| {
            s.campaign.audience.countries = vec!["XX".into()]
        }),
        ("/audience/languages/0", |s| {
            s.campaign.audience.languages = vec!["xx".into()]
        }),
        ("/audience/age_min", |s| s.campaign.audience.age_min = Some(20)),
        ("/audience/genders/0", |s| {
            s.campaign.audience.genders = vec!["other".into()]
        }),
        ("/ad_groups/0/ads/0/format", |s| {
            s.campaign.ad_groups[0].ads[0].format = "single_video".into()
        }),
        ("/ad_groups/0/ads/0/asset_ids", |s| {
            s.campaign.ad_groups[0].ads[0].asset_ids.clear()
        }),
        ("/ad_groups/0/ads/0/headlines", |s| {
            s.campaign.ad_groups[0].ads[0].headlines.push("x".into())
        }),
    ];
    for (pointer, change) in cases {
        let mut spec = spec();
        change(&mut spec);
        let problems = Dv360.check(&spec);
        let at: Vec<&str> = problems.iter().map(|p| p.pointer.as_str()).collect();
        assert_eq!(at, [*pointer], "{problems:?}");
        assert!(!problems[0].remedy.is_empty());
    }
    for (strategy, kind, fine) in [
        ("maximize_spend", "cpc", true),
        ("maximize_spend", "vcpm", true),
        ("maximize_spend", "cpm", false),
        ("maximize_spend", "cpiavc", false),
        ("performance_goal", "cpc", true),
        ("performance_goal", "cpm", false),
        ("fixed", "cpiavc", true),
        ("fixed", "ctr", false),
    ] {
        let mut spec = spec();
        spec.campaign.bidding.strategy = strategy.into();
        spec.campaign.bidding.kpi = Some(kpi(kind));
        assert_eq!(Dv360.check(&spec).is_empty(), fine, "{strategy} {kind}");
    }
}

/// The table that people read is what `check` does.
#[test]
fn every_objective_on_every_channel_is_offered_or_refused_in_the_same_words() {
    for objective in Objective::ALL {
        for channel in [None, Some("display"), Some("video"), Some("search")] {
            let mut spec = spec();
            spec.campaign.objective = objective;
            spec.campaign.channel = channel.map(str::to_owned);
            let format = if channel == Some("video") {
                "single_video"
            } else {
                "display_image"
            };
            let ad = &mut spec.campaign.ad_groups[0].ads[0];
            ad.format = format.into();
            if format == "single_video" {
                ad.width = None;
                ad.height = None;
            }
            let settings = &mut spec.campaign.settings;
            if matches!(objective, Objective::Sales | Objective::Leads) {
                settings.insert("floodlight_activity_ids".into(), json!(["1"]));
            }
            if objective == Objective::App {
                settings.insert("app_id".into(), json!("com.acme"));
            }
            let problems = Dv360.check(&spec);
            match Dv360.offer(objective, channel) {
                Ok(words) => {
                    assert_eq!(problems, [], "{objective:?} {channel:?}");
                    assert!(!words.is_empty());
                    assert!(Dv360.desire(&spec, &account(), &known()).is_ok());
                }
                Err(no) => {
                    let told = problems
                        .iter()
                        .any(|p| p.what == no.why && p.remedy == no.instead);
                    assert!(told, "{objective:?} {channel:?}: {problems:?}");
                }
            }
        }
    }
}
