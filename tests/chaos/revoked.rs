//! Sudden death while keys are taken away (I-41): what was answered with a yes holds at once and for ever, and
//! whom it does not concern notices nothing.
//!
//! `POINTSMAN_CHAOS_KILLS=100` dies a hundred times instead of ten.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use futures_util::future::join_all;
use pointsman::demo::upstream;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    caller::{Ask, Caller},
    operator::{ADMIN_TOKEN, operate},
    process::Premises,
    rig, turn,
};

/// Keys that are made, and taken away, in one life.
const KEYS: usize = 12;

/// A key.
#[derive(Clone)]
struct Key {
    id: i64,
    secret: String,
}

async fn make(gateway: SocketAddr, name: String) -> Key {
    let made = operate(gateway, "POST", "/users/1/keys", Some(json!({ "name": name }))).await.unwrap();
    assert_eq!(made.status, 201, "{}", made.body);
    let made: Value = serde_json::from_str(&made.body).unwrap();
    Key { id: made["id"].as_i64().unwrap(), secret: made["key"].as_str().unwrap().to_owned() }
}

/// Takes a key away, by the way that its number chooses. True when that was answered with a yes.
async fn revoke(gateway: SocketAddr, key: &Key) -> bool {
    let answer = match key.id % 3 {
        0 => operate(gateway, "DELETE", &format!("/keys/{}", key.id), None).await,
        1 => operate(gateway, "POST", &format!("/keys/{}/disable", key.id), None).await,
        _ => operate(gateway, "POST", &format!("/keys/{}/rotate", key.id), Some(json!({}))).await,
    };
    answer.is_some_and(|answer| (200..300).contains(&answer.status))
}

/// With which status a key is answered; none where nobody answers any more.
async fn status(gateway: SocketAddr, key: &str) -> Option<u16> {
    let mut caller = Caller::connect(gateway).await.ok()?;
    caller.ask(&Ask::plain(key, "m", "hello")).await.ok().map(|answer| answer.status)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i41_a_key_that_was_taken_away_stays_so_whenever_the_process_dies() {
    let _turn = turn().await;
    let kills: u32 = std::env::var("POINTSMAN_CHAOS_KILLS").map_or(10, |kills| kills.parse().unwrap());
    let upstream = upstream::start(0).unwrap();
    let premises = Premises::with(vec![rig::provider("one", upstream.base_url())]).await;
    let environment = [("ADMIN_TOKEN", ADMIN_TOKEN)];
    let (mut gone, mut unanswered, mut looked) = (Vec::<Key>::new(), 0, 0);
    for life in 0..kills {
        let mut process = premises.start(&format!("life-{life}"), "info", &environment).await;
        let gateway = process.address;
        // The first thing this life is asked: whether what earlier ones promised holds.
        let answers = join_all(gone.iter().map(|key| status(gateway, &key.secret))).await;
        looked += answers.len();
        assert!(answers.iter().all(|status| *status == Some(401)), "life {life}: {answers:?}");
        assert_eq!(status(gateway, &premises.key).await, Some(200), "whom it does not concern");

        let names = (0..KEYS).map(|number| make(gateway, format!("{life} {number}")));
        let keys = join_all(names).await;
        let dying = Arc::new(AtomicBool::new(false));
        let revoking = keys.iter().cloned().map(|key| {
            let dying = Arc::clone(&dying);
            tokio::spawn(async move {
                let yes = revoke(gateway, &key).await;
                // At once: there is no moment after the yes in which the key is taken. Unless nobody is there.
                let after = if yes { status(gateway, &key.secret).await } else { None };
                assert!(matches!(after, None | Some(401)), "{after:?} after a yes");
                assert!(yes || dying.load(SeqCst), "refused without need");
                yes.then_some(key)
            })
        });
        let revoking: Vec<_> = revoking.collect();
        // No two lives end at the same point of their work.
        sleep(Duration::from_micros(5_000 + u64::from(life) * 47_919 % 300_000)).await;
        dying.store(true, SeqCst);
        process.kill();
        let revoked = join_all(revoking).await;
        let revoked: Vec<Key> = revoked.into_iter().filter_map(Result::unwrap).collect();
        unanswered += KEYS - revoked.len();
        gone.extend(revoked);
    }
    let process = premises.start("the last", "info", &environment).await;
    let answers = join_all(gone.iter().map(|key| status(process.address, &key.secret))).await;
    assert!(answers.iter().all(|status| *status == Some(401)), "{answers:?}");
    assert!(!gone.is_empty() && unanswered > 0, "{} yeses, {unanswered} without an answer", gone.len());
    println!(
        "kill -9 while keys are taken away: {kills} times; {} deleted, disabled or rotated with a yes, {unanswered} \
         without an answer; asked again in each later life, {} times: 401 every time",
        gone.len(),
        looked + answers.len()
    );
}
