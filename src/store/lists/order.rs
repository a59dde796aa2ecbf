//! In which order a list is told, and the place behind a row under that order.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::DateTime;

use crate::store::{error::StoreError, text::Clean, types::At};

/// 9999-12-31T23:59:59.999999Z, where the end of what never ends is taken to be.
const NEVER: i64 = 253_402_300_799_999_999;

/// What a list is ordered by. Rows of the same rank stand in the order of their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum By {
    /// The number alone: as they were made.
    #[default]
    Id,
    /// The name, whatever the capitals.
    Name,
    /// When it was made.
    CreatedAt,
    /// When it ends; what never does comes last.
    ExpiresAt,
    /// The priority.
    Priority,
    /// The weight.
    Weight,
}

impl By {
    /// What lists of users and of keys can be ordered by.
    pub const OF_USERS: &'static [Self] = &[Self::Name, Self::CreatedAt, Self::ExpiresAt];
    /// What lists of providers can be ordered by.
    pub const OF_PROVIDERS: &'static [Self] = &[Self::Name, Self::Priority, Self::Weight, Self::CreatedAt];
}

/// In which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Order {
    /// By what.
    pub by: By,
    /// Whether from the last to the first.
    pub descending: bool,
}

impl Order {
    /// Both ways of each of these.
    pub fn all_of(by: &[By]) -> Vec<Self> {
        by.iter().flat_map(|&by| [false, true].map(|descending| Self { by, descending })).collect()
    }

    /// The name used in the admin API: with a `-` where it is from the last to the first.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match (self.by, self.descending) {
            (By::Id, false) => "id",
            (By::Id, true) => "-id",
            (By::Name, false) => "name",
            (By::Name, true) => "-name",
            (By::CreatedAt, false) => "created_at",
            (By::CreatedAt, true) => "-created_at",
            (By::ExpiresAt, false) => "expires_at",
            (By::ExpiresAt, true) => "-expires_at",
            (By::Priority, false) => "priority",
            (By::Priority, true) => "-priority",
            (By::Weight, false) => "weight",
            (By::Weight, true) => "-weight",
        }
    }
}

/// Where a page starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// At the top.
    Top(Order),
    /// Behind a row of an earlier page.
    Behind(Place),
}

impl Start {
    /// In which order it goes on.
    #[must_use]
    pub const fn order(&self) -> Order {
        match self {
            Self::Top(order) => *order,
            Self::Behind(place) => place.order,
        }
    }
}

impl Default for Start {
    fn default() -> Self {
        Self::Top(Order::default())
    }
}

/// The place behind a row, in a list of that order and of no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub(super) order: Order,
    pub(super) rank: Rank,
    pub(super) id: i64,
}

/// The rank of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) enum Rank {
    /// None but its number.
    None,
    /// A text.
    Text(Clean),
    /// A number.
    Number(i64),
    /// A time.
    At(At),
}

/// A row that can be ranked.
pub(in crate::store) trait Ranked {
    /// Its number.
    fn id(&self) -> i64;
    /// Its rank in a list that is ordered by this.
    fn rank(&self, by: By) -> Rank;
}

impl Rank {
    /// The rank by an end.
    pub(in crate::store) fn end(expires_at: Option<At>) -> Self {
        expires_at.or_else(|| time(NEVER)).map_or(Self::None, Self::At)
    }

    fn text(&self) -> String {
        match self {
            Self::None => String::new(),
            Self::Text(text) => text.as_str().to_owned(),
            Self::Number(number) => number.to_string(),
            Self::At(at) => at.0.timestamp_micros().to_string(),
        }
    }

    fn read(by: By, text: &str) -> Option<Self> {
        match by {
            By::Id => text.is_empty().then_some(Self::None),
            By::Name => Some(Self::Text(Clean::cut(text, 200))),
            By::CreatedAt | By::ExpiresAt => Some(Self::At(time(text.parse().ok()?)?)),
            By::Priority | By::Weight => Some(Self::Number(text.parse().ok()?)),
        }
    }
}

/// A time that both databases can hold.
fn time(micros: i64) -> Option<At> {
    const DAY: i64 = 86_400_000_000;
    let is_kept = (-NEVER..=NEVER + DAY).contains(&micros);
    DateTime::from_timestamp_micros(micros).filter(|_| is_kept).map(At)
}

impl Place {
    /// The place behind a row.
    pub(in crate::store) fn behind(order: Order, row: &impl Ranked) -> Self {
        Self { order, rank: row.rank(order.by), id: row.id() }
    }

    /// In which order the list is.
    #[must_use]
    pub const fn order(&self) -> Order {
        self.order
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.order == Order::default() {
            return write!(f, "{}", self.id);
        }
        let key = URL_SAFE_NO_PAD.encode(self.rank.text());
        write!(f, "{}.{}.{key}", self.order.name(), self.id)
    }
}

impl FromStr for Place {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let read = || {
            if let Ok(id) = text.parse() {
                return Some(Self { order: Order::default(), rank: Rank::None, id });
            }
            let mut parts = text.splitn(3, '.');
            let name = parts.next()?;
            let every = [By::Id, By::Name, By::CreatedAt, By::ExpiresAt, By::Priority, By::Weight];
            let order = Order::all_of(&every).into_iter().find(|order| order.name() == name)?;
            let id = parts.next()?.parse().ok()?;
            let key = URL_SAFE_NO_PAD.decode(parts.next()?).ok()?;
            Some(Self { order, rank: Rank::read(order.by, std::str::from_utf8(&key).ok()?)?, id })
        };
        read().ok_or_else(|| StoreError::invalid("cursor", "is not one of ours"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ordered(by: By, rank: Rank) -> Place {
        Place { order: Order { by, descending: true }, rank, id: 7 }
    }

    #[test]
    fn a_place_is_read_as_it_was_told() {
        let at = |micros| Rank::At(time(micros).unwrap());
        for place in [
            Place { order: Order::default(), rank: Rank::None, id: i64::MIN },
            ordered(By::Id, Rank::None),
            ordered(By::Name, Rank::Text(Clean::cut("Zoë. ", 200))),
            ordered(By::CreatedAt, at(0)),
            ordered(By::ExpiresAt, Rank::end(None)),
            ordered(By::ExpiresAt, at(-1)),
            ordered(By::Priority, Rank::Number(-10_000)),
            ordered(By::Weight, Rank::Number(i64::MAX)),
        ] {
            assert_eq!(place.to_string().parse(), Ok(place));
        }
        assert_eq!(Place { order: Order::default(), rank: Rank::None, id: 3 }.to_string(), "3");
        assert_eq!(ordered(By::Name, Rank::Text(Clean::cut("ann", 9))).to_string(), "-name.7.YW5u");
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in
            ["", "x", "name", "name.1", "name.x.YW5u", "name.1.%", "created_at.1.YW5u", "password.1.YW5u"]
        {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
        let too_late = format!("created_at.1.{}", URL_SAFE_NO_PAD.encode(i64::MAX.to_string()));
        assert!(too_late.parse::<Place>().is_err(), "PostgreSQL holds no such time");
    }

    proptest! {
        #[test]
        fn whatever_comes_as_a_cursor_is_read_or_refused(text in "\\PC{0,40}|-?[a-z_]{2,10}\\.[0-9]{1,20}\\.[A-Za-z0-9_-]{0,40}") {
            if let Ok(place) = text.parse::<Place>() {
                prop_assert_eq!(place.to_string().parse::<Place>(), Ok(place));
            }
        }
    }
}
