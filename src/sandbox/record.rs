//! Every request that reached a vendor, on disk: what `make conformance` holds against the vendors' own definitions.
//!
//! Where [`FOLDER`] names a folder, each sandbox writes a file of its own there, one JSON object a line, named after the thread
//! that started it (in a test, the test). Bodies and answers stand there whole, only credentials are taken out, and files that
//! are uploaded are shown by their size. Nothing is written otherwise. Must not judge what it writes, and must not fail a
//! request: a line that cannot be written ends the record, with a word on standard error.

use super::journal::{Entry, SECRETS, redacted, shown_headers};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

/// The environment variable that names the folder.
pub(super) const FOLDER: &str = "CAMPAIGN_EXECUTION_SANDBOX_RECORD";

static NEXT: AtomicU32 = AtomicU32::new(0);

/// One sandbox's file.
pub(super) struct Record(Option<File>);

impl Record {
    /// A new file in the folder that the environment names; none where it names none.
    ///
    /// # Errors
    /// When the file cannot be made: then nobody should believe in a record.
    pub(super) fn from_environment() -> io::Result<Self> {
        match std::env::var_os(FOLDER) {
            Some(folder) if !folder.is_empty() => Self::in_folder(Path::new(&folder)),
            Some(_) | None => Ok(Self(None)),
        }
    }

    fn in_folder(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let thread = std::thread::current();
        let starter: String = thread
            .name()
            .unwrap_or("sandbox")
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .take(120)
            .collect();
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{starter}.{}.{n}.jsonl", std::process::id());
        Ok(Self(Some(File::create_new(folder.join(name))?)))
    }

    /// Writes one request down.
    pub(super) fn write(&mut self, entry: &Entry) {
        let Some(file) = &mut self.0 else { return };
        let mut line = rendered(entry).to_string();
        line.push('\n');
        if let Err(error) = file.write_all(line.as_bytes()) {
            eprintln!("sandbox: the record of requests ends here: {error}");
            self.0 = None;
        }
    }
}

fn rendered(entry: &Entry) -> Value {
    json!({
        "vendor": entry.vendor,
        "method": entry.method,
        "account": entry.account,
        "http_method": entry.http_method.as_str(),
        "path": entry.path,
        "query": pairs(entry.query.as_bytes()),
        "headers": shown_headers(&entry.headers),
        "body": body(entry),
        "status": entry.status,
        "answer": entry.status.map(|_| answer(&entry.answer)),
        "faults": entry.faults,
    })
}

/// `{"json": …}`, `{"form": [[name, value], …]}`, `{"parts": […]}`, `{"bytes": n}` or null.
fn body(entry: &Entry) -> Value {
    if entry.body.is_empty() {
        return Value::Null;
    }
    let kind = entry
        .headers
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    if kind.starts_with("application/x-www-form-urlencoded") {
        return json!({"form": pairs(&entry.body)});
    }
    if let Some((_, boundary)) = kind.split_once("boundary=") {
        return json!({"parts": parts(&entry.body, boundary.trim_matches('"'))});
    }
    match serde_json::from_slice(&entry.body) {
        Ok(value) => json!({"json": redacted(value)}),
        Err(_) => json!({"bytes": entry.body.len()}),
    }
}

fn pairs(bytes: &[u8]) -> Value {
    let pair = |(name, value): (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)| {
        let inside = |secret: &&str| secret.contains('_') && value.contains(*secret);
        let secret = SECRETS.contains(&name.as_ref()) || SECRETS.iter().any(inside);
        let value = if secret { "<redacted>" } else { value.as_ref() };
        json!([name, value])
    };
    url::form_urlencoded::parse(bytes).map(pair).collect()
}

