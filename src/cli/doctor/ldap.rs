//! Whether the directory answers whose accounts sign in.

use super::finding::Finding;
use crate::{admin::Directory, config::Config};

pub(super) async fn look(config: &Config, findings: &mut Vec<Finding>) {
    const CHECK: &str = "ldap";
    let Some(settings) = config.ldap.clone() else { return };
    let url = settings.url.clone();
    let looked = match Directory::new(settings) {
        Ok(directory) => directory.look().await,
        Err(error) => {
            let mend = "ldap.ca_file must be a PEM file with the certificate of an authority";
            findings.push(Finding::bad(CHECK, format!("ldap.ca_file: {error}"), mend));
            return;
        }
    };
    findings.push(match looked {
        Ok(()) => Finding::ok(CHECK, format!("{url} answers")),
        Err(why) => Finding::bad(
            CHECK,
            format!("{url}: {why}"),
            "ldap.url must be reached from here over TLS that ldap.ca_file, the system or the public authorities \
             vouch for; ldap.bind_dn must be let in and see ldap.base",
        ),
    });
}
