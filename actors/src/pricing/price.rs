//! The price of a model: what a million tokens of each kind cost, and what is not as simple as that.

use serde::{Deserialize, Serialize};

use super::consumed::Service;
use crate::money::Money;

/// The price of one model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Price {
    /// What tokens cost in the usual case.
    #[serde(flatten)]
    pub rates: Rates,
    /// The unusual cases, and what is not told in tokens.
    #[serde(flatten)]
    pub terms: Terms,
}

/// Dollars per million tokens of each kind.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rates {
    /// Input that no cache had a part in.
    pub input_usd_per_mtok: Money,
    /// Output, reasoning included.
    pub output_usd_per_mtok: Money,
    /// Input written to a cache of five minutes.
    pub cache_write_5m_usd_per_mtok: Money,
    /// Input written to a cache of an hour.
    pub cache_write_1h_usd_per_mtok: Money,
    /// Input read from a cache.
    pub cache_read_usd_per_mtok: Money,
}

/// What a price has beyond its rates. Most have nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Terms {
    /// Rates in place of the usual ones: for long input, for another service. At most one for each
    /// service and threshold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<Tier>,
    /// Dollars for each request that consumed anything.
    #[serde(skip_serializing_if = "Money::is_zero")]
    pub per_request_usd: Money,
    /// Dollars for each picture made.
    #[serde(skip_serializing_if = "Money::is_zero")]
    pub per_image_usd: Money,
    /// Dollars for each search made on the upstream's side.
    #[serde(skip_serializing_if = "Money::is_zero")]
    pub per_web_search_usd: Money,
    /// The most output the model gives, for bounds made beforehand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u64>,
}

/// Rates that hold for all of a request, first token included, once it meets a condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "FlatTier")]
pub struct Tier {
    /// The service they are for.
    pub service: Service,
    /// They hold where the whole input, cached or not, is longer than this; 0 is any input.
    pub above_input_tokens: u64,
    /// The rates.
    #[serde(flatten)]
    pub rates: Rates,
}

/// A tier as it is read: serde can't flatten and keep numbers as they were written.
#[derive(Deserialize)]
struct FlatTier {
    service: Service,
    above_input_tokens: u64,
    input_usd_per_mtok: Money,
    output_usd_per_mtok: Money,
    cache_write_5m_usd_per_mtok: Money,
    cache_write_1h_usd_per_mtok: Money,
    cache_read_usd_per_mtok: Money,
}

impl From<FlatTier> for Tier {
    fn from(flat: FlatTier) -> Self {
        Self {
            service: flat.service,
            above_input_tokens: flat.above_input_tokens,
            rates: Rates {
                input_usd_per_mtok: flat.input_usd_per_mtok,
                output_usd_per_mtok: flat.output_usd_per_mtok,
                cache_write_5m_usd_per_mtok: flat.cache_write_5m_usd_per_mtok,
                cache_write_1h_usd_per_mtok: flat.cache_write_1h_usd_per_mtok,
                cache_read_usd_per_mtok: flat.cache_read_usd_per_mtok,
            },
        }
    }
}

impl From<Rates> for Price {
    /// A price with nothing unusual.
    fn from(rates: Rates) -> Self {
        Self { rates, terms: Terms::default() }
    }
}

impl Price {
    /// The rates of a request: those of its service, or the usual service where that has none, at the
    /// highest threshold that the input exceeds.
    #[must_use]
    pub fn rates_for(&self, service: Service, input_tokens: u64) -> &Rates {
        self.tier(service, input_tokens)
            .or_else(|| self.tier(Service::Standard, input_tokens))
            .map_or(&self.rates, |tier| &tier.rates)
    }

    fn tier(&self, service: Service, input_tokens: u64) -> Option<&Tier> {
        let met = self.terms.tiers.iter().filter(|tier| tier.service == service && tier.is_met(input_tokens));
        met.max_by_key(|tier| tier.above_input_tokens)
    }

    /// Whether whatever is consumed costs nothing: somebody said 0, which is another thing than nobody
    /// having said anything (I-07).
    #[must_use]
    pub fn is_free(&self) -> bool {
        let Terms { tiers, per_request_usd, per_image_usd, per_web_search_usd, .. } = &self.terms;
        let fees = [per_request_usd, per_image_usd, per_web_search_usd];
        self.rates.is_free()
            && fees.into_iter().all(Money::is_zero)
            && tiers.iter().all(|tier| tier.rates.is_free())
    }
}

impl Tier {
    /// Whether the input is long enough for it.
    #[must_use]
    pub(super) fn is_met(&self, input_tokens: u64) -> bool {
        self.above_input_tokens == 0 || input_tokens > self.above_input_tokens
    }
}

