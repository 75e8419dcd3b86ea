//! Issuing a workload's certificate: about a new key each time, or about one that its node made and keeps.

use jiff::{SignedDuration, Timestamp};
use rcgen::{PublicKeyData, SubjectPublicKeyInfo};

use super::authority::Authority;
use super::error::PkiError;
use super::inspect::Leaf;
use super::key::{PrivateKey, SecretPem};
use super::lifetime::Lifetime;
use super::profile::{self, Purpose};
use super::requested::RequestedKey;
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
pub async fn issue(
    authority: &Authority,
    id: &SpiffeId,
    now: Timestamp,
    ttl: SignedDuration,
    end: Timestamp,
) -> Result<Issued, PkiError> {
    speaks_for(authority, id)?;
    let anchor = authority.anchor();
    let lifetime = Lifetime::of_leaf(now, ttl, end, anchor.lifetime())?;
    let key = PrivateKey::generate()?;
    let public = SubjectPublicKeyInfo::from_der(&key.public_key());
    let public = public.map_err(|_discarded| PkiError::Library("read a key that it made"))?;
    let (certificate, leaf) = sign(authority, id, (lifetime, Purpose::Both), &public).await?;
    Ok(Issued { certificate, key: key.pem(), authority: anchor.pem().to_owned(), leaf })
}

/// A certificate about a key that somebody else made and keeps.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Certified {
    /// The chain as PEM: the certificate alone.
    pub certificate: String,
    /// What the certificate says.
    pub leaf: Leaf,
}

/// Certifies somebody else's key for the workload `id`, for just this lifetime: what can't be kept to
/// is refused and not cut.
pub async fn certify(
    authority: &Authority,
    id: &SpiffeId,
    key: &RequestedKey,
    lifetime: Lifetime,
) -> Result<Certified, PkiError> {
    certified(authority, id, key, (lifetime, Purpose::Both)).await
}

/// The same for a workload that only calls in.
pub async fn certify_caller(
    authority: &Authority,
    id: &SpiffeId,
    key: &RequestedKey,
    lifetime: Lifetime,
) -> Result<Certified, PkiError> {
    certified(authority, id, key, (lifetime, Purpose::Calling)).await
}

async fn certified(
    authority: &Authority,
    id: &SpiffeId,
    key: &RequestedKey,
    (lifetime, purpose): (Lifetime, Purpose),
) -> Result<Certified, PkiError> {
    speaks_for(authority, id)?;
    if !authority.anchor().lifetime().covers(lifetime) {
        return Err(PkiError::OutlivesAuthority { end: lifetime.not_after() });
    }
    let (certificate, leaf) = sign(authority, id, (lifetime, purpose), key.info()).await?;
    Ok(Certified { certificate, leaf })
}

fn speaks_for(authority: &Authority, id: &SpiffeId) -> Result<(), PkiError> {
    let anchor = authority.anchor();
    if anchor.id().as_str() == id.root() {
        return Ok(());
    }
    Err(PkiError::OtherTrustDomain { authority: anchor.id().to_string(), asked: id.to_string() })
}

async fn sign(
    authority: &Authority,
    id: &SpiffeId,
    (lifetime, purpose): (Lifetime, Purpose),
    key: &(impl PublicKeyData + Sync),
) -> Result<(String, Leaf), PkiError> {
    let certificate = authority.sign(&profile::workload(id, lifetime, purpose)?, key).await?;
    // Read back, so that what isn't exactly what was wanted never leaves here.
    let leaf = Leaf::read(certificate.der(), purpose)?;
    let certificate = certificate.pem();
    let is_wanted = leaf.id() == id
        && leaf.lifetime() == lifetime
        && leaf.public_key() == key.subject_public_key_info().as_slice();
    is_wanted.then_some((certificate, leaf)).ok_or(PkiError::Library("write just what was asked for"))
}
