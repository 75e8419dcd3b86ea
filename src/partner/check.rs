//! What keeps a partner from being named, and what of it doesn't count any more. Pure.

use jiff::Timestamp;

use crate::api::Partner;
use crate::api::condition::Reason;
use crate::pki::bundle;
use crate::policy::Problem;
use crate::policy::checks::partner::controls_run_out;
use crate::policy::checks::problem;

/// What is wrong with a partner.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// What can't be understood.
    pub unusable: Vec<Problem>,
    /// What was fine, and has run out.
    pub run_out: Vec<Problem>,
    /// When the next thing runs out.
    pub next: Option<Timestamp>,
}

/// Everything that is wrong with a partner at `now`.
pub fn faults(partner: &Partner, now: Timestamp) -> Faults {
    let controls = partner.spec.controls.iter().map(|control| control.valid_until.0);
    let mut faults = Faults { run_out: controls_run_out(partner, now), ..Faults::default() };
    let mut ends: Vec<Timestamp> = controls.collect();
    let identity = partner.spec.identity.as_ref();
    if let Some(pem) = identity.and_then(|identity| identity.trust_bundle.as_ref()) {
        match bundle::end(&pem.0) {
            Ok(end) => {
                ends.push(end);
                faults.run_out.extend((end <= now).then(|| bundle_ran_out(end)));
            }
            Err(error) => faults.unusable.push(bundle_unreadable(&error.to_string())),
        }
    }
    faults.next = ends.into_iter().filter(|end| *end > now).min();
    faults
}

fn bundle_unreadable(why: &str) -> Problem {
    let sides = format!(
        "the certificates of the partner's own workloads are verified against it, but it holds {why}"
    );
    let remedy = "give the PEM certificates of the partner's authorities, and nothing else";
    problem(Reason::Invalid, "identity.trustBundle", sides, remedy)
}

fn bundle_ran_out(end: Timestamp) -> Problem {
    let sides =
        format!("the last of its certificates was valid until {end}, so it verifies nothing any more");
    let remedy = "ask the partner for the authorities that they sign with now";
    problem(Reason::ControlMissing, "identity.trustBundle", sides, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::{World, instant};

    #[test]
    fn the_storys_partner_counts_until_its_first_control_runs_out() {
        let world = World::story();
        let faults = faults(&world.partner, world.now);
        assert_eq!((&faults.unusable, &faults.run_out), (&Vec::new(), &Vec::new()));
        assert_eq!(faults.next, Some(instant("2036-01-31T00:00:00Z")));
    }

    #[test]
    fn what_has_run_out_is_named_with_until_when_it_counted() {
        let world = World::story();
        let faults = faults(&world.partner, instant("2036-01-31T00:00:00Z"));
        let clauses: Vec<&str> = faults.run_out.iter().map(|problem| problem.clause.as_str()).collect();
        assert_eq!(clauses, ["controls[iso27001]", "controls[encryption-at-rest]"]);
        assert!(faults.run_out[0].message.contains("counted until 2036-01-31T00:00:00Z"), "{faults:?}");
        assert_eq!(faults.next, Some(instant("2046-11-16T12:22:58Z")), "the bundle's end");
        let later = super::faults(&world.partner, instant("2046-11-16T12:22:58Z"));
        assert_eq!(later.run_out.len(), 3);
    }

    #[test]
    fn a_bundle_that_holds_something_else_is_refused() {
        let mut world = World::story();
        let identity = world.partner.spec.identity.as_mut().unwrap();
        identity.trust_bundle = Some("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n".into());
        let faults = faults(&world.partner, world.now);
        assert_eq!(faults.unusable.len(), 1);
        assert!(faults.unusable[0].message.starts_with("identity.trustBundle: "), "{faults:?}");
    }
}
