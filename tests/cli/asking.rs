//! Asking and changing a server: every form of output, every exit code, waiting, draining, backups.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    process::Stdio,
};

use serde_json::json;

use crate::house::{House, Said, TOKEN, command, run, text};

#[test]
fn a_list_is_shown_in_every_form() {
    let house = House::open();
    house.must(&["user", "add", "ada", "--usd-daily", "1.10", "--group", "blue"]);
    house.must(&["user", "add", "bob", "--set", "enabled=false"]);
    let table = house.must(&["user", "ls"]);
    assert_eq!(
        table,
        "ID  NAME  ROLE  ENABLED  GROUPS  TAGS  USD/DAY  USD/MONTH  EXPIRES\n\
         1   ada   user  yes      blue    -     1.1      -          -\n\
         2   bob   user  no       -       -     -        -          -\n"
    );
    assert!(house.must(&["user", "ls", "--no-headers"]).starts_with("1  ada  user"));
    assert!(house.must(&["user", "ls", "--wide"]).contains("CONCURRENCY"));
    assert_eq!(house.must(&["user", "ls", "-o", "name"]), "ada\nbob\n");
    let whole: serde_json::Value = serde_json::from_str(&house.must(&["user", "ls", "-o", "json"])).unwrap();
    assert_eq!(whole["items"][0]["limits"]["usd_daily"], json!("1.1"), "money stays text");
    let lines = house.must(&["user", "ls", "-o", "ndjson"]);
    let lines: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(json!(lines), whole["items"]);
    assert!(house.must(&["user", "ls", "-o", "yaml"]).contains("usd_daily: '1.1'\n"));
    let page = house.ask(&["user", "ls", "-n", "1"]);
    assert!(page.err.contains("there is more") && !page.out.contains("bob"), "{page:?}");
    assert_eq!(house.must(&["user", "ls", "--all", "-o", "name"]), "ada\nbob\n");
    assert!(!table.contains('\u{1b}'), "no colours without a terminal");
}

#[test]
fn names_stand_for_ids_and_edits_keep_what_is_not_given() {
    let house = House::open();
    house.must(&["user", "add", "ada", "--rpm", "60"]);
    house.must(&["user", "edit", "ada", "--concurrency", "4"]);
    let shown = house.must(&["user", "show", "ada"]);
    assert!(
        shown.contains("limits.rpm") && shown.contains("60") && shown.contains("limits.concurrency"),
        "{shown}"
    );
    let key = house.must(&["key", "add", "ada", "laptop", "-o", "name"]);
    assert!(key.trim().len() > 20, "{key}");
    house.must(&["key", "disable", "ada/laptop"]);
    let keys: serde_json::Value = serde_json::from_str(&house.must(&["key", "ls", "-o", "json"])).unwrap();
    assert_eq!(keys["items"][0]["enabled"], false);
    house.must(&["quota", "show", "user/ada"]);
    house.must(&["quota", "show", "key/ada/laptop"]);
    house.must(&["ledger", "drift"]);
    house.must(&["settings", "set", "--set", "month_day=5"]);
    assert!(house.must(&["settings", "show"]).contains("month_day"));
    house.must(&["price", "set", "vendor/model-x", "--input-usd", "3", "--output-usd", "15"]);
    assert!(house.must(&["price", "show", "vendor/model-x"]).contains("15"));
    house.must(&["price", "rm", "vendor/model-x"]);
    house.provider("one", "http://127.0.0.1:9");
    house.must(&["provider", "breaker", "one", "open"]);
    assert!(house.must(&["actors", "ls"]).contains("open"));
    house.must(&["provider", "breaker", "one", "close"]);
    let decision = ["route", "simulate", "--format", "anthropic", "--model", "m", "--key", "ada/laptop"];
    house.must(&decision);
    house.must(&["provider", "rm", "one"]);
    house.must(&["user", "rm", "ada"]);
}

