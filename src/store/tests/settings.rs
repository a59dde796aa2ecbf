//! Settings.

use actors::{
    ledger::limits::{Limits, Span},
    money::Pico,
};
use chrono::Weekday;
use chrono_tz::Tz;
use futures_util::future::join_all;

use super::{Rig, digester, on_both};
use crate::store::{Expected, MoneyRefusal, StoreError, SystemSettings, Waiting};

on_both! {
    a_setting_is_replaced_as_a_whole
    the_admin_tokens_digest_is_remembered
    a_setting_of_another_shape_is_reported_as_damage
    the_systems_settings_come_back_as_stored
    several_may_store_a_setting_at_once
    i52_a_setting_is_changed_by_the_version_that_was_looked_at
}

async fn a_setting_is_replaced_as_a_whole(rig: Rig) {
    assert_eq!(rig.store.setting::<Vec<String>>("words").await.unwrap(), None);
    for words in [vec!["a\0b".to_owned(), "ü".to_owned()], vec![]] {
        rig.store.put_setting("words", &words).await.unwrap();
        let clean: Vec<String> = words.iter().map(|word| word.replace('\0', "\u{FFFD}")).collect();
        assert_eq!(rig.store.setting("words").await.unwrap(), Some(clean));
    }
}

async fn the_admin_tokens_digest_is_remembered(rig: Rig) {
    assert_eq!(rig.store.admin_token_digest().await.unwrap(), None);
    let digest = digester().digest("token");
    rig.store.put_admin_token_digest(&digest).await.unwrap();
    assert_eq!(rig.store.admin_token_digest().await.unwrap(), Some(digest));
}

async fn a_setting_of_another_shape_is_reported_as_damage(rig: Rig) {
    rig.store.put_setting("admin_token_digest", &"not hex").await.unwrap();
    let error = rig.store.admin_token_digest().await.unwrap_err();
    assert_eq!(error, StoreError::Corrupt("setting `admin_token_digest`".into()));
    rig.store.put_setting("admin_token_digest", &7).await.unwrap();
    assert!(matches!(rig.store.admin_token_digest().await, Err(StoreError::Corrupt(_))));
}

async fn the_systems_settings_come_back_as_stored(rig: Rig) {
    assert_eq!(rig.store.system_settings().await.unwrap(), SystemSettings::default());
    let mut default_limits = Limits { rpm: Some(60), ..Limits::default() };
    default_limits.usd[Span::FiveHours] = Some(Pico(1));
    let settings = SystemSettings {
        time_zone: Some(Tz::America__Argentina__Buenos_Aires),
        week_starts: (Weekday::Sun, 6),
        month_day: 31,
        default_limits,
        waiting: Waiting { queue: 3, wait_ms: 1 },
        money_refusal: MoneyRefusal::PaymentRequired,
    };
    rig.store.put_system_settings(&settings).await.unwrap();
    assert_eq!(rig.store.system_settings().await.unwrap(), settings);

    rig.store.put_setting("system", &serde_json::json!({"month_day": 2})).await.unwrap();
    let older = rig.store.system_settings().await.unwrap();
    assert_eq!(older, SystemSettings { month_day: 2, ..SystemSettings::default() });
    rig.store.put_setting("system", &serde_json::json!({"moth_day": 2})).await.unwrap();
    assert!(matches!(rig.store.system_settings().await, Err(StoreError::Corrupt(_))));
}

/// As servers do with the digest of a new admin token, when they start together.
async fn several_may_store_a_setting_at_once(rig: Rig) {
    let texts = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let stored = join_all(texts.iter().map(|text| rig.store.put_setting("words", text))).await;
    let mut versions: Vec<i64> = stored.into_iter().map(Result::unwrap).collect();
    versions.sort_unstable();
    assert_eq!(versions, [1, 2, 3, 4, 5, 6, 7, 8]);
}

async fn i52_a_setting_is_changed_by_the_version_that_was_looked_at(rig: Rig) {
    let store = &rig.store;
    let words = async || store.setting_with_version::<String>("words").await.unwrap();
    assert_eq!(words().await, (0, None));
    let (one, other) = (store.changing(0).unwrap(), store.changing(0).unwrap());
    assert_eq!(one.put_setting("words", &"one").await, Ok(1));
    assert_eq!(other.put_setting("words", &"other").await, Err(StoreError::Stale { version: 1 }));
    assert_eq!(words().await, (1, Some("one".to_owned())));
    let by_the_first = store.expecting(Expected::OneOf(vec![1]));
    assert!(matches!(by_the_first.changing(2), Err(StoreError::Stale { version: 2 })));
    assert_eq!(by_the_first.changing(1).unwrap().put_setting("words", &"two").await, Ok(2));
    assert_eq!(store.put_setting("words", &"three").await, Ok(3), "where nothing is expected");
    assert_eq!(store.setting_with_version::<String>("others").await.unwrap(), (0, None));
}
