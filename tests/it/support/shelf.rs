//! A platform that takes uploads as a test tells it to: everything else is the real adapter's.
//!
//! Must not forget: what an account was given is kept, with every call, so that a test can count.

use async_trait::async_trait;
use campaign_execution::domain::error::LegError;
use campaign_execution::domain::manifest::{Desired, Manifest};
use campaign_execution::domain::plan::Objective;
use campaign_execution::domain::spec::{Asset, LegSpec};
use campaign_execution::domain::tenant::Account;
use campaign_execution::outbound::pace::Quota;
use campaign_execution::platform::{
    AccountFacts, CallError, Done, Found, Goal, Mutation, NotOffered, Platform, Problem, Reading, Session,
    Traits, Upload, Uploaded,
};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What happens to the next upload.
#[derive(Debug, Clone)]
pub enum Fate {
    /// It arrives, and its answer is lost.
    AnswerLost,
    /// It is lost on its way.
    RequestLost,
    /// It arrives, and the caller never hears of it.
    SilentAfter,
    /// It does not arrive, and the caller never hears of it.
    SilentBefore,
    /// It is refused.
    Refused(Box<LegError>),
    /// Later.
    Busy,
}

/// One account's content of that name.
#[derive(Debug, Clone)]
pub struct Held {
    pub name: String,
    pub sha256: Option<String>,
    /// Looks until it can be used.
    pub processing: u32,
}

/// What the accounts were given, and every call.
#[derive(Default)]
pub struct Shelf {
    pub held: BTreeMap<String, Vec<Held>>,
    pub sends: u32,
    pub looks: u32,
    pub fates: VecDeque<Fate>,
    /// Looks that a new upload is processed for.
    pub processing: u32,
    /// How long a call takes.
    pub takes: Duration,
}

impl Shelf {
    /// How many uploads all accounts hold.
    pub fn count(&self) -> usize {
        self.held.values().map(Vec::len).sum()
    }
}

/// The real adapter with a shelf.
pub struct Shelved {
    pub inner: Arc<dyn Platform>,
    pub shelf: Arc<Mutex<Shelf>>,
}

fn refs(name: &str) -> BTreeMap<String, String> {
    let hash = hex::encode(Sha256::digest(name));
    BTreeMap::from([("image_hash".to_owned(), hash[..32].to_owned())])
}

impl Shelved {
    fn shelf(&self) -> std::sync::MutexGuard<'_, Shelf> {
        self.shelf.lock().expect("the shelf")
    }

    fn put(&self, account: &str, upload: &Upload, content: Option<&[u8]>) -> Uploaded {
        let mut shelf = self.shelf();
        let processing = shelf.processing;
        let held = Held {
            name: upload.name.clone(),
            sha256: content.map(|bytes| hex::encode(Sha256::digest(bytes))),
            processing,
        };
        shelf.held.entry(account.to_owned()).or_default().push(held);
        let refs = refs(&upload.name);
        if processing > 0 {
            Uploaded::Processing { refs }
        } else {
            Uploaded::Ready { refs }
        }
    }
}

#[async_trait]
impl Platform for Shelved {
    fn upload(&self, spec: &LegSpec, asset: &Asset) -> Result<Option<Upload>, Box<LegError>> {
        if spec.asset_ref(&asset.asset_id, "image_hash").is_some() {
            return Ok(None);
        }
        Ok(Some(Upload {
            asset: asset.clone(),
            name: format!("ce_{}", asset.sha256.as_deref().unwrap_or(&asset.asset_id)),
            needs_content: true,
        }))
    }

    async fn send_upload(
        &self,
        session: &Session,
        upload: &Upload,
        content: Option<Vec<u8>>,
    ) -> Result<Uploaded, CallError> {
        let (fate, takes) = {
            let mut shelf = self.shelf();
            shelf.sends += 1;
            (shelf.fates.pop_front(), shelf.takes)
        };
        tokio::time::sleep(takes).await;
        let account = session.account.account_id.as_str();
        let why = || "told so by a test".to_owned();
        match fate {
            None => Ok(self.put(account, upload, content.as_deref())),
            Some(Fate::AnswerLost) => {
                self.put(account, upload, content.as_deref());
                Err(CallError::Unclear { why: why() })
            }
            Some(Fate::RequestLost) => Err(CallError::Unclear { why: why() }),
            Some(Fate::SilentAfter) => {
                self.put(account, upload, content.as_deref());
                std::future::pending().await
            }
            Some(Fate::SilentBefore) => std::future::pending().await,
            Some(Fate::Refused(error)) => Err(CallError::Refused(error)),
            Some(Fate::Busy) => Err(CallError::Unavailable {
                why: why(),
                after: None,
            }),
        }
    }

    async fn find_upload(
        &self,
        session: &Session,
        upload: &Upload,
        known: Option<&BTreeMap<String, String>>,
    ) -> Result<Uploaded, CallError> {
        let mut shelf = self.shelf();
        shelf.looks += 1;
        let held = shelf.held.get_mut(&session.account.account_id);
        let found = held.and_then(|all| {
            all.iter_mut()
                .find(|h| known.map_or(h.name == upload.name, |refs_known| *refs_known == refs(&h.name)))
        });
        Ok(match found {
            None => Uploaded::Absent,
            Some(held) if held.processing > 0 => {
                held.processing -= 1;
                Uploaded::Processing {
                    refs: refs(&held.name),
                }
            }
            Some(held) => Uploaded::Ready {
                refs: refs(&held.name),
            },
        })
    }

    // ---- the real adapter's ----------------------------------------------------------------------------------------

    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn traits(&self) -> Traits {
        self.inner.traits()
    }

    fn quota(&self) -> &'static Quota {
        self.inner.quota()
    }

    fn channels(&self) -> &'static [&'static str] {
        self.inner.channels()
    }

    fn offer(&self, objective: Objective, channel: Option<&str>) -> Result<&'static str, NotOffered> {
        self.inner.offer(objective, channel)
    }

    fn check(&self, spec: &LegSpec) -> Vec<Problem> {
        self.inner.check(spec)
    }

    fn desire(
        &self,
        spec: &LegSpec,
        account: &Account,
        facts: &AccountFacts,
    ) -> Result<Vec<Desired>, Box<LegError>> {
        self.inner.desire(spec, account, facts)
    }

    fn next(&self, goal: Goal, desired: &[Desired], manifest: &Manifest, account: &Account) -> Vec<Mutation> {
        self.inner.next(goal, desired, manifest, account)
    }

    fn removal(&self, kind: &str, remote_id: &str, account: &Account) -> Mutation {
        self.inner.removal(kind, remote_id, account)
    }

    async fn probe(&self, session: &Session) -> Result<AccountFacts, CallError> {
        self.inner.probe(session).await
    }

    fn account_mutations(&self, account: &Account, facts: &AccountFacts) -> Vec<Mutation> {
        self.inner.account_mutations(account, facts)
    }

    async fn execute(&self, session: &Session, mutation: &Mutation) -> Result<Done, CallError> {
        self.inner.execute(session, mutation).await
    }

    async fn find(
        &self,
        session: &Session,
        manifest: &Manifest,
        keys: &[String],
    ) -> Result<Vec<Found>, CallError> {
        self.inner.find(session, manifest, keys).await
    }

    async fn read(&self, session: &Session, manifest: &Manifest) -> Result<Reading, CallError> {
        self.inner.read(session, manifest).await
    }
}
