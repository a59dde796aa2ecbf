//! The command line about the request log: following it, and files of it.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
    process::Stdio,
};

use serde_json::json;

use crate::house::{House, TOKEN, command, text};

#[test]
fn tail_tells_each_new_request_once_and_ends_on_an_interrupt() {
    let house = House::open();
    house.must(&["user", "add", "ada"]);
    let key = house.must(&["key", "add", "ada", "k", "-o", "name"]);
    let ask = |model: &str| request(&house, &key, model);
    ask("before");
    let environment = [("POINTSMAN_SERVER", &*house.url), ("POINTSMAN_TOKEN", TOKEN)];
    let mut tail = command(&environment, &["request", "tail", "--interval-ms", "50"]);
    let mut tail = tail.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("STARTED"));
    for model in ["first", "second"] {
        ask(model);
        let line = lines.next().unwrap().unwrap();
        assert!(line.contains(model), "{line}");
    }
    let interrupt = format!("kill -INT {}", tail.id());
    assert!(std::process::Command::new("sh").args(["-c", &interrupt]).status().unwrap().success());
    assert_eq!(tail.wait().unwrap().code(), Some(130));
    assert!(house.must(&["request", "ls", "--model", "before"]).contains("before"));
}

/// A request, answered; its row is there by then.
pub(crate) fn request(house: &House, key: &str, model: &str) {
    let body =
        json!({"model": model, "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}).to_string();
    let mut socket = TcpStream::connect(house.url.trim_start_matches("http://")).unwrap();
    write!(
        socket,
        "POST /v1/messages HTTP/1.1\r\nhost: h\r\nx-api-key: {}\r\ncontent-type: application/json\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        key.trim(),
        body.len()
    )
    .unwrap();
    std::io::copy(&mut socket, &mut std::io::sink()).unwrap();
}

#[test]
fn the_log_is_exported_to_a_file_and_nothing_of_that_stays_on_the_server() {
    let house = House::open();
    house.must(&["user", "add", "ada"]);
    let key = house.must(&["key", "add", "ada", "k", "-o", "name"]);
    for model in ["=1+1", "plain", "plain"] {
        request(&house, &key, model);
    }
    let (csv, xlsx) = (house.path("log.csv"), house.path("log.xlsx"));
    let said = house.must(&["request", "export", text(&csv), "--user", "ada", "-o", "json"]);
    let told: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&told["rows"], &told["bytes"]), (&json!(3), &json!(fs::metadata(&csv).unwrap().len())));
    let written = fs::read_to_string(&csv).unwrap();
    assert_eq!(written.lines().count(), 4);
    assert!(written.starts_with("id,started_at,") && written.contains(",'=1+1,"), "{written}");
    assert_eq!(house.ask(&["request", "export", text(&csv)]).code, 6, "what is there is not replaced");
    let few = ["request", "export", text(&csv), "--force", "--model", "plain", "--class", "error"];
    house.must(&few);
    assert_eq!(fs::read_to_string(&csv).unwrap().lines().count(), 3);
    house.must(&["request", "export", text(&xlsx), "--from", "2020-01-01T00:00:00Z", "--client", "nobody"]);
    assert!(fs::read(&xlsx).unwrap().starts_with(b"PK"));
    assert_eq!(house.ask(&["request", "export", text(&house.path("what"))]).code, 2, "as what?");
    let refused = house.ask(&["request", "export", text(&house.path("a.csv")), "--min-cost-usd", "much"]);
    assert!(refused.code == 1 && refused.err.contains("min_cost_usd"), "{refused:?}");
    assert!(!house.path("a.csv").exists());
    let totals: serde_json::Value =
        serde_json::from_str(&house.must(&["request", "totals", "--model", "plain", "-o", "json"])).unwrap();
    assert_eq!(totals["requests"], 2);
    assert_eq!(fs::read_dir(house.data().join("exports")).unwrap().count(), 0);
    let house_of_files = fs::read_dir(house.path(".")).unwrap();
    let drafts =
        house_of_files.filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'));
    assert_eq!(drafts.count(), 0);
}

#[test]
fn the_log_is_narrowed_alike_in_a_list_in_totals_and_in_a_file() {
    let house = House::open();
    house.must(&["user", "add", "ada"]);
    let key = house.must(&["key", "add", "ada", "k", "-o", "name"]);
    // Nobody is there to answer, so there is no attempt either.
    request(&house, &key, "m");
    let shown = house.must(&["request", "ls", "-o", "json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let status = shown["items"][0]["status"].to_string();
    let file = house.path("log.csv");
    let found = |filter: &[&str]| {
        let json = |args: &[&str]| -> serde_json::Value {
            serde_json::from_str(&house.must(&[args, filter, &["-o", "json"]].concat())).unwrap()
        };
        let listed = json(&["request", "ls"])["items"].as_array().unwrap().len();
        assert_eq!(json(&["request", "totals"])["requests"], json!(listed), "{filter:?}");
        assert_eq!(json(&["request", "export", text(&file), "--force"])["rows"], json!(listed), "{filter:?}");
        listed
    };
    let pairs = [
        (["--wire-format", "anthropic"], ["--wire-format", "openai_chat"]),
        (["--operation", "generate"], ["--operation", "count_tokens"]),
        (["--not-status", "200"], ["--not-status", &status]),
        (["--min-attempts", "0"], ["--min-attempts", "1"]),
    ];
    for (with, without) in pairs {
        assert_eq!((found(&with), found(&without)), (1, 0), "{with:?}");
    }
    let all: Vec<_> = pairs.iter().flat_map(|(with, _)| *with).collect();
    assert_eq!(found(&all), 1);
    for (format, requests) in [("anthropic", 1), ("gemini", 0)] {
        let told = house.must(&["stats", "show", "--by", "operation", "--wire-format", format, "-o", "json"]);
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        assert_eq!(told["total"]["requests"], json!(requests), "{format}");
    }
    let unknown = house.ask(&["request", "ls", "--wire-format", "bedrock"]);
    assert!(
        unknown.code == 2 && unknown.err.contains("anthropic, openai_chat, openai_responses, gemini"),
        "{unknown:?}"
    );
    assert_eq!(house.ask(&["request", "totals", "--operation", "sing"]).code, 2);
}
