//! Where a client is: the peer, or what proxies that are trusted say of it (C-27).
//!
//! `x-forwarded-for` is read from our side: each trusted proxy vouches for the one entry that it added, the
//! last that is still unread. The first address that is nobody's we trust is the client. What stands before
//! it, the client may have written itself.

use std::net::{IpAddr, SocketAddr};

use actix_web::HttpRequest;
use ipnet::IpNet;

/// Where the client is, if its connection has an address.
#[must_use]
pub fn client_address(request: &HttpRequest, trusted: &[IpNet]) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip();
    // A proxy may add its own line instead of lengthening the one that came.
    let lines = request.headers().get_all("x-forwarded-for");
    let hops: Vec<&str> =
        lines.flat_map(|line| line.to_str().unwrap_or(UNREADABLE).split(',')).map(str::trim).collect();
    Some(behind(peer, &hops, trusted))
}

/// What stands for a line that is no text: an entry that is no address.
const UNREADABLE: &str = "?";

fn behind(peer: IpAddr, hops: &[&str], trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut nearest = peer.to_canonical();
    let mut left = hops.iter().rev();
    while is_trusted(&nearest) {
        // A trusted proxy that says nothing, or nothing that can be read, is as far as we see.
        let Some(hop) = left.next().and_then(|hop| address(hop)) else { break };
        nearest = hop;
    }
    nearest
}

/// An address as proxies write it, some of them with the port.
fn address(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')).unwrap_or(hop);
    let with_port = || Some(hop.parse::<SocketAddr>().ok()?.ip());
    bare.parse().ok().or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    /// Where somebody is who comes from `peer` with these lines.
    fn told(peer: &str, lines: &[&str]) -> String {
        let trusted = ["10.0.0.0/8", "192.0.2.7/32", "fd00::/8"].map(|network| network.parse().unwrap());
        let peer = SocketAddr::new(peer.parse().unwrap(), 5);
        let mut request = TestRequest::get().peer_addr(peer);
        for line in lines {
            request = request.append_header(("x-forwarded-for", *line));
        }
        client_address(&request.to_http_request(), &trusted).unwrap().to_string()
    }

    #[test]
    fn c27_who_may_say_where_a_client_is() {
        for (peer, lines, expected) in [
            // Nobody asked the peer where somebody else is.
            ("198.51.100.9", &["203.0.113.1"][..], "198.51.100.9"),
            ("198.51.100.9", &["10.0.0.1", "127.0.0.1"], "198.51.100.9"),
            ("::ffff:198.51.100.9", &["203.0.113.1"], "198.51.100.9"),
            // One proxy, and what a client put before its entry.
            ("10.0.0.1", &["203.0.113.1"], "203.0.113.1"),
            ("10.0.0.1", &["127.0.0.1, 203.0.113.1"], "203.0.113.1"),
            ("10.0.0.1", &["127.0.0.1", "203.0.113.1"], "203.0.113.1"),
            ("10.0.0.1", &["10.9.9.9, 203.0.113.1"], "203.0.113.1"),
            ("10.0.0.1", &["unknown, 203.0.113.1"], "203.0.113.1"),
            ("10.0.0.1", &["\u{e9}", "203.0.113.1"], "203.0.113.1"),
            ("10.0.0.1", &[", ,203.0.113.1"], "203.0.113.1"),
            ("::ffff:10.0.0.1", &["203.0.113.1"], "203.0.113.1"),
            // Proxies behind one another.
            ("10.0.0.1", &["8.8.8.8, 203.0.113.1, 10.0.0.2", "192.0.2.7"], "203.0.113.1"),
            ("10.0.0.1", &["8.8.8.8, 203.0.113.1, 192.0.2.8"], "192.0.2.8"),
            ("fd00::1", &["2001:db8::1, fd00::2"], "2001:db8::1"),
            // As some write it.
            ("10.0.0.1", &["203.0.113.1:4711"], "203.0.113.1"),
            ("10.0.0.1", &["[2001:db8::1]:4711"], "2001:db8::1"),
            ("10.0.0.1", &["[2001:db8::1]"], "2001:db8::1"),
            ("10.0.0.1", &["::ffff:203.0.113.1"], "203.0.113.1"),
            // As far as we see.
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &[""], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.1, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.1, unknown, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &["203.0.113.1, 300.1.1.1"], "10.0.0.1"),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ] {
            assert_eq!(told(peer, lines), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn c27_without_trusted_proxies_the_peer_is_the_client() {
        let request = TestRequest::get()
            .peer_addr("127.0.0.1:5".parse().unwrap())
            .insert_header(("x-forwarded-for", "203.0.113.1"))
            .to_http_request();
        assert_eq!(client_address(&request, &[]), Some("127.0.0.1".parse().unwrap()));
    }
}
