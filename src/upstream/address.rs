//! Which addresses we connect to (C-06): public unicast ones, and what an operator allowed.
//!
//! The check looks at the address itself, never at how it was spelled: a v6 form that carries a v4
//! address is judged by what it carries.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is not one to go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// This machine.
    #[error("loopback")]
    Loopback,
    /// "Any address", which the system takes as this machine.
    #[error("unspecified")]
    Unspecified,
    /// A private network.
    #[error("private network")]
    Private,
    /// A carrier's shared network.
    #[error("shared carrier network")]
    Shared,
    /// The same cable only.
    #[error("link-local")]
    LinkLocal,
    /// A cloud's metadata service.
    #[error("cloud metadata")]
    Metadata,
    /// Many receivers.
    #[error("multicast")]
    Multicast,
    /// All receivers.
    #[error("broadcast")]
    Broadcast,
    /// Set aside for examples and measurements.
    #[error("documentation or benchmark")]
    Documentation,
    /// Set aside, tunnelled, or otherwise nobody's.
    #[error("reserved")]
    Reserved,
}

impl Unfit {
    /// Whether no permission lifts it: a provider never lives there, but secrets do.
    const fn is_final(self) -> bool {
        matches!(self, Self::Metadata | Self::Multicast | Self::Broadcast)
    }
}

/// Says whether we connect to `address`.
///
/// # Errors
/// The reason, when we do not. With `allow_private`, only metadata services, multicast and broadcast remain.
pub(super) fn check(address: IpAddr, allow_private: bool) -> Result<(), Unfit> {
    match unfit(address) {
        Some(reason) if reason.is_final() || !allow_private => Err(reason),
        _ => Ok(()),
    }
}

fn unfit(address: IpAddr) -> Option<Unfit> {
    match address {
        IpAddr::V4(v4) => unfit_v4(v4),
        IpAddr::V6(v6) => unfit_v6(v6),
    }
}

fn unfit_v4(address: Ipv4Addr) -> Option<Unfit> {
    // First the single addresses where clouds hand out credentials, two of them in ranges
    // that would otherwise pass or could be allowed.
    if matches!(
        address.octets(),
        [169, 254, 169, 254] | [100, 100, 100, 200] | [168, 63, 129, 16] | [192, 0, 0, 192]
    ) {
        return Some(Unfit::Metadata);
    }
    Some(match address.octets() {
        [0, 0, 0, 0] => Unfit::Unspecified,
        [0, ..] => Unfit::Reserved,
        [127, ..] => Unfit::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Unfit::Private,
        [100, 64..=127, ..] => Unfit::Shared,
        [169, 254, ..] => Unfit::LinkLocal,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] | [198, 18..=19, ..] => Unfit::Documentation,
        [192, 0, 0, _] | [192, 88, 99, _] => Unfit::Reserved,
        [224..=239, ..] => Unfit::Multicast,
        [255, 255, 255, 255] => Unfit::Broadcast,
        [240..=255, ..] => Unfit::Reserved,
        _ => return None,
    })
}

fn unfit_v6(address: Ipv6Addr) -> Option<Unfit> {
    let s = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        unfit_v4(Ipv4Addr::new(a, b, c, d))
    };
    match s {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some(Unfit::Unspecified),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some(Unfit::Loopback),
        // Mapped, and the well-known NAT64 prefix: that very v4 host.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        // Compatible and translated: as mapped, but nobody should be using them.
        [0, 0, 0, 0, 0, 0, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => {
            embedded(high, low).or(Some(Unfit::Reserved))
        }
        // 6to4 carries the v4 address of its router.
        [0x2002, high, low, ..] => embedded(high, low).or(Some(Unfit::Reserved)),
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] => Some(Unfit::Metadata),
        [0xfc00..=0xfdff, ..] => Some(Unfit::Private),
        [0xfe80..=0xfebf, ..] => Some(Unfit::LinkLocal),
        [0xfec0..=0xfeff, ..] => Some(Unfit::Private),
        [0xff00..=0xffff, ..] => Some(Unfit::Multicast),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] | [0x2001, 2, 0, ..] => Some(Unfit::Documentation),
        // Teredo, ORCHID and the other special blocks of 2001::/23.
        [0x2001, 0..=0x1ff, ..] => Some(Unfit::Reserved),
        // ISATAP: a v4 host behind any prefix.
        [.., 0 | 0x200, 0x5efe, high, low] => embedded(high, low),
        [0x2000..=0x3fff, ..] => None,
        _ => Some(Unfit::Reserved),
    }
}

