//! An asset's content, for platforms that must be sent it: fetched from where the library says, if that is a place we may
//! ask, no further than that, and only if it is what the library says it is.
//!
//! Must not follow a redirect, ask an address inside that is not the library's own, read more than declared, or hand on bytes
//! whose hash differs.

use super::assets::{self, Library};
use crate::domain::spec::Asset;
use crate::outbound::NoAnswer;
use crate::outbound::public::is_public;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use url::{Host, Url};

/// How long fetching may take.
pub const DEADLINE: Duration = Duration::from_secs(60);
/// In what steps the memory for contents is given out, bytes.
const UNIT: u64 = 1024 * 1024;

/// How many units of memory a content takes.
#[must_use]
pub fn units(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT).max(1)).unwrap_or(u32::MAX / 4)
}

/// An asset's bytes, and the memory they were granted.
pub struct Content {
    /// Exactly what the library describes.
    pub bytes: Vec<u8>,
    room: OwnedSemaphorePermit,
}

impl Content {
    /// The bytes, and what must live as long as they do.
    pub fn into_parts(self) -> (Vec<u8>, OwnedSemaphorePermit) {
        (self.bytes, self.room)
    }
}

/// Why there is no content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoContent {
    /// It cannot be had as it is described: a person must mend the asset or the configuration.
    #[error("{0}")]
    Refused(String),
    /// It is not what the library says it is, or not there: a person must upload it to the library again.
    #[error("{0}")]
    Broken(String),
    /// Later it may work.
    #[error("{0}")]
    Later(String),
}

impl Library {
    /// Fetches an asset's content.
    ///
    /// # Errors
    /// [`NoContent`]. Its text holds no query of the URL, which may be signed.
    pub async fn content(&self, asset: &Asset) -> Result<Content, NoContent> {
        let id = &asset.asset_id;
        let url = asset
            .url
            .as_deref()
            .ok_or_else(|| NoContent::Broken(format!("the library has no url for the content of {id}")))?;
        let sha256 = asset
            .sha256
            .as_deref()
            .ok_or_else(|| NoContent::Broken(format!("the library has no sha256 of {id}")))?;
        let declared = asset.bytes.unwrap_or(self.max_content_bytes);
        if declared > self.max_content_bytes {
            return Err(NoContent::Refused(format!(
                "{id} has {declared} bytes, more than asset_library.max_content_bytes ({})",
                self.max_content_bytes
            )));
        }
        let place = admit(url, &self.base_url, &self.content_hosts)
            .map_err(|why| NoContent::Refused(format!("the content of {id} is not fetched: {why}")))?;
        let room = self
            .room
            .clone()
            .try_acquire_many_owned(units(declared))
            .map_err(|_| NoContent::Later("other contents are being fetched".to_owned()))?;
        let request = match place {
            Place::Own(url) => {
                let token = assets::token(&self.outbound, &self.credential)
                    .map_err(|unknown| NoContent::Later(unknown.why))?;
                self.outbound.http.get(url).bearer_auth(token.expose_secret())
            }
            Place::Listed(url) => self.outbound.public.get(url),
        };
        let most = usize::try_from(declared).unwrap_or(usize::MAX);
        let answer = self.outbound.send_up_to(request, DEADLINE, most).await;
        let answer = answer.map_err(|error| match error {
            NoAnswer::NotSent(why) => {
                NoContent::Later(format!("the content of {id} cannot be fetched: {why}"))
            }
            NoAnswer::Lost(why) if why.contains("larger than") => NoContent::Broken(format!(
                "{id} is larger than the {declared} bytes that are declared"
            )),
            NoAnswer::Lost(why) => NoContent::Later(format!("the content of {id} broke off: {why}")),
        })?;
        match answer.status {
            200 => {}
            300..=399 => {
                return Err(NoContent::Refused(format!(
                    "the content of {id} is not where the library says: redirects ({}) are not followed",
                    answer.status
                )));
            }
            404 | 410 => {
                return Err(NoContent::Broken(format!(
                    "the content of {id} is gone from the library"
                )));
            }
            status => {
                return Err(NoContent::Later(format!(
                    "asked for the content of {id}, the library answered {status}"
                )));
            }
        }
        let found = hex::encode(Sha256::digest(&answer.body));
        if !found.eq_ignore_ascii_case(sha256) {
            return Err(NoContent::Broken(format!(
                "the content of {id} is not what the library describes: its sha256 is {found}, not {sha256}"
            )));
        }
        Ok(Content {
            bytes: answer.body,
            room,
        })
    }
}

