//! Settings: what operators change at run time, and what the server must remember about itself.

use diesel::prelude::*;
use diesel_async::{AsyncConnection as _, RunQueryDsl};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    Store,
    audit::tell,
    db::db,
    error::StoreError,
    schema::settings,
    types::{At, Json},
};
use crate::secrets::digest::Digest;

/// Under which key the digest of the admin token is kept.
const ADMIN_TOKEN_DIGEST: &str = "admin_token_digest";

impl Store {
    /// The setting of that key, if there is one.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the stored document has another shape.
    pub async fn setting<T: DeserializeOwned>(&self, key: &'static str) -> Result<Option<T>, StoreError> {
        let stored: Option<Json<Value>> = db!(self.engine(), read, conn => {
            settings::table.find(key).select(settings::value).first(conn).await.optional()?
        })?;
        stored
            .map(|Json(value)| serde_json::from_value(value))
            .transpose()
            .map_err(|error| StoreError::Corrupt(format!("setting `{key}`: {error}")))
    }

    /// Stores a setting in place of the one before.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn put_setting<T: Serialize + Sync>(
        &self,
        key: &'static str,
        value: &T,
    ) -> Result<(), StoreError> {
        let value =
            serde_json::to_value(value).map_err(|error| StoreError::invalid(key, error.to_string()))?;
        let values = (settings::value.eq(Json(value)), settings::updated_at.eq(At::now()));
        let author = self.author();
        db!(self.engine(), write, conn => {
            conn.transaction(async move |conn| {
                let before: Option<Json<Value>> =
                    settings::table.find(key).select(settings::value).first(conn).await.optional()?;
                let after: Json<Value> = diesel::insert_into(settings::table)
                    .values((settings::key.eq(key), values.clone()))
                    .on_conflict(settings::key)
                    .do_update()
                    .set(values)
                    .returning(settings::value)
                    .get_result(conn)
                    .await?;
                tell!(conn, author, "setting.update", format!("setting/{key}"), before.as_ref(), Some(&after));
                Ok::<_, StoreError>(())
            })
            .await?;
        })
    }

    /// The digest of the admin token, if one was stored.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when what is stored is no digest.
    pub async fn admin_token_digest(&self) -> Result<Option<Digest>, StoreError> {
        let Some(hex) = self.setting::<String>(ADMIN_TOKEN_DIGEST).await? else { return Ok(None) };
        let digest = Digest::from_hex(&hex);
        digest.map(Some).ok_or_else(|| StoreError::Corrupt(format!("setting `{ADMIN_TOKEN_DIGEST}`")))
    }

    /// Stores the digest of the admin token.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn put_admin_token_digest(&self, digest: &Digest) -> Result<(), StoreError> {
        self.put_setting(ADMIN_TOKEN_DIGEST, &digest.to_hex()).await
    }
}