#[cfg(test)]
mod tests {
    use super::{Unfit, Unfit::*, check};

    /// Address, and what is wrong with it. C-06.
    const TABLE: &[(&str, Option<Unfit>)] = &[
        ("1.1.1.1", None),
        ("8.8.8.8", None),
        ("9.255.255.255", None),
        ("11.0.0.0", None),
        ("100.63.255.255", None),
        ("100.128.0.0", None),
        ("128.0.0.1", None),
        ("169.253.255.255", None),
        ("172.15.255.255", None),
        ("172.32.0.0", None),
        ("192.167.255.255", None),
        ("198.17.255.255", None),
        ("198.20.0.0", None),
        ("223.255.255.255", None),
        ("0.0.0.0", Some(Unspecified)),
        ("0.1.2.3", Some(Reserved)),
        ("10.0.0.0", Some(Private)),
        ("10.255.255.255", Some(Private)),
        ("100.64.0.0", Some(Shared)),
        ("100.127.255.255", Some(Shared)),
        ("100.100.100.200", Some(Metadata)),
        ("127.0.0.1", Some(Loopback)),
        ("127.255.255.254", Some(Loopback)),
        ("168.63.129.16", Some(Metadata)),
        ("169.254.0.1", Some(LinkLocal)),
        ("169.254.169.254", Some(Metadata)),
        ("172.16.0.1", Some(Private)),
        ("172.31.255.255", Some(Private)),
        ("192.0.0.8", Some(Reserved)),
        ("192.0.0.192", Some(Metadata)),
        ("192.0.2.1", Some(Documentation)),
        ("192.88.99.1", Some(Reserved)),
        ("192.168.1.1", Some(Private)),
        ("198.18.0.1", Some(Documentation)),
        ("198.19.255.255", Some(Documentation)),
        ("198.51.100.7", Some(Documentation)),
        ("203.0.113.9", Some(Documentation)),
        ("224.0.0.1", Some(Multicast)),
        ("239.255.255.255", Some(Multicast)),
        ("240.0.0.1", Some(Reserved)),
        ("255.255.255.255", Some(Broadcast)),
        ("2606:4700:4700::1111", None),
        ("2a00:1450:4001::200e", None),
        ("::", Some(Unspecified)),
        ("::1", Some(Loopback)),
        ("::127.0.0.1", Some(Loopback)),
        ("::8.8.8.8", Some(Reserved)),
        ("::ffff:127.0.0.1", Some(Loopback)),
        ("::ffff:10.1.2.3", Some(Private)),
        ("::ffff:169.254.169.254", Some(Metadata)),
        ("::ffff:8.8.8.8", None),
        ("::ffff:0:127.0.0.1", Some(Loopback)),
        ("64:ff9b::10.0.0.1", Some(Private)),
        ("64:ff9b::169.254.169.254", Some(Metadata)),
        ("64:ff9b::8.8.8.8", None),
        ("64:ff9b:1::1", Some(Reserved)),
        ("2002:7f00:1::", Some(Loopback)),
        ("2002:a9fe:a9fe::1", Some(Metadata)),
        ("2002:808:808::1", Some(Reserved)),
        ("2001::1", Some(Reserved)),
        ("2001:10::1", Some(Reserved)),
        ("2001:2::1", Some(Documentation)),
        ("2001:db8::1", Some(Documentation)),
        ("3fff::1", Some(Documentation)),
        ("2a00::5efe:c0a8:101", Some(Private)),
        ("100::1", Some(Reserved)),
        ("fc00::1", Some(Private)),
        ("fd12:3456::1", Some(Private)),
        ("fd00:ec2::254", Some(Metadata)),
        ("fd20:ce::254", Some(Metadata)),
        ("fe80::1", Some(LinkLocal)),
        ("fec0::1", Some(Private)),
        ("ff02::1", Some(Multicast)),
        ("4000::1", Some(Reserved)),
    ];

    #[test]
    fn c06_every_address_of_the_table_is_judged_by_what_it_means() {
        for (text, expected) in TABLE {
            let address = text.parse().expect("the table holds addresses");
            assert_eq!(check(address, false).err(), *expected, "{text}");
        }
    }

    #[test]
    fn c06_permission_opens_private_networks_but_never_metadata_multicast_or_broadcast() {
        for (text, expected) in TABLE {
            let address = text.parse().expect("the table holds addresses");
            let still = expected.filter(|reason| matches!(reason, Metadata | Multicast | Broadcast));
            assert_eq!(check(address, true).err(), still, "{text}");
        }
    }
}