/// The parts of a multipart body: a field's text, a file's name and size.
fn parts(body: &[u8], boundary: &str) -> Vec<Value> {
    let delimiter = format!("--{boundary}");
    let mut all = Vec::new();
    for piece in split(body, delimiter.as_bytes()) {
        // Lines end as HTTP wants them, or as Google's own client for Python writes them.
        let ends = [("\r\n", "\r\n\r\n"), ("\n", "\n\n")];
        let Some((end, at, empty)) = ends
            .into_iter()
            .find_map(|(end, empty)| Some((end, find(piece, empty.as_bytes())?, empty)))
        else {
            continue;
        };
        let head = String::from_utf8_lossy(&piece[..at]).into_owned();
        let content = &piece[at + empty.len()..];
        let content = content.strip_suffix(end.as_bytes()).unwrap_or(content);
        let attribute = |name: &str| {
            let (_, rest) = head.split_once(&format!("{name}=\""))?;
            rest.split_once('"').map(|(value, _)| value.to_owned())
        };
        let name = head
            .split("; ")
            .find_map(|a| a.strip_prefix("name=\""))
            .and_then(|rest| rest.split_once('"'))
            .map(|(name, _)| name.to_owned());
        all.push(match attribute("filename") {
            Some(file) => json!({"name": name, "filename": file, "bytes": content.len()}),
            None if name.as_deref().is_some_and(|n| SECRETS.contains(&n)) => {
                json!({"name": name, "text": "<redacted>"})
            }
            // A part without a name is of multipart/related: a description in JSON, or the content.
            None if name.is_none() && !head.to_ascii_lowercase().contains("application/json") => {
                json!({"bytes": content.len()})
            }
            None => match std::str::from_utf8(content) {
                Ok(text) => json!({"name": name, "text": text}),
                Err(_) => json!({"name": name, "bytes": content.len()}),
            },
        });
    }
    all
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|window| window == needle)
}

fn split<'a>(mut hay: &'a [u8], needle: &[u8]) -> Vec<&'a [u8]> {
    let mut all = Vec::new();
    while let Some(at) = find(hay, needle) {
        all.push(&hay[..at]);
        hay = &hay[at + needle.len()..];
    }
    all.push(hay);
    all
}

fn answer(bytes: &[u8]) -> Value {
    match serde_json::from_slice(bytes) {
        Ok(value) => json!({"json": redacted(value)}),
        Err(_) => json!({"bytes": bytes.len()}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Bytes;
    use axum::http::{HeaderMap, Method};

    fn entry(kind: &str, body: &'static [u8]) -> Entry {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", kind.parse().unwrap());
        headers.insert("access-token", "very-secret".parse().unwrap());
        headers.insert("user-agent", "campaign-execution/1".parse().unwrap());
        Entry {
            n: 1,
            at: chrono::DateTime::UNIX_EPOCH,
            vendor: "meta",
            method: "meta.campaigns.create".into(),
            account: "42".into(),
            http_method: Method::POST,
            path: "/v26.0/act_42/campaigns".into(),
            query: "appsecret_proof=very-secret&fields=id".into(),
            headers,
            body: Bytes::from_static(body),
            status: Some(200),
            answer: Bytes::from_static(br#"{"id": "1", "access_token": "very-secret"}"#),
            effect: true,
            faults: Vec::new(),
        }
    }

    #[test]
    fn a_line_holds_the_whole_request_and_no_credential() {
        let folder = tempfile::tempdir().unwrap();
        let mut record = Record::in_folder(folder.path()).unwrap();
        let form = entry(
            "application/x-www-form-urlencoded",
            b"name=a&access_token=very-secret&targeting=%7B%7D&batch=%5B%22access_token%3Dvery-secret%22%5D",
        );
        record.write(&form);
        let json = entry(
            "application/json",
            br#"{"name": "a", "client_secret": "very-secret"}"#,
        );
        record.write(&json);
        let parts = entry(
            "multipart/form-data; boundary=xx",
            b"--xx\r\nContent-Disposition: form-data; name=\"advertiser_id\"\r\n\r\n7\r\n--xx\r\nContent-Disposition: \
              form-data; name=\"file\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n\xff\xd8\r\n--xx--\r\n",
        );
        record.write(&parts);
        let file = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap();
        assert!(
            file.file_name()
                .to_string_lossy()
                .contains("a_line_holds_the_whole_request"),
            "{file:?}"
        );
        let text = fs::read_to_string(file.path()).unwrap();
        assert!(!text.contains("very-secret"), "{text}");
        let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(
            lines[0]["query"],
            json!([["appsecret_proof", "<redacted>"], ["fields", "id"]])
        );
        assert_eq!(lines[0]["body"]["form"][0], json!(["name", "a"]));
        assert_eq!(lines[0]["body"]["form"][2], json!(["targeting", "{}"]));
        assert_eq!(lines[0]["headers"]["user-agent"], "campaign-execution/1");
        assert_eq!(lines[0]["answer"]["json"]["id"], "1");
        assert_eq!(lines[1]["body"]["json"]["name"], "a");
        let expected = json!([
            {"name": "advertiser_id", "text": "7"}, {"name": "file", "filename": "a.png", "bytes": 2}
        ]);
        assert_eq!(lines[2]["body"]["parts"], expected);
    }
}
