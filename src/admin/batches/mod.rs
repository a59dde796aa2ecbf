//! Many users, keys or providers changed at once: shown beforehand, done together or not at all, and undone.
//!
//! A batch says which rows it means, by their numbers or by what lists can be narrowed by, and changes each as a
//! `PATCH` of one would. They take effect together: what is in force is read again once.

mod keys;
mod providers;
mod users;
mod views;

use std::future::Future;

use actix_web::{HttpResponse, web::Data};
use serde::Serialize;
use serde_json::{Value, value::RawValue};
use sha2::{Digest as _, Sha256};

pub(super) use self::views::{BatchView, UndoneView};
pub(super) use self::{
    keys::change as change_keys, providers::change as change_providers, users::change as change_users,
};
use super::{
    Admin, Answer, Topic,
    author::Signed,
    body::{Flaws, FromJson, Given, Object},
    change,
    error::{Code, FlawCode, Problem},
    query::Id,
    schema::{Book, Schema},
    undisturbed,
    values::{List, RowId, Text},
};
use crate::store::{
    Author, Batch, ListAsk, Mode, Page, Place, RowChange, Start, Store, StoreError, TrashKind,
};

/// The most rows of a batch.
const MOST: usize = 500;

/// Numbers of rows.
type Ids = List<RowId, MOST>;

/// What to change about each row, as in a `PATCH` of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change<T>(T);

impl<T: Object> FromJson for Change<T> {
    fn from_json(raw: &RawValue, field: &str, flaws: &mut Flaws) -> Option<Self> {
        T::from_json(raw, field, flaws).map(Self)
    }
}

impl<T: Schema> Schema for Change<T> {
    fn schema(book: &mut Book) -> Value {
        let outside = std::mem::replace(&mut book.changes, true);
        let schema = T::schema(book);
        book.changes = outside;
        schema
    }
}

/// Rows that can be changed in batches.
trait Batched: 'static {
    /// What is read again afterwards.
    const TOPIC: Topic;
    /// What one is called.
    const ONE: &'static str;
    type Row: Shown;
    type Filter: Default + 'static;
    type Body: Clone + 'static;
    type Change: 'static;

    /// The filter that these pass and no others.
    fn of(ids: Vec<i64>) -> Self::Filter;
    /// Members that are changed of one alone.
    fn alone(body: &Self::Body) -> Vec<&'static str>;
    /// What the body changes about a row.
    fn wish(body: Self::Body, has: &Self::Row) -> Result<Self::Change, Problem>;
    fn list(
        store: &Store,
        ask: ListAsk<Self::Filter>,
    ) -> impl Future<Output = Result<Page<Self::Row, Place>, StoreError>>;
    fn change(
        store: &Store,
        changes: Vec<RowChange<Self::Change>>,
        mode: Mode,
    ) -> impl Future<Output = Result<Batch<Self::Row>, StoreError>>;
}

/// A row that can be told.
trait Shown: 'static {
    fn id(&self) -> i64;
    fn version(&self) -> i64;
    fn name(&self) -> &str;
    /// As it is shown.
    fn shown(self) -> impl Serialize;
}

/// Which rows are meant.
enum Which<F> {
    These(Vec<i64>),
    Passing(F),
}

/// A batch that was asked for.
struct Asked<B: Batched> {
    which: Which<B::Filter>,
    body: B::Body,
    mode: Mode,
    /// What a preview told of the rows.
    state: Option<String>,
}

