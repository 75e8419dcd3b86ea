//! What can go wrong while signing. Nothing here ever carries what a Secret holds: answers of the
//! API server are quoted only where they are its own words about a request that it refused.

use crate::pki::PkiError;

/// How much of the API server's words is quoted.
const QUOTED: usize = 300;

/// Why the signer couldn't do what it wanted to.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The API server said no.
    #[error("{what}: the API server answered {code} {reason}: {message}")]
    Refused {
        /// What was asked for.
        what: String,
        /// The HTTP status.
        code: u16,
        /// In a word.
        reason: String,
        /// In its own words.
        message: String,
    },
    /// The API server couldn't be asked.
    #[error("{what}: the API server can't be reached")]
    Unreachable {
        /// What was asked for.
        what: String,
    },
    /// The answer isn't what was asked for.
    #[error("{what}: the answer can't be read")]
    Unreadable {
        /// What was asked for.
        what: String,
    },
    /// The authority isn't as it was just written, again and again: somebody else writes it, too.
    #[error("the authority in Secret {secret} doesn't stay as it is written")]
    Unsettled {
        /// The Secret.
        secret: String,
    },
    /// Another authority has taken over meanwhile.
    #[error("another authority takes over: it is looked again")]
    TakenOver,
    /// A certificate couldn't be made.
    #[error(transparent)]
    Certificate(#[from] PkiError),
}

impl crate::plan::retry::Failure for SignError {}

impl SignError {
    /// What became of a request. The error itself is dropped: it may quote the answer.
    pub(super) fn of(what: &str, error: kube::Error) -> Self {
        let what = what.to_owned();
        match error {
            kube::Error::Api(status) => Self::Refused {
                what,
                code: status.code,
                reason: status.reason.clone(),
                message: status.message.chars().take(QUOTED).collect(),
            },
            _ => Self::Unreachable { what },
        }
    }

    /// The HTTP status with which the API server said no.
    pub const fn code(&self) -> Option<u16> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// One word, for metrics.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Refused { code: 403, .. } => "Forbidden",
            Self::Refused { code: 409, .. } => "Conflict",
            Self::Refused { .. } => "Refused",
            Self::Unreachable { .. } => "Unreachable",
            Self::Unreadable { .. } => "Unreadable",
            Self::Unsettled { .. } => "Unsettled",
            Self::TakenOver => "TakenOver",
            Self::Certificate(_) => "Certificate",
        }
    }
}
