//! Offers: what the providers charge between them, so that a request is held at the dearest without asking
//! each of them.
//!
//! Providers that serve the same models in the same formats, send the same names and have no price of their
//! own differ in nothing but their factor: the one with the largest stands for all. Which ones those are is
//! found out when the configuration changes, not on the way of a request.

use std::sync::Arc;

use actors::{
    ledger::claim::Estimate,
    money::{Money, Pico},
    pricing::bounds::Size,
    provider::card::Card,
};
use chrono::{DateTime, Utc};
use protocol::Format;

use super::prices::{Admission, Asked, NoPrice, PriceList};

/// The providers that must be asked, and the prices they go by.
#[derive(Debug, Default)]
pub struct Offers {
    prices: Arc<PriceList>,
    dearest: Vec<Arc<Card>>,
}

impl Offers {
    /// Those of these providers at these prices.
    #[must_use]
    pub fn new(cards: &[Arc<Card>], prices: Arc<PriceList>) -> Self {
        let mut dearest: Vec<Arc<Card>> = Vec::new();
        for card in cards.iter().filter(|card| card.enabled) {
            let own = prices.has_own(card.id);
            let known =
                dearest.iter_mut().find(|known| !own && !prices.has_own(known.id) && alike(known, card));
            match known {
                Some(known) if known.cost_multiplier < card.cost_multiplier => *known = Arc::clone(card),
                Some(_) => {}
                None => dearest.push(Arc::clone(card)),
            }
        }
        Self { prices, dearest }
    }

    /// What a request may use and cost, before it is known where it goes: at the dearest of the providers it
    /// may go to.
    ///
    /// # Errors
    /// [`NoPrice`] where one of them has none and the operator wants such requests refused (I-07).
    pub fn estimate(
        &self,
        format: Format,
        model: &str,
        size: &Size,
        now: DateTime<Utc>,
    ) -> Result<Estimate, NoPrice> {
        let mut dearest: Option<Estimate> = None;
        for card in
            self.dearest.iter().filter(|card| card.formats.contains(&format) && card.serves_model(model))
        {
            let estimate = self.at(card, model, size, now)?;
            dearest = Some(dearest.map_or(estimate, |dearest| dearer(dearest, estimate)));
        }
        Ok(dearest.unwrap_or_default())
    }

    fn at(&self, card: &Card, model: &str, size: &Size, now: DateTime<Utc>) -> Result<Estimate, NoPrice> {
        let sent = card.upstream_model(model);
        let of = Asked { provider: Some(card.id), asked: Some(model), sent: Some(sent) };
        Ok(match self.prices.admit(&of, now)? {
            Admission::Priced(listed) => listed.estimate(size, &card.cost_multiplier),
            Admission::Unpriced { reserve } => flat(reserve),
        })
    }

    /// How many must be asked.
    #[must_use]
    pub fn len(&self) -> usize {
        self.dearest.len()
    }

    /// Whether nobody offers anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.dearest.is_empty()
    }
}

/// Whether two differ in nothing that a price is looked up by.
fn alike(a: &Card, b: &Card) -> bool {
    a.formats == b.formats && a.allowed_models == b.allowed_models && a.model_redirects == b.model_redirects
}

/// The dearer of two in all that is money.
fn dearer(a: Estimate, b: Estimate) -> Estimate {
    Estimate {
        input: a.input.max(b.input),
        per_output_token: a.per_output_token.max(b.per_output_token),
        worst_input: a.worst_input.max(b.worst_input),
        worst_output: a.worst_output.max(b.worst_output),
        ..a
    }
}

/// As much whatever comes.
fn flat(amount: &Money) -> Estimate {
    let amount: Pico = amount.to_pico();
    Estimate { input: amount, worst_input: amount, ..Estimate::default() }
}

#[cfg(test)]
mod tests;
