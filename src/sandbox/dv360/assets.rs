//! `assets.upload`: one multipart request with the file's name and its content.
//!
//! Must not keep the content. Source: <https://developers.google.com/display-video/api/reference/rest/v4/advertisers.assets/upload>
//! and <https://developers.google.com/display-video/api/guides/how-tos/upload#multipart>: "no more than 10 MB for images, 200 MB
//! for ZIP files, and 1 GB for videos"; there is no method that lists or finds assets.

use super::schema::{Schema, missing, read};
use super::{Fault, NAME, parameter, unfit};
use crate::sandbox::http::{Answer, Call};
use crate::sandbox::store::Draft;
use crate::sandbox::world::World;
use serde_json::{Map, Value, json};

const MB: usize = 1024 * 1024;

/// Takes an asset in.
pub(super) fn upload(world: &mut World, call: &Call<'_>, advertiser: &str) -> Result<Answer, Fault> {
    if parameter(call, "uploadType").as_deref() != Some("multipart") {
        return Err(Fault::invalid(
            "Assets must be uploaded with uploadType=multipart.",
        ));
    }
    let Parts {
        description,
        mime,
        content,
    } = parts(call)?;
    let message = Schema::get().message("CreateAssetRequest");
    let description = match read(message, description) {
        Ok(description) => description,
        Err(violations) => return Ok(unfit(&violations)),
    };
    let lacking = missing(message, &description, "");
    if !lacking.is_empty() {
        return Ok(unfit(&lacking));
    }
    let name = description["filename"].as_str().unwrap_or("").to_owned();
    if name.len() > 240 || !name.contains('.') {
        return Err(Fault::invalid(
            "The filename must have an extension and a maximum size of 240 bytes.",
        ));
    }
    let most = match mime.split('/').next() {
        Some("image") => 10 * MB,
        Some("video") => 1024 * MB,
        _ => 200 * MB,
    };
    if content.is_empty() || content.len() > most {
        return Err(Fault::invalid("The asset is empty or too large."));
    }
    let id = world.ids.google();
    let path = format!("/simgad/{id}");
    let fields = json!({ "_name": name, "_index": name, "entityStatus": "UPLOADED", "bytes": content.len(), "mime": mime });
    world.store.create(Draft {
        vendor: NAME,
        account: advertiser.to_owned(),
        kind: "asset",
        key: format!("advertisers/{advertiser}/assets/{id}"),
        id: id.clone(),
        parent: None,
        fields: fields.as_object().cloned().unwrap_or_default(),
        what: "uploaded".to_owned(),
    });
    world.store.commit();
    let answer = json!({ "asset": { "mediaId": id, "content": path } });
    Ok(Answer::json(200, &answer).with_effect(true))
}

/// The two parts of a `multipart/related` body: what it is, and the content with its type.
struct Parts<'a> {
    description: Map<String, Value>,
    mime: String,
    content: &'a [u8],
}

fn parts<'a>(call: &'a Call<'_>) -> Result<Parts<'a>, Fault> {
    let bad = || Fault::invalid("Malformed multipart body.");
    let header = call
        .headers
        .get("content-type")
        .and_then(|v| v.to_str().ok())
        .unwrap_or("");
    let boundary = header
        .strip_prefix("multipart/related")
        .and_then(|rest| rest.split("boundary=").nth(1))
        .map(|b| b.split(';').next().unwrap_or(b).trim().trim_matches('"'))
        .filter(|b| !b.is_empty())
        .ok_or_else(bad)?;
    // Lines end as HTTP wants them, or as Google's own client for Python writes them.
    let opening = format!("--{boundary}");
    let rest = call.body.strip_prefix(opening.as_bytes()).ok_or_else(bad)?;
    let end = if rest.starts_with(b"\r\n") { "\r\n" } else { "\n" };
    let rest = rest.strip_prefix(end.as_bytes()).ok_or_else(bad)?;
    let between = format!("{end}--{boundary}");
    let at = find(rest, between.as_bytes()).ok_or_else(bad)?;
    let (description, rest) = (&rest[..at], &rest[at + between.len()..]);
    let rest = rest.strip_prefix(end.as_bytes()).ok_or_else(bad)?;
    let at = find(rest, between.as_bytes()).ok_or_else(bad)?;
    if !rest[at + between.len()..].starts_with(b"--") {
        return Err(bad());
    }
    let (_, description) = headed(description, end).ok_or_else(bad)?;
    let (mime, content) = headed(&rest[..at], end).ok_or_else(bad)?;
    let description = serde_json::from_slice(description).map_err(|_| bad())?;
    Ok(Parts {
        description,
        mime,
        content,
    })
}

/// A part's content type and what follows its headers.
fn headed<'a>(part: &'a [u8], end: &str) -> Option<(String, &'a [u8])> {
    let empty = format!("{end}{end}");
    let at = find(part, empty.as_bytes())?;
    let headers = std::str::from_utf8(&part[..at]).ok()?;
    let mime = headers.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-type")
            .then(|| value.trim().to_owned())
    })?;
    Some((mime, &part[at + empty.len()..]))
}

fn find(within: &[u8], what: &[u8]) -> Option<usize> {
    within.windows(what.len()).position(|w| w == what)
}
