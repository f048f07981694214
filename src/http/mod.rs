//! Health, metrics, and the read-only API.
//!
//! Must not change anything without a token that has the role for it (what changes something comes with the operators' API),
//! and must not show a secret.

mod metrics;

use crate::bus::admin;
use crate::store::StoreError;
use crate::store::alerts::Which;
use crate::wiring::Wiring;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Bearer tokens and their roles; empty: loopback only, nobody is asked.
type Tokens = std::collections::HashMap<String, String>;

#[derive(Clone)]
struct Shared {
    wiring: Wiring,
    tokens: Arc<Tokens>,
}

/// Serves until stopped.
pub async fn serve(listener: TcpListener, wiring: Wiring, stop: CancellationToken) {
    let tokens = Arc::new(read_tokens(&wiring));
    let app = Router::new()
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics::answer))
        .route("/v1/executions", get(executions))
        .route("/v1/executions/{tenant}/{plan_version}", get(execution))
        .route("/v1/touchpoints", get(touchpoints))
        .route("/v1/alerts", get(alerts))
        .with_state(Shared { wiring, tokens });
    let served = axum::serve(listener, app)
        .with_graceful_shutdown(async move { stop.cancelled().await })
        .await;
    if let Err(error) = served {
        tracing::error!(error = %error, "the HTTP server ended");
    }
}

fn read_tokens(wiring: &Wiring) -> Tokens {
    let file = &wiring.config.http.tokens_file;
    if file.as_os_str().is_empty() {
        return Tokens::new();
    }
    let read = std::fs::read(file).map_err(|e| e.to_string());
    match read.and_then(|bytes| serde_json::from_slice(&bytes).map_err(|e| format!("line {}", e.line()))) {
        Ok(tokens) => tokens,
        Err(why) => {
            tracing::error!(why, "http.tokens_file cannot be read; the API answers nobody");
            // A token that nobody can send: nothing is open by mistake.
            Tokens::from([("\u{0}".to_owned(), "nobody".to_owned())])
        }
    }
}

/// Why a request is not answered.
struct Refused(StatusCode, String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        tracing::warn!(error = %error, "the API cannot answer");
        Self(
            StatusCode::SERVICE_UNAVAILABLE,
            "the database does not answer".to_owned(),
        )
    }
}

fn admit(shared: &Shared, headers: &HeaderMap) -> Result<(), Refused> {
    if shared.tokens.is_empty() {
        return Ok(());
    }
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.strip_prefix("Bearer "))
        .unwrap_or_default();
    if shared.tokens.contains_key(given) {
        Ok(())
    } else {
        Err(Refused(
            StatusCode::UNAUTHORIZED,
            "a bearer token from http.tokens_file is needed".to_owned(),
        ))
    }
}

async fn ready(State(shared): State<Shared>) -> Response {
    let wiring = &shared.wiring;
    let patience = Duration::from_secs(5);
    let database = async {
        match tokio::time::timeout(patience, wiring.store.check_schema()).await {
            Ok(Ok(())) => "ok".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        }
    };
    let topics = Wiring::topics();
    let kafka = async {
        match tokio::time::timeout(patience, admin::check(&wiring.bus, &topics)).await {
            Ok(Ok(())) => "ok".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        }
    };
    let (database, kafka) = tokio::join!(database, kafka);
    let credentials = match std::fs::read_dir(wiring.outbound.credentials.dir()) {
        Ok(_) => "ok".to_owned(),
        Err(error) => format!("credentials.dir: {error}"),
    };
    let ready = [&database, &kafka, &credentials].iter().all(|s| *s == "ok");
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(json!({ "ready": ready, "database": database, "kafka": kafka, "credentials": credentials })),
    )
        .into_response()
}

#[derive(Deserialize)]
struct Page {
    tenant: Option<String>,
    limit: Option<i64>,
}

async fn executions(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Query(page): Query<Page>,
) -> Result<Response, Refused> {
    admit(&shared, &headers)?;
    let limit = page.limit.unwrap_or(100).clamp(1, 1000);
    Ok(Json(
        shared
            .wiring
            .store
            .executions(page.tenant.as_deref(), None, limit)
            .await?,
    )
    .into_response())
}

async fn execution(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Path((tenant, plan_version)): Path<(String, String)>,
) -> Result<Response, Refused> {
    admit(&shared, &headers)?;
    let store = &shared.wiring.store;
    let found = store.executions(Some(&tenant), Some(&plan_version), 1).await?;
    let Some(execution) = found.first() else {
        return Err(Refused(
            StatusCode::NOT_FOUND,
            "there is no such plan version".to_owned(),
        ));
    };
    let legs = store.legs(execution.id, 10_000).await?;
    let gate = store.gate_checks(execution.id).await?;
    let alerts = store
        .alerts(Which {
            tenant: None,
            execution_id: Some(execution.id),
            delivered_too: true,
        })
        .await?;
    let all = json!({ "execution": execution, "legs": legs, "gate": gate, "alerts": alerts });
    Ok(Json(all).into_response())
}

async fn alerts(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Query(page): Query<Page>,
) -> Result<Response, Refused> {
    admit(&shared, &headers)?;
    let which = Which {
        tenant: page.tenant.as_deref(),
        execution_id: None,
        delivered_too: true,
    };
    Ok(Json(shared.wiring.store.alerts(which).await?).into_response())
}

async fn touchpoints(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Query(page): Query<Page>,
) -> Result<Response, Refused> {
    admit(&shared, &headers)?;
    Ok(Json(
        shared
            .wiring
            .store
            .touchpoints(page.tenant.as_deref(), false)
            .await?,
    )
    .into_response())
}
