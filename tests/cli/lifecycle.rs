//! On and off, for longer, once more, deleted and back; who did it, and what it came to.

use std::io::Read as _;

use serde_json::{Value, json};

use crate::{
    house::{House, command, run},
    log::request,
};

impl House {
    /// The answer as JSON, which must be a yes.
    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.must(&[args, &["-o", "json"]].concat())).unwrap()
    }
}

#[test]
fn keys_are_rotated_renewed_copied_and_brought_back() {
    let house = House::open();
    house.must(&["user", "add", "ada"]);
    let first = house.must(&["key", "add", "ada", "laptop", "-o", "name"]);
    let second = house.ask(&["key", "rotate", "ada/laptop", "--overlap-ms", "60000", "-o", "name"]);
    assert!(second.out.starts_with("sk-") && second.out != first, "{second:?}");
    assert!(second.err.contains("only now"), "{second:?}");
    let copy = house.must(&["key", "clone", "ada/laptop", "spare", "--disabled", "-o", "name"]);
    assert!(copy.starts_with("sk-") && copy != second.out);
    assert_eq!(house.json(&["key", "disable", "ada/laptop"])["enabled"], false);
    let end = "2130-01-31T12:00:00Z";
    let renewed = house.json(&["key", "renew", "ada/laptop", end]);
    assert_eq!((&renewed["enabled"], &renewed["expires_at"]), (&json!(false), &json!(end)));
    assert_eq!(house.json(&["key", "renew", "ada/laptop", end, "--enable"])["enabled"], true);
    assert_eq!(
        house.ask(&["key", "renew", "ada/laptop", "2020-01-01T00:00:00Z"]).code,
        1,
        "it lies behind us"
    );
    house.must(&["key", "rm", "ada/spare"]);
    assert_eq!(house.ask(&["key", "restore", "laptop"]).code, 5, "that one was not deleted");
    assert_eq!(house.json(&["key", "restore", "spare"])["name"], "spare");
    // Two of one name are told apart by their ids.
    house.must(&["key", "rm", "ada/spare"]);
    house.must(&["key", "add", "ada", "spare"]);
    house.must(&["key", "rm", "ada/spare"]);
    assert_eq!(house.ask(&["key", "restore", "spare"]).code, 6);
    house.must(&["key", "restore", "2"]);
    let trash = house.json(&["trash", "ls", "--kind", "key"]);
    assert_eq!(trash["items"].as_array().unwrap().len(), 1);
    house.must(&["trash", "purge", "key", "spare"]);
    assert_eq!(house.must(&["trash", "ls", "-o", "name"]), "");
    let told = house.must(&["audit", "ls", "--action", "key.rotate", "--who", "admin token", "--no-headers"]);
    assert!(told.lines().count() == 1 && told.contains("key/1"), "{told}");
    assert_eq!(
        house.must(&["audit", "ls", "--subject", "key/1", "--to", "2020-01-01T00:00:00Z", "-o", "name"]),
        ""
    );
}

#[test]
fn users_and_providers_are_copied_turned_off_and_brought_back() {
    let house = House::open();
    house.must(&["user", "add", "ada", "--rpm", "60"]);
    house.must(&["key", "add", "ada", "laptop"]);
    assert_eq!(house.json(&["user", "clone", "ada", "bob"])["limits"]["rpm"], 60);
    assert_eq!(house.json(&["user", "disable", "bob"])["enabled"], false);
    assert_eq!(house.json(&["user", "enable", "bob"])["enabled"], true);
    assert_eq!(
        house.json(&["user", "renew", "bob", "2130-01-31T12:00:00Z"])["expires_at"],
        "2130-01-31T12:00:00Z"
    );
    house.must(&["user", "rm", "ada"]);
    assert_eq!(house.ask(&["key", "disable", "ada/laptop"]).code, 5);
    assert_eq!(house.must(&["user", "restore", "ada", "-o", "name"]), "ada\n");
    house.must(&["key", "disable", "ada/laptop"]);

    house.provider("one", "http://127.0.0.1:9");
    let two = house.json(&["provider", "clone", "one", "two", "--disabled"]);
    assert_eq!((&two["base_url"], &two["enabled"]), (&json!("http://127.0.0.1:9"), &json!(false)));
    assert_eq!(house.json(&["provider", "enable", "two"])["enabled"], true);
    house.must(&["provider", "rm", "two"]);
    assert_eq!(house.must(&["provider", "restore", "two", "-o", "name"]), "two\n");
    house.must(&["provider", "rm", "two"]);
    house.must(&["trash", "purge", "provider", "two"]);
    assert_eq!(house.ask(&["provider", "restore", "two"]).code, 5);
}

#[test]
fn what_requests_came_to_is_told_in_every_form() {
    let house = House::open();
    house.must(&["user", "add", "ada"]);
    let key = house.must(&["key", "add", "ada", "k", "-o", "name"]);
    house.provider("one", "http://127.0.0.1:9");
    request(&house, &key, "m");
    for which in [["stats", "show"], ["stats", "top"]] {
        let table = house.must(&[&which[..], &["--by", "user", "-n", "5"]].concat());
        assert!(table.starts_with("SUBJECT") && table.contains("ada"), "{table}");
        let whole = house.json(&which);
        assert_eq!((&whole["total"]["requests"], &whole["items"][0]["errors"]), (&json!(1), &json!(1)));
    }
    assert_eq!(house.must(&["stats", "show", "--model", "m", "--bucket", "hour", "-o", "name"]), "1\n");
    assert_eq!(
        house.must(&["stats", "top", "--period", "all", "--sort", "tokens", "--by", "model", "-o", "name"]),
        "m\n"
    );
    assert_eq!(house.json(&["stats", "overview"])["today"]["requests"], 1);
    assert!(house.must(&["stats", "overview"]).contains("today.cost_usd"));
    let failed = house.must(&["stats", "availability", "--provider", "one", "--no-headers"]);
    assert!(failed.contains("one"), "{failed}");
    assert_eq!(house.ask(&["stats", "show", "--by", "weather"]).code, 2);
}

#[test]
fn who_may_not_hear_of_everything_follows_the_own_requests_all_the_same() {
    let house = House::open();
    house.must(&["user", "add", "ada"]);
    let key = house.must(&["key", "add", "ada", "k", "-o", "name"]);
    let environment = [("POINTSMAN_SERVER", &*house.url), ("POINTSMAN_TOKEN", key.trim())];
    let own = run(&environment, &["request", "ls", "-o", "name"]);
    assert!(own.code == 0 && own.out.is_empty(), "{own:?}");
    let mut tail = command(&environment, &["request", "tail", "-n", "1", "--interval-ms", "50"]);
    let mut tail = tail.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut told = tail.stdout.take().unwrap();
    // What is there when it begins is not told; asked again, one of them will be new.
    while tail.try_wait().unwrap().is_none() {
        request(&house, &key, "m");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let mut text = String::new();
    told.read_to_string(&mut text).unwrap();
    assert!(text.contains(" m ") && tail.wait().unwrap().success(), "{text}");
}
