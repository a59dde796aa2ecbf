//! That whoever stands for others charges no less than any of them.

use actors::{ids::ProviderId, pricing::Rates, testkit::cards};
use proptest::prelude::*;

use super::*;
use crate::{
    current::billing::{Billing, WhenUnpriced},
    store::{PriceRow, PriceSource, ProviderPriceRow},
};

const MODELS: [&str; 3] = ["a", "b", "nobody-knows"];

fn price(usd: u32) -> actors::pricing::Price {
    let usd = Money::parse(&usd.to_string()).unwrap();
    Rates::completed(usd.clone(), usd, None, None, None).into()
}

/// Providers that are often alike, and sometimes not.
fn cards() -> impl Strategy<Value = Vec<Arc<Card>>> {
    let one = (0..4_u32, 0..3_usize, 0..3_usize, 0..8_u8, any::<bool>());
    prop::collection::vec(one, 0..12).prop_map(|ones| {
        let card =
            |(id, (factor, allowed, redirect, enabled, chat)): (i64, (u32, usize, usize, u8, bool))| {
                let mut card = Arc::unwrap_or_clone(cards::plain(id));
                card.cost_multiplier = Money::parse(["0", "0.5", "1", "1.7"][factor as usize]).unwrap();
                card.allowed_models =
                    if allowed == 0 { Vec::new() } else { vec![MODELS[allowed].to_owned()] };
                if redirect > 0 {
                    card.model_redirects = [("a".to_owned(), MODELS[redirect].to_owned())].into();
                }
                card.enabled = enabled > 0;
                card.formats = if chat { vec![Format::OpenaiChat] } else { vec![Format::Anthropic] };
                Arc::new(card)
            };
        (1..).zip(ones).map(card).collect()
    })
}

fn prices(own: &[(i64, usize, u32)], refuse: bool) -> PriceList {
    let row = |model: &str, usd| PriceRow {
        id: 1,
        model: model.to_owned(),
        source: PriceSource::Manual,
        effective_from: DateTime::UNIX_EPOCH,
        price: price(usd),
    };
    let own = own.iter().map(|(provider, model, usd)| ProviderPriceRow {
        id: 2,
        provider: ProviderId(*provider),
        model: MODELS[*model].to_owned(),
        effective_from: DateTime::UNIX_EPOCH,
        price: price(*usd),
    });
    let unpriced = if refuse { WhenUnpriced::Refuse } else { WhenUnpriced::Serve };
    let billing = Billing { unpriced, ..Billing::default() };
    PriceList::new([row("a", 3), row("b", 5)], own, billing, Utc::now())
}

proptest! {
    #[test]
    fn i01_the_dearest_of_those_who_stand_for_others_is_the_dearest_of_all(
        cards in cards(),
        own in prop::collection::vec((1..6_i64, 0..3_usize, 0..9_u32), 0..4),
        refuse in any::<bool>(),
        body_bytes in 0..10_000_u64,
    ) {
        let prices = Arc::new(prices(&own, refuse));
        let offers = Offers::new(&cards, Arc::clone(&prices));
        let everyone = cards.iter().filter(|card| card.enabled).map(Arc::clone).collect();
        let everyone = Offers { prices, dearest: everyone };
        let size = Size { body_bytes, max_output_tokens: Some(10), answers: 1 };
        for model in MODELS {
            for format in [Format::Anthropic, Format::OpenaiChat] {
                prop_assert_eq!(
                    offers.estimate(format, model, &size, Utc::now()),
                    everyone.estimate(format, model, &size, Utc::now())
                );
            }
        }
    }
}

#[test]
fn of_two_hundred_that_differ_in_their_factor_one_is_asked_and_of_those_with_a_price_each() {
    let card = |id: i64| {
        let mut card = Arc::unwrap_or_clone(cards::plain(id));
        card.cost_multiplier = Money::parse(&format!("1.{id:03}")).unwrap();
        Arc::new(card)
    };
    let cards: Vec<_> = (1..=200).map(card).collect();
    let offers = Offers::new(&cards, Arc::new(prices(&[], false)));
    assert_eq!(offers.dearest.iter().map(|card| card.id.0).collect::<Vec<_>>(), [200]);
    let offers = Offers::new(&cards, Arc::new(prices(&[(7, 0, 1), (200, 1, 1)], false)));
    assert_eq!(offers.dearest.iter().map(|card| card.id.0).collect::<Vec<_>>(), [199, 7, 200]);
}
