//! What can go wrong with certificates, in words that help and that never carry a key.

use jiff::Timestamp;

/// Why a certificate or an authority couldn't be made or read.
///
/// Errors of the libraries underneath are left out on purpose: what they quote may be a key.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PkiError {
    /// There is no whole second between now and the end.
    #[error("nothing is left to certify: the end is {end}")]
    NothingLeft {
        /// The earliest of the ends that bound the certificate.
        end: Timestamp,
    },
    /// The authority ends before the certificate would.
    #[error("the authority ends before {end}, until when the certificate is to last")]
    OutlivesAuthority {
        /// When the certificate was to end.
        end: Timestamp,
    },
    /// A time that X.509 can't say, or that lies before the first one that it can.
    #[error("{0} can't stand in a certificate")]
    TimeOutOfRange(Timestamp),
    /// Not a SPIFFE ID, or one of the wrong sort.
    #[error("{id:?} is no SPIFFE ID: {why}")]
    NotSpiffe {
        /// What was given, cut to a readable length.
        id: String,
        /// Which rule it breaks.
        why: &'static str,
    },
    /// The SPIFFE ID is of a trust domain that this authority doesn't speak for.
    #[error("the authority speaks for {authority}, not for {asked}")]
    OtherTrustDomain {
        /// The authority's own SPIFFE ID.
        authority: String,
        /// The SPIFFE ID that was to be certified.
        asked: String,
    },
    /// A certificate was expected, and only one.
    #[error("not exactly one certificate in PEM")]
    NotOneCertificate,
    /// The PEM holds something, but no X.509 certificate.
    #[error("not an X.509 certificate")]
    NotX509,
    /// A certificate that may sign nothing.
    #[error("not the certificate of an authority")]
    NoAuthority,
    /// A certificate that says something else than those that Comity makes.
    #[error("not a certificate that Comity makes: {0}")]
    OtherProfile(&'static str),
    /// Not a private key of the one sort that Comity makes.
    #[error("not a P-256 private key in PKCS #8 PEM")]
    NotAKey,
    /// The key isn't the one that the certificate is about.
    #[error("the private key is not the one of the certificate")]
    KeyOfAnother,
    /// Whoever keeps the key can't be asked just now.
    #[error("whoever keeps the key can't be asked: {0}")]
    Keeper(String),
    /// What came back isn't signed with the key of the authority.
    #[error("whoever keeps the key signed with another one, or something else")]
    Missigned,
    /// Making a key or a signature failed.
    #[error("the cryptographic library refused to {0}")]
    Library(&'static str),
}
