//! Where something is dialled, and by what: as `comity dial` is told of it, and tells of it. Pure.

use std::fmt;
use std::net::{AddrParseError, SocketAddr};
use std::str::FromStr;

/// How a place is written that is asked as the DNS is.
const DNS: &str = "dns:";

/// A place that is dialled.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Place {
    /// By a connection (RFC 9293).
    Tcp(SocketAddr),
    /// By datagrams (RFC 768), each with a question for the DNS: nobody has to answer anything else.
    Dns(SocketAddr),
}

impl Place {
    /// Where it is, by whatever it is dialled.
    pub const fn address(self) -> SocketAddr {
        match self {
            Self::Tcp(address) | Self::Dns(address) => address,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(out),
            Self::Dns(address) => write!(out, "{DNS}{address}"),
        }
    }
}

impl FromStr for Place {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Self, AddrParseError> {
        match text.strip_prefix(DNS) {
            Some(address) => address.parse().map(Self::Dns),
            None => text.parse().map(Self::Tcp),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written() {
        for text in ["10.0.0.1:8443", "[fd00::7]:443", "dns:10.0.0.1:53", "dns:[fd00::7]:53"] {
            let place: Place = text.parse().unwrap();
            assert_eq!(place.to_string(), text);
            assert_eq!(matches!(place, Place::Dns(_)), text.starts_with("dns"));
            assert!(text.ends_with(&place.address().to_string()));
        }
        for strange in ["", "dns:", "dns:dns:10.0.0.1:53", "10.0.0.1", "udp:10.0.0.1:53", "DNS:10.0.0.1:53"] {
            assert!(strange.parse::<Place>().is_err(), "{strange}");
        }
    }
}
