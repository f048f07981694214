//! What a migration makes of rows that were there before it.

use crate::support::app::create_database;
use campaign_execution::store::Store;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::migrate::Migrator;
use sqlx::{Connection, PgConnection, Row};
use std::path::PathBuf;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("migrations")
}

/// A database whose schema is as that migration left it, and a connection to it.
async fn database_at(version: i64) -> (String, PgConnection) {
    let url = create_database().await;
    let dir = tempfile::tempdir().expect("a directory");
    for file in std::fs::read_dir(folder()).expect("migrations").flatten() {
        let name = file.file_name().into_string().expect("a name");
        let number: i64 = name[..4].parse().expect("a number");
        if number <= version {
            std::fs::copy(file.path(), dir.path().join(name)).expect("copied");
        }
    }
    let mut connection = PgConnection::connect(&url).await.expect("a connection");
    let migrator = Migrator::new(dir.path()).await.expect("migrations");
    migrator.run(&mut connection).await.expect("applied");
    (url, connection)
}

/// An execution of that time: its gate, whether it had settled, and when its deadline was, in minutes from now.
async fn execution(connection: &mut PgConnection, version: &str, gate: &str, settled: bool, deadline: i32) {
    let statement =
        "INSERT INTO execution (tenant_id, plan_id, plan_version, payload, payload_hash, approved_at, approved_by,
                                received_at, gate, settled, settled_at, deadline_at)
         SELECT 'acme', $1, $1, '{}', 'x', d - interval '4 hours', 'planner', d - interval '4 hours', $2,
                CASE WHEN $3 THEN 'completed' END, CASE WHEN $3 THEN d - interval '3 hours' END, d
         FROM (SELECT clock_timestamp() + make_interval(mins => $4) AS d) at";
    sqlx::query(statement)
        .bind(version)
        .bind(gate)
        .bind(settled)
        .bind(deadline)
        .execute(connection)
        .await
        .expect("a row");
}

async fn now(connection: &mut PgConnection) -> DateTime<Utc> {
    let now = sqlx::query_scalar("SELECT clock_timestamp()");
    now.fetch_one(connection).await.expect("a time")
}

/// Those on their way get the rest of their time, to the minute, and what is late is looked at now; what is over has no deadline any
/// more.
#[tokio::test(flavor = "multi_thread")]
async fn executions_from_before_clocks_get_the_rest_of_their_time() {
    let (url, mut connection) = database_at(10).await;
    for (version, gate, settled, deadline) in [
        ("fresh", "pending", false, 210),
        ("near", "blocked", false, 30),
        ("late", "blocked", false, -90),
        ("launched", "open", false, 100),
        ("done", "open", true, -600),
        ("cancelled", "cancelled", false, -600),
    ] {
        execution(&mut connection, version, gate, settled, deadline).await;
    }
    let before = now(&mut connection).await;
    let store = Store::open(&url, 4).expect("a URL");
    let there = std::fs::read_dir(folder()).expect("migrations").count();
    let older = std::fs::read_dir(folder())
        .expect("migrations")
        .flatten()
        .filter(|f| {
            f.file_name().to_string_lossy()[..4]
                .parse::<i64>()
                .is_ok_and(|n| n <= 10)
        })
        .count();
    assert_eq!(store.migrate().await.expect("migrated"), there - older);
    store.check_schema().await.expect("the schema of now");

    let rows = sqlx::query(
        "SELECT e.plan_version, e.deadline_at, e.received_at, e.settled_at, c.since, c.limit_s, c.warn_s, c.grace_s, c.step,
                c.due_at, c.ended_at, c.kind, c.round
         FROM execution e JOIN clock c ON c.execution_id = e.id ORDER BY e.id",
    )
    .fetch_all(&mut connection)
    .await
    .expect("clocks");
    assert_eq!(rows.len(), 6, "one clock each");
    let after = now(&mut connection).await;
    for row in &rows {
        let version: &str = row.get("plan_version");
        let at = |name: &str| row.get::<Option<DateTime<Utc>>, _>(name);
        let deadline = at("deadline_at").expect("a deadline");
        assert_eq!(row.get::<&str, _>("kind"), "launch");
        assert_eq!(
            (row.get::<&str, _>("step"), row.get::<i32, _>("round")),
            ("warn", 1)
        );
        assert_eq!(at("since"), Some(deadline - TimeDelta::hours(4)), "{version}");
        let seconds = ["limit_s", "warn_s", "grace_s"].map(|name| row.get::<i64, _>(name));
        assert_eq!(seconds, [14_400, 10_800, 900], "{version}");
        let (due, ended) = (at("due_at"), at("ended_at"));
        match version {
            // Warned of an hour before the deadline, as it was promised.
            "fresh" | "launched" => assert_eq!(due, Some(deadline - TimeDelta::hours(1)), "{version}"),
            // That is over: looked at now.
            "near" | "late" => {
                let due = due.expect("it runs");
                assert!((before..=after).contains(&due), "{version}: {due}");
            }
            "done" => assert_eq!((due, ended), (None, at("settled_at")), "{version}"),
            "cancelled" => assert_eq!((due, ended), (None, at("received_at")), "{version}"),
            other => panic!("{other}"),
        }
        assert_eq!(
            ended.is_some(),
            due.is_none(),
            "{version}: it runs or it has ended"
        );
    }
    let seen = store.executions(None, None, 10).await.expect("executions");
    let mut states: Vec<(&str, &str, bool)> = seen
        .iter()
        .map(|e| (e.plan_version.as_str(), e.deadline.state, e.deadline.running))
        .collect();
    states.sort_unstable();
    assert_eq!(
        states,
        [
            ("cancelled", "stopped", false),
            ("done", "met", false),
            ("fresh", "running", true),
            ("late", "breached", true),
            ("launched", "running", true),
            ("near", "running", true),
        ]
    );
    store.close().await;
}
