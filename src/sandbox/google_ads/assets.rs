//! The rules of assets: texts, images, videos. An account holds the same content once.
//!
//! Must not know who links to an asset. Sources: `resources/asset.proto`, `errors/{asset,image}_error.proto` of
//! <https://github.com/googleapis/googleapis/tree/master/google/ads/googleads/v25>;
//! <https://developers.google.com/google-ads/api/performance-max/asset-requirements> (5,120 kB; ratios are judged when an image is
//! linked, not when it is uploaded).

use super::NAME;
use super::errors::Fault;
use super::images;
use super::mutate::{Kind, Ruling, Tx};
use super::rules::{Fields, namesakes, none, text};
use super::urls;
use crate::sandbox::store::{Draft, Handle};
use crate::sandbox::world::World;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

pub(super) const ASSET: Kind = Kind {
    resource: "asset",
    collection: "assets",
    message: "Asset",
    composite: false,
    output_only: &[
        "id",
        "source",
        "policySummary",
        "fieldTypePolicySummaries",
        "orientation",
    ],
    immutable: &["type", "textAsset", "imageAsset", "youtubeVideoAsset"],
    references: &[],
    create: Some(create),
    update: Some(|tx, handle, after| none(asset_faults(tx, after, Some(handle)))),
    // There is no remove: `AssetOperation` has create and update alone.
    remove: None,
};

/// The largest image file.
const LARGEST: usize = 5_120 * 1024;

fn create(tx: &mut Tx<'_>, mut fields: Fields) -> Ruling<Handle> {
    let data = [
        "textAsset",
        "imageAsset",
        "youtubeVideoAsset",
        "callToActionAsset",
    ];
    let Some(kind) = data.iter().find(|field| fields.contains_key(**field)) else {
        let message = "The asset data is missing.";
        return Err(vec![Fault::new("assetError", "ASSET_DATA_IS_MISSING", message)]);
    };
    none(urls::tracking(&fields))?;
    let (ty, content) = match *kind {
        "textAsset" => ("TEXT", text_content(&fields)?),
        "imageAsset" => ("IMAGE", image_content(&mut fields)?),
        "youtubeVideoAsset" => ("YOUTUBE_VIDEO", video_content(&fields)?),
        _ => ("CALL_TO_ACTION", format!("call {}", fields[*kind])),
    };
    let said = text(&fields, "type");
    if !said.is_empty() && said != ty {
        let message = "The asset type does not match the asset data.";
        return Err(vec![
            Fault::new("assetError", "FIELD_INCOMPATIBLE_WITH_ASSET_TYPE", message).at("type"),
        ]);
    }
    if !tx.contents.insert(content.clone()) {
        let message = "Assets are duplicated across operations.";
        return Err(vec![Fault::new("assetError", "DUPLICATE_ASSET", message)]);
    }
    let twin = tx.world.store.all(NAME, &tx.customer, "asset").iter().copied();
    if let Some(twin) = twin
        .into_iter()
        .find(|h| tx.world.store.get(*h).text("_content") == content)
    {
        // "When there is an existing image asset with the same content but a different name, the new name will be dropped silently"
        // (googleads/google-ads-python, examples/advanced_operations/add_performance_max_campaign.py).
        return Ok(twin);
    }
    none(asset_faults(tx, &fields, None))?;
    let id = tx.world.ids.google();
    fields.insert("id".into(), id.clone().into());
    fields.insert("type".into(), ty.into());
    fields.insert("source".into(), "ADVERTISER".into());
    fields.insert("_index".into(), content.clone().into());
    fields.insert("_content".into(), content.into());
    Ok(tx.make("asset", id, None, fields))
}

fn asset_faults(tx: &Tx<'_>, fields: &Fields, own: Option<Handle>) -> Vec<Fault> {
    let mut faults = urls::tracking(fields);
    let name = text(fields, "name");
    if !name.is_empty() && !namesakes(tx, "asset", name, own).is_empty() {
        let message = "The asset name is duplicated.";
        faults.push(
            Fault::new("assetError", "DUPLICATE_ASSET_NAME", message)
                .at("name")
                .because(name),
        );
    }
    faults
}

fn text_content(fields: &Fields) -> Ruling<String> {
    let said = fields["textAsset"]["text"].as_str().unwrap_or("");
    if said.trim().is_empty() {
        return Err(vec![Fault::required("text_asset.text")]);
    }
    Ok(format!("text {said}"))
}

