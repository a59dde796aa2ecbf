//! The sealing keys a server is given.

use super::*;
use crate::secrets::{keyring::Keyring, sealing_key::SealingKey};

#[test]
fn c10_the_keys_before_are_opened_with_as_well() {
    let (one, two, three) = ("11".repeat(32), "22".repeat(32), "33".repeat(32));
    let key = |text: &str| SealingKey::parse(text).unwrap();
    let home = tempfile::tempdir().unwrap();
    let load = |set: &[(&str, &str)]| {
        let get = |name: &str| set.iter().find(|(set, _)| *set == name).map(|(_, value)| value.into());
        load_with(&Flags::default(), get)
    };
    let keys = |set: &[(&str, &str)]| load(set).unwrap().secrets.load_keyring(home.path()).unwrap();
    assert!(keys(&[("SEALING_KEY", &one)]).also.is_empty());
    let given = keys(&[("SEALING_KEY", &one), ("SEALING_KEY_ALSO", &format!("{two},{three}"))]);
    assert_eq!(given.also, [key(&two), key(&three)]);
    let file = home.path().join("keys");
    std::fs::write(&file, format!("{two}\n{three}\n")).unwrap();
    let in_file = keys(&[("SEALING_KEY", &three), ("SEALING_KEY_ALSO_FILE", file.to_str().unwrap())]);
    assert_eq!(in_file.also, [key(&two)], "the current one is no other");
    // In the data directory the key before may lie beside the current one; what is given comes on top.
    let made = keys(&[("SEALING_KEY_ALSO", &two)]);
    assert_eq!(made.also, [key(&two)]);
    let changed = Keyring::change_in_directory(home.path()).unwrap();
    assert_eq!(keys(&[("SEALING_KEY_ALSO", &two)]).also, [made.current, key(&two)]);
    assert_eq!(keys(&[]).current, changed.current);
    let wrong = load(&[("SEALING_KEY_ALSO", &format!("{two} x"))]).unwrap_err();
    assert_eq!(
        wrong.to_string(),
        "sealing_key_also: a sealing key is 32 bytes, written in hex or base64 (from environment SEALING_KEY_ALSO)"
    );
}
