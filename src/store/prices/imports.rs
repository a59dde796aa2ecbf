//! Price lists that were taken in: when, from where, and what they were, byte by byte (C-23).

use std::fmt;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::Serialize;

use crate::store::{
    Store,
    db::db,
    error::StoreError,
    page::{Cursor, Page},
    schema::price_imports,
    text::Clean,
    types::{At, count},
};

/// Where a price list came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportOrigin {
    /// An operator sent it.
    Upload,
    /// It was fetched from this address.
    Url(String),
}

impl fmt::Display for ImportOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upload => f.write_str("upload"),
            Self::Url(url) => f.write_str(url),
        }
    }
}

/// A price list that was taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceImport {
    /// The row.
    pub id: i64,
    /// When.
    pub imported_at: DateTime<Utc>,
    /// `upload`, or the address.
    pub origin: String,
    /// Digest of the list as it came.
    pub sha256: String,
    /// How many prices it added or changed.
    pub prices: i64,
}

#[derive(Insertable, Serialize)]
#[diesel(table_name = price_imports)]
pub(super) struct NewImport {
    imported_at: At,
    origin: Clean,
    sha256: Clean,
    prices: i64,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = price_imports)]
struct Row {
    id: i64,
    imported_at: At,
    origin: Clean,
    sha256: Clean,
    prices: i64,
}

impl NewImport {
    pub(super) fn new(
        origin: &ImportOrigin,
        sha256: &str,
        at: DateTime<Utc>,
        prices: usize,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            imported_at: At(at),
            origin: Clean::whole(&origin.to_string(), 2_048, "origin")?,
            sha256: Clean::whole(sha256, 64, "sha256")?,
            prices: count(prices as u64, "prices")?,
        })
    }
}

impl Store {
    /// The lists that were taken in, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn price_imports(
        &self,
        before: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<PriceImport>, StoreError> {
        let before = before.map_or(i64::MAX, |cursor| cursor.0);
        let rows: Vec<Row> = db!(self.engine(), read, conn => {
            price_imports::table
                .filter(price_imports::id.lt(before))
                .order(price_imports::id.desc())
                .limit(Page::<PriceImport>::fetch(limit))
                .select(Row::as_select())
                .load(conn)
                .await?
        })?;
        Page::new(rows, limit, |row| Cursor(row.id)).try_map(|row| {
            Ok(PriceImport {
                id: row.id,
                imported_at: row.imported_at.0,
                origin: row.origin.into_string(),
                sha256: row.sha256.into_string(),
                prices: row.prices,
            })
        })
    }
}
