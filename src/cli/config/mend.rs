//! What to do about a setting that makes no sense.

use crate::config::{self, ConfigError, Origin};

/// What to do about it.
pub(in crate::cli) fn of(error: &ConfigError) -> String {
    match error {
        ConfigError::File { path, .. } => {
            format!("make {} readable and valid TOML, or point --config to another file", path.display())
        }
        ConfigError::UnknownKey { path, key } => match nearest(key) {
            Some(known) => format!(
                "write `{known}` in {}, if that is what was meant; or remove the line",
                path.display()
            ),
            None => {
                format!("remove the line from {}; `pointsman config show` lists every key", path.display())
            }
        },
        ConfigError::Value { key, origin, .. } => format!("{} {}", place(key, origin), advice(key)),
        #[allow(unreachable_patterns, reason = "what is added to the errors gets an advice of its own later")]
        _ => "`pointsman config show` lists every key".to_owned(),
    }
}

fn place(key: &str, origin: &Origin) -> String {
    match origin {
        Origin::Default => format!("set {key}:"),
        Origin::File => format!("change {key} in the configuration file:"),
        Origin::Environment(name) => format!("change or unset the variable {name}:"),
        Origin::Flag(flag) => format!("change {flag}:"),
        #[allow(unreachable_patterns, reason = "what is added to the origins is told by its own name")]
        other => format!("change {key} ({other}):"),
    }
}

/// What each key wants, where its error does not say it all.
fn advice(key: &str) -> &'static str {
    match key {
        "admin_token" => {
            "take one that nobody can guess, as from `openssl rand -hex 24`; unset, the first start makes one"
        }
        "sealing_key" => "it is 32 bytes in hex or base64, as from `openssl rand -hex 32`",
        "store.url" => "postgres://user:password@host:5432/database, or sqlite:/path/to/file.db",
        "time_zone" => "a name of the IANA list, such as UTC, Europe/Berlin or Asia/Shanghai",
        "server.listen_addr" => "0.0.0.0 listens everywhere, 127.0.0.1 only on this machine",
        "prices.source_url" => "an https:// address without user name and password",
        "oidc.issuer" => {
            "the `issuer` that the provider's /.well-known/openid-configuration names, letter by letter"
        }
        "ldap.url" => "such as ldaps://directory.example; ldap:// speaks TLS by StartTLS",
        "ldap.filter" => "such as (uid={{username}}), or (sAMAccountName={{username}}) for Active Directory",
        "oidc.public_url" => "where browsers find this server, such as https://gate.example",
        "oidc.roles" => "such as gateway-admins=admin,gateway-ops=operator",
        "server.placement" => "auto suits nearly everyone",
        _ => "see docs/operating/configuration.md for what it means",
    }
}

/// The key that was most likely meant.
fn nearest(key: &str) -> Option<&'static str> {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let likeness = |known: &str| {
        // Often only the section is wrong or missing.
        strsim::jaro_winkler(key, known).max(if last(key) == last(known) { 0.95 } else { 0.0 })
    };
    let best = config::keys().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(best) > 0.85).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_that_was_meant_is_found_and_nothing_is_made_up() {
        assert_eq!(nearest("server.prot"), Some("server.port"));
        assert_eq!(nearest("port"), Some("server.port"));
        assert_eq!(nearest("store.uri"), Some("store.url"));
        assert_eq!(nearest("zzz"), None);
    }
}
