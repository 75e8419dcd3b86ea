//! L1, certificates: what they say, how long they live, who signs them, and whether a stored
//! one still serves.
//!
//! Each contract and stage has one authority of its own: self-signed, the only anchor that its
//! verifiers are given, so nothing that was made in the sandbox means anything in production.
//! A workload's certificate carries exactly one name, its SPIFFE ID, and ends by itself: never
//! past the end that was recorded when its stage was opened.
//!
//! Nothing here talks to a cluster or reads a clock. Randomness comes in by making keys and serial
//! numbers only.

pub mod anchor;
pub mod authority;
pub mod bundle;
pub mod check;
pub mod error;
pub mod foreign;
pub mod inspect;
pub mod issue;
pub mod key;
pub mod lifetime;
pub mod policy;
pub mod profile;
pub mod requested;
pub mod rotation;
pub mod server;
pub mod signer;
pub mod spiffe;
pub mod token;
pub mod trust;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod verification;

pub use anchor::Anchor;
pub use authority::Authority;
pub use error::PkiError;
pub use inspect::Leaf;
pub use issue::{Certified, Issued, certify, certify_caller, issue};
pub use key::{PrivateKey, SecretPem};
pub use lifetime::Lifetime;
pub use requested::RequestedKey;
pub use signer::{Algorithm, Signer, Signing};
pub use spiffe::SpiffeId;
pub use token::Token;
pub use trust::{Belief, Trust};

use sha2::{Digest as _, Sha256};

/// No certificate or key that Comity makes comes near this. What is longer isn't parsed.
const LONGEST_PEM: usize = 16 * 1024;

/// SHA-256 in hexadecimal digits.
fn fingerprint(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// Lower-case hexadecimal digits.
fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |number: u8| DIGITS.get(usize::from(number)).copied().unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

/// The one certificate that `pem` holds, as DER. Several, none, or anything around it: no.
fn only_certificate(pem: &[u8]) -> Result<Vec<u8>, PkiError> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    if pem.len() > LONGEST_PEM || !pem.starts_with(BEGIN) {
        return Err(PkiError::NotOneCertificate);
    }
    let (rest, block) =
        x509_parser::pem::parse_x509_pem(pem).map_err(|_discarded| PkiError::NotOneCertificate)?;
    if block.label != "CERTIFICATE" || !rest.trim_ascii().is_empty() {
        return Err(PkiError::NotOneCertificate);
    }
    Ok(block.contents)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_is_what_everyone_else_writes() {
        assert_eq!(hexadecimal(&[0, 0x1f, 0xa0, 0xff]), "001fa0ff");
    }

    #[test]
    fn only_a_single_certificate_is_taken() {
        let one = testing::authority().anchor().pem().to_owned();
        assert!(only_certificate(one.as_bytes()).is_ok());
        for bad in [
            String::new(),
            format!("{one}{one}"),
            format!("words before\n{one}"),
            one.replace("CERTIFICATE", "PRIVATE KEY"),
            one.replace("-----END", "----END"),
            one.repeat(200),
        ] {
            assert_eq!(only_certificate(bad.as_bytes()), Err(PkiError::NotOneCertificate));
        }
    }
}
