//! Networks in CIDR notation: which one is inside which, and what is left of one without others.

use std::net::IpAddr;

/// A network, with no bits set after its prefix.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Network {
    /// 32 for IPv4, 128 for IPv6.
    width: u8,
    /// The first address.
    first: u128,
    /// How many bits all its addresses share.
    prefix: u8,
}

impl Network {
    /// The network that `text` names. `None` where it names none, has bits set after its prefix,
    /// or is an IPv4 network in the clothes of IPv6, which the API server refuses too.
    pub fn parse(text: &str) -> Option<Self> {
        let network = Self::read(text)?;
        (network.first & network.host_bits() == 0).then_some(network)
    }

    /// The network that a NetworkPolicy means by `text`: there, bits after the prefix count for nothing.
    pub fn meant(text: &str) -> Option<Self> {
        let network = Self::read(text)?;
        Some(Self { first: network.first & !network.host_bits(), ..network })
    }

    /// What `text` says, with all of its bits.
    fn read(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let plain = prefix.bytes().all(|letter| letter.is_ascii_digit())
            && (prefix == "0" || !prefix.starts_with('0'));
        if !plain {
            return None;
        }
        let prefix: u8 = prefix.parse().ok()?;
        let (width, first) = match address.parse().ok()? {
            IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => return None,
            address => bits(address),
        };
        (prefix <= width).then_some(Self { width, first, prefix })
    }

    /// Whether an address is one of its own. An IPv4 address in the clothes of IPv6 is one of IPv4.
    pub fn holds(self, address: IpAddr) -> bool {
        let (width, bits) = bits(address.to_canonical());
        self.width == width && bits & !self.host_bits() == self.first
    }

    /// The first of its addresses that none of `others` holds; `None` where nothing is left.
    pub fn first_without(self, others: &[Self]) -> Option<IpAddr> {
        let (first, last) = self.bounds();
        self.next_free(first, others).filter(|bits| *bits <= last).and_then(|bits| self.address(bits))
    }

    /// The first address behind it that none of `others` holds; `None` where there is none.
    pub fn first_behind(self, others: &[Self]) -> Option<IpAddr> {
        let behind = self.bounds().1.checked_add(1)?;
        self.next_free(behind, others).and_then(|bits| self.address(bits))
    }

    /// The first address from `next` on that none of `others` holds, as bits.
    fn next_free(self, next: u128, others: &[Self]) -> Option<u128> {
        let mut next = next;
        let holds = |other: &&Self, bits: u128| {
            let (first, last) = other.bounds();
            other.width == self.width && (first..=last).contains(&bits)
        };
        while let Some(other) = others.iter().find(|other| holds(other, next)) {
            next = other.bounds().1.checked_add(1)?;
        }
        Some(next)
    }

    /// An address of its family; `None` where it has more bits than that.
    fn address(self, bits: u128) -> Option<IpAddr> {
        match self.width {
            32 => u32::try_from(bits).ok().map(|bits| IpAddr::V4(bits.into())),
            _ => Some(IpAddr::V6(bits.into())),
        }
    }

    /// The bits in which its addresses differ.
    fn host_bits(self) -> u128 {
        let hosts = u32::from(self.width.saturating_sub(self.prefix));
        1_u128.checked_shl(hosts).map_or(u128::MAX, |bit| bit.wrapping_sub(1))
    }

    /// Its first and its last address.
    pub fn bounds(self) -> (u128, u128) {
        (self.first, self.first | self.host_bits())
    }

    /// Whether it is one of IPv4.
    pub fn is_v4(self) -> bool {
        self.width == 32
    }

    /// The fewest networks that hold exactly the addresses from `first` to `last`.
    pub fn cover(is_v4: bool, first: u128, last: u128) -> Vec<Self> {
        let width = if is_v4 { 32 } else { 128 };
        let mut next = Some(first);
        let mut found = Vec::new();
        while let Some(first) = next.filter(|first| *first <= last) {
            let widest = (0..=width)
                .map(|prefix| Self { width, first, prefix })
                .find(|network| first & network.host_bits() == 0 && network.bounds().1 <= last);
            let Some(network) = widest else { break };
            found.push(network);
            next = network.bounds().1.checked_add(1);
        }
        found
    }

    /// Whether every address of `other` is one of its own.
    pub fn contains(self, other: Self) -> bool {
        self.width == other.width
            && self.prefix <= other.prefix
            && other.first & !self.host_bits() == self.first
    }

    /// Whether they have an address in common. Of two networks, one is then inside the other.
    pub fn overlaps(self, other: Self) -> bool {
        self.contains(other) || other.contains(self)
    }

