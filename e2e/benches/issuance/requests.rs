//! What the API server was asked, by its own count: which requests a certificate takes, and how long they take there.

use std::collections::BTreeMap;

use e2e::{Cluster, Explain as _, Result};
use serde_json::{Value, json};

/// What the API server counts of requests (kubernetes/apiserver, `endpoints/metrics`).
const COUNTER: &str = "apiserver_request_total{";
/// How many seconds they took there, of all of them together.
const SECONDS: &str = "apiserver_request_duration_seconds_sum{";
/// What is asked less often than this for each isn't told.
const RARE: f64 = 0.01;

/// How often what was asked, and how many seconds that took.
#[derive(Clone, Debug, Default)]
pub struct Requests(BTreeMap<String, [f64; 2]>);

impl Requests {
    /// What it has been asked so far, by anybody.
    pub async fn read(admin: &Cluster) -> Result<Self> {
        let request = http::Request::get("/metrics").body(Vec::new()).explain("ask for metrics")?;
        let text = admin.client().request_text(request).await?;
        let mut counted = Self::default();
        for (place, counter) in [COUNTER, SECONDS].iter().enumerate() {
            for (what, count) in text.lines().filter_map(|line| read(line.strip_prefix(counter)?)) {
                counted.0.entry(what).or_default()[place] += count;
            }
        }
        Ok(counted)
    }

    /// What it was asked since.
    pub fn since(mut self, before: &Self) -> Self {
        for (what, [count, seconds]) in &mut self.0 {
            let [counted, taken] = before.0.get(what).copied().unwrap_or_default();
            (*count, *seconds) = (*count - counted, *seconds - taken);
        }
        self.0.retain(|_, [count, _]| *count > 0.0);
        self
    }

    /// Adds what it was asked another time.
    pub fn add(&mut self, other: &Self) {
        for (what, [count, seconds]) in &other.0 {
            let [counted, taken] = self.0.entry(what.clone()).or_default();
            (*counted, *taken) = (*counted + count, *taken + seconds);
        }
    }

    /// For programs: how often for each of so many, and how many milliseconds one took. What is rare is left out.
    pub fn json(&self, shared_by: usize) -> Value {
        let each =
            self.0.iter().map(|(what, [count, seconds])| (what, count / shared_by as f64, seconds / count));
        let told = each.filter(|(_, often, _)| *often >= RARE);
        told.map(|(what, often, took)| (what.clone(), json!({"times": often, "ms": took * 1000.0}))).collect()
    }
}

/// What a line counts, and how often that was.
fn read(line: &str) -> Option<(String, f64)> {
    let (labels, count) = line.rsplit_once("} ")?;
    let label = |name: &str| {
        let found = labels.split_once(&format!("{name}=\""))?.1;
        found.split_once('"').map(|(value, _)| value)
    };
    let (verb, resource, part) = (label("verb")?, label("resource")?, label("subresource")?);
    let what =
        if part.is_empty() { format!("{verb} {resource}") } else { format!("{verb} {resource}/{part}") };
    Some((what, count.parse().ok()?))
}
