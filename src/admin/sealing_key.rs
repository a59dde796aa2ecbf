//! The sealing key: shown by the names of keys, and changed while the server runs (C-10).

use actix_web::{HttpResponse, web::Data};
use serde::Serialize;
use serde_json::json;

use super::{
    Admin, Answer,
    author::Signed,
    error::{Code, Problem},
    schema::view,
    undisturbed,
};
use crate::{
    resealing::{Standing, Unchanged},
    secrets::keyring::ChangeError,
    store::Deed,
};

view! {
    /// The keys by name, which tells nothing of them.
    #[derive(Debug, Serialize)]
    pub(super) struct View {
        /// The one that is sealed with.
        current: String,
        /// Those that are opened with as well.
        also: Vec<String>,
        /// How much is sealed with another one than the current one.
        sealed_with_another: Counts,
    }
}

view! {
    /// How many values of each sort.
    #[derive(Debug, Serialize)]
    pub(super) struct Counts {
        /// All of them.
        total: u64,
        /// The digest key, by which api keys are known.
        digest_key: u64,
        /// Credentials of providers.
        providers: u64,
        /// Deleted providers that can be restored.
        deleted_providers: u64,
        /// Batches that can be undone.
        batches: u64,
        /// Answers to requests with an idempotency key.
        idempotent_answers: u64,
    }
}

impl From<Standing> for View {
    fn from(Standing { current, also, report }: Standing) -> Self {
        let sealed_with_another = Counts {
            total: report.total().left,
            digest_key: report.digest_key.left,
            providers: report.providers.left,
            deleted_providers: report.deleted.left,
            batches: report.batches.left,
            idempotent_answers: report.answers.left,
        };
        Self { current, also, sealed_with_another }
    }
}

/// `GET /api/v1/sealing-key`.
pub(super) async fn show(admin: Data<Admin>) -> Answer {
    Ok(HttpResponse::Ok().json(View::from(admin.resealer.standing().await?)))
}

/// `POST /api/v1/sealing-key/change`: a new key from now on; what is sealed already follows in the background.
pub(super) async fn change(admin: Data<Admin>, Signed(by): Signed) -> Answer {
    let changing = admin.clone();
    let changed = undisturbed(admin, async move {
        let (before, after) = changing.resealer.change().await?;
        let deed = Deed {
            author: by,
            action: "sealing_key.change",
            subject: "sealing_key".to_owned(),
            before: Some(json!({ "current": before })),
            after: Some(json!({ "current": after })),
        };
        changing.store.remember(deed, &[]).await?;
        Ok(changing.resealer.standing().await?)
    });
    Ok(HttpResponse::Ok().json(View::from(changed.await?)))
}

impl From<Unchanged> for Problem {
    fn from(unchanged: Unchanged) -> Self {
        match unchanged {
            Unchanged::Given => Self::new(
                Code::SealingKeyGiven,
                "the key comes from sealing_key or sealing_key_file: change it there, with the one before in \
                 sealing_key_also",
            ),
            Unchanged::Files(ChangeError::OldIsThere { .. }) => Self::new(
                Code::OldSealingKeyThere,
                "the key before is still in the data directory: once nothing is sealed with it, move sealing.key.old \
                 elsewhere",
            ),
            Unchanged::Files(error) => Self::internal(error),
        }
    }
}
