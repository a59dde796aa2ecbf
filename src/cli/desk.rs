//! What every command that asks the server works with: the client, the output, and lists page by page.

use awc::http::Method;
use bytes::Bytes;
use clap::Args;
use serde_json::Value;

use super::{
    client::{Client, Reply, escaped},
    exit::{Done, Exit, Failure},
    output::{Output, Page, page},
    remote::Remote,
};

/// The longest page the API gives.
const LONGEST_PAGE: u32 = 500;

/// How much of a list.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct PageArgs {
    /// So many entries at most [API's default: 50].
    #[arg(long, short = 'n', value_name = "COUNT")]
    limit: Option<u32>,
    /// Every entry there is.
    #[arg(long, conflicts_with_all = ["limit", "cursor"])]
    all: bool,
    /// From where an earlier page ended.
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

/// The client and the output.
pub(super) struct Desk {
    pub(super) client: Client,
    pub(super) out: Output,
}

impl Desk {
    /// A desk with the token at hand.
    pub(super) fn open(remote: &Remote) -> Result<Self, Failure> {
        let desk = Self::without_token(remote)?;
        desk.client.sign_in(&remote.find_token()?)?;
        Ok(desk)
    }

    /// A desk for what needs no token.
    pub(super) fn without_token(remote: &Remote) -> Result<Self, Failure> {
        Self::at(remote, &remote.server)
    }

    /// The same, at a server that was found otherwise.
    pub(super) fn at(remote: &Remote, server: &str) -> Result<Self, Failure> {
        Ok(Self { client: Client::new(remote, server)?, out: Output::new(remote) })
    }

    /// A list as far as it is wanted, as the API said it.
    pub(super) async fn list(
        &self,
        path: &str,
        query: &[(&str, String)],
        want: &PageArgs,
    ) -> Result<Bytes, Failure> {
        let limit = want.limit.or(want.all.then_some(LONGEST_PAGE));
        let mut cursor = want.cursor.clone();
        let mut whole: Option<Page> = None;
        loop {
            let mut query = query.to_vec();
            query.extend(limit.map(|limit| ("limit", limit.to_string())));
            query.extend(cursor.map(|cursor| ("cursor", cursor)));
            let body = self.client.get(&with_query(path, &query)).await?.body;
            if !want.all {
                return Ok(body);
            }
            let mut found = page(&body)?;
            cursor = found.next_cursor.take();
            match &mut whole {
                // All there is came at once: as the API said it.
                None if cursor.is_none() => return Ok(body),
                None => whole = Some(found),
                Some(whole) => whole.items.append(&mut found.items),
            }
            if let (None, Some(whole)) = (&cursor, &whole) {
                return serde_json::to_vec(whole)
                    .map(Bytes::from)
                    .map_err(|error| Failure::new(Exit::No, error));
            }
        }
    }

    /// Every entry of a list that comes in pages, read.
    pub(super) async fn entries(&self, path: &str, query: &[(&str, String)]) -> Result<Vec<Value>, Failure> {
        self.read(path, query, &PageArgs { all: true, ..PageArgs::default() }).await
    }

    /// Every entry of a list that always comes whole, read.
    pub(super) async fn whole(&self, path: &str) -> Result<Vec<Value>, Failure> {
        self.read(path, &[], &PageArgs::default()).await
    }

    async fn read(
        &self,
        path: &str,
        query: &[(&str, String)],
        want: &PageArgs,
    ) -> Result<Vec<Value>, Failure> {
        let body = self.list(path, query, want).await?;
        let read: Result<Vec<Value>, _> =
            page(&body)?.items.iter().map(|item| serde_json::from_str(item.get())).collect();
        read.map_err(|error| Failure::new(Exit::No, error))
    }

    /// Changes something.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Reply, Failure> {
        self.client.api(method, path, body).await
    }

    /// Changes something, and shows what became of it.
    pub(super) async fn change(&self, method: Method, path: &str, body: Bytes, name: &str) -> Done {
        let reply = self.send(method, path, Some(body)).await?;
        self.out.object(&reply.body, name)
    }

    /// Removes something.
    pub(super) async fn remove(&self, path: &str, what: &str) -> Done {
        self.send(Method::DELETE, path, None).await?;
        self.out.note(&format!("removed {what}"));
        Ok(())
    }
}

/// A path with parameters behind it.
pub(super) fn with_query(path: &str, query: &[(&str, String)]) -> String {
    let pairs: Vec<String> = query.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}
