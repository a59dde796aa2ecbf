//! The log of the built binary, line by line: every line about a request has its id, and each request leaves
//! one that tells how it ended.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::timeout,
};

/// Nothing in a story takes longer, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(30);

/// A demo with its log in JSON.
struct Demo {
    process: Child,
    log: UnboundedReceiver<String>,
    /// Addresses, key and token, as it prints them for programs.
    told: Value,
}

impl Demo {
    async fn start() -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_pointsman"))
            .args(["serve", "--demo", "--port", "0", "--log-format", "json", "--log-level", "debug"])
            .env_clear()
            .env("POINTSMAN_DEMO_JSON", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = lines(process.stdout.take().unwrap());
        let log = lines(process.stderr.take().unwrap());
        let told = loop {
            let line = timeout(PATIENCE, said.recv()).await.expect("a start in time").expect("a start");
            if let Some(told) = line.strip_prefix("POINTSMAN_DEMO ") {
                break serde_json::from_str(told).unwrap();
            }
        };
        Self { process, log, told }
    }

    fn told(&self, what: &str) -> &str {
        self.told[what].as_str().unwrap()
    }

    /// Asks for an answer of `model` with that key; its status and id.
    async fn ask(&self, model: &str, key: &str) -> (u16, String) {
        let url = format!("{}/v1/messages", self.told("base_url"));
        let asked = json!({
            "model": model, "max_tokens": 50, "stream": true, "messages": [{"role": "user", "content": "tides?"}],
        });
        let mut answer = awc::Client::default()
            .post(url)
            .insert_header(("x-api-key", key))
            .send_json(&asked)
            .await
            .unwrap();
        let id = answer.headers().get("x-pointsman-request-id").unwrap().to_str().unwrap().to_owned();
        answer.body().await.unwrap();
        (answer.status().as_u16(), id)
    }

    /// The lines up to the one that tells how that request ended.
    async fn lines_until_the_end_of(&mut self, request: &str) -> Vec<Value> {
        let mut lines = Vec::new();
        loop {
            let line = timeout(PATIENCE, self.log.recv()).await.expect("a line in time").expect("a line");
            let line: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line}"));
            let is_last = line["request"] == request && line["ending"].is_string();
            lines.push(line);
            if is_last {
                return lines;
            }
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn lines(from: impl Read + Send + 'static) -> UnboundedReceiver<String> {
    let (tell, lines) = unbounded_channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            // Nobody listens any more.
            let _ = tell.send(line);
        }
    });
    lines
}

#[actix::test]
async fn every_line_about_a_request_has_its_id_and_the_last_one_tells_the_end() {
    let mut demo = Demo::start().await;
    let key = demo.told("key").to_owned();
    let mut stories = Vec::new();
    // What was logged before the first request is nobody's.
    let (_, first) = demo.ask("claude-demo-1", &key).await;
    demo.lines_until_the_end_of(&first).await;

    for (model, key) in [("claude-demo-1", key.as_str()), ("invented", &key), ("claude-demo-1", "nobody's")] {
        let (status, id) = demo.ask(model, key).await;
        stories.push((status, id.clone(), demo.lines_until_the_end_of(&id).await));
    }
    let script = format!("{}/_script", demo.told("upstream"));
    let fail = json!({"mode": "fail", "status": 500});
    awc::Client::default().post(script).send_json(&fail).await.unwrap();
    let (status, id) = demo.ask("claude-demo-1", &key).await;
    stories.push((status, id.clone(), demo.lines_until_the_end_of(&id).await));

    for (_, id, lines) in &stories {
        // The state thread speaks of providers, not of requests.
        let about = lines.iter().filter(|line| !line["target"].as_str().unwrap().starts_with("actors::"));
        for line in about {
            assert_eq!(line["request"], id.as_str(), "{line}");
        }
    }
    let [(200, _, plain), (200, _, unpriced), (401, _, refused), (200, _, failed_over)] = &stories[..] else {
        panic!("{stories:?}");
    };
    let end = |lines: &[Value]| lines.last().unwrap().clone();
    let told = end(plain);
    let fields =
        ["status", "ending", "provider", "model", "attempts", "level"].map(|name| told[name].clone());
    let expected: [Value; 6] =
        [200.into(), "complete".into(), "north".into(), "claude-demo-1".into(), 1.into(), "info".into()];
    assert_eq!(fields, expected, "{told}");
    for number in ["user", "key", "duration_ms", "input_tokens", "output_tokens"] {
        assert!(told[number].as_f64().is_some_and(|number| number > 0.0), "{number}: {told}");
    }
    assert!(told["cost_usd"].as_str().unwrap().parse::<f64>().unwrap() > 0.0, "{told}");

    let warnings: Vec<_> = unpriced.iter().filter(|line| line["level"] == "warn").collect();
    assert_eq!(warnings.len(), 1, "that there is no price is told: {unpriced:?}");
    assert_eq!(end(unpriced).get("cost_usd"), None);
    let told = end(refused);
    assert_eq!((&told["ending"], &told["error"]), (&"refused".into(), &"key_unknown".into()), "{told}");
    assert_eq!(told.get("user"), None);
    let told = end(failed_over);
    assert_eq!((&told["provider"], &told["attempts"]), (&"south".into(), &2.into()), "{told}");
}
