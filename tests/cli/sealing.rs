//! The sealing key: changed while the server runs, given from outside, and lost.

use std::fs;

use crate::house::{House, TOKEN, run};

#[test]
fn c10_the_key_is_changed_by_one_command_and_the_one_before_taken_away() {
    let house = House::open();
    house.provider("one", "http://127.0.0.1:9");
    let before = house.must(&["sealing-key", "show", "-o", "name"]);
    let changed = house.must(&["sealing-key", "change", "-o", "name"]);
    assert!(changed != before && changed.trim().len() == 16, "{before} {changed}");
    let again = house.ask(&["sealing-key", "change"]);
    assert_eq!(again.code, 6, "{again:?}");
    assert!(again.err.contains("sealing.key.old"), "{again:?}");
    let (copy, data) = (house.path("copy.db").display().to_string(), house.data().display().to_string());
    let backup = run(&[], &["backup", &copy, "--data-dir", &data]);
    assert!(
        backup.code == 0 && backup.err.contains("sealing.key.old"),
        "it may take both to open: {backup:?}"
    );
    let told = house.must(&["audit", "ls", "--action", "sealing_key.change", "--no-headers"]);
    assert_eq!(told.lines().count(), 1, "{told}");
    let shown = house.must(&["sealing-key", "show", "-o", "json"]);
    assert!(shown.contains(before.trim()) && shown.contains(changed.trim()), "{shown}");
}

/// What the server says that is started on that house's data with these variables and does not come up.
fn refused(house: &House, environment: &[(&str, &str)]) -> String {
    let data = house.data();
    let args = ["serve", "--listen-addr", "127.0.0.1", "--port", "0", "--data-dir", data.to_str().unwrap()];
    let said = run(&[environment, &[("ADMIN_TOKEN", TOKEN)]].concat(), &args);
    assert_eq!(said.code, 1, "{said:?}");
    said.err
}

#[test]
fn c10_another_key_is_told_at_the_start_and_changes_nothing() {
    let mut house = House::open();
    house.must(&["user", "add", "anna"]);
    house.end();
    let (other, kept) = ("22".repeat(32), fs::read_to_string(house.data().join("sealing.key")).unwrap());
    let doctor = |environment: &[(&str, &str)]| {
        let data = house.data().display().to_string();
        run(environment, &["doctor", "--only", "local", "--port", "0", "--data-dir", &data])
    };
    let said = doctor(&[("SEALING_KEY", &other)]).all();
    assert!(said.contains("sealed with another sealing key") && said.contains("put back the key"), "{said}");
    let said = doctor(&[("SEALING_KEY", &other), ("SEALING_KEY_ALSO", kept.trim())]).all();
    assert!(said.contains("1 values are sealed with another key"), "{said}");
    let said = refused(&house, &[("SEALING_KEY", &other)]);
    assert!(said.contains("sealed with another sealing key") && said.contains("sealing_key_also"), "{said}");
    house.again(&[("SEALING_KEY", &other), ("SEALING_KEY_ALSO", kept.trim())]);
    house.must(&["sealing-key", "show"]);
    let given = house.ask(&["sealing-key", "change"]);
    assert_eq!(given.code, 6, "{given:?}");
    assert!(given.err.contains("sealing_key_file"), "{given:?}");
}

#[test]
fn c10_a_lost_key_costs_what_it_sealed_and_nothing_else() {
    let mut house = House::open();
    house.provider("north", "http://127.0.0.1:9");
    house.must(&["user", "add", "anna"]);
    let data = house.data().display().to_string();
    let reset = |args: &[&str]| run(&[], &[&["reset-sealing-key", "--data-dir", &data], args].concat());
    let runs = reset(&["--yes"]);
    assert!(runs.code == 1 && runs.err.contains("a server runs"), "{runs:?}");
    house.end();
    let opens = reset(&["--yes"]);
    assert_eq!(opens.code, 1, "{opens:?}");
    assert!(opens.err.contains("nothing is lost"), "{opens:?}");

    fs::remove_file(house.data().join("sealing.key")).unwrap();
    let unmeant = reset(&[]);
    assert_eq!(unmeant.code, 1, "{unmeant:?}");
    assert!(unmeant.err.contains("--yes"), "{unmeant:?}");
    let done = reset(&["--yes"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.out.contains("north") && done.out.contains("rotated"), "{done:?}");

    house.again(&[]);
    assert!(house.must(&["user", "ls", "--no-headers"]).contains("anna"));
    let provider = house.must(&["provider", "show", "north", "-o", "json"]);
    assert!(provider.contains("\"enabled\":false") || provider.contains("\"enabled\": false"), "{provider}");
    let credential = house.file("credential", "sk-another");
    let file = credential.to_str().unwrap();
    house.must(&["provider", "edit", "north", "--credential-file", file, "--set", "enabled=true"]);
}