/// Looks at the bytes and keeps what they say, not the bytes.
fn image_content(fields: &mut Fields) -> Ruling<String> {
    let bad = |family: &str, code: &str, message: &str| {
        Err(vec![Fault::new(family, code, message).at("image_asset.data")])
    };
    let Some(data) = fields["imageAsset"]["data"].as_str() else {
        return Err(vec![Fault::required("image_asset.data")]);
    };
    let Ok(bytes) = STANDARD.decode(data) else {
        return bad("imageError", "INVALID_IMAGE", "The image is not valid.");
    };
    if bytes.len() > LARGEST {
        return bad("imageError", "FILE_TOO_LARGE", "Image file is too large.");
    }
    let Some((mime, width, height)) = images::describe(&bytes) else {
        return bad("imageError", "INVALID_IMAGE", "The image is not valid.");
    };
    if width == 0 || height == 0 {
        return bad(
            "imageError",
            "UNEXPECTED_SIZE",
            "The image is not of legal dimensions.",
        );
    }
    let content = format!("image {}", hex::encode(Sha256::digest(&bytes)));
    fields.insert(
        "imageAsset".into(),
        image(mime, bytes.len(), width, height, &content),
    );
    Ok(content)
}

fn image(mime: &str, bytes: usize, width: u32, height: u32, content: &str) -> Value {
    let url = format!(
        "https://tpc.googlesyndication.com/simgad/{}",
        content.rsplit(' ').next().unwrap_or("")
    );
    json!({
        "fileSize": bytes.to_string(), "mimeType": mime,
        "fullSize": {"widthPixels": width.to_string(), "heightPixels": height.to_string(), "url": url},
    })
}

/// "This is the 11 character string value used in the YouTube video URL."
fn video_content(fields: &Fields) -> Ruling<String> {
    let id = fields["youtubeVideoAsset"]["youtubeVideoId"]
        .as_str()
        .unwrap_or("");
    if id.is_empty() {
        return Err(vec![Fault::required("youtube_video_asset.youtube_video_id")]);
    }
    let letters = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if id.len() != 11 || !id.bytes().all(letters) {
        let message = "Video to be registered wasn't found.";
        let fault = Fault::new("youtubeVideoRegistrationError", "VIDEO_NOT_FOUND", message);
        return Err(vec![fault.at("youtube_video_asset.youtube_video_id").because(id)]);
    }
    Ok(format!("video {id}"))
}

/// An asset that the asset library says the account already holds: somebody uploaded it before this world began.
pub(in crate::sandbox) fn known(world: &mut World, asset: &Value) {
    let Some(key) = asset["platform_refs"][NAME]["resource_name"].as_str() else {
        return;
    };
    let parts: Vec<&str> = key.split('/').collect();
    let ["customers", customer, "assets", id] = parts[..] else {
        return;
    };
    if world.store.find(NAME, key).is_some() {
        return;
    }
    let hidden_for = std::mem::take(&mut world.store.hidden_for);
    let kind = asset["kind"].as_str().unwrap_or("image");
    let content = format!("{kind} {}", asset["sha256"].as_str().unwrap_or(id));
    let mut fields = Map::new();
    fields.insert("resourceName".into(), key.into());
    fields.insert("id".into(), id.into());
    fields.insert("source".into(), "ADVERTISER".into());
    fields.insert("_index".into(), content.clone().into());
    fields.insert("_content".into(), content.clone().into());
    if asset["kind"] == "video" {
        let video = hex::encode(Sha256::digest(key));
        fields.insert("type".into(), "YOUTUBE_VIDEO".into());
        fields.insert("youtubeVideoAsset".into(), json!({"youtubeVideoId": video[..11]}));
    } else {
        let size = |field: &str| {
            asset[field]
                .as_u64()
                .and_then(|n| u32::try_from(n).ok())
                .unwrap_or(0)
        };
        let mime = asset["mime_type"]
            .as_str()
            .unwrap_or("image/jpeg")
            .replace('/', "_")
            .to_uppercase();
        let bytes = usize::try_from(asset["bytes"].as_u64().unwrap_or(0)).unwrap_or(0);
        fields.insert("type".into(), "IMAGE".into());
        fields.insert(
            "imageAsset".into(),
            image(&mime, bytes, size("width"), size("height"), &content),
        );
    }
    world.store.create(Draft {
        vendor: NAME,
        account: customer.to_owned(),
        kind: "asset",
        id: id.to_owned(),
        key: key.to_owned(),
        parent: None,
        fields,
        what: "was there".to_owned(),
    });
    world.store.commit();
    world.store.hidden_for = hidden_for;
}
