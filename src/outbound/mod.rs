//! The one way out: an HTTP client with every time-out set, no redirects, no proxies, no silent retries, and the
//! credentials that calls are signed with.
//!
//! Must not classify answers (each platform does) and must not let a secret into an error or a log.

pub mod credentials;
pub mod google_oauth;
pub mod pace;
pub mod public;
pub mod webhook;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The largest answer we read; more than any vendor's page of results.
pub const MAX_BODY: usize = 16 * 1024 * 1024;

/// HTTP and credentials, shared by everything that calls out. Cheap to clone.
#[derive(Clone)]
pub struct Outbound {
    /// The one client for hosts that the configuration names.
    pub http: reqwest::Client,
    /// The same for hosts that a message or an answer names: it resolves none to an address inside.
    pub public: reqwest::Client,
    /// The credential files.
    pub credentials: Arc<credentials::Credentials>,
    /// Google access tokens, cached per credential.
    pub google: Arc<google_oauth::Tokens>,
    /// How fast each account may be called.
    pub paces: pace::Paces,
}

/// An answer, read whole.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Lower-case header names.
    pub headers: reqwest::header::HeaderMap,
    /// The bytes, at most [`MAX_BODY`] unless more were asked for.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as JSON; `None` when it is none (cut short, a proxy's page).
    #[must_use]
    pub fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The request never left: connection refused, name not found. Nothing was changed.
    #[error("not sent: {0}")]
    NotSent(String),
    /// It left, and no whole answer came back: time-out, reset, cut short. Anything may have happened.
    #[error("no answer: {0}")]
    Lost(String),
}

impl Outbound {
    /// Every time-out set, nothing followed, nothing sent again by itself; and the credential files of `credentials_dir`.
    ///
    /// # Errors
    /// When the TLS roots cannot be loaded.
    pub fn new(credentials_dir: PathBuf, google_oauth_token_url: String) -> Result<Self, reqwest::Error> {
        // Installed once per process; a second installation is refused and changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .retry(reqwest::retry::never())
                .connect_timeout(Duration::from_secs(5))
                // Above the slowest platform's own limit (180 s); every call has a deadline of its own below it.
                .read_timeout(Duration::from_secs(200))
                .timeout(Duration::from_secs(200))
                .pool_idle_timeout(Duration::from_secs(30))
                .tcp_nodelay(true)
                .user_agent(concat!("campaign-execution/", env!("CARGO_PKG_VERSION")))
        };
        Ok(Self {
            http: builder().build()?,
            public: builder().dns_resolver(Arc::new(public::OnlyPublic)).build()?,
            credentials: Arc::new(credentials::Credentials::new(credentials_dir)),
            google: Arc::new(google_oauth::Tokens::new(google_oauth_token_url)),
            paces: pace::Paces::default(),
        })
    }

    /// The same, taking of each platform's quota only the part that is named, in percent.
    #[must_use]
    pub fn paced(mut self, percent: BTreeMap<String, u32>) -> Self {
        self.paces = pace::Paces::new(percent);
        self
    }

    /// Sends one request, once, and reads the answer whole.
    ///
    /// # Errors
    /// [`NoAnswer`] says whether it can have had an effect. Its text holds no URL (query strings carry tokens).
    pub async fn send(
        &self,
        request: reqwest::RequestBuilder,
        deadline: Duration,
    ) -> Result<Answer, NoAnswer> {
        self.send_up_to(request, deadline, MAX_BODY).await
    }

    /// The same for an answer that may be as large as `most` bytes.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_up_to(
        &self,
        request: reqwest::RequestBuilder,
        deadline: Duration,
        most: usize,
    ) -> Result<Answer, NoAnswer> {
        let lost = |error: reqwest::Error| {
            let text = describe(error.without_url());
            NoAnswer::Lost(text)
        };
        let mut response = match request.timeout(deadline).send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() || error.is_builder() => {
                return Err(NoAnswer::NotSent(describe(error.without_url())));
            }
            Err(error) => return Err(lost(error)),
        };
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            if body.len() + chunk.len() > most {
                return Err(NoAnswer::Lost(format!("the answer is larger than {most} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status,
            headers,
            body,
        })
    }
}

/// The error and its sources, one line.
fn describe(error: reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}
