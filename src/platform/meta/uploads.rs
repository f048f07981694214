//! Assets into the ad account: images by their content, videos by a URL that Meta fetches.
//!
//! Must not send one twice, nor take another's for ours. An image is known by a hash of its content ("the hash which uniquely
//! identifies the image", reference/ad-image), and `POST adimages` takes no name: the same bytes again are the same image, so an
//! answer that got lost needs no look-up. A video gets an id of its own each time; it is looked for by its exact title, which
//! the edge's own filter only narrows down (reference/ad-account/advideos).

use super::lookup::one;
use super::transport::{get, list, send as call};
use super::{VERSION, errors::Call};
use crate::domain::error::{ErrorClass, LegError};
use crate::domain::spec::{Asset, LegSpec};
use crate::platform::{CallError, Session, Upload, Uploaded};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The largest files (facebook.com/business/ads-guide): 30 MB and 4 GB.
const IMAGE_MAX: u64 = 30 * 1024 * 1024;
const VIDEO_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// A title must be shorter than 255 characters, some of which count twice.
const TITLE_MAX: usize = 120;
/// Types of images that Meta keeps as they are.
const IMAGE_TYPES: &[&str] = &["image/jpeg", "image/png", "image/gif"];
/// Hexadecimal digits of a digest in a title.
const DIGEST: usize = 12;

/// Meta's name of a reference to an asset of this kind.
fn field(asset: &Asset) -> Option<&'static str> {
    match asset.kind.as_str() {
        "image" => Some("image_hash"),
        "video" => Some("video_id"),
        _ => None,
    }
}

fn unusable(asset: &Asset, what: String, remedy: &str) -> Box<LegError> {
    Box::new(LegError {
        field: Some(asset.asset_id.clone()),
        ..LegError::new(ErrorClass::Validation, "meta-asset", what, remedy)
    })
}

/// What must be sent before an ad can show the asset.
pub(super) fn upload(spec: &LegSpec, asset: &Asset) -> Result<Option<Upload>, Box<LegError>> {
    let id = &asset.asset_id;
    let Some(field) = field(asset) else {
        let what = format!("{id} is neither image nor video but {:?}", asset.kind);
        return Err(unusable(asset, what, "name another asset"));
    };
    if spec.asset_ref(id, field).is_some() {
        return Ok(None);
    }
    let image = field == "image_hash";
    let (most, types) = if image {
        (IMAGE_MAX, "image/jpeg, image/png or image/gif")
    } else {
        (VIDEO_MAX, "video/mp4 or another video")
    };
    if let Some(bytes) = asset.bytes.filter(|bytes| *bytes > most) {
        let what = format!("{id} has {bytes} bytes, and Meta takes {most}");
        return Err(unusable(
            asset,
            what,
            "register a smaller one in the asset library",
        ));
    }
    let fits = |kind: &str| {
        if image {
            IMAGE_TYPES.contains(&kind)
        } else {
            kind.starts_with("video/")
        }
    };
    if let Some(kind) = asset.mime_type.as_deref().filter(|kind| !fits(kind)) {
        let what = format!("{id} is {kind}, and Meta takes {types}");
        return Err(unusable(asset, what, "register another one in the asset library"));
    }
    if asset.url.is_none() {
        return Err(Box::new(LegError {
            field: Some(id.clone()),
            ..LegError::new(
                ErrorClass::AssetMissing,
                "asset-missing",
                format!(
                    "the asset library tells no URL from which {id} can be had, and Meta does not have it"
                ),
                "give the asset a URL, or upload it to Meta by hand and register its reference",
            )
        }));
    }
    Ok(Some(Upload {
        name: title(spec, asset),
        asset: asset.clone(),
        needs_content: image,
    }))
}

/// `{tenant}/{asset}/{digest of the content}`: a new content under an old id is another upload.
fn title(spec: &LegSpec, asset: &Asset) -> String {
    let content = asset.sha256.as_ref().or(asset.url.as_ref());
    let digest = |text: &str| {
        let mut hex = hex::encode(Sha256::digest(text.as_bytes()));
        hex.truncate(DIGEST);
        hex
    };
    let content = digest(content.map_or("", String::as_str));
    let whole = format!("{}/{}", spec.key.tenant_id, asset.asset_id);
    if whole.chars().count() <= TITLE_MAX {
        return format!("{whole}/{content}");
    }
    let kept: String = whole.chars().take(TITLE_MAX).collect();
    format!("{kept}~{}/{content}", digest(&whole))
}

fn refs(name: &str, id: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(name.to_owned(), id.to_owned())])
}

