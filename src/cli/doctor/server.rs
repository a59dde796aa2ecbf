//! The server as it answers: is it ready, what is degraded, does it take the token, how are its actors and books.

use awc::http::Method;
use serde_json::Value;

use super::{finding::Finding, upstreams::Place};
use crate::cli::{
    desk::Desk,
    exit::{Exit, Failure},
    remote::Remote,
};

/// Whether what listens on that port of this machine is a Pointsman.
pub(super) async fn is_ours(port: u16) -> bool {
    let Ok(url) = format!("http://127.0.0.1:{port}/health").parse() else { return false };
    let Ok(settings) = crate::upstream::Settings::new(None) else { return false };
    let health = crate::upstream::fetch::Fetch::new(&settings, url).fetch(64 << 10).await;
    let health = health.ok().and_then(|body| serde_json::from_slice::<Value>(&body).ok());
    health.is_some_and(|health| health.get("version").is_some() && health.get("degraded").is_some())
}

/// Looks, and gives the providers if the server told them.
pub(super) async fn look(
    desk: &Desk,
    remote: &Remote,
    findings: &mut Vec<Finding>,
) -> Result<Option<Vec<Place>>, Failure> {
    let server = desk.client.server();
    let health = match desk.client.try_ask(Method::GET, "/health", None).await {
        Ok(reply) => reply.json(),
        Err(fault) => {
            let cause = format!("{server}: {fault}");
            findings.push(Finding::warning(
                "server",
                cause,
                "start it (`pointsman serve`), or name it with --server",
            ));
            return Ok(None);
        }
    };
    let Ok(health) = health else {
        let cause = format!("{server} is not a Pointsman");
        findings.push(Finding::bad("server", cause, "name the right address with --server"));
        return Ok(None);
    };
    healthy(server, &health, findings);
    ready(desk, findings).await?;
    if !token(desk, remote, findings).await? {
        return Ok(None);
    }
    actors(desk, findings).await?;
    books(desk, findings).await?;
    let places = desk.entries("/providers", &[]).await?.into_iter().filter_map(|provider| {
        let text = |name| provider.get(name)?.as_str().map(str::to_owned);
        let private = provider.get("allow_private_network")?.as_bool()?;
        Some(Place::new(text("name")?, text("base_url")?, private))
    });
    Ok(Some(places.collect()))
}

fn healthy(server: &str, health: &Value, findings: &mut Vec<Finding>) {
    let version = health.get("version").and_then(Value::as_str).unwrap_or("of unknown version");
    let degraded = health.get("degraded").and_then(Value::as_array).cloned().unwrap_or_default();
    if degraded.is_empty() {
        findings.push(Finding::ok("server", format!("{server} answers, version {version}")));
    }
    for mode in degraded.iter().filter_map(Value::as_str) {
        let (cause, mend) = match mode {
            "database_away" => {
                ("its database does not answer", "start the database; records wait in the journal until then")
            }
            "recorder_full" => (
                "so many records wait that it refuses requests",
                "bring the database back, or raise journal.max_bytes",
            ),
            "journal_failing" => (
                "its journal cannot be written, and it refuses requests",
                "make room on the disk of data_dir, and let its user write there",
            ),
            "journal_damaged" => (
                "parts of its journal were damaged",
                "look at *.damaged in data_dir, check the disk, then move them away",
            ),
            "records_set_aside" => {
                ("the database refused records", "look at the quarantine file in data_dir; the log says why")
            }
            "actors_down" => (
                "actors rest after panics",
                "`pointsman actors ls` names them, the log says why; a restart wakes them",
            ),
            _ => ("it is degraded", "look at its log"),
        };
        findings.push(Finding::bad(mode, cause, mend));
    }
}

