//! When the sealing key is lost: what was sealed with it is forgotten, and everything else goes on (C-10).

use actors::provider::card::Credential;
use diesel::prelude::*;
use diesel_async::{AsyncConnection as _, RunQueryDsl};
use serde_json::json;

use super::{
    Store,
    audit::{NOTHING, tell},
    batches::Was,
    db::db,
    digest_key::ONLY,
    error::StoreError,
    providers,
    schema::{
        batches, console_sessions, digest_key, idempotent_requests, providers as provider_rows, settings,
        trash,
    },
    settings::ADMIN_TOKEN_DIGEST,
    text::Clean,
    trash::{DeletedProvider, KeptProvider, TrashKind},
    types::{At, Json},
};
use crate::secrets::digest_key::DigestKey;

/// What a provider has in place of a credential that is lost. No upstream takes it.
const LOST: &str = "lost";

/// Deletes the documents of providers that do not open.
macro_rules! forget_unless {
    ($conn:ident, $table:ident, $document:ty, |$kept:ident| $opens:expr) => {
        let documents = $table::table.filter($table::kind.eq(TrashKind::Provider.name()));
        let documents: Vec<(i64, Json<$document>)> =
            documents.select(($table::id, $table::document)).load($conn).await?;
        for (id, Json($kept)) in documents {
            if !$opens {
                diesel::delete($table::table.find(id)).execute($conn).await?;
            }
        }
    };
}

/// What could not be opened any more, and was forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forgotten {
    /// Whether the digest key was among it: then no api key, session and admin token counts any more.
    pub digest_key: bool,
    /// Providers without a credential, by name. They are disabled.
    pub providers: Vec<String>,
}

impl Store {
    /// Whether everything that a server needs to start opens with our keys.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn opens(&self) -> Result<bool, StoreError> {
        let sealed: Vec<(i64, Vec<u8>)> = db!(self.engine(), read, conn => {
            provider_rows::table.select((provider_rows::id, provider_rows::credential)).load(conn).await?
        })?;
        let credentials = sealed.iter().all(|(id, sealed)| providers::opens(self.sealer(), sealed, *id));
        Ok(credentials && self.opened_digest_key().await?.is_none_or(|opened| opened))
    }

    /// Whether the digest key opens; none where it is not settled.
    async fn opened_digest_key(&self) -> Result<Option<bool>, StoreError> {
        match self.settled_digest_key().await {
            Ok(key) => Ok(key.map(|_| true)),
            Err(StoreError::OtherSealingKey | StoreError::Corrupt(_)) => Ok(Some(false)),
            Err(error) => Err(error),
        }
    }

    /// Forgets what does not open, and what of providers could be restored or undone with it. Users, passwords,
    /// requests and balances stay.
    ///
    /// # Errors
    /// When the database does not answer; then nothing is forgotten.
    pub async fn begin_anew(&self) -> Result<Forgotten, StoreError> {
        let (sealer, author, now) = (self.sealer().clone(), self.author(), At::now());
        // Where it is not settled, digests were made with the sealing key that is lost.
        let digests_lost = self.opened_digest_key().await? != Some(true);
        let key = DigestKey::generate().sealed(&sealer);
        db!(self.engine(), write, conn => {
            conn.transaction(async move |conn| {
                if digests_lost {
                    diesel::delete(digest_key::table).execute(conn).await?;
                    let new = (digest_key::id.eq(ONLY), digest_key::sealed.eq(key), digest_key::made_at.eq(now));
                    diesel::insert_into(digest_key::table).values(new).execute(conn).await?;
                    diesel::delete(settings::table.find(ADMIN_TOKEN_DIGEST)).execute(conn).await?;
                    diesel::delete(console_sessions::table).execute(conn).await?;
                }
                let columns = (provider_rows::id, provider_rows::name, provider_rows::credential);
                let all: Vec<(i64, Clean, Vec<u8>)> = provider_rows::table.select(columns).load(conn).await?;
                let mut lost = Vec::new();
                for (id, name, credential) in all {
                    if providers::opens(&sealer, &credential, id) {
                        continue;
                    }
                    let credential = providers::seal(&sealer, &Credential::new(LOST.to_owned()), id);
                    let changes = (
                        provider_rows::credential.eq(credential),
                        provider_rows::enabled.eq(false),
                        provider_rows::version.eq(provider_rows::version + 1),
                        provider_rows::updated_at.eq(now),
                    );
                    diesel::update(provider_rows::table.find(id)).set(changes).execute(conn).await?;
                    lost.push(name.into_string());
                }
                forget_unless!(conn, trash, DeletedProvider, |kept| kept.provider.opens(&sealer));
                forget_unless!(conn, batches, Vec<Was<KeptProvider>>, |kept| {
                    kept.iter().all(|was| was.row.opens(&sealer))
                });
                diesel::delete(idempotent_requests::table).execute(conn).await?;
                let told = json!({ "digest_key": digests_lost, "providers": lost });
                tell!(conn, author, "sealing_key.reset", "sealing_key".to_owned(), NOTHING, Some(&told));
                Ok::<_, StoreError>(Forgotten { digest_key: digests_lost, providers: lost })
            })
            .await?
        })
    }
}
