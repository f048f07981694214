//! What people and other systems ask of an execution: the same for the command line and for `execution.control`.

use super::compose::Composer;
use super::poke::Pokes;
use crate::store::control::{Ordered, Request, Verb};
use crate::wire::control::{Action, Control};
use std::sync::Arc;

/// A message as a request to the store; `again`: where somebody had it published once more.
#[must_use]
pub fn order(control: &Control, again: Option<&str>, now: String) -> Request {
    let verb = match control.action {
        Action::Rollback => Verb::Rollback,
        Action::Resume => Verb::Resume,
        Action::Retry => Verb::Retry,
        Action::Cancel => Verb::Cancel,
    };
    let message = format!(
        "{}/{}@{}#{}/{}/{}",
        control.tenant_id,
        control.plan_version,
        control.at,
        verb.as_str(),
        control.by,
        again.unwrap_or_default()
    );
    Request {
        tenant_id: control.tenant_id.clone(),
        plan_id: Some(control.plan_id.clone()),
        plan_version: control.plan_version.clone(),
        verb,
        by: format!("message:{}", control.by),
        reason: control.reason.clone(),
        now,
        message: Some(message),
        compose: Arc::new(Composer),
    }
}

/// Rings whoever goes on with it.
///
/// # Errors
/// Why nothing came of it, for a person.
pub fn after(ordered: Ordered, pokes: &Pokes) -> Result<(), String> {
    match ordered {
        Ordered::Done { .. } => {
            pokes.gate.notify_one();
            pokes.relay.notify_one();
            Ok(())
        }
        Ordered::Nothing { why } => {
            tracing::info!(why, "nothing to do");
            Ok(())
        }
        Ordered::Unknown => Err("there is no such plan version".to_owned()),
    }
}
