//! Providers and their sealed credentials.

use std::collections::BTreeMap;

use actors::{
    ids::ProviderId,
    ledger::limits::{Day, Limits, Span},
    money::{Money, Pico},
    provider::card::{BreakerSettings, Credential, Kind, Timeouts},
    restrictions::{
        ProviderRestrictions,
        clients::{ClientPattern, ClientRules},
        schedule::Schedule,
    },
};
use chrono::Weekday;
use protocol::Format;

use super::{
    Rig,
    lists::{behind, top},
    on_both, sealer,
};
use crate::store::{NewProvider, ProviderChange, StoreError};

on_both! {
    a_provider_comes_back_as_stored
    each_change_makes_a_new_version
    formats_follow_the_kind_unless_given
    a_name_belongs_to_one_provider
    i06_a_multiplier_that_cannot_be_kept_exactly_is_refused
    c09_the_credential_is_not_in_the_database
    c09_credentials_swapped_between_rows_are_refused
    c09_another_sealing_key_opens_nothing
    a_provider_of_unknown_kind_is_reported_as_damage
    providers_are_listed_in_pages
}

pub(super) fn provider(name: &str) -> NewProvider {
    NewProvider {
        name: name.into(),
        kind: Kind::Claude,
        base_url: "https://api.example.com".into(),
        credential: Credential::new(format!("canary-{name}")),
        formats: vec![],
        weight: 1,
        priority: 0,
        cost_multiplier: Money::parse("1").unwrap(),
        groups: vec![],
        allowed_models: vec![],
        restrictions: ProviderRestrictions::default(),
        model_redirects: BTreeMap::new(),
        limits: Limits::default(),
        breaker: BreakerSettings::default(),
        timeouts: Timeouts::default(),
        allow_private_network: false,
        enabled: true,
        notes: String::new(),
    }
}

/// Every one of them set.
fn restrictions() -> ProviderRestrictions {
    let patterns = |text: &str| vec![ClientPattern::parse(text).unwrap()];
    let clients = ClientRules { allowed: patterns("claude-code"), blocked: patterns("curl") };
    let night = Schedule::new("22:00".parse().unwrap(), "06:30".parse().unwrap(), vec![Weekday::Fri]);
    ProviderRestrictions { clients, schedule: Some(night.unwrap()) }
}

fn rich_limits() -> Limits {
    let mut limits = Limits { concurrency: Some(4), day: Some(Day::Rolling), ..Limits::default() };
    limits.usd[Span::Month] = Some(Pico(1));
    limits
}

async fn a_provider_comes_back_as_stored(rig: Rig) {
    let new = NewProvider {
        formats: vec![Format::Gemini, Format::Anthropic],
        weight: 7,
        priority: -3,
        cost_multiplier: Money::parse("0.825").unwrap(),
        groups: vec!["g".into()],
        allowed_models: vec!["claude-*".into()],
        restrictions: restrictions(),
        model_redirects: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
        limits: rich_limits(),
        breaker: BreakerSettings { failure_threshold: 9, ..BreakerSettings::default() },
        timeouts: Timeouts { connect_ms: 1, ..Timeouts::default() },
        allow_private_network: true,
        enabled: false,
        notes: "contract ends in May".into(),
        ..provider("rich")
    };
    let made = rig.store.create_provider(new.clone()).await.unwrap();
    let found = rig.store.provider(made.card.id).await.unwrap();
    for stored in [&made, &found] {
        let card = &stored.card;
        assert_eq!(card.version, 1);
        assert_eq!((&card.name, card.kind, &card.base_url), (&new.name, new.kind, &new.base_url));
        assert_eq!(card.credential.reveal(), "canary-rich");
        assert_eq!(card.formats, new.formats);
        assert_eq!((card.weight, card.priority), (7, -3));
        assert_eq!(card.cost_multiplier, new.cost_multiplier);
        assert_eq!((&card.groups, &card.allowed_models), (&new.groups, &new.allowed_models));
        assert_eq!((&card.model_redirects, &card.restrictions), (&new.model_redirects, &new.restrictions));
        assert_eq!((card.limits, card.breaker, card.timeouts), (new.limits, new.breaker, new.timeouts));
        assert!(card.allow_private_network && !card.enabled);
        assert_eq!(stored.notes, new.notes);
    }
    assert_eq!(rig.store.providers().await.unwrap().len(), 1);
}

async fn each_change_makes_a_new_version(rig: Rig) {
    let made = rig.store.create_provider(provider("one")).await.unwrap();
    let id = made.card.id;
    let change = ProviderChange {
        credential: Some(Credential::new("rotated".into())),
        priority: Some(5),
        ..ProviderChange::default()
    };
    let changed = rig.store.update_provider(id, change).await.unwrap();
    assert_eq!(changed.card.version, 2);
    assert_eq!((changed.card.credential.reveal(), changed.card.priority), ("rotated", 5));
    assert_eq!((&changed.card.name, changed.card.weight), (&made.card.name, made.card.weight));
    let again = rig.store.update_provider(id, ProviderChange::default()).await.unwrap();
    assert_eq!((again.card.version, again.card.credential.reveal()), (3, "rotated"));

    let restrict = ProviderChange { restrictions: Some(restrictions()), ..ProviderChange::default() };
    assert_eq!(rig.store.update_provider(id, restrict).await.unwrap().card.restrictions, restrictions());
    let again = rig.store.update_provider(id, ProviderChange::default()).await.unwrap();
    assert_eq!(again.card.restrictions, restrictions(), "what was not given stays");
    rig.store.delete_provider(id).await.unwrap();
    assert_eq!(rig.store.restore_provider(id).await.unwrap().card.restrictions, restrictions());
    rig.store.delete_provider(id).await.unwrap();
    let gone = StoreError::NotFound { what: "provider" };
    assert_eq!(rig.store.provider(id).await.unwrap_err(), gone);
    assert_eq!(rig.store.update_provider(id, ProviderChange::default()).await.unwrap_err(), gone);
    assert_eq!(rig.store.delete_provider(id).await.unwrap_err(), gone);
}

