//! Settings for signing in elsewhere: at a provider, with a directory.

use std::io::Write as _;

use tempfile::NamedTempFile;

use super::{Typed, typed};

fn with_oidc(name: &'static str, value: &'static str) -> Typed {
    let all = [
        ("OIDC_ISSUER", "https://id.example/realms/a"),
        ("OIDC_CLIENT_ID", "gate"),
        ("OIDC_PUBLIC_URL", "https://gate.example"),
    ];
    let set = all.into_iter().fold(typed(), |typed, (name, value)| typed.env(name, value));
    set.env(name, value)
}

#[test]
fn a_provider_to_sign_in_at_is_set_up_whole_or_not_at_all() {
    assert!(typed().load().unwrap().oidc.is_none());
    let config = with_oidc("OIDC_ROLES", "a b=admin, x=y=operator").load().unwrap();
    let oidc = config.oidc.unwrap();
    assert_eq!(
        (oidc.issuer.as_str(), oidc.scopes.join(" ")),
        ("https://id.example/realms/a", "profile email".into())
    );
    let roles: Vec<_> = oidc.roles.iter().map(|(value, role)| (&**value, role.name())).collect();
    assert_eq!(roles, [("a b", "admin"), ("x=y", "operator")]);
    assert!(!oidc.create_users && !oidc.allow_private_network && oidc.client_secret.is_none());
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(b"canary-of-the-file\n").unwrap();
    let path: &'static str = file.path().to_str().unwrap().to_owned().leak();
    let config = with_oidc("OIDC_CLIENT_SECRET_FILE", path).load().unwrap();
    assert!(!format!("{config:?}").contains("canary"), "it is a secret");
    assert_eq!(config.oidc.unwrap().client_secret.unwrap().reveal(), "canary-of-the-file");
}

#[test]
fn what_is_wrong_with_a_provider_to_sign_in_at_is_said_by_name() {
    for (name, value, said) in [
        ("OIDC_ISSUER", "", "oidc.client_id: has no effect without oidc.issuer"),
        ("OIDC_CLIENT_ID", "", "oidc.client_id: must be set where oidc.issuer is"),
        ("OIDC_PUBLIC_URL", "", "oidc.public_url: must be set where oidc.issuer is"),
        ("OIDC_ISSUER", "http://id.example", "oidc.issuer: must begin with https://"),
        ("OIDC_ISSUER", "id.example", "oidc.issuer: must be a url"),
        ("OIDC_ISSUER", "https://a:canary@id.example", "oidc.issuer: must not hold a user name"),
        ("OIDC_PUBLIC_URL", "https://gate.example/console", "oidc.public_url: must not hold a path"),
        ("OIDC_PUBLIC_URL", "http://gate.example", "oidc.public_url: must begin with https://"),
        ("OIDC_CLIENT_SECRET", "", "oidc.client_secret: must not be empty"),
        ("OIDC_CLIENT_SECRET_FILE", "/nowhere", "oidc.client_secret_file: No such file"),
        ("OIDC_ROLES", "a=king", "oidc.roles: must be value=role pairs"),
        ("OIDC_ROLES", "=admin", "oidc.roles: must be value=role pairs"),
        ("OIDC_CREATE_USERS", "perhaps", "oidc.create_users: must be true or false"),
    ] {
        let error = with_oidc(name, value).error();
        assert!(error.starts_with(said) && !error.contains("canary"), "{name}={value}: {error}");
    }
    for good in ["http://127.0.0.1:8080", "https://id.example/", "https://10.0.0.1"] {
        assert!(with_oidc("OIDC_ISSUER", good).load().is_ok(), "{good}");
    }
}

fn with_ldap(name: &'static str, value: &'static str) -> Typed {
    let all = [("LDAP_URL", "ldaps://directory.example"), ("LDAP_SEARCH_BASE", "dc=example,dc=org")];
    let set = all.into_iter().fold(typed(), |typed, (name, value)| typed.env(name, value));
    set.env(name, value)
}

