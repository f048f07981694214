//! Images and videos of an ad account: uploads, and what became of them.
//!
//! An image is kept by its content: the same bytes again are the same image. A video is another one each time, and cannot be used
//! before it is processed (`transcoding_ms`). Must not fetch anything: what a `file_url` leads to is taken on trust. Sources:
//! <https://developers.facebook.com/docs/marketing-api/reference/ad-account/adimages>,
//! <https://developers.facebook.com/docs/marketing-api/reference/ad-account/advideos>.

use super::errors::Fault;
use super::params::{Params, json as json_param, only, text, typed};
use super::write::{Done, make, open};
use super::{NAME, accounts, render};
use crate::sandbox::store::Handle;
use crate::sandbox::world::{World, mentions};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What image files begin with: JPEG, PNG, GIF.
const IMAGES: &[&[u8]] = &[&[0xff, 0xd8, 0xff], b"\x89PNG\r\n\x1a\n", b"GIF8"];
/// A title "must be less than 255 characters".
const TITLE: usize = 254;

/// `POST /act_X/adimages`.
pub(super) fn add_image(world: &mut World, account: &str, params: &Params) -> Result<Done, Fault> {
    open(world, account)?;
    let fields = typed(params, "create", "adimages", accounts::zone(world, account))?;
    let bytes = text(&fields, "bytes");
    if bytes.is_empty() {
        return Err(Fault::required("bytes"));
    }
    let content = STANDARD
        .decode(bytes)
        .map_err(|_| Fault::invalid("bytes", "bytes must be base64"))?;
    if !IMAGES.iter().any(|magic| content.starts_with(magic)) {
        let message = "The type of file is not supported for an image";
        return Err(Fault::new(100, message).sub(1_487_411).blaming("bytes"));
    }
    let mut hash = hex::encode(Sha256::digest(&content));
    hash.truncate(32);
    let known = world
        .store
        .named(NAME, account, "adimage", &hash)
        .first()
        .copied();
    let (handle, effect) = match known {
        Some(handle) => (handle, false),
        None => {
            let fields = json!({"hash": hash, "_index": hash, "status": "ACTIVE", "url": format!("https://scontent.example/{hash}")});
            let fields = fields.as_object().cloned().unwrap_or_default();
            (make(world, account, "adimage", fields, None), true)
        }
    };
    world.store.commit();
    let url = world.store.get(handle).text("url").to_owned();
    Ok((json!({"images": {"bytes": {"hash": hash, "url": url}}}), effect))
}

/// `POST /act_X/advideos`, by a URL that the vendor fetches.
pub(super) fn add_video(world: &mut World, account: &str, params: &Params) -> Result<Done, Fault> {
    open(world, account)?;
    let mut fields = typed(params, "create", "advideos", accounts::zone(world, account))?;
    let url = text(&fields, "file_url");
    if !url::Url::parse(url).is_ok_and(|u| matches!(u.scheme(), "http" | "https")) {
        return Err(Fault::new(389, "Unable to fetch video file from URL.").blaming("file_url"));
    }
    if text(&fields, "title").chars().count() > TITLE {
        return Err(Fault::invalid("title", "a title has less than 255 characters"));
    }
    fields.insert("_index".into(), text(&fields, "title").into());
    let handle = make(world, account, "advideo", fields, None);
    world.store.commit();
    Ok((json!({"id": world.store.get(handle).key}), true))
}

/// `ready`, `processing` or `error`.
pub(super) fn status(world: &World, handle: Handle) -> &'static str {
    let video = world.store.get(handle);
    let takes = i64::try_from(world.switches.transcoding_ms).unwrap_or(i64::MAX / 2);
    if mentions(&world.switches.policy_finding, &[video.text("title")]) {
        "error"
    } else if world.now - video.created_at < TimeDelta::milliseconds(takes) {
        "processing"
    } else {
        "ready"
    }
}

/// `GET /act_X/adimages?hashes=[…]`, `GET /act_X/advideos?title=…` (a filter that is fuzzy, as the vendor's searches by name
/// are: what contains the words is shown).
pub(super) fn list(
    world: &World,
    account: &str,
    kind: &'static str,
    params: &Params,
) -> Result<Value, Fault> {
    const IMAGE: &[&str] = &[
        "biz_tag_id",
        "business_id",
        "hashes",
        "minheight",
        "minwidth",
        "name",
        "selected_hashes",
        "limit",
        "after",
        "before",
        "summary",
    ];
    const VIDEO: &[&str] = &[
        "title",
        "minlength",
        "maxlength",
        "limit",
        "after",
        "before",
        "summary",
    ];
    let image = kind == "adimage";
    only(params, if image { IMAGE } else { VIDEO })?;
    let hashes: Option<Vec<String>> = json_param(params, "hashes")?
        .map(|v| serde_json::from_value(v).map_err(|_| Fault::invalid("hashes", "hashes must be a list")))
        .transpose()?;
    let title = text(params, "title").to_lowercase();
    let asked = render::parse(text(params, "fields"))?;
    let shown = |handle: &&Handle| {
        let object = world.store.get(**handle);
        let fits = match &hashes {
            Some(hashes) => hashes.iter().any(|hash| hash == object.text("hash")),
            None => object.text("title").to_lowercase().contains(&title),
        };
        world.store.visible(**handle) && fits
    };
    let all = world.store.all(NAME, account, kind).iter().rev();
    let data = all
        .filter(shown)
        .map(|h| render::object(world, *h, &asked))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(json!({"data": data}))
}

/// Whether a creative may show the video: it is the account's own and processed, or known elsewhere (the asset library hands
/// out ids of videos that were uploaded long ago).
pub(super) fn usable(world: &World, id: &str) -> Result<(), Fault> {
    if id.is_empty() || !id.bytes().all(|b| b.is_ascii_digit()) {
        let message = format!("The video {id} does not exist");
        return Err(Fault::new(100, message).blaming("video_id"));
    }
    let known = world.store.find(NAME, id);
    match known.filter(|h| world.store.get(*h).kind == "advideo") {
        Some(video) if status(world, video) != "ready" => {
            let message = "The video is not ready yet: wait until its status is ready";
            Err(Fault::new(100, message).sub(1_885_252).blaming("video_id"))
        }
        Some(_) | None => Ok(()),
    }
}
