//! The certificates and keys of one control plane, made fresh for each.

use std::{fs, path::Path};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::{Explain as _, Result};

/// File: the certificate of the authority, the only one that clients trust.
pub(super) const AUTHORITY: &str = "authority.crt";
/// File: the API server's certificate.
pub(super) const SERVING_CERTIFICATE: &str = "apiserver.crt";
/// File: the API server's key.
pub(super) const SERVING_KEY: &str = "apiserver.key";
/// File: by which the API server shows kubelets who it is.
pub(super) const CLIENT_CERTIFICATE: &str = "apiserver-client.crt";
/// File: its key.
pub(super) const CLIENT_KEY: &str = "apiserver-client.key";
/// File: the key that signs ServiceAccount tokens.
pub(super) const ACCOUNT_KEY: &str = "service-accounts.key";
/// File: the public half of [`ACCOUNT_KEY`].
pub(super) const ACCOUNT_PUBLIC_KEY: &str = "service-accounts.pub";

/// Writes all of the above into `directory`; the authority's own key is forgotten.
pub(super) fn write(directory: &Path) -> Result<()> {
    let issuer = authority(directory)?;
    let names = ["localhost", "127.0.0.1", "10.96.0.1", "kubernetes.default.svc"].map(str::to_owned);
    let mut serving = CertificateParams::new(names).explain("name the API server")?;
    serving.distinguished_name.push(DnType::CommonName, "kube-apiserver");
    serving.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    serving.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate().explain("make the API server's key")?;
    let certificate = serving.signed_by(&key, &issuer).explain("sign the API server's certificate")?;
    fs::write(directory.join(SERVING_CERTIFICATE), certificate.pem())?;
    fs::write(directory.join(SERVING_KEY), key.serialize_pem())?;

    let mut client = CertificateParams::default();
    client.distinguished_name.push(DnType::CommonName, "kube-apiserver");
    client.distinguished_name.push(DnType::OrganizationName, "system:masters");
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    client.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate().explain("make the API server's key as a client")?;
    let certificate =
        client.signed_by(&key, &issuer).explain("sign the API server's certificate as a client")?;
    fs::write(directory.join(CLIENT_CERTIFICATE), certificate.pem())?;
    fs::write(directory.join(CLIENT_KEY), key.serialize_pem())?;

    let accounts = KeyPair::generate().explain("make the key for tokens")?;
    fs::write(directory.join(ACCOUNT_KEY), accounts.serialize_pem())?;
    fs::write(directory.join(ACCOUNT_PUBLIC_KEY), accounts.public_key_pem())?;
    Ok(())
}

fn authority(directory: &Path) -> Result<Issuer<'static, KeyPair>> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "comity e2e");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let key = KeyPair::generate().explain("make the authority's key")?;
    let certificate = params.self_signed(&key).explain("sign the authority's certificate")?;
    fs::write(directory.join(AUTHORITY), certificate.pem())?;
    Ok(Issuer::new(params, key))
}
