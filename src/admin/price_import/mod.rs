//! Price lists in the form LiteLLM keeps, which others have adopted, from an upload or from the one
//! address the configuration names.
//!
//! A list is read ([`litellm`]), compared with what is in force ([`report`]), and taken in as a whole or
//! not at all. With `?dry_run=true` the answer is the same and nothing is stored. Prices that would move far
//! need `?accept_large_changes=true` (C-23). What an operator typed goes on counting. Of each list that was
//! taken in, the digest is kept.

mod litellm;
mod report;

use crate::admin::schema::view;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

pub(in crate::admin) use self::report::Report;
use super::{
    Admin, Answer, Topic,
    author::Signed,
    body, change,
    error::{Code, Problem},
    query::{Listed, Query},
};
use crate::store::{Author, ImportOrigin, PriceImport};

/// The largest list.
pub(super) const MAX_BYTES: usize = 16 << 20;

/// How an import is meant.
struct Manner {
    dry_run: bool,
    accept_large_changes: bool,
}

impl Manner {
    fn take(mut query: Query) -> Result<Self, Problem> {
        let mut flag = |name| query.take(name, "true or false").unwrap_or(false);
        let (dry_run, accept_large_changes) = (flag("dry_run"), flag("accept_large_changes"));
        query.finish()?;
        Ok(Self { dry_run, accept_large_changes })
    }
}

/// `POST /api/v1/prices/import`: the list is the body.
pub(super) async fn upload(
    admin: web::Data<Admin>,
    Signed(by): Signed,
    request: HttpRequest,
    query: Query,
    payload: web::Payload,
) -> Answer {
    let manner = Manner::take(query)?;
    let bytes = body::receive(&request, payload.into_inner(), MAX_BYTES).await?;
    import(admin, by, manner, ImportOrigin::Upload, bytes.freeze()).await
}

/// `POST /api/v1/prices/import/source`: the list is at the address that the configuration names.
pub(super) async fn fetch(admin: web::Data<Admin>, Signed(by): Signed, query: Query) -> Answer {
    let manner = Manner::take(query)?;
    let Some(source) = &admin.price_source else {
        let detail = "no address is configured; prices.source_url names one";
        return Err(Problem::new(Code::NotFound, detail));
    };
    let bytes = source.fetch(MAX_BYTES).await;
    let bytes = bytes.map_err(|fault| Problem::new(Code::PriceSourceFailed, fault.to_string()))?;
    let origin = ImportOrigin::Url(source.url().to_owned());
    import(admin, by, manner, origin, bytes).await
}

async fn import(
    admin: web::Data<Admin>,
    by: Author,
    manner: Manner,
    origin: ImportOrigin,
    bytes: web::Bytes,
) -> Answer {
    let Manner { dry_run, accept_large_changes } = manner;
    // A list has megabytes, and other requests run on this thread.
    let read = web::block(move || Ok::<_, Problem>((litellm::read(&bytes)?, digest(&bytes))));
    let (file, sha256) = read.await.map_err(Problem::internal)??;
    let store = admin.store.signed(by);
    let report = if dry_run {
        report::compare(&store, file, sha256).await?
    } else {
        change(admin, Topic::Prices, async move {
            let report = report::compare(&store, file, sha256).await?;
            if !accept_large_changes {
                report.check_changes()?;
            }
            store.import_prices(&origin, &report.sha256, Utc::now(), report.news()).await?;
            Ok(Report { dry_run: false, ..report })
        })
        .await?
    };
    Ok(HttpResponse::Ok().json(report))
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

view! {
    /// A list that was taken in, as shown.
    #[derive(Debug, Serialize)]
    pub(super) struct View {
        id: i64,
        imported_at: DateTime<Utc>,
        origin: String,
        sha256: String,
        prices: i64,
    }
}

impl From<PriceImport> for View {
    fn from(import: PriceImport) -> Self {
        let PriceImport { id, imported_at, origin, sha256, prices } = import;
        Self { id, imported_at, origin, sha256, prices }
    }
}

/// `GET /api/v1/prices/imports`: the lists that were taken in, newest first.
pub(super) async fn list(admin: web::Data<Admin>, mut query: Query) -> Answer {
    let (before, limit) = query.take_page();
    query.finish()?;
    let page = admin.store.price_imports(before, limit).await?;
    Listed::answer(page.items.into_iter().map(View::from).collect(), page.next.map(|cursor| cursor.0))
}
