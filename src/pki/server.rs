//! The certificate of a server of Comity's own, which callers know by its host names. It is no workload's: it
//! has no SPIFFE ID, and no verifier of a stage has its anchor.

use rcgen::{
    CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose,
    SubjectPublicKeyInfo,
};

use super::authority::Authority;
use super::error::PkiError;
use super::key::{PrivateKey, SecretPem};
use super::lifetime::Lifetime;
use super::profile;

/// A server's certificate, with its key.
#[derive(Debug)]
pub struct Server {
    /// The certificate as DER.
    pub certificate: Vec<u8>,
    /// The private key as PEM.
    pub key: SecretPem,
}

/// A certificate about a new key for a server that is called by these host names and addresses.
pub async fn server(authority: &Authority, names: &[String], lifetime: Lifetime) -> Result<Server, PkiError> {
    let mut params = CertificateParams::new(names)
        .map_err(|_discarded| PkiError::Library("write the names of a server"))?;
    params.distinguished_name = DistinguishedName::new();
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let params = profile::of_ours(params, lifetime)?;
    let key = PrivateKey::generate()?;
    let public = SubjectPublicKeyInfo::from_der(&key.public_key());
    let public = public.map_err(|_discarded| PkiError::Library("read a key that it made"))?;
    let certificate = authority.sign(&params, &public).await?;
    Ok(Server { certificate: certificate.der().to_vec(), key: key.pem() })
}

#[cfg(test)]
mod tests {
    use x509_parser::certificate::X509Certificate;
    use x509_parser::prelude::FromDer as _;

    use super::*;
    use crate::pki::profile::Purpose;
    use crate::pki::testing::at_once;
    use crate::pki::{Leaf, testing};

    #[test]
    fn it_says_its_names_and_is_no_workloads() {
        let authority = testing::authority();
        let names = ["enrol.retail.example".to_owned(), "192.0.2.1".to_owned()];
        let made = at_once(server(&authority, &names, testing::authority_lifetime())).unwrap();
        let (_, certificate) = X509Certificate::from_der(&made.certificate).unwrap();
        let said = certificate.subject_alternative_name().unwrap().unwrap();
        assert_eq!(said.value.general_names.len(), 2);
        assert!(said.critical && !certificate.is_ca());
        assert!(PrivateKey::parse(made.key.reveal().as_bytes()).is_ok());
        let read = [Purpose::Both, Purpose::Calling].map(|purpose| Leaf::read(&made.certificate, purpose));
        assert!(read.iter().all(Result::is_err), "nobody takes it for a workload's");
        let odd = ["ä".to_owned()];
        assert!(at_once(server(&authority, &odd, testing::authority_lifetime())).is_err());
    }
}