async fn ready(desk: &Desk, findings: &mut Vec<Finding>) -> Result<(), Failure> {
    let reply = desk.client.ask(Method::GET, "/readyz?verbose", None).await?;
    if reply.status.is_success() {
        findings.push(Finding::ok("ready", "it takes requests"));
        return Ok(());
    }
    let body = reply.json()?;
    let checks = body.get("checks").and_then(Value::as_object).into_iter().flatten();
    let failing: Vec<&str> =
        checks.filter(|(_, holds)| **holds == false).map(|(name, _)| name.as_str()).collect();
    let cause = format!("it takes no requests: {}", failing.join(", "));
    findings.push(Finding::bad(
        "ready",
        cause,
        "see what is degraded, or wait: `pointsman status --wait-ready 60`",
    ));
    Ok(())
}

/// Whether it takes the token.
async fn token(desk: &Desk, remote: &Remote, findings: &mut Vec<Finding>) -> Result<bool, Failure> {
    const CHECK: &str = "admin_token";
    let token = match remote.find_token() {
        Ok(token) => token,
        Err(failure) => {
            findings.push(Finding::skipped(CHECK, failure.to_string()));
            return Ok(false);
        }
    };
    desk.client.sign_in(&token)?;
    match desk.client.get("/settings").await {
        Ok(_) => findings.push(Finding::ok(CHECK, "it is taken")),
        Err(failure) if failure.exit() == Exit::Forbidden => {
            findings.push(Finding::bad(
                CHECK,
                "the server does not take it",
                "use the one the server was started with; `pointsman reset-admin-token` makes a new one",
            ));
            return Ok(false);
        }
        Err(failure) => {
            findings.push(Finding::bad(CHECK, failure.to_string(), "see what else is found"));
            return Ok(false);
        }
    }
    Ok(true)
}

async fn actors(desk: &Desk, findings: &mut Vec<Finding>) -> Result<(), Failure> {
    let actors = desk.whole("/actors").await?;
    for actor in &actors {
        let text = |at: &str| actor.pointer(at).and_then(Value::as_str);
        let name = text("/name").unwrap_or_default();
        if let Some(state) = text("/state").filter(|state| *state != "running") {
            let check = format!("actor/{name}");
            findings.push(Finding::bad(
                &check,
                format!("it is {state}"),
                "the log tells of its panics; a restart wakes it",
            ));
        }
        if text("/kind") != Some("provider") {
            continue;
        }
        if let Some(until) = text("/detail/credential/disabled_until") {
            let check = format!("credential/{name}");
            let cause = format!("the provider rejects its credential; it is left alone until {until}");
            findings.push(Finding::bad(
                &check,
                cause,
                format!("`pointsman provider edit {name} --credential-file FILE`"),
            ));
        }
        if let Some(state) = text("/detail/breaker/state").filter(|state| *state != "closed") {
            let check = format!("breaker/{name}");
            let cause = format!("it is {state}: the provider failed too often, or somebody opened it");
            let mend = format!(
                "`pointsman request ls --wide` tells how; `pointsman provider breaker {name} close` tries at once"
            );
            findings.push(Finding::warning(&check, cause, mend));
        }
    }
    findings.push(Finding::ok("actors", format!("{} of them", actors.len())));
    Ok(())
}

async fn books(desk: &Desk, findings: &mut Vec<Finding>) -> Result<(), Failure> {
    let drift = desk.whole("/ledger/drift").await?.len();
    findings.push(match drift {
        0 => Finding::ok("ledger", "every balance is the sum of its rows"),
        _ => Finding::bad(
            "ledger",
            format!("{drift} balances are not the sum of their rows"),
            "`pointsman ledger drift` names them; rows count, so keep a backup and report it",
        ),
    });
    let unpriced = desk.whole("/prices/unpriced").await?.len();
    if unpriced > 0 {
        let cause = format!("{unpriced} models are served without a price");
        findings.push(Finding::warning(
            "prices",
            cause,
            "`pointsman price unpriced` names them; `pointsman price set` or `price import`",
        ));
    }
    Ok(())
}
