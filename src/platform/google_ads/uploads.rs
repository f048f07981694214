//! Assets of the library into the account: images by their content, videos by their YouTube id.
//!
//! Must not send one twice by itself. Sending one again does no harm: an account holds the same content once and answers with the
//! asset that is there ("when there is an existing image asset with the same content but a different name, the new name will be dropped
//! silently": the example `add_performance_max_campaign` of googleads/google-ads-python). Proportions are judged when an asset is used.

use super::errors::Call;
use super::images::{LARGEST, YOUTUBE};
use super::kinds::{VERSION, digits};

use super::mapping::{NAME_OF_REF, form, unfit};
use super::queries;
use super::wire::{Asset, ImageAsset, ServiceResponse, YoutubeVideoAsset};
use crate::platform::{CallError, Session, Upload, Uploaded};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::collections::BTreeMap;

/// See [`crate::platform::Platform::send_upload`].
pub(super) async fn send(
    session: &Session,
    upload: &Upload,
    content: Option<Vec<u8>>,
) -> Result<Uploaded, CallError> {
    let path = format!(
        "/{VERSION}/customers/{}/assets:mutate",
        digits(&session.account.account_id)
    );
    let body = json!({ "operations": [{ "create": form(&asset(upload, content)?) }] });
    let objects = [upload.name.clone()];
    let answer = super::call_google(session, &path, &body, Call::Create, &objects).await?;
    let results = answer.and_then(|answer| serde_json::from_slice::<ServiceResponse>(&answer.body).ok());
    let name = results.and_then(|response| response.results.into_iter().next());
    match name
        .map(|result| result.resource_name)
        .filter(|name| name.contains("/assets/"))
    {
        Some(name) => Ok(ready(name)),
        None => Err(CallError::Unclear {
            why: "an answer that makes no sense: it doesn't name the asset".to_owned(),
        }),
    }
}

/// The asset to create.
fn asset(upload: &Upload, content: Option<Vec<u8>>) -> Result<Asset, CallError> {
    let base = Asset {
        name: Some(upload.name.clone()),
        ..Default::default()
    };
    if upload.asset.kind == "video" {
        let refs = upload.asset.platform_refs.get(super::NAME);
        let id = refs.and_then(|refs| refs.get(YOUTUBE)).ok_or_else(|| {
            CallError::refused(*unfit(
                "a video without its YouTube id",
                "put it into the asset library as google-ads.youtube_video_id",
            ))
        })?;
        return Ok(Asset {
            kind: Some("YOUTUBE_VIDEO".to_owned()),
            youtube_video_asset: Some(YoutubeVideoAsset {
                youtube_video_id: Some(id.clone()),
            }),
            ..base
        });
    }
    let content = content.unwrap_or_default();
    if content.is_empty() || u64::try_from(content.len()).is_ok_and(|bytes| bytes > LARGEST) {
        let what = format!(
            "image {:?} has {} bytes; Google Ads takes 1 to {LARGEST}",
            upload.asset.asset_id,
            content.len()
        );
        return Err(CallError::refused(*unfit(what, "give another one")));
    }
    Ok(Asset {
        kind: Some("IMAGE".to_owned()),
        image_asset: Some(ImageAsset {
            data: Some(STANDARD.encode(content)),
        }),
        ..base
    })
}

fn ready(name: String) -> Uploaded {
    Uploaded::Ready {
        refs: BTreeMap::from([(NAME_OF_REF.to_owned(), name)]),
    }
}

/// See [`crate::platform::Platform::find_upload`]. One that lost its name to an older asset of the same content isn't found, and
/// sending it again tells what that one is called.
pub(super) async fn find(
    session: &Session,
    upload: &Upload,
    refs: Option<&BTreeMap<String, String>>,
) -> Result<Uploaded, CallError> {
    let known = refs.and_then(|refs| refs.get(NAME_OF_REF));
    let query = queries::uploaded(known.map(String::as_str), &upload.name);
    let rows = super::search(session, query).await?;
    let assets = rows.into_iter().filter_map(|row| row.asset);
    let ours = assets.filter(|asset| known.is_some() || asset.name.as_deref() == Some(upload.name.as_str()));
    let mut names: Vec<String> = ours.filter_map(|asset| asset.resource_name).collect();
    names.sort_by_key(|name| (name.len(), name.clone()));
    Ok(names.into_iter().next().map_or(Uploaded::Absent, ready))
}
