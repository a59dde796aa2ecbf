//! Another sealing key: everything is sealed anew, the digest key stays, and nothing is lost on the way (C-10).

use actors::{ids::ProviderId, provider::card::Credential};

use super::{
    Backend, Rig, digester, on_both,
    providers::provider,
    sealer, sealing_key,
    users_and_keys::{plain_key, user},
};
use crate::{
    secrets::{
        digest::{Digester, NewApiKey},
        digest_key::DigestKey,
        keyring::Keyring,
        sealing::Sealer,
    },
    store::{
        Author, Claim, Claimed, Forgotten, Given, Mode, Pass, ProviderChange, RowChange, SealReport, Seals,
        Store, StoreError, TrashKind,
    },
};

on_both! {
    c10_everything_that_is_sealed_is_sealed_anew
    c10_what_nobody_can_open_is_told_and_left_as_it_is
    c10_several_servers_may_seal_anew_at_once_and_amid_changes
    c10_pages_of_blobs_are_all_passed_over
    c10_the_digest_key_is_settled_once_and_stays
    c10_an_old_database_keeps_its_digests
    c10_whoever_lost_the_key_begins_anew_with_everything_else
}

fn ring(current: &str, also: &[&str]) -> Keyring {
    Keyring::new(sealing_key(current), also.iter().copied().map(sealing_key))
}

fn claim(key: u8) -> Claim {
    Claim { id: [key; 32], owner: "user/1".into(), fingerprint: [7; 32], process: "a".into() }
}

fn given() -> Given {
    Given { status: 201, headers: Vec::new(), body: Some(b"sk-canary".to_vec()) }
}

/// One of each sort that is sealed: the providers `kept` and `gone`, which is deleted, what `kept` was before a
/// batch, and an answer. Gives both providers and the batch.
async fn furnish(store: &Store) -> (ProviderId, ProviderId, i64) {
    store.digest_key(&ring("11", &[])).await.unwrap();
    let kept = store.create_provider(provider("kept")).await.unwrap().card;
    let gone = store.create_provider(provider("gone")).await.unwrap().card.id;
    store.delete_provider(gone).await.unwrap();
    let change =
        ProviderChange { credential: Some(Credential::new("later".into())), ..ProviderChange::default() };
    let change = RowChange { id: kept.id.0, version: kept.version, change };
    let batch = store.change_providers(vec![change], Mode::Apply).await.unwrap().made.unwrap();
    store.claim(claim(1)).await.unwrap();
    store.claim(claim(2)).await.unwrap();
    store.keep_answer([1; 32], &given()).await.unwrap();
    (kept.id, gone, batch.id)
}

fn each(anew: u64, left: u64) -> SealReport {
    let one = Seals { anew, left };
    SealReport { digest_key: one, providers: one, deleted: one, batches: one, answers: one }
}

async fn c10_everything_that_is_sealed_is_sealed_anew(rig: Rig) {
    let (kept, gone, batch) = furnish(&rig.store).await;
    let digest = async |store: &Store, keys: &Keyring| {
        Digester::for_api_keys(&store.digest_key(keys).await.unwrap()).digest("sk-1")
    };
    let before = digest(&rig.store, &ring("11", &[])).await;
    assert_eq!(rig.store.seals(Pass::Reseal).await.unwrap(), each(0, 0), "nothing to do");

    let keys = ring("22", &["11"]);
    let both = rig.reopened(Sealer::with(&keys));
    assert_eq!(both.seals(Pass::Look).await.unwrap(), each(0, 1), "looking writes nothing");
    assert_eq!(both.seals(Pass::Look).await.unwrap(), each(0, 1));
    assert_eq!(both.seals(Pass::Reseal).await.unwrap(), each(1, 0));
    assert_eq!(both.seals(Pass::Reseal).await.unwrap(), each(0, 0));

    let new = rig.reopened(sealer("22"));
    assert_eq!(new.seals(Pass::Look).await.unwrap(), each(0, 0));
    assert_eq!(digest(&new, &ring("22", &[])).await, before, "callers are known by the same digests");
    let secret = async |id| new.provider(id).await.unwrap().card.credential.reveal().to_owned();
    let card = new.provider(kept).await.unwrap().card;
    assert_eq!(
        (secret(kept).await.as_str(), card.version),
        ("later", 2),
        "that is no change of the provider"
    );
    new.restore_provider(gone).await.unwrap();
    assert_eq!(secret(gone).await, "canary-gone");
    new.undo_batch(TrashKind::Provider, batch).await.unwrap();
    assert_eq!(secret(kept).await, "canary-kept");
    assert_eq!(new.claim(claim(1)).await.unwrap(), Claimed::Answered(given()));

    let old = rig.reopened(sealer("11"));
    assert!(old.provider(kept).await.is_err() && old.claim(claim(1)).await.is_err());
    assert_eq!(old.digest_key(&ring("11", &[])).await.unwrap_err(), StoreError::OtherSealingKey);
}

