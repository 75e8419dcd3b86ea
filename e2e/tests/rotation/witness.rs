//! Somebody who looks at what verifiers are given and at what is signed, all the time, and verifies one by the
//! other: also what is new by what was given a minute ago, for those who read it late. OpenSSL and
//! rustls-webpki say whether it holds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use comity::api::name;
use e2e::witness::{self, by_openssl};
use e2e::{Cluster, Error, Explain as _, Result};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;
use tokio::task::JoinHandle;

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

/// Whether what is stored is alive, and holds.
fn by_webpki(leaf: &str, bundle: &str, at: Timestamp) -> Result<()> {
    if !is_alive(leaf, at) {
        return Err(Error::Failed("what is stored has expired".to_owned()));
    }
    witness::by_webpki(leaf, bundle, at).map(drop)
}
