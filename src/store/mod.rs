//! PostgreSQL: the only SQL. Each file is a table or a few that move together; each query's first line is its name.
//!
//! Must not hold a transaction open while anything outside the database is awaited, nor see `platform`, `bus` or
//! `health`. Every transition states its precondition in `WHERE`; zero rows is a typed outcome.
//!
//! Queries are checked by running them: the integration tests meet each of them on a real server. (sqlx's compile-time
//! check would need its own command-line tool on every machine that builds, and a database to prepare against.)
//!
//! Lock order, so that two writers cannot wait for each other: a tenant's pause (an advisory lock), `command`, `execution` (by id), `leg`,
//! `execution_manifest`, `mutation`, `clock`, `touchpoint`, `outbox`, `alert`, `counter`, and last `audit_head` (by tenant).

pub mod alerts;
pub(crate) mod amend;
pub mod audit;
pub mod checks;
pub mod clocks;
pub mod commands;
pub mod control;
pub mod decide;
mod facts;
pub mod ga4;
pub mod gate;
pub mod intake;
pub mod leftovers;
mod lineage;
pub mod mend;
pub mod moves;
pub mod outbox;
pub mod pause;
mod pauses;
pub mod progress;
pub mod redrive;
pub mod replace;
pub mod resend;
pub mod review;
pub mod story;
pub(crate) mod supersede;
pub mod tenants;
pub mod touchpoints;
pub mod uploads;
pub mod views;
mod withdraw;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{PgConnection, Postgres, Transaction};
use std::str::FromStr;
use std::time::Duration;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// What a transaction can come to, other than well.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The server cannot be reached, or ended the connection: the transaction may be repeated.
    #[error("the database does not answer")]
    Unavailable(#[source] sqlx::Error),
    /// The server refused the statement.
    #[error("the database refused {query}")]
    Refused {
        /// The name in the query's first line.
        query: &'static str,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// A row that we would never have written.
    #[error("row {id} of {table}: {what}")]
    BadRow {
        /// The table.
        table: &'static str,
        /// Its key.
        id: String,
        /// The column and what is wrong with it.
        what: String,
    },
    /// A table or a column is not there: the schema is another one, or there is none yet.
    #[error(
        "the database's schema is not the one that this program needs ({query} found no such table or column)"
    )]
    Outdated {
        /// The name in the query's first line.
        query: &'static str,
    },
    /// The schema is not the one this program was built for.
    #[error("the database {}, this program needs version {wanted}", .found.map_or_else(|| "has no schema yet".to_owned(), |v| format!("has its schema at version {v}")))]
    Schema {
        /// Applied last.
        found: Option<i64>,
        /// Compiled in.
        wanted: i64,
    },
    /// A migration failed.
    #[error("couldn't migrate the database")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// The URL is not one.
    #[error("database.url is not a PostgreSQL URL")]
    Url(#[source] sqlx::Error),
}

/// Names a failed query.
pub(crate) fn refused(query: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |source| {
        let lost = matches!(
            source,
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Tls(_)
        );
        let passes = source
            .as_database_error()
            .and_then(|e| e.code())
            .is_some_and(|code| passing(&code));
        let code = source
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code);
        if code.is_some_and(|code| code == "42P01" || code == "42703") {
            StoreError::Outdated { query }
        } else if lost || passes {
            StoreError::Unavailable(source)
        } else {
            StoreError::Refused { query, source }
        }
    }
}

/// SQL states after which the same transaction may succeed: connection trouble, shutdown, serialization, deadlock, disk or
/// memory full, a lock that was not had in time, a statement or an idle transaction that took too long (another instance may be frozen
/// with a lock in its hands). https://www.postgresql.org/docs/current/errcodes-appendix.html
fn passing(code: &str) -> bool {
    matches!(code, "55P03" | "57014" | "25P03" | "25P04")
        || code.starts_with("08")
        || code.starts_with("57P")
        || code.starts_with("53")
        || code == "40001"
        || code == "40P01"
}

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pool: PgPool,
}

