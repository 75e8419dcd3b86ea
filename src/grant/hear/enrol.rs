//! Whether a decision that a workload may enrol is about something that stands. It adds no line to the
//! journal: the endpoint goes by the decision itself, and by what it reads live. Pure.

use jiff::Timestamp;

use super::act::{Act, unheard};
use super::{Hearing, Unheard, is_live};
use crate::api::GrantDecision;
use crate::api::condition::{Reason, whole_seconds};
use crate::api::contract::KeyDelivery;
use crate::journal::Opening;

/// What a decision that a workload may enrol comes to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Allowed {
    /// The workload.
    pub workload: String,
    /// Until when its token may be used.
    pub until: Timestamp,
}

impl Hearing<'_> {
    /// Who may enrol by a decision, and until when; or why nobody may. What the clock says is left to who
    /// takes the token, so that nothing is said anew only because time went by.
    pub fn enrolment(&self, decision: &GrantDecision) -> Result<Allowed, Unheard> {
        let act = Act::of(decision)?;
        let stage = act.stage()?;
        let (Some(enrolment), Some(digest)) = (&decision.spec.enrolment, &decision.spec.digest) else {
            return unheard(Reason::Invalid, "it doesn't say which workload, by which token");
        };
        let opening =
            self.journal.opening(stage, digest.as_str()).filter(|opening| is_live(opening, self.now));
        let Some(opening) = opening else {
            let message = format!("{stage} isn't open with this digest, so nobody can enrol for it");
            return unheard(Reason::NothingToDecide, message);
        };
        let workload = enrolment.workload.as_str();
        may_enrol(opening, workload)?;
        Ok(Allowed { workload: workload.to_owned(), until: whole_seconds(enrolment.until(act.made)) })
    }
}

/// Whether what was opened lets a workload enrol.
fn may_enrol(opening: &Opening, workload: &str) -> Result<(), Unheard> {
    let policy = &opening.policy;
    if !policy.security.key_delivery.contains(&KeyDelivery::CertificateSigningRequest) {
        let message = "the contract doesn't let workloads enrol: CertificateSigningRequest isn't in \
                       security.keyDelivery of what was agreed";
        return unheard(Reason::BeyondContract, message);
    }
    let all: Vec<&str> = policy.workloads.iter().map(|workload| workload.name.as_str()).collect();
    if all.contains(&workload) {
        return Ok(());
    }
    let all = if all.is_empty() { "none".to_owned() } else { all.join(", ") };
    unheard(Reason::NothingToDecide, format!("{workload} is no workload of the grant: {all}"))
}
