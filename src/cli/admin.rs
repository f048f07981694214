//! `migrate`, `doctor`, `topics`: what an operator does before the service runs.
//!
//! Must not change anything that was not asked for.

use super::output::{Output, count};
use super::{Failure, chain};
use crate::bus::admin;
use crate::domain::clock;
use crate::domain::tenant::Tenant;
use crate::platform;
use crate::service::alerts::Receivers;
use crate::wiring::Wiring;
use clap::Args;
use serde_json::json;

/// Brings the schema up to date.
pub async fn migrate(wiring: &Wiring, output: &Output) -> Result<u8, Failure> {
    let applied = wiring.store.migrate().await?;
    output.json(&json!({ "applied": applied }));
    output.line(match applied {
        0 => "the schema is up to date".to_owned(),
        n => format!("applied {}; the schema is up to date", count(n, "migration")),
    });
    Ok(0)
}

/// List the topics, and create those that are missing.
#[derive(Args)]
pub struct Topics {
    /// Create those that are missing
    #[arg(long)]
    create: bool,
    /// Partitions of a new topic
    #[arg(long, default_value_t = 4)]
    partitions: i32,
    /// Replicas of a new topic
    #[arg(long, default_value_t = 1)]
    replication: i32,
}

impl Topics {
    /// Lists, or creates and lists.
    pub async fn run(self, wiring: &Wiring, output: &Output) -> Result<u8, Failure> {
        let wanted = Wiring::topics();
        let created = if self.create {
            admin::create(&wiring.bus, &wanted, self.partitions, self.replication).await?
        } else {
            Vec::new()
        };
        let there = admin::existing(&wiring.bus).await?;
        let mut missing = 0;
        let mut rows = Vec::new();
        let mut list = Vec::new();
        for topic in &wanted {
            let name = wiring.bus.topic(&topic.name);
            let partitions = there
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, p)| *p)
                .or_else(|| {
                    // A broker may take a moment to show what it has just made.
                    created
                        .contains(&name)
                        .then(|| usize::try_from(self.partitions).unwrap_or(0))
                });
            let state = match partitions {
                Some(_) if created.contains(&name) => "created",
                Some(_) => "there",
                None => {
                    missing += 1;
                    "missing"
                }
            };
            list.push(json!({ "topic": name, "state": state, "partitions": partitions, "compacted": topic.compacted }));
            rows.push(vec![
                name,
                state.to_owned(),
                partitions.map(|p| p.to_string()).unwrap_or_default(),
            ]);
        }
        output.json(&list);
        output.table(&["TOPIC", "STATE", "PARTITIONS"], &rows);
        if missing > 0 {
            return Err(Failure::new(1, format!("{missing} topics are missing"))
                .hint("create them with `campaign-execution topics --create`"));
        }
        Ok(0)
    }
}

/// What is fine, or the exit code and what is wrong.
type Found = Result<String, (u8, String)>;

/// Checks everything; each line says what to do.
pub async fn doctor(wiring: &Wiring, output: &Output) -> Result<u8, Failure> {
    let mut lines: Vec<(String, Found)> = Vec::new();
    let database = match wiring.store.check_schema().await {
        Ok(()) => Ok("answers, schema up to date".to_owned()),
        Err(error) => {
            let failure = Failure::from(error);
            Err((failure.code, failure.both()))
        }
    };
    let database_up = database.is_ok();
    lines.push(("database".to_owned(), database));
    let topics = admin::check(&wiring.bus, &Wiring::topics()).await;
    lines.push((
        "kafka".to_owned(),
        topics
            .map(|()| "answers, every topic is there".to_owned())
            .map_err(|e| {
                let failure = Failure::from(e);
                (failure.code, failure.both())
            }),
    ));
    lines.push(("credentials".to_owned(), credentials_dir(wiring)));
    for platform in platform::all() {
        let url = wiring.base_url(platform.as_ref());
        lines.push((
            format!("platform {}", platform.name()),
            Ok(format!("calls go to {url}")),
        ));
    }
    let receivers = wiring.receivers();
    for (name, receiver) in receivers.iter() {
        let found = wiring.outbound.check_receiver(receiver);
        lines.push((
            format!("alerts {name}"),
            found
                .map(|()| "has a webhook and a secret".to_owned())
                .map_err(|why| (1, why)),
        ));
    }
    if database_up {
        for pause in wiring.store.pauses().await? {
            let (what, text) = (
                format!("pause of {}", pause.tenant_id),
                super::pause::line(&pause),
            );
            let stuck = pause.last_error.is_some();
            lines.push((what, if stuck { Err((1, text)) } else { Ok(text) }));
        }
        for tenant in wiring.store.tenants().await? {
            lines.push((
                format!("tenant {} alerts", tenant.tenant_id),
                Ok(routes(&receivers, &tenant)),
            ));
            for (name, account) in &tenant.accounts {
                let found = wiring.outbound.credentials.get(&account.credential);
                let what = format!("tenant {} {name}", tenant.tenant_id);
                lines.push((
                    what,
                    found
                        .map(|_| format!("{} with {}", account.account_id, account.credential))
                        .map_err(|e| (1, e.to_string())),
                ));
            }
        }
    }
    let worst = lines
        .iter()
        .filter_map(|(_, r)| r.as_ref().err().map(|(code, _)| *code))
        .max()
        .unwrap_or(0);
    let rows: Vec<Vec<String>> = lines
        .iter()
        .map(|(what, result)| match result {
            Ok(text) => vec!["ok".to_owned(), what.clone(), text.clone()],
            Err((_, text)) => vec!["bad".to_owned(), what.clone(), text.clone()],
        })
        .collect();
    output.json(
        &rows
            .iter()
            .map(|r| json!({ "state": r[0], "check": r[1], "detail": r[2] }))
            .collect::<Vec<_>>(),
    );
    output.table(&["", "CHECK", "FOUND"], &rows);
    Ok(worst)
}

/// Who is told what of a tenant.
fn routes(receivers: &Receivers, tenant: &Tenant) -> String {
    let routes = [clock::CLIENT, clock::AGENCY_MASTER].map(|route| match receivers.of(route, Some(tenant)) {
        Some(receiver) => format!("{route} → {receiver}"),
        None => {
            format!("{route}: no webhook, only execution.escalated tells; set alerts.<receiver>.webhook_url")
        }
    });
    routes.join("; ")
}

fn credentials_dir(wiring: &Wiring) -> Found {
    let dir = wiring.outbound.credentials.dir();
    match std::fs::read_dir(dir) {
        Ok(entries) => {
            let files = entries
                .flatten()
                .filter(|e| e.path().extension().is_some_and(|x| x == "json"))
                .count();
            Ok(format!("{} with {}", dir.display(), count(files, "file")))
        }
        Err(error) => Err((
            1,
            format!(
                "{}: {}; set credentials.dir to where the files are",
                dir.display(),
                chain(&error)
            ),
        )),
    }
}
