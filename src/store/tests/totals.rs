//! Totals of the request log: those of the rows, whichever way they are read.

use std::time::Duration;

use actors::{
    ids::{KeyId, ProviderId, RequestId, UserId},
    money::Pico,
};
use chrono::{TimeDelta, Utc};
use protocol::{Format, Operation, Usage};

use super::{Rig, on_both};
use crate::{
    journal::record::{AttemptRecord, Ending, Metering, Record},
    store::{RequestClass, RequestFilter, Tally},
};

on_both! {
    totals_are_those_of_the_rows_whatever_the_filter
    what_there_is_to_choose_from_is_what_occurs
}

/// Ten hours of requests until now, some admitted long after they began.
fn records() -> Vec<Record> {
    let now = Utc::now();
    let one = |number: i64| {
        let mut record = Record::new(RequestId::new(), now - TimeDelta::minutes(number * 2));
        record.minute += (number * 7) % 59;
        record.user_id = (number % 5 != 0).then_some(UserId(number % 3));
        record.key_id = record.user_id.map(|user| KeyId(user.0 * 10 + number % 2));
        record.provider_id = (number % 4 != 0).then_some(ProviderId(number % 2));
        record.model =
            record.user_id.map(|_| ["a", "b/1", "c"][usize::try_from(number % 3).unwrap()].to_owned());
        record.user_agent = Some(
            ["cli/1", "cli/2 (x)", "curl", "näive x/1"][usize::try_from(number % 4).unwrap()].to_owned(),
        );
        record.session = (number % 7 == 0).then(|| "s".to_owned());
        (record.status, record.ending) = match number % 11 {
            0 => (429, Ending::Refused),
            1 => (200, Ending::Cut),
            2 => (499, Ending::CallerLeft),
            3 => (200, Ending::CallerLeft),
            4 => (502, Ending::CallerLeft),
            5 => (201, Ending::Complete),
            _ => (200, Ending::Complete),
        };
        record.duration = Duration::from_millis(5);
        record.format = record.user_id.map(|user| Format::ALL[usize::try_from(user.0).unwrap()]);
        record.operation = record.format.map(|_| Operation::ALL[usize::from(number % 4 == 0)]);
        let attempt = || AttemptRecord::new(ProviderId(1), "one".to_owned(), Duration::ZERO);
        record.attempts = (0..number % 4).map(|_| attempt()).collect();
        let tokens = u64::try_from(number).unwrap();
        let usage =
            Usage { input_tokens: tokens, cache_write_1h_tokens: 3, output_tokens: 1, ..Usage::default() };
        record.settle(Metering::Exact(usage), Some(Pico(i128::from(number) * 1_000)), false);
        record
    };
    (0..300).map(one).collect()
}

fn filters() -> Vec<RequestFilter> {
    let none = RequestFilter::default;
    let mut filters = vec![
        none(),
        RequestFilter { user_id: Some(UserId(1)), ..none() },
        RequestFilter { key_id: Some(KeyId(11)), ..none() },
        RequestFilter { user_id: Some(UserId(1)), key_id: Some(KeyId(11)), ..none() },
        RequestFilter { provider_id: Some(ProviderId(1)), ..none() },
        RequestFilter { model: Some("b/1".to_owned()), ..none() },
        RequestFilter { client: Some("cli".to_owned()), ..none() },
        RequestFilter { client: Some("näive".to_owned()), user_id: Some(UserId(2)), ..none() },
        RequestFilter { session: Some("s".to_owned()), ..none() },
        RequestFilter { min_cost: Some(Pico(150_000)), ..none() },
        RequestFilter { not_status: Some(200), ..none() },
        RequestFilter { not_status: Some(429), class: Some(RequestClass::Ok), ..none() },
        RequestFilter { not_status: Some(429), ..none() },
        RequestFilter { not_status: Some(499), format: Some(Format::ALL[1]), ..none() },
        RequestFilter { not_status: Some(429), status: Some(499), ..none() },
        RequestFilter { min_attempts: Some(0), ..none() },
        RequestFilter { min_attempts: Some(1), ..none() },
        RequestFilter { min_attempts: Some(1), user_id: Some(UserId(1)), ..none() },
        RequestFilter { min_attempts: Some(1), provider_id: Some(ProviderId(1)), ..none() },
        RequestFilter { min_attempts: Some(1), class: Some(RequestClass::Ok), ..none() },
        RequestFilter { min_attempts: Some(1), not_status: Some(429), ..none() },
        RequestFilter { min_attempts: Some(2), ..none() },
        RequestFilter { min_attempts: Some(3), status: Some(200), ..none() },
        RequestFilter { format: Some(Format::OpenaiChat), ..none() },
        RequestFilter { class: Some(RequestClass::Ok), format: Some(Format::OpenaiChat), ..none() },
        RequestFilter { operation: Some(Operation::Generate), ..none() },
        RequestFilter { operation: Some(Operation::Generate), status: Some(200), ..none() },
        RequestFilter { operation: Some(Operation::CountTokens), user_id: Some(UserId(1)), ..none() },
    ];
    filters.extend(RequestClass::ALL.map(|class| RequestFilter { class: Some(class), ..none() }));
    filters.extend([200, 201, 429, 499, 418].map(|status| RequestFilter { status: Some(status), ..none() }));
    filters.push(RequestFilter { class: Some(RequestClass::Ok), user_id: Some(UserId(1)), ..none() });
    filters.push(RequestFilter { class: Some(RequestClass::Ok), status: Some(200), ..none() });
    filters
}

