//! How many connections are held at once, and how many of them from one source: nobody alone, and no few, can
//! hold all places.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many connections are held of those who haven't shown who they are.
pub const PLACES: usize = 256;
/// How many of them from one source.
pub const OF_ONE: usize = 8;
/// How many more are held from sources where somebody was recognised lately: a crowd of others can't keep them out.
const OF_FAMILIAR: usize = 64;
/// How many are held of those who are recognised.
pub const OF_RECOGNISED: usize = 128;
/// How many of them from one source, behind which there may be many.
pub const OF_ONE_RECOGNISED: usize = 32;
/// How many sources are remembered where somebody was recognised.
const REMEMBERED: usize = 1024;
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

/// Whose places there are.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Kind {
    /// Anybody's.
    Anybody,
    /// Those of sources where somebody was recognised lately.
    Familiar,
    /// Those of who is recognised.
    Recognised,
}

impl Kind {
    /// How many there are, and how many of them for one source.
    const fn bounds(self) -> (usize, usize) {
        match self {
            Self::Anybody => (PLACES, OF_ONE),
            Self::Familiar => (OF_FAMILIAR, OF_ONE),
            Self::Recognised => (OF_RECOGNISED, OF_ONE_RECOGNISED),
        }
    }
}

/// The places for connections.
#[derive(Debug, Default)]
pub struct Doors(Mutex<Taken>);

#[derive(Debug, Default)]
struct Taken {
    all: HashMap<Kind, usize>,
    by_source: HashMap<(Kind, IpAddr), usize>,
    familiar: VecDeque<IpAddr>,
}

/// A place, for as long as it is held.
#[derive(Debug)]
pub struct Place {
    doors: Arc<Doors>,
    source: IpAddr,
    kind: Kind,
}

impl Doors {
    /// A place for a connection from this [`source`]; `None`: there is none for them.
    pub fn enter(self: &Arc<Self>, source: IpAddr) -> Option<Place> {
        let mut taken = self.taken();
        let is_familiar = taken.familiar.contains(&source);
        let kinds = [Kind::Anybody, Kind::Familiar].into_iter().take(1 + usize::from(is_familiar));
        let kind = kinds.into_iter().find(|kind| taken.take(*kind, source))?;
        Some(Place { doors: Arc::clone(self), source, kind })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Takes a place of this kind, if there is one.
    fn take(&mut self, kind: Kind, source: IpAddr) -> bool {
        let (most, most_of_one) = kind.bounds();
        let all = self.all.entry(kind).or_default();
        let own = self.by_source.get(&(kind, source)).copied().unwrap_or_default();
        if *all >= most || own >= most_of_one {
            return false;
        }
        *all += 1;
        self.by_source.insert((kind, source), own + 1);
        true
    }

    fn give_back(&mut self, kind: Kind, source: IpAddr) {
        let all = self.all.entry(kind).or_default();
        *all = all.saturating_sub(1);
        let own = self.by_source.get(&(kind, source)).copied().unwrap_or_default();
        if own > 1 {
            self.by_source.insert((kind, source), own - 1);
        } else {
            self.by_source.remove(&(kind, source));
        }
    }
}

impl Place {
    /// Whose it is.
    pub const fn source(&self) -> IpAddr {
        self.source
    }

    /// Who has it is recognised: from now on they have one of their own, which nobody takes who isn't, and so
    /// have those who come from the same source. `false`: there is none, and they keep the one that they have.
    pub fn recognised(&mut self) -> bool {
        let doors = Arc::clone(&self.doors);
        let mut taken = doors.taken();
        if !taken.familiar.contains(&self.source) {
            taken.familiar.push_back(self.source);
            let forgotten = taken.familiar.len().saturating_sub(REMEMBERED);
            taken.familiar.drain(..forgotten);
        }
        let is_moved = taken.take(Kind::Recognised, self.source);
        if is_moved {
            taken.give_back(self.kind, self.source);
            self.kind = Kind::Recognised;
        }
        is_moved
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.doors.taken().give_back(self.kind, self.source);
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

    #[test]
    fn who_is_recognised_has_places_that_no_crowd_takes() {
        let doors = Arc::new(Doors::default());
        let own = of("192.0.2.1");
        let mut place = doors.enter(own).expect("a place");
        assert!(place.recognised());
        assert_eq!(doors.taken().all[&Kind::Anybody], 0, "and it gives back the one that it had");
        drop(place);
        let address = |host: u32| IpAddr::V4((0x0a00_0000 + host).into());
        let crowd: Vec<_> = (0..10_000).filter_map(|host| doors.enter(address(host))).collect();
        assert_eq!(crowd.len(), PLACES);
        let many: Vec<_> = (0..1000).filter_map(|_| doors.enter(own)).collect();
        assert_eq!(many.len(), OF_ONE, "who was recognised there comes in all the same, and has a share too");
        let mut many = many.into_iter();
        assert!(many.all(|mut place| place.recognised()));
    }

    #[test]
    fn nobody_is_remembered_for_ever() {
        let doors = Arc::new(Doors::default());
        let address = |host: u32| IpAddr::V4((0x0a00_0000 + host).into());
        for host in 0..3000 {
            assert!(doors.enter(address(host)).expect("a place").recognised());
        }
        assert_eq!(doors.taken().familiar.len(), REMEMBERED);
        assert!(doors.taken().by_source.is_empty());
    }
}
