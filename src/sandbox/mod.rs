//! The sandbox: ad platforms, Google Analytics, the OAuth token endpoint and the asset library, as seen from outside.
//!
//! One server answers for all of them (contract §6): it keeps its own truth, refuses what the vendor refuses in the vendor's
//! own shape and status, writes every request down, and can be told to misbehave. The demo, staging and tests talk to it
//! through base URLs alone. It must not import anything else of this crate: what it shared with the adapters, it could not
//! contradict.
//!
//! **To add a vendor**, write one module with a `VENDOR` record and add its line to [`VENDORS`].
//!
//! # Credentials
//! | who | accepted |
//! |---|---|
//! | Google Ads, DV360, GA4, Merchant | tokens from `/oauth/token`, and any that begins with `sandbox-token` |
//! | `/oauth/token` | any `client_id`, `client_secret`, `refresh_token`; any well-formed `jwt-bearer` assertion |
//! | TikTok | any token that begins with `sandbox-tiktok-token`, in the header `Access-Token` |
//! | Meta | any token that begins with `sandbox-meta-token`; `appsecret_proof` is checked if sent, with the app secret `sandbox-meta-secret` |
//! | asset library | any bearer token |
//!
//! # Logical methods
//! `google-ads.mutate` `.search` `.searchStream` `.customers.mutate` `.listAccessibleCustomers` `.{campaigns,campaignBudgets,
//! adGroups,…}.mutate` · `meta.account.get` `meta.minimum_budgets.get` `meta.{campaigns,adsets,adcreatives,ads,adlabels}.{create,
//! list,get,update,delete}` `meta.{adimages,advideos}.{create,list}` `meta.{product_feeds,uploads,errors,diagnostics}.list`
//! `meta.{campaigns,…}bylabels.list` `meta.insights.list` `meta.batch` (each operation of a batch is
//! also a request of its own) · `dv360.advertisers.{get,audit}` `dv360.{campaigns,insertionOrders,lineItems,creatives}.{create,
//! list,get,update,delete}` `dv360.lineItems.{bulkUpdate,bulkEditAssignedTargetingOptions,bulkListAssignedTargetingOptions}`
//! `dv360.targeting.{create,list,get,delete}` `dv360.assets.upload` · `ga4-admin.properties.get` `.dataStreams.list` `.keyEvents.list` `.googleAdsLinks.list` ·
//! `ga4-data.runReport` `.runRealtimeReport` · `merchant.accounts.get` `.issues.list` `.aggregateProductStatuses.list`
//! `.dataSources.list` `.dataSources.get` `.fileUploads.get` `.products.list` `.products.get` · `oauth.token` · `assets.get`
//! `assets.content` · `tiktok.` and the path with points: `tiktok.campaign.create` `.adgroup.status.update` `.ad.get`
//! `.advertiser.info` `.file.video.ad.upload` `.report.integrated.get` `.diagnostic.catalog` …. A fault may leave the vendor out
//! (`campaigns.create`), and `*` stands for anything (`*.create`).
//!
//! # `POST /control/faults` (one object, or a list of them)
//! ```json
//! {"vendor": "google-ads", "method": "mutate", "status": 503, "effect": "after", "times": 1}
//! {"vendor": "google-ads", "method": "mutate", "error": "databaseError.CONCURRENT_MODIFICATION", "times": 2}
//! {"vendor": "google-ads", "method": "mutate", "error": "quotaError.RESOURCE_TEMPORARILY_EXHAUSTED", "times": 1}
//! {"vendor": "meta", "method": "campaigns.create", "error": "80004/2446079", "times": 3}
//! {"vendor": "tiktok", "method": "adgroup.create", "error": "40100", "times": 2}
//! {"vendor": "dv360", "method": "lineItems.update", "error": "ABORTED", "times": 1}
//! {"vendor": "meta", "method": "*.create", "kind": "silence_after", "latency_ms": 2000, "probability": 0.1}
//! {"vendor": "meta", "method": "ads.create", "kind": "silence_before", "contains": "my ad"}
//! {"vendor": "meta", "method": "adsets.create", "kind": "cut", "skip": 1, "times": 1}
//! {"vendor": "*", "kind": "reset", "effect": "after", "account": "42", "times": 1}
//! {"vendor": "meta", "method": "*", "kind": "latency", "latency_ms": 800, "effect": "before"}
//! {"vendor": "google-ads", "method": "mutate", "late_visibility_ms": 2000}
//! {"vendor": "*", "status": 307, "body": "", "headers": {"location": "http://elsewhere.example/"}}
//! {"vendor": "meta", "method": "campaigns.list", "status": 200, "body": "<html>not json</html>"}
//! {"vendor": "meta", "kind": "huge", "bytes": 100000000}
//! ```
//! `effect` says whether the fault strikes `before` or `after` the request took effect: `before` by default, `after` for
//! `latency`, where `before` means that the effect comes late, even if the client has gone. A silent call is held until the
//! client leaves, or closed after `latency_ms`. Delays and late visibility add up; of the others the first that fires decides.
//! In a Meta batch an operation that is cut, reset or silent is answered with `null`. `GET` lists them with how often each
//! struck; `DELETE` disarms all, `DELETE …?id=3` one.
//!
//! # `POST /control/world` (any of these together)
//! ```json
//! {"ga4": "red"}
//! {"ga4": {"properties/360012345": {"state": "amber", "key_events": ["purchase"], "ads_linked": ["1234567890"],
//!          "default_uri": "https://shop.acme.example", "measurement_id": "G-X", "events": {"purchase": 0}}, "*": "green"}}
//! {"accounts": {"google-ads/1234567890": {"account_status": "SUSPENDED", "payer": "unsettled", "auto_tagging": true,
//!               "currency": "USD", "timezone": "America/New_York", "minimum_daily_budget": "5.00",
//!               "login_customer_id": "9876543210", "spending_limit": "1000.00",
//!               "undeclared_campaign": "made before there was a declaration"},
//!               "meta/42": {"account_status": 2, "disable_reason": 1, "funding_source": false, "payer": "unsettled",
//!               "currency": "JPY", "timezone": "Asia/Tokyo", "minimum_daily_budget": 500, "usage_percent": 97,
//!               "spend_cap": 100000, "default_dsa": "Acme GmbH"},
//!               "meta/*": {"funding_source": true},
//!               "tiktok/7001": {"status": "STATUS_LIMIT", "rejection_reason": "…", "payer": "unsettled", "balance": "12.50",
//!               "currency": "JPY", "timezone": "Asia/Tokyo", "minimum_daily_budget": "100.00"},
//!               "dv360/99": {"account_status": "PAUSED", "payer": "unsettled", "currency": "USD", "timezone": "Asia/Tokyo",
//!               "minimum_budget": "100.00", "eu_political": "DOES_NOT_CONTAIN_EU_POLITICAL_ADVERTISING",
//!               "quota": {"requests": 300, "writes": 150, "minute_ms": 6000}}}}
//! {"catalogs": {"tiktok/900001": {"critical": 3, "warning": 1, "approved": 0, "feed_status": "FAILED", "event_level": "ERROR"}}}
//! {"assets": {"asset-img-001": "missing", "acme/asset-vid-007": "processing", "asset-img-003": {"width": 300, "height": 250},
//!             "asset-img-004": {"needs_upload": true, "seed": "same bytes"}, "*": {"needs_upload": ["meta"]},
//!             "asset-img-005": {"wrong_hash": true}, "asset-img-006": {"url": "https://10.0.0.1/x", "bytes": 999}}}
//! {"disapprove": ["rsa-1"], "review_pending": ["carousel"], "policy_finding": ["forbidden"]}
//! {"token_expired": {"google-ads": 1}, "revoke": ["*"], "token_ttl_s": 60}
//! {"restore_tokens": true}
//! {"catalogs": {"meta/900001": {"products": 120, "critical": 3, "warning": 1, "feed": "failed", "diagnostics": []}}}
//! {"transcoding_ms": 2000}
//! {"spend": {"120210000000004210": "12.34", "customers/1234567890/campaigns/20000000123": "5.00"}}
//! {"strict_accounts": true, "latency_ms": 40, "late_visibility_ms": 500, "journal_kept": 100000,
//!  "clock_ahead_s": 86400, "require_appsecret_proof": true, "quota_speed": 60}
//! ```
//! `quota_speed`: the vendors' quotas hold, on clocks that run so much faster than theirs (1: as theirs); 0: no quotas.
//! `{"merchant": "red"}`, by account and in detail: `merchant/world.rs`.
//! GA4 states: `green`, `amber` (thresholded), `sampled`, `red` (trashed and silent), `silent` (no events), `no_access` (403).
//! `clock_ahead_s`: the vendors' clocks show so many seconds more than ours (flights begin and end), but for the lives of tokens.
//! `token_expired` counts calls down per vendor (a number alone: any vendor); `revoke` takes refresh tokens, service-account
//! addresses, Meta and TikTok access tokens, `*` for all. `spend` is found by id, resource name or name.
//! `transcoding_ms` is how long an uploaded video stays unusable.
//! Lists of texts match case-insensitively anywhere in an ad's name or texts and in its parents' names; `*` matches all.
//!
//! # Looking
//! `GET /control/objects?vendor=&kind=&account=&name=&full=true` · `GET /control/requests?vendor=&method=&since=&mutations=true
//! &limit=` · `GET /control/counts` · `POST /control/reset`. With `CAMPAIGN_EXECUTION_SANDBOX_RECORD=FOLDER` in its environment a
//! sandbox also writes each request with its answer to a file there (`record.rs`).

