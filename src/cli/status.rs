//! `status`: how the server is, and waiting until it takes requests.

use std::time::Duration;

use awc::http::Method;
use clap::Args;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

use super::{
    desk::Desk,
    exit::{Done, Exit, Failure},
    progress::spinner,
    remote::Remote,
};

/// How often to look while waiting.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// How the server is. Needs no token.
#[derive(Debug, Args)]
pub(super) struct Status {
    /// Wait until it takes requests, so long at most.
    #[arg(long, value_name = "SECONDS")]
    wait_ready: Option<u64>,
}

impl Status {
    pub(super) async fn run(self, remote: &Remote) -> Done {
        let desk = Desk::without_token(remote)?;
        if let Some(seconds) = self.wait_ready {
            until_ready(&desk, Duration::from_secs(seconds)).await?;
        }
        let ready = desk.client.ask(Method::GET, "/readyz?verbose", None).await?;
        let health = desk.client.ask(Method::GET, "/health", None).await?;
        let mut shown = Map::new();
        shown.insert("server".to_owned(), json!(desk.client.server()));
        shown.insert("ready".to_owned(), json!(ready.status.is_success()));
        for (name, value) in [health.json()?, ready.json()?].iter().filter_map(Value::as_object).flatten() {
            // The word of health says more than that of readiness.
            shown.entry(name.clone()).or_insert_with(|| value.clone());
        }
        let well = ready.status.is_success() && shown.get("status").is_some_and(|status| status == "ok");
        desk.out.own(&Value::Object(shown), "/status")?;
        if well { Ok(()) } else { Err(Failure::told(Exit::Unwell)) }
    }
}

async fn until_ready(desk: &Desk, longest: Duration) -> Done {
    let until = Instant::now() + longest;
    let bar = spinner(&desk.out, &format!("waiting for {}", desk.client.server()));
    loop {
        let answer = desk.client.try_ask(Method::GET, "/readyz", None).await;
        if answer.as_ref().is_ok_and(|reply| reply.status.is_success()) {
            bar.finish_and_clear();
            return Ok(());
        }
        if Instant::now() + AGAIN_AFTER > until {
            bar.finish_and_clear();
            let last = answer
                .map_or_else(|fault| fault.to_string(), |reply| format!("the answer was {}", reply.status));
            let text = format!("{}: not ready after {} s: {last}", desk.client.server(), longest.as_secs());
            return Err(Failure::new(Exit::Unwell, text));
        }
        sleep(AGAIN_AFTER).await;
    }
}