async fn totals_are_those_of_the_rows_whatever_the_filter(rig: Rig) {
    rig.store.insert_requests(&records()).await.unwrap();
    let now = Utc::now();
    let ago = |minutes: i64| Some(now - TimeDelta::minutes(minutes));
    let spans = [
        (None, None),
        (ago(431), None),
        (None, ago(95)),
        (ago(500), ago(61)),
        (ago(90), ago(30)),
        (ago(30), ago(-900)),
    ];
    for filter in filters() {
        let (mut before, mut seen) = (None, 0);
        for (from, to) in spans {
            let filter = RequestFilter { from, to, ..filter.clone() };
            let page = rig.store.requests(filter.clone(), None, 500).await.unwrap();
            let total = rig.store.request_totals(filter.clone()).await.unwrap();
            let mut expected = Tally::default();
            for record in &page.items {
                let usage = record.metering.usage();
                expected.requests += 1;
                expected.input_tokens += i64::try_from(usage.input_tokens).unwrap();
                expected.cache_write_tokens += i64::try_from(usage.cache_write_1h_tokens).unwrap();
                expected.output_tokens += i64::try_from(usage.output_tokens).unwrap();
                expected.cost += record.cost.unwrap_or(Pico::ZERO);
                let broken = !matches!(record.ending, Ending::Complete | Ending::CallerLeft);
                expected.errors += i64::from(broken || record.status >= 400 && record.status != 499);
            }
            let plain = |tally: Tally| {
                (
                    tally.requests,
                    tally.errors,
                    tally.input_tokens,
                    tally.cache_write_tokens,
                    tally.output_tokens,
                    tally.cost,
                )
            };
            assert_eq!(plain(total), plain(expected), "{filter:?}");
            before = before.max(Some(total.requests));
            seen += total.requests;
        }
        assert_eq!(
            before.unwrap() > 0,
            filter.status != Some(418),
            "{filter:?} lets something through: {seen}"
        );
    }
}

async fn what_there_is_to_choose_from_is_what_occurs(rig: Rig) {
    assert_eq!(rig.store.request_choices().await.unwrap(), crate::store::Choices::default());
    rig.store.insert_requests(&records()).await.unwrap();
    let all = rig.store.request_choices().await.unwrap();
    assert_eq!((all.users, all.keys, all.providers), (vec![0, 1, 2], vec![0, 1, 10, 11, 20, 21], vec![0, 1]));
    assert_eq!((all.models, all.clients), (words(&["a", "b/1", "c"]), words(&["cli", "curl", "näive"])));
    assert_eq!(all.statuses, [200, 201, 429, 499, 502]);
    assert_eq!(all.calls.len(), 6, "three formats, two operations each: {:?}", all.calls);
    assert_eq!(all.calls[0], (Format::Anthropic, Operation::Generate));
    let own = rig.store.request_choices_of(UserId(1), Some(KeyId(11))).await.unwrap();
    assert_eq!((own.users.len(), own.keys, own.providers.len()), (0, vec![11], 0));
    assert_eq!(own.models, words(&["b/1"]), "each user of these has a model");
    assert_eq!(own.calls, [(Format::OpenaiChat, Operation::Generate)]);
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
