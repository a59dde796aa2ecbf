//! The books as a whole: what is reserved, and whether they agree.

use std::collections::BTreeMap;

use actix_web::web::Data;
use actors::{
    ids::RequestId,
    ledger::{limits::AccountId, view::Share},
    money::Pico,
};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    Admin, Answer,
    error::{FlawCode, Problem},
    query::{Listed, Query},
    schema::view,
};
use crate::store::Drift;

view! {
    /// A balance that is not the sum of what it is made from.
    #[derive(Debug, Serialize)]
    pub(super) struct DriftView {
        account: String,
        /// Minutes since 1970 in UTC; none for the sum of all.
        minute: Option<i64>,
        /// What rows and corrections come to.
        entries_usd: Pico,
        /// What the balance says.
        balance_usd: Pico,
        /// Rows there are.
        entries_requests: i64,
        /// Rows the balance counts.
        balance_requests: i64,
    }
}

impl From<Drift> for DriftView {
    fn from(drift: Drift) -> Self {
        Self {
            account: drift.account,
            minute: (drift.minute != 0).then_some(drift.minute),
            entries_usd: drift.cost,
            balance_usd: drift.balance,
            entries_requests: drift.requests,
            balance_requests: drift.counted,
        }
    }
}

view! {
    /// What one request has reserved.
    #[derive(Debug, Serialize)]
    pub(super) struct ReservationView {
        request_id: RequestId,
        /// When it was admitted.
        since: DateTime<Utc>,
        /// How much, of each account.
        reserved: Vec<ShareView>,
    }
}

view! {
    #[derive(Debug, Serialize)]
    pub(super) struct ShareView {
        account: AccountId,
        amount_usd: Pico,
    }
}

/// `GET /api/v1/ledger/reservations`: those that are open, oldest first.
pub(super) async fn reservations(admin: Data<Admin>, mut query: Query) -> Answer {
    if query.take_text("state").is_some_and(|state| state != "open") {
        return Err(Problem::field("state", FlawCode::NotOneOf, "must be open"));
    }
    query.finish()?;
    // A request stands in two books: that of its user and that of its provider.
    let mut requests: BTreeMap<RequestId, ReservationView> = BTreeMap::new();
    for open in admin.gateway.reservations().await? {
        let new = || ReservationView { request_id: open.request, since: open.since, reserved: Vec::new() };
        let shown = requests.entry(open.request).or_insert_with(new);
        shown.since = shown.since.min(open.since);
        let share = |share: Share| ShareView { account: share.account, amount_usd: share.amount };
        shown.reserved.extend(open.reserved.into_iter().map(share));
    }
    let mut requests: Vec<_> = requests.into_values().collect();
    requests.sort_by_key(|request| request.since);
    Listed::whole(requests)
}

/// `GET /api/v1/ledger/drift`: empty when the books are sound. Reads the whole log.
pub(super) async fn drift(admin: Data<Admin>, query: Query) -> Answer {
    query.finish()?;
    admin.settle_log().await;
    Listed::whole(admin.store.drift().await?.into_iter().map(DriftView::from).collect())
}
