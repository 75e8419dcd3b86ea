//! Waiting: the only place of the harness that polls, and nothing in it sleeps for luck.

use std::{
    fmt::Display,
    time::{Duration, Instant},
};

use crate::{Error, Result};

/// How often an awaited condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Awaits `attempt` to succeed, for as long as `within`.
///
/// An `Err` means *not yet* and says what was seen instead; the last one stands in the error.
pub async fn eventually<T, E: Display>(
    what: &str,
    within: Duration,
    mut attempt: impl AsyncFnMut() -> Result<T, E>,
) -> Result<T> {
    let deadline = Instant::now() + within;
    let mut last = "nothing yet".to_owned();
    loop {
        match tokio::time::timeout_at(deadline.into(), attempt()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(seen)) => last = seen.to_string(),
            Err(_) => last = format!("{last} (and the last look didn't come back)"),
        }
        if Instant::now() + LOOK_EVERY >= deadline {
            return Err(Error::TimedOut { what: what.to_owned(), within, last });
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Watches `look` hold for the whole of `span`; the first `Err` ends it.
///
/// For what must *not* happen: nothing is written, a namespace stays.
pub async fn throughout<T, E: Display>(
    what: &str,
    span: Duration,
    mut look: impl AsyncFnMut() -> Result<T, E>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        let seen = look().await.map_err(|seen| {
            Error::Failed(format!("{what} held for {:?} of {span:?}, then: {seen}", start.elapsed()))
        })?;
        if start.elapsed() >= span {
            return Ok(seen);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_never_comes_is_named_with_what_was_there() {
        let error =
            eventually("the moon", Duration::from_millis(120), || async { Err::<(), _>("only clouds") })
                .await
                .unwrap_err();
        assert!(error.to_string().contains("the moon; last seen: only clouds"), "{error}");
    }

    #[tokio::test]
    async fn an_attempt_that_hangs_ends_at_the_deadline() {
        let hanging = || std::future::pending::<Result<(), &str>>();
        let error = eventually("an answer", Duration::from_millis(120), hanging).await.unwrap_err();
        assert!(error.to_string().contains("didn't come back"), "{error}");
    }

    #[tokio::test]
    async fn what_breaks_off_is_an_error() {
        let mut looks = 0;
        let look = || {
            looks += 1;
            std::future::ready(if looks < 3 { Ok(()) } else { Err("a write") })
        };
        let error = throughout("quiet", Duration::from_secs(5), look).await.unwrap_err();
        assert!(error.to_string().ends_with("a write"), "{error}");
    }
}
