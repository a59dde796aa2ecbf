//! The price list: what each model costs, by its name, now and from times to come on.
//!
//! Of several prices the one at the provider wins over that of the model, of those what an operator typed
//! over what was imported over what came with the program, and of those the latest that has begun.

use std::{collections::HashMap, sync::Arc};

use actors::{
    ids::ProviderId,
    ledger::claim::Estimate,
    money::Money,
    pricing::{
        Consumed, Price,
        bounds::{Bounds, Size},
    },
};
use chrono::{DateTime, Utc};
use serde_json::json;

use super::{
    billing::{BilledModel, Billing, Charge, WhenUnpriced},
    builtin,
};
use crate::{
    journal::record::Document,
    store::{PriceRow, PriceSource, ProviderPriceRow},
};

/// All prices, and how they are applied.
#[derive(Debug, Default)]
pub struct PriceList {
    by_model: HashMap<String, Prices>,
    by_provider: HashMap<ProviderId, HashMap<String, Prices>>,
    billing: Billing,
}

/// Prices of one model: those that win first, of one source the newest first.
type Prices = Vec<Arc<Listed>>;

/// One model's price.
#[derive(Debug)]
pub struct Listed {
    /// The model.
    pub model: String,
    /// What it costs.
    pub price: Price,
    /// From when on it counts.
    pub effective_from: DateTime<Utc>,
    /// Where the price comes from.
    pub origin: Origin,
    /// The row.
    id: i64,
    /// Whether it counted when the list was read. It goes on to, whatever the clock does.
    begun: bool,
    /// How a cost is computed where no multiplier changes it: nearly always, so it is written down once.
    unchanged: Option<Document>,
    /// What a request at this price can cost.
    bounds: Bounds,
}

/// Where a price in the list comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The price of the model everywhere.
    Model(PriceSource),
    /// Its price at that provider.
    Provider(ProviderId),
}

impl Origin {
    /// The name used in the admin API and in rows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Model(source) => source.name(),
            Self::Provider(_) => "provider",
        }
    }
}

/// What a price is looked up by.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// The provider it is or would be sent to.
    pub provider: Option<ProviderId>,
    /// The model that was asked for.
    pub asked: Option<&'a str>,
    /// The model that is or would be sent upstream.
    pub sent: Option<&'a str>,
}

/// What is known beforehand about the price of a request that may be served.
#[derive(Debug, Clone, Copy)]
pub enum Admission<'a> {
    /// This is its price.
    Priced(&'a Arc<Listed>),
    /// None is known; this much is reserved.
    Unpriced {
        /// The reservation.
        reserve: &'a Money,
    },
}

/// No price is known, and such requests are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no price is known for this model")]
pub struct NoPrice;

impl PriceList {
    /// The list of these prices, as of `now`, together with those that came with the program.
    #[must_use]
    pub fn new(
        models: impl IntoIterator<Item = PriceRow>,
        providers: impl IntoIterator<Item = ProviderPriceRow>,
        billing: Billing,
        now: DateTime<Utc>,
    ) -> Self {
        let mut list = Self { billing, ..Self::default() };
        for row in models.into_iter().chain(builtin::rows()) {
            let origin = Origin::Model(row.source);
            let listed = Listed::new(row.id, row.model, origin, row.effective_from, row.price, now);
            list.by_model.entry(listed.model.clone()).or_default().push(Arc::new(listed));
        }
        for row in providers {
            let origin = Origin::Provider(row.provider);
            let listed = Listed::new(row.id, row.model, origin, row.effective_from, row.price, now);
            let models = list.by_provider.entry(row.provider).or_default();
            models.entry(listed.model.clone()).or_default().push(Arc::new(listed));
        }
        let models = list.by_provider.values_mut().chain([&mut list.by_model]);
        for prices in models.flat_map(HashMap::values_mut) {
            prices.sort_by_key(|listed| (listed.rank(), std::cmp::Reverse(listed.effective_from)));
        }
        list
    }

    /// What `model` costs at `at`, wherever it is sent, if that is known.
    #[must_use]
    pub fn find(&self, model: &str, at: DateTime<Utc>) -> Option<&Arc<Listed>> {
        in_force(self.by_model.get(model)?, at)
    }

