//! One-time tokens, by which a workload on the partner's side enrols for its first certificate. Whoever
//! holds one is who it was made for, so it is shown once, and only its SHA-256 is written down.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::error::PkiError;
use super::hexadecimal;

/// What every token begins with, so that who finds one lying about knows what it is.
const PREFIX: &str = "comity-enrol-";
/// How many random bytes a token has.
const BYTES: usize = 32;

/// A token. It is wiped from memory when it is dropped, and shows itself to nobody by accident.
pub struct Token(Zeroizing<String>);

impl Token {
    /// A token of 256 random bits.
    pub fn make() -> Result<Self, PkiError> {
        let mut bytes = Zeroizing::new([0; BYTES]);
        aws_lc_rs::rand::fill(bytes.as_mut()).map_err(|_discarded| PkiError::Library("make a token"))?;
        let digits = Zeroizing::new(hexadecimal(bytes.as_ref()));
        Ok(Self(Zeroizing::new(format!("{PREFIX}{}", digits.as_str()))))
    }

    /// What somebody shows as a token; `None`: it can't be one.
    pub fn read(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(PREFIX)?;
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_one = digits.len() == 2 * BYTES && digits.bytes().all(is_digit);
        is_one.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The token itself, to be shown to who it is for.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is written down of it: `sha256:` and the SHA-256 of its text in hexadecimal digits.
    pub fn digest(&self) -> String {
        format!("sha256:{}", hexadecimal(&Sha256::digest(self.0.as_bytes())))
    }

    /// Whether this digest is its own. It takes as long wherever they differ.
    pub fn is_of(&self, digest: &str) -> bool {
        verify_slices_are_equal(self.digest().as_bytes(), digest.as_bytes()).is_ok()
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::value::ContentDigest;

    #[test]
    fn a_token_is_known_by_its_digest_and_no_other_is() {
        let (one, other) = (Token::make().unwrap(), Token::make().unwrap());
        assert_ne!(one.reveal(), other.reveal());
        assert!(one.is_of(&one.digest()) && !one.is_of(&other.digest()) && !one.is_of(""));
        let again = Token::read(one.reveal()).unwrap();
        assert_eq!(again.digest(), one.digest());
        let known = format!("{PREFIX}{}", "0".repeat(64));
        // printf %s comity-enrol-000… | sha256sum
        let expected = "sha256:3cba217d6c432d4e517721ece81480806bbd0b1d5af8302de4305b96876e27d5";
        assert_eq!(Token::read(&known).unwrap().digest(), expected);
        assert_eq!(ContentDigest::from(expected).as_str().len(), 71);
    }

    #[test]
    fn what_cannot_be_a_token_is_none() {
        let good = Token::make().unwrap();
        let digits = good.reveal().strip_prefix(PREFIX).unwrap();
        for bad in [
            String::new(),
            digits.to_owned(),
            format!("{PREFIX}{}", digits.to_uppercase()).replace(char::is_numeric, "G"),
            format!("{}0", good.reveal()),
            format!(" {}", good.reveal()),
            format!("{PREFIX}{}", &digits[1..]),
        ] {
            assert!(Token::read(&bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn nobody_sees_it_by_accident() {
        let token = Token::make().unwrap();
        assert_eq!(format!("{token:?}"), "Token(…)");
    }
}
