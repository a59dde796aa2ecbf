//! What was received, and what was sent for it.
//!
//! Invariants
//! - `open` is the number of [`Exchange`]s alive: each request holds one until its body is sent or its
//!   caller is gone, so a request that is forgotten somewhere shows.
//! - No credential is kept, only its last four characters.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use actix_web::HttpRequest;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Requests remembered.
const REMEMBERED: usize = 1_000;
/// Characters of a prompt kept.
const PROMPT_KEPT: usize = 200;
/// Headers that carry a credential.
const CREDENTIAL_HEADERS: [&str; 5] = ["authorization", "x-api-key", "x-goog-api-key", "api-key", "cookie"];

/// One request, as received and as answered.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// Counts up from 1; also in the answer's `request-id` and `x-request-id`.
    pub number: u64,
    /// The method.
    pub method: String,
    /// Path and query, a `key` in it masked.
    pub path: String,
    /// Headers by name, credentials masked.
    pub headers: Vec<(String, String)>,
    /// The headers (or `?key`) that carried a credential.
    pub credentials: Vec<String>,
    /// The body's length.
    pub body_bytes: usize,
    /// The body's SHA-256, in hex.
    pub body_sha256: String,
    /// The beginning of the prompt, to find an entry by.
    pub prompt: String,
    /// The status answered; 0 while there is none.
    pub status: u16,
    /// Bytes of the body handed to the connection.
    pub sent_bytes: u64,
    /// Their SHA-256, in hex; known at the end.
    pub sent_sha256: String,
    /// How it ended.
    pub end: End,
}

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Still being answered.
    Open,
    /// Everything was sent.
    Complete,
    /// Broken off, as the script said.
    Broken,
    /// The caller closed the connection.
    CallerLeft,
}

/// The memory of one upstream.
#[derive(Debug)]
pub(super) struct Log {
    entries: Option<Mutex<VecDeque<Entry>>>,
    last_number: AtomicU64,
    open: Arc<AtomicUsize>,
}

impl Log {
    pub(super) fn new(record: bool) -> Self {
        Self { entries: record.then(Mutex::default), last_number: AtomicU64::new(0), open: Arc::default() }
    }

    /// Notes a request that has come in whole.
    pub(super) fn receive(self: &Arc<Self>, request: &HttpRequest, body: &[u8]) -> Exchange {
        let number = self.last_number.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(entries) = &self.entries {
            let entry = entry(number, request, body);
            let mut entries = lock(entries);
            if entries.len() == REMEMBERED {
                entries.pop_front();
            }
            entries.push_back(entry);
        }
        self.open.fetch_add(1, Ordering::Relaxed);
        let digest = self.entries.is_some().then(Sha256::new);
        Exchange { log: Arc::clone(self), number, status: 0, sent_bytes: 0, digest, end: End::CallerLeft }
    }

    pub(super) fn open_count(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// At most `limit` entries after that number, oldest first.
    pub(super) fn after(&self, number: u64, limit: usize) -> Vec<Entry> {
        let Some(entries) = &self.entries else { return Vec::new() };
        lock(entries).iter().filter(|entry| entry.number > number).take(limit).cloned().collect()
    }

    pub(super) fn forget(&self) {
        if let Some(entries) = &self.entries {
            lock(entries).clear();
        }
    }

    fn change(&self, number: u64, change: impl FnOnce(&mut Entry)) {
        let Some(entries) = &self.entries else { return };
        if let Some(entry) = lock(entries).iter_mut().rev().find(|entry| entry.number == number) {
            change(entry);
        }
    }
}

/// One request being answered. Dropped before [`Exchange::finish`], its caller has left.
#[derive(Debug)]
pub(super) struct Exchange {
    log: Arc<Log>,
    number: u64,
    status: u16,
    sent_bytes: u64,
    digest: Option<Sha256>,
    end: End,
}

impl Exchange {
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Notes what was asked, once it has been read.
    pub(super) fn asked(&self, prompt: &str) {
        self.log.change(self.number, |entry| entry.prompt = prompt.chars().take(PROMPT_KEPT).collect());
    }

    pub(super) fn answered(&mut self, status: u16) {
        self.status = status;
        self.log.change(self.number, |entry| entry.status = status);
    }

    pub(super) fn sent(&mut self, bytes: &[u8]) {
        self.sent_bytes += bytes.len() as u64;
        if let Some(digest) = &mut self.digest {
            digest.update(bytes);
        }
    }

