//! What is sealed, sealed anew when the sealing key was changed (C-10).
//!
//! Every value is done by itself: the new blob goes where the old one still stands, so nothing that is written
//! meanwhile is lost, whoever dies in between has lost nothing, and several servers may do it at once.

use diesel::{
    prelude::*,
    sql_types::{Binary, Integer, Nullable},
};
use diesel_async::RunQueryDsl;

use super::{
    Store,
    batches::Was,
    db::db,
    error::StoreError,
    idempotency, providers,
    schema::{batches, idempotent_requests, providers as provider_rows, trash},
    trash::{DeletedProvider, KeptProvider, TrashKind},
    types::Json,
};
use crate::secrets::{digest_key::DigestKey, sealing::Sealer};

diesel::define_sql_function! {
    /// Part of a blob.
    fn substr(blob: Nullable<Binary>, from: Integer, bytes: Integer) -> Nullable<Binary>;
}

/// How many blobs are fetched at once.
const AT_ONCE: usize = 100;

/// What a pass over everything of one sort came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seals {
    /// Sealed anew.
    pub anew: u64,
    /// Still sealed with another key: it is none of ours, or somebody wrote at the same moment.
    pub left: u64,
}

/// What a pass over everything that is sealed came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SealReport {
    /// The digest key.
    pub digest_key: Seals,
    /// Credentials of providers.
    pub providers: Seals,
    /// Deleted providers, by what can be restored.
    pub deleted: Seals,
    /// Providers as they were before a batch that can be undone.
    pub batches: Seals,
    /// Answers to requests with an idempotency key.
    pub answers: Seals,
}

/// Whether anything is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Only looks what another key has sealed.
    Look,
    /// Seals it anew.
    Reseal,
}

impl SealReport {
    /// Each sort with its name.
    #[must_use]
    pub const fn sorts(&self) -> [(&'static str, Seals); 5] {
        [
            ("digest_key", self.digest_key),
            ("providers", self.providers),
            ("deleted_providers", self.deleted),
            ("batches", self.batches),
            ("idempotent_answers", self.answers),
        ]
    }

    /// All of them together.
    #[must_use]
    pub fn total(&self) -> Seals {
        let add = |sum: Seals, one: Seals| Seals { anew: sum.anew + one.anew, left: sum.left + one.left };
        self.sorts().into_iter().map(|(_, seals)| seals).fold(Seals::default(), add)
    }
}

impl Seals {
    /// Counts one, of which that became.
    fn count(&mut self, anew: bool) {
        if anew { self.anew += 1 } else { self.left += 1 }
    }
}

/// Passes over the blobs of a column that another key has sealed; `$resealed` seals one anew.
macro_rules! column {
    ($store:expr, $pass:expr, $table:ident, $id:ty, $blob:ident, |$row:ident, $old:ident| $resealed:expr) => {{
        let (head, mut seals, mut last) = ($store.sealer().head(), Seals::default(), None::<$id>);
        loop {
            let (head, from) = (head.clone(), last.clone());
            let rows: Vec<($id, Option<Vec<u8>>)> = db!($store.engine(), read, conn => {
                let bytes = i32::try_from(head.len()).unwrap_or(i32::MAX);
                let stale = substr($table::$blob.nullable(), 1, bytes).ne(head);
                let columns = ($table::id, $table::$blob.nullable());
                let mut query = $table::table.filter(stale).select(columns).into_boxed();
                if let Some(from) = from {
                    query = query.filter($table::id.gt(from));
                }
                query.order($table::id).limit(AT_ONCE as i64).load(conn).await?
            })?;
            let Some((id, _)) = rows.last() else { break seals };
            last = Some(id.clone());
            for ($row, blob) in rows {
                let $old = blob.unwrap_or_default();
                let anew = if $pass == Pass::Reseal { $resealed.ok().flatten() } else { None };
                let Some(anew) = anew else {
                    seals.count(false);
                    continue;
                };
                let written: usize = db!($store.engine(), write, conn => {
                    let same = $table::table.find($row).filter($table::$blob.eq($old));
                    diesel::update(same).set($table::$blob.eq(anew)).execute(conn).await?
                })?;
                seals.count(written == 1);
            }
        }
    }};
}

/// Passes over documents with credentials in them, which nothing else ever changes.
macro_rules! documents {
    ($store:expr, $pass:expr, $table:ident, $document:ty, |$kept:ident| $credentials:expr) => {{
        let mut seals = Seals::default();
        let documents: Vec<(i64, Json<$document>)> = db!($store.engine(), read, conn => {
            let all = $table::table.filter($table::kind.eq(TrashKind::Provider.name()));
            all.select(($table::id, $table::document)).load(conn).await?
        })?;
        for (id, Json(mut $kept)) in documents {
            match reseal($credentials, $store.sealer(), $pass) {
                Outcome::Current => {}
                Outcome::Left => seals.count(false),
                Outcome::Anew => {
                    db!($store.engine(), write, conn => {
                        let row = diesel::update($table::table.find(id));
                        row.set($table::document.eq(Json($kept))).execute(conn).await?;
                    })?;
                    seals.count(true);
                }
            }
        }
        seals
    }};
}

/// What becomes of a document.
enum Outcome {
    /// There is nothing to do.
    Current,
    /// It was sealed anew.
    Anew,
    /// Something in it stays as it is.
    Left,
}

fn reseal<'a>(kept: impl IntoIterator<Item = &'a mut KeptProvider>, sealer: &Sealer, pass: Pass) -> Outcome {
    let mut outcome = Outcome::Current;
    for provider in kept {
        outcome = match (outcome, provider.reseal(sealer)) {
            (Outcome::Left, _) | (_, Err(_)) => Outcome::Left,
            (_, Ok(true)) if pass == Pass::Look => Outcome::Left,
            (_, Ok(true)) => Outcome::Anew,
            (before, Ok(false)) => before,
        };
    }
    outcome
}

