//! The way of one request: read it, see what faults strike, let the vendor answer, write it down, and end the call as told.
//!
//! Must not know any vendor's rules; a vendor is a [`Vendor`] record in the table of `mod.rs`.

use super::control;
use super::faults::{Kind, Moment, Plan, Rule, Target};
use super::journal::Entry;
use super::net::Grip;
use super::world::World;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// No vendor takes more than this in one request.
const BODY_LIMIT: usize = 64 * 1024 * 1024;
/// How long a silent call is held open at most.
const SILENCE: Duration = Duration::from_secs(3600);

/// A request, as a vendor sees it.
pub(super) struct Call<'a> {
    pub(super) method: &'a Method,
    /// Without the vendor's mount, with a slash at its beginning.
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
}

/// What a vendor answers.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
    /// Whether anything changed.
    pub(super) effect: bool,
}

impl Answer {
    /// A JSON answer that changed nothing.
    pub(super) fn json(status: u16, body: &Value) -> Self {
        let body = serde_json::to_vec(body).unwrap_or_default().into();
        Self {
            status,
            headers: vec![("content-type", "application/json; charset=UTF-8".into())],
            body,
            effect: false,
        }
    }

    /// The same, having changed something.
    pub(super) fn with_effect(mut self, effect: bool) -> Self {
        self.effect = effect;
        self
    }

