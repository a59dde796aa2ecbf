//! Which of several prices counts, and when.

use actors::pricing::Rates;
use chrono::TimeDelta;

use super::*;
use crate::current::billing::{Charge, Footing};

fn day(day: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_900_000_000 + day * 86_400, 0).unwrap()
}

fn usd(text: &str) -> Money {
    Money::parse(text).unwrap()
}

fn price(amount: &str) -> Price {
    Price::from(Rates::completed(usd(amount), usd(amount), None, None, None))
}

fn row(model: &str, source: PriceSource, from: DateTime<Utc>, amount: &str) -> PriceRow {
    PriceRow { id: 1, model: model.to_owned(), source, effective_from: from, price: price(amount) }
}

fn at_provider(provider: i64, model: &str, from: DateTime<Utc>, amount: &str) -> ProviderPriceRow {
    let (provider, model) = (ProviderId(provider), model.to_owned());
    ProviderPriceRow { id: 2, provider, model, effective_from: from, price: price(amount) }
}

fn input(listed: Option<&Arc<Listed>>) -> Option<String> {
    listed.map(|listed| listed.price.rates.input_usd_per_mtok.to_string())
}

#[test]
fn a_price_of_the_future_takes_effect_by_itself() {
    let rows = [
        row("m", PriceSource::Imported, day(0), "1"),
        row("m", PriceSource::Imported, day(3), "2"),
        row("m", PriceSource::Manual, day(5), "3"),
        row("m", PriceSource::Manual, day(7), "4"),
    ];
    let providers = [at_provider(1, "m", day(9), "5")];
    let list = PriceList::new(rows, providers, Billing::default(), day(1));
    let of = Asked { provider: Some(ProviderId(1)), asked: Some("m"), sent: None };
    let just_before = |day| day - TimeDelta::microseconds(1);
    for (at, told) in [
        (day(1), "1"),
        (just_before(day(3)), "1"),
        (day(3), "2"),
        (day(5), "3"),
        (day(8), "4"),
        (just_before(day(9)), "4"),
        (day(9), "5"),
    ] {
        assert_eq!(input(list.quote(&of, at)).as_deref(), Some(told), "{at}");
    }
}

/// What was replaced is not in the list any more, so there is nothing to fall back to.
#[test]
fn what_has_begun_goes_on_though_the_clock_steps_back() {
    let list = PriceList::new([row("m", PriceSource::Manual, day(2), "1")], [], Billing::default(), day(2));
    assert_eq!(input(list.find("m", day(1))).as_deref(), Some("1"));
}

#[test]
fn the_price_at_the_provider_wins_for_either_name() {
    let rows =
        [row("asked", PriceSource::Manual, day(0), "1"), row("sent", PriceSource::Manual, day(0), "2")];
    let providers = [at_provider(7, "sent", day(0), "3"), at_provider(8, "asked", day(0), "4")];
    let quote = |model, provider, sent| {
        let billing = Billing { model, ..Billing::default() };
        let list = PriceList::new(rows.clone(), providers.clone(), billing, day(1));
        let of = Asked { provider: Some(ProviderId(provider)), asked: Some("asked"), sent };
        input(list.quote(&of, day(1))).unwrap_or_default()
    };
    use BilledModel::{Asked as ByAsked, Sent as BySent};
    assert_eq!(quote(BySent, 1, Some("sent")), "2");
    assert_eq!(quote(ByAsked, 1, Some("sent")), "1");
    assert_eq!(quote(BySent, 7, Some("sent")), "3");
    assert_eq!(quote(ByAsked, 7, Some("sent")), "1", "the name comes first, then where");
    assert_eq!(quote(BySent, 8, Some("sent")), "2");
    assert_eq!(quote(ByAsked, 8, Some("sent")), "4");
    assert_eq!(quote(BySent, 1, Some("unheard of")), "1", "the other name is asked next");
    assert_eq!(quote(BySent, 1, None), "1");
}

#[test]
fn i07_without_a_price_a_request_is_unpriced_or_refused_and_never_free() {
    let free = row("free", PriceSource::Manual, day(0), "0");
    let of = |model| Asked { asked: Some(model), ..Asked::default() };
    let list = PriceList::new([free.clone()], [], Billing::default(), day(1));
    let consumed = Consumed::tokens(protocol::Usage { input_tokens: 10, ..Default::default() });

    let charge = list.quote(&of("free"), day(1)).unwrap().charge(&consumed, &Money::one());
    assert_eq!((charge.cost, charge.footing), (Some(Money::zero()), Footing::Free));
    assert!(charge.formula.is_some());
    assert!(list.quote(&of("unheard of"), day(1)).is_none());
    let charge = Charge::unpriced();
    assert_eq!((charge.cost, charge.footing), (None, Footing::Unpriced), "nobody knows is not nothing");

    assert!(matches!(list.admit(&of("free"), day(1)), Ok(Admission::Priced(_))));
    let Ok(Admission::Unpriced { reserve }) = list.admit(&of("unheard of"), day(1)) else {
        panic!("it is served");
    };
    assert_eq!(*reserve, Money::one());
    let billing = Billing { unpriced: WhenUnpriced::Refuse, ..Billing::default() };
    let strict = PriceList::new([free], [], billing, day(1));
    assert_eq!(strict.admit(&of("unheard of"), day(1)).unwrap_err(), NoPrice);
    assert!(strict.admit(&of("free"), day(1)).is_ok());
}

#[test]
fn what_came_with_the_program_prices_the_first_request_and_loses_to_all_else() {
    let known = builtin::rows().next().unwrap();
    let list = PriceList::new([], [], Billing::default(), day(1));
    let listed = list.find(&known.model, day(1)).unwrap();
    assert_eq!((listed.id(), listed.origin.name()), (0, "builtin"));
    assert_eq!(list.models().count(), 0, "a price alone offers no model");

    let imported = row(&known.model, PriceSource::Imported, day(0), "1");
    let list = PriceList::new([imported], [], Billing::default(), day(1));
    assert_eq!(list.find(&known.model, day(1)).unwrap().origin.name(), "imported");
    assert_eq!(list.models().collect::<Vec<_>>(), [known.model.as_str()]);
}

#[test]
fn the_formula_tells_price_factor_and_source() {
    let list = PriceList::new([row("m", PriceSource::Manual, day(0), "2")], [], Billing::default(), day(1));
    let listed = list.find("m", day(1)).unwrap();
    for factor in ["1", "0.5"] {
        let written = listed.formula(&usd(factor)).unwrap();
        let written: serde_json::Value = serde_json::from_str(written.get()).unwrap();
        assert_eq!((&written["multiplier"], &written["source"]), (&json!(factor), &json!("manual")));
        assert_eq!(written["price"]["input_usd_per_mtok"], "2");
    }
}
