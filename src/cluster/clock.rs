//! What time it is: the later of the local clock and the newest time that the API server has
//! told, and all that has passed since: a clock set back doesn't give anybody more time.
#![expect(clippy::disallowed_methods, reason = "this is the edge at which time is read")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll};

use jiff::Timestamp;
use tokio::time::Instant;
use tower::{Layer, Service};

/// The clock of a process. It goes on by itself: where every clock around it is set back, time passes for it
/// as it did before.
#[derive(Clone, Debug)]
pub struct Clock {
    /// When the process began, by a clock that nobody can set; none stands still.
    begun: Option<Instant>,
    /// When that was, by the newest time seen since, in milliseconds since the epoch.
    newest: Arc<AtomicI64>,
    /// The local clock.
    local: fn() -> Timestamp,
}

impl Default for Clock {
    fn default() -> Self {
        Self { begun: Some(Instant::now()), newest: Arc::default(), local: Timestamp::now }
    }
}

impl Clock {
    /// A clock that stands still but for what it sees: no story depends on when it is told.
    #[cfg(test)]
    pub fn standing() -> Self {
        Self { begun: None, newest: Arc::default(), local: || Timestamp::UNIX_EPOCH }
    }

    /// A clock that goes on as the runtime's does, which a test may have stand still, from what it sees.
    #[cfg(test)]
    pub fn passing() -> Self {
        Self { begun: Some(Instant::now()), ..Self::standing() }
    }

    /// A clock that somebody else tells the time.
    #[cfg(test)]
    pub fn told_by(local: fn() -> Timestamp) -> Self {
        Self { local, ..Self::standing() }
    }

    /// The time now: never earlier than any time that was given or seen before.
    pub fn now(&self) -> Timestamp {
        let local = (self.local)();
        let (newest, passed) = self.take(local);
        Timestamp::from_millisecond(newest.saturating_add(passed)).map_or(local, |newest| newest.max(local))
    }

    /// Takes a time that the API server told.
    pub fn saw(&self, moment: Timestamp) {
        self.take(moment);
    }

    /// Takes a time that it is now; returns when the process began by the newest of all, and how long ago that
    /// is, both in milliseconds.
    fn take(&self, moment: Timestamp) -> (i64, i64) {
        let passed = self.begun.map_or(0, |begun| begun.elapsed().as_millis());
        let passed = i64::try_from(passed).unwrap_or(i64::MAX);
        let begun = moment.as_millisecond().saturating_sub(passed);
        (self.newest.fetch_max(begun, Ordering::Relaxed).max(begun), passed)
    }
}

impl<S> Layer<S> for Clock {
    type Service = Watched<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Watched { inner, clock: self.clone() }
    }
}

/// A client's service that looks at the `Date` of every answer (RFC 9110, section 6.6.1).
#[derive(Clone, Debug)]
pub struct Watched<S> {
    inner: S,
    clock: Clock,
}

impl<S, Request, Body> Service<Request> for Watched<S>
where
    S: Service<Request, Response = http::Response<Body>>,
    S::Future: Send + 'static,
    S::Response: Send,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = futures::future::BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let answer = self.inner.call(request);
        let clock = self.clock.clone();
        Box::pin(async move {
            let answer = answer.await?;
            if let Some(date) = answer.headers().get(http::header::DATE)
                && let Ok(text) = date.to_str()
                && let Ok(moment) = jiff::fmt::rfc2822::parse(text)
            {
                clock.saw(moment.timestamp());
            }
            Ok(answer)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_api_servers_later_time_counts_and_never_goes_back() {
        let clock = Clock::default();
        let ahead = Timestamp::from_second(Timestamp::now().as_second() + 3600).expect("in range");
        clock.saw(ahead);
        assert!(clock.now() >= ahead);
        clock.saw(Timestamp::UNIX_EPOCH);
        assert!(clock.now() >= ahead);
        let standing = Clock::standing();
        standing.saw(ahead);
        assert_eq!(standing.now(), ahead);
    }

    #[test]
    fn time_passes_although_every_clock_was_set_back() {
        let long_ago = Instant::now().checked_sub(Duration::from_secs(60)).expect("up for a minute");
        let clock = Clock { begun: Some(long_ago), ..Clock::standing() };
        let seen = Timestamp::from_second(1_000_000).expect("in range");
        clock.saw(seen);
        let later = Clock { begun: long_ago.checked_sub(Duration::from_secs(30)), ..clock.clone() };
        // This machine may take its time between two lines.
        let passed = || later.now().duration_since(seen).as_secs();
        assert!((30..60).contains(&passed()), "nobody told of it: {}", passed());
        later.saw(Timestamp::UNIX_EPOCH);
        assert!((30..60).contains(&passed()), "what is told doesn't take it away: {}", passed());
    }
}
