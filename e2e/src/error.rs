//! What goes wrong in the harness, said so that a person knows what to do.

use std::time::Duration;

use kube::core::Status;

/// The result of everything in the harness.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the harness, or what a story asked of it, failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server, or the way to it.
    #[error("{}", describe(.0))]
    Kube(#[source] Box<kube::Error>),
    /// Something awaited didn't come.
    #[error("waited {within:?} for {what}; last seen: {last}")]
    TimedOut {
        /// What was awaited.
        what: String,
        /// For how long.
        within: Duration,
        /// What was there instead.
        last: String,
    },
    /// A step failed for a reason of its own.
    #[error("{what}: {source}")]
    Step {
        /// The step.
        what: String,
        /// The reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// All there is to say.
    #[error("{0}")]
    Failed(String),
}

impl Error {
    /// What the API server answered when it refused, if that is what happened.
    pub fn refusal(&self) -> Option<&Status> {
        match self {
            Self::Kube(error) => match error.as_ref() {
                kube::Error::Api(status) => Some(status),
                _ => None,
            },
            Self::Step { source, .. } => source.downcast_ref::<Self>().and_then(Self::refusal),
            _ => None,
        }
    }
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        Self::Kube(Box::new(error))
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// The API server's own words, where it answered: the rest of its `Status` is noise to a reader.
fn describe(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("{} ({})", status.message, status.code),
        other => other.to_string(),
    }
}

/// Says what was being done when something failed.
pub trait Explain<T> {
    /// Puts `what` before the reason.
    fn explain(self, what: impl Into<String>) -> Result<T>;
}

impl<T, E: std::error::Error + Send + Sync + 'static> Explain<T> for Result<T, E> {
    fn explain(self, what: impl Into<String>) -> Result<T> {
        self.map_err(|source| Error::Step { what: what.into(), source: Box::new(source) })
    }
}

/// What the API server said when it refused; an error where it didn't refuse, or didn't answer.
pub fn refused<T, E: Into<Error>>(outcome: Result<T, E>) -> Result<String> {
    let error = match outcome {
        Ok(_) => return Err(Error::Failed("the API server let it pass".to_owned())),
        Err(error) => error.into(),
    };
    match error.refusal() {
        Some(status) if (400..500).contains(&status.code) => Ok(status.message.clone()),
        _ => Err(error),
    }
}
