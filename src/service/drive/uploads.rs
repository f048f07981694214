//! Assets that the platform's account does not hold yet: given to it once per content and account, whichever legs and
//! tenants need them, before the leg is built.
//!
//! The order is the safety here too: one leg claims an upload, its intent is committed before the call, its outcome after it,
//! an unknown outcome leaves only by a look-up. Must not wait for anything: another leg's upload, transcoding and settle times
//! give the command back.

use super::unknown::LOOKS;
use super::{CALLS_AT_ONCE, Drive, Halt, MARGIN, TURNED, give_back, wait_for};
use crate::domain::error::{ErrorClass, LegError};
use crate::domain::spec::Asset;
use crate::health::assets::Lookup;
use crate::health::content::{self, Content, NoContent};
use crate::platform::{CallError, Upload, Uploaded};
use crate::service::backoff;
use crate::service::committer::{NotSaved, Onward};
use crate::store::audit::Record;
use crate::store::progress::{Then, Wait};
use crate::store::uploads::{Asking, Claim, Settled, Stage, Standing, Wanted};
use crate::store::{Store, StoreError};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How soon an upload that another leg deals with is asked about again; it rings before that when it is done.
const ELSEWHERE: Duration = Duration::from_secs(5);
/// How soon the platform is asked at first whether it has finished with an asset, and in the end.
const PROCESSING_FIRST: Duration = Duration::from_secs(5);
const PROCESSING_LAST: Duration = Duration::from_secs(120);
/// How long the platform may take over an asset.
const PROCESSING_LIMIT: Duration = Duration::from_secs(2 * 3600);
/// How often an outcome is tried to be written down while the database is away.
const TRIES: u32 = 5;

type Refs = BTreeMap<String, String>;

/// What dealing with one upload came to.
enum Came {
    Ready(Refs),
    Later(Duration, String),
    Failed(Box<LegError>),
}

impl Came {
    fn failed(error: LegError) -> Self {
        Self::Failed(Box::new(error))
    }
}

/// A claimed upload being dealt with.
struct Dealing<'a> {
    drive: &'a Drive,
    asset_id: String,
    claim: Claim,
    records: Vec<Record>,
    /// Calls sent by us, now.
    sent: i64,
}

/// What makes an upload the same one, whoever needs it.
fn identity(asset: &Asset, tenant: &str) -> String {
    match asset.sha256.as_deref() {
        Some(hash) if hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            format!("sha256:{}", hash.to_ascii_lowercase())
        }
        Some(_) | None => format!("library:{tenant}/{}", asset.asset_id),
    }
}

fn away(error: StoreError) -> Halt {
    Halt::NotOurs(NotSaved::Failed(Arc::new(error)))
}

impl Drive {
    /// Makes sure that the account holds every asset of the leg, and tells the spec what the platform calls each.
    pub(super) async fn upload_what_is_missing(&mut self) -> Result<(), Halt> {
        let wanted = self.wanted_uploads()?;
        if wanted.is_empty() {
            return Ok(());
        }
        let platform = self.tools.platform.name();
        let lease = content::DEADLINE + self.session.deadline * 2 + MARGIN;
        let asking = Asking {
            platform,
            account_id: &self.session.account.account_id,
            tenant_id: self.job.spec.key.tenant_id.as_str(),
            leg_id: self.job.leg_id,
            command_id: self.job.command_id,
        };
        // Where an asset was refused before, what is recorded may be gone from the account: it is looked at again.
        let recheck = self.waits_for_assets();
        let standings = self
            .tools
            .store
            .claim_uploads(asking, &wanted, lease, recheck)
            .await;
        let standings = standings.map_err(away)?;
        let mut came: Vec<(String, Came)> = Vec::new();
        let mut claims = Vec::new();
        for (content, standing) in standings {
            match standing {
                Standing::Ready(refs) => came.push((content, Came::Ready(refs))),
                Standing::Failed(error) => came.push((content, Came::Failed(error))),
                Standing::Later(after) => {
                    let why = "the account is being given an asset".to_owned();
                    came.push((content, Came::Later(after.min(ELSEWHERE), why)));
                }
                Standing::Claimed(claim) => claims.push((content, *claim)),
            }
        }
        if !claims.is_empty() {
            // The command is ours for long enough; if it is not, the claims run out unused.
            let needs = self.session.deadline + MARGIN;
            if self.save(Vec::new(), needs, Then::Continue).await? == Onward::Stop {
                return Err(give_back(Duration::ZERO, TURNED));
            }
            came.extend(self.deal_with(claims, &wanted).await?);
        }
        self.take_in_uploads(&wanted, came)
    }

