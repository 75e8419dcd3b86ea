//! What is found in files, before it is known where it stands: how bad it is, and by which rule.

pub(super) use crate::cli::files::finding::{Finding, Severity};
use crate::cli::files::place::Place;
use crate::cli::files::world::Identity;

/// Rules that aren't the reason of a condition, and what each is about.
pub(super) const RULES: [(&str, &str); 8] = [
    (SYNTAX, "A file is YAML or JSON, and each document of it an object of Kubernetes"),
    (KIND, "An object is of a kind and a version that Comity has"),
    (METADATA, "Names, labels and annotations are such as Kubernetes takes"),
    (SCHEMA, "An object has the shape that its definition asks for, and nothing beside it"),
    (RULE, "An object keeps the rules of its definition (CEL)"),
    (NOT_EVALUATED, "A rule that can't be evaluated here is told, and doesn't pass"),
    (TWICE, "An object is given once"),
    (NOT_AMONG_FILES, "What an object refers to is among the files"),
];

pub(super) const SYNTAX: &str = "Syntax";
pub(super) const KIND: &str = "Kind";
pub(super) const METADATA: &str = "Metadata";
pub(super) const SCHEMA: &str = "Schema";
pub(super) const RULE: &str = "Rule";
pub(super) const NOT_EVALUATED: &str = "RuleNotEvaluated";
pub(super) const TWICE: &str = "Twice";
pub(super) const NOT_AMONG_FILES: &str = "NotAmongFiles";

/// Something that was found in a document, before its place is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Fault {
    pub(super) severity: Severity,
    /// The rule: one of [`RULES`], or the reason that the condition `Accepted` would have.
    pub(super) rule: String,
    /// The path in the object.
    pub(super) path: String,
    /// For people, with what to do.
    pub(super) message: String,
}

impl Fault {
    /// Something for which an object isn't taken.
    pub(super) fn error(rule: &str, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, rule: rule.to_owned(), path: path.into(), message: message.into() }
    }

    /// A value at `path` that isn't as it has to be, in the API server's words.
    pub(super) fn invalid(rule: &str, path: impl Into<String>, value: &str, why: &str) -> Self {
        let path = path.into();
        let message = format!("{path}: Invalid value: {value}: {why}");
        Self::error(rule, path, message)
    }

    /// The same where it stands.
    pub(super) fn at(self, object: Option<Identity>, file: &str, place: Place) -> Finding {
        let Self { severity, rule, path, message } = self;
        let Place { line, column } = place;
        Finding { severity, rule, message, object, path, file: file.to_owned(), line, column }
    }
}
