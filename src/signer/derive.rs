//! Which stages are open, by the signer's own reading of what people wrote and of the journal.
//! Pure, and by the same rules as those that `comity run` goes by. No status is believed.

use jiff::Timestamp;
use kube::ResourceExt as _;

use super::opening::{Makers, Opening};
use super::witness::Doubt;
use crate::api::PartnerGrant;
use crate::api::contract::KeyDelivery;
use crate::api::effective::EffectivePolicy;
use crate::api::grant::Workload;
use crate::journal::remains::{Remains, remains};
use crate::journal::wanted::{Circumstances, GrantFacts, Wanted};
use crate::journal::{self, Journal, Recorded};
use crate::policy::standing::Outlook;

/// What the grant, its journal and all that it depends on come to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Derived {
    /// Every opening that the journal knows.
    pub openings: Vec<Opening>,
    /// When it may come to something else although nobody changes anything.
    pub look_again: Option<Timestamp>,
}

impl Derived {
    /// The same, where the journal that it is derived from is doubted.
    #[must_use]
    pub fn doubted(mut self, doubt: Option<&Doubt>) -> Self {
        self.openings.iter_mut().for_each(|opening| opening.doubt = doubt.cloned());
        self
    }
}

/// Derives every opening of a grant. One that isn't open is there too, to be cleared.
pub fn derive(grant: &PartnerGrant, journal: &Journal, outlook: &Outlook, clock: Timestamp) -> Derived {
    let now = journal.time(clock);
    let facts = GrantFacts {
        ceiling: grant.spec.stage,
        suspended: grant.spec.suspend,
        deleting: grant.metadata.deletion_timestamp.is_some(),
    };
    // Whether another opening has taken over is for `comity run` to see, and to record.
    let circumstances = Circumstances { journal, facts, outlook, is_complete: &|_| false, now };
    let openings = journal
        .openings
        .iter()
        .map(|recorded| {
            let remains = remains(recorded, outlook);
            let wanted = circumstances.wanted(recorded, &remains);
            let open = wanted == Wanted::Open && recorded.state == Recorded::Open;
            let over = matches!(wanted, Wanted::Closed(_));
            Opening { over, ..opening(grant, recorded, outlook, &remains, open) }
        })
        .collect();
    Derived { openings, look_again: look_again(outlook, now) }
}

fn opening(
    grant: &PartnerGrant,
    recorded: &journal::Opening,
    outlook: &Outlook,
    remains: &Remains,
    open: bool,
) -> Opening {
    let terms = outlook.terms(recorded.stage);
    // A record is believed to say that a stage was opened and until when, but not whose certificates it
    // has: who writes it may be a thief. What is signed is what stands, met with what any other digest had.
    let policy = match remains {
        Remains::Agreed if outlook.digest() == Some(recorded.digest.as_str()) => {
            terms.map(|terms| &terms.policy)
        }
        remains => Some(remains.policy(recorded)),
    };
    let policy = policy.filter(|_| open).unwrap_or(&recorded.policy);
    let ttl = |policy: &EffectivePolicy| policy.security.credential_ttl.as_ref()?.length();
    let contract_end = terms.map_or(policy.time.not_after.0, |terms| terms.policy.time.not_after.0);
    Opening {
        namespace: grant.namespace().unwrap_or_default(),
        grant: grant.name_any(),
        grant_uid: grant.uid().unwrap_or_default(),
        partner: policy.partner.0.clone(),
        contract: policy.contract.0.clone(),
        contract_uid: policy.contract_uid.0.clone(),
        stage: recorded.stage,
        digest: recorded.digest.clone(),
        end: remains.until(recorded),
        contract_end,
        ttl: ttl(policy).filter(|_| terms.is_some()).unwrap_or_default(),
        workloads: names(policy.workloads_with(KeyDelivery::Secret)),
        every_workload: names(&policy.workloads),
        makers: Makers::of(&policy.security.key_delivery),
        open: open && terms.is_some(),
        over: false,
        doubt: None,
        compared: None,
    }
}

fn names(workloads: &[Workload]) -> Vec<String> {
    workloads.iter().map(|workload| workload.name.0.clone()).collect()
}

/// When time alone may change what is agreed.
fn look_again(outlook: &Outlook, now: Timestamp) -> Option<Timestamp> {
    let moments: Vec<Timestamp> = match &outlook.agreement {
        Ok(agreement) => [agreement.review_at, Some(agreement.not_after)].into_iter().flatten().collect(),
        Err(problems) => problems.iter().filter_map(|problem| problem.until).collect(),
    };
    moments.into_iter().filter(|moment| *moment > now).min()
}

#[cfg(test)]
mod tests;
