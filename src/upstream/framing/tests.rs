//! Every cut of every answer comes to the same.

use proptest::{collection::vec, prelude::*, sample::Index};

use super::{Fault, Framing, MAX_HEAD, Malformed, Then};

/// Feeds `input` cut at `cuts`; what was passed on and where it led.
fn run(input: &[u8], cuts: &[usize], bodiless: bool) -> (Vec<u8>, Then, Result<(), Fault>) {
    let mut framing = Framing::new();
    framing.begin(bodiless);
    let mut passed = Vec::new();
    let mut then = Then::More;
    let mut bounds = cuts.to_vec();
    bounds.extend([0, input.len()]);
    bounds.sort_unstable();
    for pair in bounds.windows(2) {
        let run = &input[pair[0]..pair[1]];
        if run.is_empty() {
            continue;
        }
        let taken = framing.take(run);
        if let Some(head) = taken.head {
            passed.extend_from_slice(&head.text);
        }
        passed.extend_from_slice(&run[taken.body]);
        then = taken.then;
    }
    let closed = framing.close();
    (passed, then, closed)
}

fn whole(input: &str) -> (String, Then, Result<(), Fault>) {
    let (passed, then, closed) = run(input.as_bytes(), &[], false);
    (String::from_utf8(passed).expect("ascii"), then, closed)
}

const OVER: Then = Then::Over { reusable: true };
const SPENT: Then = Then::Over { reusable: false };

#[test]
fn i30_interim_heads_are_swallowed_up_to_five() {
    let interim = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
    let four = interim.repeat(2);
    assert_eq!(whole(&format!("{four}{answer}")), (answer.to_owned(), OVER, Ok(())));
    let five = format!("{four}HTTP/1.1 102 Processing\r\n\r\n");
    assert_eq!(whole(&format!("{five}{answer}")).1, OVER);
    let six = interim.repeat(3);
    assert_eq!(whole(&format!("{six}{answer}")).1, Then::Broken(Fault::TooManyInterimHeads));
}

#[test]
fn i30_an_answer_nobody_asked_for_costs_the_connection_and_is_not_passed_on() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
    let (passed, then, _) = whole(&answer.repeat(2));
    assert_eq!((passed.as_str(), then), (answer, SPENT));
}

#[test]
fn i27_an_answer_is_whole_only_where_its_framing_says_so() {
    for (input, closed) in [
        ("", Err(Fault::Cut)),
        ("HTTP/1.1 200", Err(Fault::Cut)),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell", Err(Fault::Cut)),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", Ok(())),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", Err(Fault::Cut)),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nh", Err(Fault::Cut)),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n", Err(Fault::Cut)),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n", Err(Fault::Cut)),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", Ok(())),
        ("HTTP/1.1 200 OK\r\n\r\nhel", Ok(())),
        ("HTTP/1.1 204 No Content\r\n\r\n", Ok(())),
    ] {
        assert_eq!(whole(input).2, closed, "{input:?}");
    }
}

#[test]
fn the_answer_to_a_head_request_has_no_body() {
    let input = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n";
    assert_eq!(run(input, &[], true).1, OVER);
}

#[test]
fn garbage_and_endless_heads_are_refused_early() {
    let not_http = Then::Broken(Fault::Malformed(Malformed::NotHttp));
    assert_eq!(whole("\r\nHTTP/1.1 200 OK\r\n\r\n").1, not_http);
    assert_eq!(whole("SSH-2.0-x").1, not_http);
    assert_eq!(whole("HTTP/2").1, not_http);
    let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(MAX_HEAD));
    assert_eq!(whole(&endless).1, Then::Broken(Fault::Malformed(Malformed::HeadTooBig)));
    let switched = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n";
    assert_eq!(whole(switched).1, Then::Broken(Fault::Malformed(Malformed::Switched)));
}

/// Pieces that make good, bad and truncated answers when strung together.
fn answers() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"HTTP/1.1 200 OK\r\n".to_vec()),
        Just(b"HTTP/1.1 103 Early Hints\r\n\r\n".to_vec()),
        Just(b"HTTP/1.0 200 OK\r\n".to_vec()),
        Just(b"content-length: 5\r\n".to_vec()),
        Just(b"transfer-encoding: chunked\r\n".to_vec()),
        Just(b"connection: close\r\n".to_vec()),
        Just(b"x: folded\r\n y\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"5\r\nhello\r\n".to_vec()),
        Just(b"5;ext=1\r\nhello\r\n".to_vec()),
        Just(b"0\r\n".to_vec()),
        Just(b"0\r\nsum: 1\r\n\r\n".to_vec()),
        Just(b"hello".to_vec()),
        vec(any::<u8>(), 0..4),
    ];
    let opening = prop_oneof![
        Just(Vec::new()),
        Just(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec()),
        Just(b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n".to_vec()),
        Just(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()),
    ];
    (opening, vec(piece, 0..8)).prop_map(|(opening, pieces)| [opening, pieces.concat()].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn i26_any_cut_of_the_bytes_gives_the_same_verdict_and_passes_the_same_bytes(
        input in answers(),
        cuts in vec(any::<Index>(), 0..12),
        bodiless in any::<bool>(),
    ) {
        let cuts: Vec<_> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
        let in_one = run(&input, &[], bodiless);
        prop_assert_eq!(&run(&input, &cuts, bodiless), &in_one);
        let singly: Vec<_> = (0..input.len()).collect();
        prop_assert_eq!(&run(&input, &singly, bodiless), &in_one);
    }
}
