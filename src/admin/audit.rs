//! The audit log, shown.

use std::net::IpAddr;

use actix_web::web::Data;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use super::{
    Admin, Answer,
    query::{Listed, Query},
    schema::view,
};
use crate::store::{AuditFilter, Audited};

view! {
    /// A line of the audit log as shown.
    #[derive(Debug, Serialize)]
    pub(super) struct View {
        id: i64,
        at: DateTime<Utc>,
        who: String,
        /// Where that one was, as far as it is known.
        address: Option<IpAddr>,
        action: String,
        subject: String,
        before: Option<Value>,
        after: Option<Value>,
        /// The batch it was a part of.
        batch: Option<i64>,
    }
}

impl From<Audited> for View {
    fn from(Audited { id, at, who, address, action, subject, before, after, batch }: Audited) -> Self {
        Self { id, at, who, address, action, subject, before, after, batch }
    }
}

/// `GET /api/v1/audit`: newest first.
pub(super) async fn list(admin: Data<Admin>, mut query: Query) -> Answer {
    let (after, limit) = query.take_page();
    let filter = AuditFilter {
        who: query.take_text("who"),
        action: query.take_text("action"),
        subject: query.take_text("subject"),
        batch: query.take("batch", "a number"),
        from: query.take_moment("from"),
        to: query.take_moment("to"),
    };
    query.finish()?;
    let page = admin.store.audit_log(filter, after, limit).await?;
    Listed::answer(page.items.into_iter().map(View::from).collect(), page.next.map(|cursor| cursor.0))
}
