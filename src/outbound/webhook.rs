//! Webhooks as Standard Webhooks has them (https://github.com/standard-webhooks/standard-webhooks, `spec/standard-webhooks.md`): signed
//! with a shared secret, one id for every attempt.
//!
//! Must not follow a redirect, and must not let the secret or the URL (it may hold a token) into an error.

use super::{NoAnswer, Outbound};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use std::time::Duration;

/// How long a receiver may take to answer ("15s is a reasonable timeout": the specification, "Operational considerations").
pub const PATIENCE: Duration = Duration::from_secs(15);
/// More than any receiver has to say.
const MOST: usize = 64 * 1024;
/// Before the secret, in the form in which receivers hand it out.
const PREFIX: &str = "whsec_";

/// Where a webhook goes and what signs it.
#[derive(Clone)]
pub struct Receiver {
    /// `https`, or this machine.
    pub url: SecretString,
    /// The name of the credential file with its secret.
    pub credential: String,
}

/// What a receiver answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// 2xx: it has it.
    Taken,
    /// 410: it wants no more of them.
    Gone,
    /// Anything else, redirects included; and how long it asked to be left alone.
    Refused(u16, Option<Duration>),
}

/// Whether a webhook may be sent there: `https`, or plain HTTP to this machine.
///
/// # Errors
/// What is wrong, without the URL.
pub fn check_url(text: &str) -> Result<(), &'static str> {
    let url = url::Url::parse(text).map_err(|_| "is not a URL")?;
    let here = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => return Err("has no host"),
    };
    match url.scheme() {
        "https" => Ok(()),
        "http" if here => Ok(()),
        _ => Err("must be https (http only to this machine)"),
    }
}

/// The key in a secret: `whsec_` and base64, 24 to 64 bytes, as the specification asks.
///
/// # Errors
/// What is wrong with it, without any of it.
pub fn key(secret: &SecretString) -> Result<Vec<u8>, &'static str> {
    let text = secret.expose_secret().trim();
    let text = text.strip_prefix(PREFIX).unwrap_or(text);
    let key = STANDARD
        .decode(text)
        .map_err(|_| "webhook_secret must be whsec_ and base64")?;
    if (24..=64).contains(&key.len()) {
        Ok(key)
    } else {
        Err("webhook_secret must hold 24 to 64 bytes")
    }
}

/// `webhook-signature` of this body sent at this second.
#[must_use]
pub fn signature(key: &[u8], id: &str, timestamp: i64, body: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        // HMAC takes keys of every length.
        return String::new();
    };
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body.as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

impl Outbound {
    /// Whether this receiver could be sent something: its address and its secret.
    ///
    /// # Errors
    /// What is wrong, without either.
    pub fn check_receiver(&self, receiver: &Receiver) -> Result<(), String> {
        self.key_of(receiver).map(|_| ())
    }

    fn key_of(&self, receiver: &Receiver) -> Result<Vec<u8>, String> {
        check_url(receiver.url.expose_secret()).map_err(|why| format!("its webhook_url {why}"))?;
        let secret = self
            .credentials
            .webhook_secret(&receiver.credential)
            .map_err(|e| e.to_string())?;
        key(&secret).map_err(|why| format!("credential {}: {why}", receiver.credential))
    }

    /// Sends a webhook once.
    ///
    /// # Errors
    /// Why there was no answer, or why nothing was sent; without URL and secret.
    pub async fn webhook(
        &self,
        receiver: &Receiver,
        id: &str,
        timestamp: i64,
        body: &str,
    ) -> Result<Answered, String> {
        let key = self.key_of(receiver)?;
        let request = self
            .http
            .post(receiver.url.expose_secret())
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp.to_string())
            .header("webhook-signature", signature(&key, id, timestamp, body))
            .body(body.to_owned());
        let answer = self
            .send_up_to(request, PATIENCE, MOST)
            .await
            .map_err(|error| match error {
                NoAnswer::NotSent(why) => format!("not sent: {why}"),
                NoAnswer::Lost(why) => format!("no answer: {why}"),
            })?;
        let hint = answer
            .header("retry-after")
            .and_then(|text| text.trim().parse().ok())
            .map(Duration::from_secs);
        Ok(match answer.status {
            200..=299 => Answered::Taken,
            410 => Answered::Gone,
            status => Answered::Refused(status, hint),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector of the specification's own libraries (`libraries/javascript/src/index.test.ts` and its siblings).
    #[test]
    fn signs_as_the_specification_does() {
        let key = key(&SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).expect("a key");
        let signature = signature(
            &key,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_that_is_none_is_refused_without_showing_it() {
        for bad in ["whsec_hush!", "whsec_aHVzaA==", ""] {
            let why = key(&SecretString::from(bad)).expect_err(bad);
            assert!(!why.contains("hush"), "{why}");
        }
    }

    #[test]
    fn only_https_or_this_machine() {
        for good in [
            "https://alerts.example/x?token=1",
            "http://127.0.0.1:8080/x",
            "http://localhost/",
            "http://[::1]:1/",
        ] {
            assert_eq!(check_url(good), Ok(()), "{good}");
        }
        for bad in [
            "http://alerts.example/x",
            "http://10.0.0.1/",
            "http://169.254.169.254/latest/meta-data",
            "http://localhost.evil.example/",
            "http://0.0.0.0/",
            "ftp://127.0.0.1/",
            "file:///etc/passwd",
            "alerts.example",
            "",
        ] {
            assert!(check_url(bad).is_err(), "{bad}");
        }
    }
}
