//! Work that isn't about one object: it goes round when something calls for it, or when it said.

use std::time::Duration;

use futures::StreamExt as _;
use futures::channel::mpsc::UnboundedReceiver;
use tracing::Instrument as _;

use super::controller::{Telemetry, chain, count};
use crate::ops::trace::work;
use crate::plan::retry::{LONGEST, backoff};

/// Goes round at once, and again and again, until nobody can call any more. What is called while
/// it goes round is one call. A round gives when the next one is due if nobody calls.
pub async fn go_round<F, E>(mut calls: UnboundedReceiver<()>, telemetry: Telemetry, round: impl Fn() -> F)
where
    F: Future<Output = Result<Duration, E>>,
    E: std::error::Error,
{
    let mut failures = 0;
    loop {
        while calls.try_recv().is_ok() {}
        let span = work(telemetry.kind.as_str(), "", "", &telemetry.traces.next());
        let is_settled = |wait: &Duration| *wait == LONGEST.unsigned_abs();
        let wait = match count(&telemetry, round().instrument(span.clone()), is_settled).await {
            Ok(wait) => {
                failures = 0;
                wait
            }
            Err(error) => {
                span.in_scope(|| tracing::warn!(error = %chain(&error), "a round failed and is tried again"));
                failures += 1;
                backoff(failures).unsigned_abs()
            }
        };
        if let Ok(None) = tokio::time::timeout(wait, calls.next()).await {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::channel::mpsc::unbounded;

    use super::*;
    use crate::cluster::clock::Clock;
    use crate::ops::metric::Kind;
    use crate::ops::trace::TraceIds;
    use crate::ops::{Health, Metrics};

    fn telemetry(metrics: &Metrics) -> Telemetry {
        let clock = Clock::default();
        Telemetry {
            kind: Kind::Leftovers,
            heartbeat: Health::default().heartbeat("rounds", clock.now()),
            metrics: metrics.clone(),
            traces: Arc::new(TraceIds::new("test")),
            clock,
        }
    }

    #[tokio::test]
    async fn it_goes_round_at_once_and_once_for_all_that_called_meanwhile() {
        let (call, calls) = unbounded();
        for _ in 0..3 {
            call.unbounded_send(()).unwrap();
        }
        let rounds = AtomicUsize::new(0);
        let metrics = Metrics::new();
        let round = || {
            let before = rounds.fetch_add(1, Ordering::Relaxed);
            if before == 0 {
                call.unbounded_send(()).unwrap();
            } else {
                call.close_channel();
            }
            std::future::ready(Ok::<_, std::fmt::Error>(LONGEST.unsigned_abs()))
        };
        go_round(calls, telemetry(&metrics), round).await;
        assert_eq!(rounds.load(Ordering::Relaxed), 2);
        let line = "comity_reconciles_total{kind=\"Leftovers\",outcome=\"settled\"} 2";
        assert!(metrics.text().unwrap().contains(line));
    }
}
