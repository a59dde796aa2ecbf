//! Prices: which one is in effect, and that none is bent on the way.

use actors::{
    ids::ProviderId,
    money::Money,
    pricing::{Price, Rates, Service, Terms, Tier},
};
use chrono::{DateTime, Utc};

use super::{Rig, on_both, providers};
use crate::store::{ImportOrigin, PriceImport, PriceSource, StoreError};

on_both! {
    prices_come_back_digit_by_digit
    manual_wins_over_imported_over_builtin
    the_latest_that_is_not_in_the_future_counts
    the_same_instant_is_replaced
    i06_a_list_with_one_bad_price_changes_nothing
    every_price_of_a_model_is_remembered
    the_schedule_holds_what_counts_and_what_is_to_come
    i06_no_amount_of_the_terms_is_bent
    a_provider_has_prices_of_its_own_and_takes_them_along
    lists_that_were_taken_in_are_remembered_with_their_prices
}

fn day(day: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_900_000_000 + day * 86_400, 0).unwrap()
}

fn flat(amount: &str) -> Price {
    let amount = Money::parse(amount).unwrap();
    Price::from(Rates {
        input_usd_per_mtok: amount.clone(),
        output_usd_per_mtok: amount.clone(),
        cache_write_5m_usd_per_mtok: amount.clone(),
        cache_write_1h_usd_per_mtok: amount.clone(),
        cache_read_usd_per_mtok: amount,
    })
}

async fn put(rig: &Rig, source: PriceSource, from: DateTime<Utc>, model: &str, amount: &str) {
    rig.store.put_prices(source, from, vec![(model.into(), flat(amount))]).await.unwrap();
}

async fn provider(rig: &Rig, name: &str) -> ProviderId {
    rig.store.create_provider(providers::provider(name)).await.unwrap().card.id
}

/// The input prices in effect, as `model=price`.
async fn table(rig: &Rig, at: DateTime<Utc>) -> Vec<String> {
    let rows = rig.store.price_table(at).await.unwrap();
    rows.iter().map(|row| format!("{}={}", row.model, row.price.rates.input_usd_per_mtok)).collect()
}

async fn prices_come_back_digit_by_digit(rig: Rig) {
    let usd = |text| Money::parse(text).unwrap();
    let rates = Rates {
        input_usd_per_mtok: usd("0.1"),
        output_usd_per_mtok: usd("9223372.036854775807"),
        cache_write_5m_usd_per_mtok: usd("0.000000000001"),
        cache_write_1h_usd_per_mtok: usd("0"),
        cache_read_usd_per_mtok: usd("1e-3"),
    };
    let long = Tier { service: Service::Flex, above_input_tokens: 200_000, rates: rates.clone() };
    let terms = Terms {
        tiers: vec![long],
        per_request_usd: usd("0.000000000001"),
        per_image_usd: usd("9223372.036854775807"),
        per_web_search_usd: usd("0.01"),
        max_output_tokens: Some(u64::MAX),
    };
    let price = Price { rates, terms };
    let rows =
        rig.store.put_prices(PriceSource::Builtin, day(0), vec![("m".into(), price.clone())]).await.unwrap();
    assert_eq!(rows[0].price, price);
    let found = rig.store.price_table(day(0)).await.unwrap();
    assert_eq!(found, rows);
    let shown = serde_json::to_string(&found[0].price).unwrap();
    assert!(shown.contains("\"9223372.036854775807\"") && shown.contains("\"0.000000000001\""), "{shown}");
}

async fn manual_wins_over_imported_over_builtin(rig: Rig) {
    put(&rig, PriceSource::Manual, day(0), "a", "1").await;
    put(&rig, PriceSource::Imported, day(2), "a", "2").await;
    put(&rig, PriceSource::Builtin, day(3), "a", "3").await;
    put(&rig, PriceSource::Imported, day(0), "b", "2").await;
    put(&rig, PriceSource::Builtin, day(1), "b", "3").await;
    put(&rig, PriceSource::Builtin, day(1), "c", "3").await;
    assert_eq!(table(&rig, day(5)).await, ["a=1", "b=2", "c=3"]);

    rig.store.delete_prices("a", PriceSource::Manual).await.unwrap();
    assert_eq!(table(&rig, day(5)).await, ["a=2", "b=2", "c=3"]);
    let gone = rig.store.delete_prices("a", PriceSource::Manual).await.unwrap_err();
    assert_eq!(gone, StoreError::NotFound { what: "price" });
}

async fn the_latest_that_is_not_in_the_future_counts(rig: Rig) {
    put(&rig, PriceSource::Manual, day(1), "a", "1").await;
    put(&rig, PriceSource::Manual, day(3), "a", "3").await;
    put(&rig, PriceSource::Manual, day(2), "a", "2").await;
    assert_eq!(table(&rig, day(0)).await, Vec::<String>::new());
    assert_eq!(table(&rig, day(2)).await, ["a=2"]);
    assert_eq!(table(&rig, day(9)).await, ["a=3"]);
}

async fn the_same_instant_is_replaced(rig: Rig) {
    put(&rig, PriceSource::Manual, day(1), "a", "1").await;
    put(&rig, PriceSource::Manual, day(1), "a", "2").await;
    assert_eq!(table(&rig, day(1)).await, ["a=2"]);
    assert_eq!(rig.store.price_history("a").await.unwrap().len(), 1);
}

