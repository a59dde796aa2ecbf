//! The key that all digests are made with: one row, sealed (C-10).

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{
    Store,
    db::db,
    error::StoreError,
    schema::{api_keys, digest_key},
    types::At,
};
use crate::secrets::{digest_key::DigestKey, keyring::Keyring, sealing::SealError};

/// The number of the only row.
pub(super) const ONLY: i64 = 1;

impl Store {
    /// The digest key, settled at the first call. In a new database it is made; in one from before there was a
    /// digest key, all digests were made with the sealing key, so it is that one.
    ///
    /// # Errors
    /// [`StoreError::OtherSealingKey`] when it does not open with any of our keys, [`StoreError::Corrupt`] when it
    /// cannot be settled, since there are several that the digests may have been made with.
    pub async fn digest_key(&self, keys: &Keyring) -> Result<DigestKey, StoreError> {
        if self.sealed_digest_key().await?.is_none() {
            self.settle_digest_key(keys).await?;
        }
        self.settled_digest_key().await?.ok_or_else(|| StoreError::Corrupt("digest key: gone".to_owned()))
    }

    /// The digest key, if it is settled.
    ///
    /// # Errors
    /// [`StoreError::OtherSealingKey`] when it does not open with any of our keys.
    pub async fn settled_digest_key(&self) -> Result<Option<DigestKey>, StoreError> {
        let sealed = self.sealed_digest_key().await?;
        let opened = sealed.map(|sealed| DigestKey::open(self.sealer(), &sealed)).transpose();
        opened.map_err(|error| match error {
            SealError::OtherKey => StoreError::OtherSealingKey,
            damaged => StoreError::Corrupt(format!("digest key: {damaged}")),
        })
    }

    /// The digest key as it is kept; none before it is settled.
    pub(super) async fn sealed_digest_key(&self) -> Result<Option<Vec<u8>>, StoreError> {
        db!(self.engine(), read, conn => {
            digest_key::table.find(ONLY).select(digest_key::sealed).first(conn).await.optional()?
        })
    }

    /// Keeps a digest key, unless another server was faster.
    async fn settle_digest_key(&self, keys: &Keyring) -> Result<(), StoreError> {
        let key = if !self.has_digests().await? {
            DigestKey::generate()
        } else if keys.also.is_empty() {
            // Not before what it has sealed opens: a wrong one would be kept for ever.
            self.providers().await?;
            DigestKey::of_old(&keys.current)
        } else {
            let several = "digest key: api keys were made by an earlier version; start once with the sealing key \
                           that was in use alone, without sealing_key_also";
            return Err(StoreError::Corrupt(several.to_owned()));
        };
        let new = (
            digest_key::id.eq(ONLY),
            digest_key::sealed.eq(key.sealed(self.sealer())),
            digest_key::made_at.eq(At::now()),
        );
        db!(self.engine(), write, conn => {
            let row = diesel::insert_into(digest_key::table).values(new).on_conflict_do_nothing();
            row.execute(conn).await?;
        })
    }

    /// Whether anything is known by a digest.
    async fn has_digests(&self) -> Result<bool, StoreError> {
        let keys: bool = db!(self.engine(), read, conn => {
            diesel::select(diesel::dsl::exists(api_keys::table.select(api_keys::id))).get_result(conn).await?
        })?;
        Ok(keys || self.admin_token_digest().await?.is_some())
    }

    /// Puts another blob of the digest key in the place of `old`; false where it was not there any more.
    pub(super) async fn replace_digest_key(&self, old: Vec<u8>, new: Vec<u8>) -> Result<bool, StoreError> {
        let replaced: usize = db!(self.engine(), write, conn => {
            let row = digest_key::table.find(ONLY).filter(digest_key::sealed.eq(old));
            diesel::update(row).set(digest_key::sealed.eq(new)).execute(conn).await?
        })?;
        Ok(replaced == 1)
    }
}