#![expect(
    clippy::disallowed_methods,
    reason = "the outside world has a clock of its own"
)]

mod assets;
mod control;
mod dv360;
mod faults;
mod ga4;
mod google_ads;
mod google_query;
mod google_rpc;
mod http;
mod journal;
mod media;
mod merchant;
mod meta;
mod net;
mod oauth;
mod quota;
mod record;
mod store;
mod switches;
#[cfg(test)]
mod tests;
mod tiktok;
mod world;

use axum::Router;
use http::{Shared, Vendor, handle};
use net::{Grip, Tearable};
use record::Record;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use world::World;

/// The vendors, one line each.
const VENDORS: &[Vendor] = &[
    google_ads::VENDOR,
    meta::VENDOR,
    tiktok::VENDOR,
    dv360::VENDOR,
    merchant::VENDOR,
    ga4::ADMIN,
    ga4::DATA,
    oauth::VENDOR,
    assets::VENDOR,
];

/// How long a shutdown waits for calls in progress.
const GRACE: Duration = Duration::from_secs(2);

/// How to run a sandbox.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Added to each vendor's answer, in milliseconds.
    pub latency_ms: u64,
    /// For ids and for faults with a probability.
    pub seed: u64,
}

/// A sandbox that is running; dropping it leaves it running until the runtime ends.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
    closing: CancellationToken,
    server: JoinHandle<io::Result<()>>,
}

