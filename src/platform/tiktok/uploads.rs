//! Images and videos: from the asset library to the ad account, once. TikTok fetches them from the library's URL by itself.
//!
//! A file's name is unique within an account, and a second upload under it is refused (40911): so the name carries the content's
//! digest, and a look-up compares it exactly. A video is transcoded after it was fetched; until then an ad that names it is refused
//! (40901).

use super::reading::text;
use super::transport::{get, list, post};
use super::{VERSION, errors};
use crate::domain::error::{ErrorClass, LegError};
use crate::domain::spec::{Asset, LegSpec};
use crate::platform::{CallError, Session, Upload, Uploaded};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Longest name of a file (`file_name` of /file/video/ad/upload/).
const NAME: usize = 100;
/// Largest image and video, bytes (`image_file`, `video_file`).
const IMAGE_BYTES: u64 = 50_000_000;
const VIDEO_BYTES: u64 = 500_000_000;
/// Types that TikTok takes, and how such a file's name ends.
const IMAGES: &[(&str, &str)] = &[("image/jpeg", "jpg"), ("image/png", "png")];
const VIDEOS: &[(&str, &str)] = &[
    ("video/mp4", "mp4"),
    ("video/quicktime", "mov"),
    ("video/mpeg", "mpeg"),
    ("video/x-msvideo", "avi"),
];

fn is_video(asset: &Asset) -> bool {
    asset.kind == "video"
}

/// What TikTok calls such a thing, as the library spells it.
fn reference(asset: &Asset) -> &'static str {
    if is_video(asset) { "video_id" } else { "image_id" }
}

/// What must be uploaded before the asset can be used; none: the library knows TikTok's id.
pub(super) fn upload(spec: &LegSpec, asset: &Asset) -> Result<Option<Upload>, Box<LegError>> {
    if spec.asset_ref(&asset.asset_id, reference(asset)).is_some() {
        return Ok(None);
    }
    let unusable = |what: String| {
        Box::new(LegError::new(
            ErrorClass::AssetMissing,
            "tiktok-asset",
            format!("asset {} cannot be used on TikTok: {what}", asset.asset_id),
            "put another rendition into the asset library, or upload it to TikTok by hand and register it there, then `retry`",
        ))
    };
    let (types, most) = if is_video(asset) {
        (VIDEOS, VIDEO_BYTES)
    } else {
        (IMAGES, IMAGE_BYTES)
    };
    let mime = asset.mime_type.as_deref().unwrap_or(types[0].0);
    let Some((_, extension)) = types.iter().find(|(known, _)| *known == mime) else {
        let known: Vec<&str> = types.iter().map(|(t, _)| *t).collect();
        return Err(unusable(format!(
            "it is {mime}, TikTok takes {}",
            known.join(", ")
        )));
    };
    if asset.bytes.is_some_and(|bytes| bytes > most) {
        return Err(unusable(format!("it is larger than {most} bytes")));
    }
    if asset.url.is_none() {
        return Err(unusable(
            "the library gives no URL from which TikTok could fetch it".to_owned(),
        ));
    }
    Ok(Some(Upload {
        asset: asset.clone(),
        name: name(asset, extension),
        needs_content: false,
    }))
}

/// The file's name in the account: the same asset with the same content always has the same.
fn name(asset: &Asset, extension: &str) -> String {
    let digest: String = asset
        .sha256
        .as_deref()
        .unwrap_or("unknown")
        .chars()
        .take(16)
        .collect();
    let room = NAME - "kobi__.".len() - digest.len() - extension.len();
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '-' | '.') {
            c
        } else {
            '-'
        }
    };
    let id: String = asset.asset_id.chars().map(plain).take(room).collect();
    format!("kobi_{id}_{digest}.{extension}")
}