async fn c10_what_nobody_can_open_is_told_and_left_as_it_is(rig: Rig) {
    let (kept, ..) = furnish(&rig.store).await;
    let stranger = rig.reopened(Sealer::with(&ring("22", &["33"])));
    assert_eq!(stranger.seals(Pass::Reseal).await.unwrap(), each(0, 1));
    assert_eq!(rig.store.provider(kept).await.unwrap().card.credential.reveal(), "later");
    assert_eq!(rig.store.seals(Pass::Look).await.unwrap(), each(0, 0));
    // One that was changed by hand does not keep the others from being sealed anew.
    let other = rig.store.create_provider(provider("other")).await.unwrap().card.id;
    let blob =
        if rig.backend == Backend::Sqlite { "credential || X'00'" } else { r"credential || '\x00'::bytea" };
    let blob = if rig.backend == Backend::Sqlite { format!("CAST({blob} AS BLOB)") } else { blob.to_owned() };
    rig.sql(&format!("UPDATE providers SET credential = {blob} WHERE id = {kept}")).await.unwrap();
    let both = rig.reopened(Sealer::with(&ring("22", &["11"])));
    let report = both.seals(Pass::Reseal).await.unwrap();
    assert_eq!(report.providers, Seals { anew: 1, left: 1 });
    assert_eq!(report.total(), Seals { anew: 5, left: 1 });
    assert_eq!(
        rig.reopened(sealer("22")).provider(other).await.unwrap().card.credential.reveal(),
        "canary-other"
    );
}

async fn c10_several_servers_may_seal_anew_at_once_and_amid_changes(rig: Rig) {
    let mut ids = Vec::new();
    for number in 0..12 {
        ids.push(rig.store.create_provider(provider(&format!("p{number}"))).await.unwrap().card.id);
    }
    let one = rig.reopened(Sealer::with(&ring("22", &["11"])));
    // An SQLite file has one server.
    let (two, old) = match rig.backend {
        Backend::Sqlite => (one.clone(), one.clone()),
        Backend::Postgres => (rig.reopened(Sealer::with(&ring("22", &["11"]))), rig.store.clone()),
    };
    let changes = ids.iter().map(|id| {
        let credential = Some(Credential::new(format!("changed-{id}")));
        old.update_provider(*id, ProviderChange { credential, ..ProviderChange::default() })
    });
    let changes = futures_util::future::join_all(changes);
    let (one_did, two_did, changed) =
        futures_util::join!(one.seals(Pass::Reseal), two.seals(Pass::Reseal), changes);
    assert!(
        one_did.is_ok() && two_did.is_ok() && changed.iter().all(Result::is_ok),
        "{one_did:?} {two_did:?}"
    );
    // The old server has written with the old key meanwhile; none of that is lost.
    one.seals(Pass::Reseal).await.unwrap();
    let new = rig.reopened(sealer("22"));
    assert_eq!(new.seals(Pass::Look).await.unwrap().total(), Seals::default());
    for card in new.providers().await.unwrap() {
        assert_eq!(card.credential.reveal(), format!("changed-{}", card.id));
    }
}

async fn c10_pages_of_blobs_are_all_passed_over(rig: Rig) {
    for number in 0..120_u8 {
        rig.store.claim(claim(number)).await.unwrap();
        rig.store.keep_answer([number; 32], &given()).await.unwrap();
    }
    let stranger = rig.reopened(sealer("33"));
    assert_eq!(stranger.seals(Pass::Reseal).await.unwrap().answers, Seals { anew: 0, left: 120 });
    let both = rig.reopened(Sealer::with(&ring("22", &["11"])));
    assert_eq!(both.seals(Pass::Reseal).await.unwrap().answers, Seals { anew: 120, left: 0 });
}

async fn c10_the_digest_key_is_settled_once_and_stays(rig: Rig) {
    let keys = ring("11", &["22"]);
    let stores: Vec<Store> = (0..6).map(|_| rig.reopened(Sealer::with(&keys))).collect();
    let settled = futures_util::future::join_all(stores.iter().map(|store| store.digest_key(&keys))).await;
    let digests: Vec<_> =
        settled.into_iter().map(|key| Digester::for_api_keys(&key.unwrap()).digest("sk-1")).collect();
    assert!(
        digests.iter().all(|digest| *digest == digests[0]),
        "of servers that start at once all have the same"
    );
    assert!(digests[0] != digester().digest("sk-1"), "it is random in a new database");
}

