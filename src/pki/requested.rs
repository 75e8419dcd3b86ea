//! Public keys that somebody else made, and asks to have certified. Whoever asks isn't trusted: what
//! isn't of a listed kind, or says anything beside the key, is refused in words.

mod signed;

use rcgen::SubjectPublicKeyInfo as SignableKey;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::oid_registry::{OID_EC_P256, OID_NIST_EC_P384, OID_NIST_EC_P521};
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

/// What is longer isn't parsed. The API server takes no longer ones either.
const LONGEST: usize = 10 * 1024;

/// The kinds of keys that are certified: all that Kubernetes lets a pod ask for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum KeyKind {
    /// RSA with a modulus of 3072 bits.
    Rsa3072,
    /// RSA with a modulus of 4096 bits.
    Rsa4096,
    /// ECDSA on the curve P-256.
    EcdsaP256,
    /// ECDSA on the curve P-384.
    EcdsaP384,
    /// ECDSA on the curve P-521.
    EcdsaP521,
    /// Ed25519.
    Ed25519,
}

/// Why a key isn't certified.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyRefusal {
    /// No key at all.
    #[error("the request holds no public key")]
    Missing,
    /// Longer than any request with such a key is.
    #[error("the request is longer than {LONGEST} bytes")]
    TooLong,
    /// No PKCS #10, or no public key.
    #[error("the request can't be read as {0}")]
    Unreadable(&'static str),
    /// It asks for more than to have a key certified.
    #[error(
        "the request says {0} of its own: it may hold the key and nothing else, since who it is for is the \
         grant's to say"
    )]
    SaysMore(&'static str),
    /// An RSA key that is too small, too large, or odd.
    #[error("an RSA key of {bits} bits: only 3072 and 4096 are certified")]
    RsaSize {
        /// Its size.
        bits: usize,
    },
    /// On a curve that isn't listed.
    #[error("an elliptic curve that isn't P-256, P-384 or P-521")]
    Curve,
    /// A point that isn't one of its curve's.
    #[error("a public key that isn't a whole point of its curve")]
    Point,
    /// Not signed with the key that it holds.
    #[error("the request isn't signed with the key that it holds, or by an algorithm that isn't taken")]
    NotItsOwn,
    /// Of no listed kind.
    #[error("a key that is neither RSA (3072 or 4096 bits), ECDSA (P-256, P-384 or P-521) nor Ed25519")]
    Kind,
}

/// A public key that somebody asks to have certified, of a kind that is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RequestedKey {
    kind: KeyKind,
    info: SignableKey,
}

impl RequestedKey {
    /// The key of a PKCS #10 request that says nothing beside it.
    ///
    /// That its sender has the private half is for the API server to see, which refuses a request
    /// whose signature doesn't hold, and doesn't let it be changed.
    pub fn of_request(der: &[u8]) -> Result<Self, KeyRefusal> {
        if der.len() > LONGEST {
            return Err(KeyRefusal::TooLong);
        }
        let (rest, request) = X509CertificationRequest::from_der(der)
            .map_err(|_discarded| KeyRefusal::Unreadable("PKCS #10"))?;
        if !rest.is_empty() {
            return Err(KeyRefusal::Unreadable("PKCS #10"));
        }
        let info = &request.certification_request_info;
        if info.subject.iter().next().is_some() {
            return Err(KeyRefusal::SaysMore("a subject"));
        }
        if !info.attributes().is_empty() {
            return Err(KeyRefusal::SaysMore("names or extensions"));
        }
        Self::of_info(&info.subject_pki)
    }

    /// The key in a `SubjectPublicKeyInfo`, as nodes sent it before Kubernetes 1.36.
    pub fn of_public_key(der: &[u8]) -> Result<Self, KeyRefusal> {
        if der.len() > LONGEST {
            return Err(KeyRefusal::TooLong);
        }
        match SubjectPublicKeyInfo::from_der(der) {
            Ok(([], info)) => Self::of_info(&info),
            _ => Err(KeyRefusal::Unreadable("a public key")),
        }
    }

    /// SHA-256 of the `SubjectPublicKeyInfo` in hexadecimal digits: the same for the same key, and no other.
    pub fn fingerprint(&self) -> String {
        use rcgen::PublicKeyData as _;
        super::fingerprint(&self.info.subject_public_key_info())
    }

    /// Of which kind it is.
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// As a certificate says it, within this module only.
    pub(super) const fn info(&self) -> &SignableKey {
        &self.info
    }

    fn of_info(info: &SubjectPublicKeyInfo<'_>) -> Result<Self, KeyRefusal> {
        let kind = kind(info)?;
        let info = SignableKey::from_der(info.raw).map_err(|_discarded| KeyRefusal::Kind)?;
        Ok(Self { kind, info })
    }
}

fn kind(info: &SubjectPublicKeyInfo<'_>) -> Result<KeyKind, KeyRefusal> {
    // Ed25519 is known by its name alone: 32 bytes without further form.
    if info.algorithm.algorithm == x509_parser::oid_registry::OID_SIG_ED25519 {
        let is_whole = info.subject_public_key.data.len() == 32;
        return is_whole.then_some(KeyKind::Ed25519).ok_or(KeyRefusal::Point);
    }
    match info.parsed().map_err(|_discarded| KeyRefusal::Unreadable("a public key"))? {
        PublicKey::RSA(key) => match bits(key.modulus) {
            3072 => Ok(KeyKind::Rsa3072),
            4096 => Ok(KeyKind::Rsa4096),
            bits => Err(KeyRefusal::RsaSize { bits }),
        },
        PublicKey::EC(point) => curve(info, point.data()),
        _ => Err(KeyRefusal::Kind),
    }
}

/// How many bits a number takes that is written with leading zeros.
fn bits(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let first = number.get(zeros).map_or(0, |byte| byte.leading_zeros() as usize);
    (number.len() - zeros) * 8 - first
}

fn curve(info: &SubjectPublicKeyInfo<'_>, point: &[u8]) -> Result<KeyKind, KeyRefusal> {
    let curve = info.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
    let curve = curve.ok_or(KeyRefusal::Curve)?;
    let (kind, length) = if curve == OID_EC_P256 {
        (KeyKind::EcdsaP256, 32)
    } else if curve == OID_NIST_EC_P384 {
        (KeyKind::EcdsaP384, 48)
    } else if curve == OID_NIST_EC_P521 {
        (KeyKind::EcdsaP521, 66)
    } else {
        return Err(KeyRefusal::Curve);
    };
    let is_whole = point.len() == 1 + 2 * length && point.first() == Some(&4);
    is_whole.then_some(kind).ok_or(KeyRefusal::Point)
}

#[cfg(test)]
mod tests;