    pub(super) fn finish(&mut self, end: End) {
        self.end = end;
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let digest = self.digest.take().map(|digest| hex::encode(digest.finalize())).unwrap_or_default();
        self.log.change(self.number, |entry| {
            entry.sent_bytes = self.sent_bytes;
            entry.sent_sha256 = digest;
            entry.end = self.end;
        });
        self.log.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A panic elsewhere leaves the list whole: every change to it is one assignment or one push.
fn lock(entries: &Mutex<VecDeque<Entry>>) -> MutexGuard<'_, VecDeque<Entry>> {
    entries.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn entry(number: u64, request: &HttpRequest, body: &[u8]) -> Entry {
    let mut credentials = Vec::new();
    let mut headers: Vec<_> = request
        .headers()
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            if CREDENTIAL_HEADERS.contains(&name.as_str()) {
                credentials.push(name.to_string());
                (name.to_string(), masked(&value))
            } else {
                (name.to_string(), value.into_owned())
            }
        })
        .collect();
    let mut path = request.path().to_owned();
    for (index, pair) in request.query_string().split('&').filter(|pair| !pair.is_empty()).enumerate() {
        path.push(if index == 0 { '?' } else { '&' });
        if let Some(key) = pair.strip_prefix("key=") {
            credentials.push("?key".into());
            path.push_str(&format!("key={}", masked(key)));
        } else {
            path.push_str(pair);
        }
    }
    headers.sort();
    credentials.sort();
    Entry {
        number,
        method: request.method().to_string(),
        path,
        headers,
        credentials,
        body_bytes: body.len(),
        body_sha256: hex::encode(Sha256::digest(body)),
        prompt: String::new(),
        status: 0,
        sent_bytes: 0,
        sent_sha256: String::new(),
        end: End::Open,
    }
}

/// The last four characters of anything long enough to hide the rest.
fn masked(credential: &str) -> String {
    let length = credential.chars().count();
    let shown = if length >= 12 { credential.chars().skip(length - 4).collect() } else { String::new() };
    format!("…{shown}")
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn log() -> Arc<Log> {
        Arc::new(Log::new(true))
    }

    #[test]
    fn credentials_are_named_and_masked_wherever_they_stand() {
        let log = log();
        let request = TestRequest::post()
            .uri("/v1/models/m:generateContent?alt=sse&key=secret-in-the-url")
            .insert_header(("authorization", "Bearer sk-secret-1234"))
            .insert_header(("x-api-key", "short"))
            .insert_header(("x-app", "cli"))
            .to_http_request();
        drop(log.receive(&request, b"body"));
        let entry = log.after(0, 9).remove(0);
        assert_eq!(entry.credentials, ["?key", "authorization", "x-api-key"]);
        assert_eq!(entry.path, "/v1/models/m:generateContent?alt=sse&key=…-url");
        let shown = format!("{entry:?}");
        assert!(shown.contains("…1234") && shown.contains("cli"), "{shown}");
        assert!(!shown.contains("secret") && !shown.contains("short"), "{shown}");
    }

    #[test]
    fn an_exchange_is_open_until_dropped_and_tells_how_it_ended() {
        let log = log();
        let request = TestRequest::post().uri("/").to_http_request();
        let mut first = log.receive(&request, b"");
        let second = log.receive(&request, b"");
        assert_eq!(log.open_count(), 2);
        first.answered(200);
        first.sent(b"ab");
        first.finish(End::Complete);
        drop(first);
        assert_eq!((log.open_count(), log.after(1, 9)[0].end), (1, End::Open));
        drop(second);
        let entries = log.after(0, 9);
        assert_eq!((log.open_count(), entries[0].end, entries[1].end), (0, End::Complete, End::CallerLeft));
        assert_eq!((entries[0].status, entries[0].sent_bytes), (200, 2));
        assert_eq!(entries[0].sent_sha256, hex::encode(Sha256::digest(b"ab")));
    }

    #[test]
    fn only_the_last_thousand_are_remembered() {
        let log = log();
        let request = TestRequest::post().uri("/").to_http_request();
        for _ in 0..1_002 {
            drop(log.receive(&request, b""));
        }
        assert_eq!((log.after(0, 9_999).len(), log.after(0, 1)[0].number), (1_000, 3));
    }
}
