//! What each ad format takes from the plan and what it must have. Pure.
//!
//! Must not let anything of an ad be dropped silently: a text, an asset or a size that the format has no place for is a problem
//! that names it.

use super::mapping::CALLS_TO_ACTION;
use crate::domain::plan::Ad;
use crate::domain::spec::LegSpec;
use crate::platform::Check;
use std::ops::RangeInclusive;

/// One image with a link.
pub(super) const IMAGE: &str = "single_image";
/// One video with a button.
pub(super) const VIDEO: &str = "single_video";
/// Two to ten cards.
pub(super) const CAROUSEL: &str = "carousel";
/// Products of a catalog, put into a template when the ad is shown.
pub(super) const CATALOG: &str = "catalog";

/// Every format.
pub(super) const ALL: [&str; 4] = [IMAGE, VIDEO, CAROUSEL, CATALOG];

/// How many cards a carousel has (reference/ad-creative-link-data: `child_attachments`).
pub(super) const CARDS: RangeInclusive<usize> = 2..=10;

/// A card of a carousel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Card<'a> {
    /// What it shows, an id in the library.
    pub(super) shown: &'a str,
    /// The still of a video; none: it shows an image.
    pub(super) still: Option<&'a str>,
}

/// The cards that an ad's assets make: each image is one; a video is one together with the image right after it, its still.
/// What is not known to be a video counts as an image.
pub(super) fn cards<'a>(spec: &LegSpec, ad: &'a Ad) -> Vec<Card<'a>> {
    let mut ids = ad.asset_ids.iter().map(String::as_str);
    let mut cards = Vec::new();
    while let Some(shown) = ids.next() {
        let still = if kind(spec, shown) == Some("video") {
            ids.next()
        } else {
            None
        };
        cards.push(Card { shown, still });
    }
    cards
}

/// `image` or `video`, as soon as the library was asked.
pub(super) fn kind<'s>(spec: &'s LegSpec, id: &str) -> Option<&'s str> {
    spec.assets.get(id).map(|asset| asset.kind.as_str())
}

/// Whether a carousel of so many cards can have so many texts of a kind: none, one for all, or one for each.
pub(super) fn texts_fit(cards: usize, texts: usize) -> bool {
    texts <= 1 || texts == cards
}

/// What is wrong with an ad.
pub(super) fn ad(spec: &LegSpec, ad: &Ad, at: &str, check: &mut Check) {
    if !ALL.contains(&ad.format.as_str()) {
        check.no(
            format!("{at}/format"),
            format!("{:?} is not offered on Meta", ad.format),
            format!("use {}", ALL.join(", ")),
        );
        return;
    }
    assets(spec, ad, at, check);
    texts(spec, ad, at, check);
    if let Some(action) = &ad.call_to_action
        && !CALLS_TO_ACTION.contains(&action.to_uppercase().as_str())
    {
        check.no(
            format!("{at}/call_to_action"),
            format!("Meta does not offer {action:?}"),
            "use shop_now, learn_more, sign_up …",
        );
    }
    let path = "Meta has no display path";
    let size = "Meta takes an asset's own size";
    for (given, field, what) in [
        (ad.path1.is_some(), "path1", path),
        (ad.path2.is_some(), "path2", path),
        (ad.width.is_some(), "width", size),
        (ad.height.is_some(), "height", size),
        (
            !ad.long_headlines.is_empty(),
            "long_headlines",
            "Meta has one kind of headline: headlines",
        ),
    ] {
        if given {
            check.no(format!("{at}/{field}"), what, "take it out");
        }
    }
}

fn assets(spec: &LegSpec, ad: &Ad, at: &str, check: &mut Check) {
    let kinds: Vec<Option<&str>> = ad.asset_ids.iter().map(|id| kind(spec, id)).collect();
    let may = |n: usize, wanted: &str| kinds.get(n).is_none_or(|k| k.is_none_or(|k| k == wanted));
    let count = ad.asset_ids.len();
    let (fine, what) = match ad.format.as_str() {
        IMAGE => (count == 1 && may(0, "image"), "one image"),
        // In either order, once both kinds are known.
        VIDEO => (
            count == 2 && (may(0, "video") && may(1, "image") || may(0, "image") && may(1, "video")),
            "one video and one image as its still",
        ),
        CAROUSEL => (
            carousel(spec, ad),
            "two to ten cards, each an image, or a video followed by its still",
        ),
        _ => (count == 0, "no assets: it shows the catalog's own"),
    };
    if !fine {
        check.no(
            format!("{at}/asset_ids"),
            format!("{} takes {what}", ad.format),
            "name just those assets, in that order",
        );
    }
}

/// Before the library was asked, what is a card cannot be told: each may be a video with its still.
fn carousel(spec: &LegSpec, ad: &Ad) -> bool {
    if !resolved(spec, ad) {
        return (*CARDS.start()..=2 * CARDS.end()).contains(&ad.asset_ids.len());
    }
    let cards = cards(spec, ad);
    let still = |c: &Card<'_>| match c.still {
        Some(id) => kind(spec, id) != Some("video"),
        None => kind(spec, c.shown) != Some("video"),
    };
    CARDS.contains(&cards.len()) && cards.iter().all(still)
}

/// Whether the library was asked for all of the ad's assets.
fn resolved(spec: &LegSpec, ad: &Ad) -> bool {
    ad.asset_ids.iter().all(|id| kind(spec, id).is_some())
}

fn texts(spec: &LegSpec, ad: &Ad, at: &str, check: &mut Check) {
    let cards = cards(spec, ad).len();
    for (texts, name) in [(&ad.headlines, "headlines"), (&ad.descriptions, "descriptions")] {
        let fine = match (ad.format == CAROUSEL, resolved(spec, ad)) {
            (true, true) => texts_fit(cards, texts.len()),
            (true, false) => texts.len() <= cards,
            (false, _) => texts.len() <= 1,
        };
        if !fine {
            let (what, remedy) = if ad.format == CAROUSEL {
                (
                    format!("a carousel of {cards} cards has a text for each, or one for all"),
                    "write one or as many as cards",
                )
            } else {
                (format!("{} shows one of the {name}", ad.format), "keep the first")
            };
            check.no(format!("{at}/{name}"), what, remedy);
        }
    }
}