impl Store {
    /// Opens the pool; connects when first used.
    ///
    /// # Errors
    /// [`StoreError::Url`].
    pub fn open(url: &str, max_connections: u32) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(url)
            .map_err(StoreError::Url)?
            .application_name("campaign-execution")
            .options([
                ("client_min_messages", "error"),
                ("idle_in_transaction_session_timeout", "30s"),
                ("lock_timeout", "20s"),
            ]);
        // A `begin` that is cancelled half-way leaves its connection inside a transaction, and the next user's writes vanish
        // with it (transact-rs/sqlx#4385). Rolling back on every hand-out costs about what the default ping does.
        let pool = PgPoolOptions::new()
            .max_connections(max_connections)
            .acquire_timeout(Duration::from_secs(4))
            .test_before_acquire(false)
            .before_acquire(|connection, _| {
                Box::pin(async move {
                    sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await?;
                    Ok(true)
                })
            })
            .connect_lazy_with(options);
        Ok(Self { pool })
    }

    /// Begins a transaction. Dropped without `commit`, it is undone.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Postgres>, StoreError> {
        self.pool.begin().await.map_err(refused("begin"))
    }

    /// A connection of its own, for advisory locks.
    pub(crate) async fn connection(&self) -> Result<sqlx::pool::PoolConnection<Postgres>, StoreError> {
        self.pool.acquire().await.map_err(refused("acquire"))
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Applies what is missing of the schema; how many migrations were applied.
    ///
    /// # Errors
    /// [`StoreError::Migrate`], [`StoreError::Unavailable`].
    pub async fn migrate(&self) -> Result<usize, StoreError> {
        let before = self.applied().await?;
        MIGRATIONS.run(&self.pool).await.map_err(StoreError::Migrate)?;
        Ok(MIGRATIONS
            .iter()
            .filter(|m| before.is_none_or(|v| m.version > v))
            .count())
    }

    /// Refuses a schema other than the one compiled in.
    ///
    /// # Errors
    /// [`StoreError::Schema`], [`StoreError::Unavailable`].
    pub async fn check_schema(&self) -> Result<(), StoreError> {
        let wanted = MIGRATIONS.iter().map(|m| m.version).max().unwrap_or(0);
        let found = self.applied().await?;
        if found == Some(wanted) {
            Ok(())
        } else {
            Err(StoreError::Schema { found, wanted })
        }
    }

    async fn applied(&self) -> Result<Option<i64>, StoreError> {
        const NAME: &str = "migrations.applied";
        let known: Option<String> =
            sqlx::query_scalar("-- migrations.table\nSELECT to_regclass('_sqlx_migrations')::text")
                .fetch_one(&self.pool)
                .await
                .map_err(refused(NAME))?;
        if known.is_none() {
            return Ok(None);
        }
        sqlx::query_scalar("-- migrations.applied\nSELECT max(version) FROM _sqlx_migrations WHERE success")
            .fetch_one(&self.pool)
            .await
            .map_err(refused(NAME))
    }

    /// Whether the server answers.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("-- ping\nSELECT 1")
            .execute(&self.pool)
            .await
            .map_err(refused("ping"))?;
        Ok(())
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Commits, naming the transaction in the error.
pub(crate) async fn commit(tx: Transaction<'static, Postgres>, name: &'static str) -> Result<(), StoreError> {
    tx.commit().await.map_err(refused(name))
}

/// A JSON column that must fit its type.
pub(crate) fn parse_json<T: serde::de::DeserializeOwned>(
    table: &'static str,
    id: impl ToString,
    column: &str,
    value: serde_json::Value,
) -> Result<T, StoreError> {
    serde_json::from_value(value).map_err(|error| StoreError::BadRow {
        table,
        id: id.to_string(),
        what: format!("{column}: {error}"),
    })
}

/// A text column that must be one of a closed list.
pub(crate) fn parse_text<T>(
    table: &'static str,
    id: impl ToString,
    column: &str,
    text: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, StoreError> {
    parse(text).ok_or_else(|| StoreError::BadRow {
        table,
        id: id.to_string(),
        what: format!("{column}: {text:?} is not known"),
    })
}

/// Our own types always serialise; if one does not, the row shows it.
pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> serde_json::Value {
    serde_json::to_value(value)
        .unwrap_or_else(|error| serde_json::json!({ "unserialisable": error.to_string() }))
}

/// The connection inside a transaction.
pub(crate) type Conn = PgConnection;
