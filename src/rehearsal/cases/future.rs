//! What nothing can execute yet: whatever is decided request by request. Said, so that nobody takes silence for
//! a yes.

use super::{Case, Ground};
use crate::api::value::Word;
use crate::rehearsal::case::{Attempt, Expected};

const GATE: &str =
    "needs the gate in front of the dataset, which isn't built yet: nothing decides each request";

/// A case for each clause of the opening that only the gate could hold, and the contract's own cases.
pub(super) fn cases(ground: &Ground<'_>) -> Vec<Case> {
    let policy = ground.policy;
    let said = [
        ("fields", "dataScope.datasets.fields", !policy.datasets.is_empty()),
        ("operations", "operations.name", !policy.operations.is_empty()),
        ("limits", "operations.limits", policy.operations.iter().any(|one| one.limits.is_some())),
        ("models", "models", !policy.models.is_empty()),
        ("windows", "time.windows", !policy.time.windows.is_empty()),
    ];
    let said = said.into_iter().filter(|(.., is_said)| *is_said);
    let mut cases: Vec<Case> = said
        .map(|(name, clause, _)| {
            nothing(format!("request-{name}"), clause, format!("requests beyond {clause}"))
        })
        .collect();
    let own = ground.rehearsal.into_iter().flat_map(|rehearsal| &rehearsal.cases);
    cases.extend(own.map(|own| {
        let fields: Vec<&str> = own.request.fields.iter().map(Word::as_str).collect();
        let tried = format!(
            "{:?} of {} ({}) for {}: {:?}",
            own.request.operation,
            own.request.dataset.as_str(),
            fields.join(", "),
            own.request.purpose.as_str(),
            own.expect
        );
        nothing(format!("contract-{}", own.name.as_str()), "rehearsal", tried)
    }));
    cases
}

fn nothing(name: String, clause: &'static str, tried: String) -> Case {
    Case {
        name,
        clause,
        tried,
        attempt: Attempt::Nothing(GATE.to_owned()),
        expected: Expected::Refused("the gate"),
    }
}
