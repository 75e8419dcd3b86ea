//! The signal to stop, as a value that everything that runs can wait for.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Becomes `true` when the process is told to stop (SIGTERM or SIGINT). A second signal ends it
/// at once.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    /// Listens from now on.
    pub fn listen() -> std::io::Result<Self> {
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(async move {
            let mut asked = false;
            loop {
                let name = tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                };
                if asked {
                    tracing::warn!(signal = name, "told to stop again: ending at once");
                    std::process::exit(1);
                }
                tracing::info!(signal = name, "told to stop");
                asked = true;
                stop.send_replace(true);
            }
        });
        Ok(Self(stopped))
    }

    /// One that is asked by whoever holds the other end; for tests and for embedding.
    pub fn by_hand() -> (watch::Sender<bool>, Self) {
        let (stop, stopped) = watch::channel(false);
        (stop, Self(stopped))
    }

    /// Whether it has been asked.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once it is asked, or once nobody can ask any more.
    pub async fn asked(mut self) {
        // The error says that the sender is gone, which is an end as well.
        let _gone = self.0.wait_for(|asked| *asked).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everybody_who_waits_is_told() {
        let (stop, shutdown) = Shutdown::by_hand();
        let waiting = tokio::join!(shutdown.clone().asked(), shutdown.clone().asked(), async move {
            stop.send_replace(true)
        },);
        assert!(!waiting.2, "it wasn't asked before");
    }

    #[tokio::test]
    async fn it_ends_when_nobody_can_ask_any_more() {
        let (stop, shutdown) = Shutdown::by_hand();
        drop(stop);
        assert!(!shutdown.is_asked());
        shutdown.asked().await;
    }
}
