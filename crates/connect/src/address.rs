//! Which addresses are anybody's on the internet, and which are inside somebody's network. A system's name is looked
//! up once, every answer is judged here, and the connection goes to the answer that was judged.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Reachable by everybody, meant to be.
    Public,
    /// This machine.
    Loopback,
    /// Inside some network, or not a machine at all.
    Special(&'static str),
}

/// What this address is (IANA special-purpose address registries, RFC 6890). An IPv6 address that carries an IPv4 one is
/// judged by what it carries.
pub(crate) fn kind(address: IpAddr) -> Kind {
    match address {
        IpAddr::V4(address) => of_v4(address),
        IpAddr::V6(address) => of_v6(address),
    }
}

fn of_v4(address: Ipv4Addr) -> Kind {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        (127, ..) => Kind::Loopback,
        (0, ..) => Kind::Special("this network"),
        (10, ..) | (172, 16..=31, _) | (192, 168, _) => Kind::Special("a private network"),
        (100, 64..=127, _) => Kind::Special("a carrier's network"),
        (169, 254, _) => Kind::Special("link-local"),
        (192, 0, 0 | 2) | (192, 88, 99) | (198, 18..=19, _) | (198, 51, 100) | (203, 0, 113) => {
            Kind::Special("reserved")
        }
        (224..=239, ..) => Kind::Special("multicast"),
        (240..=255, ..) => Kind::Special("reserved"),
        _ => Kind::Public,
    }
}

fn of_v6(address: Ipv6Addr) -> Kind {
    if address == Ipv6Addr::LOCALHOST {
        return Kind::Loopback;
    }
    if address == Ipv6Addr::UNSPECIFIED {
        return Kind::Special("this network");
    }
    let [a, b, c, d, e, f, g, h] = address.segments();
    let tail = || {
        let ([w, x], [y, z]) = (g.to_be_bytes(), h.to_be_bytes());
        of_v4(Ipv4Addr::new(w, x, y, z))
    };
    match (a, b) {
        // Mapped, translated (RFC 6052) and the deprecated compatible form.
        (0, 0) if (c, d) == (0, 0) && (e, f) == (0, 0xffff) => tail(),
        (0x64, 0xff9b) if (c, d, e, f) == (0, 0, 0, 0) => tail(),
        (0, _) => Kind::Special("reserved"),
        (0x64, 0xff9b) => Kind::Special("a translator's network"),
        (0x100, _) => Kind::Special("a black hole"),
        // Teredo, 6to4 and the like lead to addresses nobody judged.
        (0x2001, 0..=0x1ff) | (0x2002, _) => Kind::Special("a tunnel"),
        (0x2001, 0xdb8) | (0x3fff, 0..=0xfff) | (0x5f00, _) => Kind::Special("reserved"),
        (0xfc00..=0xfdff, _) => Kind::Special("a private network"),
        (0xfe80..=0xfebf, _) => Kind::Special("link-local"),
        (0xfec0..=0xfeff, _) => Kind::Special("a private network"),
        (0xff00..=0xffff, _) => Kind::Special("multicast"),
        _ => Kind::Public,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_inside_a_network_is_known_in_every_way_it_can_be_written() {
        let public =
            ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"];
        for address in public {
            assert_eq!(kind(address.parse().unwrap()), Kind::Public, "{address}");
        }
        for address in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"] {
            assert_eq!(kind(address.parse().unwrap()), Kind::Loopback, "{address}");
        }
        let special = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "169.254.169.254",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::10.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:a00:1::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for address in special {
            assert!(matches!(kind(address.parse().unwrap()), Kind::Special(_)), "{address}");
        }
    }
}
