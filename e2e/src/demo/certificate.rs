//! A workload's certificate, read by a parser that shares nothing with what signed it.

use jiff::Timestamp;
use x509_parser::{
    certificate::X509Certificate,
    extensions::{GeneralName, ParsedExtension},
    pem::Pem,
};

use crate::{Error, Explain as _, Result};

/// What was published of a certificate, with the anchor that it is verified against.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Certificate {
    /// Its serial number.
    pub(super) serial: String,
    /// Whose it is: the SPIFFE ID.
    pub(super) identity: String,
    /// Until when it is valid.
    pub(super) not_after: Timestamp,
    chain: Vec<u8>,
}

impl Certificate {
    /// Reads the first certificate of a chain in PEM.
    pub(super) fn parse(pem: &str) -> Result<Self> {
        let der = first(pem)?;
        let (_, parsed) = x509_parser::parse_x509_certificate(&der).explain("read a certificate")?;
        let not_after = parsed.validity().not_after.timestamp();
        Ok(Self {
            serial: parsed.raw_serial_as_string(),
            identity: identity(&parsed)?,
            not_after: Timestamp::from_second(not_after).explain("read when a certificate ends")?,
            chain: der,
        })
    }

    /// Whether an anchor, in PEM, vouches for it.
    pub(super) fn is_signed_by(&self, anchor: &str) -> Result<bool> {
        let anchor = first(anchor)?;
        let (_, anchor) = x509_parser::parse_x509_certificate(&anchor).explain("read an anchor")?;
        let (_, own) = x509_parser::parse_x509_certificate(&self.chain).explain("read a certificate")?;
        Ok(own.verify_signature(Some(anchor.public_key())).is_ok())
    }
}

fn first(pem: &str) -> Result<Vec<u8>> {
    let (pem, _) = Pem::read(std::io::Cursor::new(pem)).explain("read PEM")?;
    Ok(pem.contents)
}

/// The one URI that it is for.
fn identity(certificate: &X509Certificate<'_>) -> Result<String> {
    let names = certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(names) => Some(&names.general_names),
        _ => None,
    });
    match names.map(Vec::as_slice) {
        Some([GeneralName::URI(identity)]) => Ok((*identity).to_owned()),
        other => Err(Error::Failed(format!("a certificate isn't for one URI, but for {other:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, CertifiedIssuer, KeyPair, SanType};

    use super::*;

    fn anchor() -> CertifiedIssuer<'static, KeyPair> {
        let params = CertificateParams::default();
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    }

    fn leaf(names: Vec<SanType>, anchor: &CertifiedIssuer<'static, KeyPair>) -> String {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        params.signed_by(&KeyPair::generate().unwrap(), anchor).unwrap().pem()
    }

    #[test]
    fn a_certificate_says_whose_it_is_and_who_vouches_for_it() {
        let (sandbox, production) = (anchor(), anchor());
        let names = vec![SanType::URI("spiffe://comity.local/partner/a".try_into().unwrap())];
        let certificate = Certificate::parse(&leaf(names, &sandbox)).unwrap();
        assert_eq!(certificate.identity, "spiffe://comity.local/partner/a");
        assert!(certificate.is_signed_by(&sandbox.pem()).unwrap());
        assert!(!certificate.is_signed_by(&production.pem()).unwrap());
    }

    #[test]
    fn one_for_anything_else_is_refused() {
        let names = vec![SanType::DnsName("example".try_into().unwrap())];
        Certificate::parse(&leaf(names, &anchor())).unwrap_err();
        Certificate::parse("no certificate").unwrap_err();
    }
}
