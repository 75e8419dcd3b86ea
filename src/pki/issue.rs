//! Issuing a workload's certificate: a new key each time, and the certificate about it.

use jiff::{SignedDuration, Timestamp};

use super::authority::Authority;
use super::error::PkiError;
use super::inspect::Leaf;
use super::key::{PrivateKey, SecretPem};
use super::lifetime::Lifetime;
use super::profile;
use super::spiffe::SpiffeId;

/// A certificate that was just issued, with its key.
#[derive(Debug)]
pub struct Issued {
    /// The chain as PEM: the certificate alone, since the authority signs it directly and is
    /// itself the anchor, which belongs into trust stores and not into chains.
    pub certificate: String,
    /// The private key as PEM.
    pub key: SecretPem,
    /// The anchor as PEM, for whom the workload talks to.
    pub authority: String,
    /// What the certificate says.
    pub leaf: Leaf,
}

/// Issues a certificate for the workload `id`, which lives for `ttl`, and never past `end`.
pub fn issue(
    authority: &Authority,
    id: &SpiffeId,
    now: Timestamp,
    ttl: SignedDuration,
    end: Timestamp,
) -> Result<Issued, PkiError> {
    let anchor = authority.anchor();
    if anchor.id().as_str() != id.root() {
        return Err(PkiError::OtherTrustDomain { authority: anchor.id().to_string(), asked: id.to_string() });
    }
    let lifetime = Lifetime::of_leaf(now, ttl, end, anchor.lifetime())?;
    let key = PrivateKey::generate()?;
    let certificate = profile::workload(id, &key.public_key(), lifetime)?
        .signed_by(key.pair(), &authority.issuer()?)
        .map_err(|_discarded| PkiError::Library("sign the certificate"))?
        .pem();
    // Read back, so that what isn't exactly what was wanted never leaves here.
    let leaf = Leaf::parse(certificate.as_bytes())?;
    Ok(Issued { certificate, key: key.pem(), authority: anchor.pem().to_owned(), leaf })
}
