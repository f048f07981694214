//! The service's own database role: enough for all of its work, and not enough to change what was audited.

use crate::support::app::App;
use crate::support::plans;
use crate::support::shelf::{Shelf, Shelved};
use serde_json::json;
use sqlx::Connection;
use std::sync::{Arc, Mutex};

#[tokio::test(flavor = "multi_thread")]
async fn the_services_role_can_launch_and_cannot_change_the_audit_log() {
    let shelf = Arc::new(Mutex::new(Shelf::default()));
    let app = App::start_as_role(|inner| match inner.name() {
        "meta" => Arc::new(Shelved {
            inner,
            shelf: Arc::clone(&shelf),
        }),
        _ => inner,
    })
    .await;
    // A whole life: an asset that is missing, an upload, a launch, a failure and its retry, a rollback.
    app.world(json!({ "assets": { "asset-img-001": "missing" } }))
        .await;
    let plan = plans::running_plan("role.1");
    app.publish(&plan).await;
    app.settle().await;
    app.world(json!({ "assets": { "asset-img-001": { "needs_upload": ["meta"] } }, "disapprove": ["*"] }))
        .await;
    app.warp().await;
    app.settle_and_warp(8).await;
    let legs = app.legs(&plan).await;
    assert!(
        !legs.is_empty() && legs.values().all(|s| s == "failed"),
        "{legs:?}"
    );
    app.world(json!({ "disapprove": [] })).await;
    for action in ["retry", "rollback"] {
        let control = json!({ "tenant_id": "acme", "plan_id": plan["plan_id"], "plan_version": "role.1", "action": action,
            "by": "ops", "at": plans::moment(), "reason": "a test" });
        app.deliver("execution.control", control.to_string().into_bytes())
            .await;
        app.settle_and_warp(8).await;
    }
    let published = app.events("campaign.live").len();
    assert!(published > 0, "{:?}", app.events("execution.partial_failure"));
    assert!(app.legs(&plan).await.values().all(|s| s == "undone"));
    app.wiring.clocks().step().await.expect("the clocks tick");
    app.assert_audit_whole().await;

    let mut connection = app.connect().await;
    let (who, entries): (String, i64) = sqlx::query_as("SELECT current_user::text, count(*) FROM audit_log")
        .fetch_one(&mut connection)
        .await
        .expect("who we are");
    assert_eq!(who, "campaign_execution_app");
    for attempt in [
        "UPDATE audit_log SET entry = '{}'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "DROP TABLE audit_log CASCADE",
        "DROP TRIGGER audit_log_no_change ON audit_log",
        "ALTER TABLE audit_log DISABLE TRIGGER ALL",
        "CREATE OR REPLACE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "DROP FUNCTION audit_log_is_append_only() CASCADE",
        "SET session_replication_role = replica",
        "CREATE RULE audited AS ON INSERT TO audit_log DO INSTEAD NOTHING",
        "UPDATE audit_head SET seq = 0",
        "DELETE FROM audit_head",
        "TRUNCATE audit_head",
        "GRANT UPDATE ON audit_log TO campaign_execution_app",
    ] {
        let done = sqlx::raw_sql(attempt).execute(&mut connection).await;
        // GRANT without the right to grant is a warning: what counts is that nothing was granted.
        assert!(
            done.is_err() || attempt.starts_with("GRANT"),
            "{attempt}: {done:?}"
        );
    }
    assert_eq!(may(&app, "audit_log", "UPDATE").await, Some(false));
    assert_eq!(app.number("SELECT count(*) FROM audit_log").await, entries);
    app.assert_audit_whole().await;
    // A head that is pushed on is all that is left to do, and it shows.
    sqlx::raw_sql("UPDATE audit_head SET seq = seq + 1, hash = repeat('f', 64)")
        .execute(&mut connection)
        .await
        .expect("it is allowed");
    let chains = app.wiring.store.verify_audit(None).await.expect("the chains");
    assert!(chains.iter().all(|chain| chain.broken.is_some()), "{chains:?}");
    connection.close().await.expect("closed");
}

/// Whether the service's role has a right; `None`: there is no such table.
async fn may(app: &App, table: &str, right: &str) -> Option<bool> {
    sqlx::query_scalar("SELECT has_table_privilege('campaign_execution_app', to_regclass($1)::oid, $2)")
        .bind(table)
        .bind(right)
        .fetch_one(&mut app.connect().await)
        .await
        .expect("a privilege")
}

/// A migration that adds a table grants it, and what the code deletes from may be deleted from.
#[tokio::test(flavor = "multi_thread")]
async fn every_table_is_granted_to_the_services_role() {
    let app = App::start_as_role(|inner| inner).await;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE '\\_sqlx%'",
    )
    .fetch_all(&mut app.connect().await)
    .await
    .expect("the tables");
    assert!(tables.len() > 10, "{tables:?}");
    for table in &tables {
        for right in ["SELECT", "INSERT"] {
            assert_eq!(may(&app, table, right).await, Some(true), "{right} on {table}");
        }
    }
    let mut deletions = 0;
    let store = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    for file in std::fs::read_dir(store).expect("src/store") {
        let text = std::fs::read_to_string(file.expect("a file").path()).expect("a text");
        for rest in text.split("DELETE FROM ").skip(1) {
            let table: String = rest
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            deletions += 1;
            assert_eq!(may(&app, &table, "DELETE").await, Some(true), "DELETE on {table}");
        }
    }
    assert!(deletions > 2, "the code's deletions were not found");
}
