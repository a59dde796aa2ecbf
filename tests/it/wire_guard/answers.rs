//! S1 to S3: answers that awc alone would mix up, cut short, or throw away.

use std::{rc::Rc, time::Duration};

use awc::http::Method;
use bytes::Bytes;
use pointsman::upstream::{Fault, Malformed, Outgoing};
use tokio::{sync::Notify, time::timeout};

use super::{card_of, clients, drain, exchange, post, text};
use crate::scripted::{Conn, Upstream};

/// Four users ask one after the other on kept-alive connections; each must get their own answer.
async fn check_cross_talk<S, F>(answer: S)
where
    S: Fn(Conn, String) -> F + Clone + 'static,
    F: Future<Output = Conn> + 'static,
{
    let upstream = Upstream::start(move |mut conn| {
        let answer = answer.clone();
        async move {
            while let Some(request) = conn.request().await {
                conn = answer(conn, request.text().to_owned()).await;
            }
        }
    })
    .await;
    let (clients, card) = (clients(), card_of(&upstream));
    for round in 0..10 {
        for user in ["alice", "bob", "carol", "dave"] {
            let nonce = format!("{user} {round}");
            assert_eq!(exchange(&clients, &card, &nonce).await, Ok((200, nonce)));
        }
    }
}

/// Lets awc read what was sent before anything else is sent.
async fn pause() {
    tokio::time::sleep(Duration::from_millis(2)).await;
}

#[actix_rt::test]
async fn i30_an_interim_head_hands_nobody_the_answer_of_another() {
    for interim in [
        "HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n",
    ] {
        check_cross_talk(move |mut conn, nonce| async move {
            conn.send(interim).await;
            pause().await;
            conn.answer(&nonce).await;
            conn
        })
        .await;
    }
}

#[actix_rt::test]
async fn i30_a_body_that_ends_with_the_connection_reaches_its_own_reader_whole() {
    check_cross_talk(|mut conn, nonce| async move {
        conn.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n").await;
        pause().await;
        let (first, rest) = nonce.split_at(3);
        conn.send(first).await;
        pause().await;
        conn.send(rest).await;
        conn.finish().await.unwrap();
        std::future::pending().await
    })
    .await;
}

#[actix_rt::test]
async fn i30_an_upgrade_header_does_not_hide_the_body_from_awc() {
    // awc takes such a head for one without a body, and would leave "nonce" to the next reader.
    check_cross_talk(|mut conn, nonce| async move {
        let length = nonce.len();
        conn.send(format!("HTTP/1.1 200 OK\r\nupgrade: websocket\r\ncontent-length: {length}\r\n\r\n")).await;
        pause().await;
        conn.send(nonce).await;
        conn
    })
    .await;
}

#[actix_rt::test]
async fn i30_an_answer_nobody_asked_for_is_given_to_nobody() {
    let sent = Rc::new(Notify::new());
    let upstream = Upstream::start({
        let sent = sent.clone();
        move |mut conn| {
            let sent = sent.clone();
            async move {
                while let Some(request) = conn.request().await {
                    conn.answer(request.text()).await;
                    pause().await;
                    conn.answer("for nobody").await;
                    sent.notify_one();
                }
            }
        }
    })
    .await;
    let (clients, card) = (clients(), card_of(&upstream));
    for user in ["alice", "bob", "carol"] {
        assert_eq!(exchange(&clients, &card, user).await, Ok((200, user.to_owned())));
        sent.notified().await;
    }
    assert_eq!(upstream.connections(), 3, "a connection that spoke unasked is not used again");
}

#[actix_rt::test]
async fn bodies_pass_byte_for_byte_and_connections_are_reused() {
    let body: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
    let expected = body.clone();
    let upstream = Upstream::start(move |mut conn| {
        let body = body.clone();
        async move {
            while conn.request().await.is_some() {
                conn.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
                for (number, run) in body.chunks(7_001).enumerate() {
                    conn.send(format!("{:x};n={number}\r\n", run.len())).await;
                    conn.send(run).await;
                    conn.send("\r\n").await;
                }
                conn.send("0\r\nx-sum: 1\r\n\r\n").await;
            }
        }
    })
    .await;
    let (clients, card) = (clients(), card_of(&upstream));
    for _ in 0..3 {
        let incoming = clients.send(&card, post("hi")).await.unwrap();
        let (body, end) = drain(incoming.body).await;
        assert_eq!((body == expected, end), (true, Ok(())));
    }
    assert_eq!(upstream.connections(), 1);
}

