//! A leg without one of its assets: it waits, a person is asked for the asset, and it goes on when the asset appears.
//!
//! Must not fetch anything but what the library says of an asset.

use super::{Drive, Halt, give_back, wait_for};
use crate::domain::error::LegError;
use crate::domain::spec::Asset;
use crate::domain::touchpoint::{self, Kind};
use crate::health::Unknown;
use crate::health::assets::Lookup;
use crate::service::backoff;
use crate::service::committer::NotSaved;
use crate::store::progress::Wait;
use futures::{StreamExt, stream};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How soon the library is asked again at first, and in the end.
const FIRST: Duration = Duration::from_secs(30);
const LAST: Duration = Duration::from_secs(300);
/// Look-ups at the same time.
const LOOKUPS: usize = 8;

impl Drive {
    /// It was given back for want of an asset.
    pub(super) fn waits_for_assets(&self) -> bool {
        self.job.waiting.is_some_and(|w| w.wait == Wait::Asset)
    }

    /// Given back until the asset appears.
    pub(super) fn wait_for_asset(&self, error: &LegError) -> Halt {
        let after = backoff::poll(self.polls(Wait::Asset), FIRST, LAST);
        wait_for(
            Wait::Asset,
            after,
            touchpoint::what_to_do(Kind::MissingAsset, error),
        )
    }

    /// Where the leg waits for an asset: what the library says of all of its assets now, instead of what it said to the gate.
    pub(super) async fn look_for_assets(&mut self) -> Result<(), Halt> {
        if !self.waits_for_assets() {
            return Ok(());
        }
        let ids: Vec<String> = self.job.spec.asset_ids().into_iter().map(str::to_owned).collect();
        let (library, tenant) = (&self.tools.library, &self.job.spec.key.tenant_id);
        let looked: Vec<(String, Result<Lookup, Unknown>)> = stream::iter(ids)
            .map(|id| async move {
                let found = library.lookup(tenant, &id).await;
                (id, found)
            })
            .buffer_unordered(LOOKUPS)
            .collect()
            .await;
        let mut there: BTreeMap<String, Asset> = BTreeMap::new();
        for (id, found) in looked {
            match found {
                Ok(Lookup::Ready(asset)) => {
                    there.insert(id, asset);
                }
                Ok(Lookup::Processing) => {
                    let error = super::uploads::asset_missing(
                        "asset-processing",
                        format!("{id} is still being processed in the asset library"),
                    );
                    return Err(self.wait_for_asset(&error));
                }
                Ok(Lookup::Missing) => {
                    let error = super::uploads::asset_missing(
                        "asset-missing",
                        format!("{id} is not in the asset library"),
                    );
                    return Err(self.wait_for_asset(&error));
                }
                Err(unknown) => {
                    let after = backoff::delay(1 + self.polls(Wait::Asset), None);
                    // Nothing was learnt: what a person was asked for stands.
                    return Err(give_back(after, unknown.why));
                }
            }
        }
        if there != self.job.spec.assets {
            let kept = self
                .tools
                .store
                .keep_assets(self.job.leg_id, self.job.command_id, self.job.token, &there)
                .await;
            kept.map_err(|error| Halt::NotOurs(NotSaved::Failed(Arc::new(error))))?;
            self.record(
                "assets.looked_up",
                json!({ "assets": there.keys().collect::<Vec<_>>() }),
            );
            self.job.spec.assets = there;
        }
        Ok(())
    }
}
