//! The public half of an authority: what verifiers are given, and all that they are given.

use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use super::error::PkiError;
use super::inspect::{self, Facts};
use super::lifetime::Lifetime;
use super::spiffe::SpiffeId;
use super::{fingerprint, only_certificate, profile};

/// A self-signed certificate that may sign workloads' certificates, checked to be one of ours.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Anchor {
    pem: String,
    der: Vec<u8>,
    common_name: String,
    id: SpiffeId,
    facts: Facts,
}

impl Anchor {
    /// The anchor in this PEM, if it is one that Comity would have made and its signature holds.
    pub fn parse(pem: &[u8]) -> Result<Self, PkiError> {
        let der = only_certificate(pem)?;
        let (_rest, certificate) = X509Certificate::from_der(&der).map_err(|_discarded| PkiError::NotX509)?;
        let facts = inspect::facts(&certificate)?;
        let id = SpiffeId::trust_domain(&facts.name)?;
        let common_name = read_authority(&certificate)?;
        let pem = String::from_utf8(pem.to_vec()).map_err(|_discarded| PkiError::NotOneCertificate)?;
        Ok(Self { pem, common_name, id, facts, der: der.clone() })
    }

    /// The certificate as PEM, just as it was stored.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The certificate as DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 of the certificate's DER, as `openssl x509 -fingerprint -sha256` says it, without
    /// colons and in lower case.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.der)
    }

    /// The name that people know the authority by.
    pub fn common_name(&self) -> &str {
        &self.common_name
    }

    /// Whether an authority that is made under this name would be called as this one is.
    pub fn is_called(&self, common_name: &str) -> bool {
        self.common_name == profile::shortened(common_name)
    }

    /// The trust domain that it speaks for.
    pub const fn id(&self) -> &SpiffeId {
        &self.id
    }

    /// From when until when it is valid.
    pub const fn lifetime(&self) -> Lifetime {
        self.facts.lifetime
    }

    /// Its public key, as `SubjectPublicKeyInfo` in DER.
    pub fn public_key(&self) -> &[u8] {
        &self.facts.public_key
    }

    /// The identifier of its key, in hexadecimal digits: what it signs says it, too.
    pub fn key(&self) -> Option<String> {
        let (_rest, certificate) = X509Certificate::from_der(&self.der).ok()?;
        inspect::own_key(&certificate)
    }

    /// SHA-256 of its public key, in hexadecimal digits.
    pub fn key_fingerprint(&self) -> String {
        fingerprint(&self.facts.public_key)
    }

    /// Whether both are certificates of the same authority: one key, whatever their lifetimes.
    ///
    /// An authority that is certified anew keeps its key, so what it signed before stays valid.
    pub fn same_authority(&self, other: &Self) -> bool {
        self.facts.public_key == other.facts.public_key && self.id == other.id
    }

    /// Whether this authority signed the certificate in this DER.
    pub(super) fn has_signed(&self, der: &[u8]) -> bool {
        X509Certificate::from_der(der).is_ok_and(|(_rest, certificate)| self.signed(&certificate))
    }

    /// Whether this authority signed that certificate.
    pub(super) fn signed(&self, certificate: &X509Certificate<'_>) -> bool {
        X509Certificate::from_der(&self.der).is_ok_and(|(_rest, own)| {
            own.subject() == certificate.issuer()
                && certificate.verify_signature(Some(own.public_key())).is_ok()
        })
    }
}

/// Checks what only authorities say, and gives the name that people know this one by.
fn read_authority(certificate: &X509Certificate<'_>) -> Result<String, PkiError> {
    let constraints = inspect::found(certificate.basic_constraints(), "its constraints")?;
    if !constraints.ca || constraints.path_len_constraint != Some(0) {
        return Err(PkiError::OtherProfile("it is no authority for workloads only"));
    }
    let usage = inspect::found(certificate.key_usage(), "its key usage")?;
    if !usage.key_cert_sign() || usage.digital_signature() {
        return Err(PkiError::OtherProfile("its key usage is not an authority's"));
    }
    if certificate.issuer() != certificate.subject() || certificate.verify_signature(None).is_err() {
        return Err(PkiError::OtherProfile("it is not signed by itself"));
    }
    let mut names = certificate.subject().iter_common_name();
    let name = names.next().and_then(|name| name.as_str().ok());
    name.map(str::to_owned).ok_or(PkiError::OtherProfile("it has no common name"))
}