/// Where a content may be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// The library itself, with its token.
    Own(Url),
    /// A host of `asset_library.content_hosts`, without one.
    Listed(Url),
}

/// Whether we may ask there.
fn admit(url: &str, base: &str, hosts: &[String]) -> Result<Place, String> {
    let url = Url::parse(url).map_err(|e| format!("its url cannot be read: {e}"))?;
    let base = Url::parse(base).map_err(|e| format!("asset_library.base_url: {e}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("its url holds a user name".to_owned());
    }
    let host = url.host().ok_or("its url names no host")?;
    let own = Some(&host) == base.host().as_ref()
        && url.port_or_known_default() == base.port_or_known_default()
        && (url.scheme() == "https" || url.scheme() == base.scheme());
    if own {
        return Ok(Place::Own(url));
    }
    if url.scheme() != "https" {
        return Err(format!(
            "{} is neither the library's own address nor https",
            shown(&url)
        ));
    }
    let literal: Option<IpAddr> = match &host {
        Host::Ipv4(v4) => Some((*v4).into()),
        Host::Ipv6(v6) => Some((*v6).into()),
        Host::Domain(_) => None,
    };
    if literal.is_some_and(|address| !is_public(address)) {
        return Err(format!("{} is an address inside", shown(&url)));
    }
    let name = host.to_string().to_lowercase();
    let with_port = format!("{name}:{}", url.port_or_known_default().unwrap_or(443));
    let listed = hosts.iter().any(|listed| {
        let listed = listed.to_lowercase();
        listed == with_port || listed == name && url.port().is_none()
    });
    if listed {
        Ok(Place::Listed(url))
    } else {
        Err(format!(
            "{} is neither the library's own host nor one of asset_library.content_hosts",
            shown(&url)
        ))
    }
}

/// Without its query and path: they may be secret.
fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|p| format!(":{p}")).unwrap_or_default();
    format!("{}://{host}{port}", url.scheme())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_library_and_listed_hosts_are_asked() {
        let hosts = [
            "cdn.acme.example".to_owned(),
            "files.acme.example:8443".to_owned(),
            "10.0.0.7".to_owned(),
        ];
        let place = |url: &str, base: &str| admit(url, base, &hosts);
        let base = "http://127.0.0.1:8090/assets";
        assert!(matches!(
            place("http://127.0.0.1:8090/x.png", base),
            Ok(Place::Own(_))
        ));
        assert!(matches!(
            place("https://cdn.acme.example/x.png?sig=1", base),
            Ok(Place::Listed(_))
        ));
        assert!(matches!(
            place("https://CDN.acme.example/x.png", base),
            Ok(Place::Listed(_))
        ));
        assert!(matches!(
            place("https://files.acme.example:8443/x", base),
            Ok(Place::Listed(_))
        ));
        assert!(matches!(
            place("https://library.example/x", "https://library.example"),
            Ok(Place::Own(_))
        ));
        for refused in [
            "http://127.0.0.1:5432/x",
            "http://cdn.acme.example/x",
            "https://cdn.acme.example:444/x",
            "https://evil-cdn.acme.example/x",
            "https://cdn.acme.example.evil.example/x",
            "https://cdn.acme.example@evil.example/x",
            "https://10.0.0.7/x",
            "https://169.254.169.254/latest/meta-data",
            "https://[::ffff:169.254.169.254]/x",
            "https://2130706433/x",
            "ftp://127.0.0.1:8090/x",
            "file:///etc/passwd",
            "data:image/png,x",
            "//127.0.0.1:8090/x",
            "http://user:pw@127.0.0.1:8090/x",
        ] {
            assert!(place(refused, base).is_err(), "{refused}");
        }
        // A library that is asked over https is not asked without it.
        assert!(place("http://library.example:443/x", "https://library.example").is_err());
    }
}