    /// Whether every address of it is in one of `others`, were it in pieces.
    pub fn is_covered_by(self, others: &[Self]) -> bool {
        let near: Vec<Self> = others.iter().copied().filter(|other| self.overlaps(*other)).collect();
        if near.iter().any(|other| other.contains(self)) {
            return true;
        }
        // What is left lies inside of it, so its two halves are to be looked at.
        !near.is_empty()
            && self.halves().is_some_and(|halves| halves.iter().all(|half| half.is_covered_by(&near)))
    }

    /// Its two halves, unless it is a single address.
    fn halves(self) -> Option<[Self; 2]> {
        let hosts = self.width.checked_sub(self.prefix)?.checked_sub(1)?;
        let lower = Self { prefix: self.prefix.checked_add(1)?, ..self };
        let upper = Self { first: self.first | 1_u128.checked_shl(u32::from(hosts))?, ..lower };
        Some([lower, upper])
    }

    /// What a NetworkPolicy's `except` has to list to keep `others` out of it: those inside of it,
    /// none twice. `None` where nothing of it would be left.
    pub fn except(self, others: &[Self]) -> Option<Vec<Self>> {
        if self.is_covered_by(others) {
            return None;
        }
        let mut inside: Vec<Self> = others.iter().copied().filter(|other| self.contains(*other)).collect();
        inside.sort_unstable();
        inside.dedup();
        let widest = inside
            .iter()
            .copied()
            .filter(|one| !inside.iter().any(|other| other != one && other.contains(*one)))
            .collect();
        Some(widest)
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let address = self.address(self.first).ok_or(std::fmt::Error)?;
        write!(out, "{address}/{}", self.prefix)
    }
}

