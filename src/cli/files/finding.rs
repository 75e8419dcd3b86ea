//! What there is to say of a line of a file: how grave it is, by which rule, and of which object. Pure.

use serde::Serialize;

use super::world::Identity;

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::cli) enum Severity {
    /// It won't be taken, or gives no access.
    Error,
    /// It is taken, and somebody should look.
    Warning,
    /// It can't be judged here.
    Note,
}

impl Severity {
    /// In a word.
    pub(in crate::cli) const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// Something that was found.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(in crate::cli) struct Finding {
    pub(in crate::cli) severity: Severity,
    pub(in crate::cli) rule: String,
    pub(in crate::cli) message: String,
    /// The object that it is about, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) object: Option<Identity>,
    /// The path in the object.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(in crate::cli) path: String,
    /// The file, or standard input.
    pub(in crate::cli) file: String,
    pub(in crate::cli) line: u64,
    pub(in crate::cli) column: u64,
}

impl Finding {
    /// In the order in which they are told: by file and line, the worst first.
    pub(in crate::cli) fn order(&self) -> (&str, u64, u64, Severity) {
        (&self.file, self.line, self.column, self.severity)
    }
}
