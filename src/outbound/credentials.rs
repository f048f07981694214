//! Credential files: `<credentials.dir>/<credential>.json`, read again when the file changes.
//!
//! Must not print, log or copy a secret; errors name the file and what is wrong with it, never what is in it.

use secrecy::SecretString;
use serde::Deserialize;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

/// What a credential file holds, by its keys (contract §3).
#[derive(Debug, Clone)]
pub enum Credential {
    /// Google: a person's consent.
    AuthorizedUser {
        /// OAuth client.
        client_id: String,
        /// Of the client.
        client_secret: SecretString,
        /// Of the person.
        refresh_token: SecretString,
    },
    /// Google: a service account's key.
    ServiceAccount {
        /// Who signs.
        client_email: String,
        /// PKCS#8, PEM.
        private_key: SecretString,
        /// Of the key, if named.
        private_key_id: Option<String>,
    },
    /// Meta, TikTok, the asset library: a token.
    Token {
        /// The token.
        access_token: SecretString,
        /// Meta: signs each call.
        app_secret: Option<SecretString>,
    },
}

impl Credential {
    /// The Google Cloud project that a call with it counts for, as far as the credential shows it: an OAuth client's id begins
    /// with the project's number, a service account's address names the project.
    #[must_use]
    pub fn google_project(&self) -> Option<&str> {
        match self {
            Self::AuthorizedUser { client_id, .. } => client_id.split('-').next(),
            Self::ServiceAccount { client_email, .. } => {
                let (_, host) = client_email.split_once('@')?;
                host.split('.').next()
            }
            Self::Token { .. } => None,
        }
    }
}

/// Why there is no credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("credential file {path}: {what}")]
pub struct BadCredential {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: String,
}

#[derive(Deserialize)]
struct File {
    client_id: Option<String>,
    client_secret: Option<SecretString>,
    refresh_token: Option<SecretString>,
    client_email: Option<String>,
    private_key: Option<SecretString>,
    private_key_id: Option<String>,
    access_token: Option<SecretString>,
    app_secret: Option<SecretString>,
}

/// The files of one directory, kept while they do not change.
pub struct Credentials {
    dir: PathBuf,
    cache: Mutex<HashMap<String, (SystemTime, u64, Credential)>>,
}

impl Credentials {
    /// Reads nothing yet.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            cache: Mutex::new(HashMap::new()),
        }
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The credential of this name, as the file has it now.
    ///
    /// # Errors
    /// [`BadCredential`] names the file and what is wrong: absent, unreadable, open to others, not JSON, keys missing.
    pub fn get(&self, name: &str) -> Result<Credential, BadCredential> {
        let (path, meta) = self.find(name)?;
        let bad = |what: String| BadCredential {
            path: path.clone(),
            what,
        };
        let stamp = (meta.modified().unwrap_or(SystemTime::UNIX_EPOCH), meta.len());
        let mut cache = self
            .cache
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((modified, len, credential)) = cache.get(name)
            && (*modified, *len) == stamp
        {
            return Ok(credential.clone());
        }
        let bytes = std::fs::read(&path).map_err(|error| bad(error.to_string()))?;
        let file: File = serde_json::from_slice(&bytes).map_err(|e| bad(not_json(&e)))?;
        let credential = interpret(file).map_err(&bad)?;
        cache.insert(name.to_owned(), (stamp.0, stamp.1, credential.clone()));
        Ok(credential)
    }

    /// The secret that an alert receiver's webhooks are signed with: `{"webhook_secret": "whsec_…"}`. Read anew each time: alerts
    /// are few.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn webhook_secret(&self, name: &str) -> Result<SecretString, BadCredential> {
        #[derive(Deserialize)]
        struct Secret {
            webhook_secret: SecretString,
        }
        let (path, _) = self.find(name)?;
        let bad = |what: String| BadCredential {
            path: path.clone(),
            what,
        };
        let bytes = std::fs::read(&path).map_err(|error| bad(error.to_string()))?;
        let secret: Secret = serde_json::from_slice(&bytes).map_err(|e| {
            if e.is_data() {
                bad("it needs webhook_secret".into())
            } else {
                bad(not_json(&e))
            }
        })?;
        Ok(secret.webhook_secret)
    }

    /// The file of this name, if it may be read by nobody else.
    fn find(&self, name: &str) -> Result<(PathBuf, std::fs::Metadata), BadCredential> {
        let path = self.dir.join(format!("{name}.json"));
        let bad = |what: String| BadCredential {
            path: path.clone(),
            what,
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
            return Err(bad(
                "its name may hold letters, digits, '-', '_' and '.' only".into()
            ));
        }
        let meta = std::fs::metadata(&path).map_err(|error| bad(error.to_string()))?;
        check_permissions(&meta).map_err(bad)?;
        Ok((path, meta))
    }
}

/// serde_json's error quotes what it met; only its position is safe to show.
fn not_json(error: &serde_json::Error) -> String {
    format!(
        "not a JSON object of strings (line {}, column {})",
        error.line(),
        error.column()
    )
}

#[cfg(unix)]
fn check_permissions(meta: &std::fs::Metadata) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    if !meta.is_file() {
        return Err("it is not a file".into());
    }
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o007 != 0 {
        return Err(format!(
            "everybody on this machine can reach it (mode {mode:o}); chmod 640 or 600"
        ));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_permissions(_: &std::fs::Metadata) -> Result<(), String> {
    Ok(())
}

fn interpret(file: File) -> Result<Credential, String> {
    match file {
        File {
            client_email: Some(client_email),
            private_key: Some(private_key),
            private_key_id,
            ..
        } => Ok(Credential::ServiceAccount {
            client_email,
            private_key,
            private_key_id,
        }),
        File {
            client_id: Some(client_id),
            client_secret: Some(client_secret),
            refresh_token: Some(refresh_token),
            ..
        } => Ok(Credential::AuthorizedUser {
            client_id,
            client_secret,
            refresh_token,
        }),
        File {
            access_token: Some(access_token),
            app_secret,
            ..
        } => Ok(Credential::Token {
            access_token,
            app_secret,
        }),
        File { .. } => Err(
            "it needs client_id, client_secret and refresh_token; or client_email and private_key; \
                            or access_token"
                .into(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_google_credential_shows_its_project() {
        let user = Credential::AuthorizedUser {
            client_id: "123456789012-abc.apps.googleusercontent.com".to_owned(),
            client_secret: "s".into(),
            refresh_token: "r".into(),
        };
        let service = Credential::ServiceAccount {
            client_email: "launcher@acme-ads.iam.gserviceaccount.com".to_owned(),
            private_key: "k".into(),
            private_key_id: None,
        };
        let token = Credential::Token {
            access_token: "t".into(),
            app_secret: None,
        };
        assert_eq!(user.google_project(), Some("123456789012"));
        assert_eq!(service.google_project(), Some("acme-ads"));
        assert_eq!(token.google_project(), None);
    }
}
