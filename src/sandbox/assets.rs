//! The asset library (contract §5). Every asset is ready, unless the world says otherwise.
//!
//! An id with `vid` in it is a video, any other an image; an id with a size in it (`banner-300x250`) has that size. Must not
//! know who uses an asset.

use super::http::{Answer, Call, Described, Vendor, no_accounts};
use super::world::World;
use axum::http::Method;
use serde_json::{Value, json};
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
    let tenant = call.path.split('/').nth(3).unwrap_or("");
    Described {
        method: "assets.get".into(),
        account: tenant.into(),
    }
}

fn fault(_: &mut World, status: u16, error: Option<&str>) -> Answer {
    let status = if status == 0 { 500 } else { status };
    Answer::json(status, &json!({"error": error.unwrap_or("told to by a fault")}))
}

fn answer(world: &mut World, call: &Call<'_>) -> Answer {
    let parts: Vec<&str> = call.path.split('/').skip(1).collect();
    let ["v1", "tenants", tenant, "assets", id] = parts[..] else {
        return Answer::json(404, &json!({"error": "no such path"}));
    };
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
    let qualified = format!("{tenant}/{id}");
    let set = world
        .switches
        .assets
        .get(&qualified)
        .or_else(|| world.switches.assets.get(id));
    let status = match set {
        Some(Value::String(status)) => status.as_str(),
        Some(Value::Object(map)) => map.get("status").and_then(Value::as_str).unwrap_or("ready"),
        _ => "ready",
    };
    if status == "missing" {
        return Answer::json(404, &json!({"asset_id": id, "status": "missing"}));
    }
    let mut asset = describe_asset(tenant, id);
    asset["status"] = status.into();
    if status != "ready" {
        asset["platform_refs"] = json!({});
    }
    if let Some(Value::Object(map)) = set {
        for (key, value) in map {
            asset[key.as_str()] = value.clone();
        }
    }
    Answer::json(200, &asset)
}

fn describe_asset(tenant: &str, id: &str) -> Value {
    let digest = hex::encode(Sha256::digest(format!("{tenant}/{id}")));
    let number = u64::from_str_radix(&digest[..12], 16).unwrap_or(1);
    let video = id.contains("vid");
    let (width, height) = size(id).unwrap_or(if video { (1080, 1920) } else { (1200, 628) });
    let (kind, mime, extension) = if video {
        ("video", "video/mp4", "mp4")
    } else {
        ("image", "image/jpeg", "jpg")
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
        "bytes": if video { 4_200_000 } else { 180_000 },
        "sha256": digest,
        "url": format!("https://assets.example/{tenant}/{id}.{extension}"),
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

    fn get(world: &mut World, id: &str) -> (u16, Value) {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", "Bearer t".parse().unwrap());
        let path = format!("/v1/tenants/acme/assets/{id}");
        let call = Call {
            method: &Method::GET,
            path: &path,
            query: "",
            headers: &headers,
            body: b"",
        };
        let answer = answer(world, &call);
        (answer.status, serde_json::from_slice(&answer.body).unwrap())
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
