//! A worker at work on one command, and what it asks the database by itself.
//!
//! Must not decide when it goes on: the town does.

use crate::service::committer::{Ask, NotSaved};
use crate::service::drive::Undoes;
use crate::store::StoreError;
use crate::store::progress::Then;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use tokio::sync::mpsc;

pub(super) type Driving = Pin<Box<dyn Future<Output = Result<Then, NotSaved>> + Send>>;

impl Worker {
    /// It waits for a step to be saved.
    pub(super) fn asks(&self) -> bool {
        self.ask.is_some()
    }
}

/// A worker at work on one command.
pub(super) struct Worker {
    pub number: u64,
    pub leg: i64,
    pub what: String,
    pub driving: Driving,
    pub asks: mpsc::Receiver<Ask>,
    pub ask: Option<Ask>,
    pub lease: i64,
    /// The step in which it took the command.
    pub since: u64,
}

/// What an undo asks the database, as it is when a worker goes on.
#[derive(Default)]
pub(super) struct Glance(pub Mutex<BTreeMap<i64, (bool, bool)>>);

impl Glance {
    fn of(&self, leg: i64) -> (bool, bool) {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&leg).copied().unwrap_or_default()
    }
}

#[async_trait]
impl Undoes for Glance {
    async fn others_may_be_on(&self, leg_id: i64) -> Result<bool, StoreError> {
        Ok(self.of(leg_id).0)
    }

    async fn removal_has_begun(&self, leg_id: i64) -> Result<bool, StoreError> {
        Ok(self.of(leg_id).1)
    }
}

/// Without the delays, which differ from run to run.
pub(super) fn ended(result: &Result<Then, NotSaved>) -> String {
    match result {
        Ok(Then::GiveBack { .. }) => "given back".to_owned(),
        Ok(then @ (Then::Continue | Then::Forget | Then::Finish { .. } | Then::Close { .. })) => {
            format!("{then:?}")
        }
        Err(error) => error.to_string(),
    }
}

pub(super) fn told(save: &crate::store::progress::Save) -> String {
    let then = match &save.then {
        Then::Continue => "go on".to_owned(),
        Then::GiveBack { why, .. } => format!("give back ({why})"),
        Then::Forget => "forget".to_owned(),
        Then::Finish { report, error } => {
            format!(
                "{} {}",
                report.as_str(),
                error.as_ref().map_or("", |e| e.code.as_str())
            )
        }
        Then::Close { report } => (*report).to_owned(),
    };
    let objects: Vec<String> = save
        .intents
        .iter()
        .map(|(_, r)| format!("{} {}", r["op"]["op"], r["objects"]))
        .collect();
    format!("{then} {objects:?}")
}
