//! What is told of two objects: what differs, what that does, and who has to approve it. Pure.

use serde_json::{Value, json};

use super::grant;
use super::object::Object;
use super::side::{Entry, Side};
use crate::api::{SharingBoundary, SharingContract, Stage};
use crate::cli::page::{Page, Style};
use crate::cluster::services::facts;
use crate::policy::consent::ConsentRule;
use crate::policy::lattice::{self, Change, Comparison, Difference};

/// The effects in the order in which they are told, and what is said above the changes that have each.
const SECTIONS: [(Comparison, Style, &str); 4] = [
    (Comparison::Narrower, Style::Good, "Narrower, at once and for every grant that is live:"),
    (Comparison::Wider, Style::Warn, "Wider, once it is rehearsed and approved:"),
    (Comparison::Both, Style::Bad, "Different, so that only what both allow is left until it is approved:"),
    (Comparison::Equal, Style::Faint, "Only reworded:"),
];

/// What is told of an object.
#[derive(Debug)]
pub(super) struct Report<'a> {
    /// Where it stands as it is to be, or as it was, if it goes.
    pub(super) entry: &'a Entry,
    /// Whether that is in what it was.
    pub(super) is_gone: bool,
    name: String,
    pub(super) comparison: Comparison,
    pub(super) changes: Vec<Change>,
    pub(super) approvals: Approvals,
}

/// Who has to approve what is wider.
#[derive(Debug)]
pub(super) enum Approvals {
    /// For each stage that can be opened, these; `is_whole` if the boundaries were taken in.
    Known { stages: Vec<(Stage, ConsentRule)>, is_whole: bool },
    /// Whoever the contracts concerned ask for.
    OfContracts,
}

/// What both sides hold, and the boundaries that somebody named.
#[derive(Clone, Copy, Debug)]
pub(super) struct Both<'a> {
    pub(super) old: &'a Side,
    pub(super) new: &'a Side,
    pub(super) boundaries: &'a [&'a SharingBoundary],
}

impl<'a> Both<'a> {
    /// What is told of an object that is on both sides.
    pub(super) fn changed(self, old: &'a Entry, new: &'a Entry) -> Result<Report<'a>, String> {
        let changes = match (&old.object, &new.object) {
            (Object::Contract(old), Object::Contract(new)) => lattice::diff_contracts(&old.spec, &new.spec),
            (Object::Boundary(old), Object::Boundary(new)) => lattice::diff_boundaries(&old.spec, &new.spec),
            (Object::Dataset(old), Object::Dataset(new)) => lattice::diff_datasets(&old.spec, &new.spec),
            (Object::Partner(old), Object::Partner(new)) => lattice::diff_partners(&old.spec, &new.spec),
            (Object::Grant(old), Object::Grant(new)) => grant::changes(&old.spec, &new.spec),
            (Object::Service(old), Object::Service(new)) => {
                let [old, new] = [old, new].map(|service| facts(service));
                let how = Difference::Became { old: "as it was".to_owned(), new: "others".to_owned() };
                let what = "the pods, or their ports, that serve it".to_owned();
                let change = Change { clause: "selector".to_owned(), what, how, effect: Comparison::Both };
                if old == new { Vec::new() } else { vec![change] }
            }
            _ => return Err("OLD and NEW are of different kinds: give two of the same".to_owned()),
        };
        let (before, after) = (title(old), title(new));
        let name = if before == after { after } else { format!("{before} → {after}") };
        let comparison = Comparison::of_all(&changes);
        // Nobody is asked where nothing is wider.
        let asked = comparison.gains().then(|| self.approvals(Some(old), Some(new)));
        let approvals = asked.unwrap_or(Ok(Approvals::OfContracts))?;
        Ok(Report { entry: new, is_gone: false, name, comparison, changes, approvals })
    }

    /// What is told of an object that is on one side only.
    pub(super) fn alone(self, entry: &'a Entry, is_gone: bool) -> Result<Report<'a>, String> {
        let (how, effect) = if is_gone {
            (Difference::Removed, Comparison::Narrower)
        } else {
            (Difference::Added, Comparison::Wider)
        };
        // Several boundaries meet, and without any nothing is allowed: so one more or less may do either.
        let effect = if entry.object.boundary().is_some() { Comparison::Both } else { effect };
        let change = Change { clause: String::new(), what: "all of it".to_owned(), how, effect };
        let sides = if is_gone { [Some(entry), None] } else { [None, Some(entry)] };
        let [old, new] = sides;
        let approvals = self.approvals(old, new)?;
        Ok(Report {
            entry,
            is_gone,
            name: title(entry),
            comparison: effect,
            changes: vec![change],
            approvals,
        })
    }

    /// Who has to approve, by the rules of the old contract, of the new one and of the boundaries:
    /// a rule that is weakened is weakened under the old one.
    fn approvals(self, old: Option<&Entry>, new: Option<&Entry>) -> Result<Approvals, String> {
        let entries = [(self.old, old), (self.new, new)];
        let contracts = entries.map(|(side, entry)| Some((side, contract_of(side, entry?)?)));
        let limit = new.or(old).map_or(Stage::Production, |entry| match &entry.object {
            Object::Grant(grant) => grant.spec.stage,
            _ => Stage::Production,
        });
        let namespace = new.or(old).map(|entry| entry.identity.namespace.clone()).unwrap_or_default();
        let mut is_whole = true;
        let mut rules: Vec<(Stage, ConsentRule)> = Vec::new();
        for (side, contract) in contracts.into_iter().flatten() {
            let found = side.boundaries_of(&namespace).unwrap_or_default();
            let boundaries = if self.boundaries.is_empty() { found } else { self.boundaries.to_vec() };
            is_whole &= !boundaries.is_empty();
            for stage in
                contract.spec.stages.iter().map(|offered| offered.stage).filter(|stage| *stage <= limit)
            {
                let rule = ConsentRule::of(stage, contract, &boundaries);
                let rule = rule.ok_or("the approvals hold a duration that can't be read")?;
                match rules.iter_mut().find(|(known, _)| *known == stage) {
                    Some((_, known)) => *known = known.join(&rule),
                    None => rules.push((stage, rule)),
                }
            }
        }
        rules.sort_by_key(|(stage, _)| *stage);
        if rules.is_empty() {
            Ok(Approvals::OfContracts)
        } else {
            Ok(Approvals::Known { stages: rules, is_whole })
        }
    }
}

