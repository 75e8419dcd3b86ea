//! As many live certificates as there is time for: what `comity sign` holds then, and how their renewals are spread.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use comity::pki::Leaf;
use e2e::{Comity, Explain as _, Result};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Extent, secrets::Secrets};

/// How many certificates are asked for in one go.
const AT_ONCE: usize = 640;

/// What was seen of live certificates.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// How many there were.
    pub certificates: usize,
    /// What `comity sign` held, in KiB.
    pub memory: u64,
    /// How long it took to have all issued, in seconds.
    pub seconds: f64,
    /// How many are renewed in the busiest second.
    pub busiest: usize,
    /// How many are renewed in a second, between the first and the last.
    pub mean: f64,
}

impl Live {
    /// How much busier the busiest second is.
    pub fn ratio(&self) -> f64 {
        self.busiest as f64 / self.mean
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "certificates": self.certificates,
            "sign_rss_mib": self.memory as f64 / 1024.0,
            "seconds": self.seconds,
            "renewals_in_the_busiest_second": self.busiest,
            "renewals_a_second": self.mean,
            "busiest_to_mean": self.ratio(),
        })
    }
}

/// Opens stages until so many certificates live, or time is up.
pub async fn measure(secrets: &mut Secrets, comity: &Comity, extent: &Extent) -> Result<Live> {
    let (began, most) = (Instant::now(), Duration::from_secs(60 * extent.minutes));
    let mut certificates = secrets.stored().await?.len();
    let before = certificates;
    while certificates < extent.live && began.elapsed() < most {
        let more = AT_ONCE.min(extent.live - certificates);
        secrets.open(more).await?;
        certificates += more;
        eprintln!("  {certificates} certificates after {:.0} s", began.elapsed().as_secs_f64());
    }
    let seconds = began.elapsed().as_secs_f64();
    let memory = comity.sign().resident_kib()?;
    let (busiest, mean) = spread(secrets, Timestamp::now() - elapsed(began)).await?;
    eprintln!("  {} of them issued in this go", certificates - before);
    Ok(Live { certificates, memory, seconds, busiest, mean })
}

fn elapsed(began: Instant) -> SignedDuration {
    SignedDuration::try_from(began.elapsed()).unwrap_or(SignedDuration::MAX)
}

/// How many of the certificates that were issued since then are renewed in the busiest second, and how many in a
/// second between the first and the last: by what `comity sign` goes by, of the certificates themselves.
async fn spread(secrets: &Secrets, since: Timestamp) -> Result<(usize, f64)> {
    let mut renewals: BTreeMap<i64, usize> = BTreeMap::new();
    for secret in secrets.stored().await? {
        let stored = secret.data.as_ref().and_then(|data| data.get("tls.crt"));
        let leaf = Leaf::parse(stored.map(|stored| stored.0.as_slice()).unwrap_or_default());
        let leaf = leaf.explain("read a certificate")?;
        let life = leaf.lifetime();
        // It reaches back by a minute, for verifiers whose clock is behind.
        if life.not_before() + SignedDuration::from_mins(2) < since {
            continue;
        }
        // All stages end long after.
        if let Some(renewal) = life.renewal(leaf.id().as_str(), leaf.serial(), Timestamp::MAX) {
            *renewals.entry(renewal.as_second()).or_default() += 1;
        }
    }
    let ends = renewals.keys().next().zip(renewals.keys().next_back());
    let seconds = ends.map_or(1, |(first, last)| last - first + 1);
    let busiest = renewals.values().copied().max().unwrap_or_default();
    Ok((busiest, renewals.values().sum::<usize>() as f64 / seconds as f64))
}
