//! Many providers at once. Credentials are none of it: what is kept for undoing shall not need them in clear.

use actix_web::web::Data;
use actors::provider::card::Kind;
use protocol::Format;
use serde::Serialize;

use super::{Asked, Batched, Change, Ids, Shown};
use crate::{
    admin::{
        Admin, Answer, Topic,
        author::Signed,
        body::{Body, Given, body},
        error::Problem,
        providers::{ProviderBody, View, wish},
        values::{Name, Text, Words},
    },
    store::{
        Batch, ListAsk, Mode, Page, Place, Provider, ProviderChange, ProviderFilter, RowChange, Store,
        StoreError,
    },
};

body! {
    /// Providers to be changed together: those of `ids`, or those that pass the `filter`.
    struct ProvidersBatch {
        /// Which, by their numbers.
        ids: Ids,
        /// Which, as the list is narrowed.
        filter: ProviderFilterBody,
        /// What changes about each of them.
        change: Change<ProviderBody> = required,
        /// Whether it is only told what would change.
        preview: bool,
        /// What a preview told: if the providers are not as they were then, nothing changes.
        state: Text,
    }
}

body! {
    /// Which providers; all that is given must hold.
    struct ProviderFilterBody {
        /// In the name, the notes or the address.
        q: Words,
        kind: Kind,
        group: Name,
        enabled: bool,
        format: Format,
    }
}

impl From<ProviderFilterBody> for ProviderFilter {
    fn from(body: ProviderFilterBody) -> Self {
        Self {
            ids: None,
            q: body.q.map(|words| words.0).value(),
            kind: body.kind.value(),
            group: body.group.map(|name| name.0).value(),
            enabled: body.enabled.value(),
            format: body.format.value(),
        }
    }
}

struct Providers;

impl Batched for Providers {
    const TOPIC: Topic = Topic::Providers;
    const ONE: &'static str = "provider";
    type Row = Provider;
    type Filter = ProviderFilter;
    type Body = ProviderBody;
    type Change = ProviderChange;

    fn of(ids: Vec<i64>) -> ProviderFilter {
        ProviderFilter { ids: Some(ids), ..ProviderFilter::default() }
    }

    fn alone(body: &ProviderBody) -> Vec<&'static str> {
        let name = (body.name != Given::Absent).then_some("name");
        let credential = (body.credential != Given::Absent).then_some("credential");
        name.into_iter().chain(credential).collect()
    }

    fn wish(body: ProviderBody, has: &Provider) -> Result<ProviderChange, Problem> {
        wish(body, has)
    }

    async fn list(store: &Store, ask: ListAsk<ProviderFilter>) -> Result<Page<Provider, Place>, StoreError> {
        store.provider_list(ask).await
    }

    async fn change(
        store: &Store,
        changes: Vec<RowChange<ProviderChange>>,
        mode: Mode,
    ) -> Result<Batch<Provider>, StoreError> {
        store.change_providers(changes, mode).await
    }
}

impl Shown for Provider {
    fn id(&self) -> i64 {
        self.card.id.0
    }

    fn version(&self) -> i64 {
        self.card.version
    }

    fn name(&self) -> &str {
        &self.card.name
    }

    fn shown(self) -> impl Serialize {
        View::from(self)
    }
}

/// `POST /api/v1/providers/batch`.
pub(in crate::admin) async fn change(
    admin: Data<Admin>,
    Signed(by): Signed,
    Body(body): Body<ProvidersBatch>,
) -> Answer {
    let ProvidersBatch { ids, filter, change, preview, state } = body;
    Asked::<Providers>::read(ids, filter.map(Into::into), change, preview, state)?.answer(admin, by).await
}