impl Store {
    /// Passes over everything that is sealed.
    ///
    /// # Errors
    /// When the database does not answer, or a document in it makes no sense.
    pub async fn seals(&self, pass: Pass) -> Result<SealReport, StoreError> {
        Ok(SealReport {
            digest_key: self.seal_of_digest_key(pass).await?,
            providers: self.seals_of_providers(pass).await?,
            deleted: documents!(self, pass, trash, DeletedProvider, |kept| [&mut kept.provider]),
            batches: documents!(self, pass, batches, Vec<Was<KeptProvider>>, |kept| {
                kept.iter_mut().map(|was| &mut was.row)
            }),
            answers: self.seals_of_answers(pass).await?,
        })
    }

    async fn seal_of_digest_key(&self, pass: Pass) -> Result<Seals, StoreError> {
        let mut seals = Seals::default();
        let Some(old) = self.sealed_digest_key().await? else { return Ok(seals) };
        match DigestKey::resealed(self.sealer(), &old) {
            Ok(None) => {}
            Ok(Some(anew)) if pass == Pass::Reseal => seals.count(self.replace_digest_key(old, anew).await?),
            Ok(Some(_)) | Err(_) => seals.count(false),
        }
        Ok(seals)
    }

    async fn seals_of_providers(&self, pass: Pass) -> Result<Seals, StoreError> {
        let sealer = self.sealer();
        let seals = column!(self, pass, provider_rows, i64, credential, |id, old| {
            providers::resealed(sealer, &old, id)
        });
        Ok(seals)
    }

    async fn seals_of_answers(&self, pass: Pass) -> Result<Seals, StoreError> {
        let sealer = self.sealer();
        let seals = column!(self, pass, idempotent_requests, Vec<u8>, answer, |id, old| {
            idempotency::resealed(sealer, &old, &id)
        });
        Ok(seals)
    }
}
