//! Somebody who looks at what verifiers are given and at what is signed, all the time, and verifies one by the
//! other: also what is new by what was given a minute ago, for those who read it late. OpenSSL and
//! rustls-webpki say whether it holds.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use comity::api::name;
use e2e::{Cluster, Error, Explain as _, Result};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;
use pki_types::pem::PemObject as _;
use pki_types::{CertificateDer, UnixTime};
use tokio::task::JoinHandle;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

/// How late somebody may be who reads what verifiers are given.
const LATE: SignedDuration = SignedDuration::from_secs(60);
/// How often it is looked.
const OFTEN: Duration = Duration::from_millis(250);

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The certificates, each with when it was seen first.
    pub leaves: BTreeMap<String, Timestamp>,
    /// What verifiers were given, each with when it was seen last.
    pub bundles: BTreeMap<String, Timestamp>,
    /// How often something was verified.
    pub verified: usize,
}

/// Somebody who looks.
pub struct Witness {
    enough: Arc<AtomicBool>,
    looking: JoinHandle<Result<Seen>>,
}

impl Witness {
    /// Begins to look at a stage.
    pub fn begin(cluster: &Cluster, place: &str) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let looking = tokio::spawn(look(cluster.clone(), place.to_owned(), Arc::clone(&enough)));
        Self { enough, looking }
    }

    /// Has it end, and gives what was seen; fails if anything didn't hold.
    pub async fn end(self) -> Result<Seen> {
        self.enough.store(true, Ordering::SeqCst);
        self.looking.await.explain("look")?
    }
}

async fn look(cluster: Cluster, place: String, enough: Arc<AtomicBool>) -> Result<Seen> {
    let (maps, secrets): (Api<ConfigMap>, Api<Secret>) =
        (Api::namespaced(cluster.client(), &place), Api::namespaced(cluster.client(), &place));
    let mut seen = Seen::default();
    let mut ticks = tokio::time::interval(OFTEN);
    while !enough.load(Ordering::SeqCst) {
        ticks.tick().await;
        let secret = secrets.get(&name::workload_secret("scorer")).await?.data.unwrap_or_default();
        let part = |key: &str| {
            let bytes = secret.get(key).map(|bytes| bytes.0.clone()).unwrap_or_default();
            String::from_utf8(bytes).explain("read a Secret")
        };
        let published = maps.get(name::TRUST_CONFIG_MAP).await?.data.unwrap_or_default();
        let bundle = published.get("ca.crt").cloned();
        let bundle = bundle.ok_or_else(|| Error::Failed(format!("nothing to verify by: {published:?}")))?;
        let now = Timestamp::now();
        let (leaf, beside) = (part("tls.crt")?, part("ca.crt")?);
        let is_new = !seen.leaves.contains_key(&leaf) || !seen.bundles.contains_key(&bundle);
        seen.leaves.entry(leaf.clone()).or_insert(now);
        for given in [bundle.clone(), beside] {
            seen.bundles.insert(given, now);
        }
        // By everything that somebody may have read, however late.
        let may_be_read = |at: &Timestamp| now.duration_since(*at) <= LATE;
        for (given, _) in seen.bundles.clone().iter().filter(|(_, at)| may_be_read(at)) {
            by_webpki(&leaf, given, now)?;
            seen.verified += 1;
        }
        // What lives, by what is given now.
        for old in seen.leaves.keys().filter(|old| is_alive(old, now)) {
            by_webpki(old, &bundle, now)?;
            seen.verified += 1;
        }
        if is_new {
            by_openssl(&leaf, &bundle, now)?;
        }
    }
    Ok(seen)
}

fn is_alive(leaf: &str, now: Timestamp) -> bool {
    comity::pki::Leaf::parse(leaf.as_bytes()).is_ok_and(|leaf| now < leaf.lifetime().not_after())
}

/// rustls-webpki, as both ends of a connection ask it.
fn by_webpki(leaf: &str, bundle: &str, at: Timestamp) -> Result<()> {
    if !is_alive(leaf, at) {
        return Err(Error::Failed("what is stored has expired".to_owned()));
    }
    let trusted: Vec<CertificateDer<'_>> = CertificateDer::pem_slice_iter(bundle.as_bytes())
        .collect::<Result<_, _>>()
        .explain("read the anchors")?;
    let anchors: Vec<_> = trusted
        .iter()
        .map(|trusted| anchor_from_trusted_cert(trusted).explain("take an anchor"))
        .collect::<Result<_>>()?;
    let leaf = CertificateDer::from_pem_slice(leaf.as_bytes()).explain("read the certificate")?;
    let leaf = EndEntityCert::try_from(&leaf).explain("take the certificate")?;
    let at = UnixTime::since_unix_epoch(Duration::from_secs(at.as_second().unsigned_abs()));
    for usage in [KeyUsage::client_auth(), KeyUsage::server_auth()] {
        leaf.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &anchors, &[], at, usage, None, None)
            .explain(format!("verify by {} anchors", anchors.len()))?;
    }
    Ok(())
}

/// `openssl verify`, where there is an OpenSSL; CI has one.
fn by_openssl(leaf: &str, bundle: &str, at: Timestamp) -> Result<()> {
    let files = tempfile::tempdir().explain("make a directory")?;
    let (chain, trusted) = (files.path().join("leaf.pem"), files.path().join("anchors.pem"));
    std::fs::write(&chain, leaf)?;
    std::fs::write(&trusted, bundle)?;
    let mut openssl = Command::new("openssl");
    openssl.args(["verify", "-x509_strict", "-no-CApath", "-no-CAstore", "-attime"]);
    openssl.arg(at.as_second().to_string()).arg("-CAfile").arg(&trusted).arg(&chain);
    match openssl.stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let told = [output.stdout, output.stderr].concat();
            Err(Error::Failed(format!("openssl: {}", String::from_utf8_lossy(&told))))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("SKIPPED: there is no openssl on this machine to verify certificates with");
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}
