//! Google access tokens: the two exchanges (a person's refresh token, a service account's signed assertion), each done
//! once however many calls wait for it, and kept until shortly before it expires.
//!
//! Must not put a secret or a token into an error, and must not decide what a refused credential means for a launch: the
//! caller turns [`TokenError`] into its own.

use super::credentials::{BadCredential, Credential};
use super::{Answer, NoAnswer, Outbound};
use crate::clock::{Clock as _, SystemClock};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::{rand::SystemRandom, rsa, signature};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Google Ads. Source: developers.google.com/google-ads/api/docs/oauth/overview.
pub const SCOPE_ADWORDS: &str = "https://www.googleapis.com/auth/adwords";
/// GA4, Admin and Data API, reading.
pub const SCOPE_ANALYTICS: &str = "https://www.googleapis.com/auth/analytics.readonly";

/// Merchant API.
pub const SCOPE_CONTENT: &str = "https://www.googleapis.com/auth/content";

/// How long one exchange may take.
const DEADLINE: Duration = Duration::from_secs(20);
/// A token is not used in its last minute: the call that carries it takes time too.
const MARGIN: Duration = Duration::from_secs(60);
/// How long a refusal is remembered, so that a thousand waiting legs don't ask a thousand times.
const REFUSED_FOR: Duration = Duration::from_secs(30);
/// How long "not reachable" is remembered: those who queued behind the attempt get its answer.
const AWAY_FOR: Duration = Duration::from_secs(1);
/// So many fresh tokens refused by an API within [`REJECTED_WITHIN`] mean that the credential itself is.
const REJECTED_LIMIT: usize = 5;
/// See [`REJECTED_LIMIT`].
const REJECTED_WITHIN: Duration = Duration::from_secs(120);
/// The longest text of Google's that an error repeats.
const WORDS: usize = 200;

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The token endpoint could not be reached or had trouble of its own; later it may work.
    #[error("google token endpoint not available: {why}")]
    NotAvailable {
        /// For a person.
        why: String,
        /// The endpoint's own hint.
        after: Option<Duration>,
    },
    /// Google refuses the credential and will go on refusing it.
    #[error("google refuses the credential: {why}")]
    Refused {
        /// For a person: Google's `error` and `error_description`.
        why: String,
    },
    /// The credential file is not what it should be.
    #[error(transparent)]
    BadCredential(#[from] BadCredential),
}

/// What a caller does after an API refused a token (HTTP 401).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejected {
    /// Ask for a token again and call again.
    TryAgain,
    /// Fresh tokens are refused as well: the credential has no access.
    Hopeless,
}

/// What is known about one credential's token for one scope.
struct Held {
    /// Of the credential it was made from: a changed file makes it worthless at once.
    print: [u8; 32],
    outcome: Result<SecretString, TokenError>,
    until: Instant,
}

type Slot = Arc<tokio::sync::Mutex<Option<Held>>>;

/// Access tokens, by credential and scope.
pub struct Tokens {
    url: String,
    slots: Mutex<HashMap<(String, String), Slot>>,
    rejections: Mutex<HashMap<String, Vec<Instant>>>,
}

/// The answer of the token endpoint. Source: RFC 6749 §5.1, §5.2.
#[derive(Deserialize)]
struct Granted {
    access_token: SecretString,
    expires_in: Option<u64>,
}

#[derive(Deserialize, Default)]
struct Denied {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
}

impl Tokens {
    /// Asks nothing yet. `url` is `google.oauth_token_url`: `https://oauth2.googleapis.com/token`.
    #[must_use]
    pub fn new(url: String) -> Self {
        Self {
            url,
            slots: Mutex::new(HashMap::new()),
            rejections: Mutex::new(HashMap::new()),
        }
    }

