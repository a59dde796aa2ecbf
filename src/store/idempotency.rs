//! Requests that must not be done twice, and what they were answered (`Idempotency-Key`).
//!
//! A request is noted before it is done and completed with its answer; both outlive the process. Answers may
//! hold an api key that was just made, so they are sealed, and everything goes after a day.
//!
//! Invariant: of several requests with one key, one is told to go ahead.

use chrono::TimeDelta;
use diesel::prelude::*;
use diesel_async::{AsyncConnection as _, RunQueryDsl};
use serde::{Deserialize, Serialize};

use crate::secrets::sealing::{SealError, Sealer};

use super::{Store, db::db, error::StoreError, schema::idempotent_requests, text::Clean, types::At};

/// How long a key counts.
const KEPT: TimeDelta = TimeDelta::hours(24);
/// Keys of one principal within that time.
const PER_OWNER: i64 = 1_000;

/// A request with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Digest of owner and key.
    pub id: [u8; 32],
    /// Whose key it is.
    pub owner: String,
    /// Digest of what is asked.
    pub fingerprint: [u8; 32],
    /// The process that does it.
    pub process: String,
}

/// An answer that was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// The status.
    pub status: u16,
    /// Headers that belong to the body.
    pub headers: Vec<(String, String)>,
    /// The body; none where it was too large to be kept.
    pub body: Option<Vec<u8>>,
}

/// What became of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// Nobody came before: go ahead.
    First,
    /// It was answered.
    Answered(Given),
    /// It is being done.
    Running,
    /// Another process began it and has not answered.
    Unknown,
    /// The key belongs to something else.
    Reused,
    /// That one has used too many keys.
    TooMany,
}

impl Store {
    /// Notes a request, unless it came before.
    ///
    /// # Errors
    /// When the database does not answer, or an answer does not open.
    pub async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        let (now, asked) = (At::now(), claim.clone());
        let noted: Noted = db!(self.engine(), write, conn => {
            conn.transaction(async move |conn| {
                let old = idempotent_requests::created_at.lt(At(now.0 - KEPT));
                diesel::delete(idempotent_requests::table.filter(old)).execute(conn).await?;
                let (id, owner) = (claim.id.to_vec(), Clean::cut(&claim.owner, 200));
                let found = idempotent_requests::table.find(id.clone()).select(Row::as_select());
                if let Some(row) = found.first(conn).await.optional()? {
                    return Ok(Noted::Before(row));
                }
                let of_owner = idempotent_requests::table.filter(idempotent_requests::owner.eq(owner.clone()));
                if of_owner.count().get_result::<i64>(conn).await? >= PER_OWNER {
                    return Ok(Noted::TooMany);
                }
                let new: usize = diesel::insert_into(idempotent_requests::table)
                    .values((
                        idempotent_requests::id.eq(id.clone()),
                        idempotent_requests::owner.eq(owner),
                        idempotent_requests::fingerprint.eq(claim.fingerprint.to_vec()),
                        idempotent_requests::process.eq(Clean::cut(&claim.process, 100)),
                        idempotent_requests::created_at.eq(now),
                    ))
                    .on_conflict_do_nothing()
                    .execute(conn)
                    .await?;
                if new == 1 {
                    return Ok(Noted::New);
                }
                // Somebody came between.
                let found = idempotent_requests::table.find(id).select(Row::as_select());
                Ok::<_, StoreError>(Noted::Before(found.first(conn).await?))
            })
            .await?
        })?;
        match noted {
            Noted::New => Ok(Claimed::First),
            Noted::TooMany => Ok(Claimed::TooMany),
            Noted::Before(row) => self.found(row, &asked),
        }
    }

    /// What there is to say of a key that came before.
    fn found(&self, row: Row, claim: &Claim) -> Result<Claimed, StoreError> {
        if row.fingerprint != claim.fingerprint {
            return Ok(Claimed::Reused);
        }
        let Some(answer) = row.answer else {
            let here = row.process.as_str() == claim.process;
            return Ok(if here { Claimed::Running } else { Claimed::Unknown });
        };
        let corrupt =
            |what: String| StoreError::Corrupt(format!("the answer to an idempotent request: {what}"));
        let opened =
            self.sealer().open(&answer, &record(&claim.id)).map_err(|error| corrupt(error.to_string()))?;
        serde_json::from_slice(&opened).map(Claimed::Answered).map_err(|error| corrupt(error.to_string()))
    }

    /// Keeps the answer to a request that was noted, sealed.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn keep_answer(&self, id: [u8; 32], answer: &Given) -> Result<(), StoreError> {
        let answer = serde_json::to_vec(answer).map_err(|error| StoreError::Refused(error.to_string()))?;
        let sealed = self.sealer().seal(&answer, &record(&id));
        db!(self.engine(), write, conn => {
            diesel::update(idempotent_requests::table.find(id.to_vec()))
                .set(idempotent_requests::answer.eq(sealed))
                .execute(conn)
                .await?;
        })
    }

    /// Forgets a request that was noted and not done.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn forget_claim(&self, id: [u8; 32]) -> Result<(), StoreError> {
        db!(self.engine(), write, conn => {
            diesel::delete(idempotent_requests::table.find(id.to_vec())).execute(conn).await?;
        })
    }
}

/// An answer sealed anew; none where the current key has sealed it.
pub(super) fn resealed(sealer: &Sealer, answer: &[u8], id: &[u8]) -> Result<Option<Vec<u8>>, SealError> {
    sealer.resealed(answer, &record(id))
}

/// The name an answer is sealed under.
fn record(id: &[u8]) -> String {
    format!("idempotent_requests/{}", hex::encode(id))
}

/// What noting a request came to.
enum Noted {
    New,
    Before(Row),
    TooMany,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = idempotent_requests)]
struct Row {
    fingerprint: Vec<u8>,
    process: Clean,
    answer: Option<Vec<u8>>,
}
