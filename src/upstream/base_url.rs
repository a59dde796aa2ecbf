//! A provider's base url, taken apart once: where to connect, what to call it, which prefix to add.

use std::fmt;

use url::{Host, Url};

use super::address::{self, Unfit};

/// Why a base url is not one we go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlRefused {
    /// It cannot be read.
    #[error("not a url")]
    NotAUrl,
    /// Neither `https` nor, where private networks are allowed, `http`.
    #[error("scheme must be https")]
    Scheme,
    /// It holds a user name or password.
    #[error("user information in a url")]
    UserInfo,
    /// It holds a query or fragment, which the path could not be appended to.
    #[error("query or fragment in a base url")]
    QueryOrFragment,
    /// It has no host, or one that cannot be connected to.
    #[error("no host")]
    Host,
    /// The host is written as an address that we do not go to.
    #[error("address not allowed: {0}")]
    Address(Unfit),
}

/// A base url that passed the checks which need no name resolution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    /// Whether TLS is spoken.
    pub(super) tls: bool,
    /// Name or address, in normal spelling.
    pub(super) host: Host<String>,
    /// Always present.
    pub(super) port: u16,
    /// Path prefix without a trailing slash; empty for none.
    pub(super) prefix: String,
}

impl BaseUrl {
    /// The authority as the far side knows it, for the `host` header: no port where it is the default one.
    pub(super) fn host_header(&self) -> String {
        let default_port = if self.tls { 443 } else { 80 };
        if self.port == default_port { self.host.to_string() } else { self.to_string() }
    }
}

/// Host and port.
impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Checks a base url as far as that goes without resolving its name; the address that is really
/// connected to is checked again by the connector.
///
/// Odd spellings of an address (`0x7f.1`, `2130706433`, `127.1`) are read as the address they mean.
///
/// # Errors
/// The first reason found.
pub fn check_base_url(url: &str, allow_private: bool) -> Result<BaseUrl, UrlRefused> {
    let url = Url::parse(url).map_err(|_| UrlRefused::NotAUrl)?;
    let tls = match url.scheme() {
        "https" => true,
        "http" if allow_private => false,
        _ => return Err(UrlRefused::Scheme),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlRefused::UserInfo);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(UrlRefused::QueryOrFragment);
    }
    let host = url.host().ok_or(UrlRefused::Host)?.to_owned();
    let port = url.port_or_known_default().filter(|port| *port != 0).ok_or(UrlRefused::Host)?;
    let literal = match &host {
        Host::Ipv4(v4) => Some((*v4).into()),
        Host::Ipv6(v6) => Some((*v6).into()),
        // The name means this machine whatever a resolver says.
        Host::Domain(name) if is_localhost(name) => Some(std::net::Ipv4Addr::LOCALHOST.into()),
        Host::Domain(_) => None,
    };
    if let Some(literal) = literal {
        address::check(literal, allow_private).map_err(UrlRefused::Address)?;
    }
    Ok(BaseUrl { tls, host, port, prefix: url.path().trim_end_matches('/').to_owned() })
}

fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::{Unfit, UrlRefused, check_base_url};

    #[test]
    fn c06_odd_spellings_are_read_as_the_address_they_mean() {
        for odd in [
            "https://127.0.0.1",
            "https://127.1",
            "https://0x7f.1",
            "https://0x7f000001",
            "https://2130706433",
            "https://0177.0.0.1",
            "https://127.0.0.1.",
            "https://%31%32%37.0.0.1",
            "https://127。0。0。1",
            "https://①②⑦.0.0.1",
            "https://[::1]",
            "https://[0:0:0:0:0:0:0:1]",
            "https://[::ffff:7f00:1]",
            "https://localhost",
            "https://LOCALHOST.",
            "https://api.localhost:8443/v1",
        ] {
            assert_eq!(check_base_url(odd, false), Err(UrlRefused::Address(Unfit::Loopback)), "{odd}");
        }
    }

    #[test]
    fn c06_plain_http_and_other_schemes_need_a_reason() {
        assert_eq!(check_base_url("http://api.example.com", false), Err(UrlRefused::Scheme));
        assert!(check_base_url("http://10.0.0.7:8080", true).is_ok());
        for scheme in
            ["ftp://a.example", "file:///etc/passwd", "gopher://a.example", "unix:/run/x", "javascript:1"]
        {
            assert_eq!(check_base_url(scheme, true), Err(UrlRefused::Scheme), "{scheme}");
        }
    }

    #[test]
    fn c06_what_does_not_belong_into_a_base_url_is_refused() {
        for (url, refused) in [
            ("", UrlRefused::NotAUrl),
            ("api.example.com", UrlRefused::NotAUrl),
            ("https://", UrlRefused::NotAUrl),
            ("https://api.example.com:0", UrlRefused::Host),
            ("https://user@api.example.com", UrlRefused::UserInfo),
            ("https://user:secret@api.example.com", UrlRefused::UserInfo),
            ("https://public.example@169.254.169.254/", UrlRefused::UserInfo),
            ("https://api.example.com/?key=1", UrlRefused::QueryOrFragment),
            ("https://api.example.com/#x", UrlRefused::QueryOrFragment),
            ("https://169.254.169.254/latest", UrlRefused::Address(Unfit::Metadata)),
        ] {
            assert_eq!(check_base_url(url, false), Err(refused), "{url}");
        }
        let metadata = check_base_url("http://169.254.169.254/latest", true);
        assert_eq!(metadata, Err(UrlRefused::Address(Unfit::Metadata)));
    }

    #[test]
    fn the_host_header_omits_only_the_default_port_of_the_scheme() {
        for (url, header) in [
            ("https://api.example.com/v1/", "api.example.com"),
            ("https://api.example.com:8443", "api.example.com:8443"),
            ("https://api.example.com:80", "api.example.com:80"),
            ("http://api.example.com:443", "api.example.com:443"),
            ("http://[fd00::1]", "[fd00::1]"),
            ("http://[fd00::1]:81", "[fd00::1]:81"),
        ] {
            let base = check_base_url(url, true).expect("a plain url");
            assert_eq!(base.host_header(), header);
        }
        let base = check_base_url("https://api.example.com/v1/", true).expect("a plain url");
        assert_eq!(base.prefix, "/v1");
    }
}
