//! The page of the words that statuses and journals use.

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::Value;

use super::{GENERATED, cell};
use crate::api::condition::{ConditionType, Reason};
use crate::api::decision::DecisionAction;
use crate::api::enforcement::{EnforcementState, Enforcer};
use crate::api::grant::OpeningState;
use crate::api::record::{RecordEvent, RecordReason};
use crate::generate::GeneratedFile;

/// The page.
pub(super) fn page() -> GeneratedFile {
    let mut contents = format!(
        "# Words\n\n{GENERATED}\n\nThe words that statuses and journals use. What to do about a reason is in \
         [troubleshooting](../troubleshoot.md).\n"
    );
    contents.push_str(&section::<ConditionType>("Conditions", "Condition"));
    contents.push_str(&section::<Reason>("Reasons of conditions", "Reason"));
    contents.push_str(&section::<OpeningState>("States of an opening", "State"));
    contents.push_str(&section::<EnforcementState>("States of a clause", "State"));
    contents.push_str(&section::<Enforcer>("What can hold a clause", "Enforcer"));
    contents.push_str(&section::<DecisionAction>("Actions of a decision", "Action"));
    contents.push_str(&section::<RecordEvent>("Events of a journal", "Event"));
    contents.push_str(&section::<RecordReason>("Reasons in a journal", "Reason"));
    GeneratedFile { path: "docs/reference/words.md".to_owned(), contents }
}

/// The reasons that a condition may have.
pub fn reasons() -> Vec<String> {
    words::<Reason>().into_iter().map(|(word, _)| word).collect()
}

/// A table of the words of one enum.
fn section<Words: JsonSchema>(heading: &str, column: &str) -> String {
    let rows: Vec<String> =
        words::<Words>().iter().map(|(word, meaning)| format!("| `{word}` | {} |", cell(meaning))).collect();
    format!("\n## {heading}\n\n| {column} | What it says |\n|---|---|\n{}\n", rows.join("\n"))
}

/// The words of an enum, each with what its own documentation says.
fn words<Words: JsonSchema>() -> Vec<(String, String)> {
    let schema = SchemaGenerator::default().into_root_schema_for::<Words>().to_value();
    let choices = schema.get("oneOf").and_then(Value::as_array).cloned().unwrap_or_default();
    let text =
        |choice: &Value, name: &str| choice.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    choices.iter().map(|choice| (text(choice, "const"), text(choice, "description"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_a_meaning() {
        let all = [
            words::<ConditionType>(),
            words::<Reason>(),
            words::<OpeningState>(),
            words::<EnforcementState>(),
            words::<Enforcer>(),
            words::<DecisionAction>(),
            words::<RecordEvent>(),
            words::<RecordReason>(),
        ];
        for words in all {
            assert!(words.len() > 3, "too few: {words:?}");
            for (word, meaning) in words {
                assert!(!word.is_empty() && !meaning.is_empty(), "{word:?}: {meaning:?}");
            }
        }
    }
}
