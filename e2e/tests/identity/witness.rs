//! Certificates in the eyes of code that isn't ours: OpenSSL, rustls-webpki, and the `spiffe` crate.

use comity::api::name;
use e2e::witness::{self, by_openssl};
use e2e::{Error, Explain as _, Result};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use pki_types::CertificateDer;
use pki_types::pem::PemObject as _;
use rcgen::KeyPair;
use spiffe::X509Svid;

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

/// Both ends of a connection by rustls-webpki, and the one name that it should have.
pub fn by_webpki(chain: &str, anchor: &str, id: &str, at: Timestamp) -> Result<()> {
    let names = witness::by_webpki(chain, anchor, at)?;
    if names == [id] { Ok(()) } else { Err(Error::Failed(format!("{names:?}, and not {id}"))) }
}

/// The validation of an X.509-SVID by the `spiffe` crate.
fn by_spiffe(chain: &str, key: &KeyPair, id: &str) -> Result<()> {
    let leaf = CertificateDer::from_pem_slice(chain.as_bytes()).explain("read the certificate")?;
    let svid = X509Svid::parse_from_der(&leaf, &key.serialize_der()).explain("take it as an SVID")?;
    let found = svid.spiffe_id().to_string();
    if found == id { Ok(()) } else { Err(Error::Failed(format!("{found}, and not {id}"))) }
}
