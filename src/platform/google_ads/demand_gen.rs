//! Demand gen and display: ad groups of ads made of assets.
//!
//! Must not build requests. Limits: v26/common/ad_type_infos.proto (comments of ResponsiveDisplayAdInfo,
//! DemandGenMultiAssetAdInfo, DemandGenVideoResponsiveAdInfo); support.google.com/google-ads/answer/13704860 (demand gen's specs).

use super::ad_forms::AnyAd;
use super::channel::Channel;
use super::check::{Texts, foreign, texts};
use super::creatives::{CreativeForm, Format};
use super::images::{Cast, cast, counted};
use super::kinds::Kind;
use super::mapping::{Settings, object, trimmed};
use crate::domain::error::LegError;
use crate::domain::manifest::Desired;
use crate::domain::plan::{Ad, AdGroup};
use crate::domain::spec::LegSpec;
use crate::domain::tracking::without_utm;
use crate::platform::Check;

/// What a plan calls them, and Google's words on the button.
/// Source: v26/enums/call_to_action_type.proto.
pub(super) const CALLS: [(&str, &str); 17] = [
    ("learn_more", "Learn more"),
    ("get_quote", "Get quote"),
    ("apply_now", "Apply now"),
    ("sign_up", "Sign up"),
    ("contact_us", "Contact us"),
    ("subscribe", "Subscribe"),
    ("download", "Download"),
    ("book_now", "Book now"),
    ("shop_now", "Shop now"),
    ("buy_now", "Buy now"),
    ("donate_now", "Donate now"),
    ("order_now", "Order now"),
    ("play_now", "Play now"),
    ("see_more", "See more"),
    ("start_now", "Start now"),
    ("visit_site", "Visit site"),
    ("watch_now", "Watch now"),
];

/// How many of each text a format takes.
fn rules(format: Format) -> [Texts; 3] {
    let long = match format {
        Format::ResponsiveDisplay => Texts::new("long_headlines", 1, 1, 90),
        Format::MultiAsset => Texts::new("long_headlines", 0, 0, 90),
        Format::VideoResponsive => Texts::new("long_headlines", 1, 5, 90),
    };
    [
        Texts::new("headlines", 1, 5, 30),
        long,
        Texts::new("descriptions", 1, 5, 90),
    ]
}

fn format(ad: &Ad) -> Option<Format> {
    match ad.format.as_str() {
        "responsive_display" => Some(Format::ResponsiveDisplay),
        "multi_asset" => Some(Format::MultiAsset),
        "video_responsive" => Some(Format::VideoResponsive),
        _ => None,
    }
}

/// Which pictures a format needs and takes.
fn pictures(ad: &Ad, format: Format, cast: &Cast) -> Result<(), Box<LegError>> {
    let none = |what: &str, list: &[String]| counted(ad, what, list, 0, 0);
    match format {
        Format::ResponsiveDisplay => {
            let both: Vec<String> = cast.landscape.iter().chain(&cast.square).cloned().collect();
            let logos: Vec<String> = cast.logos.iter().chain(&cast.wide_logos).cloned().collect();
            counted(ad, "landscape images (1.91:1)", &cast.landscape, 1, 15)?;
            counted(ad, "square images (1:1)", &cast.square, 1, 15)?;
            counted(ad, "landscape and square images together", &both, 2, 15)?;
            counted(ad, "logos", &logos, 0, 5)?;
            counted(ad, "videos", &cast.videos, 0, 5)?;
            none("portrait images (4:5)", &cast.portrait)?;
            none("tall portrait images (9:16)", &cast.tall_portrait)
        }
        Format::MultiAsset => {
            let wide_or_square: Vec<String> = cast.landscape.iter().chain(&cast.square).cloned().collect();
            let all: Vec<String> = wide_or_square
                .iter()
                .chain(&cast.portrait)
                .chain(&cast.tall_portrait)
                .cloned()
                .collect();
            counted(
                ad,
                "landscape (1.91:1) or square (1:1) images",
                &wide_or_square,
                1,
                20,
            )?;
            counted(ad, "images", &all, 1, 20)?;
            counted(ad, "square logos (1:1)", &cast.logos, 1, 5)?;
            none("wide logos (4:1)", &cast.wide_logos)?;
            none("videos", &cast.videos)
        }
        Format::VideoResponsive => {
            counted(ad, "videos", &cast.videos, 1, 5)?;
            counted(ad, "square logos (1:1)", &cast.logos, 1, 5)?;
            for (what, list) in [
                ("landscape images", &cast.landscape),
                ("square images", &cast.square),
                ("portrait images", &cast.portrait),
                ("tall portrait images", &cast.tall_portrait),
                ("wide logos (4:1)", &cast.wide_logos),
            ] {
                none(what, list)?;
            }
            Ok(())
        }
    }
}

