//! What `comity rehearse` would report, without trying anything.

use crate::api::RehearsalReport;
use crate::api::name;
use crate::api::record::GrantIdentity;
use crate::journal::Journal;
use crate::journal::rehearsal::Told;
pub use crate::rehearsal::case::Observed;
use crate::rehearsal::case::{Attempt, Case, Expected};
use crate::rehearsal::statement::{Rehearsed, Tried, report};

/// A case that came out so.
pub fn tried(name: &str, observed: Observed) -> Tried {
    let attempt = Attempt::Seen(observed.clone());
    let case = Case {
        name: name.to_owned(),
        clause: "purposes",
        tried: String::new(),
        attempt,
        expected: Expected::Allowed,
    };
    (case, observed, 1)
}

/// The reports of what a journal asks for, where all cases come out so.
pub fn reports(journal: &Journal, grant: &GrantIdentity, observed: &Observed) -> Vec<RehearsalReport> {
    let due = journal.openings.iter().filter_map(|opening| Some((opening, journal.rehearsal_due(opening)?)));
    due.map(|(opening, cause)| {
        let about = Rehearsed {
            grant: grant.clone(),
            digest: &opening.digest,
            cause,
            namespace: &opening.namespace,
            started: opening.opened_at,
            finished: opening.opened_at,
        };
        let spec = report(&about, &[tried("pod-conforms", observed.clone())]);
        let mut report = RehearsalReport::new(&name::report(&grant.uid.0, cause), spec);
        report.metadata.namespace = Some("risk-data".to_owned());
        report.metadata.uid = Some(format!("report-{cause}"));
        report
    })
    .collect()
}

/// The same, as what the journal takes of them.
pub fn told(journal: &Journal, grant: &GrantIdentity, observed: &Observed) -> Vec<Told> {
    reports(journal, grant, observed).iter().filter_map(Told::of).collect()
}