/// Sends it, once.
pub(super) async fn send(session: &Session, upload: &Upload) -> Result<Uploaded, CallError> {
    let asset = &upload.asset;
    let (path, url) = if is_video(asset) {
        ("/file/video/ad/upload/", "video_url")
    } else {
        ("/file/image/ad/upload/", "image_url")
    };
    let mut body = json!({
        "advertiser_id": session.account.account_id, "upload_type": "UPLOAD_BY_URL", "file_name": upload.name,
    });
    body[url] = json!(asset.url);
    let answer = match post(session, &format!("{VERSION}{path}"), &body).await {
        Ok(answer) => answer,
        // It was there already: an earlier call did it.
        Err(CallError::Refused(error)) if error.code == errors::TAKEN => {
            return match by_name(session, upload).await? {
                Uploaded::Absent => Err(CallError::Refused(error)),
                found @ (Uploaded::Ready { .. } | Uploaded::Processing { .. }) => Ok(found),
            };
        }
        Err(error) => return Err(error),
    };
    let data = answer.get("data").unwrap_or(&Value::Null);
    // A video comes as a list of one, an image by itself.
    let row = data.as_array().and_then(|rows| rows.first()).unwrap_or(data);
    if text(row, reference(asset)).is_empty() {
        return Err(CallError::Unclear {
            why: "TikTok took the file and named no id".to_owned(),
        });
    }
    Ok(state(asset, row))
}

/// A video is usable when TikTok can show it; an image at once.
fn state(asset: &Asset, row: &Value) -> Uploaded {
    let mut refs = BTreeMap::from([(
        reference(asset).to_owned(),
        text(row, reference(asset)).to_owned(),
    )]);
    let material = text(row, "material_id");
    if !material.is_empty() {
        refs.insert("material_id".to_owned(), material.to_owned());
    }
    let ready = row
        .get("displayable")
        .and_then(Value::as_bool)
        .unwrap_or(!is_video(asset));
    if ready || !is_video(asset) {
        Uploaded::Ready { refs }
    } else {
        Uploaded::Processing { refs }
    }
}

/// Whether the account holds it: by its id where one is known, else by its name.
pub(super) async fn find(
    session: &Session,
    upload: &Upload,
    refs: Option<&BTreeMap<String, String>>,
) -> Result<Uploaded, CallError> {
    match refs.and_then(|refs| Some((refs, refs.get(reference(&upload.asset))?))) {
        Some((refs, id)) => by_id(session, upload, refs, id).await,
        None => by_name(session, upload).await,
    }
}

async fn by_id(
    session: &Session,
    upload: &Upload,
    refs: &BTreeMap<String, String>,
    id: &str,
) -> Result<Uploaded, CallError> {
    let (path, ids) = if is_video(&upload.asset) {
        ("/file/video/ad/info/", "video_ids")
    } else {
        ("/file/image/ad/info/", "image_ids")
    };
    let query = [
        ("advertiser_id", json!(session.account.account_id)),
        (ids, json!([id])),
    ];
    match get(session, path, &query).await {
        Ok(data) => {
            let rows = data.get("list").and_then(Value::as_array);
            let row = rows
                .into_iter()
                .flatten()
                .find(|row| text(row, reference(&upload.asset)) == id);
            Ok(row.map_or(Uploaded::Absent, |row| state(&upload.asset, row)))
        }
        Err(CallError::Refused(error)) if error.code == errors::TRANSCODING => {
            Ok(Uploaded::Processing { refs: refs.clone() })
        }
        Err(CallError::Refused(error)) if error.code == errors::GONE => Ok(Uploaded::Absent),
        Err(error) => Err(error),
    }
}

/// The search knows no exact name, so the account's files are gone through, newest first.
async fn by_name(session: &Session, upload: &Upload) -> Result<Uploaded, CallError> {
    let path = if is_video(&upload.asset) {
        "/file/video/ad/search/"
    } else {
        "/file/image/ad/search/"
    };
    let rows = list(
        session,
        path,
        &[("advertiser_id", json!(session.account.account_id))],
    )
    .await?;
    let row = rows.iter().find(|row| text(row, "file_name") == upload.name);
    Ok(row.map_or(Uploaded::Absent, |row| state(&upload.asset, row)))
}
