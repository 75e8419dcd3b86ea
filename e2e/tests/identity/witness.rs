//! Certificates in the eyes of code that isn't ours: OpenSSL, rustls-webpki, and the `spiffe` crate.

use std::process::{Command, Stdio};

use comity::api::name;
use e2e::{Error, Explain as _, Result};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use pki_types::pem::PemObject as _;
use pki_types::{CertificateDer, UnixTime};
use rcgen::KeyPair;
use spiffe::X509Svid;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::ground::Ground;

/// The anchor that was published in a stage: all that its verifiers get.
pub async fn anchor(ground: &Ground) -> Result<String> {
    let maps: Api<ConfigMap> = ground.story.in_namespace(ground.place());
    let published = maps.get(name::TRUST_CONFIG_MAP).await?.data.unwrap_or_default();
    let anchor = published.get("ca.crt").cloned();
    anchor.ok_or_else(|| Error::Failed(format!("no anchor: {published:?}")))
}

/// Whether everybody believes a chain under an anchor at this moment, for the key that it is about and
/// the one name that it should have.
pub fn everybody_believes(
    (chain, key): (&str, &KeyPair),
    anchor: &str,
    id: &str,
    at: Timestamp,
) -> Result<()> {
    by_openssl(chain, anchor, at)?;
    by_webpki(chain, anchor, id, at)?;
    by_spiffe(chain, key, id)
}

/// `openssl verify`, where there is an OpenSSL; CI has one.
pub fn by_openssl(chain: &str, anchor: &str, at: Timestamp) -> Result<()> {
    let files = tempfile::tempdir().explain("make a directory")?;
    let (leaf, trusted) = (files.path().join("leaf.pem"), files.path().join("anchor.pem"));
    std::fs::write(&leaf, chain)?;
    std::fs::write(&trusted, anchor)?;
    for purpose in ["sslclient", "sslserver"] {
        let mut openssl = Command::new("openssl");
        openssl.args(["verify", "-x509_strict", "-no-CApath", "-no-CAstore", "-purpose", purpose]);
        openssl.arg("-attime").arg(at.as_second().to_string()).arg("-CAfile").arg(&trusted).arg(&leaf);
        let output = match openssl.stdin(Stdio::null()).output() {
            Ok(output) => output,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                eprintln!("SKIPPED: there is no openssl on this machine to verify certificates with");
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        if !output.status.success() {
            let told = [output.stdout, output.stderr].concat();
            return Err(Error::Failed(format!("openssl: {}", String::from_utf8_lossy(&told))));
        }
    }
    Ok(())
}

/// rustls-webpki, as both ends of a connection ask it.
pub fn by_webpki(chain: &str, anchor: &str, id: &str, at: Timestamp) -> Result<()> {
    let trusted: Vec<CertificateDer<'_>> = CertificateDer::pem_slice_iter(anchor.as_bytes())
        .collect::<Result<_, _>>()
        .explain("read the anchors")?;
    let anchors: Vec<_> = trusted
        .iter()
        .map(|trusted| anchor_from_trusted_cert(trusted).explain("take the anchor"))
        .collect::<Result<_>>()?;
    let leaf = CertificateDer::from_pem_slice(chain.as_bytes()).explain("read the certificate")?;
    let leaf = EndEntityCert::try_from(&leaf).explain("take the certificate")?;
    let seconds = u64::try_from(at.as_second()).explain("tell the time")?;
    let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
    for usage in [KeyUsage::client_auth(), KeyUsage::server_auth()] {
        leaf.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &anchors, &[], at, usage, None, None)
            .explain("verify the certificate")?;
    }
    let names: Vec<&str> = leaf.valid_uri_names().collect();
    if names == [id] { Ok(()) } else { Err(Error::Failed(format!("{names:?}, and not {id}"))) }
}

/// The validation of an X.509-SVID by the `spiffe` crate.
fn by_spiffe(chain: &str, key: &KeyPair, id: &str) -> Result<()> {
    let leaf = CertificateDer::from_pem_slice(chain.as_bytes()).explain("read the certificate")?;
    let svid = X509Svid::parse_from_der(&leaf, &key.serialize_der()).explain("take it as an SVID")?;
    let found = svid.spiffe_id().to_string();
    if found == id { Ok(()) } else { Err(Error::Failed(format!("{found}, and not {id}"))) }
}