async fn i06_a_list_with_one_bad_price_changes_nothing(rig: Rig) {
    for bad in ["9223372.036854775808", "0.0000000000001", "1e30"] {
        let list = vec![("good".into(), flat("1")), ("bad".into(), flat(bad))];
        let refused = rig.store.put_prices(PriceSource::Imported, day(0), list).await.unwrap_err();
        assert!(matches!(refused, StoreError::Invalid { field: "input_usd_per_mtok", .. }), "{refused}");
    }
    assert_eq!(table(&rig, day(1)).await, Vec::<String>::new());
}

async fn every_price_of_a_model_is_remembered(rig: Rig) {
    put(&rig, PriceSource::Imported, day(1), "a", "1").await;
    put(&rig, PriceSource::Manual, day(2), "a", "2").await;
    put(&rig, PriceSource::Manual, day(2), "b", "3").await;
    let history = rig.store.price_history("a").await.unwrap();
    let told: Vec<_> = history.iter().map(|row| (row.source, row.effective_from)).collect();
    assert_eq!(told, [(PriceSource::Manual, day(2)), (PriceSource::Imported, day(1))]);
}

async fn the_schedule_holds_what_counts_and_what_is_to_come(rig: Rig) {
    put(&rig, PriceSource::Imported, day(1), "a", "1").await;
    put(&rig, PriceSource::Imported, day(2), "a", "2").await;
    put(&rig, PriceSource::Imported, day(4), "a", "4").await;
    put(&rig, PriceSource::Manual, day(6), "a", "6").await;
    put(&rig, PriceSource::Manual, day(5), "a", "5").await;
    let schedule = rig.store.price_schedule(day(3)).await.unwrap();
    let told: Vec<_> = schedule.iter().map(|row| row.price.rates.input_usd_per_mtok.to_string()).collect();
    assert_eq!(told, ["6", "5", "4", "2"], "what was replaced is left out, what is to come is not");
}

async fn i06_no_amount_of_the_terms_is_bent(rig: Rig) {
    let bad = Money::parse("0.0000000000001").unwrap();
    let tier = Tier { service: Service::Flex, above_input_tokens: 0, rates: flat("0.0000000000001").rates };
    for terms in [
        Terms { tiers: vec![tier], ..Terms::default() },
        Terms { per_request_usd: bad.clone(), ..Terms::default() },
        Terms { per_image_usd: bad.clone(), ..Terms::default() },
        Terms { per_web_search_usd: bad.clone(), ..Terms::default() },
    ] {
        let price = Price { terms, ..flat("1") };
        let list = vec![("m".into(), price.clone())];
        let refused = rig.store.put_prices(PriceSource::Manual, day(0), list).await.unwrap_err();
        assert!(matches!(refused, StoreError::Invalid { .. }), "{refused}");
        let provider = provider(&rig, "p").await;
        let refused = rig.store.put_provider_price(provider, "m", day(0), price).await.unwrap_err();
        assert!(matches!(refused, StoreError::Invalid { .. }), "{refused}");
        rig.store.delete_provider(provider).await.unwrap();
    }
}

async fn a_provider_has_prices_of_its_own_and_takes_them_along(rig: Rig) {
    let (one, two) = (provider(&rig, "one").await, provider(&rig, "two").await);
    let fine = flat("9223372.036854775807");
    for (provider, from, price) in [
        (one, day(1), flat("1")),
        (one, day(2), flat("2")),
        (one, day(2), fine.clone()),
        (one, day(4), flat("4")),
        (two, day(1), flat("5")),
    ] {
        rig.store.put_provider_price(provider, "m/n", from, price).await.unwrap();
    }
    let rows = rig.store.provider_prices(day(3)).await.unwrap();
    let told: Vec<_> = rows.iter().map(|row| (row.provider, row.effective_from, row.price.clone())).collect();
    assert_eq!(told, [(one, day(4), flat("4")), (one, day(2), fine), (two, day(1), flat("5"))]);

    rig.store.delete_provider_prices(one, "m/n").await.unwrap();
    let gone = rig.store.delete_provider_prices(one, "m/n").await.unwrap_err();
    assert_eq!(gone, StoreError::NotFound { what: "price" });
    rig.store.delete_provider(two).await.unwrap();
    assert_eq!(rig.store.provider_prices(day(3)).await.unwrap(), []);
}

async fn lists_that_were_taken_in_are_remembered_with_their_prices(rig: Rig) {
    let list = |amount| vec![("a".to_owned(), flat(amount)), ("b".to_owned(), flat(amount))];
    let origin = ImportOrigin::Url("https://example.com/prices.json".to_owned());
    let digest = "ab".repeat(32);
    rig.store.import_prices(&origin, &digest, day(1), list("1")).await.unwrap();
    let bad = rig.store.import_prices(&ImportOrigin::Upload, &digest, day(2), list("1e30")).await;
    assert!(bad.is_err(), "neither the prices nor the note of them");
    rig.store.import_prices(&ImportOrigin::Upload, &digest, day(3), list("3")).await.unwrap();
    let page = rig.store.price_imports(None, 1).await.unwrap();
    assert_eq!((page.items[0].origin.as_str(), page.items[0].imported_at), ("upload", day(3)));
    let page = rig.store.price_imports(page.next, 1).await.unwrap();
    let PriceImport { origin, sha256, prices, imported_at, .. } = page.items[0].clone();
    assert_eq!((origin.as_str(), prices), ("https://example.com/prices.json", 2));
    assert_eq!((sha256, imported_at, page.next), (digest, day(1), None));
    assert_eq!(table(&rig, day(9)).await, ["a=3", "b=3"]);
}
