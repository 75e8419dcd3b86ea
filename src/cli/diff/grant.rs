//! What differs between two grants: how far they may come, for whom, and how long. Pure.

use std::collections::BTreeMap;

use crate::api::Stage;
use crate::api::grant::PartnerGrantSpec;
use crate::policy::lattice::{Change, Comparison, Difference};

/// What a stage is open for where a grant doesn't say.
const AS_LONG_AS_AGREED: &str = "as long as the contract allows";

/// What differs between two grants.
pub(super) fn changes(old: &PartnerGrantSpec, new: &PartnerGrantSpec) -> Vec<Change> {
    let mut changes = Changes::default();
    changes.became(
        "partnerRef",
        "the partner",
        [&old.partner_ref.name, &new.partner_ref.name],
        Comparison::Both,
    );
    changes.became(
        "contractRef",
        "the contract",
        [&old.contract_ref.name, &new.contract_ref.name],
        Comparison::Both,
    );
    changes.became("stage", "how far it may come", [old.stage, new.stage], new.stage.cmp(&old.stage).into());
    changes.became("purpose", "the purpose", [&old.purpose, &new.purpose], Comparison::Both);
    changes.members("operations", "operation", [named(&old.operations), named(&new.operations)]);
    for stage in Stage::ALL {
        changes.duration(stage, [old, new]);
    }
    let people = |spec: &PartnerGrantSpec| {
        let told =
            spec.people.iter().map(|person| (format!("{} as {:?}", person.name, person.role), String::new()));
        told.collect()
    };
    changes.members("people", "person", [people(old), people(new)]);
    let workloads = |spec: &PartnerGrantSpec| {
        spec.workloads.iter().map(|workload| (workload.name.0.clone(), format!("{workload:?}"))).collect()
    };
    changes.members("workloads", "workload", [workloads(old), workloads(new)]);
    changes.beside([old, new]);
    changes.0
}

/// Each by what it is called.
fn named<T: std::fmt::Debug>(all: &[T]) -> BTreeMap<String, String> {
    all.iter().map(|one| (format!("{one:?}"), String::new())).collect()
}

fn words(text: Option<&impl ToString>) -> String {
    text.map_or_else(|| "none".to_owned(), ToString::to_string)
}

#[derive(Default)]
struct Changes(Vec<Change>);

impl Changes {
    fn add(&mut self, clause: &str, what: &str, how: Difference, effect: Comparison) {
        self.0.push(Change { clause: clause.to_owned(), what: what.to_owned(), how, effect });
    }

    /// One thing became another.
    fn became<T: PartialEq + ToString>(
        &mut self,
        clause: &str,
        what: &str,
        both: [T; 2],
        effect: Comparison,
    ) {
        let [old, new] = both;
        if old != new {
            let how = Difference::Became { old: old.to_string(), new: new.to_string() };
            self.add(clause, what, how, effect);
        }
    }

    /// Some are new and some are gone; those of the same name may say something else.
    fn members(&mut self, clause: &str, what: &str, both: [BTreeMap<String, String>; 2]) {
        let [old, new] = both;
        for (name, said) in &old {
            let (how, effect) = match new.get(name) {
                None => (Difference::Removed, Comparison::Narrower),
                Some(now) if now != said => {
                    let how = Difference::Became { old: "as it was".to_owned(), new: "changed".to_owned() };
                    (how, Comparison::Both)
                }
                Some(_) => continue,
            };
            self.add(&format!("{clause}[{name}]"), &format!("{what} {name}"), how, effect);
        }
        for name in new.keys().filter(|name| !old.contains_key(*name)) {
            self.add(
                &format!("{clause}[{name}]"),
                &format!("{what} {name}"),
                Difference::Added,
                Comparison::Wider,
            );
        }
    }

    /// What differs of what is said beside that.
    fn beside(&mut self, both: [&PartnerGrantSpec; 2]) {
        let [old, new] = both;
        match (old.suspend, new.suspend) {
            (false, true) => self.add("suspend", "suspension", Difference::Added, Comparison::Narrower),
            (true, false) => self.add("suspend", "suspension", Difference::Removed, Comparison::Wider),
            _ => {}
        }
        for (clause, what, old, new) in [
            (
                "justification",
                "the justification",
                words(old.justification.as_ref()),
                words(new.justification.as_ref()),
            ),
            ("ticket", "the ticket", words(old.ticket.as_ref()), words(new.ticket.as_ref())),
        ] {
            self.became(clause, what, [old, new], Comparison::Equal);
        }
    }

    /// How long a stage is to be open.
    fn duration(&mut self, stage: Stage, both: [&PartnerGrantSpec; 2]) {
        let [old, new] = both.map(|spec| {
            let asked = spec.stages.iter().find(|asked| asked.stage == stage);
            let length = asked.and_then(|asked| asked.duration.length());
            (length, asked.map_or_else(|| AS_LONG_AS_AGREED.to_owned(), |asked| asked.duration.to_string()))
        });
        let effect = match (old.0, new.0) {
            (Some(old), Some(new)) => new.cmp(&old).into(),
            (None, Some(_)) => Comparison::Narrower,
            (Some(_), None) => Comparison::Wider,
            (None, None) => Comparison::Equal,
        };
        if effect != Comparison::Equal {
            let what = format!("duration of {stage}");
            self.became(&format!("stages[{stage}].duration"), &what, [old.1, new.1], effect);
        }
    }
}
