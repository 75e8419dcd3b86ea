//! What certificates say, and nothing that they don't have to: the X.509 profile of SPIFFE
//! (X509-SVID, sections 2 to 4), as the parameters from which they are made.

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyUsagePurpose, SanType, SerialNumber,
};

use super::error::PkiError;
use super::lifetime::Lifetime;
use super::spiffe::SpiffeId;

/// The longest common name that X.509 allows.
const LONGEST_COMMON_NAME: usize = 64;
/// The longest serial number that X.509 allows, in bytes.
const SERIAL_BYTES: usize = 20;

/// At which end of a connection a workload shows its certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// At both.
    Both,
    /// Where it calls, and nowhere else: on the partner's side nobody serves as a stage's workload.
    Calling,
}

/// A workload's certificate: its SPIFFE ID and no other name.
///
/// The subject is empty, which makes the SPIFFE ID critical: a verifier that doesn't understand
/// it must refuse the certificate rather than trust it for nothing in particular.
pub fn workload(id: &SpiffeId, lifetime: Lifetime, purpose: Purpose) -> Result<CertificateParams, PkiError> {
    let mut params = common(id, lifetime)?;
    params.distinguished_name = DistinguishedName::new();
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    if purpose == Purpose::Both {
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
    }
    Ok(params)
}

/// An authority's certificate: it signs workloads' certificates, and no further authority.
///
/// There are no name constraints: no verifier in wide use handles those on URIs.
pub fn authority(
    id: &SpiffeId,
    common_name: &str,
    lifetime: Lifetime,
) -> Result<CertificateParams, PkiError> {
    let mut params = common(id, lifetime)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, shortened(common_name));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

/// A common name, cut where it is longer than a certificate may say.
pub fn shortened(common_name: &str) -> String {
    common_name.chars().take(LONGEST_COMMON_NAME).collect()
}

fn common(id: &SpiffeId, lifetime: Lifetime) -> Result<CertificateParams, PkiError> {
    let name = id.as_str().try_into().map_err(|_discarded| PkiError::Library("write the SPIFFE ID"))?;
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI(name)];
    of_ours(params, lifetime)
}

/// What every certificate of ours says: a serial number, which key signed it, and from when until when.
pub(super) fn of_ours(
    mut params: CertificateParams,
    lifetime: Lifetime,
) -> Result<CertificateParams, PkiError> {
    params.serial_number = Some(serial()?);
    params.use_authority_key_identifier_extension = true;
    // The type of these is of a crate that nothing else here needs, hence the long way round.
    params.not_before = rcgen::date_time_ymd(1970, 1, 1) + since_epoch(lifetime.not_before())?;
    params.not_after = rcgen::date_time_ymd(1970, 1, 1) + since_epoch(lifetime.not_after())?;
    Ok(params)
}

/// 158 random bits: nobody can guess what the next certificate will say, whoever made its key.
fn serial() -> Result<SerialNumber, PkiError> {
    let mut bytes = [0; SERIAL_BYTES];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_discarded| PkiError::Library("make a serial number"))?;
    if let Some(first) = bytes.first_mut() {
        // Positive, and always of the same length.
        *first = (*first & 0x7f) | 0x40;
    }
    Ok(SerialNumber::from(bytes.to_vec()))
}

fn since_epoch(time: Timestamp) -> Result<std::time::Duration, PkiError> {
    u64::try_from(time.as_second())
        .map(std::time::Duration::from_secs)
        .map_err(|_discarded| PkiError::TimeOutOfRange(time))
}
