//! I-26: what the caller gets is what the upstream sent, however it was cut on the way.

use std::rc::Rc;

use futures_util::{StreamExt as _, stream};
use pointsman::config::server::Placement;
use protocol::Format;
use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};
use sha2::{Digest as _, Sha256};

use crate::{
    house::{Asking, End, HEAD_OF_STREAM, Speech, TestHouse, chunk},
    scripted::{Conn, Upstream},
};

const STREAMS: u64 = 1_000;
const AT_ONCE: usize = 32;

/// Text that is easily cut in the wrong place.
const TEXTS: [&str; 5] = ["plain", "größe, 鉄道, 🚂", "a\\n\\ndata: b", "\\u2028 \\r\\n", "event: error"];

/// One stream: its bytes, and where they are cut.
struct Told {
    format: Format,
    whole: Vec<u8>,
    cuts: Vec<usize>,
    chunked: bool,
}

impl Told {
    /// The stream of that number: the same one whenever it is asked for.
    fn new(seed: u64) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let format = Format::ALL[random.random_range(0..Format::ALL.len())];
        let text = TEXTS[random.random_range(0..TEXTS.len())].repeat(random.random_range(1..40));
        let Speech { mut events, preamble, .. } = Speech::new(format, &text);
        let deltas = events[preamble + 1].repeat(random.random_range(1..30));
        events.insert(preamble + 1, deltas);
        if random.random_bool(0.3) {
            events.insert(1, ": keep-alive\n\n".to_owned());
        }
        let mut whole = events.concat();
        if random.random_bool(0.3) {
            whole = whole.replace("\r\n", "\n").replace('\n', "\r\n");
        }
        let largest = [1, 3, 64, 1_500, 65_536][random.random_range(0..5)];
        // A stream that is sent byte by byte would take all day if it were long.
        let largest = if whole.len() > 4_000 { largest.max(64) } else { largest };
        let (mut cuts, mut left) = (Vec::new(), whole.len());
        while left > 0 {
            let next = random.random_range(1..=largest.min(left));
            cuts.push(next);
            left -= next;
        }
        Self { format, whole: whole.into_bytes(), cuts, chunked: random.random_bool(0.8) }
    }

    async fn tell(&self, conn: &mut Conn) {
        let head = if self.chunked {
            HEAD_OF_STREAM.to_owned()
        } else {
            let length = self.whole.len();
            format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {length}\r\n\r\n")
        };
        conn.send(head).await;
        let mut rest = self.whole.as_slice();
        for cut in &self.cuts {
            let (next, behind) = rest.split_at(*cut);
            match self.chunked {
                true => conn.send(chunk(next)).await,
                false => conn.send(next).await,
            }
            rest = behind;
            // Lets the piece leave on its own.
            tokio::task::yield_now().await;
        }
        if self.chunked {
            conn.send("0\r\n\r\n").await;
        }
    }
}

async fn check(placement: Placement, seeds: std::ops::Range<u64>) {
    let upstream = Upstream::start(|mut conn| async move {
        while let Some(request) = conn.request().await {
            let seed = request.text().split("stream ").nth(1).and_then(|text| text.split('.').next());
            Told::new(seed.and_then(|seed| seed.parse().ok()).expect("a seed")).tell(&mut conn).await;
        }
    })
    .await;
    let opened = TestHouse::open(|setup| {
        setup.placement = placement;
        setup.provider("only", upstream.address);
    })
    .await;
    let house = &opened;
    let mut heard = stream::iter(seeds)
        .map(async |seed| {
            let told = Rc::new(Told::new(seed));
            let asking = Asking::in_format(told.format, "m", true, &format!("stream {seed}."));
            (seed, told, house.ask(asking).await)
        })
        .buffer_unordered(AT_ONCE);
    while let Some((seed, told, heard)) = heard.next().await {
        let (sent, received) = (Sha256::digest(&told.whole), Sha256::digest(&heard.body));
        assert_eq!((heard.status, heard.end), (200, End::Clean), "stream {seed}");
        assert_eq!(sent, received, "stream {seed}: {}", String::from_utf8_lossy(&heard.body));
    }
    drop(heard);
    for row in opened.rows().await {
        assert_eq!(row.ending.name(), "complete", "{row:?}");
    }
    opened.close().await;
}

#[actix_rt::test]
async fn i26_five_hundred_streams_arrive_byte_by_byte_with_the_state_beside_the_worker() {
    check(Placement::Beside, 0..STREAMS / 2).await;
}

#[actix_rt::test]
async fn i26_five_hundred_streams_arrive_byte_by_byte_with_the_state_on_its_own_thread() {
    check(Placement::Own, STREAMS / 2..STREAMS).await;
}