#[test]
fn a_directory_to_sign_in_with_is_set_up_whole_or_not_at_all() {
    assert!(typed().load().unwrap().ldap.is_none());
    let ldap = with_ldap("LDAP_OPERATOR_FILTER", "(member={{dn}})").load().unwrap().ldap.unwrap();
    assert_eq!(ldap.filter.of("anna", ""), "(uid=anna)");
    assert_eq!(
        (&*ldap.subject_attribute, &*ldap.group_base, &*ldap.issuer),
        ("entryUUID", &*ldap.base, "ldap")
    );
    let roles: Vec<_> =
        ldap.roles.iter().map(|(role, filter)| (role.name(), filter.of("a", "cn=a"))).collect();
    assert_eq!(roles, [("operator", "(member=cn=a)".to_owned())]);
    assert!(!ldap.plain && !ldap.create_users && ldap.account.is_none());
    let with_password =
        with_ldap("LDAP_BIND_DN", "cn=reader").env("LDAP_BIND_PASSWORD", "canary").load().unwrap();
    assert!(!format!("{with_password:?}").contains("canary"), "it is a secret");
    // As the environments of others have it: set, if not well, and off.
    let off = with_ldap("LDAP_ENABLED", "false").env("LDAP_SEARCH_FILTER", "uid");
    assert!(off.load().unwrap().ldap.is_none());
    let warnings = with_ldap("LDAP_TLS_REJECT_UNAUTHORIZED", "false").load().unwrap().warnings;
    assert_eq!(warnings, ["LDAP_TLS_REJECT_UNAUTHORIZED is set but has no effect in this version"]);
}

#[test]
fn what_is_wrong_with_a_directory_to_sign_in_with_is_said_by_name() {
    for (name, value, said) in [
        ("LDAP_URL", "", "ldap.base: has no effect without ldap.url"),
        ("LDAP_SEARCH_BASE", "", "ldap.base: must be set where ldap.url is"),
        ("LDAP_URL", "directory.example", "ldap.url: must be a url"),
        ("LDAP_URL", "https://directory.example", "ldap.url: must begin with ldaps:// or ldap://"),
        ("LDAP_URL", "ldapi:///run/slapd", "ldap.url: must begin with ldaps:// or ldap://"),
        ("LDAP_URL", "ldaps://cn:canary@directory.example", "ldap.url: must name a host and nothing else"),
        ("LDAP_URL", "ldaps://directory.example/dc=x", "ldap.url: must name a host and nothing else"),
        ("LDAP_URL", "ldaps:///", "ldap.url: must name a host and nothing else"),
        ("LDAP_PLAIN", "true", "ldap.url: must begin with ldap:// where ldap.plain is true"),
        ("LDAP_BIND_DN", "cn=reader", "ldap.bind_dn: needs ldap.bind_password"),
        ("LDAP_BIND_PASSWORD", "canary", "ldap.bind_password: has no effect without ldap.bind_dn"),
        ("LDAP_BIND_PASSWORD", "", "ldap.bind_password: must not be empty"),
        ("LDAP_SEARCH_FILTER", "(uid=anna)", "ldap.filter: must hold {{username}}"),
        ("LDAP_SEARCH_FILTER", "(uid={{username}}", "ldap.filter: is no search filter"),
        ("LDAP_ADMIN_FILTER", "(cn=bosses)", "ldap.admin_filter: must hold {{username}} or {{dn}}"),
        ("LDAP_AUDITOR_FILTER", "((member={{dn}})", "ldap.auditor_filter: is no search filter"),
        ("LDAP_ENABLED", "perhaps", "ldap.enabled: must be true or false"),
        ("LDAP_TIMEOUT", "0", "ldap.timeout_ms: must be a whole number from 100 to 60000"),
    ] {
        let error = with_ldap(name, value).error();
        assert!(error.starts_with(said) && !error.contains("canary"), "{name}={value}: {error}");
    }
}
