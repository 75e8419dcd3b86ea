//! How an answer is told: as text for people, or whole for programs.

use std::io::Write as _;

use clap::ValueEnum;
use serde::Serialize;

use super::Failure;
use super::page::{lines, plain_json};

/// How an answer is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Format {
    /// Text for people
    Text,
    /// One JSON object
    Json,
    /// One YAML document
    Yaml,
}

impl Format {
    /// Writes `answer` to standard output; where it is for people, what `text` makes of it.
    pub(super) fn tell<T: Serialize>(self, answer: &T, text: impl FnOnce() -> String) -> Result<(), Failure> {
        let told = match self {
            Self::Text => text(),
            Self::Json => plain_json(&serde_json::to_string_pretty(answer)?) + "\n",
            Self::Yaml => lines(&serde_saphyr::to_string(answer)?),
        };
        std::io::stdout().lock().write_all(told.as_bytes())?;
        Ok(())
    }
}