#[actix_rt::test]
async fn answers_without_a_body_leave_the_connection_in_order() {
    let upstream = Upstream::start(|mut conn| async move {
        while let Some(request) = conn.request().await {
            match request.line() {
                line if line.starts_with("HEAD ") => {
                    conn.send("HTTP/1.1 200 OK\r\ncontent-length: 700\r\n\r\n").await;
                }
                line if line.contains("/same") => {
                    conn.send("HTTP/1.1 304 Not Modified\r\ncontent-length: 700\r\n\r\n").await;
                }
                line if line.contains("/none") => conn.send("HTTP/1.1 204 No Content\r\n\r\n").await,
                _ => conn.answer("plain").await,
            }
        }
    })
    .await;
    let (clients, card) = (clients(), card_of(&upstream));
    for (method, path, status, body) in [
        (Method::HEAD, "/", 200, ""),
        (Method::GET, "/same", 304, ""),
        (Method::GET, "/none", 204, ""),
        (Method::GET, "/plain", 200, "plain"),
    ] {
        let outgoing = Outgoing { method, path_and_query: path.to_owned(), ..post("") };
        let incoming = clients.send(&card, outgoing).await.unwrap();
        assert_eq!(incoming.status.as_u16(), status, "{path}");
        assert_eq!(text(incoming).await, body, "{path}");
    }
    assert_eq!(upstream.connections(), 1);
}

#[actix_rt::test]
async fn a_big_head_within_bounds_passes() {
    let upstream = Upstream::start(|mut conn| async move {
        conn.request().await;
        let lines: String = (0..90).map(|n| format!("x-{n}:{}\r\n", "y".repeat(1_400))).collect();
        conn.send(format!("HTTP/1.1 200 OK\r\n{lines}content-length: 2\r\n\r\nok")).await;
    })
    .await;
    let incoming = clients().send(&card_of(&upstream), post("hi")).await.unwrap();
    assert_eq!(incoming.headers.get("x-89").map(|value| value.len()), Some(1_400));
    assert_eq!(text(incoming).await, "ok");
}

/// How the upstream ends a connection.
#[derive(Clone, Copy, Debug)]
enum End {
    Fin,
    Rst,
}

