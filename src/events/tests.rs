//! Listening as such: who is let in, what is heard, and who is let go.

use chrono::DateTime;

use super::*;
use crate::journal::record::Record;

fn finish(events: &Events, count: usize) {
    (0..count).for_each(|_| events.finished(&Record::plain(DateTime::UNIX_EPOCH)));
}

/// Listens without waiting for a watch, of which there is none here.
async fn listen(events: &Events, last: Option<&str>) -> Result<Listener, NotNow> {
    events.listen(Topic::ALL.to_vec(), last).await
}

#[tokio::test(start_paused = true)]
async fn without_a_listener_nothing_is_told_or_kept() {
    let events = Events::default();
    finish(&events, 10);
    assert_eq!(events.desk().last(), 0);
    assert!(events.take_touched(1).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_listener_hears_a_snapshot_then_changes_and_after_a_break_what_it_missed() {
    let events = Events::default();
    let mut listener = listen(&events, None).await.unwrap();
    assert_eq!(listener.next().await.unwrap().name, "snapshot");
    finish(&events, 1);
    let first = listener.next().await.unwrap();
    assert_eq!(first.name, "request");
    drop(listener);
    finish(&events, 2);
    let mut again = listen(&events, Some(&first.id)).await.unwrap();
    finish(&events, 1);
    for _ in 0..3 {
        assert_eq!(again.next().await.unwrap().name, "request", "each once, and no snapshot");
    }
    drop(again);
    events.rest();
    finish(&events, 1);
    let mut late = listen(&events, Some(&first.id)).await.unwrap();
    assert_eq!(late.next().await.unwrap().name, "snapshot", "there is a gap, and it is said");
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_reads_too_slowly_is_let_go_and_told_why() {
    let events = Events::default();
    let mut slow = listen(&events, None).await.unwrap();
    let mut prompt = listen(&events, None).await.unwrap();
    for _ in 0..3_000 {
        finish(&events, 1);
        prompt.next().await.unwrap();
    }
    assert_eq!(slow.next().await.unwrap().name, "snapshot");
    assert_eq!(slow.next().await.unwrap_err(), Ended::TooSlow);
}

#[tokio::test(start_paused = true)]
async fn no_more_listen_than_there_are_places_and_the_end_is_told_to_all() {
    let events = Events::default();
    let mut listeners = Vec::new();
    for _ in 0..MOST_LISTENERS {
        listeners.push(listen(&events, None).await.unwrap());
    }
    assert_eq!(listen(&events, None).await.err(), Some(NotNow::TooMany));
    listeners.pop();
    let mut last = listen(&events, None).await.unwrap();
    assert_eq!(last.next().await.unwrap().name, "snapshot");
    events.close();
    assert_eq!(last.next().await.unwrap_err(), Ended::Stopping);
    assert_eq!(listeners.pop().map(|listener| listener.in_company_of()), Some(MOST_LISTENERS));
    drop(listeners);
    assert_eq!(listen(&events, None).await.err(), Some(NotNow::Stopping));
}
