//! Many users at once.

use actix_web::web::Data;
use serde::Serialize;

use super::{Asked, Batched, Change, Ids, Shown};
use crate::{
    admin::{
        Admin, Answer, Topic,
        author::Signed,
        body::{Body, Given, body},
        error::Problem,
        users::{UserBody, View, wish},
        values::{Name, Text, Words},
    },
    store::{
        Batch, ListAsk, Mode, Page, Place, Role, RowChange, Status, Store, StoreError, User, UserChange,
        UserFilter,
    },
};

body! {
    /// Users to be changed together: those of `ids`, or those that pass the `filter`.
    struct UsersBatch {
        /// Which, by their numbers.
        ids: Ids,
        /// Which, as the list is narrowed.
        filter: UserFilterBody,
        /// What changes about each of them.
        change: Change<UserBody> = required,
        /// Whether it is only told what would change.
        preview: bool,
        /// What a preview told: if the users are not as they were then, nothing changes.
        state: Text,
    }
}

body! {
    /// Which users; all that is given must hold.
    struct UserFilterBody {
        /// In the name or in a tag.
        q: Words,
        role: Role,
        group: Name,
        tag: Name,
        enabled: bool,
        status: Status,
    }
}

impl From<UserFilterBody> for UserFilter {
    fn from(body: UserFilterBody) -> Self {
        Self {
            ids: None,
            q: body.q.map(|words| words.0).value(),
            role: body.role.value(),
            group: body.group.map(|name| name.0).value(),
            tag: body.tag.map(|name| name.0).value(),
            enabled: body.enabled.value(),
            status: body.status.value(),
        }
    }
}

struct Users;

impl Batched for Users {
    const TOPIC: Topic = Topic::Keys;
    const ONE: &'static str = "user";
    type Row = User;
    type Filter = UserFilter;
    type Body = UserBody;
    type Change = UserChange;

    fn of(ids: Vec<i64>) -> UserFilter {
        UserFilter { ids: Some(ids), ..UserFilter::default() }
    }

    fn alone(body: &UserBody) -> Vec<&'static str> {
        Vec::from_iter((body.name != Given::Absent).then_some("name"))
    }

    fn wish(body: UserBody, has: &User) -> Result<UserChange, Problem> {
        wish(body, has)
    }

    async fn list(store: &Store, ask: ListAsk<UserFilter>) -> Result<Page<User, Place>, StoreError> {
        store.users(ask).await
    }

    async fn change(
        store: &Store,
        changes: Vec<RowChange<UserChange>>,
        mode: Mode,
    ) -> Result<Batch<User>, StoreError> {
        store.change_users(changes, mode).await
    }
}

impl Shown for User {
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

/// `POST /api/v1/users/batch`.
pub(in crate::admin) async fn change(
    admin: Data<Admin>,
    Signed(by): Signed,
    Body(body): Body<UsersBatch>,
) -> Answer {
    let UsersBatch { ids, filter, change, preview, state } = body;
    Asked::<Users>::read(ids, filter.map(Into::into), change, preview, state)?.answer(admin, by).await
}