/// The contract that says who approves an object: itself, or that of a grant.
fn contract_of<'a>(side: &'a Side, entry: &'a Entry) -> Option<&'a SharingContract> {
    match &entry.object {
        Object::Contract(contract) => Some(contract),
        Object::Grant(grant) => {
            side.contract(&entry.identity.namespace, grant.spec.contract_ref.name.as_str())
        }
        _ => None,
    }
}

impl Report<'_> {
    /// In sentences.
    pub(super) fn tell(&self, page: &mut Page) {
        page.line(format!("{} {}: {}", self.entry.identity.kind, self.name, self.comparison));
        for (effect, style, title) in SECTIONS {
            let mut told = self.changes.iter().filter(|change| change.effect == effect).peekable();
            if told.peek().is_some() {
                page.gap().styled(style, title);
            }
            for change in told {
                page.line(format!("  {}", change.said()));
            }
        }
        self.consent(page);
    }

    /// Who has to approve, in sentences.
    fn consent(&self, page: &mut Page) {
        if self.comparison == Comparison::Equal {
            return;
        }
        page.gap();
        if !self.comparison.gains() {
            page.line("Nobody has to approve what is narrower.");
            return;
        }
        match &self.approvals {
            Approvals::Known { stages, is_whole } => {
                page.line("Before it opens, it has to be approved, by the rules of OLD and of NEW, by:");
                for (stage, rule) in stages {
                    page.line(format!("  {:10}  {}", stage.to_string(), people(rule)));
                }
                if !is_whole {
                    page.line("A boundary may ask for more: name it with --boundary.");
                }
            }
            Approvals::OfContracts => {
                page.line(
                    "Every grant that depends on it waits for the approvals of its contract and boundaries.",
                );
            }
        }
        page.line("Nobody who wrote the change or asked for the grant counts among them.");
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let change = |change: &Change| json!({"clause": change.clause, "change": change.said(), "effect": change.effect});
        let mut value = json!({
            "kind": self.entry.identity.kind,
            "name": self.name,
            "comparison": self.comparison,
            "changes": self.changes.iter().map(change).collect::<Vec<_>>(),
        });
        if let (true, Approvals::Known { stages, .. }) = (self.comparison.gains(), &self.approvals) {
            let rule = |(stage, rule): &(Stage, ConsentRule)| json!({"stage": stage, "required": rule.required, "groups": rule.groups});
            value["approvals"] = stages.iter().map(rule).collect();
        }
        value
    }
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
fn title(entry: &Entry) -> String {
    let (namespace, name) = (&entry.identity.namespace, &entry.identity.name);
    if namespace.is_empty() { name.clone() } else { format!("{namespace}/{name}") }
}
