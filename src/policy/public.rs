//! Which addresses are somebody's on the internet, and which mean this machine, this network or nobody: whoever may
//! name an address may be after what only the process reaches that dials it.

use std::net::IpAddr;

use super::network::Network;

/// Networks that aren't somebody's on the internet, by IANA's registries of special-purpose addresses
/// (<https://www.iana.org/assignments/iana-ipv4-special-registry>, `iana-ipv6-special-registry`), with multicast, and
/// with what embeds an address of IPv4.
const SPECIAL: [&str; 20] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
];
/// The only part of IPv6 that is given out (RFC 4291, section 2.4, and IANA's registry of global unicast addresses), and
/// what of it is for documentation since.
const GIVEN_OUT: &str = "2000::/3";
const DOCUMENTATION: &str = "3fff::/20";
/// What answers inside of a cloud alone although its address is a public one: Azure's platform service.
const OF_CLOUDS: &str = "168.63.129.16/32";

/// Whether an address is somebody's on the internet, and in none of the networks of `own`.
pub fn is_public(address: IpAddr, own: &[Network]) -> bool {
    let address = address.to_canonical();
    let holds = |text: &str| Network::parse(text).is_none_or(|network| network.holds(address));
    let special = SPECIAL.into_iter().chain([DOCUMENTATION, OF_CLOUDS]);
    let is_given_out = address.is_ipv4() || holds(GIVEN_OUT);
    is_given_out && !special.into_iter().any(holds) && !own.iter().any(|network| network.holds(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What only a process inside reaches.
    const INSIDE: &str = "0.0.0.0 127.0.0.1 127.255.255.254 10.96.0.1 172.31.255.255 192.168.1.1 169.254.169.254 \
        100.100.100.200 100.64.0.1 168.63.129.16 192.0.0.192 192.0.2.1 198.18.0.1 203.0.113.9 \
        224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255 :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 \
        ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe 64:ff9b:1::a00:1 fd00:ec2::254 fd20:ce::254 \
        fc00::1 fe80::1 fec0::1 ff02::1 100::1 2001::1 2001:db8::1 2002:7f00:1:: 3fff::1 \
        5f00::1";

    fn public(text: &str, own: &[&str]) -> bool {
        let own: Vec<Network> = own.iter().map(|text| Network::parse(text).expect("a network")).collect();
        is_public(text.parse().expect("an address"), &own)
    }

    #[test]
    fn what_only_a_process_inside_reaches_is_not_public() {
        for text in INSIDE.split_whitespace() {
            assert!(!public(text, &[]), "{text}");
        }
    }

    #[test]
    fn what_is_on_the_internet_is_public_unless_it_is_the_clusters_own() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "198.20.0.1",
            "::ffff:1.1.1.1",
            "2606:4700:4700::1111",
            "2a00:1450::1",
        ] {
            assert!(public(text, &["10.0.0.0/8", "fd00::/8"]), "{text}");
        }
        assert!(!public("8.8.8.8", &["8.8.8.0/24"]) && !public("::ffff:8.8.8.8", &["8.8.8.0/24"]));
        assert!(!public("2606:4700::1", &["2606:4700::/32"]));
    }
}
