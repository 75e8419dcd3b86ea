//! What the owners of the datasets don't permit.

use std::collections::BTreeSet;

use super::{ContractInput, list, longer, problem};
use crate::api::condition::Reason;
use crate::api::dataset::Sharing;
use crate::api::value::Word;
use crate::policy::Problem;

/// A dataset, or its version, doesn't exist.
pub fn dataset_unknown(input: &ContractInput<'_>) -> Vec<Problem> {
    let subject = input.subject();
    let scoped = input.contract.spec.data_scope.datasets.iter();
    scoped
        .filter_map(|scoped| {
            let (name, version) = (&scoped.name, &scoped.version);
            let Some(dataset) = input.datasets.get(name.as_str()) else {
                let sides =
                    format!("{subject} shares {name}, but there is no dataset {name} in this namespace");
                let clause = format!("dataScope.datasets[{name}]");
                return Some(problem(
                    Reason::UnknownDataset,
                    clause,
                    sides,
                    "create it, or correct its name",
                ));
            };
            let versions = &dataset.spec.versions;
            if versions.iter().any(|known| known.name == *version) {
                return None;
            }
            let known = list(versions.iter().map(|version| &version.name));
            let sides =
                format!("{subject} shares version {version}, but the dataset {name} has only: {known}");
            let clause = format!("dataScope.datasets[{name}].version");
            Some(problem(Reason::UnknownDataset, clause, sides, "name one of these, or add the version"))
        })
        .collect()
}

/// A field isn't one of the dataset's, or is one that no contract can open.
pub fn field_not_shared(input: &ContractInput<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (scoped, dataset) in input.scoped() {
        let fields = &dataset.spec.fields;
        let known: BTreeSet<&Word> = fields.iter().map(|field| &field.name).collect();
        let prohibited: BTreeSet<&Word> = fields
            .iter()
            .filter(|field| field.sharing == Sharing::Prohibited)
            .map(|field| &field.name)
            .collect();
        let clause = format!("dataScope.datasets[{}].fields", scoped.name);
        for (wrong, says, remedy) in [
            (not_in(&scoped.fields, &known), "doesn't have", "correct the names, or add them to the dataset"),
            (in_both(&scoped.fields, &prohibited), "prohibits sharing of", "take them from the contract"),
        ] {
            if !wrong.is_empty() {
                let wrong = list(wrong);
                let sides =
                    format!("{} shares {wrong}, which the dataset {} {says}", input.subject(), scoped.name);
                problems.push(problem(Reason::NotPermitted, clause.clone(), sides, remedy));
            }
        }
    }
    problems
}

/// The contract lets something be made of a dataset that it prohibits itself.
pub fn artifact_prohibited(input: &ContractInput<'_>) -> Vec<Problem> {
    let scope = &input.contract.spec.data_scope;
    let Some(prohibited) = &scope.prohibited else { return Vec::new() };
    let datasets = scope.datasets.iter();
    datasets
        .filter_map(|scoped| {
            let both: Vec<String> = scoped
                .artifacts
                .iter()
                .filter(|artifact| prohibited.artifacts.contains(artifact))
                .map(|artifact| format!("{artifact:?}"))
                .collect();
            let clause = format!("dataScope.datasets[{}].artifacts", scoped.name);
            let sides = format!("{} allows {}, but prohibits it too", input.subject(), list(&both));
            let remedy = "take it from the dataset's artifacts or from dataScope.prohibited.artifacts";
            (!both.is_empty()).then(|| problem(Reason::NotPermitted, clause, sides, remedy))
        })
        .collect()
}

/// A purpose or an operation isn't one that the dataset's owner permits.
pub fn use_not_permitted(input: &ContractInput<'_>) -> Vec<Problem> {
    let spec = &input.contract.spec;
    let mut problems = Vec::new();
    for (scoped, dataset) in input.scoped() {
        let permitted = &dataset.spec.permitted;
        let purposes = spec.purposes.iter().filter(|purpose| !permitted.purposes.contains(purpose));
        let operations = spec.operations.iter().filter(|used| !permitted.operations.contains(&used.name));
        let allowed_purposes = list(&permitted.purposes);
        let allowed_operations = list(permitted.operations.iter().map(|operation| format!("{operation:?}")));
        for (clause, wrong, allowed) in [
            ("purposes", purposes.map(ToString::to_string).collect::<Vec<_>>(), allowed_purposes),
            ("operations", operations.map(|used| format!("{:?}", used.name)).collect(), allowed_operations),
        ] {
            if !wrong.is_empty() {
                let sides = format!(
                    "{} is for {}, but the dataset {} permits only: {allowed}",
                    input.subject(),
                    list(&wrong),
                    scoped.name
                );
                let remedy = "take it from the contract, or ask the dataset's owner to permit it";
                problems.push(problem(Reason::NotPermitted, clause, sides, remedy));
            }
        }
    }
    problems
}

/// Inputs or artifacts may be kept for longer than the dataset's owner permits.
pub fn kept_too_long(input: &ContractInput<'_>) -> Vec<Problem> {
    let retention = &input.contract.spec.time.retention;
    let kept =
        [("time.retention.inputs", &retention.inputs), ("time.retention.artifacts", &retention.artifacts)];
    let mut problems = Vec::new();
    for (scoped, dataset) in input.scoped() {
        let most = &dataset.spec.retention.max;
        for (clause, asked) in kept {
            if let Some(asked) = asked.as_ref().filter(|asked| longer(asked, most)) {
                let sides = format!(
                    "{} keeps them for {asked}, but the dataset {} may be kept for at most {most}",
                    input.subject(),
                    scoped.name
                );
                let remedy = "shorten it in the contract, or ask the dataset's owner for a longer retention";
                problems.push(problem(Reason::NotPermitted, clause, sides, remedy));
            }
        }
    }
    problems
}

/// The words that aren't in `known`.
fn not_in<'a>(words: &'a [Word], known: &BTreeSet<&Word>) -> Vec<&'a Word> {
    words.iter().filter(|word| !known.contains(word)).collect()
}

/// The words that are in `known`.
fn in_both<'a>(words: &'a [Word], known: &BTreeSet<&Word>) -> Vec<&'a Word> {
    words.iter().filter(|word| known.contains(word)).collect()
}
