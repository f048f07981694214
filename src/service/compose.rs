//! Facts → messages: what the store writes into the outbox, spelled as the wire spells it, with deterministic event ids.
//!
//! Must not decide whether something is published; the saga does.

use crate::domain::leftover::Stay;
use crate::domain::saga::{LegState, Outcome};
use crate::store::moves::{CommandFact, Compose, ExecutionRow, LegFact};
use crate::store::outbox::{Body, Message};
use crate::store::touchpoints::TouchpointFact;
use crate::wire::command::LaunchCommand;
use crate::wire::event_id;
use crate::wire::events::{
    BudgetOut, CampaignEvent, ExecutionEvent, LegOut, PartialAction, PartialFailure, RolledBack, StayOut,
    Touchpoint,
};
use serde::Serialize;
use serde_json::{Value, json};

/// The service's composer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Composer;

/// A message about a plan version.
pub fn message<T: Serialize>(
    topic: &str,
    (tenant, plan): (&str, &str),
    event_id: String,
    data: &T,
    traceparent: Option<String>,
) -> Message {
    Message {
        topic: topic.to_owned(),
        key: format!("{tenant}/{plan}"),
        event_id,
        body: Body::Json(serde_json::to_value(data).unwrap_or(Value::Null)),
        headers: json!({}),
        traceparent,
    }
}

/// The trace that this work belongs to: the current span, or else the message that started the execution.
fn trace(execution: &ExecutionRow) -> Option<String> {
    crate::telemetry::traceparent().or_else(|| execution.traceparent.clone())
}

impl Compose for Composer {
    fn command(&self, execution: &ExecutionRow, fact: &CommandFact) -> Message {
        let data = LaunchCommand {
            command_id: fact.command_id,
            tenant_id: execution.tenant_id.clone(),
            plan_id: execution.plan_id.clone(),
            plan_version: execution.plan_version.clone(),
            platform: fact.platform.clone(),
            logical_campaign_key: fact.logical_campaign_key.clone(),
            leg_id: fact.leg_id,
            kind: fact.kind,
            attempt: fact.attempt,
            approved_at: execution.approved_at.clone(),
        };
        let place = (execution.tenant_id.as_str(), execution.plan_id.as_str());
        let topic = format!("launch.{}", fact.platform);
        message(
            &topic,
            place,
            fact.command_id.to_string(),
            &data,
            trace(execution),
        )
    }

    fn announce(&self, execution: &ExecutionRow, leg: &LegFact) -> Message {
        let topic = if leg.state == LegState::Live {
            "campaign.live"
        } else {
            "campaign.scheduled"
        };
        let data = campaign_event(execution, leg);
        let revision = data.manifest_revision.to_string();
        let mut parts = vec![
            topic,
            &execution.tenant_id,
            &execution.plan_version,
            &data.platform,
            &data.logical_campaign_key,
            &revision,
        ];
        if !data.replaces.is_empty() {
            // Its revisions are counted anew.
            parts.push(&data.platform_campaign_id);
        }
        let id = event_id(&parts);
        message(
            topic,
            (&execution.tenant_id, &execution.plan_id),
            id,
            &data,
            trace(execution),
        )
    }

    fn touchpoint(&self, fact: &TouchpointFact) -> Message {
        let (state, number) = (
            if fact.resolved { "resolved" } else { "opened" },
            fact.id.to_string(),
        );
        let topic = "execution.touchpoint";
        let id = event_id(&[topic, &fact.tenant_id, &fact.plan_version, &number, state]);
        let (platform, logical_campaign_key) = fact.leg.clone().unzip();
        let (resolution, by, why) = match fact.resolution.clone() {
            Some((resolution, by, why)) => (Some(resolution), Some(by), Some(why)),
            None => (None, None, None),
        };
        let data = Touchpoint {
            tenant_id: fact.tenant_id.clone(),
            plan_id: fact.plan_id.clone(),
            plan_version: fact.plan_version.clone(),
            touchpoint_id: number,
            kind: fact.kind.clone(),
            state: state.to_owned(),
            what_to_do: fact.what_to_do.clone(),
            platform,
            logical_campaign_key,
            payload_hash: Some(fact.payload_hash.clone()),
            resolution,
            resolved_by: by.flatten().map(|by| text(&by, 400)),
            reason: why.flatten().map(|why| text(&why, 2000)),
        };
        let trace = crate::telemetry::traceparent().or_else(|| fact.traceparent.clone());
        message(topic, (&fact.tenant_id, &fact.plan_id), id, &data, trace)
    }

