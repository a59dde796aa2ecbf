//! What users, keys and providers are called now.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::Facet;
use crate::store::{
    Store,
    db::db,
    error::StoreError,
    schema::{api_keys, providers, users},
};

impl Store {
    /// The names of those that are there; the others are called what they are.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn names(&self, of: Facet, ids: Vec<i64>) -> Result<HashMap<i64, String>, StoreError> {
        macro_rules! named {
            ($table:ident) => {
                db!(self.engine(), read, conn => {
                    $table::table
                        .filter($table::id.eq_any(ids))
                        .select(($table::id, $table::name))
                        .load::<(i64, String)>(conn)
                        .await?
                })?
            };
        }
        let named = match of {
            Facet::User => named!(users),
            Facet::Key => named!(api_keys),
            Facet::Provider => named!(providers),
            Facet::Model | Facet::Client | Facet::WireFormat | Facet::Operation => Vec::new(),
        };
        Ok(named.into_iter().collect())
    }
}
