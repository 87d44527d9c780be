//! Which addresses may be dialled: a rule from the address and the scope alone.
//!
//! Must not resolve names nor open anything.

use std::{net::IpAddr, sync::LazyLock};

use ipnet::IpNet;

use super::Scope;

/// Why an address is not dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("unspecified")]
    Unspecified,
    #[error("link-local")]
    LinkLocal,
    #[error("a cloud's metadata service")]
    Metadata,
    #[error("multicast")]
    Multicast,
    #[error("broadcast")]
    Broadcast,
    /// It would be judged as IPv6 and reach an IPv4 address that was not.
    #[error("an IPv4 address hidden in IPv6")]
    Hidden,
    /// The one reason that holds for [`Scope::Public`] only.
    #[error("not on the public internet")]
    NotPublic,
}

use Refusal::{Broadcast, Hidden, LinkLocal, Metadata, Multicast, NotPublic, Unspecified};

/// The first that holds the address decides (IANA's special-purpose registries, and what clouds add to them).
const RULES: &[(&str, Refusal)] = &[
    ("0.0.0.0/8", Unspecified),
    ("169.254.0.0/16", LinkLocal),
    ("224.0.0.0/4", Multicast),
    ("255.255.255.255/32", Broadcast),
    // Alibaba, Azure, Oracle; the others use 169.254.169.254.
    ("100.100.100.200/32", Metadata),
    ("168.63.129.16/32", Metadata),
    ("192.0.0.192/32", Metadata),
    ("10.0.0.0/8", NotPublic),
    ("100.64.0.0/10", NotPublic),
    ("127.0.0.0/8", NotPublic),
    ("172.16.0.0/12", NotPublic),
    ("192.0.0.0/24", NotPublic),
    ("192.0.2.0/24", NotPublic),
    ("192.88.99.0/24", NotPublic),
    ("192.168.0.0/16", NotPublic),
    ("198.18.0.0/15", NotPublic),
    ("198.51.100.0/24", NotPublic),
    ("203.0.113.0/24", NotPublic),
    ("240.0.0.0/4", NotPublic),
    ("::/128", Unspecified),
    ("::1/128", NotPublic),
    // Compatible, mapped, translated; NAT64; Teredo; 6to4.
    ("::/96", Hidden),
    ("::ffff:0:0/96", Hidden),
    ("::ffff:0:0:0/96", Hidden),
    ("64:ff9b::/96", Hidden),
    ("64:ff9b:1::/48", Hidden),
    ("2001::/32", Hidden),
    ("2002::/16", Hidden),
    ("fe80::/10", LinkLocal),
    ("ff00::/8", Multicast),
    // Amazon, Google, Scaleway.
    ("fd00:ec2::/32", Metadata),
    ("fd20:ce::254/128", Metadata),
    ("fd00:42::42/128", Metadata),
    ("2001::/23", NotPublic),
    ("2001:db8::/32", NotPublic),
    ("3fff::/20", NotPublic),
    // What IANA has given out of IPv6 to the public is 2000::/3; these are the rest.
    ("::/3", NotPublic),
    ("4000::/2", NotPublic),
    ("8000::/1", NotPublic),
];

static NETWORKS: LazyLock<Vec<(IpNet, Refusal)>> = LazyLock::new(|| {
    let read = |&(network, why): &(&str, Refusal)| {
        // Constants of this file; the tests read them all.
        (network.parse().expect("a network"), why)
    };
    RULES.iter().map(read).collect()
});

/// Whether `address` may be dialled.
pub fn check(address: IpAddr, scope: Scope) -> Result<(), Refusal> {
    let rule = NETWORKS.iter().find(|(network, _)| network.contains(&address));
    match rule {
        None => Ok(()),
        Some((_, NotPublic)) if scope == Scope::Registered => Ok(()),
        Some((_, why)) => Err(*why),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn both(address: &str) -> (Result<(), Refusal>, Result<(), Refusal>) {
        let address = address.parse().expect("an address");
        (check(address, Scope::Public), check(address, Scope::Registered))
    }

    #[test]
    fn some_addresses_are_never_dialled() {
        for (address, why) in [
            ("0.0.0.0", Unspecified),
            ("0.0.0.1", Unspecified),
            ("::", Unspecified),
            ("169.254.169.254", LinkLocal),
            ("169.254.170.2", LinkLocal),
            ("fe80::1", LinkLocal),
            ("febf::1", LinkLocal),
            ("fd00:ec2::254", Metadata),
            ("fd00:ec2::23", Metadata),
            ("fd20:ce::254", Metadata),
            ("100.100.100.200", Metadata),
            ("168.63.129.16", Metadata),
            ("192.0.0.192", Metadata),
            ("224.0.0.1", Multicast),
            ("239.255.255.255", Multicast),
            ("ff02::1", Multicast),
            ("255.255.255.255", Broadcast),
            ("::ffff:8.8.8.8", Hidden),
            ("::ffff:169.254.169.254", Hidden),
            ("::8.8.8.8", Hidden),
            ("::ffff:0:8.8.8.8", Hidden),
            ("64:ff9b::8.8.8.8", Hidden),
            ("64:ff9b:1::a9fe:a9fe", Hidden),
            ("64:ff9b:1:ffff::1", Hidden),
            ("2002:a9fe:a9fe::1", Hidden),
            ("2001:0:4136:e378:8000:63bf:3fff:fdd2", Hidden),
        ] {
            assert_eq!(both(address), (Err(why), Err(why)), "{address}");
        }
    }

    #[test]
    fn some_are_for_registered_targets_only() {
        for address in [
            "127.0.0.1",
            "127.255.255.254",
            "::1",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "240.0.0.1",
            "fc00::1",
            "fd12:3456::1",
            "fec0::1",
            "2001:db8::1",
            "2001:2::1",
            "3fff::1",
            "100::1",
            "5f00::1",
        ] {
            assert_eq!(both(address), (Err(NotPublic), Ok(())), "{address}");
        }
    }

    #[test]
    fn their_neighbours_are_public() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "128.0.0.1",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.169.0.0",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450::1",
            "2001:4860:4860::8888",
            "2003::1",
        ] {
            assert_eq!(both(address), (Ok(()), Ok(())), "{address}");
        }
    }

    proptest! {
        #[test]
        fn no_ipv4_address_gets_through_inside_another(v4: u32) {
            let low = u128::from(v4);
            for prefix in [0xffff_0000_0000, 0xffff_0000_0000_0000, 0x64_ff9b << 96] {
                let address = IpAddr::V6((prefix | low).into());
                prop_assert!(check(address, Scope::Registered).is_err(), "{address}");
            }
            let six_to_four = IpAddr::V6(((0x2002 << 112) | (low << 80) | 1).into());
            prop_assert!(check(six_to_four, Scope::Registered).is_err(), "{six_to_four}");
        }
    }
}
