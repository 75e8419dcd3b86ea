//! What was measured of one way to a certificate, with so many outstanding.

use std::time::Instant;

use e2e::{Cluster, Comity, Result, figures::percentile};
use serde_json::{Value, json};

use super::{processor::Times, requests::Requests};

/// So many requests that stand at the same time, once or several times.
#[derive(Clone, Debug, Default)]
pub struct Wave {
    /// How many stand at the same time.
    pub outstanding: usize,
    /// Seconds from the first request to the last certificate, of all times together.
    seconds: f64,
    /// Milliseconds from each request to its certificate, in rising order.
    latencies: Vec<f64>,
    /// Who took the processor in that time.
    processor: Times,
    /// What the API server was asked in that time.
    requests: Requests,
}

/// What was measured of so many requests that stood at the same time.
pub struct Taken {
    /// When each was asked for, and when it was there.
    pub times: Vec<(Instant, Instant)>,
    /// Who took the processor meanwhile.
    pub processor: Times,
    /// What the API server was asked meanwhile.
    pub requests: Requests,
}

/// What had been taken before.
pub struct Before(Times, Requests);

impl Before {
    /// Reads what has been taken so far.
    pub async fn read(admin: &Cluster, comity: &Comity) -> Result<Self> {
        let requests = Requests::read(admin).await?;
        Ok(Self(Times::read(admin, Some(comity))?, requests))
    }

    /// What was taken since, and when each was there.
    pub async fn taken(
        self,
        (admin, comity): (&Cluster, &Comity),
        times: Vec<(Instant, Instant)>,
    ) -> Result<Taken> {
        let processor = Times::read(admin, Some(comity))?.since(self.0);
        let requests = Requests::read(admin).await?.since(&self.1);
        Ok(Taken { times, processor, requests })
    }
}

impl Wave {
    /// Nothing measured yet, with so many outstanding.
    pub fn of(outstanding: usize) -> Self {
        Self { outstanding, ..Self::default() }
    }

    /// Takes one more time.
    pub fn add(&mut self, Taken { times, processor, requests }: &Taken) {
        for (all, one) in self.processor.0.iter_mut().zip(processor.0) {
            *all += one;
        }
        self.requests.add(requests);
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

    /// How many milliseconds of each process one took.
    fn processor_for_each(&self) -> Times {
        Times(self.processor.0.map(|seconds| seconds * 1000.0 / self.latencies.len() as f64))
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "outstanding": self.outstanding,
            "issued": self.latencies.len(),
            "per_second": self.rate(),
            "p50_ms": self.milliseconds(50),
            "p99_ms": self.milliseconds(99),
            "cpu_ms_for_each": self.processor_for_each().json(),
            "requests_for_each": self.requests.json(self.latencies.len()),
        })
    }
}