    /// A token for this credential and scope. However many ask at once, the endpoint is asked once.
    ///
    /// # Errors
    /// [`TokenError`], which holds no secret.
    pub async fn token(
        &self,
        outbound: &Outbound,
        credential: &str,
        scope: &str,
    ) -> Result<SecretString, TokenError> {
        let known = outbound.credentials.get(credential)?;
        let print = fingerprint(&known);
        let slot = self.slot(credential, scope);
        // Held during the exchange: whoever comes meanwhile waits here and finds its result.
        let mut held = slot.lock().await;
        if let Some(held) = held.as_ref()
            && held.print == print
            && Instant::now() < held.until
        {
            return held.outcome.clone();
        }
        let outcome = self.exchange(outbound, credential, &known, scope).await;
        let (outcome, keep) = match outcome {
            Ok((token, lifetime)) => (Ok(token), lifetime.saturating_sub(MARGIN)),
            Err(error @ TokenError::NotAvailable { .. }) => (Err(error), AWAY_FOR),
            Err(error @ (TokenError::Refused { .. } | TokenError::BadCredential(_))) => {
                (Err(error), REFUSED_FOR)
            }
        };
        *held = Some(Held {
            print,
            outcome: outcome.clone(),
            until: Instant::now() + keep,
        });
        outcome
    }

    /// An API refused this token: it is not handed out again. Several calls that carried the same token count once.
    pub async fn forget(&self, credential: &str, scope: &str, token: &SecretString) -> Rejected {
        let slot = self.slot(credential, scope);
        let mut held = slot.lock().await;
        let is_it = |held: &Held| match &held.outcome {
            Ok(current) => current.expose_secret() == token.expose_secret(),
            Err(_) => false,
        };
        if !held.as_ref().is_some_and(is_it) {
            return Rejected::TryAgain;
        }
        *held = None;
        let mut rejections = self.rejections.lock().unwrap_or_else(PoisonError::into_inner);
        let times = rejections.entry(credential.to_owned()).or_default();
        let now = Instant::now();
        times.retain(|then| now.duration_since(*then) < REJECTED_WITHIN);
        times.push(now);
        if times.len() >= REJECTED_LIMIT {
            Rejected::Hopeless
        } else {
            Rejected::TryAgain
        }
    }

    fn slot(&self, credential: &str, scope: &str) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(
            slots
                .entry((credential.to_owned(), scope.to_owned()))
                .or_default(),
        )
    }

    async fn exchange(
        &self,
        outbound: &Outbound,
        name: &str,
        credential: &Credential,
        scope: &str,
    ) -> Result<(SecretString, Duration), TokenError> {
        let bad = |what: &str| {
            let path = outbound.credentials.dir().join(format!("{name}.json"));
            let what = what.to_owned();
            TokenError::BadCredential(BadCredential { path, what })
        };
        let assertion;
        // The scope of a refresh is the one consented to: a person's consent may cover several, and a narrower
        // request would only be one more thing to go wrong.
        let form: Vec<(&str, &str)> = match credential {
            Credential::AuthorizedUser {
                client_id,
                client_secret,
                refresh_token,
            } => vec![
                ("grant_type", "refresh_token"),
                ("client_id", client_id),
                ("client_secret", client_secret.expose_secret()),
                ("refresh_token", refresh_token.expose_secret()),
            ],
            Credential::ServiceAccount {
                client_email,
                private_key,
                private_key_id,
            } => {
                let now = SystemClock.now().timestamp();
                let claims = Claims {
                    email: client_email,
                    scope,
                    audience: &self.url,
                    issued_s: u64::try_from(now).unwrap_or_default(),
                };
                assertion = sign(&claims, private_key, private_key_id.as_deref()).map_err(bad)?;
                vec![
                    ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
                    ("assertion", assertion.expose_secret()),
                ]
            }
            Credential::Token { .. } => {
                return Err(bad(
                    "it holds a plain access token; Google needs an authorized-user or a service-account file",
                ));
            }
        };
        let request = outbound.http.post(&self.url).form(&form);
        interpret(outbound.send(request, DEADLINE).await)
    }
}

