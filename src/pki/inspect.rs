//! Reading certificates back: what a stored one says, if it is one that Comity would have made.

use jiff::Timestamp;
use x509_parser::certificate::{BasicExtension, X509Certificate};
use x509_parser::error::X509Error;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;
use x509_parser::time::ASN1Time;

use super::anchor::Anchor;
use super::error::PkiError;
use super::lifetime::Lifetime;
use super::profile::Purpose;
use super::spiffe::SpiffeId;
use super::{LONGEST_PEM, fingerprint, hexadecimal, only_certificate};

/// What workloads' and authorities' certificates both say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Facts {
    /// The one URI among the alternative names.
    pub name: String,
    /// From when until when.
    pub lifetime: Lifetime,
    /// `SubjectPublicKeyInfo` in DER.
    pub public_key: Vec<u8>,
    /// The serial number in hexadecimal digits.
    pub serial: String,
}

/// A workload's certificate, read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Leaf {
    der: Vec<u8>,
    id: SpiffeId,
    facts: Facts,
    authority_key: String,
}

impl Leaf {
    /// The certificate in this PEM, if it follows the profile of workloads.
    ///
    /// Says nothing about who signed it: ask [`Leaf::signed_by`].
    pub fn parse(pem: &[u8]) -> Result<Self, PkiError> {
        Self::read(&only_certificate(pem)?, Purpose::Both)
    }

    /// The certificate in this DER, as it comes over a connection, if it follows the profile for this purpose.
    pub fn read(der: &[u8], purpose: Purpose) -> Result<Self, PkiError> {
        if der.len() > LONGEST_PEM {
            return Err(PkiError::NotX509);
        }
        let (rest, certificate) = X509Certificate::from_der(der).map_err(|_discarded| PkiError::NotX509)?;
        if !rest.is_empty() {
            return Err(PkiError::NotX509);
        }
        let facts = facts(&certificate)?;
        let id = SpiffeId::workload(&facts.name)?;
        check_workload(&certificate, purpose)?;
        let authority_key = authority_key(&certificate)?;
        Ok(Self { id, facts, authority_key, der: der.to_vec() })
    }

    /// Whom the certificate is about.
    pub const fn id(&self) -> &SpiffeId {
        &self.id
    }

    /// From when until when it is valid.
    pub const fn lifetime(&self) -> Lifetime {
        self.facts.lifetime
    }

    /// The serial number in hexadecimal digits.
    pub fn serial(&self) -> &str {
        &self.facts.serial
    }

    /// The public key, as `SubjectPublicKeyInfo` in DER.
    pub fn public_key(&self) -> &[u8] {
        &self.facts.public_key
    }

    /// The identifier of the key that signed it, in hexadecimal digits, as it says itself.
    pub fn authority_key(&self) -> &str {
        &self.authority_key
    }

    /// SHA-256 of the certificate's DER in hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.der)
    }

    /// Whether this authority signed it, by the signature itself.
    pub fn signed_by(&self, anchor: &Anchor) -> bool {
        X509Certificate::from_der(&self.der).is_ok_and(|(_rest, certificate)| anchor.signed(&certificate))
    }
}

/// Reads what every certificate of ours must say. Exactly one name, and that a URI.
pub(super) fn facts(certificate: &X509Certificate<'_>) -> Result<Facts, PkiError> {
    let names = found(certificate.subject_alternative_name(), "its names")?;
    let [GeneralName::URI(name)] = names.general_names.as_slice() else {
        return Err(PkiError::OtherProfile("it doesn't have exactly one name, a URI"));
    };
    let validity = certificate.validity();
    let lifetime = Lifetime::read(time(validity.not_before)?, time(validity.not_after)?)?;
    Ok(Facts {
        name: (*name).to_owned(),
        lifetime,
        public_key: certificate.public_key().raw.to_vec(),
        serial: hexadecimal(&certificate.serial.to_bytes_be()),
    })
}

/// An extension that must be there, and there once.
pub(super) fn found<'a, T>(
    extension: Result<Option<BasicExtension<&'a T>>, X509Error>,
    what: &'static str,
) -> Result<&'a T, PkiError> {
    match extension {
        Ok(Some(extension)) => Ok(extension.value),
        Ok(None) | Err(_) => Err(PkiError::OtherProfile(what)),
    }
}

fn check_workload(certificate: &X509Certificate<'_>, purpose: Purpose) -> Result<(), PkiError> {
    if certificate.is_ca() {
        return Err(PkiError::OtherProfile("it is an authority's"));
    }
    if certificate.subject().iter().next().is_some() {
        return Err(PkiError::OtherProfile("it has a subject beside its SPIFFE ID"));
    }
    let usage = found(certificate.key_usage(), "its key usage")?;
    if !usage.digital_signature() || usage.key_cert_sign() || usage.crl_sign() {
        return Err(PkiError::OtherProfile("its key usage is not a workload's"));
    }
    let purposes = found(certificate.extended_key_usage(), "its purposes")?;
    let serves = purpose == Purpose::Both;
    if !purposes.client_auth || purposes.server_auth != serves || purposes.any {
        return Err(PkiError::OtherProfile("it is not for the ends of a connection that it should be"));
    }
    Ok(())
}

/// The identifier of its own key that a certificate says, in hexadecimal digits.
pub(super) fn own_key(certificate: &X509Certificate<'_>) -> Option<String> {
    use x509_parser::extensions::ParsedExtension;
    certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(id) => Some(hexadecimal(id.0)),
        _ => None,
    })
}

fn authority_key(certificate: &X509Certificate<'_>) -> Result<String, PkiError> {
    use x509_parser::extensions::ParsedExtension;
    certificate
        .extensions()
        .iter()
        .find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref(),
            _ => None,
        })
        .map(|id| hexadecimal(id.0))
        .ok_or(PkiError::OtherProfile("it doesn't say which key signed it"))
}

pub(super) fn time(time: ASN1Time) -> Result<Timestamp, PkiError> {
    Timestamp::from_second(time.timestamp())
        .map_err(|_discarded| PkiError::OtherProfile("its times are out of range"))
}
