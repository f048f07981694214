//! Alerts: webhooks to the receivers of their routes, signed, sent until the receiver has taken them or days have passed.
//!
//! Delivery is at least once, under one `webhook-id`: a receiver that answers when we no longer listen hears of it twice. Must not
//! decide who is told of what (`deadlines` does), nor log an address or a secret.

use super::backoff;
use super::poke::{Pokes, wait};
use crate::clock::SharedClock;
use crate::domain::clock::{self, CLIENT};
use crate::domain::tenant::Tenant;
use crate::outbound::Outbound;
use crate::outbound::webhook::{Answered, PATIENCE, Receiver};
use crate::store::alerts::{LeasedAlert, Sent};
use crate::store::{Store, StoreError};
use secrecy::ExposeSecret;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The longest sleep when nothing is to be sent.
const IDLE: Duration = Duration::from_millis(500);
/// Sent at the same time.
const BATCH: i64 = 16;
/// Longer than an attempt can take: after a crash another instance sends it again then.
const LEASE: Duration = Duration::from_secs(2 * PATIENCE.as_secs());
/// Between the first attempts, and at the most. Within the hour that was promised there are about ten.
const FIRST: Duration = Duration::from_secs(5);
const LAST: Duration = Duration::from_secs(600);
/// The longest that a receiver's own hint is believed.
const BELIEVED: Duration = Duration::from_secs(3600);

/// Who can be told: the configuration's receivers by name.
#[derive(Clone, Default)]
pub struct Receivers(Arc<BTreeMap<String, Receiver>>);

impl Receivers {
    /// These.
    #[must_use]
    pub fn new(all: BTreeMap<String, Receiver>) -> Self {
        Self(Arc::new(all))
    }

    /// The receiver of a route for a tenant; none: the route has no webhook. Payer alerts have none either where their address is
    /// the client's own.
    #[must_use]
    pub fn of<'a>(&'a self, route: &'a str, tenant: Option<&'a Tenant>) -> Option<&'a str> {
        let found = |route: &'a str| {
            clock::receivers(route, tenant)
                .into_iter()
                .find(|name| self.0.contains_key(*name))
        };
        let name = found(route)?;
        let address = |name: &str| self.0.get(name).map(|r| r.url.expose_secret());
        let clients_own =
            route != CLIENT && found(CLIENT).is_some_and(|client| address(client) == address(name));
        (!clients_own).then_some(name)
    }

    /// By name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Receiver> {
        self.0.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Receiver)> {
        self.0.iter().map(|(name, receiver)| (name.as_str(), receiver))
    }
}

/// The alerts.
#[derive(Clone)]
pub struct Alerts {
    /// The truth.
    pub store: Store,
    /// HTTP and secrets.
    pub outbound: Outbound,
    /// For signatures and the audit log.
    pub clock: SharedClock,
    /// Who rings.
    pub pokes: Pokes,
    /// Who is told.
    pub receivers: Receivers,
    /// How long an alert is tried.
    pub give_up: Duration,
}

impl Alerts {
    /// Sends until stopped.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            match self.step().await {
                Ok(0) => {
                    if !wait(&self.pokes.alerts, IDLE, &stop).await {
                        return;
                    }
                }
                Ok(_) if stop.is_cancelled() => return,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(error = %error, "couldn't send alerts; trying again");
                    if !wait(&self.pokes.alerts, IDLE, &stop).await {
                        return;
                    }
                }
            }
        }
    }

    /// Sends what is due, together; how many those were.
    ///
    /// # Errors
    /// [`StoreError`]; what was sent and not written down is sent again.
    pub async fn step(&self) -> Result<usize, StoreError> {
        let leased = self.store.lease_alerts(BATCH, LEASE).await?;
        let sent = futures::future::join_all(leased.iter().map(|alert| self.send(alert))).await;
        for (alert, sent) in leased.iter().zip(&sent) {
            match sent {
                Sent::Delivered => {}
                Sent::Again { why, .. } => {
                    tracing::warn!(
                        receiver = alert.receiver,
                        attempts = alert.attempts,
                        why,
                        "an alert was not delivered; again later"
                    );
                }
                Sent::GivenUp { why } => {
                    tracing::error!(
                        receiver = alert.receiver,
                        attempts = alert.attempts,
                        why,
                        "an alert is given up"
                    );
                }
            }
            self.store.settle_alert(alert, sent, &self.clock.stamp()).await?;
        }
        Ok(leased.len())
    }

    async fn send(&self, alert: &LeasedAlert) -> Sent {
        let Some(receiver) = self.receivers.get(&alert.receiver) else {
            let why = format!("the configuration has no alerts.{} any more", alert.receiver);
            return self.later(alert, why, None);
        };
        let timestamp = self.clock.now().timestamp();
        let answered = self
            .outbound
            .webhook(receiver, &alert.id, timestamp, &alert.body)
            .await;
        match answered {
            Ok(Answered::Taken) => Sent::Delivered,
            Ok(Answered::Gone) => Sent::GivenUp {
                why: "the receiver answered 410: it wants no more of them".to_owned(),
            },
            Ok(Answered::Refused(status, hint)) => {
                self.later(alert, format!("the receiver answered {status}"), hint)
            }
            Err(why) => self.later(alert, why, None),
        }
    }

    fn later(&self, alert: &LeasedAlert, why: String, hint: Option<Duration>) -> Sent {
        if alert.age_s >= self.give_up.as_secs_f64() {
            return Sent::GivenUp { why };
        }
        let own = backoff::poll(alert.attempts - 1, FIRST, LAST);
        Sent::Again {
            after: own.max(hint.unwrap_or_default().min(BELIEVED)),
            why,
        }
    }
}
