//! What the two databases call the same things. Only words of ours go into statements; values are bound.

use super::{By, Order};
use crate::{config::store::StoreUrl, store::Store};

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

impl Store {
    /// What its database speaks.
    pub(super) fn dialect(&self) -> Dialect {
        match self.url() {
            StoreUrl::Sqlite(_) => Dialect::Sqlite,
            StoreUrl::Postgres(_) => Dialect::Postgres,
        }
    }
}

impl Dialect {
    /// That a list holds an entry; it wants the entry and `)`.
    pub(super) fn holds(self, list: &str) -> String {
        format!("EXISTS (SELECT 1 FROM {} WHERE value = ", self.entries(list))
    }

    /// That one of these texts, or an entry of one of these lists, has a text in it whatever the capitals; it
    /// wants the text and `)) > 0)`.
    pub(super) fn mentions(self, texts: &[&str], lists: &[&str]) -> String {
        let texts = texts.iter().map(|text| format!("SELECT {text} AS held"));
        let lists = lists.iter().map(|list| format!("SELECT value AS held FROM {}", self.entries(list)));
        let held = texts.chain(lists).collect::<Vec<_>>().join(" UNION ALL ");
        let (position, folded) = match self {
            Self::Sqlite => ("instr", "folded"),
            Self::Postgres => ("strpos", "lower"),
        };
        format!("EXISTS (SELECT 1 FROM ({held}) AS words WHERE {position}({folded}(held), {folded}(")
    }

    /// The entries of a list, as a table with the column `value`.
    fn entries(self, list: &str) -> String {
        match self {
            Self::Sqlite => format!("json_each({list})"),
            Self::Postgres => format!("jsonb_array_elements_text({list}) AS entry (value)"),
        }
    }

    /// What `ORDER BY` takes.
    pub(super) fn ordered(self, order: Order) -> String {
        let way = if order.descending { "DESC" } else { "ASC" };
        match order.by {
            By::Id => format!("id {way}"),
            by => format!("{} {way}, id {way}", self.rank(by)),
        }
    }

    /// That a row stands behind another: between the parts stand the other's rank, its rank again and its number. Where
    /// the number is the rank, it stands behind the first part alone.
    pub(super) fn behind(self, order: Order) -> [String; 3] {
        let (than, rank) = (if order.descending { "<" } else { ">" }, self.rank(order.by));
        let (open, close) = match (order.by, self) {
            (By::Id, _) => return [format!("id {than} "), String::new(), String::new()],
            (By::Name, Self::Sqlite) => ("lower(", ")"),
            (By::Name, Self::Postgres) => ("lower(", ") COLLATE \"C\""),
            _ => ("", ""),
        };
        // The first half follows from the second. SQLite finds its place in an index of an expression by the first,
        // and would walk there from the top by the second.
        [
            format!("({rank} {than}= {open}"),
            format!("{close} AND ({rank}, id) {than} ({open}"),
            format!("{close}, "),
        ]
    }

    /// What an order goes by, to the letter as indices have it.
    fn rank(self, by: By) -> &'static str {
        match (by, self) {
            (By::Id, _) => "id",
            (By::Name, Self::Sqlite) => "lower(name)",
            // Without the rules of a language: the same order everywhere, and one that an index can have.
            (By::Name, Self::Postgres) => "lower(name) COLLATE \"C\"",
            (By::CreatedAt, _) => "created_at",
            // What never ends comes last; see `Rank::end`.
            (By::ExpiresAt, Self::Sqlite) => "COALESCE(expires_at, 253402300799999999)",
            (By::ExpiresAt, Self::Postgres) => "COALESCE(expires_at, '9999-12-31 23:59:59.999999+00')",
            (By::Priority, _) => "priority",
            (By::Weight, _) => "weight",
        }
    }
}
