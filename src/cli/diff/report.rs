//! What is told of two objects: what differs, what that does, and who has to approve it.

use std::fmt::Write as _;

use serde_json::json;

use super::object::Object;
use crate::api::{SharingBoundary, SharingContract, Stage};
use crate::policy::consent::ConsentRule;
use crate::policy::lattice::{self, Change, Comparison};

/// How sections are told apart on a terminal.
const PLAIN: &str = "\u{1b}[0m";

/// What is told.
#[derive(Debug)]
pub(super) struct Report {
    kind: &'static str,
    name: String,
    pub(super) comparison: Comparison,
    changes: Vec<Change>,
    approvals: Approvals,
}

/// Who has to approve what is wider.
#[derive(Debug)]
enum Approvals {
    /// For each stage that can be opened, these; `is_whole` if the boundaries were taken in.
    Known { stages: Vec<(Stage, ConsentRule)>, is_whole: bool },
    /// Whoever the contracts concerned ask for.
    OfContracts,
}

impl Report {
    /// What is told of `old` and `new`, where `boundaries` select their namespace.
    pub(super) fn of(old: &Object, new: &Object, boundaries: &[Object]) -> Result<Self, String> {
        let boundaries = selecting(boundaries)?;
        let (kind, names, changes, approvals) = match (old, new) {
            (Object::Contract(old), Object::Contract(new)) => {
                let changes = lattice::diff_contracts(&old.spec, &new.spec);
                let approvals = approvals(old, new, &boundaries)?;
                ("SharingContract", [named(&**old), named(&**new)], changes, approvals)
            }
            (Object::Boundary(old), Object::Boundary(new)) => {
                let changes = lattice::diff_boundaries(&old.spec, &new.spec);
                ("SharingBoundary", [named(&**old), named(&**new)], changes, Approvals::OfContracts)
            }
            (Object::Dataset(old), Object::Dataset(new)) => {
                let changes = lattice::diff_datasets(&old.spec, &new.spec);
                ("Dataset", [named(&**old), named(&**new)], changes, Approvals::OfContracts)
            }
            (Object::Partner(old), Object::Partner(new)) => {
                let changes = lattice::diff_partners(&old.spec, &new.spec);
                ("Partner", [named(&**old), named(&**new)], changes, Approvals::OfContracts)
            }
            _ => return Err("OLD and NEW are of different kinds: give two of the same".to_owned()),
        };
        let [before, after] = names;
        let name = if before == after { after } else { format!("{before} → {after}") };
        Ok(Self { kind, name, comparison: Comparison::of_all(&changes), changes, approvals })
    }

    /// In sentences, in colours or not.
    pub(super) fn text(&self, coloured: bool) -> String {
        let mut text = format!("{} {}: {}\n", self.kind, self.name, self.comparison);
        for (effect, colour, title) in [
            (Comparison::Narrower, "\u{1b}[32m", "Narrower, at once and for every grant that is live:"),
            (Comparison::Wider, "\u{1b}[33m", "Wider, once it is rehearsed and approved:"),
            (
                Comparison::Both,
                "\u{1b}[35m",
                "Different, so that only what both allow is left until it is approved:",
            ),
            (Comparison::Equal, "\u{1b}[2m", "Only reworded:"),
        ] {
            let (on, off) = if coloured { (colour, PLAIN) } else { ("", "") };
            let told: Vec<&Change> = self.changes.iter().filter(|change| change.effect == effect).collect();
            if !told.is_empty() {
                let _ = writeln!(text, "\n{on}{title}{off}");
            }
            for change in told {
                let _ = writeln!(text, "  {}", change.said());
            }
        }
        text + &self.consent()
    }

    /// Who has to approve, in sentences.
    fn consent(&self) -> String {
        if self.comparison == Comparison::Equal {
            return String::new();
        }
        if !self.comparison.gains() {
            return "\nNobody has to approve what is narrower.\n".to_owned();
        }
        let mut text = String::new();
        match &self.approvals {
            Approvals::Known { stages, is_whole } => {
                text.push_str(
                    "\nBefore it opens, it has to be approved, by the rules of OLD and of NEW, by:\n",
                );
                for (stage, rule) in stages {
                    let _ = writeln!(text, "  {:10}  {}", stage.to_string(), people(rule));
                }
                if !is_whole {
                    text.push_str("A boundary may ask for more: name it with --boundary.\n");
                }
            }
            Approvals::OfContracts => text.push_str(
                "\nEvery grant that depends on it waits for the approvals of its contract and boundaries.\n",
            ),
        }
        text.push_str("Nobody who wrote the change or asked for the grant counts among them.\n");
        text
    }

    /// As one JSON object.
    pub(super) fn json(&self) -> Result<String, serde_json::Error> {
        let change = |change: &Change| json!({"clause": change.clause, "change": change.said(), "effect": change.effect});
        let mut value = json!({
            "kind": self.kind,
            "name": self.name,
            "comparison": self.comparison,
            "changes": self.changes.iter().map(change).collect::<Vec<_>>(),
        });
        if let (true, Approvals::Known { stages, .. }) = (self.comparison.gains(), &self.approvals) {
            let rule = |(stage, rule): &(Stage, ConsentRule)| json!({"stage": stage, "required": rule.required, "groups": rule.groups});
            value["approvals"] = stages.iter().map(rule).collect();
        }
        serde_json::to_string_pretty(&value)
    }
}

/// The boundaries that some objects are, which have to be nothing else.
fn selecting(objects: &[Object]) -> Result<Vec<&SharingBoundary>, String> {
    fn boundary(object: &Object) -> Result<&SharingBoundary, String> {
        let Object::Boundary(boundary) = object else {
            return Err("--boundary names a file that holds no SharingBoundary".to_owned());
        };
        Ok(boundary)
    }
    objects.iter().map(boundary).collect()
}

/// Who has to approve, by the rules of the old contract, of the new one and of the boundaries:
/// a rule that is weakened is weakened under the old one.
fn approvals(
    old: &SharingContract,
    new: &SharingContract,
    boundaries: &[&SharingBoundary],
) -> Result<Approvals, String> {
    let rule = |stage: Stage| {
        let [before, after] = [old, new].map(|contract| ConsentRule::of(stage, contract, boundaries));
        Some((stage, before?.join(&after?)))
    };
    let stages: Option<_> = new.spec.stages.iter().map(|offered| rule(offered.stage)).collect();
    let stages = stages.ok_or("the approvals hold a duration that can't be read")?;
    Ok(Approvals::Known { stages, is_whole: !boundaries.is_empty() })
}

/// How many people, and from which groups.
pub(in crate::cli) fn people(ConsentRule { required, groups, .. }: &ConsentRule) -> String {
    let count = match required {
        0 => return "nobody".to_owned(),
        1 => "1 person".to_owned(),
        several => format!("{several} people"),
    };
    let shares: Vec<String> = groups.iter().map(|(group, least)| format!("{least} of {group}")).collect();
    if shares.is_empty() { count } else { format!("{count}, at least {}", shares.join(" and ")) }
}

/// An object's namespace and name.
fn named(object: &impl kube::Resource<DynamicType = ()>) -> String {
    let name = object.meta().name.clone().unwrap_or_else(|| "without a name".to_owned());
    object.meta().namespace.as_ref().map_or_else(|| name.clone(), |namespace| format!("{namespace}/{name}"))
}
