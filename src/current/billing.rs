//! How requests are charged: which model's price counts, what happens where there is none, and what a
//! charge is made of.

use actors::{
    money::Money,
    pricing::{Consumed, Price},
};
use serde::{Deserialize, Serialize};

use crate::journal::record::Document;

/// Which name of the model a price is looked up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BilledModel {
    /// The one that was sent upstream; where that has no price, the one that was asked for.
    #[default]
    Sent,
    /// The one that was asked for; where that has no price, the one that was sent.
    Asked,
}

/// What happens to a request for which no price is known (I-07).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenUnpriced {
    /// It is served, recorded as unpriced, counted and warned of.
    #[default]
    Serve,
    /// It is refused.
    Refuse,
}

/// What operators set about all charges.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Billing {
    /// Which name of the model counts.
    pub model: BilledModel,
    /// What happens where no price is known.
    pub unpriced: WhenUnpriced,
    /// What is reserved for a request that is served without a price.
    pub unpriced_reservation_usd: Money,
}

impl Default for Billing {
    fn default() -> Self {
        Self {
            model: BilledModel::default(),
            unpriced: WhenUnpriced::default(),
            unpriced_reservation_usd: Money::one(),
        }
    }
}

/// Under which key it is stored.
pub const BILLING: &str = "billing";

/// How well a charge is founded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Footing {
    /// There was a price.
    Priced,
    /// There was a price, and it says that everything is free.
    Free,
    /// Nobody knows what it cost.
    Unpriced,
}

/// What a request is charged.
#[derive(Debug, Clone)]
pub struct Charge {
    /// The exact cost; none where there was no price, which is another thing than 0.
    pub cost: Option<Money>,
    /// What that rests on.
    pub footing: Footing,
    /// The price and the formula, as they are kept with the row.
    pub formula: Option<Document>,
}

impl Charge {
    /// Nobody knows.
    #[must_use]
    pub const fn unpriced() -> Self {
        Self { cost: None, footing: Footing::Unpriced, formula: None }
    }

    /// What `consumed` costs at that price and factor, with the formula that says so.
    pub(super) fn at(
        price: &Price,
        consumed: &Consumed,
        multiplier: &Money,
        formula: Option<Document>,
    ) -> Self {
        let footing = if price.is_free() { Footing::Free } else { Footing::Priced };
        Self { cost: Some(price.cost(consumed, multiplier)), footing, formula }
    }
}