async fn formats_follow_the_kind_unless_given(rig: Rig) {
    let made = rig.store.create_provider(provider("one")).await.unwrap();
    assert_eq!(made.card.formats, Kind::Claude.formats());
    let change = ProviderChange { kind: Some(Kind::Openai), ..ProviderChange::default() };
    let changed = rig.store.update_provider(made.card.id, change).await.unwrap();
    assert_eq!(changed.card.formats, Kind::Openai.formats());
}

async fn a_name_belongs_to_one_provider(rig: Rig) {
    rig.store.create_provider(provider("one")).await.unwrap();
    let taken = rig.store.create_provider(provider("one")).await.unwrap_err();
    assert_eq!(taken, StoreError::Conflict { field: "name".into() });
    assert_eq!(rig.store.providers().await.unwrap().len(), 1, "the half-made row is gone too");
}

async fn i06_a_multiplier_that_cannot_be_kept_exactly_is_refused(rig: Rig) {
    for multiplier in ["0.0000000000001", "10000000"] {
        let new = NewProvider { cost_multiplier: Money::parse(multiplier).unwrap(), ..provider("one") };
        let refused = rig.store.create_provider(new).await.unwrap_err();
        assert!(matches!(refused, StoreError::Invalid { field: "cost_multiplier", .. }), "{refused}");
    }
    let new = NewProvider { weight: u32::MAX, ..provider("one") };
    let refused = rig.store.create_provider(new).await.unwrap_err();
    assert!(matches!(refused, StoreError::Invalid { field: "weight", .. }), "{refused}");
}

/// All columns of all rows, bytes as hex.
async fn dump(rig: &Rig) -> String {
    let credential = match rig.backend {
        super::Backend::Sqlite => "hex(credential)",
        super::Backend::Postgres => "encode(credential, 'hex')",
    };
    let query = format!(
        "SELECT name || base_url || notes || CAST(model_redirects AS text) || {credential} AS text FROM providers"
    );
    rig.texts(&query).await.join("\n").to_lowercase()
}

async fn c09_the_credential_is_not_in_the_database(rig: Rig) {
    rig.store.create_provider(provider("one")).await.unwrap();
    let dump = dump(&rig).await;
    assert!(dump.contains("https://api.example.com"), "{dump}");
    assert!(!dump.contains("canary") && !dump.contains(&hex::encode("canary")), "{dump}");
}

async fn c09_credentials_swapped_between_rows_are_refused(rig: Rig) {
    let one = rig.store.create_provider(provider("one")).await.unwrap().card.id;
    let two = rig.store.create_provider(provider("two")).await.unwrap().card.id;
    rig.sql(&format!(
        "UPDATE providers SET credential = (SELECT credential FROM providers WHERE id = {two}) WHERE id = {one}"
    ))
    .await
    .unwrap();
    let refused = rig.store.provider(one).await.unwrap_err();
    let expected = format!(
        "provider `one` (id {one}): credential: sealed value was changed or belongs to another record"
    );
    assert_eq!(refused, StoreError::Corrupt(expected));
    assert!(rig.store.providers().await.is_err());
    assert_eq!(rig.store.provider(two).await.unwrap().card.credential.reveal(), "canary-two");
}

async fn c09_another_sealing_key_opens_nothing(rig: Rig) {
    let id = rig.store.create_provider(provider("one")).await.unwrap().card.id;
    let error = rig.reopened(sealer("22")).provider(id).await.unwrap_err();
    assert!(error.to_string().ends_with("credential: sealed under another sealing key"), "{error}");
}

async fn a_provider_of_unknown_kind_is_reported_as_damage(rig: Rig) {
    let id = rig.store.create_provider(provider("one")).await.unwrap().card.id;
    rig.sql("UPDATE providers SET kind = 'teapot'").await.unwrap();
    let error = rig.store.provider(id).await.unwrap_err();
    assert_eq!(error, StoreError::Corrupt(format!("provider `one` (id {id}): kind `teapot`")));
}

async fn providers_are_listed_in_pages(rig: Rig) {
    for name in ["one", "two", "three"] {
        rig.store.create_provider(provider(name)).await.unwrap();
    }
    let first = rig.store.provider_list(top(2)).await.unwrap();
    let second = rig.store.provider_list(behind(first.next, 2)).await.unwrap();
    let ids: Vec<ProviderId> =
        first.items.iter().chain(&second.items).map(|provider| provider.card.id).collect();
    assert_eq!(ids.len(), 3);
    assert!(ids.is_sorted() && second.next.is_none());
}
