//! Whether the provider answers where people sign in.

use super::finding::Finding;
use crate::{
    admin::OidcProvider,
    cli::{exit::Failure, remote::Remote},
    config::Config,
    upstream,
};

pub(super) async fn look(
    remote: &Remote,
    config: &Config,
    findings: &mut Vec<Finding>,
) -> Result<(), Failure> {
    let Some(settings) = config.oidc.clone() else { return Ok(()) };
    let upstream = upstream::Settings::new(remote.ca.as_deref()).map_err(Failure::usage)?;
    let issuer = settings.issuer.clone();
    findings.push(match OidcProvider::new(settings, &upstream).look().await {
        Ok(()) => Finding::ok("oidc", format!("{issuer} answers")),
        Err(why) => Finding::bad(
            "oidc",
            format!("{issuer}: {why}"),
            "oidc.issuer must be what the provider calls itself, and be reached from here over TLS; \
             oidc.allow_private_network lets it be on a private address",
        ),
    });
    Ok(())
}
