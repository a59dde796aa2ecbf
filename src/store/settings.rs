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

/// The version of what nobody has set.
const UNSET: i64 = 0;

/// Under which key the digest of the admin token is kept.
pub(super) const ADMIN_TOKEN_DIGEST: &str = "admin_token_digest";

impl Store {
    /// The setting of that key, if there is one.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the stored document has another shape.
    pub async fn setting<T: DeserializeOwned>(&self, key: &'static str) -> Result<Option<T>, StoreError> {
        Ok(self.setting_with_version(key).await?.1)
    }

    /// The same, with its version; zero where there is none.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the stored document has another shape.
    pub async fn setting_with_version<T: DeserializeOwned>(
        &self,
        key: &'static str,
    ) -> Result<(i64, Option<T>), StoreError> {
        let stored: Option<(i64, Json<Value>)> = db!(self.engine(), read, conn => {
            let columns = (settings::version, settings::value);
            settings::table.find(key).select(columns).first(conn).await.optional()?
        })?;
        let Some((version, Json(value))) = stored else { return Ok((UNSET, None)) };
        let read = serde_json::from_value(value);
        let value = read.map_err(|error| StoreError::Corrupt(format!("setting `{key}`: {error}")))?;
        Ok((version, Some(value)))
    }

    /// Stores a setting in place of the one before, and gives the version it has from now on.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when the one before was of another version than expected.
    pub async fn put_setting<T: Serialize + Sync>(
        &self,
        key: &'static str,
        value: &T,
    ) -> Result<i64, StoreError> {
        let value =
            serde_json::to_value(value).map_err(|error| StoreError::invalid(key, error.to_string()))?;
        let values = (settings::value.eq(Json(value)), settings::updated_at.eq(At::now()));
        let (author, expected) = (self.author(), self.expected());
        db!(self.engine(), write, conn => {
            conn.transaction(async move |conn| {
                let columns = (settings::version, settings::value);
                let before: Option<(i64, Json<Value>)> =
                    settings::table.find(key).select(columns).first(conn).await.optional()?;
                let (old, before) = before.map_or((UNSET, None), |(version, value)| (version, Some(value)));
                expected.check(old)?;
                let (new, after): (i64, Json<Value>) = diesel::insert_into(settings::table)
                    .values((settings::key.eq(key), settings::version.eq(old + 1), values.clone()))
                    .on_conflict(settings::key)
                    .do_update()
                    .set((settings::version.eq(settings::version + 1), values))
                    .returning(columns)
                    .get_result(conn)
                    .await?;
                // Somebody may have come in between.
                expected.check(new - 1)?;
                tell!(conn, author, "setting.update", format!("setting/{key}"), before.as_ref(), Some(&after));
                Ok::<_, StoreError>(new)
            })
            .await?
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
        self.put_setting(ADMIN_TOKEN_DIGEST, &digest.to_hex()).await?;
        Ok(())
    }
}