/// An api key made by a version that had no digest key, with this sealing key.
async fn old_key(rig: &Rig) {
    let user = user(&rig.store, "anna").await;
    rig.store.create_key(user.id, &NewApiKey::generate(&digester()), plain_key("one")).await.unwrap();
}

async fn c10_an_old_database_keeps_its_digests(rig: Rig) {
    old_key(&rig).await;
    rig.store.create_provider(provider("one")).await.unwrap();
    let keys = ring("22", &["11"]);
    let refused = rig.reopened(Sealer::with(&keys)).digest_key(&keys).await.unwrap_err();
    assert!(refused.to_string().contains("start once with the sealing key"), "{refused}");
    let wrong = rig.reopened(sealer("22")).digest_key(&ring("22", &[])).await.unwrap_err();
    assert!(wrong.to_string().contains("another sealing key"), "a wrong key is not kept: {wrong}");
    let digest = async |store: &Store, keys: &Keyring| {
        Digester::for_api_keys(&store.digest_key(keys).await.unwrap()).digest("sk-1")
    };
    assert_eq!(digest(&rig.store, &ring("11", &[])).await, digester().digest("sk-1"));
    let both = rig.reopened(Sealer::with(&keys));
    assert_eq!(
        digest(&both, &keys).await,
        digester().digest("sk-1"),
        "settled, it is changed like any other"
    );
    both.seals(Pass::Reseal).await.unwrap();
    assert_eq!(digest(&rig.reopened(sealer("22")), &ring("22", &[])).await, digester().digest("sk-1"));
}

async fn c10_whoever_lost_the_key_begins_anew_with_everything_else(rig: Rig) {
    let (kept, gone, batch) = furnish(&rig.store).await;
    old_key(&rig).await;
    rig.store.put_admin_token_digest(&digester().digest("token")).await.unwrap();
    let before = rig.store.digest_key(&ring("11", &[])).await.unwrap();
    let author = Author { who: "reset".into(), address: None };
    let store = rig.reopened(sealer("22")).signed(author);
    assert!(rig.store.opens().await.unwrap() && !store.opens().await.unwrap());
    let forgotten = store.begin_anew().await.unwrap();
    assert_eq!(forgotten, Forgotten { digest_key: true, providers: vec!["kept".to_owned()] });

    assert!(store.opens().await.unwrap() && !rig.store.opens().await.unwrap());
    assert_eq!(store.seals(Pass::Look).await.unwrap(), each(0, 0));
    let after = store.digest_key(&ring("22", &[])).await.unwrap();
    let digest = |key: &DigestKey| Digester::for_api_keys(key).digest("sk-1");
    assert!(digest(&before) != digest(&after));
    assert_eq!(store.admin_token_digest().await.unwrap(), None, "the next start makes one");
    let card = store.provider(kept).await.unwrap().card;
    assert_eq!((card.enabled, card.version, card.credential.reveal()), (false, 3, "lost"));
    let gone = store.restore_provider(gone).await.unwrap_err();
    assert!(matches!(gone, StoreError::NotFound { .. }), "{gone}");
    let batch = store.batch_kind(batch).await.unwrap_err();
    assert!(matches!(batch, StoreError::NotFound { .. }), "{batch}");
    assert_eq!(store.claim(claim(1)).await.unwrap(), Claimed::First);
    assert_eq!(rig.texts("SELECT name AS text FROM api_keys").await, ["one"], "to be rotated");
    let told = rig.texts("SELECT who || ' ' || action AS text FROM audit_log").await;
    assert_eq!(told, ["reset sealing_key.reset"]);
    let forgotten = store.begin_anew().await.unwrap();
    assert_eq!(forgotten, Forgotten { digest_key: false, providers: Vec::new() }, "what opens stays");

    // One that was left behind alone takes nothing else along; and what is damaged otherwise is not for this.
    rig.store.create_provider(provider("left")).await.unwrap();
    assert!(!store.opens().await.unwrap());
    let kept = digest(&store.digest_key(&ring("22", &[])).await.unwrap());
    let forgotten = store.begin_anew().await.unwrap();
    assert_eq!(forgotten, Forgotten { digest_key: false, providers: vec!["left".to_owned()] });
    assert!(digest(&store.digest_key(&ring("22", &[])).await.unwrap()) == kept);
    rig.sql("UPDATE providers SET kind = 'teapot'").await.unwrap();
    assert!(store.providers().await.is_err() && store.opens().await.unwrap());
}
