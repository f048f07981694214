//! Performance Max: each ad group of the plan is an asset group, filled by its one ad.
//!
//! Must not build requests. What Google demands (developers.google.com/google-ads/api/performance-max/asset-groups,
//! …/asset-requirements): an asset group and its links come in one request; texts that repeat are made before; with brand
//! guidelines name and logo are the campaign's, else each group's; with products a feed stands in for the assets, but whoever
//! links any must link all that are required.

use super::check::{Texts, foreign, texts};
use super::images::{Cast, cast, counted};
use super::kinds::Kind;
use super::links::{AssetGroupForm, LinkForm, text_key};
use super::mapping::{Settings, fit, form, object, unfit};
use crate::domain::error::LegError;
use crate::domain::manifest::Desired;
use crate::domain::plan::{Ad, AdGroup};
use crate::domain::spec::LegSpec;
use crate::domain::tracking::without_utm;
use crate::platform::Check;
use serde_json::json;

/// `AssetGroup.name`: at most 128 characters.
const NAME: usize = 128;
const HEADLINES: Texts = Texts::new("headlines", 3, 15, 30);
const LONG_HEADLINES: Texts = Texts::new("long_headlines", 1, 5, 90);
const DESCRIPTIONS: Texts = Texts::new("descriptions", 2, 5, 90);
/// A group needs one headline and one description as short as this.
const SHORT: (usize, usize) = (15, 60);

/// Whether the campaign's products come from a feed.
pub(super) fn has_products(spec: &LegSpec, settings: &Settings) -> bool {
    let feed = spec.catalog.as_ref().and_then(|c| c.merchant_account.as_ref());
    settings.products.unwrap_or(feed.is_some())
}

/// Without any text or picture: all of it comes from the feed.
fn bare(ad: &Ad) -> bool {
    ad.asset_ids.is_empty()
        && ad.headlines.is_empty()
        && ad.long_headlines.is_empty()
        && ad.descriptions.is_empty()
}

/// The texts that must be there before any link to them: each once, whatever shows it.
pub(super) fn text_objects(spec: &LegSpec, settings: &Settings) -> Vec<Desired> {
    let filled = spec
        .campaign
        .ad_groups
        .iter()
        .flat_map(|group| &group.ads)
        .filter(|ad| !bare(ad));
    let mut texts: Vec<&str> = Vec::new();
    for ad in filled {
        let own = [&ad.headlines, &ad.long_headlines, &ad.descriptions];
        texts.extend(own.into_iter().flatten().map(|text| text.trim()));
        texts.extend(settings.business_name.as_deref().map(str::trim));
    }
    let mut seen = std::collections::HashSet::new();
    let once = texts.into_iter().filter(|text| seen.insert(*text));
    once.map(|text| {
        let fields = json!({ "text": text });
        object(&text_key(text), Kind::Asset, None, Some(text.to_owned()), fields)
    })
    .collect()
}

fn part(part: &str, asset: &str) -> LinkForm {
    LinkForm {
        part: part.to_owned(),
        text: None,
        asset: Some(asset.to_owned()),
    }
}

fn said(part: &str, text: &str) -> LinkForm {
    LinkForm {
        part: part.to_owned(),
        text: Some(text.trim().to_owned()),
        asset: None,
    }
}

/// Name and logos.
fn brand(settings: &Settings, cast: &Cast) -> Vec<LinkForm> {
    let mut links: Vec<LinkForm> = settings
        .business_name
        .iter()
        .map(|name| said("BUSINESS_NAME", name))
        .collect();
    links.extend(cast.logos.iter().map(|asset| part("LOGO", asset)));
    links.extend(cast.wide_logos.iter().map(|asset| part("LANDSCAPE_LOGO", asset)));
    links
}

fn required(ad: &Ad, cast: &Cast) -> Result<(), Box<LegError>> {
    counted(ad, "landscape images (1.91:1)", &cast.landscape, 1, 20)?;
    counted(ad, "square images (1:1)", &cast.square, 1, 20)?;
    counted(ad, "portrait images (4:5)", &cast.portrait, 0, 20)?;
    counted(ad, "tall portrait images (9:16)", &cast.tall_portrait, 0, 20)?;
    counted(ad, "square logos (1:1)", &cast.logos, 1, 5)?;
    counted(ad, "wide logos (4:1)", &cast.wide_logos, 0, 5)?;
    counted(ad, "videos", &cast.videos, 0, 15)
}

