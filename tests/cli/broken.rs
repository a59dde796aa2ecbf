//! Set-ups with something wrong: `doctor` and `config check` name the cause and what mends it.

use std::{fs, net::TcpListener};

use actors::ids::ProviderId;
use pointsman::{
    config::{self, Flags},
    secrets::sealing::Sealer,
    store::{ProviderChange, Store},
};
use tempfile::TempDir;

use crate::house::{House, run, text};

/// What must be said: where it is seen, the cause, and what mends it.
struct Told<'a> {
    check: &'a str,
    cause: &'a str,
    mend: &'a str,
}

fn diagnosed(environment: &[(&str, &str)], args: &[&str], told: &Told<'_>) {
    let said = run(environment, &[&["doctor", "-o", "json"], args].concat());
    assert_eq!(said.code, 7, "{said:?}");
    let report = said.json();
    assert_eq!(report["status"], "bad");
    let findings = report["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["check"] == told.check && finding["level"] == "bad");
    let found = found.unwrap_or_else(|| panic!("{}: {report:#}", told.check));
    assert!(found["cause"].as_str().unwrap().contains(told.cause), "{found}");
    assert!(found["mend"].as_str().unwrap().contains(told.mend), "{found}");
}

/// The same of the configuration alone.
fn misconfigured(environment: &[(&str, &str)], args: &[&str], cause: &str, mend: &str) {
    let said = run(environment, &[&["config", "check"], args].concat());
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains(cause) && said.err.contains(mend), "{said:?}");
    diagnosed(environment, &[&["--only", "local"], args].concat(), &Told { check: "config", cause, mend });
}

#[test]
fn a_key_that_does_not_exist() {
    let home = TempDir::new().unwrap();
    let file = home.path().join("p.toml");
    fs::write(&file, "[server]\nprot = 1\n").unwrap();
    misconfigured(&[], &["--config", text(&file)], "unknown key `server.prot`", "write `server.port`");
}

#[test]
fn a_value_of_the_wrong_type() {
    let cause = "must be a whole number from 0 to 65535";
    misconfigured(&[("APP_PORT", "many")], &[], cause, "change or unset the variable APP_PORT");
}

#[test]
fn a_weak_admin_token() {
    misconfigured(&[("ADMIN_TOKEN", "change-me-change-me")], &[], "looks like an example", "openssl rand");
}

#[test]
fn a_time_zone_nobody_knows() {
    misconfigured(&[("TZ", "Mars/Olympus")], &[], "must be a time zone", "Europe/Berlin");
}

#[test]
fn a_database_url_that_is_none() {
    misconfigured(
        &[("DATABASE_URL", "mysql://x")],
        &[],
        "must begin with postgres:// or sqlite:",
        "postgres://user",
    );
}

#[test]
fn a_database_that_is_away() {
    let home = TempDir::new().unwrap();
    let url = "postgres://u:hunter2-hunter2@127.0.0.1:9/d";
    let args = ["--only", "local", "--port", "0", "--data-dir", text(home.path())];
    let told = Told { check: "database", cause: "refused", mend: "is the database running" };
    diagnosed(&[("DATABASE_URL", url)], &args, &told);
    let said = run(&[("DATABASE_URL", url)], &[&["doctor"], &args[..]].concat());
    assert!(!said.all().contains("hunter2"), "{said:?}");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "a doctor makes nothing");
}

#[test]
fn a_data_directory_that_cannot_be_written() {
    let home = TempDir::new().unwrap();
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    let args = ["--only", "local", "--port", "0", "--data-dir", text(&file)];
    diagnosed(&[], &args, &Told { check: "data_dir", cause: "not writable", mend: "DATA_DIR" });
}

#[test]
fn a_port_that_another_program_has() {
    let home = TempDir::new().unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port().to_string();
    drop(std::thread::spawn(move || {
        // Whoever knocks hears nothing of ours.
        while other.accept().is_ok() {}
    }));
    let args =
        ["--only", "local", "--listen-addr", "127.0.0.1", "--port", &port, "--data-dir", text(home.path())];
    diagnosed(&[], &args, &Told { check: "port", cause: "taken by another program", mend: "ss -ltnp" });
}

#[test]
fn a_sealing_key_that_is_gone() {
    let house = House::open();
    house.provider("one", "http://127.0.0.1:9");
    fs::remove_file(house.data().join("sealing.key")).unwrap();
    let data = house.data();
    let args = ["--only", "local", "--port", "0", "--data-dir", text(&data)];
    diagnosed(&[], &args, &Told { check: "sealing_key", cause: "is missing", mend: "put back the key" });
    assert!(!data.join("sealing.key").exists(), "a doctor makes none in its place");
}

#[test]
fn a_provider_that_does_not_listen_and_one_whose_name_has_no_address() {
    let house = House::open();
    house.provider("nowhere", "http://127.0.0.1:9");
    house.provider("unnamed", "https://no-such-host.invalid");
    let environment = [("POINTSMAN_SERVER", &*house.url), ("POINTSMAN_TOKEN", crate::house::TOKEN)];
    let told =
        |check, cause, mend| diagnosed(&environment, &["--only", "server"], &Told { check, cause, mend });
    told("provider/nowhere", "refused or unreachable", "firewall");
    told("provider/unnamed", "does not resolve", "DNS");
}

/// The API takes no such provider; a database that was filled otherwise may hold one.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_at_a_private_address_without_leave() {
    let house = House::open();
    house.provider("at-home", "https://10.1.2.3");
    let data = house.data();
    let flags = Flags { data_dir: Some(text(&data).to_owned()), ..Flags::default() };
    let config = config::load_with(&flags, |_| None).unwrap();
    let sealer = Sealer::with(&config.secrets.load_keyring(&data).unwrap());
    let store = Store::open(&config.store, sealer).unwrap();
    let change = ProviderChange { allow_private_network: Some(false), ..ProviderChange::default() };
    store.update_provider(ProviderId(1), change).await.unwrap();
    let args = ["--only", "local", "--port", "0", "--data-dir", text(&data)];
    let told = Told { check: "provider/at-home", cause: "private network", mend: "--allow-private-network" };
    diagnosed(&[], &args, &told);
}

#[test]
fn a_directory_that_is_away() {
    let home = TempDir::new().unwrap();
    let environment = [
        ("LDAP_URL", "ldaps://127.0.0.1:9"),
        ("LDAP_SEARCH_BASE", "dc=example,dc=org"),
        ("LDAP_BIND_DN", "cn=reader"),
        ("LDAP_BIND_PASSWORD", "hunter2-hunter2"),
    ];
    let args = ["--only", "local", "--port", "0", "--data-dir", text(home.path())];
    diagnosed(
        &environment,
        &args,
        &Told { check: "ldap", cause: "refused", mend: "ldap.url must be reached" },
    );
    let said = run(&environment, &[&["doctor"], &args[..]].concat());
    assert!(!said.all().contains("hunter2"), "{said:?}");
    let broken = [&environment[..], &[("LDAP_TLS_CA_FILE", "/nowhere")]].concat();
    diagnosed(&broken, &args, &Told { check: "ldap", cause: "ldap.ca_file", mend: "PEM file" });
}

#[test]
fn a_token_the_server_does_not_take() {
    let house = House::open();
    let environment = [("POINTSMAN_SERVER", &*house.url), ("POINTSMAN_TOKEN", "some-other-token")];
    let told = Told { check: "admin_token", cause: "does not take it", mend: "reset-admin-token" };
    diagnosed(&environment, &["--only", "server"], &told);
}
