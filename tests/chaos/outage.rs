//! The database goes away while traffic goes on: nothing is refused, nothing is lost, and when it is back the
//! balances are what they should be (I-42).
//!
//! `POINTSMAN_CHAOS_OUTAGE_S=600` keeps it away for ten minutes instead of two seconds.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use pointsman::{
    config::{Secret, store::StoreUrl},
    demo::upstream,
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{interval, sleep},
};
use tokio_postgres::NoTls;

use crate::{
    caller::{Ask, Caller},
    figures::{Ms, Times},
    rig::{self, Rig},
    rows, turn,
};

/// Time between two requests.
const PACE: Duration = Duration::from_millis(10);

/// A way to the database that can be shut: connections break off, and none is made.
struct Gate {
    address: SocketAddr,
    open: Arc<watch::Sender<bool>>,
}

impl Gate {
    async fn before(database: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let open = Arc::new(watch::Sender::new(true));
        let doorkeeper = Arc::clone(&open);
        tokio::spawn(async move {
            while let Ok((mut inside, _)) = listener.accept().await {
                let mut open = doorkeeper.subscribe();
                let database = database.clone();
                tokio::spawn(async move {
                    if !*open.borrow() {
                        return;
                    }
                    let Ok(mut outside) = TcpStream::connect(database).await else { return };
                    tokio::select! {
                        _ = copy_bidirectional(&mut inside, &mut outside) => (),
                        _ = open.wait_for(|open| !open) => (),
                    }
                });
            }
        });
        Self { address, open }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i42_while_postgres_is_away_nothing_is_refused_and_nothing_is_lost() {
    let _turn = turn().await;
    // CI has one: the suite of the store sees to that.
    let Ok(server) = std::env::var("POINTSMAN_TEST_POSTGRES_URL") else { return };
    let away_s = std::env::var("POINTSMAN_CHAOS_OUTAGE_S").map_or(2, |seconds| seconds.parse().unwrap());
    let schema = format!("test_{}", uuid::Uuid::now_v7().simple());
    let (client, connection) = tokio_postgres::connect(&server, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(&format!("CREATE SCHEMA {schema}")).await.unwrap();

    let (gate, url) = gate_to(&server, &schema).await;
    let upstream = upstream::start(0).unwrap();
    let rig = Rig::serve(vec![rig::provider("only", upstream.base_url())], |config| {
        config.store.url = StoreUrl::Postgres(Secret::new(url));
        config.store.pool_wait = Duration::from_millis(300);
        config.store.query_deadline = Duration::from_secs(2);
    })
    .await;

    let mut caller = Caller::connect(rig.address()).await.unwrap();
    let hello = Ask::plain(&rig.key, "some-model", "hello");
    let (mut asked, mut before, mut during, mut after) = (0, Vec::new(), Vec::new(), Vec::new());
    let mut ticks = interval(PACE);
    let began = Instant::now();
    let (goes, comes) = (Duration::from_millis(500), Duration::from_millis(500 + away_s * 1_000));
    let (mut back, mut waited, mut drained) = (None, 0, None);
    while drained.is_none() {
        ticks.tick().await;
        let at = began.elapsed();
        if at > comes && back.is_none() {
            waited = rig.house.recorder.backlog();
            gate.open.send_replace(true);
            back = Some(Instant::now());
        } else if at > goes && back.is_none() {
            gate.open.send_replace(false);
        }
        let sent = Instant::now();
        let answer = caller.ask(&hello).await.unwrap();
        assert_eq!(answer.status, 200, "refused after {at:?}: {answer:?}");
        asked += 1;
        let times = if back.is_some() {
            &mut after
        } else if at > goes {
            &mut during
        } else {
            &mut before
        };
        times.push(sent.elapsed());
        // What is being recorded meanwhile waits a moment for company.
        if let Some(back) = back.filter(|_| rig.house.recorder.backlog() <= 100) {
            drained = Some(back.elapsed());
        }
        assert!(at < comes + Duration::from_secs(60), "still {} wait", rig.house.recorder.backlog());
    }
    assert!(waited > 50, "the database was there all the time: {waited}");
    rig.house.recorder.flush().await;
    let rows = rows::all(&rig.house.store).await;
    assert_eq!((rows.len(), rows::count(&rows, "complete")), (asked, asked));
    assert_eq!(rig.house.store.drift().await.unwrap(), [], "I-04");
    println!(
        "PostgreSQL away for {away_s} s at 100 requests/s: {asked} asked, 0 refused, 0 lost; {waited} waited, caught \
         up within {} of its return; before {}; during {}; after {}",
        Ms(drained.unwrap_or_default()),
        Times::of(before),
        Times::of(during),
        Times::of(after)
    );
    drop(rig);
    clear(&client, &schema).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_database_to_begin_with_the_server_waits_and_says_so() {
    let _turn = turn().await;
    let Ok(server) = std::env::var("POINTSMAN_TEST_POSTGRES_URL") else { return };
    let schema = format!("test_{}", uuid::Uuid::now_v7().simple());
    let (client, connection) = tokio_postgres::connect(&server, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(&format!("CREATE SCHEMA {schema}")).await.unwrap();
    let (gate, url) = gate_to(&server, &schema).await;
    gate.open.send_replace(false);
    // The port must be known before the server says it.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let opening = tokio::spawn(Rig::serve(Vec::new(), move |config| {
        config.store.url = StoreUrl::Postgres(Secret::new(url));
        config.store.pool_wait = Duration::from_millis(300);
        config.server.listen = port;
    }));
    let ask = async |path: &str| {
        let mut caller = Caller::connect(port).await?;
        caller.raw(&format!("GET {path} HTTP/1.1\r\nhost: gateway\r\n\r\n")).await?;
        caller.answer().await
    };
    let began = Instant::now();
    let waiting = loop {
        if let Ok(answer) = ask("/readyz").await {
            break answer;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "it does not even listen");
        sleep(Duration::from_millis(10)).await;
    };
    assert_eq!(waiting.status, 503, "{waiting:?}");
    assert!(waiting.body.contains("\"database_read\":false"), "{waiting:?}");
    assert_eq!(ask("/livez").await.unwrap().status, 200);
    assert!(ask("/health").await.unwrap().body.contains("database_away"));
    assert_eq!(ask("/v1/models").await.unwrap().status, 503);
    gate.open.send_replace(true);
    let rig = opening.await.unwrap();
    assert_eq!(ask("/readyz").await.unwrap().status, 200);
    drop(rig);
    clear(&client, &schema).await;
}

/// A gate in front of the test server, and the way through it to a schema.
async fn gate_to(server: &str, schema: &str) -> (Gate, String) {
    let mut url: url::Url = server.parse().unwrap();
    let database = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
    let gate = Gate::before(database).await;
    url.set_ip_host(gate.address.ip()).unwrap();
    url.set_port(Some(gate.address.port())).unwrap();
    url.query_pairs_mut().append_pair("options", &format!("-csearch_path={schema}"));
    (gate, url.into())
}

/// Drops the tables once the house has let go of them.
async fn clear(client: &tokio_postgres::Client, schema: &str) {
    while client.batch_execute(&format!("DROP SCHEMA {schema} CASCADE")).await.is_err() {
        sleep(Duration::from_millis(50)).await;
    }
}
