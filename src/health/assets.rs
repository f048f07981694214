//! The asset library (contract §5): what an asset is and what each platform calls it.
//!
//! Must not fetch an asset's own URL (`health::content` does, for uploads alone).

use super::Unknown;
use crate::domain::ids::TenantId;
use crate::domain::spec::Asset;
use crate::outbound::Outbound;
use crate::outbound::credentials::Credential;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// How long the library may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// What the library says of an asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// There, and usable.
    Ready(Asset),
    /// There, not usable yet.
    Processing,
    /// Not there.
    Missing,
}

#[derive(Deserialize)]
struct Answer {
    asset_id: String,
    kind: String,
    status: String,
    width: Option<u32>,
    height: Option<u32>,
    sha256: Option<String>,
    mime_type: Option<String>,
    bytes: Option<u64>,
    url: Option<String>,
    #[serde(default)]
    platform_refs: BTreeMap<String, BTreeMap<String, Option<String>>>,
}

/// The asset library, and where the content of its assets may be fetched.
#[derive(Clone)]
pub struct Library {
    /// HTTP and credentials.
    pub outbound: Outbound,
    /// `asset_library.base_url`, without a slash at its end.
    pub base_url: String,
    /// Its credential file's name.
    pub credential: String,
    /// `asset_library.content_hosts`.
    pub content_hosts: Vec<String>,
    /// `asset_library.max_content_bytes`.
    pub max_content_bytes: u64,
    /// What may be in memory at the same time ([`super::content::units`]).
    pub room: Arc<Semaphore>,
}

impl Library {
    /// Looks an asset up.
    ///
    /// # Errors
    /// [`Unknown`] when the library can't be reached, refuses us, or answers what it should not.
    pub async fn lookup(&self, tenant: &TenantId, asset_id: &str) -> Result<Lookup, Unknown> {
        fetch(&self.outbound, &self.base_url, &self.credential, tenant, asset_id).await
    }
}

/// The bearer token.
pub(super) fn token(outbound: &Outbound, credential: &str) -> Result<SecretString, Unknown> {
    match outbound.credentials.get(credential) {
        Ok(Credential::Token { access_token, .. }) => Ok(access_token),
        Ok(Credential::AuthorizedUser { .. } | Credential::ServiceAccount { .. }) => Err(Unknown::new(
            format!("credential {credential} holds no access_token"),
        )),
        Err(error) => Err(Unknown::new(error.to_string())),
    }
}

/// Looks an asset up.
///
/// # Errors
/// [`Unknown`] when the library can't be reached, refuses us, or answers what it should not.
pub async fn fetch(
    outbound: &Outbound,
    base_url: &str,
    credential: &str,
    tenant: &TenantId,
    asset_id: &str,
) -> Result<Lookup, Unknown> {
    let unreadable =
        |what: String| Unknown::new(format!("the asset library's answer about {asset_id}: {what}"));
    let mut url =
        url::Url::parse(base_url).map_err(|e| Unknown::new(format!("asset_library.base_url: {e}")))?;
    url.path_segments_mut()
        .map_err(|()| Unknown::new("asset_library.base_url cannot be a base"))?
        .pop_if_empty()
        .extend(["v1", "tenants", tenant.as_str(), "assets", asset_id]);
    let token = token(outbound, credential)?;
    let request = outbound.http.get(url).bearer_auth(token.expose_secret());
    let answer = outbound
        .send(request, DEADLINE)
        .await
        .map_err(|e| Unknown::new(format!("the asset library: {e}")))?;
    match answer.status {
        200 => {}
        404 => return Ok(Lookup::Missing),
        status => {
            return Err(Unknown::new(format!(
                "the asset library answered {status} about {asset_id}"
            )));
        }
    }
    let found: Answer = serde_json::from_slice(&answer.body).map_err(|e| unreadable(e.to_string()))?;
    if found.asset_id != asset_id {
        return Err(unreadable(format!("is about {}", found.asset_id)));
    }
    match found.status.as_str() {
        "ready" => Ok(Lookup::Ready(Asset {
            asset_id: found.asset_id,
            kind: found.kind,
            width: found.width,
            height: found.height,
            sha256: found.sha256,
            mime_type: found.mime_type,
            bytes: found.bytes,
            url: found.url,
            platform_refs: found
                .platform_refs
                .into_iter()
                .map(|(p, refs)| (p, refs.into_iter().filter_map(|(k, v)| Some((k, v?))).collect()))
                .collect(),
        })),
        "processing" => Ok(Lookup::Processing),
        "missing" => Ok(Lookup::Missing),
        other => Err(unreadable(format!("status {other:?}"))),
    }
}
