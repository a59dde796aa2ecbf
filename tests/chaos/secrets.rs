//! Secrets and where they must not be: every kind of traffic at the most talkative log level, then every
//! byte the server wrote is searched for every form of every secret (C-08), and of what people and models
//! said (C-28).

use std::{collections::BTreeMap, time::Duration};

use actors::provider::card::Credential;
use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD},
};
use memchr::memmem;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use pointsman::{
    demo::upstream::{self, Options},
    store::NewProvider,
};
use protocol::Format;

use crate::{
    caller::{Ask, Caller},
    process::{Premises, Process},
    rig, turn,
};

const CREDENTIAL: &str = "canary/credential+of=the#provider";
const ADMIN_TOKEN: &str = "canary/admin+token=known#to=nobody";
/// Part of what people say, which the demo upstream says back.
const PROMPT: &str = "canary: tell+nobody=of/this#tide";

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn c08_c28_no_secret_and_no_prompt_is_in_a_log_or_in_a_file_in_any_form() {
    let _turn = turn().await;
    let options = Options { credential: Some(CREDENTIAL.to_owned()), ..Options::default() };
    let (sound, suspicious) = (
        upstream::start_with(options).unwrap(),
        // Takes no credential but its own, so ours is rejected.
        upstream::start_with(Options { credential: Some("another".into()), ..Options::default() }).unwrap(),
    );
    let of_model = |model: &str, url: String| NewProvider {
        credential: Credential::new(CREDENTIAL.to_owned()),
        allowed_models: vec![model.to_owned()],
        ..rig::provider(model, url)
    };
    let providers = vec![
        of_model("sound", sound.base_url()),
        of_model("suspicious", suspicious.base_url()),
        of_model("dead", "http://127.0.0.1:9".to_owned()),
    ];
    let premises = Premises::with(providers).await;

    // One life with a token that it makes and prints, one with a token from outside.
    let mut process = premises.start("made", "trace", &[]).await;
    let printed = process.stdout();
    let (_, made) = printed.split_once("keep it): ").expect("the token is printed once");
    let made = made.trim().to_owned();
    traffic(&process, &premises.key, &made).await;
    process.terminate();
    process.end(Duration::from_secs(10)).await;
    let mut logs =
        vec![("the first log", process.stderr()), ("the first output", printed.replacen(&made, "", 1))];

    let mut process = premises.start("given", "trace", &[("ADMIN_TOKEN", ADMIN_TOKEN)]).await;
    traffic(&process, &premises.key, ADMIN_TOKEN).await;
    // What is written while it runs lies elsewhere than what is left behind in the end.
    let mut files = written(&premises);
    process.terminate();
    process.end(Duration::from_secs(10)).await;
    files.extend(written(&premises));
    logs.extend([("the second log", process.stderr()), ("the second output", process.stdout())]);

    let sealing_key = std::fs::read_to_string(premises.sealing_key_file()).unwrap();
    let secrets = BTreeMap::from([
        ("the api key", premises.key.as_str()),
        ("the credential", CREDENTIAL),
        ("the made admin token", made.as_str()),
        ("the given admin token", ADMIN_TOKEN),
        ("the sealing key", sealing_key.trim()),
        ("a prompt", PROMPT),
    ]);
    let mut bytes = 0;
    for (name, log) in &logs {
        bytes += search(name, log.as_bytes(), &secrets);
    }
    for (name, file) in &files {
        bytes += search(name, file, &secrets);
    }
    assert!(files.len() > 1, "there was a database to search");
    for (name, log) in [&logs[0], &logs[2]] {
        let told = log.matches(" request ").count();
        assert!(told >= 80, "{name} tells of the requests: {log}");
    }
    println!(
        "secrets: {} of them in {} forms each: 0 found in {bytes} bytes of logs, outputs and {} files",
        secrets.len(),
        forms("").len(),
        files.len()
    );
}

/// Database and journal as they are now, by name.
fn written(premises: &Premises) -> Vec<(String, Vec<u8>)> {
    let key = premises.sealing_key_file();
    let directory = key.parent().unwrap();
    let files = premises.files().into_iter().filter(|file| file.starts_with(directory) && *file != key);
    files.map(|file| (file.display().to_string(), std::fs::read(&file).unwrap())).collect()
}

/// How a secret may be written.
fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![
        secret.to_owned(),
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
        url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
        serde_json::to_string(secret).unwrap().trim_matches('"').to_owned(),
        hex::encode(secret),
    ];
    // Base64 of a text around it looks different for each place it may stand at; its middle does not.
    for before in 0..3 {
        let text = format!("{}{secret}", " ".repeat(before));
        for encoded in [BASE64_STANDARD_NO_PAD.encode(&text), BASE64_URL_SAFE_NO_PAD.encode(&text)] {
            let end = encoded.len().saturating_sub(4);
            forms.push(encoded.get(4..end).unwrap_or_default().to_owned());
        }
    }
    forms
}

/// Fails when a secret is in there; says how much was looked at.
fn search(place: &str, haystack: &[u8], secrets: &BTreeMap<&str, &str>) -> usize {
    for (name, secret) in secrets {
        for form in forms(secret) {
            let found = memmem::find(haystack, form.as_bytes());
            assert!(found.is_none(), "{place} holds {name}, at byte {found:?}, as {form}");
        }
    }
    haystack.len()
}

/// Requests that go well and requests that go wrong, each with secrets on board.
async fn traffic(process: &Process, key: &str, admin_token: &str) {
    for model in ["sound", "suspicious", "dead", "nobody-has-it"] {
        for format in Format::ALL {
            for script in ["hello", "[[error 500]]", "[[cut 2]]", "[[error-in-stream 1]]", "[[overflow]]"] {
                let mut caller = Caller::connect(process.address).await.unwrap();
                let prompt = format!("{script} {PROMPT}");
                let ask = Ask::stream(key, model, &prompt).in_format(format);
                // A cut stream has no end to read.
                let _ = caller.ask(&ask).await;
            }
        }
    }
    let escaped = utf8_percent_encode(key, NON_ALPHANUMERIC);
    for (line, header) in [
        (format!("POST /v1beta/models/sound:generateContent?key={escaped}"), String::new()),
        (format!("POST /v1/messages?key={key}"), format!("authorization: Bearer {admin_token}\r\n")),
        (format!("POST /v1/messages/{key}"), format!("x-api-key: {key}\r\n")),
        ("GET /v1/models".to_owned(), format!("authorization: Bearer {admin_token}\r\n")),
        ("GET /api/v1/requests".to_owned(), format!("authorization: Bearer {admin_token}\r\n")),
        ("POST /v1/messages".to_owned(), format!("x-api-key: {key}\r\nx-api-key: {admin_token}\r\n")),
        ("POST /v1/messages".to_owned(), format!("x-api-key: {key}x\r\n")),
    ] {
        let mut caller = Caller::connect(process.address).await.unwrap();
        let request = format!("{line} HTTP/1.1\r\nhost: h\r\n{header}content-length: 3\r\n\r\n{{}}}}");
        caller.raw(&request).await.unwrap();
        caller.answer().await.unwrap();
    }
}
