//! The asset library (contract §5). Every asset is ready, unless the world says otherwise.
//!
//! An id with `vid` in it is a video, any other an image; an id with a size in it (`banner-300x250`) has that size. Its content
//! is served too: small, always the same for the same asset, of the size and hash that are told. Must not know who uses an asset.

use super::http::{Answer, Call, Described, Vendor, no_accounts};
use super::media;
use super::world::World;
use axum::http::Method;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

pub(super) const VENDOR: Vendor = Vendor {
    name: "assets",
    mount: "/assets",
    describe,
    answer,
    error: fault,
    configure: no_accounts,
};

fn describe(_: &World, call: &Call<'_>) -> Described {
    let parts: Vec<&str> = call.path.split('/').skip(1).collect();
    let (method, tenant) = match parts[..] {
        ["content", tenant, ..] => ("assets.content", tenant),
        [_, _, tenant, ..] => ("assets.get", tenant),
        _ => ("assets.get", ""),
    };
    Described {
        method: method.into(),
        account: tenant.into(),
    }
}

fn fault(_: &mut World, status: u16, error: Option<&str>) -> Answer {
    let status = if status == 0 { 500 } else { status };
    Answer::json(status, &json!({"error": error.unwrap_or("told to by a fault")}))
}

fn answer(world: &mut World, call: &Call<'_>) -> Answer {
    if call.method != Method::GET {
        return Answer::json(405, &json!({"error": "only GET is allowed"}));
    }
    let authorization = call
        .headers
        .get("authorization")
        .and_then(|v| v.to_str().ok())
        .unwrap_or("");
    if authorization.strip_prefix("Bearer ").is_none_or(str::is_empty) {
        return Answer::json(401, &json!({"error": "a bearer token is required"}));
    }
    let host = call.headers.get("host").and_then(|v| v.to_str().ok());
    let host = host.unwrap_or("127.0.0.1");
    let parts: Vec<&str> = call.path.split('/').skip(1).collect();
    match parts[..] {
        ["v1", "tenants", tenant, "assets", id] => {
            let asset = asset(world, host, tenant, id);
            super::google_ads::assets::known(world, &asset);
            let status = if asset["status"] == "missing" { 404 } else { 200 };
            Answer::json(status, &asset)
        }
        ["content", tenant, file] => {
            let id = file.rsplit_once('.').map_or(file, |(id, _)| id);
            let asset = asset(world, host, tenant, id);
            if asset["status"] == "missing" {
                return Answer::json(404, &json!({"error": "no such content"}));
            }
            let settings = settings(world, tenant, id);
            let mut answer = Answer::json(200, &Value::Null);
            answer.body = content(&asset, &seed(&settings, tenant, id)).into();
            answer.headers = vec![(
                "content-type",
                asset["mime_type"].as_str().unwrap_or("").to_owned(),
            )];
            answer
        }
        _ => Answer::json(404, &json!({"error": "no such path"})),
    }
}

/// What the world says of an asset: of this tenant's, of any tenant's of this id, of all.
fn settings(world: &World, tenant: &str, id: &str) -> Map<String, Value> {
    let qualified = format!("{tenant}/{id}");
    let mut merged = Map::new();
    for name in ["*", id, &qualified] {
        match world.switches.assets.get(name) {
            Some(Value::String(status)) => {
                merged.insert("status".to_owned(), status.as_str().into());
            }
            Some(Value::Object(map)) => merged.extend(map.clone()),
            Some(_) | None => {}
        }
    }
    merged
}

/// What an asset's bytes are made from: assets with the same `seed` have the same content.
fn seed(settings: &Map<String, Value>, tenant: &str, id: &str) -> String {
    let seed = settings.get("seed").and_then(Value::as_str);
    seed.map_or_else(|| format!("{tenant}/{id}"), str::to_owned)
}

/// An asset as the library tells of it. Any key that the world sets stands as it is set.
fn asset(world: &World, host: &str, tenant: &str, id: &str) -> Value {
    let mut settings = settings(world, tenant, id);
    let status = settings
        .get("status")
        .and_then(Value::as_str)
        .unwrap_or("ready")
        .to_owned();
    if status == "missing" {
        return json!({"asset_id": id, "status": "missing"});
    }
    let mut asset = describe_asset(tenant, id);
    for name in ["width", "height"] {
        if let Some(value) = settings.get(name) {
            asset[name] = value.clone();
        }
    }
    let bytes = content(&asset, &seed(&settings, tenant, id));
    let extension = if asset["kind"] == "video" { "mp4" } else { "png" };
    asset["bytes"] = bytes.len().into();
    asset["sha256"] = hex::encode(Sha256::digest(&bytes)).into();
    asset["url"] = format!("http://{host}/assets/content/{tenant}/{id}.{extension}").into();
    asset["status"] = status.as_str().into();
    if status != "ready" {
        asset["platform_refs"] = json!({});
    }
    settings.remove("seed");
    match settings.remove("needs_upload") {
        Some(Value::Bool(true)) => asset["platform_refs"] = json!({}),
        Some(Value::Array(platforms)) => {
            for platform in platforms.iter().filter_map(Value::as_str) {
                asset["platform_refs"][platform] = json!({});
            }
        }
        Some(_) | None => {}
    }
    if settings.remove("wrong_hash") == Some(Value::Bool(true)) {
        asset["sha256"] = hex::encode(Sha256::digest("another content")).into();
    }
    for (key, value) in settings {
        asset[key.as_str()] = value;
    }
    asset
}