impl Running {
    /// The base URL of one of its parts: `running.url("meta")` is `http://127.0.0.1:1234/meta`.
    #[must_use]
    pub fn url(&self, part: &str) -> String {
        format!("http://{}/{part}", self.addr)
    }

    /// Stops listening, ends silent calls, and gives the others two seconds.
    pub async fn shutdown(self) {
        self.closing.cancel();
        let mut server = self.server;
        if tokio::time::timeout(GRACE, &mut server).await.is_err() {
            server.abort();
        }
    }
}

/// Starts a sandbox with an empty world.
///
/// # Errors
/// When the address cannot be listened on, or the record of requests that the environment asks for cannot be made.
pub async fn start(options: Options) -> io::Result<Running> {
    let record = Record::from_environment()?;
    let listener = TcpListener::bind(options.listen).await?;
    let addr = listener.local_addr()?;
    let closing = CancellationToken::new();
    let shared = Arc::new(Shared {
        world: Mutex::new(World::new(options.seed, options.latency_ms).recorded(record)),
        vendors: VENDORS,
        closing: closing.clone(),
    });
    let router = Router::new().fallback(handle).with_state(shared);
    let service = router.into_make_service_with_connect_info::<Grip>();
    let stop = closing.clone();
    let server = tokio::spawn(async move {
        axum::serve(Tearable(listener), service)
            .with_graceful_shutdown(stop.cancelled_owned())
            .await
    });
    Ok(Running {
        addr,
        closing,
        server,
    })
}

/// Runs a sandbox until the future resolves.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn serve(options: Options, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    let running = start(options).await?;
    shutdown.await;
    running.shutdown().await;
    Ok(())
}
