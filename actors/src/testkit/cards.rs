//! Ready-made cards and asks, to be varied by the test that uses them.

use std::{collections::BTreeMap, sync::Arc};

use protocol::{Format, Operation};

use crate::{
    dispatcher::messages::{Ask, CallerLimits},
    ids::{KeyId, ProviderId, RequestId, UserId},
    ledger::{claim::Estimate, limits::Limits},
    money::Money,
    provider::card::{BreakerSettings, Card, Credential, Kind, Timeouts},
    restrictions::ProviderRestrictions,
};

/// An enabled provider that serves all formats and models to everyone.
#[must_use]
pub fn plain(id: i64) -> Arc<Card> {
    with(id, |_| {})
}

/// The same, with changes.
#[must_use]
pub fn with(id: i64, change: impl FnOnce(&mut Card)) -> Arc<Card> {
    let mut card = Card {
        id: ProviderId(id),
        version: 1,
        name: format!("p{id}"),
        kind: Kind::Claude,
        base_url: "http://127.0.0.1:1".to_owned(),
        credential: Credential::new(format!("credential-{id}")),
        formats: Format::ALL.to_vec(),
        weight: 1,
        priority: 0,
        cost_multiplier: Money::zero(),
        groups: Vec::new(),
        allowed_models: Vec::new(),
        restrictions: ProviderRestrictions::default(),
        model_redirects: BTreeMap::new(),
        limits: Limits::default(),
        breaker: BreakerSettings::default(),
        timeouts: Timeouts::default(),
        allow_private_network: true,
        enabled: true,
    };
    change(&mut card);
    Arc::new(card)
}

/// A turn of the default group without a conversation.
#[must_use]
pub fn ask(model: &str) -> Ask {
    Ask {
        request: RequestId::new(),
        key: KeyId(1),
        user: UserId(1),
        limits: CallerLimits::default(),
        estimate: Estimate::default(),
        groups: Arc::new([]),
        closed_to_client: Vec::new(),
        format: Format::Anthropic,
        operation: Operation::Generate,
        model: model.to_owned(),
        session: None,
        session_is_marked: false,
        session_goes_on: true,
        continues: None,
    }
}