impl<B: Batched> Asked<B> {
    fn read(
        ids: Given<Ids>,
        filter: Given<B::Filter>,
        body: Given<Change<B::Body>>,
        preview: Given<bool>,
        state: Given<Text>,
    ) -> Result<Self, Problem> {
        let mut flaws = Flaws::default();
        let which = match (ids, filter) {
            (Given::Value(List(ids)), Given::Absent | Given::Null) => {
                Some(Which::These(ids.into_iter().map(|RowId(id)| id).collect()))
            }
            (Given::Absent | Given::Null, Given::Value(filter)) => Some(Which::Passing(filter)),
            (Given::Value(_), Given::Value(_)) => {
                flaws.add("filter", FlawCode::Unknown, "cannot be given together with `ids`");
                None
            }
            _ => {
                flaws.add("ids", FlawCode::Required, "must be given, or `filter`");
                None
            }
        };
        let body = body.required("change", &mut flaws);
        for member in body.iter().flat_map(|Change(body)| B::alone(body)) {
            flaws.add(&format!("change.{member}"), FlawCode::Unknown, "is changed of one alone");
        }
        flaws.check()?;
        let (Some(which), Some(Change(body))) = (which, body) else {
            return Err(Problem::internal("a required member is missing and was not told"));
        };
        let mode = if preview.or(false) { Mode::Preview } else { Mode::Apply };
        Ok(Self { which, body, mode, state: state.value().map(|text| text.0) })
    }

    /// Does it, or tells what would be done.
    async fn answer(self, admin: Data<Admin>, author: Author) -> Answer {
        let (store, mode) = (admin.store.signed(author), self.mode);
        let done = async move { self.run(&store).await };
        let batch = match mode {
            Mode::Preview => undisturbed(admin, done).await?,
            Mode::Apply => change(admin, B::TOPIC, done).await?,
        };
        Ok(HttpResponse::Ok().json(BatchView::of(batch, mode)?))
    }

    /// What is merged with what rows have is read here, so no other change may come between.
    async fn run(self, store: &Store) -> Result<Batch<B::Row>, Problem> {
        let Self { which, body, mode, state: seen } = self;
        let rows = which.rows::<B>(store).await?;
        if seen.is_some_and(|seen| seen != state(&rows)) {
            let detail = format!("the {}s are not what the preview told of; look again", B::ONE);
            return Err(Problem::new(Code::VersionMismatch, detail));
        }
        let wish = |row: &B::Row| {
            let change = B::wish(body.clone(), row)?;
            Ok(RowChange { id: row.id(), version: row.version(), change })
        };
        let changes = rows.iter().map(wish).collect::<Result<_, Problem>>()?;
        Ok(B::change(store, changes, mode).await?)
    }
}

impl<F> Which<F> {
    /// The rows that are meant, in the order in which they were made.
    async fn rows<B: Batched<Filter = F>>(self, store: &Store) -> Result<Vec<B::Row>, Problem> {
        let (ids, filter) = match self {
            Self::These(ids) => (ids.clone(), B::of(ids)),
            Self::Passing(filter) => (Vec::new(), filter),
        };
        let page = B::list(store, ListAsk { filter, start: Start::default(), limit: MOST }).await?;
        let mut flaws = Flaws::default();
        if page.next.is_some() {
            let message = format!("lets more than {MOST} {}s through", B::ONE);
            flaws.add("filter", FlawCode::OutOfRange, message);
        }
        for (at, id) in ids.iter().enumerate() {
            let field = format!("ids[{at}]");
            if ids.iter().take(at).any(|earlier| earlier == id) {
                flaws.add(&field, FlawCode::Repeated, "is given more than once");
            } else if !page.items.iter().any(|row| row.id() == *id) {
                flaws.add(&field, FlawCode::NotFound, format!("there is no such {}", B::ONE));
            }
        }
        flaws.check()?;
        Ok(page.items)
    }
}

/// One text for rows of these versions, and another for any others.
fn state<R: Shown>(rows: &[R]) -> String {
    let marks = rows.iter().map(|row| format!("{}.{} ", row.id(), row.version()));
    hex::encode(Sha256::digest(marks.collect::<String>()))
}

/// `POST /api/v1/batches/{id}/undo`: each row as it was before, unless one of them was changed since.
pub(super) async fn undo(admin: Data<Admin>, Signed(by): Signed, Id(id): Id) -> Answer {
    let kind = admin.store.batch_kind(id).await?;
    let topic = match kind {
        TrashKind::User | TrashKind::Key => Topic::Keys,
        TrashKind::Provider => Topic::Providers,
    };
    let store = admin.store.signed(by);
    let undone = change(admin, topic, async move { Ok(store.undo_batch(kind, id).await?) }).await?;
    Ok(HttpResponse::Ok().json(UndoneView::of(id, kind, undone)))
}
