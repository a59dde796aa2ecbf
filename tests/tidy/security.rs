//! `docs/security.md` names for each promise the tests that hold it: all there are and none that is not.
//!
//! A test belongs to a promise by its name, `c19_…` to C-19; one that holds two begins with both. The last
//! column is written anew when the environment says `UPDATE_SECURITY_LIST=1`.

use std::{collections::BTreeMap, fs, path::Path};

use super::sources;

/// Names of tests by the promises that they begin with.
fn tests() -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (_, text) in sources() {
        for name in
            text.lines().filter_map(|line| line.trim_start().trim_start_matches("async ").strip_prefix("fn "))
        {
            let name = name.split(['(', '<']).next().unwrap_or_default();
            for id in name.split('_').map_while(promise) {
                found.entry(id).or_default().push(format!("`{name}`"));
            }
        }
    }
    for names in found.values_mut() {
        names.sort();
        names.dedup();
    }
    found
}

/// `c19` means C-19.
fn promise(word: &str) -> Option<String> {
    let digits = word.strip_prefix('c').filter(|digits| digits.len() == 2)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| format!("C-{digits}"))
}

#[test]
fn every_promise_names_its_tests() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/security.md");
    let written = fs::read_to_string(&path).expect("the list is there");
    let mut tests = tests();
    let mut expected = String::new();
    for line in written.lines() {
        match line.split('|').collect::<Vec<_>>()[..] {
            ["", id, what, _, ""] if id.trim().starts_with("C-") => {
                let names = tests.remove(id.trim()).unwrap_or_default().join("<br>");
                expected += &format!("|{id}|{what}| {names} |\n");
            }
            _ => expected += &format!("{line}\n"),
        }
    }
    assert!(tests.is_empty(), "docs/security.md has no line for {:?}", tests.keys());
    if std::env::var_os("UPDATE_SECURITY_LIST").is_some() {
        fs::write(&path, &expected).expect("the list can be written");
    }
    assert!(written == expected, "docs/security.md is not true: run with UPDATE_SECURITY_LIST=1");
}
