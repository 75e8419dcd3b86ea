//! Which stages are open, by the signer's own reading of what people wrote and of the journal.
//! Pure, and by the same rules as those that `comity run` goes by. No status is believed.

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;

use super::opening::Opening;
use crate::api::PartnerGrant;
use crate::journal::wanted::{GrantFacts, Wanted, wanted};
use crate::journal::{self, Journal, Recorded};
use crate::policy::{Agreement, Problem};

/// What the grant, its journal and all that it depends on come to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Derived {
    /// Every opening that the journal knows.
    pub openings: Vec<Opening>,
    /// When it may come to something else although nobody changes anything.
    pub look_again: Option<Timestamp>,
}

/// Derives every opening of a grant. One that isn't open is there too, to be cleared.
pub fn derive(
    grant: &PartnerGrant,
    journal: &Journal,
    agreement: &Result<Agreement, Vec<Problem>>,
    clock: Timestamp,
) -> Derived {
    let now = journal.time(clock);
    let facts = GrantFacts {
        ceiling: grant.spec.stage,
        suspended: grant.spec.suspend,
        deleting: grant.metadata.deletion_timestamp.is_some(),
    };
    let openings = journal
        .openings
        .iter()
        .map(|recorded| {
            // Whether a later stage has taken over is for `comity run` to see, and to record.
            let wanted = wanted(recorded, journal, facts, agreement, &|_| false, now);
            let open = wanted == Wanted::Open && recorded.state == Recorded::Open;
            opening(grant, recorded, agreement, open)
        })
        .collect();
    Derived { openings, look_again: look_again(agreement, now) }
}

fn opening(
    grant: &PartnerGrant,
    recorded: &journal::Opening,
    agreement: &Result<Agreement, Vec<Problem>>,
    open: bool,
) -> Opening {
    let terms = agreement.as_ref().ok().and_then(|agreement| agreement.stages.get(&recorded.stage));
    // A record is believed to say that a stage was opened and when it ends (`wanted` holds one that
    // gives too much), but not whose its certificates are: `comity run` writes records, and its
    // token may be stolen. What is signed is what was agreed.
    let policy = terms.filter(|_| open).map_or(recorded.policy.as_ref(), |terms| &terms.policy);
    Opening {
        namespace: grant.namespace().unwrap_or_default(),
        grant: grant.name_any(),
        grant_uid: grant.uid().unwrap_or_default(),
        partner: policy.partner.0.clone(),
        contract: policy.contract.0.clone(),
        contract_uid: policy.contract_uid.0.clone(),
        stage: recorded.stage,
        digest: recorded.digest.clone(),
        end: recorded.end,
        contract_end: policy.time.not_after.0,
        ttl: terms.map_or(SignedDuration::ZERO, |terms| terms.credential_ttl),
        workloads: policy.certified().iter().map(|workload| workload.name.0.clone()).collect(),
        open: open && terms.is_some(),
    }
}

/// When time alone may change what is agreed.
fn look_again(agreement: &Result<Agreement, Vec<Problem>>, now: Timestamp) -> Option<Timestamp> {
    let moments: Vec<Timestamp> = match agreement {
        Ok(agreement) => [agreement.review_at, Some(agreement.not_after)].into_iter().flatten().collect(),
        Err(problems) => problems.iter().filter_map(|problem| problem.until).collect(),
    };
    moments.into_iter().filter(|moment| *moment > now).min()
}

#[cfg(test)]
mod tests;
