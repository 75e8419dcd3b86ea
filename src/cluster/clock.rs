//! What time it is: the later of the local clock and the newest time that the API server has
//! told, so that a clock set back doesn't give anybody more time.
#![expect(clippy::disallowed_methods, reason = "this is the edge at which time is read")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll};

use jiff::Timestamp;
use tower::{Layer, Service};

/// The clock of a process.
#[derive(Clone, Debug)]
pub struct Clock {
    /// The newest time seen, in milliseconds since the epoch.
    newest: Arc<AtomicI64>,
    /// The local clock.
    local: fn() -> Timestamp,
}

impl Default for Clock {
    fn default() -> Self {
        Self { newest: Arc::default(), local: Timestamp::now }
    }
}

impl Clock {
    /// A clock that stands still but for what it sees: no story depends on when it is told.
    #[cfg(test)]
    pub fn standing() -> Self {
        Self { local: || Timestamp::UNIX_EPOCH, ..Self::default() }
    }

    /// The time now: never earlier than any time that was given or seen before.
    pub fn now(&self) -> Timestamp {
        let local = (self.local)();
        let before = self.newest.fetch_max(local.as_millisecond(), Ordering::Relaxed);
        Timestamp::from_millisecond(before).map_or(local, |before| before.max(local))
    }

    /// Takes a time that the API server told.
    pub fn saw(&self, moment: Timestamp) {
        self.newest.fetch_max(moment.as_millisecond(), Ordering::Relaxed);
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
}
