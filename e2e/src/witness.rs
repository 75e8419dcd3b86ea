//! Certificates in the eyes of code that isn't ours: OpenSSL and rustls-webpki.

use std::process::{Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use pki_types::pem::PemObject as _;
use pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use crate::{Error, Explain as _, Result};

/// `openssl verify`, where there is an OpenSSL; CI has one.
///
/// # Errors
///
/// Where it doesn't hold at this moment for both ends of a connection.
pub fn by_openssl(chain: &str, anchors: &str, at: Timestamp) -> Result<()> {
    let files = tempfile::tempdir().explain("make a directory")?;
    let (leaf, trusted) = (files.path().join("leaf.pem"), files.path().join("anchors.pem"));
    std::fs::write(&leaf, chain)?;
    std::fs::write(&trusted, anchors)?;
    for purpose in ["sslclient", "sslserver"] {
        let mut openssl = Command::new("openssl");
        openssl.args(["verify", "-x509_strict", "-no-CApath", "-no-CAstore", "-purpose", purpose]);
        openssl.arg("-attime").arg(at.as_second().to_string()).arg("-CAfile").arg(&trusted).arg(&leaf);
        let output = match openssl.stdin(Stdio::null()).output() {
            Ok(output) => output,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                crate::skipped("there is no openssl on this machine to verify certificates with");
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

/// rustls-webpki, as both ends of a connection ask it. Gives the names that the certificate has as URIs.
///
/// # Errors
///
/// Where it doesn't hold at this moment, or can't be read.
pub fn by_webpki(chain: &str, anchors: &str, at: Timestamp) -> Result<Vec<String>> {
    let trusted: Vec<CertificateDer<'_>> = CertificateDer::pem_slice_iter(anchors.as_bytes())
        .collect::<Result<_, _>>()
        .explain("read the anchors")?;
    let anchors: Vec<_> = trusted
        .iter()
        .map(|trusted| anchor_from_trusted_cert(trusted).explain("take an anchor"))
        .collect::<Result<_>>()?;
    let leaf = CertificateDer::from_pem_slice(chain.as_bytes()).explain("read the certificate")?;
    let leaf = EndEntityCert::try_from(&leaf).explain("take the certificate")?;
    let seconds = u64::try_from(at.as_second()).explain("tell the time")?;
    let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    for usage in [KeyUsage::client_auth(), KeyUsage::server_auth()] {
        leaf.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &anchors, &[], at, usage, None, None)
            .explain(format!("verify by {} anchors", anchors.len()))?;
    }
    Ok(leaf.valid_uri_names().map(str::to_owned).collect())
}