#[test]
fn lists_are_narrowed_and_many_are_changed_at_once() {
    let house = House::open();
    for (name, group) in [("ada", "blue"), ("Bob", "blue"), ("cy", "red")] {
        house.must(&["user", "add", name, "--group", group]);
        house.must(&["key", "add", name, "laptop"]);
    }
    assert_eq!(house.must(&["user", "ls", "--sort", "-name", "-o", "name"]), "cy\nBob\nada\n");
    assert_eq!(house.must(&["user", "ls", "--search", "B", "--group", "blue", "-o", "name"]), "Bob\n");
    assert_eq!(house.must(&["key", "ls", "--user", "ada", "--status", "active", "-o", "name"]), "1\n");
    assert_eq!(house.must(&["key", "ls", "-n", "2", "--sort", "created_at", "-o", "name"]), "1\n2\n");
    house.provider("one", "http://127.0.0.1:9");
    assert_eq!(
        house.must(&["provider", "ls", "--enabled", "true", "--sort", "weight", "-o", "name"]),
        "one\n"
    );
    let unknown = house.ask(&["user", "ls", "--sort", "mood"]);
    assert!(unknown.code == 1 && unknown.err.contains("must be one of name, -name"), "{unknown:?}");

    let blue = ["batch", "users", "--group", "blue", "--set", "limits.rpm=7", "--set", "enabled=false"];
    let shown = house.must(&[&blue[..], &["--preview", "-o", "json"]].concat());
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["items"][1]["after"], json!({"limits": {"rpm": 7}, "enabled": false}));
    assert_eq!(house.must(&["user", "ls", "--enabled", "false", "-o", "name"]), "");
    let done = house.ask(&blue);
    assert!(done.code == 0 && done.err.contains("`pointsman batch undo 1` puts it back"), "{done:?}");
    assert_eq!(house.must(&["user", "ls", "--enabled", "false", "-o", "name"]), "ada\nBob\n");
    house.must(&["batch", "undo", "1"]);
    assert_eq!(house.must(&["user", "ls", "--enabled", "false", "-o", "name"]), "");
    house.must(&["batch", "keys", "--user", "ada", "--set", "web_login=true"]);
    assert_eq!(house.must(&["key", "ls", "--web-login", "true", "-o", "name"]), "1\n");
    house.must(&["batch", "providers", "--id", "1", "--set", "weight=3"]);
    assert_eq!(
        house.ask(&["batch", "users", "--set", "enabled=false"]).code,
        2,
        "everybody is not meant by saying nothing"
    );
    assert_eq!(house.ask(&["batch", "users", "--id", "1", "--group", "x", "--set", "enabled=false"]).code, 2);
}

