//! Images and videos of an account: uploads, searches, and how long a video is transcoded.
//!
//! Nothing is fetched: a URL counts as its content. Must not know ads. Sources: /file/image/ad/upload/, /file/video/ad/upload/,
//! /file/{image,video}/ad/{search,info}/ of <https://business-api.tiktok.com/portal/docs>.

use super::errors::Fault;
use super::rules::{one_of, required};
use super::{Done, Fields, NAME, lists, text, texts};
use crate::sandbox::http::Call;
use crate::sandbox::store::{Draft, Object};
use crate::sandbox::world::World;
use chrono::TimeDelta;
use serde_json::{Value, json};

/// The fields of a POST: JSON, or a form in parts (uploads of the vendor's client library).
pub(super) fn body(call: &Call<'_>) -> Result<Fields, Fault> {
    let kind = call
        .headers
        .get("content-type")
        .and_then(|v| v.to_str().ok())
        .unwrap_or("");
    if let Some(boundary) = kind.split("boundary=").nth(1) {
        return Ok(parts(call.body, boundary.trim_matches('"')));
    }
    if !kind.starts_with("application/json") {
        return Err(Fault::param("The Content-Type must be application/json."));
    }
    match serde_json::from_slice::<Value>(call.body) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) | Err(_) => Err(Fault::new(40_000, "The body must be a JSON object.")),
    }
}

/// A `multipart/form-data` body: each part under its name; of a file, how long it is.
fn parts(body: &[u8], boundary: &str) -> Fields {
    let text = String::from_utf8_lossy(body);
    let marker = format!("--{boundary}");
    let mut fields = Fields::new();
    for part in text.split(&marker) {
        let Some((head, content)) = part.split_once("\r\n\r\n") else {
            continue;
        };
        let of = |name: &str| {
            let (_, rest) = head.split_once(&format!("{name}=\""))?;
            rest.split_once('"').map(|(value, _)| value.to_owned())
        };
        let content = content.strip_suffix("\r\n").unwrap_or(content);
        if let Some(name) = of("; name") {
            let value = match of("filename") {
                Some(_) => format!("{} bytes", content.len()),
                None => content.to_owned(),
            };
            fields.insert(name, value.into());
        }
    }
    fields
}

/// `image` or `video` of `file/video/ad/upload`.
fn kind_of(path: &str) -> &'static str {
    if path.starts_with("file/video/") {
        "video"
    } else {
        "image"
    }
}

/// Takes a file in. Names are unique in an account; the same content again is another file.
pub(super) fn upload(world: &mut World, account: &str, path: &str, body: &Fields) -> Result<Done, Fault> {
    let kind = kind_of(path);
    let of_kind = |what: &str| format!("{kind}_{what}");
    one_of(
        body,
        "upload_type",
        &[
            "UPLOAD_BY_FILE",
            "UPLOAD_BY_URL",
            "UPLOAD_BY_FILE_ID",
            "UPLOAD_BY_VIDEO_ID",
        ],
    )?;
    match text(body, "upload_type") {
        "UPLOAD_BY_URL" => {
            required(body, &of_kind("url"))?;
            let url = text(body, &of_kind("url"));
            if !url::Url::parse(url).is_ok_and(|u| matches!(u.scheme(), "http" | "https")) {
                return Err(Fault::new(40_903, format!("The {kind} url is unavailable.")));
            }
        }
        "UPLOAD_BY_FILE_ID" => required(body, "file_id")?,
        "UPLOAD_BY_VIDEO_ID" => required(body, "video_id")?,
        _ => {
            required(body, &of_kind("file"))?;
            required(body, &of_kind("signature"))?;
            let md5 = text(body, &of_kind("signature"));
            if md5.len() != 32 || !md5.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(Fault::new(40_900, "The signature is not the MD5 of the file."));
            }
        }
    }
    let id = if kind == "video" {
        format!("v10033g5{}", world.ids.opaque(24).to_lowercase())
    } else {
        format!("ad-site-i18n-sg/{}", world.ids.opaque(24).to_lowercase())
    };
    let name = match text(body, "file_name") {
        "" => text(body, &of_kind("url"))
            .rsplit('/')
            .next()
            .unwrap_or("")
            .to_owned(),
        given => given.to_owned(),
    };
    if name.is_empty() || name.chars().count() > 100 {
        return Err(Fault::field("file_name", "must have 1 to 100 characters."));
    }
    if !world.store.named(NAME, account, kind, &name).is_empty() {
        return Err(Fault::new(40_911, "Duplicated material name."));
    }
    let material = world.ids.tiktok();
    let fields = json!({
        of_kind("id"): id, "material_id": material, "file_name": name, "width": 1080, "height": 1920, "size": 4_200_000,
        "format": if kind == "video" { "mp4" } else { "jpeg" }, "signature": "0".repeat(32), "_name": name, "_index": name,
        "create_time": world.now.format("%Y-%m-%dT%H:%M:%SZ").to_string(), "status": "ENABLE",
    });
    let handle = world.store.create(Draft {
        vendor: NAME,
        account: account.to_owned(),
        kind,
        key: format!("{kind}/{id}"),
        id,
        parent: None,
        fields: fields.as_object().cloned().unwrap_or_default(),
        what: "uploaded".to_owned(),
    });
    let row = row(world, world.store.get(handle));
    let data = if kind == "video" { json!([row]) } else { row };
    Ok(Done::wrote(data, true))
}