fn content(asset: &Value, seed: &str) -> Vec<u8> {
    let side = |name: &str| {
        asset[name]
            .as_u64()
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(1)
    };
    let (width, height) = (side("width"), side("height"));
    if asset["kind"] == "video" {
        media::mp4(width, height, seed)
    } else {
        media::png(width, height, seed)
    }
}

fn describe_asset(tenant: &str, id: &str) -> Value {
    let digest = hex::encode(Sha256::digest(format!("{tenant}/{id}")));
    let number = u64::from_str_radix(&digest[..12], 16).unwrap_or(1);
    let video = id.contains("vid");
    let (width, height) = size(id).unwrap_or(if video { (1080, 1920) } else { (1200, 628) });
    let (kind, mime) = if video {
        ("video", "video/mp4")
    } else {
        ("image", "image/png")
    };
    let meta = if video {
        json!({"video_id": number.to_string()})
    } else {
        json!({"image_hash": image_hash(tenant, id)})
    };
    let tiktok = if video {
        json!({"video_id": format!("v10033g50000{}", &digest[..20])})
    } else {
        json!({"image_id": format!("ad-site-i18n-sg/{}", &digest[..24])})
    };
    json!({
        "asset_id": id,
        "kind": kind,
        "status": "ready",
        "mime_type": mime,
        "width": width,
        "height": height,
        "platform_refs": {
            "google-ads": {"resource_name": format!("customers/1234567890/assets/{number}")},
            "meta": meta,
            "tiktok": tiktok,
            "dv360": {"media_id": number.to_string()},
        },
    })
}

/// The hash under which Meta knows an image: 32 hexadecimal digits.
fn image_hash(tenant: &str, id: &str) -> String {
    let mut hash = hex::encode(Sha256::digest(format!("image {tenant}/{id}")));
    hash.truncate(32);
    hash
}

/// The `300x250` in an id.
fn size(id: &str) -> Option<(u32, u32)> {
    id.split(['-', '_', '.']).find_map(|part| {
        let (width, height) = part.split_once('x')?;
        Some((width.parse().ok()?, height.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderMap;

    fn ask(world: &mut World, path: &str) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", "Bearer t".parse().unwrap());
        headers.insert("host", "sandbox.test:1".parse().unwrap());
        let call = Call {
            method: &Method::GET,
            path,
            query: "",
            headers: &headers,
            body: b"",
        };
        answer(world, &call)
    }

    fn get(world: &mut World, id: &str) -> (u16, Value) {
        let answer = ask(world, &format!("/v1/tenants/acme/assets/{id}"));
        (answer.status, serde_json::from_slice(&answer.body).unwrap())
    }

    #[test]
    fn content_is_what_the_library_says_it_is() {
        let mut world = World::new(1, 0);
        for id in ["asset-img-300x250", "asset-vid-007"] {
            let (_, asset) = get(&mut world, id);
            let url = asset["url"].as_str().unwrap();
            let path = url.strip_prefix("http://sandbox.test:1/assets").unwrap();
            let bytes = ask(&mut world, path).body;
            assert_eq!(asset["bytes"].as_u64(), Some(bytes.len() as u64));
            assert_eq!(asset["sha256"], hex::encode(Sha256::digest(&bytes)));
        }
        world
            .switches
            .assets
            .insert("*".into(), json!({"needs_upload": ["meta"], "seed": "one"}));
        world
            .switches
            .assets
            .insert("asset-b".into(), json!({"wrong_hash": true}));
        let (a, b, c) = (
            get(&mut world, "asset-a").1,
            get(&mut world, "asset-b").1,
            get(&mut world, "asset-c").1,
        );
        assert_eq!(
            (&a["platform_refs"]["meta"], &a["sha256"]),
            (&json!({}), &c["sha256"])
        );
        assert_ne!(a["platform_refs"]["dv360"], json!({}));
        assert_ne!(a["sha256"], b["sha256"]);
        assert_eq!(a.get("seed"), None);
    }

    #[test]
    fn assets_are_ready_until_the_world_says_otherwise() {
        let mut world = World::new(1, 0);
        let (status, image) = get(&mut world, "asset-img-300x250");
        assert_eq!(
            (status, image["width"].as_u64(), image["status"].as_str()),
            (200, Some(300), Some("ready"))
        );
        assert_eq!(
            image["platform_refs"]["meta"]["image_hash"]
                .as_str()
                .map(str::len),
            Some(32)
        );
        assert_eq!(get(&mut world, "asset-vid-007").1["kind"], "video");
        world
            .switches
            .assets
            .insert("asset-vid-007".into(), "processing".into());
        world
            .switches
            .assets
            .insert("acme/asset-img-001".into(), "missing".into());
        assert_eq!(get(&mut world, "asset-vid-007").1["platform_refs"], json!({}));
        assert_eq!(get(&mut world, "asset-img-001").0, 404);
    }
}
