//! The same calls with no durability at all: the same adapters, plans and order of calls, a manifest in memory, no
//! database, no Kafka. What is lost on the way to durability shows beside it.

use super::world::World;
use crate::cli::Failure;
use crate::domain::manifest::{Desired, Manifest, ObjectState, RemoteObject};
use crate::domain::spec::{LegSpec, leg_specs};
use crate::health::assets::{self, Lookup};
use crate::platform::{self, AccountFacts, Goal, Mutation, Op, Platform, Session};
use futures::{StreamExt, TryStreamExt, stream};
use std::sync::Arc;
use std::time::Instant;

/// Writes a second, this many plans at once.
pub async fn rate(world: &World, in_flight: usize, plans: usize) -> Result<f64, Failure> {
    let mut legs = Vec::new();
    for n in 0..plans {
        let plan = world.plan(&format!("bare{in_flight}.{n}"))?;
        let mut specs = leg_specs(&plan, "does_not_contain");
        for spec in &mut specs {
            resolve_assets(world, spec).await?;
        }
        legs.push(specs);
    }
    let facts = facts(world).await?;
    let before = world.counts().await?;
    let began = Instant::now();
    stream::iter(legs)
        .map(|specs| {
            let facts = &facts;
            async move {
                let launches = specs.iter().map(|spec| launch(world, spec, facts));
                futures::future::try_join_all(launches).await.map(|_| ())
            }
        })
        .buffer_unordered(in_flight)
        .try_collect::<Vec<()>>()
        .await?;
    let seconds = began.elapsed().as_secs_f64();
    let after = world.counts().await?;
    Ok((after.writes - before.writes) as f64 / seconds)
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::failed(format!("the bare run: {error}"))
}

fn session(world: &World, platform: &dyn Platform) -> Result<Session, Failure> {
    let account = world
        .tenant
        .accounts
        .get(platform.name())
        .ok_or_else(|| failed("no account"))?;
    Ok(Session {
        outbound: world.wiring.outbound.clone(),
        base_url: world.wiring.base_url(platform),
        account: account.clone(),
        deadline: platform.traits().deadline,
    })
}

async fn facts(world: &World) -> Result<Vec<(&'static str, AccountFacts)>, Failure> {
    let mut all = Vec::new();
    for platform in platform::all() {
        let facts = platform
            .probe(&session(world, platform.as_ref())?)
            .await
            .map_err(failed)?;
        all.push((platform.name(), facts));
    }
    Ok(all)
}

async fn resolve_assets(world: &World, spec: &mut LegSpec) -> Result<(), Failure> {
    let ids: Vec<String> = spec.asset_ids().into_iter().map(str::to_owned).collect();
    let config = &world.wiring.config.asset_library;
    for id in ids {
        let tenant = &spec.key.tenant_id;
        let found = assets::fetch(
            &world.wiring.outbound,
            &config.base_url,
            &config.credential,
            tenant,
            &id,
        )
        .await;
        if let Lookup::Ready(asset) = found.map_err(failed)? {
            spec.assets.insert(id, asset);
        }
    }
    Ok(())
}

/// Build, read back, switch on: what the worker does, without writing anything down.
async fn launch(world: &World, spec: &LegSpec, facts: &[(&str, AccountFacts)]) -> Result<(), Failure> {
    let platform: Arc<dyn Platform> =
        platform::by_name(spec.key.platform.as_str()).ok_or_else(|| failed("no such platform"))?;
    let session = session(world, platform.as_ref())?;
    let (_, facts) = facts
        .iter()
        .find(|(n, _)| *n == platform.name())
        .ok_or_else(|| failed("no facts"))?;
    let desired = platform
        .desire(spec, &session.account, facts)
        .map_err(|e| failed(e.message))?;
    let mut manifest = Manifest {
        leg: spec.key.clone(),
        account_id: session.account.account_id.clone(),
        campaign_name: spec.campaign_name.clone(),
        revision: 0,
        mutation_count: 0,
        tracking_mode: None,
        objects: Vec::new(),
    };
    reach(platform.as_ref(), &session, Goal::Built, &desired, &mut manifest).await?;
    platform.read(&session, &manifest).await.map_err(failed)?;
    reach(platform.as_ref(), &session, Goal::Active, &[], &mut manifest).await
}

async fn reach(
    platform: &dyn Platform,
    session: &Session,
    goal: Goal,
    desired: &[Desired],
    manifest: &mut Manifest,
) -> Result<(), Failure> {
    loop {
        let ready = platform.next(goal, desired, manifest, &session.account);
        if ready.is_empty() {
            return Ok(());
        }
        let calls = ready.iter().map(|mutation| platform.execute(session, mutation));
        let done = futures::future::try_join_all(calls).await.map_err(failed)?;
        for (mutation, done) in ready.iter().zip(done) {
            note(mutation, &done.ids, desired, manifest);
        }
    }
}

fn note(mutation: &Mutation, ids: &[(String, String)], desired: &[Desired], manifest: &mut Manifest) {
    match &mutation.op {
        Op::Create => {
            for wanted in desired.iter().filter(|d| mutation.objects.contains(&d.key)) {
                manifest.objects.push(RemoteObject {
                    state: ObjectState::Created,
                    remote_id: ids
                        .iter()
                        .find(|(k, _)| *k == wanted.key)
                        .map(|(_, id)| id.clone()),
                    ..RemoteObject::intended(wanted)
                });
            }
        }
        Op::Serve { serving } => {
            for object in manifest
                .objects
                .iter_mut()
                .filter(|o| mutation.objects.contains(&o.key))
            {
                object.serving = *serving;
            }
        }
        Op::Update { .. } | Op::Remove | Op::Account { .. } => {}
    }
}