#[test]
fn every_exit_code_comes_when_it_should() {
    let house = House::open();
    house.must(&["user", "add", "ada"]);
    let refused = house.ask(&["user", "edit", "ada", "--set", "limits.rpm=-1"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.err.contains("invalid\n  limits.rpm: ") && refused.err.contains("out_of_range"),
        "{refused:?}"
    );
    assert_eq!(house.ask(&["user", "sing"]).code, 2);
    let spelled_out = house.ask(&["user", "ls", "--token", "geheim-geheim"]);
    assert_eq!(spelled_out.code, 2);
    assert!(
        spelled_out.err.contains("--token-file") && !spelled_out.err.contains("geheim"),
        "{spelled_out:?}"
    );
    assert_eq!(house.ask(&["user", "ls", "--server", "http://127.0.0.1:9"]).code, 3);
    let stranger =
        run(&[("POINTSMAN_SERVER", &house.url), ("ADMIN_TOKEN", "not-the-token")], &["user", "ls"]);
    assert_eq!(stranger.code, 4, "{stranger:?}");
    assert_eq!(run(&[("POINTSMAN_SERVER", &house.url)], &["user", "ls"]).code, 4, "no token at all");
    let file = house.file("token", &format!("{TOKEN}\n"));
    assert_eq!(run(&[], &["user", "ls", "--server", &house.url, "--token-file", text(&file)]).code, 0);
    assert_eq!(house.ask(&["user", "show", "99"]).code, 5);
    assert_eq!(house.ask(&["user", "show", "nobody"]).code, 5);
    house.provider("one", "http://127.0.0.1:9");
    house.provider("two", "http://127.0.0.1:9");
    let taken = house.ask(&["provider", "edit", "two", "--rename", "one"]);
    assert_eq!(taken.code, 6, "{taken:?}");
    let waiting = run(&[], &["status", "--server", "http://127.0.0.1:9", "--wait-ready", "1"]);
    assert_eq!(waiting.code, 7, "{waiting:?}");
    assert_eq!(house.ask(&["status", "--wait-ready", "30"]).code, 0);
}

#[test]
fn drain_finds_its_server_by_the_data_directory_and_waits_for_its_end() {
    let mut house = House::open();
    let data = house.data();
    let said = run(&[], &["drain", "--data-dir", text(&data)]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("has ended"), "{said:?}");
    assert!(house.ended());
    assert_eq!(run(&[], &["drain", "--data-dir", text(&data)]).code, 5, "nobody is there any more");
}

#[test]
fn a_backup_of_a_running_server_is_whole_and_the_doctor_finds_it_sound() {
    let house = House::open();
    house.must(&["user", "add", "ada"]);
    let copy = house.path("copy.db");
    let data = house.data();
    let args = ["backup", text(&copy), "--data-dir", text(&data)];
    let said = run(&[], &args);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("sealing key is NOT in it"), "{said:?}");
    assert_eq!(run(&[], &args).code, 6, "what is there is not replaced");
    let flaws = pointsman::store::backup::check_sqlite(&copy).unwrap();
    assert!(flaws.is_empty(), "{flaws:?}");
    let second = house.path("second");
    fs::create_dir(&second).unwrap();
    fs::copy(&copy, second.join("pointsman.db")).unwrap();
    fs::copy(house.data().join("sealing.key"), second.join("sealing.key")).unwrap();
    let doctor = run(&[], &["doctor", "--only", "local", "--port", "0", "--data-dir", text(&second)]);
    assert_eq!(doctor.code, 0, "{doctor:?}");
}

#[test]
fn completions_and_manual_are_made() {
    for shell in ["bash", "zsh", "fish"] {
        let said = run(&[], &["completions", shell]);
        assert!(said.code == 0 && said.out.contains("provider"), "{shell}");
    }
    let page = run(&[], &["man"]);
    assert!(page.code == 0 && page.out.contains("EXIT STATUS") && page.out.contains("130"), "{page:?}");
}

#[test]
fn a_password_is_read_from_standard_input_and_never_from_the_command_line() {
    let house = House::open();
    house.must(&["user", "add", "ada"]);
    let spelled_out = house.ask(&["user", "password", "ada", "geheim geheim geheim"]);
    assert_eq!(spelled_out.code, 2, "{spelled_out:?}");
    let set = |password: &str| -> Said {
        let environment = [("POINTSMAN_SERVER", &*house.url), ("POINTSMAN_TOKEN", TOKEN)];
        let mut child = command(&environment, &["user", "password", "ada"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
        child.wait_with_output().unwrap().into()
    };
    let signs_in = |password: &str| {
        let body = json!({"name": "ada", "password": password}).to_string();
        let mut socket = TcpStream::connect(house.url.trim_start_matches("http://")).unwrap();
        write!(
            socket,
            "POST /api/v1/auth/login HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\n\
             connection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer.starts_with("HTTP/1.1 200 ")
    };
    let short = set("short\n");
    assert!(short.code != 0 && short.err.contains("at least 12 characters"), "{short:?}");
    let said = set(" correct horse \n");
    assert!(said.code == 0 && !said.all().contains("correct horse"), "{said:?}");
    assert!(signs_in(" correct horse ") && !signs_in("correct horse"));
    house.must(&["user", "password", "ada", "--remove"]);
    assert!(!signs_in(" correct horse "));
}