fn unclear(why: &str) -> CallError {
    CallError::Unclear { why: why.to_owned() }
}

/// Sends an upload, once.
pub(super) async fn send(
    session: &Session,
    upload: &Upload,
    content: Option<Vec<u8>>,
) -> Result<Uploaded, CallError> {
    let account = format!("{VERSION}/{}", session.account.account_id);
    let post = |edge: &str, form: Vec<(String, String)>| {
        let path = format!("{account}/{edge}");
        async move { call(session, reqwest::Method::POST, &path, &form, Call::Create).await }
    };
    if upload.needs_content {
        let content = content.unwrap_or_default();
        let form = vec![("bytes".to_owned(), STANDARD.encode(&content))];
        let (_, answer) = post("adimages", form).await?;
        let hash = image_hash(&answer).ok_or_else(|| unclear("Meta took the image and named no hash"))?;
        return Ok(Uploaded::Ready {
            refs: refs("image_hash", &hash),
        });
    }
    let url = upload.asset.url.clone().unwrap_or_default();
    let form = [
        ("file_url", url),
        ("title", upload.name.clone()),
        ("name", upload.name.clone()),
    ];
    let form = form.map(|(name, value)| (name.to_owned(), value)).to_vec();
    let (_, answer) = post("advideos", form).await?;
    let id = answer
        .get("id")
        .and_then(Value::as_str)
        .filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| unclear("Meta took the video and named no id"))?;
    Ok(Uploaded::Processing {
        refs: refs("video_id", id),
    })
}

/// `{"images": {"bytes": {"hash": …}}}`, whatever the file is called there.
fn image_hash(answer: &Value) -> Option<String> {
    let images = answer.get("images")?.as_object()?;
    let hash = images.values().find_map(|image| image.get("hash")?.as_str());
    hash.filter(|hash| !hash.is_empty()).map(str::to_owned)
}

/// Whether the account has it, and whether it can be used yet.
pub(super) async fn find(
    session: &Session,
    upload: &Upload,
    known: Option<&BTreeMap<String, String>>,
) -> Result<Uploaded, CallError> {
    let id = |name: &str| known.and_then(|refs| refs.get(name));
    if upload.needs_content {
        return match id("image_hash") {
            Some(hash) => image(session, hash).await,
            // Without its hash it cannot be asked for, and need not be: sent again it is the same image.
            None => Ok(Uploaded::Absent),
        };
    }
    let fields = "id,title,status,created_time";
    let video = match id("video_id") {
        Some(id) => one(session, id, fields).await?,
        None => {
            let path = format!("{VERSION}/{}/advideos", session.account.account_id);
            let query = [("title", upload.name.clone()), ("fields", fields.to_owned())];
            oldest(list(session, &path, &query).await?, &upload.name)
        }
    };
    video.map_or(Ok(Uploaded::Absent), |video| standing(&video, upload))
}

async fn image(session: &Session, hash: &str) -> Result<Uploaded, CallError> {
    let path = format!("{VERSION}/{}/adimages", session.account.account_id);
    let query = [
        ("hashes", json!([hash]).to_string()),
        ("fields", "hash,status".to_owned()),
    ];
    let rows = get(session, &path, &query).await?;
    let ours = |row: &Value| {
        row.get("hash").and_then(Value::as_str) == Some(hash)
            && row.get("status").and_then(Value::as_str) != Some("DELETED")
    };
    let there = rows.get("data").and_then(Value::as_array);
    Ok(if there.is_some_and(|rows| rows.iter().any(ours)) {
        Uploaded::Ready {
            refs: refs("image_hash", hash),
        }
    } else {
        Uploaded::Absent
    })
}

