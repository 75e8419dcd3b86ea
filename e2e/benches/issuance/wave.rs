//! What was measured of one way to a certificate, with so many outstanding.

use std::time::Instant;

use e2e::figures::percentile;
use serde_json::{Value, json};

/// So many requests that stand at the same time, once or several times.
#[derive(Clone, Debug, Default)]
pub struct Wave {
    /// How many stand at the same time.
    pub outstanding: usize,
    /// Seconds from the first request to the last certificate, of all times together.
    seconds: f64,
    /// Milliseconds from each request to its certificate, in rising order.
    latencies: Vec<f64>,
}

impl Wave {
    /// Nothing measured yet, with so many outstanding.
    pub fn of(outstanding: usize) -> Self {
        Self { outstanding, ..Self::default() }
    }

    /// Takes when each was asked for, and when it was there.
    pub fn add(&mut self, times: &[(Instant, Instant)]) {
        let first = times.iter().map(|(asked, _)| *asked).min();
        let last = times.iter().map(|(_, there)| *there).max();
        if let Some((first, last)) = first.zip(last) {
            self.seconds += last.saturating_duration_since(first).as_secs_f64();
        }
        let took = times.iter().map(|(asked, there)| there.saturating_duration_since(*asked));
        self.latencies.extend(took.map(|took| took.as_secs_f64() * 1000.0));
        self.latencies.sort_by(f64::total_cmp);
    }

    /// Certificates a second.
    pub fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.seconds
    }

    /// The milliseconds that so many of a hundred don't exceed.
    pub fn milliseconds(&self, percent: usize) -> f64 {
        percentile(&self.latencies, percent)
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "outstanding": self.outstanding,
            "issued": self.latencies.len(),
            "per_second": self.rate(),
            "p50_ms": self.milliseconds(50),
            "p99_ms": self.milliseconds(99),
        })
    }
}