    /// The price that counts for a request, if one is known.
    #[must_use]
    pub fn quote(&self, of: &Asked<'_>, at: DateTime<Utc>) -> Option<&Arc<Listed>> {
        let names = match self.billing.model {
            BilledModel::Sent => [of.sent, of.asked],
            BilledModel::Asked => [of.asked, of.sent],
        };
        let at_provider = of.provider.and_then(|provider| self.by_provider.get(&provider));
        names.into_iter().flatten().find_map(|model| {
            let own = at_provider.and_then(|models| in_force(models.get(model)?, at));
            own.or_else(|| self.find(model, at))
        })
    }

    /// Whether a request may be served as far as prices go, and at which.
    ///
    /// # Errors
    /// [`NoPrice`] where none is known and the operator wants such requests refused (I-07).
    pub fn admit(&self, of: &Asked<'_>, at: DateTime<Utc>) -> Result<Admission<'_>, NoPrice> {
        match (self.quote(of, at), self.billing.unpriced) {
            (Some(listed), _) => Ok(Admission::Priced(listed)),
            (None, WhenUnpriced::Serve) => {
                Ok(Admission::Unpriced { reserve: &self.billing.unpriced_reservation_usd })
            }
            (None, WhenUnpriced::Refuse) => Err(NoPrice),
        }
    }

    /// Whether a provider has prices of its own, now or from some time on.
    #[must_use]
    pub fn has_own(&self, provider: ProviderId) -> bool {
        self.by_provider.contains_key(&provider)
    }

    /// How the prices are applied.
    #[must_use]
    pub fn billing(&self) -> &Billing {
        &self.billing
    }

    /// The models somebody gave a price; those that merely came with the program are not offers.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        let given = |prices: &Prices| {
            prices.iter().any(|listed| listed.begun && listed.origin != Origin::Model(PriceSource::Builtin))
        };
        self.by_model.iter().filter(move |(_, prices)| given(prices)).map(|(model, _)| model.as_str())
    }

    /// The price of each model at `at`, wherever it is sent, by model.
    #[must_use]
    pub fn table(&self, at: DateTime<Utc>) -> Vec<&Arc<Listed>> {
        let mut table: Vec<_> = self.by_model.values().filter_map(|prices| in_force(prices, at)).collect();
        table.sort_by(|a, b| a.model.cmp(&b.model));
        table
    }
}

fn in_force(prices: &Prices, at: DateTime<Utc>) -> Option<&Arc<Listed>> {
    prices.iter().find(|listed| listed.begun || listed.effective_from <= at)
}

impl Listed {
    fn new(
        id: i64,
        model: String,
        origin: Origin,
        effective_from: DateTime<Utc>,
        price: Price,
        now: DateTime<Utc>,
    ) -> Self {
        let begun = effective_from <= now;
        let (bounds, unchanged) = (Bounds::of(&price), None);
        let mut listed = Self { model, price, effective_from, origin, id, begun, unchanged, bounds };
        listed.unchanged = listed.written(&Money::one());
        listed
    }

    const fn rank(&self) -> u8 {
        match self.origin {
            Origin::Provider(_) | Origin::Model(PriceSource::Manual) => 0,
            Origin::Model(PriceSource::Imported) => 1,
            Origin::Model(PriceSource::Builtin) => 2,
        }
    }

    /// The number of its row; 0 for one that came with the program.
    #[must_use]
    pub const fn id(&self) -> i64 {
        self.id
    }

    /// What a request of that size is likely to cost at this price, and what it can cost at most.
    #[must_use]
    pub fn estimate(&self, size: &Size, multiplier: &Money) -> Estimate {
        self.bounds.estimate(size, multiplier)
    }

    /// What a request is charged at this price.
    #[must_use]
    pub fn charge(&self, consumed: &Consumed, multiplier: &Money) -> Charge {
        Charge::at(&self.price, consumed, multiplier, self.formula(multiplier))
    }

    /// How a cost was computed, as it is kept with the request's row.
    #[must_use]
    pub fn formula(&self, multiplier: &Money) -> Option<Document> {
        if *multiplier == Money::one() { self.unchanged.clone() } else { self.written(multiplier) }
    }

    fn written(&self, multiplier: &Money) -> Option<Document> {
        let formula = json!({
            "price_id": self.id,
            "model": self.model,
            "source": self.origin.name(),
            "price": self.price,
            "multiplier": multiplier,
            "formula": "((sum of tokens of each kind x its price) / 1,000,000 + fees) x multiplier",
        });
        Document::of(&formula).ok()
    }
}

#[cfg(test)]
mod tests;