    /// What the platform says must be uploaded for this leg.
    fn wanted_uploads(&self) -> Result<Vec<Wanted>, Halt> {
        let spec = &self.job.spec;
        let mut wanted = Vec::new();
        for (asset_id, asset) in &spec.assets {
            let upload = self.tools.platform.upload(spec, asset);
            if let Some(upload) = upload.map_err(|error| self.refused(*error))? {
                wanted.push(Wanted {
                    content: identity(&upload.asset, spec.key.tenant_id.as_str()),
                    asset_id: asset_id.clone(),
                    upload: serde_json::to_value(&upload).unwrap_or(Value::Null),
                });
            }
        }
        Ok(wanted)
    }

    async fn deal_with(
        &mut self,
        claims: Vec<(String, Claim)>,
        wanted: &[Wanted],
    ) -> Result<Vec<(String, Came)>, Halt> {
        let drive: &Self = self;
        let dealt: Vec<(String, Result<Came, StoreError>, i64)> = stream::iter(claims)
            .map(|(content, claim)| async move {
                let asset_id = wanted.iter().find(|w| w.content == content);
                let mut dealing = Dealing {
                    drive,
                    asset_id: asset_id.map(|w| w.asset_id.clone()).unwrap_or_default(),
                    claim,
                    records: Vec::new(),
                    sent: 0,
                };
                let came = dealing.deal().await;
                (content, came, dealing.sent)
            })
            .buffer_unordered(CALLS_AT_ONCE)
            .collect()
            .await;
        let sent: i64 = dealt.iter().map(|(_, _, sent)| sent).sum();
        if sent > 0 {
            self.manifest.mutation_count += sent;
            self.pending.manifest = true;
        }
        dealt
            .into_iter()
            .map(|(content, came, _)| Ok((content, came.map_err(away)?)))
            .collect()
    }

    /// A failure outweighs a wait; where neither is, the spec is told.
    fn take_in_uploads(&mut self, wanted: &[Wanted], came: Vec<(String, Came)>) -> Result<(), Halt> {
        let (mut refused, mut later, mut known) = (None, None::<(Duration, String)>, BTreeMap::new());
        for (content, came) in came {
            match came {
                Came::Ready(refs) => {
                    known.insert(content, refs);
                }
                Came::Failed(error) => refused = Some(*error),
                Came::Later(after, why) => {
                    later = match later {
                        Some(sooner) if sooner.0 <= after => Some(sooner),
                        Some(_) | None => Some((after, why)),
                    }
                }
            }
        }
        if let Some(error) = refused {
            return Err(self.refused(error));
        }
        if let Some((after, why)) = later {
            return Err(wait_for(Wait::Upload, after, why));
        }
        let platform = self.tools.platform.name();
        let mut told = BTreeMap::new();
        for want in wanted {
            let refs = known.get(&want.content).cloned().unwrap_or_default();
            if let Some(asset) = self.job.spec.assets.get_mut(&want.asset_id) {
                let place = asset.platform_refs.entry(platform.to_owned()).or_default();
                place.extend(refs.clone());
            }
            told.insert(want.asset_id.clone(), refs);
        }
        self.record("assets.at_hand", json!({ "assets": told }));
        Ok(())
    }
}