/// The ads of all ad groups.
pub(super) fn ads(spec: &LegSpec, settings: &Settings, account: &str) -> Result<Vec<Desired>, Box<LegError>> {
    let mut all = Vec::new();
    for group in &spec.campaign.ad_groups {
        for ad in &group.ads {
            let Some(format) = format(ad) else { continue };
            let cast = cast(spec, ad, &settings.logos, account)?;
            pictures(ad, format, &cast)?;
            let button = ad.call_to_action.as_deref();
            let form = CreativeForm {
                format,
                final_url: without_utm(&ad.landing_url).0.to_string(),
                headlines: trimmed(&ad.headlines),
                long_headlines: trimmed(&ad.long_headlines),
                descriptions: trimmed(&ad.descriptions),
                business_name: settings.business_name.as_ref().map(|name| name.trim().to_owned()),
                call_to_action: button.and_then(call).map(str::to_owned),
                landscape: Vec::new(),
                square: Vec::new(),
                portrait: Vec::new(),
                tall_portrait: Vec::new(),
                logos: Vec::new(),
                wide_logos: Vec::new(),
                videos: Vec::new(),
            };
            let form = AnyAd::Creative(form.with(cast));
            all.push(ad_object(spec, group, ad, &form));
        }
    }
    Ok(all)
}

/// An ad of an ad group. An ad's kind is for good: another format is another object.
pub(super) fn ad_object(spec: &LegSpec, group: &AdGroup, ad: &Ad, form: &AnyAd) -> Desired {
    let sign = match ad.format.as_str() {
        "video_responsive" => "video_ad",
        _ => "ad",
    };
    let name = format!(
        "{}/{}/{}#{}",
        spec.campaign_name,
        group.key,
        ad.key,
        form.fingerprint()
    );
    let key = format!("{sign}/{}/{}", group.key, ad.key);
    let parent = format!("ad_group/{}", group.key);
    object(&key, Kind::AdGroupAd, Some(&parent), Some(name), form.form())
}

/// Google's words for a plan's call to action.
fn call(plan: &str) -> Option<&'static str> {
    CALLS
        .iter()
        .find(|(ours, _)| *ours == plan)
        .map(|(_, words)| *words)
}

/// The channel's own rules.
pub(super) fn check(spec: &LegSpec, channel: Channel, settings: &Settings, problems: &mut Check) {
    if settings.business_name.is_none() {
        problems.no(
            "/settings/business_name",
            format!("{} ads need the name of the business", channel.as_str()),
            "give settings.business_name, at most 25 characters",
        );
    }
    if channel == Channel::DemandGen && settings.logos.is_empty() {
        problems.no(
            "/settings/logos",
            "demand gen ads need a logo",
            "say in settings.logos which of the ads' assets are logos",
        );
    }
    for (at, group) in spec.campaign.ad_groups.iter().enumerate() {
        let mut contents = std::collections::HashSet::new();
        for (n, ad) in group.ads.iter().enumerate() {
            let pointer = format!("/ad_groups/{at}/ads/{n}");
            let Some(format) = format(ad) else { continue };
            check_ad(ad, format, &pointer, problems);
            let content = (
                &ad.format,
                ad.landing_url.as_str(),
                &ad.headlines,
                &ad.long_headlines,
                &ad.descriptions,
                &ad.asset_ids,
                &ad.call_to_action,
            );
            if !contents.insert(content) {
                problems.no(
                    pointer,
                    "this ad is the same as another one of its ad group",
                    "leave it out",
                );
            }
        }
    }
}

fn check_ad(ad: &Ad, format: Format, pointer: &str, problems: &mut Check) {
    foreign(
        ad,
        pointer,
        &["primary_text", "path1", "path2", "width", "height"],
        problems,
    );
    for rule in rules(format) {
        texts(ad, pointer, &rule, problems);
    }
    if ad.asset_ids.is_empty() {
        problems.no(
            format!("{pointer}/asset_ids"),
            format!("{} ads need pictures or videos", ad.format),
            "give the ids of the library's assets",
        );
    }
    let Some(button) = &ad.call_to_action else { return };
    if format == Format::VideoResponsive {
        problems.no(
            format!("{pointer}/call_to_action"),
            "a video ad's call to action is chosen by Google here",
            "leave it out",
        );
    } else if call(button).is_none() {
        let known: Vec<&str> = CALLS.iter().map(|(ours, _)| *ours).collect();
        problems.no(
            format!("{pointer}/call_to_action"),
            format!(
                "Google Ads has no call to action {button:?}{}",
                super::check::nearest(button, &known)
            ),
            format!("use one of {}", known.join(", ")),
        );
    }
}