    /// The same with another header.
    pub(super) fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// What a call is, before it is carried out.
pub(super) struct Described {
    /// The logical method: `meta.campaigns.create`.
    pub(super) method: String,
    /// Whose account it is about, as far as one can tell.
    pub(super) account: String,
}

/// One vendor of the sandbox.
pub(super) struct Vendor {
    /// As faults, the journal and the object list call it.
    pub(super) name: &'static str,
    /// The first segment of its paths, with the slash before it.
    pub(super) mount: &'static str,
    pub(super) describe: fn(&World, &Call<'_>) -> Described,
    pub(super) answer: fn(&mut World, &Call<'_>) -> Answer,
    /// An error in the vendor's own shape, for a fault that names a status or a code but no body.
    pub(super) error: fn(&mut World, u16, Option<&str>) -> Answer,
    /// Sets one thing about one of its accounts (made if need be).
    pub(super) configure: fn(&mut World, &str, &str, &Value) -> Result<(), String>,
}

/// Where vendors have no accounts of their own.
pub(super) fn no_accounts(_: &mut World, _: &str, setting: &str, _: &Value) -> Result<(), String> {
    Err(format!("this vendor has no accounts, so no {setting}"))
}

/// How a call ends on the wire.
enum End {
    Answer,
    Silence(Duration),
    Cut,
    Reset,
    Drip(Duration),
    Huge(u64),
}

/// What became of a call.
pub(super) struct Outcome {
    pub(super) answer: Answer,
    end: End,
}

impl Outcome {
    /// Whether the client gets the whole answer.
    pub(super) fn delivered(&self) -> bool {
        match self.end {
            End::Answer | End::Drip(_) | End::Huge(_) => true,
            End::Silence(_) | End::Cut | End::Reset => false,
        }
    }
}

/// A request with everything that is known about it.
pub(super) struct Incoming {
    pub(super) vendor: &'static Vendor,
    pub(super) described: Described,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Incoming {
    fn call(&self) -> Call<'_> {
        Call {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &self.headers,
            body: &self.body,
        }
    }

    /// Which faults strike this request.
    pub(super) fn plan(&self, world: &mut World) -> Plan {
        let target = Target {
            vendor: self.vendor.name,
            method: &self.described.method,
            account: &self.described.account,
            path: &self.path,
            query: &self.query,
            body: &self.body,
        };
        world.faults.plan(&target, &mut world.ids.rng)
    }
}

/// Lets the vendor answer, as far as the faults allow, and writes the request down.
pub(super) fn conduct(world: &mut World, incoming: Incoming, plan: &Plan) -> Outcome {
    world.tick(plan.hidden_for);
    world.slower_by = plan.after;
    let call = incoming.call();
    let vendor = incoming.vendor;
    let carried_out = |world: &mut World| (vendor.answer)(world, &call);
    let nothing = || Answer {
        status: 0,
        headers: Vec::new(),
        body: Bytes::new(),
        effect: false,
    };
    let outcome = match &plan.end {
        None => Outcome {
            answer: carried_out(world),
            end: End::Answer,
        },
        Some((kind, rule)) => {
            let wait = rule.latency_ms.map_or(SILENCE, Duration::from_millis);
            match kind {
                Kind::Status | Kind::Latency | Kind::LateVisibility => {
                    let effect = rule.effect == Some(Moment::After) && carried_out(world).effect;
                    let answer = told(world, vendor, rule).with_effect(effect);
                    Outcome {
                        answer,
                        end: End::Answer,
                    }
                }
                Kind::SilenceBefore => Outcome {
                    answer: nothing(),
                    end: End::Silence(wait),
                },
                Kind::SilenceAfter => Outcome {
                    answer: carried_out(world),
                    end: End::Silence(wait),
                },
                Kind::Cut => Outcome {
                    answer: carried_out(world),
                    end: End::Cut,
                },
                Kind::Reset => {
                    let after = rule.effect == Some(Moment::After);
                    let answer = if after { carried_out(world) } else { nothing() };
                    Outcome {
                        answer,
                        end: End::Reset,
                    }
                }
                Kind::Drip => Outcome {
                    answer: carried_out(world),
                    end: End::Drip(wait),
                },
                Kind::Huge => Outcome {
                    answer: carried_out(world),
                    end: End::Huge(rule.bytes.unwrap_or(100_000_000)),
                },
            }
        }
    };
    write_down(world, incoming, plan, &outcome);
    outcome
}

fn write_down(world: &mut World, incoming: Incoming, plan: &Plan, outcome: &Outcome) {
    let entry = Entry {
        n: 0,
        at: world.now,
        vendor: incoming.vendor.name,
        method: incoming.described.method,
        account: incoming.described.account,
        http_method: incoming.method,
        path: incoming.path,
        query: incoming.query,
        headers: incoming.headers,
        body: incoming.body,
        status: outcome.delivered().then_some(outcome.answer.status),
        answer: outcome.answer.body.clone(),
        effect: outcome.answer.effect,
        faults: plan.struck.clone(),
    };
    if let Some(record) = &mut world.record {
        record.write(&entry);
    }
    world.journal.add(entry);
}

/// The answer that a `status` fault gives.
fn told(world: &mut World, vendor: &Vendor, rule: &Rule) -> Answer {
    let mut answer = match &rule.body {
        None => (vendor.error)(world, rule.status.unwrap_or(0), rule.error.as_deref()),
        Some(Value::String(text)) => Answer {
            status: 200,
            headers: vec![("content-type", "text/html; charset=UTF-8".into())],
            body: text.clone().into(),
            effect: false,
        },
        Some(value) => Answer::json(200, value),
    };
    if let Some(status) = rule.status {
        answer.status = status;
    }
    answer
}

/// What the handlers share.
pub(super) struct Shared {
    pub(super) world: Mutex<World>,
    pub(super) vendors: &'static [Vendor],
    /// Cancelled at shutdown, so that silent calls do not hold the process.
    pub(super) closing: CancellationToken,
}

impl Shared {
    /// The world; a panic in one request does not end the others.
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers any request.
pub(super) async fn handle(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(grip): ConnectInfo<Grip>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_LIMIT).await else {
        return respond(
            Answer::json(
                413,
                &json!({"error": "the request is too large or was cut short"}),
            ),
            &[],
        );
    };
    let path = parts.uri.path();
    let query = parts.uri.query().unwrap_or("");
    if let Some(control) = path.strip_prefix("/control/") {
        let answer = control::answer(&shared, &parts.method, control, query, &body);
        return respond(answer, &[]);
    }
    let found = shared.vendors.iter().find_map(|v| {
        path.strip_prefix(v.mount)
            .filter(|rest| rest.is_empty() || rest.starts_with('/'))
            .map(|r| (v, r))
    });
    let Some((vendor, rest)) = found else {
        return respond(elsewhere(path, shared.vendors), &[]);
    };
    let (path, query) = (rest.to_owned(), query.to_owned());
    let described = {
        let call = Call {
            method: &parts.method,
            path: &path,
            query: &query,
            headers: &parts.headers,
            body: &body,
        };
        (vendor.describe)(&shared.world(), &call)
    };
    let incoming = Incoming {
        vendor,
        described,
        method: parts.method,
        path,
        query,
        headers: parts.headers,
        body,
    };
    let Some((outcome, plan, base)) = carry_out(&shared, incoming).await else {
        return respond(Answer::json(500, &json!({"error": "the sandbox failed"})), &[]);
    };
    let wait = plan.after + base;
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    let extra: Vec<(String, String)> = plan
        .end
        .map(|(_, rule)| rule.headers.into_iter().collect())
        .unwrap_or_default();
    finish(&shared, &grip, outcome, &extra).await
}

/// Carries a request out, now or late, and says what faults struck and how long every answer takes.
async fn carry_out(shared: &Arc<Shared>, incoming: Incoming) -> Option<(Outcome, Plan, Duration)> {
    let (incoming, plan, base) = {
        let mut world = shared.world();
        let plan = incoming.plan(&mut world);
        let base = Duration::from_millis(world.switches.latency_ms);
        if plan.before.is_zero() {
            return Some((conduct(&mut world, incoming, &plan), plan, base));
        }
        (incoming, plan, base)
    };
    // On a task of its own: a vendor carries a request out even when the client has stopped waiting.
    let shared = Arc::clone(shared);
    let late = tokio::spawn(async move {
        tokio::time::sleep(plan.before).await;
        let outcome = conduct(&mut shared.world(), incoming, &plan);
        (outcome, plan, base)
    });
    late.await.ok()
}

/// Ends the call on the wire as the outcome says.
async fn finish(shared: &Shared, grip: &Grip, outcome: Outcome, extra: &[(String, String)]) -> Response {
    let answer = outcome.answer;
    match outcome.end {
        End::Answer => respond(answer, extra),
        End::Silence(wait) => {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = shared.closing.cancelled() => {}
            }
            grip.tear();
            respond(answer, extra)
        }
        End::Reset => {
            grip.tear();
            respond(answer, extra)
        }
        End::Cut => {
            let whole = answer.body.clone();
            let mut response = respond(answer, extra);
            response
                .headers_mut()
                .insert("content-length", HeaderValue::from(whole.len()));
            let parts = [
                Ok(whole.slice(..whole.len() / 2)),
                Err(io::Error::new(io::ErrorKind::ConnectionReset, "cut by a fault")),
            ];
            *response.body_mut() = Body::from_stream(futures::stream::iter(parts));
            response
        }
        End::Drip(over) => {
            const STEPS: usize = 20;
            let whole = answer.body.clone();
            let mut response = respond(answer, extra);
            response
                .headers_mut()
                .insert("content-length", HeaderValue::from(whole.len()));
            let size = whole.len().div_ceil(STEPS).max(1);
            let pause = over / u32::try_from(STEPS).unwrap_or(1);
            let stream = futures::stream::unfold(whole, move |mut rest| async move {
                if rest.is_empty() {
                    return None;
                }
                tokio::time::sleep(pause).await;
                let next = rest.split_to(size.min(rest.len()));
                Some((Ok::<Bytes, io::Error>(next), rest))
            });
            *response.body_mut() = Body::from_stream(stream);
            response
        }
        End::Huge(bytes) => {
            let whole = answer.body.clone();
            let mut response = respond(answer, extra);
            let padding = Bytes::from(vec![b' '; 64 * 1024]);
            let blocks = usize::try_from(bytes / (64 * 1024)).unwrap_or(usize::MAX);
            let stream = std::iter::once(whole).chain(std::iter::repeat_n(padding, blocks));
            *response.body_mut() =
                Body::from_stream(futures::stream::iter(stream.map(Ok::<Bytes, io::Error>)));
            response
        }
    }
}

fn respond(answer: Answer, extra: &[(String, String)]) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response
                .headers_mut()
                .insert(HeaderName::from_static(name), value);
        }
    }
    for (name, value) in extra {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::from_str(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn elsewhere(path: &str, vendors: &[Vendor]) -> Answer {
    let mounts: Vec<&str> = vendors.iter().map(|v| v.mount).collect();
    let status = if path == "/" || path == "/healthz" {
        200
    } else {
        404
    };
    Answer::json(
        status,
        &json!({"sandbox": "campaign-execution", "mounts": mounts, "control": "/control/"}),
    )
}