impl Dealing<'_> {
    /// Looks first where a call may have been made; sends where none was.
    async fn deal(&mut self) -> Result<Came, StoreError> {
        let Ok(upload) = serde_json::from_value::<Upload>(self.claim.upload.clone()) else {
            let error = LegError::new(
                ErrorClass::Unknown,
                "upload-unreadable",
                format!(
                    "what was noted about the upload of {} cannot be read",
                    self.asset_id
                ),
                "look in the platform's library whether the asset is there, then tell the operators",
            );
            return self.keep(None, Came::failed(error)).await;
        };
        match self.claim.stage {
            Stage::Unsent => self.send(upload).await,
            Stage::Unknown | Stage::Processing => match self.look(&upload).await? {
                Some(came) => Ok(came),
                None => self.send(upload).await,
            },
        }
    }

    // ---- looking ---------------------------------------------------------------------------------------------------

    /// `None`: it is not there, for certain enough to send it (again).
    async fn look(&mut self, upload: &Upload) -> Result<Option<Came>, StoreError> {
        let (platform, session) = (&self.drive.tools.platform, &self.drive.session);
        let refs = Some(&self.claim.refs).filter(|refs| !refs.is_empty());
        let looked = platform.find_upload(session, upload, refs).await;
        let settle = self.drive.settle();
        let found = match looked {
            Ok(found) => found,
            Err(CallError::Refused(error)) if self.claim.stage == Stage::Processing => {
                // The platform could not make anything of it.
                self.note(json!({ "asset": self.asset_id, "error": error }), "asset.refused");
                let came = Came::Failed(error.clone());
                return self.settle_failed(*error, came).await.map(Some);
            }
            Err(CallError::Refused(error)) => {
                let error = LegError {
                    platform_code: error.platform_code.clone(),
                    platform_message: error.platform_message.clone(),
                    ..LegError::new(
                        ErrorClass::Unknown,
                        "cannot-tell",
                        format!(
                            "whether {} was uploaded cannot be looked up: {}",
                            self.asset_id, error.message
                        ),
                        "mend what keeps the look-up from working, then `retry`: nothing is uploaded twice",
                    )
                };
                return self.keep(None, Came::failed(error)).await.map(Some);
            }
            Err(CallError::Unavailable { why, after }) => {
                let after = self.later(after);
                return self.keep(Some(after), Came::Later(after, why)).await.map(Some);
            }
            Err(CallError::Unclear { why }) => {
                let after = self.later(None);
                return self.keep(Some(after), Came::Later(after, why)).await.map(Some);
            }
        };
        match found {
            Uploaded::Ready { refs } => {
                self.note(
                    json!({ "looked_for": [self.asset_id], "found": [[self.asset_id, refs]] }),
                    "outcome.resolved",
                );
                self.settle_ready(refs).await.map(Some)
            }
            Uploaded::Processing { refs } => self.still_processing(refs).await.map(Some),
            Uploaded::Absent if self.claim.looks + 1 < LOOKS => {
                self.claim.looks += 1;
                let why = format!("{} does not show yet; looking once more", self.asset_id);
                self.keep(Some(settle / 2), Came::Later(settle / 2, why))
                    .await
                    .map(Some)
            }
            Uploaded::Absent => {
                self.note(
                    json!({ "looked_for": [self.asset_id], "found": [] }),
                    "outcome.resolved",
                );
                Ok(None)
            }
        }
    }

    async fn still_processing(&mut self, refs: Refs) -> Result<Came, StoreError> {
        let since = self.claim.processing_for;
        let polls = if self.claim.stage == Stage::Processing {
            self.claim.looks
        } else {
            0
        };
        let after = backoff::poll(polls, PROCESSING_FIRST, PROCESSING_LAST);
        let came = if since > PROCESSING_LIMIT {
            Came::failed(LegError::new(
                ErrorClass::Validation,
                "asset-processing",
                format!(
                    "the platform has been processing {} for {} minutes",
                    self.asset_id,
                    since.as_secs() / 60
                ),
                "see in the platform's own library what is the matter with the asset, then `retry`",
            ))
        } else {
            Came::Later(after, format!("the platform is processing {}", self.asset_id))
        };
        let settled = Settled {
            state: "processing",
            refs: Some(refs),
            error: None,
            unknown: false,
            after: Some(after),
            looks: polls + 1,
        };
        self.write(settled).await?;
        Ok(came)
    }

    // ---- sending ---------------------------------------------------------------------------------------------------

    /// Fetches the content if the platform must be sent it, commits the intent, sends, writes down what came of it.
    async fn send(&mut self, mut upload: Upload) -> Result<Came, StoreError> {
        let drive = self.drive;
        match self.current(&upload).await? {
            Ok(asset) => upload.asset = asset,
            Err(came) => return Ok(came),
        }
        let content = if upload.needs_content {
            match drive.tools.library.content(&upload.asset).await {
                Ok(content) => Some(content),
                Err(error) => return self.no_content(error).await,
            }
        } else {
            None
        };
        let noted = serde_json::to_value(&upload).unwrap_or(Value::Null);
        let hold = drive.session.deadline + MARGIN;
        let store = &drive.tools.store;
        if !store
            .begin_upload(
                &self.claim,
                &noted,
                (hold, drive.settle()),
                drive.job.spec.key.tenant_id.as_str(),
            )
            .await?
        {
            return Ok(Came::Later(
                ELSEWHERE,
                "another leg has taken the upload over, or the tenant is paused".to_owned(),
            ));
        }
        self.sent += 1;
        self.claim.refs.clear();
        self.claim.looks = 0;
        // The memory granted to the content is held until the call has ended.
        let (bytes, room) = content.map(Content::into_parts).unzip();
        let outcome = drive
            .tools
            .platform
            .send_upload(&drive.session, &upload, bytes)
            .await;
        drop(room);
        self.take_in(&upload, outcome).await
    }

    /// The asset as the library has it now: it may have gone since the gate looked, and where its content is may have changed.
    async fn current(&mut self, upload: &Upload) -> Result<Result<Asset, Came>, StoreError> {
        let tenant = &self.drive.job.spec.key.tenant_id;
        let looked = self.drive.tools.library.lookup(tenant, &self.asset_id).await;
        let came = match looked {
            Ok(Lookup::Ready(asset))
                if identity(&asset, tenant.as_str()) == identity(&upload.asset, tenant.as_str()) =>
            {
                return Ok(Ok(asset));
            }
            Ok(Lookup::Ready(_)) => Came::failed(asset_missing(
                "asset-changed",
                format!(
                    "the content of {} has changed since the launch was checked",
                    self.asset_id
                ),
            )),
            Ok(Lookup::Processing) => Came::failed(asset_missing(
                "asset-processing",
                format!("{} is still being processed in the asset library", self.asset_id),
            )),
            Ok(Lookup::Missing) => Came::failed(asset_missing(
                "asset-missing",
                format!("{} is not in the asset library any more", self.asset_id),
            )),
            Err(unknown) => Came::Later(self.later(None), unknown.why),
        };
        self.settle_as("intended", None, came).await.map(Err)
    }

    async fn no_content(&mut self, error: NoContent) -> Result<Came, StoreError> {
        self.note(
            json!({ "asset": self.asset_id, "why": error.to_string() }),
            "asset.not_fetched",
        );
        let came = match error {
            NoContent::Refused(why) => Came::failed(LegError::new(
                ErrorClass::Validation,
                "asset-content",
                why,
                "mend the asset in the library, or the asset_library configuration, then `retry`",
            )),
            NoContent::Broken(why) => Came::failed(asset_missing("asset-content", why)),
            NoContent::Later(why) => Came::Later(self.later(None), why),
        };
        self.settle_as("intended", None, came).await
    }

    async fn take_in(
        &mut self,
        upload: &Upload,
        outcome: Result<Uploaded, CallError>,
    ) -> Result<Came, StoreError> {
        let settle = self.drive.settle();
        match outcome {
            Ok(Uploaded::Ready { refs }) => {
                self.sent_as(upload, "done", json!({ "refs": refs, "usable": true }));
                self.settle_ready(refs).await
            }
            Ok(Uploaded::Processing { refs }) => {
                self.sent_as(upload, "done", json!({ "refs": refs, "usable": false }));
                self.claim.stage = Stage::Unsent;
                self.claim.processing_for = Duration::ZERO;
                self.still_processing(refs).await
            }
            Err(CallError::Refused(error)) => {
                self.sent_as(upload, "refused", json!({ "error": error }));
                let came = Came::Failed(error.clone());
                match error.class {
                    // The content is what it does not like: it will not like it from another leg either.
                    ErrorClass::Validation | ErrorClass::Policy | ErrorClass::AssetMissing => {
                        self.settle_failed(*error, came).await
                    }
                    ErrorClass::Transient
                    | ErrorClass::Unknown
                    | ErrorClass::Budget
                    | ErrorClass::Payer
                    | ErrorClass::Auth
                    | ErrorClass::Account => self.settle_as("intended", None, came).await,
                }
            }
            Err(CallError::Unavailable { why, after }) => {
                self.sent_as(upload, "not_sent", json!({ "why": why }));
                let after = backoff::delay(self.claim.sends + 1, after);
                self.settle_as("intended", Some(after), Came::Later(after, why))
                    .await
            }
            Err(CallError::Unclear { why }) => self.unclear(upload, settle, why).await,
            Ok(Uploaded::Absent) => {
                let why = "the platform answered, and named nothing that it took".to_owned();
                self.unclear(upload, settle, why).await
            }
        }
    }

    async fn unclear(&mut self, upload: &Upload, settle: Duration, why: String) -> Result<Came, StoreError> {
        self.sent_as(upload, "unknown", json!({ "why": why }));
        self.claim.stage = Stage::Unknown;
        self.keep(Some(settle), Came::Later(settle, why)).await
    }

    fn later(&self, hint: Option<Duration>) -> Duration {
        backoff::delay(1 + self.drive.polls(Wait::Upload), hint)
    }

    // ---- writing down ----------------------------------------------------------------------------------------------

    fn note(&mut self, detail: Value, action: &str) {
        self.records.push(self.drive.record_of(action, detail));
    }

    /// A write call like any other, in the audit log: what was sent, not the bytes of it.
    fn sent_as(&mut self, upload: &Upload, outcome: &str, came_to: Value) {
        let asset = &upload.asset;
        let detail = json!({
            "op": { "op": "upload" }, "objects": [format!("asset/{}", self.asset_id)],
            "body": { "name": upload.name, "kind": asset.kind, "mime_type": asset.mime_type, "sha256": asset.sha256,
                      "bytes": asset.bytes, "content_sent": upload.needs_content },
            "outcome": outcome, "came_to": came_to, "account_id": self.drive.session.account.account_id,
            "upload_id": self.claim.id,
        });
        self.note(detail, "mutation");
    }

    async fn settle_ready(&mut self, refs: Refs) -> Result<Came, StoreError> {
        let settled = Settled {
            state: "ready",
            refs: Some(refs.clone()),
            error: None,
            unknown: false,
            after: None,
            looks: 0,
        };
        self.write(settled).await?;
        Ok(Came::Ready(refs))
    }

    async fn settle_failed(&mut self, error: LegError, came: Came) -> Result<Came, StoreError> {
        let settled = Settled {
            state: "failed",
            refs: None,
            error: Some(error),
            unknown: false,
            after: None,
            looks: 0,
        };
        self.write(settled).await?;
        Ok(came)
    }

    async fn settle_as(
        &mut self,
        state: &'static str,
        after: Option<Duration>,
        came: Came,
    ) -> Result<Came, StoreError> {
        let settled = Settled {
            state,
            refs: None,
            error: None,
            unknown: false,
            after,
            looks: 0,
        };
        self.write(settled).await?;
        Ok(came)
    }

    /// Gives the claim back as it is, to be looked at again.
    async fn keep(&mut self, after: Option<Duration>, came: Came) -> Result<Came, StoreError> {
        let processing = self.claim.stage == Stage::Processing;
        let settled = Settled {
            state: if processing { "processing" } else { "intended" },
            refs: None,
            error: None,
            unknown: self.claim.stage == Stage::Unknown,
            after,
            looks: self.claim.looks,
        };
        self.write(settled).await?;
        Ok(came)
    }

    /// What a call came to must not be lost for a moment's absence of the database.
    async fn write(&mut self, settled: Settled) -> Result<(), StoreError> {
        let records = std::mem::take(&mut self.records);
        let store: &Store = &self.drive.tools.store;
        let mut tries = 0;
        loop {
            match store.settle_upload(&self.claim, &settled, &records).await {
                Ok(true) => return Ok(()),
                Ok(false) => {
                    tracing::warn!(
                        asset = self.asset_id,
                        "an upload's outcome came after its claim was lost"
                    );
                    return Ok(());
                }
                Err(error @ StoreError::Unavailable(_)) if tries + 1 < TRIES => {
                    tries += 1;
                    tracing::warn!(error = %error, tries, "an upload's outcome could not be written; trying again");
                    tokio::time::sleep(Duration::from_millis(100 << tries)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

pub(super) fn asset_missing(code: &str, message: String) -> LegError {
    LegError::new(
        ErrorClass::AssetMissing,
        code,
        message,
        "upload the creative to the asset library by hand; the launch goes on by itself, or at once with `resume`",
    )
}
