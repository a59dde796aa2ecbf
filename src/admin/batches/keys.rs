//! Many api keys at once.

use actix_web::web::Data;
use actors::ids::UserId;
use serde::Serialize;

use super::{Asked, Batched, Change, Ids, Shown};
use crate::{
    admin::{
        Admin, Answer, Topic,
        author::Signed,
        body::{Body, body},
        error::Problem,
        keys::{KeyBody, View, wish},
        values::{Name, RowId, Text, Words},
    },
    store::{
        Batch, Key, KeyChange, KeyFilter, ListAsk, Mode, Page, Place, RowChange, Status, Store, StoreError,
    },
};

body! {
    /// Api keys to be changed together: those of `ids`, or those that pass the `filter`.
    struct KeysBatch {
        /// Which, by their numbers.
        ids: Ids,
        /// Which, as the list is narrowed.
        filter: KeyFilterBody,
        /// What changes about each of them.
        change: Change<KeyBody> = required,
        /// Whether it is only told what would change.
        preview: bool,
        /// What a preview told: if the keys are not as they were then, nothing changes.
        state: Text,
    }
}

body! {
    /// Which keys; all that is given must hold.
    struct KeyFilterBody {
        /// In the name, the first characters or the last four.
        q: Words,
        user_id: RowId,
        group: Name,
        enabled: bool,
        status: Status,
        web_login: bool,
    }
}

impl From<KeyFilterBody> for KeyFilter {
    fn from(body: KeyFilterBody) -> Self {
        Self {
            ids: None,
            q: body.q.map(|words| words.0).value(),
            user_id: body.user_id.map(|user| UserId(user.0)).value(),
            group: body.group.map(|name| name.0).value(),
            enabled: body.enabled.value(),
            status: body.status.value(),
            web_login: body.web_login.value(),
        }
    }
}

struct Keys;

impl Batched for Keys {
    const TOPIC: Topic = Topic::Keys;
    const ONE: &'static str = "key";
    type Row = Key;
    type Filter = KeyFilter;
    type Body = KeyBody;
    type Change = KeyChange;

    fn of(ids: Vec<i64>) -> KeyFilter {
        KeyFilter { ids: Some(ids), ..KeyFilter::default() }
    }

    fn alone(_: &KeyBody) -> Vec<&'static str> {
        Vec::new()
    }

    fn wish(body: KeyBody, has: &Key) -> Result<KeyChange, Problem> {
        wish(body, has)
    }

    async fn list(store: &Store, ask: ListAsk<KeyFilter>) -> Result<Page<Key, Place>, StoreError> {
        store.keys(ask).await
    }

    async fn change(
        store: &Store,
        changes: Vec<RowChange<KeyChange>>,
        mode: Mode,
    ) -> Result<Batch<Key>, StoreError> {
        store.change_keys(changes, mode).await
    }
}

impl Shown for Key {
    fn id(&self) -> i64 {
        self.id.0
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn shown(self) -> impl Serialize {
        View::from(self)
    }
}

/// `POST /api/v1/keys/batch`.
pub(in crate::admin) async fn change(
    admin: Data<Admin>,
    Signed(by): Signed,
    Body(body): Body<KeysBatch>,
) -> Answer {
    let KeysBatch { ids, filter, change, preview, state } = body;
    Asked::<Keys>::read(ids, filter.map(Into::into), change, preview, state)?.answer(admin, by).await
}