impl Rates {
    /// Rates of which some may be unknown. Tokens that went through a cache and have no rate of their own
    /// cost what tokens without a cache cost; those written for an hour, what those written for less do.
    #[must_use]
    pub fn completed(
        input: Money,
        output: Money,
        write_5m: Option<Money>,
        write_1h: Option<Money>,
        read: Option<Money>,
    ) -> Self {
        let write_5m = write_5m.unwrap_or_else(|| input.clone());
        Self {
            cache_write_1h_usd_per_mtok: write_1h.unwrap_or_else(|| write_5m.clone()),
            cache_write_5m_usd_per_mtok: write_5m,
            cache_read_usd_per_mtok: read.unwrap_or_else(|| input.clone()),
            input_usd_per_mtok: input,
            output_usd_per_mtok: output,
        }
    }

    /// All kinds with their names, in the order in which they are told.
    #[must_use]
    pub fn named(&self) -> [(&'static str, &Money); 5] {
        [
            ("input_usd_per_mtok", &self.input_usd_per_mtok),
            ("output_usd_per_mtok", &self.output_usd_per_mtok),
            ("cache_write_5m_usd_per_mtok", &self.cache_write_5m_usd_per_mtok),
            ("cache_write_1h_usd_per_mtok", &self.cache_write_1h_usd_per_mtok),
            ("cache_read_usd_per_mtok", &self.cache_read_usd_per_mtok),
        ]
    }

    /// The dearest a token of input can be, whatever caches do.
    #[must_use]
    pub fn dearest_input(&self) -> &Money {
        let Self { input_usd_per_mtok: plain, cache_read_usd_per_mtok: read, .. } = self;
        let (short, long) = (&self.cache_write_5m_usd_per_mtok, &self.cache_write_1h_usd_per_mtok);
        plain.max(read).max(short.max(long))
    }

    fn is_free(&self) -> bool {
        self.named().into_iter().all(|(_, rate)| rate.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(amount: &str) -> Rates {
        let amount = Money::parse(amount).unwrap();
        Rates {
            input_usd_per_mtok: amount.clone(),
            output_usd_per_mtok: amount.clone(),
            cache_write_5m_usd_per_mtok: amount.clone(),
            cache_write_1h_usd_per_mtok: amount.clone(),
            cache_read_usd_per_mtok: amount,
        }
    }

    fn tier(service: Service, above_input_tokens: u64, amount: &str) -> Tier {
        Tier { service, above_input_tokens, rates: flat(amount) }
    }

    fn tiered() -> Price {
        let tiers = vec![
            tier(Service::Standard, 200_000, "2"),
            tier(Service::Standard, 500_000, "3"),
            tier(Service::Priority, 0, "10"),
            tier(Service::Priority, 200_000, "20"),
        ];
        Price { rates: flat("1"), terms: Terms { tiers, ..Terms::default() } }
    }

    #[test]
    fn the_highest_threshold_that_is_exceeded_counts() {
        for (service, input, told) in [
            (Service::Standard, 0, "1"),
            (Service::Standard, 200_000, "1"),
            (Service::Standard, 200_001, "2"),
            (Service::Standard, 500_001, "3"),
            (Service::Priority, 0, "10"),
            (Service::Priority, 200_001, "20"),
            (Service::Priority, 900_000, "20"),
            (Service::Flex, 5, "1"),
            (Service::Flex, 200_001, "2"),
        ] {
            let rates = tiered().rates_for(service, input).clone();
            assert_eq!(rates.input_usd_per_mtok.to_string(), told, "{service:?} {input}");
        }
    }

    #[test]
    fn i07_free_is_what_has_a_zero_everywhere() {
        assert!(Price::from(flat("0")).is_free());
        assert!(!tiered().is_free());
        let mut late = Price::from(flat("0"));
        late.terms.tiers.push(tier(Service::Flex, 9, "0.1"));
        assert!(!late.is_free());
        let mut fee = Price::from(flat("0"));
        fee.terms.per_web_search_usd = Money::one();
        assert!(!fee.is_free());
    }

    #[test]
    fn terms_are_read_as_they_were_written() {
        let mut terms = tiered().terms;
        terms.per_request_usd = Money::parse("0.000000000001").unwrap();
        terms.max_output_tokens = Some(64_000);
        let written = serde_json::to_value(&terms).unwrap();
        assert_eq!(serde_json::from_value::<Terms>(written).unwrap(), terms);
        let written = serde_json::to_string(&terms).unwrap();
        assert_eq!(serde_json::from_str::<Terms>(&written).unwrap(), terms);
        assert_eq!(serde_json::to_string(&Terms::default()).unwrap(), "{}");
        assert_eq!(serde_json::from_str::<Terms>("{}").unwrap(), Terms::default());
    }
}
