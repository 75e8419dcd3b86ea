//! How the values of flags are read, and what is said where they can't be.

use std::net::{IpAddr, SocketAddr};

use crate::api::stage::Stage;
use crate::pki::SpiffeId;

/// An address and a port.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_discarded| "write it as ADDR:PORT, such as 0.0.0.0:8080 or [::]:8080".to_owned())
}

/// A name as Kubernetes gives them to namespaces.
pub(super) fn name(text: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let well_formed = (1..=63).contains(&text.len())
        && text.bytes().all(fits)
        && !text.starts_with('-')
        && !text.ends_with('-');
    if well_formed {
        Ok(text.to_owned())
    } else {
        Err("use lower case letters, digits and dashes, at most 63, with no dash at either end".to_owned())
    }
}

/// A stage, in any case of letters.
pub(super) fn stage(text: &str) -> Result<Stage, String> {
    let wanted = text.to_lowercase();
    let found = Stage::ALL.into_iter().find(|stage| stage.lower() == wanted);
    found.ok_or_else(|| "it is sandbox, rehearsal or production".to_owned())
}

/// Where something is served.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Endpoint {
    /// As it is called.
    pub(super) url: String,
    /// The host in it: a name, or an address.
    pub(super) host: String,
}

/// An address of the form `https://HOST` or `https://HOST:PORT`, and nothing after it.
pub(super) fn endpoint(text: &str) -> Result<Endpoint, String> {
    let wrong = || "write it as https://enrol.example.org or https://enrol.example.org:8443".to_owned();
    let uri: http::Uri = text.parse().map_err(|_discarded| wrong())?;
    let is_plain = uri.scheme_str() == Some("https") && uri.path_and_query().is_none_or(|path| path == "/");
    let authority = uri.authority().filter(|authority| is_plain && !authority.as_str().contains('@'));
    let authority = authority.ok_or_else(wrong)?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() || !host.is_ascii() {
        return Err(wrong());
    }
    Ok(Endpoint { url: format!("https://{authority}"), host: host.to_lowercase() })
}

/// A SPIFFE trust domain.
pub(super) fn trust_domain(text: &str) -> Result<String, String> {
    SpiffeId::of_trust_domain(text).map(|_id| text.to_owned()).map_err(|error| error.to_string())
}

/// A label and its value.
pub(super) fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() && !value.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE, such as k8s-app=kube-dns".to_owned()),
    }
}

/// A network (RFC 4632, RFC 4291), with no bits set after its prefix.
pub(super) fn cidr(text: &str) -> Result<String, String> {
    let shape = || "write it as 10.0.0.0/8 or fd00::/8".to_owned();
    let (address, prefix) = text.split_once('/').ok_or_else(shape)?;
    let address: IpAddr = address.parse().map_err(|_discarded| shape())?;
    let prefix: u32 = prefix.parse().map_err(|_discarded| shape())?;
    let width = if address.is_ipv4() { 32 } else { 128 };
    if prefix > width {
        return Err(format!("its prefix can be at most {width}"));
    }
    let network = masked(address, width - prefix);
    if network == address {
        Ok(format!("{network}/{prefix}"))
    } else {
        Err(format!("bits are set after its prefix: did you mean {network}/{prefix}?"))
    }
}

/// `address` without its last `bits` bits.
fn masked(address: IpAddr, bits: u32) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(bits).unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(bits).unwrap_or(0);
            IpAddr::V6((address.to_bits() & mask).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_and_written_the_one_way() {
        for good in ["10.0.0.0/8", "0.0.0.0/0", "192.0.2.1/32", "fd00::/8", "::/0", "::1/128"] {
            assert_eq!(cidr(good).as_deref(), Ok(good));
        }
        assert_eq!(cidr("fd00:0:0::/48").as_deref(), Ok("fd00::/48"));
        for bad in ["10.0.0.0", "10.0.0.0/x", "x/8", "10.0.0.0/-1", "10.0.0.0/33", "::/129", "10.1.0.0/8"] {
            assert!(cidr(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_endpoint_is_a_host_and_nothing_else() {
        let host = |text: &str| endpoint(text).map(|found| (found.url, found.host));
        let found = |url: &str, host: &str| Ok((url.to_owned(), host.to_owned()));
        assert_eq!(
            host("https://Enrol.example.org"),
            found("https://Enrol.example.org", "enrol.example.org")
        );
        assert_eq!(
            host("https://enrol.example.org:8443/"),
            found("https://enrol.example.org:8443", "enrol.example.org")
        );
        assert_eq!(host("https://[2001:db8::1]:8443"), found("https://[2001:db8::1]:8443", "2001:db8::1"));
        for bad in
            ["", "enrol.example.org", "http://a", "https://", "https://a/b", "https://a?b", "https://a@b"]
        {
            assert!(endpoint(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_what_namespaces_can_be_called() {
        for good in ["a", "kube-system", "0"] {
            assert_eq!(name(good).as_deref(), Ok(good));
        }
        for bad in ["", "-a", "a-", "A", "a.b", &"a".repeat(64)] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }
}
