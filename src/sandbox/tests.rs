//! The sandbox over a real socket: control, faults, and how calls end.

use super::*;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

struct Client(SocketAddr);

impl Client {
    /// Everything that comes back, raw; an error if the connection was reset.
    async fn raw(&self, method: &str, path: &str, body: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(self.0).await?;
        let kind = if body.starts_with(['{', '[']) {
            "application/json"
        } else {
            "application/x-www-form-urlencoded"
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: sandbox\r\nauthorization: Bearer sandbox-token\r\ncontent-type: {kind}\r\n\
             connection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    async fn call(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let raw = self.raw(method, path, &body).await.unwrap();
        let (head, body) = raw.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    async fn label(&self, name: &str) -> io::Result<String> {
        let body = json!({"mutateOperations": [{"labelOperation": {"create": {"name": name}}}]});
        self.raw(
            "POST",
            "/google-ads/v26/customers/1/googleAds:mutate",
            &body.to_string(),
        )
        .await
    }

    async fn labels(&self) -> Vec<String> {
        let (_, body) = self
            .call("GET", "/control/objects?kind=label", &Value::Null)
            .await;
        let objects = body["objects"].as_array().unwrap();
        objects
            .iter()
            .map(|o| o["name"].as_str().unwrap().to_owned())
            .collect()
    }

    async fn fault(&self, fault: Value) {
        let (status, body) = self.call("POST", "/control/faults", &fault).await;
        assert_eq!(status, 200, "{body}");
    }
}

async fn sandbox() -> (Running, Client) {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let running = start(Options {
        listen,
        latency_ms: 0,
        seed: 3,
    })
    .await
    .unwrap();
    let client = Client(running.addr);
    (running, client)
}

#[tokio::test]
async fn faults_end_calls_before_or_after_their_effect() {
    let (running, client) = sandbox().await;
    let fault = |kind: &str, extra: Value| {
        let mut fault = json!({"vendor": "google-ads", "method": "mutate", "kind": kind, "times": 1});
        fault
            .as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        fault
    };
    client.fault(fault("status", json!({"status": 503}))).await;
    assert!(client.label("refused").await.unwrap().contains("TRANSIENT_ERROR"));
    client
        .fault(fault("status", json!({"status": 500, "effect": "after"})))
        .await;
    assert!(
        client
            .label("done, then 500")
            .await
            .unwrap()
            .contains("INTERNAL_ERROR")
    );
    client.fault(fault("reset", json!({}))).await;
    assert!(client.label("reset before").await.is_err());
    client.fault(fault("reset", json!({"effect": "after"}))).await;
    assert!(client.label("reset after").await.is_err());
    client
        .fault(fault("silence_before", json!({"latency_ms": 30})))
        .await;
    assert!(client.label("silent before").await.is_err());
    client
        .fault(fault("silence_after", json!({"latency_ms": 30})))
        .await;
    assert!(client.label("silent after").await.is_err());
    client.fault(fault("cut", json!({}))).await;
    let cut = client.label("cut").await;
    assert!(cut.is_err() || !cut.unwrap().ends_with('}'));
    assert!(client.label("plain").await.unwrap().ends_with('}'));
    let expected = ["done, then 500", "reset after", "silent after", "cut", "plain"];
    assert_eq!(client.labels().await, expected);
    let (_, journal) = client
        .call(
            "GET",
            "/control/requests?vendor=google-ads&mutations=true",
            &Value::Null,
        )
        .await;
    let entries = journal["requests"].as_array().unwrap();
    assert_eq!(entries.len(), expected.len());
    assert!(
        entries[1]["status"].is_null(),
        "a client that was reset saw no status"
    );
    assert_eq!(entries[0]["headers"]["authorization"], "<redacted>");
    let (_, counts) = client.call("GET", "/control/counts", &Value::Null).await;
    assert_eq!(counts["counts"]["google-ads"]["google-ads.mutate"]["requests"], 8);
    running.shutdown().await;
}

#[tokio::test]
async fn a_late_effect_comes_even_when_the_client_has_left() {
    let (running, client) = sandbox().await;
    client
        .fault(
            json!({"method": "mutate", "kind": "latency", "latency_ms": 120, "effect": "before", "times": 1}),
        )
        .await;
    let gone = tokio::time::timeout(Duration::from_millis(30), client.label("late")).await;
    assert!(gone.is_err());
    assert!(client.labels().await.is_empty());
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(client.labels().await, ["late"]);
    running.shutdown().await;
}

#[tokio::test]
async fn wrong_control_input_is_refused_with_what_would_be_right() {
    let (running, client) = sandbox().await;
    let (status, body) = client
        .call("POST", "/control/world", &json!({"gaa4": "red"}))
        .await;
    assert_eq!(status, 400);
    assert!(body["error"].as_str().unwrap().contains("ga4"));
    assert_eq!(
        client
            .call("POST", "/control/faults", &json!({"kind": "explode"}))
            .await
            .0,
        400
    );
    let world = json!({"accounts": {"google-ads/1": {"shoe_size": 3}}});
    assert_eq!(client.call("POST", "/control/world", &world).await.0, 400);
    let world =
        json!({"accounts": {"google-ads/1": {"payer": "unsettled"}}, "ga4": "amber", "latency_ms": 1});
    assert_eq!(client.call("POST", "/control/world", &world).await.0, 200);
    assert_eq!(client.call("POST", "/control/reset", &Value::Null).await.0, 200);
    let (_, objects) = client.call("GET", "/control/objects", &Value::Null).await;
    assert_eq!(objects["objects"], json!([]));
    assert_eq!(client.call("GET", "/elsewhere", &Value::Null).await.0, 404);
    running.shutdown().await;
}
