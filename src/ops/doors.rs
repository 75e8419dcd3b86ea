//! How many connections are held at once, and how many of them from one source: nobody alone, and no few, can
//! hold all places.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many connections are held of those who haven't shown who they are.
const PLACES: usize = 256;
/// How many of them from one source.
const OF_ONE: usize = 8;
/// How many bits of an IPv6 address say who somebody is: the rest is theirs to choose (RFC 6177).
const NETWORK: u32 = 64;

/// Whose connection it is: an IPv4 address, or the network of an IPv6 address, which one host has whole.
pub fn source(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => six
            .to_ipv4_mapped()
            .map_or_else(|| IpAddr::V6((u128::from(six) & (u128::MAX << NETWORK)).into()), IpAddr::V4),
    }
}

/// The places for connections.
#[derive(Debug, Default)]
pub struct Doors(Mutex<Taken>);

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_source: HashMap<IpAddr, usize>,
}

/// A place, for as long as it is held.
#[derive(Debug)]
pub struct Place {
    doors: Arc<Doors>,
    source: IpAddr,
}

impl Doors {
    /// A place for a connection from this [`source`]; `None`: there is none for them.
    pub fn enter(self: &Arc<Self>, source: IpAddr) -> Option<Place> {
        let mut taken = self.taken();
        let own = taken.by_source.get(&source).copied().unwrap_or_default();
        if taken.all >= PLACES || own >= OF_ONE {
            return None;
        }
        taken.all += 1;
        taken.by_source.insert(source, own + 1);
        Some(Place { doors: Arc::clone(self), source })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Whose it is.
    pub const fn source(&self) -> IpAddr {
        self.source
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.doors.taken();
        taken.all = taken.all.saturating_sub(1);
        let own = taken.by_source.get(&self.source).copied().unwrap_or_default();
        if own > 1 {
            taken.by_source.insert(self.source, own - 1);
        } else {
            taken.by_source.remove(&self.source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> IpAddr {
        source(text.parse().expect("an address"))
    }

    #[test]
    fn a_host_is_one_source_whichever_of_its_addresses_it_uses() {
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("::ffff:192.0.2.1"), of("::ffff:192.0.2.2"));
    }

    #[test]
    fn nobody_takes_more_than_their_share_and_gives_it_back() {
        let doors = Arc::new(Doors::default());
        let flood: Vec<_> = (0..1000).filter_map(|_| doors.enter(of("192.0.2.1"))).collect();
        assert_eq!(flood.len(), OF_ONE);
        assert!(doors.enter(of("192.0.2.2")).is_some());
        drop(flood);
        assert!(doors.enter(of("192.0.2.1")).is_some());
        assert_eq!(doors.taken().by_source.len(), 0, "nothing is remembered of who has left");
    }

    #[test]
    fn there_are_so_many_places_and_it_takes_a_crowd_to_fill_them() {
        const { assert!(PLACES / OF_ONE >= 32) };
        let doors = Arc::new(Doors::default());
        let address = |host: usize| IpAddr::V4(u32::try_from(host).expect("small").into());
        let crowd: Vec<_> = (0..PLACES).filter_map(|host| doors.enter(address(host))).collect();
        assert_eq!(crowd.len(), PLACES);
        assert!(doors.enter(address(PLACES)).is_none());
    }
}
