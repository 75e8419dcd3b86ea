//! One folder per kind, with the same file names in each, so that who knows one knows them all.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Source, sources};

/// The folders of kinds.
const KINDS: [&str; 6] = ["boundary", "partner", "dataset", "contract", "grant", "decision"];
/// What every kind has.
const ALWAYS: [&str; 4] = ["mod", "observe", "status", "reconcile"];
/// What a kind may have beside it.
const SOMETIMES: [&str; 6] = ["validate", "decide", "check", "build", "tests", "testing"];
/// What only one kind has, and why.
const ONLY: [(&str, &str, &str); 8] = [
    ("grant", "hear", "only a grant has a journal that takes what people decide"),
    ("grant", "meter", "only a grant has ends and records, which are counted"),
    ("grant", "foresee", "only a grant is closed by what can't be written down"),
    ("grant", "memory", "only a grant takes so many steps that a watch lags behind them"),
    ("grant", "gate", "only a grant has stages, and what each has to pass before it opens"),
    ("grant", "clause", "only a grant says of every clause of its contract what holds it"),
    ("grant", "weigh", "only under a grant pods run that less may become allowed of"),
    ("grant", "sweep", "only a grant can be gone and have left something behind"),
];

/// What is out of order in the folders of kinds.
fn out_of_order(sources: &[Source]) -> Vec<String> {
    let mut folders: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources {
        let mut module = source.module();
        if source.stem() == "mod" {
            module.push("mod".to_owned());
        }
        if let [kind, name, ..] = module.as_slice()
            && KINDS.contains(&kind.as_str())
        {
            folders.entry(kind.clone()).or_default().insert(name.clone());
        }
    }
    folders.iter().flat_map(|(kind, names)| complaints(kind, names)).collect()
}

fn complaints(kind: &str, names: &BTreeSet<String>) -> Vec<String> {
    let missing = ALWAYS.iter().filter(|name| !names.contains(**name));
    let known = |name: &str| {
        ALWAYS.contains(&name)
            || SOMETIMES.contains(&name)
            || ONLY.iter().any(|(owner, own, _)| *owner == kind && *own == name)
    };
    let unknown = names.iter().filter(|name| !known(name));
    missing
        .map(|name| format!("src/{kind} has no {name}.rs"))
        .chain(unknown.map(|name| format!("src/{kind}/{name}: no kind has a file of that name")))
        .collect()
}

#[test]
fn every_kind_has_the_same_file_names() {
    let found = out_of_order(&sources(&["src"]));
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_missing_and_a_strange_file_are_found() {
    let of = |names: &[&str]| -> Vec<Source> {
        names.iter().map(|name| Source::new(&format!("src/partner/{name}"), "")).collect()
    };
    let whole = ["mod.rs", "observe.rs", "status.rs", "reconcile.rs", "build/mod.rs", "build/quota.rs"];
    assert!(out_of_order(&of(&whole)).is_empty());
    assert_eq!(out_of_order(&of(&whole[1..])), ["src/partner has no mod.rs"]);
    let strange = [&whole[..], &["helpers.rs"]].concat();
    assert_eq!(out_of_order(&of(&strange)), ["src/partner/helpers: no kind has a file of that name"]);
}
