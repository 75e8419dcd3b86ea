//! A partner's own trust bundle: several anchors in one PEM, somebody else's, of any profile.

use jiff::Timestamp;
use x509_parser::certificate::X509Certificate;
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer as _;

use super::error::PkiError;
use super::inspect::time;

/// Until when a bundle verifies anything: the last end of its anchors.
///
/// Everything in it has to be an X.509 certificate of an authority.
pub fn end(pem: &str) -> Result<Timestamp, PkiError> {
    let mut last = None;
    for block in Pem::iter_from_buffer(pem.as_bytes()) {
        let block = block.map_err(|_discarded| PkiError::NotX509)?;
        last = last.max(Some(end_of(&block)?));
    }
    last.ok_or(PkiError::NotX509)
}

fn end_of(block: &Pem) -> Result<Timestamp, PkiError> {
    if block.label != "CERTIFICATE" {
        return Err(PkiError::NotX509);
    }
    let (rest, certificate) =
        X509Certificate::from_der(&block.contents).map_err(|_discarded| PkiError::NotX509)?;
    if !rest.is_empty() {
        return Err(PkiError::NotX509);
    }
    if !certificate.is_ca() {
        return Err(PkiError::NoAuthority);
    }
    time(certificate.validity().not_after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::testing::{authority, authority_lifetime, leaf};

    #[test]
    fn a_bundle_lasts_as_long_as_its_last_anchor() {
        let one = authority();
        let both = format!("{}{}", one.anchor().pem(), authority().anchor().pem());
        assert_eq!(end(&both), Ok(authority_lifetime().not_after()));
    }

    #[test]
    fn what_is_no_anchor_is_no_bundle() {
        let authority = authority();
        let leaf = leaf(&authority);
        assert_eq!(end(&leaf.certificate), Err(PkiError::NoAuthority));
        assert_eq!(end(""), Err(PkiError::NotX509));
        let cut = authority.anchor().pem().replace("MII", "MIIA");
        assert_eq!(end(&cut), Err(PkiError::NotX509));
        let with_key = format!(
            "{}-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n",
            authority.anchor().pem()
        );
        assert_eq!(end(&with_key), Err(PkiError::NotX509));
    }
}
