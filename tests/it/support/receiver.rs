//! An alert receiver: keeps what came, checks its signature with other code than the service's, and answers as it is told.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;

/// What every receiver of the tests shares with the service.
pub const SECRET: &[u8] = b"canary-webhook-secret-of-the-tests";

/// The credential file's content.
pub fn credential() -> String {
    serde_json::json!({ "webhook_secret": format!("whsec_{}", STANDARD.encode(SECRET)) }).to_string()
}

/// A webhook as it came.
#[derive(Debug, Clone)]
pub struct Call {
    pub path: String,
    pub id: String,
    pub body: Value,
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<Call>>>);

/// It listens as long as this lives.
pub struct Receiver {
    pub address: SocketAddr,
    kept: Kept,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    /// Listens somewhere.
    pub async fn start() -> Self {
        Self::at(([127, 0, 0, 1], 0).into()).await
    }

    /// Listens there.
    pub async fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.expect("an address");
        let address = listener.local_addr().expect("an address");
        let kept = Kept::default();
        let app = Router::new()
            .route("/{path}", post(take))
            .with_state(kept.clone());
        let task = tokio::spawn(async move { axum::serve(listener, app).await.expect("it serves") });
        Self { address, kept, task }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    pub fn calls(&self, path: &str) -> Vec<Call> {
        let kept = self.kept.0.lock().expect("calls");
        kept.iter().filter(|c| c.path == path).cloned().collect()
    }
}

/// The path says how it answers: a status, `slow`, `redirect`; anything else is taken.
async fn take(
    State(kept): State<Kept>,
    Path(path): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = |name: &str| headers[name].to_str().expect(name).to_owned();
    let signed = [
        text("webhook-id").as_bytes(),
        b".",
        text("webhook-timestamp").as_bytes(),
        b".",
        &body,
    ]
    .concat();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET);
    let theirs = text("webhook-signature");
    let theirs = STANDARD
        .decode(theirs.strip_prefix("v1,").expect("version 1"))
        .expect("base64");
    ring::hmac::verify(&key, &signed, &theirs).expect("the signature is right");
    let age = chrono::DateTime::from_timestamp(text("webhook-timestamp").parse().expect("seconds"), 0)
        .expect("a time")
        .signed_duration_since(campaign_execution::clock::Clock::now(
            &campaign_execution::clock::SystemClock,
        ));
    assert!(age.num_seconds().abs() < 60, "of this attempt: {age}");
    kept.0.lock().expect("calls").push(Call {
        path: path.clone(),
        id: text("webhook-id"),
        body: serde_json::from_slice(&body).expect("JSON"),
    });
    match path.as_str() {
        "slow" => {
            tokio::time::sleep(Duration::from_secs(30)).await;
            StatusCode::OK.into_response()
        }
        "redirect" => (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, "/elsewhere")]).into_response(),
        status => status
            .parse()
            .ok()
            .and_then(|code| StatusCode::from_u16(code).ok())
            .unwrap_or(StatusCode::NO_CONTENT)
            .into_response(),
    }
}