/// Whether a video is not ready yet.
fn transcoding(world: &World, video: &Object) -> bool {
    let takes = i64::try_from(world.switches.transcoding_ms).unwrap_or(i64::MAX / 2);
    world.now - video.created_at < TimeDelta::milliseconds(takes)
}

fn row(world: &World, file: &Object) -> Value {
    let mut row = super::write::shown(file);
    row["displayable"] = (file.kind == "image" || !transcoding(world, file)).into();
    row
}

/// A video that was uploaded here must have been transcoded; others are taken for videos of the account.
pub(super) fn usable(world: &World, account: &str, video: &str) -> Result<(), Fault> {
    let known = world
        .store
        .find(NAME, &format!("video/{video}"))
        .map(|h| world.store.get(h));
    match known {
        Some(file) if file.account != account => {
            Err(Fault::new(40_053, format!("The video {video} is invalid.")))
        }
        Some(file) if transcoding(world, file) => Err(Fault::new(40_901, "The video is being transcoded.")),
        Some(_) | None => Ok(()),
    }
}

/// Searches, and looks up by id.
pub(super) fn get(world: &World, account: &str, path: &str, query: &Fields) -> Result<Value, Fault> {
    let kind = kind_of(path);
    let (id, ids) = (format!("{kind}_id"), format!("{kind}_ids"));
    let files = world.store.all(NAME, account, kind).iter().rev();
    let files = files
        .filter(|h| world.store.visible(**h))
        .map(|h| world.store.get(*h));
    if path.ends_with("/info") {
        let wanted = texts(query, &ids);
        if wanted.is_empty() || wanted.len() > 60 {
            return Err(Fault::field(&ids, "the number of ids must be between 1 and 60."));
        }
        let rows: Vec<Value> = files
            .filter(|f| wanted.contains(&f.text(&id)))
            .map(|f| row(world, f))
            .collect();
        return Ok(json!({ "list": rows }));
    }
    let none = Fields::new();
    let filter = query.get("filtering").and_then(Value::as_object).unwrap_or(&none);
    let among = |name: &str, value: &str| {
        let wanted = texts(filter, name);
        wanted.is_empty() || wanted.contains(&value)
    };
    let rows: Vec<Value> = files
        .filter(|f| among(&ids, f.text(&id)) && among("material_ids", f.text("material_id")))
        .map(|f| row(world, f))
        .collect();
    let (rows, info) = lists::paged(query, rows, 20, 1000)?;
    Ok(json!({ "list": rows, "page_info": info }))
}
