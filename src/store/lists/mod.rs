//! Lists of users, keys and providers: one shape for which rows, in which order, and from where.
//!
//! Each page ends with the place of its last row under the order of the list, and the next one starts behind it:
//! rows that come and go in between neither repeat nor hide others. A row whose rank changes in between is met
//! where it stands by then.

mod dialect;
mod keys;
mod order;
mod providers;
mod users;

use chrono::TimeDelta;

pub(super) use self::order::{Rank, Ranked};
pub use self::{
    keys::KeyFilter,
    order::{By, Order, Place, Start},
    providers::ProviderFilter,
    users::UserFilter,
};

/// An end that is nearer than this is told beforehand.
const SOON: TimeDelta = TimeDelta::days(7);

/// Which rows, in which order, and how many from where.
#[derive(Debug, Clone, Default)]
pub struct ListAsk<F> {
    /// Which.
    pub filter: F,
    /// Where the page starts, in which order.
    pub start: Start,
    /// How many at most.
    pub limit: usize,
}

/// How a user or a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Turned on, and its end has not come.
    Active,
    /// Active, and its end comes within a week.
    Expiring,
    /// Its end has come.
    Expired,
    /// Turned off.
    Disabled,
}

impl Status {
    /// Every one of them.
    pub const ALL: [Self; 4] = [Self::Active, Self::Expiring, Self::Expired, Self::Disabled];

    /// The name used in the admin API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expiring => "expiring",
            Self::Expired => "expired",
            Self::Disabled => "disabled",
        }
    }
}

/// A boxed query, narrowed to rows of a table that are on or off and have a status.
macro_rules! of_status {
    ($query:expr, $table:ident, $enabled:expr, $status:expr) => {{
        let (mut query, now) = ($query, $crate::store::types::At::now());
        if let Some(enabled) = $enabled {
            query = query.filter($table::enabled.eq(enabled));
        }
        let ahead = $table::expires_at.gt(now);
        match $status {
            None => query,
            Some(Status::Disabled) => query.filter($table::enabled.eq(false)),
            Some(Status::Expired) => query.filter($table::expires_at.le(now)),
            Some(Status::Active) => {
                query.filter($table::enabled.eq(true)).filter($table::expires_at.is_null().or(ahead))
            }
            Some(Status::Expiring) => {
                let soon = $table::expires_at.le($crate::store::types::At(now.0 + SOON));
                query.filter($table::enabled.eq(true)).filter(ahead).filter(soon)
            }
        }
    }};
}
use of_status;

/// A boxed query, narrowed to rows whose list of that name holds an entry.
macro_rules! holding {
    ($query:expr, $dialect:expr, $list:literal, $entry:expr) => {{
        let query = $query;
        match $entry {
            None => query,
            Some(entry) => {
                let holds = sql::<Bool>(&$dialect.holds($list));
                query.filter(holds.bind::<Text, _>(Clean::cut(&entry, 200)).sql(")"))
            }
        }
    }};
}
use holding;

/// A boxed query, narrowed to rows that mention a text, capitals or not.
macro_rules! mentioning {
    ($query:expr, $dialect:expr, $texts:expr, $lists:expr, $words:expr) => {{
        let query = $query;
        match $words {
            None => query,
            Some(words) => {
                let mentions = sql::<Bool>(&$dialect.mentions($texts, $lists));
                query.filter(mentions.bind::<Text, _>(Clean::whole(&words, 400, "q")?).sql(")) > 0)"))
            }
        }
    }};
}
use mentioning;

/// A boxed query, narrowed to what lies beyond a rank and a number.
macro_rules! beyond {
    ($query:expr, $behind:expr, $type:ty, $rank:expr, $second:expr, $third:expr, $id:expr) => {{
        let (rank, again) = $rank;
        let behind = $behind.bind::<$type, _>(rank).sql($second).bind::<$type, _>(again);
        $query.filter(behind.sql($third).bind::<BigInt, _>($id).sql("))"))
    }};
}
use beyond;

/// The rows of a page of a boxed query that was narrowed, and one more if there is one.
macro_rules! load_page {
    ($conn:ident, $query:expr, $dialect:expr, $start:expr, $limit:expr) => {{
        let (mut query, dialect, start, limit) = ($query, $dialect, $start, $limit);
        let order = start.order();
        if let Start::Behind(Place { rank, id, .. }) = start {
            let [first, second, third] = dialect.behind(order);
            let behind = sql::<Bool>(&first);
            query = match rank {
                Rank::None => query.filter(behind.bind::<BigInt, _>(id)),
                Rank::Text(rank) => {
                    $crate::store::lists::beyond!(
                        query,
                        behind,
                        Text,
                        (rank.clone(), rank),
                        &second,
                        &third,
                        id
                    )
                }
                Rank::Number(rank) => {
                    $crate::store::lists::beyond!(query, behind, BigInt, (rank, rank), &second, &third, id)
                }
                Rank::At(rank) => {
                    $crate::store::lists::beyond!(query, behind, Ts, (rank, rank), &second, &third, id)
                }
            };
        }
        query.order(sql::<Bool>(&dialect.ordered(order))).limit(Page::<()>::fetch(limit)).load($conn).await?
    }};
}
use load_page;