/// How wide an address is, and its bits.
fn bits(address: IpAddr) -> (u8, u128) {
    match address {
        IpAddr::V4(address) => (32, u128::from(address.to_bits())),
        IpAddr::V6(address) => (128, address.to_bits()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn network(text: &str) -> Network {
        Network::parse(text).unwrap_or_else(|| panic!("{text} is a network"))
    }

    fn networks(texts: &[&str]) -> Vec<Network> {
        texts.iter().map(|text| network(text)).collect()
    }

    #[test]
    fn a_network_is_written_as_it_was_read() {
        for text in ["0.0.0.0/0", "192.0.2.0/24", "192.0.2.7/32", "::/0", "2001:db8::/32", "::1/128"] {
            assert_eq!(network(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for wrong in [
            "",
            "/",
            "192.0.2.0",
            "192.0.2.1/24",
            "192.0.2.0/33",
            "192.0.2.0/-1",
            "192.0.2.0/+8",
            "192.0.2.0/024",
            "192.0.2.0/",
            "010.0.0.0/8",
            "2001:db8::/129",
            "2001:db8::1/32",
            "::ffff:192.0.2.0/120",
            "192.0.2.0/24/24",
            "fe80::%eth0/64",
            "host/24",
        ] {
            assert_eq!(Network::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_smaller_network_is_inside_a_larger_one_of_its_own_family() {
        assert!(network("192.0.2.0/24").contains(network("192.0.2.240/28")));
        assert!(network("192.0.2.0/24").contains(network("192.0.2.0/24")));
        assert!(network("0.0.0.0/0").contains(network("255.255.255.255/32")));
        assert!(network("2001:db8::/32").contains(network("2001:db8:ffff::/48")));
        assert!(!network("192.0.2.0/28").contains(network("192.0.2.0/24")));
        assert!(!network("192.0.2.0/24").contains(network("192.0.3.0/28")));
        assert!(!network("::/0").contains(network("192.0.2.0/24")));
        assert!(!network("0.0.0.0/0").contains(network("::/128")));
    }

    #[test]
    fn a_network_holds_the_addresses_of_its_own_family() {
        let holds = |text: &str, address: &str| network(text).holds(address.parse().expect("an address"));
        assert!(holds("192.0.2.0/28", "192.0.2.15") && !holds("192.0.2.0/28", "192.0.2.16"));
        assert!(holds("192.0.2.0/28", "::ffff:192.0.2.15"), "that is how some programs write it");
        assert!(holds("2001:db8::/32", "2001:db8:ffff::1") && !holds("2001:db8::/32", "2001:db9::"));
        assert!(!holds("0.0.0.0/0", "::1") && !holds("::/0", "192.0.2.1"));
        assert!(holds("0.0.0.0/0", "255.255.255.255") && holds("::/0", "ffff::1"));
    }

    #[test]
    fn a_network_policy_means_the_whole_network_of_an_address() {
        assert_eq!(Network::meant("192.0.2.77/28"), Some(network("192.0.2.64/28")));
        assert_eq!(Network::meant("2001:db8::1/32"), Some(network("2001:db8::/32")));
        for wrong in ["192.0.2.0", "192.0.2.0/33", "::ffff:192.0.2.0/120", "010.0.0.0/8"] {
            assert_eq!(Network::meant(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_address_is_found_beside_others() {
        let first = |text: &str, others: &[&str]| {
            network(text).first_without(&networks(others)).map(|address| address.to_string())
        };
        let behind = |text: &str, others: &[&str]| {
            network(text).first_behind(&networks(others)).map(|address| address.to_string())
        };
        assert_eq!(first("192.0.2.0/28", &[]).as_deref(), Some("192.0.2.0"));
        assert_eq!(first("192.0.2.0/28", &["192.0.2.4/30", "192.0.2.0/30"]).as_deref(), Some("192.0.2.8"));
        assert_eq!(first("192.0.2.0/28", &["192.0.2.8/29", "192.0.2.0/29"]), None);
        assert_eq!(first("192.0.2.0/28", &["::/0"]).as_deref(), Some("192.0.2.0"));
        assert_eq!(first("0.0.0.0/0", &["0.0.0.0/0"]), None);
        assert_eq!(behind("192.0.2.0/28", &["192.0.2.16/28"]).as_deref(), Some("192.0.2.32"));
        assert_eq!(behind("255.255.255.0/24", &[]), None);
        assert_eq!(behind("ff00::/8", &[]), None);
    }

    #[test]
    fn a_network_can_be_covered_in_pieces() {
        let halves = networks(&["192.0.2.0/25", "192.0.2.128/25", "198.51.100.0/24"]);
        assert!(network("192.0.2.0/24").is_covered_by(&halves));
        assert!(!network("192.0.2.0/23").is_covered_by(&halves));
        assert!(!network("192.0.2.0/24").is_covered_by(halves.get(1..).expect("two are left")));
        assert!(!network("192.0.2.0/24").is_covered_by(&[]));
    }

    #[test]
    fn except_lists_only_what_is_inside_and_nothing_twice() {
        let out = networks(&["10.96.0.0/12", "10.100.0.0/16", "169.254.0.0/16", "10.96.0.0/12"]);
        assert_eq!(network("10.0.0.0/8").except(&out), Some(networks(&["10.96.0.0/12"])));
        assert_eq!(network("192.0.2.0/24").except(&out), Some(Vec::new()));
        assert_eq!(network("10.100.7.0/24").except(&out), None, "nothing is left");
    }

    fn any_network() -> impl Strategy<Value = Network> {
        (any::<bool>(), any::<u128>(), 0_u8..=128).prop_map(|(v6, bits, prefix)| {
            let width = if v6 { 128 } else { 32 };
            let bits = if v6 { bits } else { bits & u128::from(u32::MAX) };
            let network = Network { width, first: bits, prefix: prefix.min(width) };
            Network { first: bits & !network.host_bits(), ..network }
        })
    }

    proptest! {
        #[test]
        fn reading_undoes_writing(one in any_network()) {
            let mapped = one.width == 128 && one.first >> 32 == 0xffff;
            prop_assert_eq!(Network::parse(&one.to_string()), (!mapped).then_some(one));
        }

        #[test]
        fn a_network_covers_itself_and_its_halves(one in any_network()) {
            let (first, last) = one.bounds();
            prop_assert_eq!(Network::cover(one.is_v4(), first, last), vec![one]);
            if let Some([lower, upper]) = one.halves() {
                let (_, middle) = lower.bounds();
                prop_assert_eq!(Network::cover(one.is_v4(), first, middle), vec![lower]);
                prop_assert_eq!(Network::cover(one.is_v4(), middle + 1, last), vec![upper]);
            }
        }

        #[test]
        fn what_covers_a_range_has_exactly_its_addresses(first in any::<u32>(), length in any::<u16>()) {
            let last = u128::from(first) + u128::from(length);
            let last = last.min(u128::from(u32::MAX));
            let cover = Network::cover(true, first.into(), last);
            let mut next = u128::from(first);
            for network in &cover {
                prop_assert_eq!(network.bounds().0, next);
                next = network.bounds().1 + 1;
            }
            prop_assert_eq!(next, last + 1);
            prop_assert!(cover.len() <= 62);
        }

        #[test]
        fn halves_cover_the_whole_and_each_is_inside(one in any_network()) {
            if let Some(halves) = one.halves() {
                prop_assert!(one.is_covered_by(&halves));
                prop_assert!(halves.iter().all(|half| one.contains(*half) && !half.contains(one)));
                prop_assert!(!one.is_covered_by(&halves[..1]));
            }
        }

        #[test]
        fn containing_each_other_means_being_equal(one in any_network(), other in any_network()) {
            prop_assert_eq!(one.contains(other) && other.contains(one), one == other);
        }

        #[test]
        fn fewer_networks_never_cover_more(one in any_network(), others in prop::collection::vec(any_network(), 0..6)) {
            let fewer = others.get(1..).unwrap_or_default();
            prop_assert!(!one.is_covered_by(fewer) || one.is_covered_by(&others));
        }
    }
}
