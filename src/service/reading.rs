//! Reads many legs on their platforms, in the calls of few: legs of one account are read together (`Platform::read_all`).
//!
//! What comes of it is the caller's (`drift` compares, `rollback` foretells). Must not change anything.

use crate::domain::manifest::Manifest;
use crate::domain::tenant::{Account, Tenant};
use crate::outbound::Outbound;
use crate::platform::{self, CallError, Platform, Reading, Session};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Legs read in one go: what the ids of one list may be at the most (TikTok's `campaign_ids`).
const BATCH: usize = 100;
/// Goes at the same time.
pub const AT_ONCE: usize = 4;

/// Legs of one account that are read in one go, each with its place in the caller's list.
pub type Batch<'a> = Vec<(usize, &'a Manifest)>;

/// What one go brought.
pub struct Answer {
    /// Who was asked.
    pub platform: Arc<dyn Platform>,
    /// As what account.
    pub session: Session,
    /// In the batch's order.
    pub readings: Vec<Reading>,
}

/// Reads legs of one tenant.
pub struct Reader<'a> {
    /// HTTP and credentials.
    pub outbound: &'a Outbound,
    /// By platform id: where its API lives.
    pub base_urls: &'a BTreeMap<String, Arc<str>>,
    /// With the accounts as they are now.
    pub tenant: Option<&'a Tenant>,
}

/// Legs by their accounts, as many together as are read in one go.
#[must_use]
pub fn batches<'a>(legs: impl Iterator<Item = (usize, &'a Manifest)>) -> Vec<Batch<'a>> {
    let mut accounts: BTreeMap<(&str, &str), Batch<'a>> = BTreeMap::new();
    for (place, manifest) in legs {
        let account = (manifest.leg.platform.as_str(), manifest.account_id.as_str());
        accounts.entry(account).or_default().push((place, manifest));
    }
    accounts
        .into_values()
        .flat_map(|legs| legs.chunks(BATCH).map(<[_]>::to_vec).collect::<Vec<_>>())
        .collect()
}

impl Reader<'_> {
    /// What the platform tells of a batch's legs: all of them or none.
    ///
    /// # Errors
    /// Why it could not be asked, for a person.
    pub async fn read(&self, batch: &[(usize, &Manifest)]) -> Result<Answer, String> {
        let manifests: Vec<&Manifest> = batch.iter().map(|(_, manifest)| *manifest).collect();
        let first = *manifests.first().ok_or("there is nothing to ask for")?;
        let name = first.leg.platform.as_str();
        let platform =
            platform::by_name(name).ok_or_else(|| format!("this version has no adapter for {name}"))?;
        let account = self.account(first)?;
        let session = Session::of(self.outbound, self.base_urls, platform.as_ref(), account);
        match platform.read_all(&session, &manifests).await {
            Ok(readings) => Ok(Answer {
                platform,
                session,
                readings,
            }),
            Err(CallError::Refused(error)) => Err(error.message),
            Err(CallError::Unavailable { why, .. } | CallError::Unclear { why }) => Err(why),
        }
    }

    /// The account that a leg lives in.
    ///
    /// # Errors
    /// Why there is none to ask, for a person.
    pub fn account(&self, manifest: &Manifest) -> Result<&Account, String> {
        let name = manifest.leg.platform.as_str();
        let account = self.tenant.and_then(|tenant| tenant.accounts.get(name));
        let account = account.ok_or_else(|| format!("the tenant has no {name} account any more"))?;
        if account.account_id != manifest.account_id {
            return Err(format!(
                "it lives in account {}, the tenant's account is now {}",
                manifest.account_id, account.account_id
            ));
        }
        Ok(account)
    }
}