/// Everything of the campaign's that only this channel has, in the order in which it is made.
pub(super) fn objects(
    spec: &LegSpec,
    settings: &Settings,
    account: &str,
) -> Result<Vec<Desired>, Box<LegError>> {
    let guidelines = settings.brand_guidelines.unwrap_or(true);
    let (mut brands, mut groups, mut filters, mut links) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for group in &spec.campaign.ad_groups {
        let Some(ad) = group.ads.first() else { continue };
        let key = format!("asset_group/{}", group.key);
        let name = fit(&format!("{}/{}", spec.campaign_name, group.key), NAME);
        let fields = AssetGroupForm {
            name: name.clone(),
            final_url: without_utm(&ad.landing_url).0.to_string(),
            path1: ad.path1.clone(),
            path2: ad.path2.clone(),
        };
        groups.push(object(
            &key,
            Kind::AssetGroup,
            Some("campaign"),
            Some(name),
            form(&fields),
        ));
        if has_products(spec, settings) {
            let fields = json!({"products": "all"});
            let key = format!("products/{}", group.key);
            let parent = format!("asset_group/{}", group.key);
            filters.push(object(
                &key,
                Kind::ListingGroupFilter,
                Some(&parent),
                None,
                fields,
            ));
        }
        if bare(ad) {
            continue;
        }
        let cast = cast(spec, ad, &settings.logos, account)?;
        required(ad, &cast)?;
        let own = filling(ad, &cast);
        let brand = brand(settings, &cast);
        if guidelines {
            brands.extend(brand);
            push_links(
                &mut links,
                &format!("show/{}", group.key),
                Kind::AssetGroupAsset,
                &key,
                own,
            );
        } else {
            let all = own.into_iter().chain(brand).collect();
            push_links(
                &mut links,
                &format!("show/{}", group.key),
                Kind::AssetGroupAsset,
                &key,
                all,
            );
        }
    }
    let mut seen = std::collections::HashSet::new();
    brands.retain(|link| seen.insert(link.fingerprint()));
    let logos = brands.iter().filter(|link| link.part == "LOGO").count();
    if logos > 5 {
        let what = format!("{logos} square logos in one campaign; Google Ads takes 5");
        return Err(unfit(what, "name fewer in settings.logos"));
    }
    let mut all = Vec::new();
    push_links(&mut all, "brand", Kind::CampaignAsset, "campaign", brands);
    all.extend(groups);
    all.extend(filters);
    all.extend(links);
    Ok(all)
}

/// What fills an asset group, without the brand.
fn filling(ad: &Ad, cast: &Cast) -> Vec<LinkForm> {
    let texts = [
        ("HEADLINE", &ad.headlines),
        ("LONG_HEADLINE", &ad.long_headlines),
        ("DESCRIPTION", &ad.descriptions),
    ];
    let pictures = [
        ("MARKETING_IMAGE", &cast.landscape),
        ("SQUARE_MARKETING_IMAGE", &cast.square),
        ("PORTRAIT_MARKETING_IMAGE", &cast.portrait),
        ("TALL_PORTRAIT_MARKETING_IMAGE", &cast.tall_portrait),
        ("YOUTUBE_VIDEO", &cast.videos),
    ];
    let texts = texts
        .into_iter()
        .flat_map(|(part, list)| list.iter().map(move |text| said(part, text)));
    let pictures = pictures
        .into_iter()
        .flat_map(|(name, list)| list.iter().map(move |asset| part(name, asset)));
    texts.chain(pictures).collect()
}

fn push_links(into: &mut Vec<Desired>, prefix: &str, kind: Kind, parent: &str, links: Vec<LinkForm>) {
    let mut seen = std::collections::HashSet::new();
    for link in links.into_iter().filter(|link| seen.insert(link.key())) {
        let key = format!("{prefix}/{}", link.key());
        into.push(object(&key, kind, Some(parent), None, form(&link)));
    }
}

/// The channel's own rules.
pub(super) fn check(spec: &LegSpec, settings: &Settings, problems: &mut Check) {
    let products = has_products(spec, settings);
    if products && spec.catalog.as_ref().is_none_or(|c| c.merchant_account.is_none()) {
        problems.no(
            "/settings/products",
            "products come from a Merchant Center account, and the plan names none",
            "give the plan's catalog.merchant_account, or leave products out",
        );
    }
    let mut any = false;
    for (at, group) in spec.campaign.ad_groups.iter().enumerate() {
        let pointer = format!("/ad_groups/{at}");
        any |= group.ads.iter().any(|ad| !bare(ad));
        check_group(group, &pointer, products, problems);
    }
    if spec.campaign.ad_groups.len() > 100 {
        problems.no("/ad_groups", "more than 100 asset groups", "split the campaign");
    }
    match settings.business_name.as_deref().map(str::trim) {
        None if any => problems.no(
            "/settings/business_name",
            "performance max needs the name of the business",
            "give settings.business_name, at most 25 characters",
        ),
        Some(_) | None => {}
    }
    if any && settings.logos.is_empty() {
        problems.no(
            "/settings/logos",
            "performance max needs a logo",
            "say in settings.logos which of the ads' assets are logos",
        );
    }
    if settings.feed_label.is_some() && !products {
        problems.no(
            "/settings/feed_label",
            "this campaign has no products, and so no feed",
            "leave it out, or give the plan's catalog.merchant_account",
        );
    }
}

fn check_group(group: &AdGroup, pointer: &str, products: bool, problems: &mut Check) {
    if group.ads.len() > 1 {
        problems.no(
            format!("{pointer}/ads/1"),
            "an asset group is filled by one ad",
            "make an ad group of each ad",
        );
    }
    let Some(ad) = group.ads.first() else { return };
    let pointer = format!("{pointer}/ads/0");
    foreign(
        ad,
        &pointer,
        &["primary_text", "call_to_action", "width", "height"],
        problems,
    );
    if products && bare(ad) {
        return;
    }
    for rule in [HEADLINES, LONG_HEADLINES, DESCRIPTIONS] {
        texts(ad, &pointer, &rule, problems);
    }
    for (name, list, most) in [
        ("headlines", &ad.headlines, SHORT.0),
        ("descriptions", &ad.descriptions, SHORT.1),
    ] {
        if !list.is_empty() && list.iter().all(|text| super::check::width(text) > most) {
            let what = format!("one of the {name} must have {most} characters or less");
            problems.no(format!("{pointer}/{name}"), what, "add a short one");
        }
    }
    if ad.asset_ids.is_empty() {
        problems.no(
            format!("{pointer}/asset_ids"),
            "an asset group needs pictures and a logo",
            "give at least one landscape (1.91:1), one square (1:1) and one logo",
        );
    }
}