/// Of several with the very same title the first: so every look-up names the same one.
fn oldest(rows: Vec<Value>, title: &str) -> Option<Value> {
    let text = |row: &Value, name: &str| {
        row.get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    rows.into_iter()
        .filter(|row| text(row, "title") == title)
        .min_by_key(|row| (text(row, "created_time"), text(row, "id")))
}

/// `status.video_status`: `ready`, `processing`, `error` … (facebook_business `VideoStatus`).
fn standing(video: &Value, upload: &Upload) -> Result<Uploaded, CallError> {
    let id = video.get("id").and_then(Value::as_str).unwrap_or_default();
    let refs = refs("video_id", id);
    let status = video.pointer("/status/video_status").and_then(Value::as_str);
    match status {
        Some("ready") => Ok(Uploaded::Ready { refs }),
        Some(bad @ ("error" | "expired" | "upload_failed")) => Err(CallError::refused(LegError {
            field: Some(upload.asset.asset_id.clone()),
            platform_code: Some(bad.to_owned()),
            platform_message: video
                .get("status")
                .map(|s| s.to_string().chars().take(500).collect()),
            ..LegError::new(
                ErrorClass::AssetMissing,
                "meta-video",
                format!(
                    "Meta could not make {} ready to be shown ({bad})",
                    upload.asset.asset_id
                ),
                "register another file in the asset library; it is uploaded then",
            )
        })),
        Some(_) | None => Ok(Uploaded::Processing { refs }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::meta::tests::spec;

    fn asset(change: Value) -> Asset {
        let mut asset = json!({ "asset_id": "a-1", "kind": "image", "sha256": "ab", "mime_type": "image/png", "bytes": 9,
            "url": "https://assets.example/a", "platform_refs": {} });
        for (name, value) in change.as_object().expect("changes") {
            asset[name] = value.clone();
        }
        serde_json::from_value(asset).expect("an asset")
    }

    #[test]
    fn what_meta_has_or_cannot_take_is_not_sent() {
        let spec = spec();
        let known = spec.assets["asset-img-001"].clone();
        assert_eq!(upload(&spec, &known), Ok(None), "the library knows its hash");
        let image = upload(&spec, &asset(json!({})))
            .expect("fine")
            .expect("an upload");
        assert!(image.needs_content);
        let video = asset(json!({ "kind": "video", "mime_type": "video/mp4" }));
        assert!(
            !upload(&spec, &video)
                .expect("fine")
                .expect("an upload")
                .needs_content
        );
        for (bad, class) in [
            (json!({ "kind": "audio" }), ErrorClass::Validation),
            (json!({ "bytes": IMAGE_MAX + 1 }), ErrorClass::Validation),
            (json!({ "mime_type": "image/svg+xml" }), ErrorClass::Validation),
            (json!({ "kind": "video" }), ErrorClass::Validation),
            (json!({ "url": null }), ErrorClass::AssetMissing),
        ] {
            let refused = upload(&spec, &asset(bad.clone())).map_err(|e| e.class);
            assert_eq!(refused, Err(class), "{bad}");
        }
    }

    #[test]
    fn another_content_has_another_title_and_no_title_is_too_long() {
        let spec = spec();
        let name = |change: Value| title(&spec, &asset(change));
        assert_eq!(name(json!({})), name(json!({ "mime_type": "image/gif" })));
        assert_ne!(name(json!({})), name(json!({ "sha256": "cd" })));
        let long = |end: &str| name(json!({ "asset_id": format!("{}{end}", "x".repeat(300)) }));
        assert!(long("1").chars().count() < 255);
        assert_ne!(long("1"), long("2"));
    }

    #[test]
    fn of_several_videos_only_the_exact_title_counts_and_the_first_of_those() {
        let rows = vec![
            json!({ "id": "3", "title": "acme/a-1/00", "created_time": "2026-11-02T00:00:00+0000" }),
            json!({ "id": "1", "title": "acme/a-1/000", "created_time": "2026-11-01T00:00:00+0000" }),
            json!({ "id": "2", "title": "acme/a-1/00", "created_time": "2026-11-01T00:00:00+0000" }),
        ];
        let found = oldest(rows.clone(), "acme/a-1/00").expect("found");
        assert_eq!(found["id"], "2");
        assert_eq!(oldest(rows, "acme/a-1/0"), None);
        let video = asset(json!({ "kind": "video", "mime_type": "video/mp4" }));
        let upload = upload(&spec(), &video).expect("fine").expect("an upload");
        let state = |status: &str| {
            let video = json!({ "id": "2", "status": { "video_status": status } });
            standing(&video, &upload)
        };
        assert!(matches!(state("ready"), Ok(Uploaded::Ready { .. })));
        assert!(matches!(state("processing"), Ok(Uploaded::Processing { .. })));
        assert!(matches!(state("error"), Err(CallError::Refused(e)) if e.class == ErrorClass::AssetMissing));
    }

    #[test]
    fn a_hash_is_read_wherever_the_file_stands() {
        let answer = json!({ "images": { "bytes": { "hash": "0f", "url": "https://x.example/" } } });
        assert_eq!(image_hash(&answer).as_deref(), Some("0f"));
        for odd in [
            json!({}),
            json!({ "images": [] }),
            json!({ "images": { "a": { "hash": "" } } }),
        ] {
            assert_eq!(image_hash(&odd), None, "{odd}");
        }
    }
}
