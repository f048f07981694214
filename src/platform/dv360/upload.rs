//! Assets of the library → assets of the advertiser (`assets.upload`), which creatives name by their media id.
//!
//! DV360 has no method that lists or finds assets. So an upload whose outcome is unknown is made again: what the first one
//! may have left behind belongs to no creative, serves nothing and costs nothing. One that gave a media id is never made again.

use super::errors::{self, Call};
use super::transport::{Payload, send};
use super::{NAME, VERSION};
use crate::domain::error::{ErrorClass, LegError};
use crate::domain::spec::{Asset, LegSpec};
use crate::platform::{CallError, Session, Upload, Uploaded};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// "The asset file size should be no more than 10 MB for images … and 1 GB for videos" (reference/rest/v4/advertisers.assets/upload).
const IMAGE_MAX: u64 = 10 * 1024 * 1024;
const VIDEO_MAX: u64 = 1024 * 1024 * 1024;

/// The file name's ending for a type.
fn extension(mime: &str) -> Option<&'static str> {
    Some(match mime {
        "image/jpeg" => "jpg",
        "image/png" => "png",
        "image/gif" => "gif",
        "video/mp4" => "mp4",
        "video/quicktime" => "mov",
        "video/webm" => "webm",
        _ => return None,
    })
}

/// What must be uploaded; none: there is a media id, or nothing in the plan shows the asset.
pub(super) fn upload(spec: &LegSpec, asset: &Asset) -> Result<Option<Upload>, Box<LegError>> {
    let known = asset
        .platform_refs
        .get(NAME)
        .is_some_and(|refs| refs.contains_key("media_id"));
    if known || !spec.asset_ids().contains(&asset.asset_id.as_str()) {
        return Ok(None);
    }
    let wrong = |what: String, remedy: &str| {
        Box::new(LegError {
            field: Some(asset.asset_id.clone()),
            ..LegError::new(ErrorClass::AssetMissing, "asset-unfit", what, remedy)
        })
    };
    let mime = asset.mime_type.as_deref().unwrap_or("");
    let Some(ending) = extension(mime).filter(|_| mime.starts_with(&format!("{}/", asset.kind))) else {
        return Err(wrong(
            format!(
                "asset {} is {mime:?}, which DV360 does not take as {}",
                asset.asset_id, asset.kind
            ),
            "put a JPEG, PNG or GIF, or an MP4, MOV or WebM video into the library",
        ));
    };
    let most = if asset.kind == "video" {
        VIDEO_MAX
    } else {
        IMAGE_MAX
    };
    if asset.bytes.is_some_and(|bytes| bytes > most) {
        return Err(wrong(
            format!(
                "asset {} is larger than DV360's {} MB",
                asset.asset_id,
                most / 1024 / 1024
            ),
            "put a smaller file into the library",
        ));
    }
    let id = asset
        .sha256
        .clone()
        .unwrap_or_else(|| hex::encode(Sha256::digest(&asset.asset_id)));
    let short: String = id.chars().take(16).collect();
    let stem: String = asset.asset_id.chars().take(60).collect();
    Ok(Some(Upload {
        asset: asset.clone(),
        name: format!("{stem}-{short}.{ending}"),
        needs_content: true,
    }))
}

/// The body of a `multipart/related` upload and its type. The boundary is the content's own digest, which it cannot contain.
fn multipart(name: &str, mime: &str, content: &[u8]) -> (String, Vec<u8>) {
    let boundary = hex::encode(Sha256::digest(content));
    let mut body = format!(
        "--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{}\r\n--{boundary}\r\nContent-Type: {mime}\r\n\r\n",
        json!({ "filename": name })
    )
    .into_bytes();
    body.extend_from_slice(content);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    (format!("multipart/related; boundary={boundary}"), body)
}

/// Sends an upload, once.
pub(super) async fn send_upload(
    session: &Session,
    upload: &Upload,
    content: Option<Vec<u8>>,
) -> Result<Uploaded, CallError> {
    let content = content.ok_or_else(|| {
        let what = format!("asset {} came without its content", upload.asset.asset_id);
        CallError::refused(LegError::new(
            ErrorClass::AssetMissing,
            "asset-missing",
            what,
            "see that the asset library serves the asset's file",
        ))
    })?;
    let mime = upload
        .asset
        .mime_type
        .as_deref()
        .unwrap_or("application/octet-stream");
    let (kind, body) = multipart(&upload.name, mime, &content);
    let path = format!(
        "/upload{VERSION}/advertisers/{}/assets?uploadType=multipart",
        session.account.account_id
    );
    let sent = send(
        session,
        reqwest::Method::POST,
        &path,
        Payload::Bytes(kind, body),
        Call::Create,
    )
    .await;
    let (_, answer) = sent.map_err(|error| {
        error.unwrap_or_else(|| CallError::refused(errors::gone("advertiser of this id")))
    })?;
    match answer
        .pointer("/asset/mediaId")
        .and_then(Value::as_str)
        .filter(|id| !id.is_empty())
    {
        Some(id) => Ok(Uploaded::Ready {
            refs: BTreeMap::from([("media_id".to_owned(), id.to_owned())]),
        }),
        None => Err(CallError::Unclear {
            why: "DV360 accepted the asset and named no media id".to_owned(),
        }),
    }
}

/// By its media id an asset can be used; without one there is no telling.
pub(super) fn found(refs: Option<&BTreeMap<String, String>>) -> Uploaded {
    match refs {
        Some(refs) if refs.contains_key("media_id") => Uploaded::Ready { refs: refs.clone() },
        Some(_) | None => Uploaded::Absent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_multipart_body_has_two_parts_and_ends() {
        let (kind, body) = multipart("a.jpg", "image/jpeg", b"\r\n--x\r\n");
        let boundary = kind.rsplit('=').next().unwrap();
        let text = String::from_utf8(body).unwrap();
        assert_eq!(text.matches(&format!("--{boundary}")).count(), 3);
        assert!(text.ends_with(&format!("--{boundary}--\r\n")));
        assert!(text.contains("{\"filename\":\"a.jpg\"}"));
    }
}