/// What the endpoint's answer means. Which errors are worth another try: google-auth's
/// `google/oauth2/_client.py` (`_can_retry`) and `transport.DEFAULT_RETRYABLE_STATUS_CODES`.
fn interpret(answer: Result<Answer, NoAnswer>) -> Result<(SecretString, Duration), TokenError> {
    // The exchange changes nothing that matters: a lost answer is as good as none.
    let answer = answer.map_err(|error| TokenError::NotAvailable {
        why: error.to_string(),
        after: None,
    })?;
    if answer.status == 200 {
        return match serde_json::from_slice::<Granted>(&answer.body) {
            Ok(granted) => {
                let lifetime = Duration::from_secs(granted.expires_in.unwrap_or(3600));
                Ok((granted.access_token, lifetime))
            }
            // serde_json's error may quote the body, and the body holds a token.
            Err(_) => Err(TokenError::NotAvailable {
                why: "its answer is not a token".to_owned(),
                after: None,
            }),
        };
    }
    let denied: Denied = serde_json::from_slice(&answer.body).unwrap_or_default();
    let words: String = [denied.error.as_str(), denied.error_description.as_str()]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(": ")
        .chars()
        .take(WORDS)
        .collect();
    let why = format!("HTTP {} {words}", answer.status).trim_end().to_owned();
    let passing = ["internal_failure", "server_error", "temporarily_unavailable"];
    let transient =
        matches!(answer.status, 408 | 429 | 500..=599) || passing.contains(&denied.error.as_str());
    if transient || (300..400).contains(&answer.status) {
        let after = answer.header("retry-after").and_then(|text| text.parse().ok());
        Err(TokenError::NotAvailable {
            why,
            after: after.map(Duration::from_secs),
        })
    } else {
        Err(TokenError::Refused { why })
    }
}

/// Of everything in the credential that makes its token what it is.
fn fingerprint(credential: &Credential) -> [u8; 32] {
    let parts: [&str; 3] = match credential {
        Credential::AuthorizedUser {
            client_id,
            client_secret,
            refresh_token,
        } => [
            client_id,
            client_secret.expose_secret(),
            refresh_token.expose_secret(),
        ],
        Credential::ServiceAccount {
            client_email,
            private_key,
            private_key_id,
        } => [
            client_email,
            private_key.expose_secret(),
            private_key_id.as_deref().unwrap_or_default(),
        ],
        Credential::Token { access_token, .. } => [access_token.expose_secret(), "", ""],
    };
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

struct Claims<'a> {
    email: &'a str,
    scope: &'a str,
    audience: &'a str,
    issued_s: u64,
}

/// The assertion of a service account: RS256 over header and claims.
/// Source: developers.google.com/identity/protocols/oauth2/service-account#authorizingrequests.
fn sign(claims: &Claims<'_>, key: &SecretString, key_id: Option<&str>) -> Result<SecretString, &'static str> {
    let pair = rsa_key(key)?;
    let mut header = serde_json::json!({"alg": "RS256", "typ": "JWT"});
    if let Some(id) = key_id {
        header["kid"] = id.into();
    }
    let body = serde_json::json!({
        "iss": claims.email,
        "scope": claims.scope,
        "aud": claims.audience,
        "iat": claims.issued_s,
        "exp": claims.issued_s + 3600,
    });
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&header), part(&body));
    let mut mark = vec![0; pair.public().modulus_len()];
    pair.sign(
        &signature::RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        signed.as_bytes(),
        &mut mark,
    )
    .map_err(|_| "its private_key cannot sign")?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mark)).into())
}

