//! TLS towards upstreams (C-32): whom we trust, and what a failed handshake is called.

use std::{io, path::Path, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, Error, RootCertStore,
    crypto::ring,
    pki_types::{
        CertificateDer, ServerName,
        pem::{self, PemObject},
    },
};
use url::Host;

use super::fault::{Fault, TlsFault};

/// Why there is no TLS configuration.
#[derive(Debug, thiserror::Error)]
pub enum TlsSetup {
    /// The extra certificates cannot be read.
    #[error("extra ca certificates cannot be read")]
    ExtraCa(#[source] pem::Error),
    /// The file holds none, or one that is not a certificate.
    #[error("extra ca file holds no usable certificate")]
    NoExtraCa,
    /// The crypto library objects.
    #[error("tls cannot be set up")]
    Library(#[from] Error),
}

/// Trusts the public authorities, those of the system, and those in `extra_ca` (PEM).
///
/// Offers HTTP/1.1 only, since the wire guard reads nothing else.
///
/// # Errors
/// When `extra_ca` is given and unusable: going on without it would fail every request later.
pub fn tls_config(extra_ca: Option<&Path>) -> Result<ClientConfig, TlsSetup> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    // The system's store is a courtesy; a container without one is normal, and so is an old
    // certificate in it that nobody can read.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = extra_ca {
        let certificates = CertificateDer::pem_file_iter(path).map_err(TlsSetup::ExtraCa)?;
        let certificates: Vec<_> = certificates.collect::<Result<_, _>>().map_err(TlsSetup::ExtraCa)?;
        let (added, ignored) = roots.add_parsable_certificates(certificates);
        if added == 0 || ignored > 0 {
            return Err(TlsSetup::NoExtraCa);
        }
    }
    // Named here, so that it does not matter which provider another crate installs for the process.
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The name the far side's certificate must be for.
pub(super) fn server_name(host: &Host<String>) -> Result<ServerName<'static>, Fault> {
    match host {
        Host::Ipv4(v4) => Ok(ServerName::IpAddress((*v4).into())),
        Host::Ipv6(v6) => Ok(ServerName::IpAddress((*v6).into())),
        Host::Domain(name) => ServerName::try_from(name.clone()).map_err(|_| Fault::Tls(TlsFault::WrongName)),
    }
}

/// What a failed handshake comes down to.
pub(super) fn fault(error: &io::Error) -> Fault {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<Error>());
    Fault::Tls(match cause {
        Some(Error::InvalidCertificate(objection)) => match objection {
            CertificateError::UnknownIssuer => TlsFault::UnknownIssuer,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                TlsFault::WrongName
            }
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => TlsFault::Expired,
            CertificateError::Revoked => TlsFault::Revoked,
            _ => TlsFault::Certificate,
        },
        _ => TlsFault::Handshake,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::{TlsSetup, tls_config};

    #[test]
    fn an_extra_ca_file_that_helps_nobody_is_an_error() {
        assert!(tls_config(None).is_ok());
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "no certificate in here").unwrap();
        assert!(matches!(tls_config(Some(file.path())), Err(TlsSetup::NoExtraCa)));
        let gone = file.path().to_owned();
        drop(file);
        assert!(matches!(tls_config(Some(&gone)), Err(TlsSetup::ExtraCa(_))));
    }
}
