//! Sudden death while the sealing key is changed (C-10): under traffic, again and again, at another point each
//! time. No request fails for it, nothing that was sealed is lost, and in the end the last key alone is enough.
//!
//! `POINTSMAN_CHAOS_KILLS=100` dies a hundred times instead of twenty.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use actors::provider::card::Credential;
use futures_util::future::join_all;
use pointsman::{
    demo::upstream::{self, Options},
    secrets::keyring::OLD_FILE_NAME,
    store::{NewProvider, Store},
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    caller::{Ask, Caller},
    operator::{ADMIN_TOKEN, operate},
    process::Premises,
    rig, turn,
};

const CREDENTIAL: &str = "the credential of every provider";
/// Enough for a death to come amid them.
const PROVIDERS: usize = 40;
const CALLERS: usize = 4;
/// How long everything may take to be sealed anew.
const SEALED_WITHIN: Duration = Duration::from_secs(30);

fn providers(url: &str) -> Vec<NewProvider> {
    let one = |number| {
        let provider = rig::provider(&format!("p{number}"), url.to_owned());
        NewProvider { credential: Credential::new(CREDENTIAL.to_owned()), ..provider }
    };
    (0..PROVIDERS).map(one).collect()
}

/// Asks until nobody answers any more; every answer must be as if nothing happened.
async fn ask(gateway: SocketAddr, key: String, dying: Arc<AtomicBool>, answered: Arc<AtomicUsize>) {
    while let Ok(mut caller) = Caller::connect(gateway).await {
        let Ok(answer) = caller.ask(&Ask::plain(&key, "m", "hello")).await else {
            assert!(dying.load(SeqCst), "a request was dropped");
            return;
        };
        assert_eq!(answer.status, 200, "{}", answer.body);
        answered.fetch_add(1, SeqCst);
    }
}

/// How many values are sealed with another key.
async fn left(gateway: SocketAddr) -> u64 {
    let answer = operate(gateway, "GET", "/sealing-key", None).await.unwrap();
    let standing: Value = serde_json::from_str(&answer.body).unwrap();
    standing["sealed_with_another"]["total"].as_u64().unwrap()
}

/// Waits until everything is sealed with the current key, and takes the one before away.
async fn withdraw(gateway: SocketAddr, old: &Path) {
    let since = Instant::now();
    while left(gateway).await > 0 {
        assert!(since.elapsed() < SEALED_WITHIN, "not everything is sealed anew");
        sleep(Duration::from_millis(10)).await;
    }
    // It is not there where the process died before the change had begun.
    let _ = fs::remove_file(old);
}

/// What is in the database opens with the keys that are there, and says what it always said.
async fn all_open(store: &Store) {
    let cards = store.providers().await.unwrap();
    assert_eq!(cards.len(), PROVIDERS - 1);
    assert!(cards.iter().all(|card| card.credential.reveal() == CREDENTIAL));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c10_the_sealing_key_is_changed_under_traffic_whenever_the_process_dies() {
    let _turn = turn().await;
    let kills: u32 = std::env::var("POINTSMAN_CHAOS_KILLS").map_or(20, |kills| kills.parse().unwrap());
    let upstream =
        upstream::start_with(Options { credential: Some(CREDENTIAL.to_owned()), ..Options::default() })
            .unwrap();
    let premises = Premises::with(providers(&upstream.base_url())).await;
    let (key_file, environment) = (premises.sealing_key_file(), [("ADMIN_TOKEN", ADMIN_TOKEN)]);
    let (old, first) = (key_file.with_file_name(OLD_FILE_NAME), fs::read(&key_file).unwrap());
    let answered = Arc::new(AtomicUsize::new(0));
    let (mut yeses, mut halfway) = (0, 0);
    for life in 0..kills {
        let mut process = premises.start(&format!("life-{life}"), "info", &environment).await;
        let gateway = process.address;
        if life == 0 {
            let deleted = operate(gateway, "DELETE", "/providers/1", None).await.unwrap();
            assert_eq!(deleted.status, 204, "{}", deleted.body);
        }
        halfway +=
            usize::from(old.exists() && left(gateway).await > 0 || process.stderr().contains("sealed anew"));
        withdraw(gateway, &old).await;
        let dying = Arc::new(AtomicBool::new(false));
        let asking: Vec<_> = (0..CALLERS)
            .map(|_| ask(gateway, premises.key.clone(), Arc::clone(&dying), Arc::clone(&answered)))
            .map(tokio::spawn)
            .collect();
        sleep(Duration::from_millis(30)).await;
        // A server that is not restarted has the key before in memory still: it must let it be changed all the same.
        let changing =
            tokio::spawn(async move { operate(gateway, "POST", "/sealing-key/change", None).await });
        // No two lives end at the same point of the work, from before it begins until after its end.
        sleep(Duration::from_micros(u64::from(life) * 7_919 % 120_000)).await;
        dying.store(true, SeqCst);
        process.kill();
        if let Some(changed) = changing.await.unwrap() {
            assert_eq!(changed.status, 200, "{}", changed.body);
            yeses += 1;
        }
        for asked in join_all(asking).await {
            asked.unwrap();
        }
        all_open(&premises.store()).await;
    }
    let process = premises.start("the last", "info", &environment).await;
    withdraw(process.address, &old).await;
    let last = premises.store();
    all_open(&last).await;
    let restored = operate(process.address, "POST", "/providers/1/restore", Some(json!({}))).await.unwrap();
    assert_eq!(restored.status, 200, "{}", restored.body);
    assert_eq!(last.providers().await.unwrap()[0].credential.reveal(), CREDENTIAL);
    let mut caller = Caller::connect(process.address).await.unwrap();
    assert_eq!(caller.ask(&Ask::plain(&premises.key, "m", "hello")).await.unwrap().status, 200);
    assert!(fs::read(&key_file).unwrap() != first, "the key was changed");
    assert!(yeses > 0 && halfway > 0, "{yeses} yeses, {halfway} deaths amid it");
    println!(
        "kill -9 while the sealing key is changed: {kills} times, {yeses} changes answered, {halfway} lives began with \
         values of the key before; {} requests answered, all with 200; nothing lost",
        answered.load(SeqCst)
    );
}