/// The key in a PEM block `PRIVATE KEY` (PKCS#8), as Google's key files have it.
fn rsa_key(pem: &SecretString) -> Result<rsa::KeyPair, &'static str> {
    let text = pem.expose_secret();
    let inner = text
        .split_once("-----BEGIN PRIVATE KEY-----")
        .and_then(|(_, rest)| rest.split_once("-----END PRIVATE KEY-----"))
        .map(|(inner, _)| inner)
        .ok_or("its private_key is not a PEM block \"PRIVATE KEY\" (PKCS#8)")?;
    let packed: String = inner.chars().filter(|c| !c.is_whitespace()).collect();
    let der = STANDARD
        .decode(packed)
        .map_err(|_| "its private_key is not base64")?;
    rsa::KeyPair::from_pkcs8(&der).map_err(|_| "its private_key is not an RSA key of 2048 bits or more")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Result<Answer, NoAnswer> {
        Ok(Answer {
            status,
            headers: reqwest::header::HeaderMap::new(),
            body: body.as_bytes().to_vec(),
        })
    }

    #[test]
    fn answers_are_told_apart() {
        let (token, lifetime) =
            interpret(answer(200, r#"{"access_token":"ya29.x","expires_in":3599}"#)).unwrap();
        assert_eq!(token.expose_secret(), "ya29.x");
        assert_eq!(lifetime, Duration::from_secs(3599));
        let revoked = r#"{"error":"invalid_grant","error_description":"Token has been expired or revoked."}"#;
        match interpret(answer(400, revoked)) {
            Err(TokenError::Refused { why }) => assert!(why.contains("expired or revoked"), "{why}"),
            other => panic!("{other:?}"),
        }
        for (status, body) in [
            (503, ""),
            (429, ""),
            (302, ""),
            (400, r#"{"error":"server_error"}"#),
        ] {
            let outcome = interpret(answer(status, body));
            assert!(
                matches!(outcome, Err(TokenError::NotAvailable { .. })),
                "{status}"
            );
        }
        assert!(matches!(
            interpret(Err(NoAnswer::Lost("reset".into()))),
            Err(TokenError::NotAvailable { .. })
        ));
    }

    #[test]
    fn a_broken_answer_is_not_quoted() {
        let error = interpret(answer(200, r#"{"access_token":12345,"secret":"s3cr3t"}"#)).unwrap_err();
        assert!(!error.to_string().contains("s3cr3t") && !error.to_string().contains("12345"));
    }

    #[test]
    fn a_changed_credential_has_another_fingerprint() {
        let user = |refresh: &str| Credential::AuthorizedUser {
            client_id: "a".into(),
            client_secret: "b".to_owned().into(),
            refresh_token: refresh.to_owned().into(),
        };
        assert_eq!(fingerprint(&user("c")), fingerprint(&user("c")));
        assert_ne!(fingerprint(&user("c")), fingerprint(&user("d")));
    }

    #[test]
    fn an_assertion_verifies_under_the_keys_public_half() {
        let pem = include_str!("testdata/throwaway_key.pem").to_owned().into();
        let claims = Claims {
            email: "robot@project.example",
            scope: SCOPE_ADWORDS,
            audience: "https://oauth2.example/token",
            issued_s: 1_800_000_000,
        };
        let jwt = sign(&claims, &pem, Some("k1")).unwrap();
        let parts: Vec<&str> = jwt.expose_secret().split('.').collect();
        let [header, body, mark] = parts.as_slice() else {
            panic!("three parts")
        };
        let public = rsa_key(&pem).unwrap();
        let public = signature::RsaPublicKeyComponents::<Vec<u8>>::from(public.public());
        let mark = URL_SAFE_NO_PAD.decode(mark).unwrap();
        public
            .verify(
                &signature::RSA_PKCS1_2048_8192_SHA256,
                format!("{header}.{body}").as_bytes(),
                &mark,
            )
            .unwrap();
        let body: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).unwrap()).unwrap();
        assert_eq!(body["exp"], 1_800_003_600_u64);
        assert_eq!(body["iss"], "robot@project.example");
        assert!(sign(&claims, &"nonsense".to_owned().into(), None).is_err());
    }

    #[tokio::test]
    async fn a_token_rejected_again_and_again_is_hopeless() {
        let tokens = Tokens::new("https://oauth2.example/token".into());
        let put = |text: &'static str| {
            let slot = tokens.slot("c", "s");
            async move {
                *slot.lock().await = Some(Held {
                    print: [0; 32],
                    outcome: Ok(text.to_owned().into()),
                    until: Instant::now() + Duration::from_secs(9),
                });
            }
        };
        put("one").await;
        let stale = "zero".to_owned().into();
        assert_eq!(tokens.forget("c", "s", &stale).await, Rejected::TryAgain);
        for round in 1..=REJECTED_LIMIT {
            put("one").await;
            let wanted = if round < REJECTED_LIMIT {
                Rejected::TryAgain
            } else {
                Rejected::Hopeless
            };
            assert_eq!(tokens.forget("c", "s", &"one".to_owned().into()).await, wanted);
        }
    }
}