#[actix_rt::test]
async fn i27_every_cut_ends_in_a_fault() {
    use Fault::{Cut, Malformed as Bad, NoAnswer};
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let cases = [
        ("within the head", "HTTP/1.1 200 OK\r\ncontent-".to_owned(), End::Fin, Cut),
        ("after the head", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n".to_owned(), End::Fin, Cut),
        ("5 bytes short", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello".to_owned(), End::Fin, Cut),
        ("before any chunk", chunked.to_owned(), End::Fin, Cut),
        ("within a size line", format!("{chunked}5\r\nhello\r\n1"), End::Fin, Cut),
        ("within a chunk", format!("{chunked}5\r\nhel"), End::Fin, Cut),
        ("at the end of chunk data", format!("{chunked}5\r\nhello"), End::Fin, Cut),
        ("at a chunk boundary", format!("{chunked}5\r\nhello\r\n"), End::Fin, Cut),
        ("within the last chunk", format!("{chunked}5\r\nhello\r\n0\r\n"), End::Fin, Cut),
        ("within a trailer", format!("{chunked}5\r\nhello\r\n0\r\nx-sum: 1\r\n"), End::Fin, Cut),
        ("reset within a chunk", format!("{chunked}5\r\nhel"), End::Rst, Cut),
        (
            "reset within a body that ends with the connection",
            "HTTP/1.1 200 OK\r\n\r\nhel".to_owned(),
            End::Rst,
            Cut,
        ),
        ("nothing at all", String::new(), End::Fin, NoAnswer),
        ("reset without a word", String::new(), End::Rst, NoAnswer),
        ("after an interim head", "HTTP/1.1 103 Early Hints\r\n\r\n".to_owned(), End::Fin, Cut),
        ("garbage", "\x16\x03\x01 hello".to_owned(), End::Fin, Bad(Malformed::NotHttp)),
        (
            "garbage in a chunk size",
            format!("{chunked}5\r\nhello\r\nxyz\r\n"),
            End::Fin,
            Bad(Malformed::ChunkSize),
        ),
        (
            "two lengths",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab".to_owned(),
            End::Fin,
            Bad(Malformed::ContentLength),
        ),
        (
            "six interim heads",
            "HTTP/1.1 100 Continue\r\n\r\n".repeat(6),
            End::Fin,
            Fault::TooManyInterimHeads,
        ),
        (
            "switched protocols",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n".to_owned(),
            End::Fin,
            Bad(Malformed::Switched),
        ),
        (
            "a head without end",
            format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(200_000)),
            End::Fin,
            Bad(Malformed::HeadTooBig),
        ),
    ];
    for (name, bytes, end, fault) in cases {
        let upstream = Upstream::start(move |mut conn| {
            let bytes = bytes.clone();
            async move {
                conn.request().await;
                conn.send(bytes).await;
                pause().await;
                match end {
                    End::Fin => drop(conn),
                    End::Rst => conn.reset(),
                }
            }
        })
        .await;
        let ended = exchange(&clients(), &card_of(&upstream), "hi").await;
        assert_eq!(ended, Err(fault), "{name}");
        assert_eq!(upstream.connections(), 1, "{name}: nothing of this is worth a second connection");
    }
}

#[actix_rt::test]
async fn i27_what_came_before_the_cut_is_passed_on() {
    let upstream = Upstream::start(|mut conn| async move {
        conn.request().await;
        conn.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nwo").await;
    })
    .await;
    let incoming = clients().send(&card_of(&upstream), post("hi")).await.unwrap();
    assert_eq!(drain(incoming.body).await, (b"hellowo".to_vec(), Err(Fault::Cut)));
}

/// A prompt that no socket buffer swallows.
fn prompt() -> Bytes {
    Bytes::from(vec![b'x'; 4 << 20])
}

#[actix_rt::test]
async fn an_early_answer_is_read_even_though_the_upstream_took_no_more_of_the_prompt() {
    let upstream = Upstream::start(|mut conn| async move {
        conn.head().await;
        let head =
            "HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\ncontent-length: 9\r\nconnection: close";
        conn.send(format!("{head}\r\n\r\nslow down")).await;
        // Closing with unread bytes sends a reset.
    })
    .await;
    let (clients, card) = (clients(), card_of(&upstream));
    for _ in 0..20 {
        let incoming = clients.send(&card, post(prompt())).await.unwrap();
        assert_eq!(incoming.status.as_u16(), 429);
        assert_eq!(incoming.headers.get("retry-after").unwrap(), "7");
        assert_eq!(text(incoming).await, "slow down");
    }
    assert_eq!(upstream.connections(), 20);
}

#[actix_rt::test]
async fn an_early_refusal_is_read_even_if_the_upstream_neither_reads_on_nor_closes() {
    let upstream = Upstream::start(|mut conn| async move {
        conn.head().await;
        conn.send("HTTP/1.1 413 Too Large\r\ncontent-length: 7\r\n\r\ntoo big").await;
        std::future::pending().await
    })
    .await;
    let (clients, card) = (clients(), card_of(&upstream));
    for _ in 0..2 {
        let sent = clients.send(&card, post(prompt()));
        let incoming = timeout(Duration::from_secs(5), sent).await.expect("in time").unwrap();
        assert_eq!((incoming.status.as_u16(), text(incoming).await), (413, "too big".to_owned()));
    }
    assert_eq!(upstream.connections(), 2, "half a prompt is left in the first connection");
}
