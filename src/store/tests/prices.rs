//! Prices: which one is in effect, and that none is bent on the way.

use actors::{money::Money, pricing::Price};
use chrono::{DateTime, Utc};

use super::{Rig, on_both};
use crate::store::{PriceSource, StoreError};

on_both! {
    prices_come_back_digit_by_digit
    manual_wins_over_imported_over_builtin
    the_latest_that_is_not_in_the_future_counts
    the_same_instant_is_replaced
    i06_a_list_with_one_bad_price_changes_nothing
    every_price_of_a_model_is_remembered
}

fn day(day: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_900_000_000 + day * 86_400, 0).unwrap()
}

fn flat(amount: &str) -> Price {
    let amount = Money::parse(amount).unwrap();
    Price {
        input_usd_per_mtok: amount.clone(),
        output_usd_per_mtok: amount.clone(),
        cache_write_5m_usd_per_mtok: amount.clone(),
        cache_write_1h_usd_per_mtok: amount.clone(),
        cache_read_usd_per_mtok: amount,
    }
}

async fn put(rig: &Rig, source: PriceSource, from: DateTime<Utc>, model: &str, amount: &str) {
    rig.store.put_prices(source, from, vec![(model.into(), flat(amount))]).await.unwrap();
}

/// The input prices in effect, as `model=price`.
async fn table(rig: &Rig, at: DateTime<Utc>) -> Vec<String> {
    let rows = rig.store.price_table(at).await.unwrap();
    rows.iter().map(|row| format!("{}={}", row.model, row.price.input_usd_per_mtok)).collect()
}

async fn prices_come_back_digit_by_digit(rig: Rig) {
    let usd = |text| Money::parse(text).unwrap();
    let price = Price {
        input_usd_per_mtok: usd("0.1"),
        output_usd_per_mtok: usd("9223372.036854775807"),
        cache_write_5m_usd_per_mtok: usd("0.000000000001"),
        cache_write_1h_usd_per_mtok: usd("0"),
        cache_read_usd_per_mtok: usd("1e-3"),
    };
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
