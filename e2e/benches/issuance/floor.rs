//! What there is at most: how many bare writes the API server takes in a second, sent by a loop that reads and
//! decides nothing, and how many signatures a processor makes.

use std::time::Instant;

use e2e::{Explain as _, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use rcgen::{KeyPair, SigningKey as _};
use serde_json::{Value, json};

/// How long what is signed in a certificate is, about.
const SIGNED: usize = 400;

/// A bare loop's result.
#[derive(Clone, Debug, Default)]
pub struct Floor {
    /// What it writes, for people.
    pub what: &'static str,
    /// How many it sent.
    pub count: usize,
    /// How many at once.
    pub at_once: usize,
    /// How long it took.
    pub seconds: f64,
}

impl Floor {
    /// How many a second.
    pub fn rate(&self) -> f64 {
        self.count as f64 / self.seconds
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({"what": self.what, "count": self.count, "at_once": self.at_once, "per_second": self.rate()})
    }
}

/// Sends each of these, so many at once.
pub async fn pace<T>(
    what: &'static str,
    all: Vec<T>,
    at_once: usize,
    send: impl AsyncFn(T) -> Result<()>,
) -> Result<Floor> {
    let (count, send, began) = (all.len(), &send, Instant::now());
    let all = stream::iter(all).map(|one| async move { send(one).await });
    all.buffer_unordered(at_once).try_collect::<Vec<()>>().await?;
    Ok(Floor { what, count, at_once, seconds: began.elapsed().as_secs_f64() })
}

/// Microseconds that one ECDSA signature on P-256 takes, by the library that Comity signs with.
pub fn signature(times: u32) -> Result<f64> {
    let (key, message) = (KeyPair::generate().explain("make a key")?, vec![7; SIGNED]);
    let began = Instant::now();
    for _ in 0..times {
        std::hint::black_box(key.sign(std::hint::black_box(&message)).explain("sign")?);
    }
    Ok(began.elapsed().as_secs_f64() * 1e6 / f64::from(times))
}
