//! Requests that must not be done twice.

use super::{Backend, Rig, on_both, sealer};
use crate::store::{Claim, Claimed, Given, StoreError};

on_both! {
    of_many_with_one_key_one_is_told_to_go_ahead
    what_a_process_that_died_had_begun_is_not_known
    c09_an_answer_is_sealed_at_rest
    c26_keys_are_bounded_and_go_after_a_day
}

fn claim(key: u8) -> Claim {
    Claim { id: [key; 32], owner: "user/1".into(), fingerprint: [7; 32], process: "a".into() }
}

fn given() -> Given {
    Given { status: 201, headers: vec![("etag".into(), "\"1\"".into())], body: Some(b"sk-canary".to_vec()) }
}

async fn of_many_with_one_key_one_is_told_to_go_ahead(rig: Rig) {
    let claims = (0..12).map(|_| rig.store.claim(claim(1)));
    let claimed = futures_util::future::join_all(claims).await;
    let first = claimed.iter().filter(|claimed| matches!(claimed, Ok(Claimed::First))).count();
    let running = claimed.iter().filter(|claimed| matches!(claimed, Ok(Claimed::Running))).count();
    assert_eq!((first, running), (1, 11), "{claimed:?}");
    let other = Claim { fingerprint: [8; 32], ..claim(1) };
    assert_eq!(rig.store.claim(other).await.unwrap(), Claimed::Reused);
    rig.store.forget_claim([1; 32]).await.unwrap();
    assert_eq!(rig.store.claim(claim(1)).await.unwrap(), Claimed::First);
}

async fn what_a_process_that_died_had_begun_is_not_known(rig: Rig) {
    rig.store.claim(claim(1)).await.unwrap();
    let later = Claim { process: "b".into(), ..claim(1) };
    assert_eq!(rig.store.claim(later.clone()).await.unwrap(), Claimed::Unknown);
    rig.store.keep_answer([1; 32], &given()).await.unwrap();
    assert_eq!(rig.store.claim(later).await.unwrap(), Claimed::Answered(given()));
}

async fn c09_an_answer_is_sealed_at_rest(rig: Rig) {
    for key in [1, 2] {
        rig.store.claim(claim(key)).await.unwrap();
        rig.store.keep_answer([key; 32], &given()).await.unwrap();
    }
    let hex = if rig.backend == Backend::Sqlite { "hex(answer)" } else { "encode(answer, 'hex')" };
    for text in rig.texts(&format!("SELECT lower({hex}) AS text FROM idempotent_requests")).await {
        assert!(!text.contains(&hex::encode("canary")), "an api key lies open");
    }
    let stranger = rig.reopened(sealer("22"));
    assert!(matches!(stranger.claim(claim(1)).await, Err(StoreError::Corrupt(_))));
    // Each opens in its own row only.
    rig.sql(
        "UPDATE idempotent_requests SET answer = \
         (SELECT other.answer FROM idempotent_requests AS other WHERE other.id <> idempotent_requests.id)",
    )
    .await
    .unwrap();
    assert!(matches!(rig.store.claim(claim(1)).await, Err(StoreError::Corrupt(_))));
}

async fn c26_keys_are_bounded_and_go_after_a_day(rig: Rig) {
    rig.store.claim(claim(1)).await.unwrap();
    let (id, at, long_ago) = if rig.backend == Backend::Sqlite {
        ("CAST(printf('%032d', i) AS BLOB)", "strftime('%s', 'now') * 1000000", "created_at - 86500000000")
    } else {
        ("convert_to(lpad(i::text, 32, '0'), 'UTF8')", "now()", "created_at - interval '86500 seconds'")
    };
    rig.sql(&format!(
        "INSERT INTO idempotent_requests (id, owner, fingerprint, process, created_at) \
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999) \
         SELECT {id}, 'user/1', {id}, 'a', {at} FROM n"
    ))
    .await
    .unwrap();
    assert_eq!(rig.store.claim(claim(2)).await.unwrap(), Claimed::TooMany);
    assert_eq!(rig.store.claim(claim(1)).await.unwrap(), Claimed::Running, "what was there counts on");
    let somebody = Claim { owner: "user/2".into(), ..claim(3) };
    assert_eq!(rig.store.claim(somebody).await.unwrap(), Claimed::First);
    rig.sql(&format!("UPDATE idempotent_requests SET created_at = {long_ago}")).await.unwrap();
    assert_eq!(rig.store.claim(claim(1)).await.unwrap(), Claimed::First);
    let left = rig.texts("SELECT CAST(count(*) AS text) AS text FROM idempotent_requests").await;
    assert_eq!(left, ["1"]);
}