    fn settle(&self, execution: &ExecutionRow, outcome: Outcome, legs: &[LegFact]) -> Option<Message> {
        let (tenant_id, plan_id, plan_version) = (
            execution.tenant_id.clone(),
            execution.plan_id.clone(),
            execution.plan_version.clone(),
        );
        let stays = legs.iter().flat_map(stays_out).collect();
        let legs: Vec<LegOut> = legs.iter().map(leg_out).collect();
        let topic = match outcome {
            Outcome::Completed => "execution.completed",
            Outcome::RolledBack => "execution.rolled_back",
            Outcome::MarkedPartial | Outcome::FailedBack => "execution.partial_failure",
            // The newer version tells of these campaigns.
            Outcome::Superseded => return None,
        };
        let id = event_id(&[topic, &tenant_id, &plan_version, &execution.revision.to_string()]);
        let place = (execution.tenant_id.as_str(), execution.plan_id.as_str());
        let partial = |action, legs| PartialFailure {
            tenant_id: tenant_id.clone(),
            plan_id: plan_id.clone(),
            plan_version: plan_version.clone(),
            atomic: execution.saga.atomic,
            action,
            legs,
        };
        Some(match outcome {
            Outcome::MarkedPartial => message(
                topic,
                place,
                id,
                &partial(PartialAction::MarkedPartial, legs),
                trace(execution),
            ),
            Outcome::FailedBack => message(
                topic,
                place,
                id,
                &partial(PartialAction::RolledBack, legs),
                trace(execution),
            ),
            Outcome::RolledBack => {
                let data = RolledBack {
                    tenant_id: tenant_id.clone(),
                    plan_id: plan_id.clone(),
                    plan_version: plan_version.clone(),
                    legs,
                    stays,
                };
                message(topic, place, id, &data, trace(execution))
            }
            Outcome::Completed | Outcome::Superseded => {
                let data = ExecutionEvent {
                    tenant_id: tenant_id.clone(),
                    plan_id: plan_id.clone(),
                    plan_version: plan_version.clone(),
                    legs,
                };
                message(topic, place, id, &data, trace(execution))
            }
        })
    }
}

fn stays_out(leg: &LegFact) -> Vec<StayOut> {
    let out = |stay: &Stay| StayOut {
        platform: leg.spec.key.platform.to_string(),
        logical_campaign_key: leg.spec.key.logical_campaign_key.to_string(),
        what: text(&stay.what, 400),
        platform_id: stay.platform_id.as_deref().map(|id| text(id, 400)),
        why: text(&stay.why, 2000),
    };
    leg.stays.iter().map(out).collect()
}

/// What a person wrote, as an event's schema allows it.
fn text(words: &str, most: usize) -> String {
    words.chars().filter(|c| !c.is_control()).take(most).collect()
}

fn campaign_event(execution: &ExecutionRow, leg: &LegFact) -> CampaignEvent {
    let campaign = &leg.spec.campaign;
    let manifest = leg.manifest.as_ref();
    CampaignEvent {
        tenant_id: execution.tenant_id.clone(),
        plan_id: execution.plan_id.clone(),
        plan_version: execution.plan_version.clone(),
        platform: campaign.platform.to_string(),
        logical_campaign_key: campaign.logical_campaign_key.to_string(),
        account_id: manifest.map(|m| m.account_id.clone()).unwrap_or_default(),
        platform_campaign_id: manifest
            .and_then(|m| m.campaign_id())
            .unwrap_or_default()
            .to_owned(),
        campaign_name: manifest.map(|m| m.campaign_name.clone()).unwrap_or_default(),
        objective: campaign.objective.as_str().to_owned(),
        budget: BudgetOut {
            amount: campaign.budget.amount.decimal(),
            currency: campaign.budget.amount.currency.to_string(),
            period: campaign.budget.period,
        },
        schedule: campaign.schedule,
        // A leg is announced only after its tracking was verified, which is when the mode is written.
        tracking_mode: manifest
            .and_then(|m| m.tracking_mode)
            .unwrap_or(crate::domain::tracking::Mode::AutoTagging),
        manifest_revision: manifest.map_or(0, |m| m.revision),
        mutation_count: manifest.map_or(0, |m| m.mutation_count),
        replaces: leg.replaces.clone(),
    }
}

/// A leg as an execution's event shows it.
#[must_use]
pub fn leg_out(leg: &LegFact) -> LegOut {
    LegOut {
        platform: leg.spec.key.platform.to_string(),
        logical_campaign_key: leg.spec.key.logical_campaign_key.to_string(),
        state: leg.state,
        platform_campaign_id: leg
            .manifest
            .as_ref()
            .and_then(|m| m.get("campaign"))
            .and_then(|o| o.remote_id.clone()),
        error: leg.error.clone().filter(|_| {
            matches!(
                leg.state,
                LegState::Failed | LegState::Unamended | LegState::Undone | LegState::Stuck
            )
        }),
        replaced_by: leg.replaced_by.clone(),
    }
}
