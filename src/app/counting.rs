//! Who counts: what the floors below tell of, and what is looked up when somebody asks for metrics.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::api::PartnerGrant;
use crate::api::condition::ConditionType;
use crate::cluster::catalogue::Catalogue;
use crate::cluster::event;
use crate::generate::reference::reasons;
use crate::grant::reconcile::{Appended, OpenNow};
use crate::ops::Metrics;
use crate::ops::http::Tally;
use crate::ops::metric::Append;
use crate::{grant, signer};

/// What a grant counts as of which nothing was said yet.
const UNSAID: &str = "Unsaid";

/// Counts events by their reasons.
pub(super) fn counted(metrics: &Metrics) -> event::Count {
    let metrics = metrics.clone();
    Box::new(move |reason| metrics.told(reason))
}

impl grant::reconcile::Meter for Metrics {
    fn open_now(&self, grant: &str, openings: &[OpenNow]) {
        Self::open_now(self, grant, openings);
    }

    fn expired(&self, lag: Duration) {
        Self::expired(self, lag);
    }

    fn heard(&self, decisions: u64) {
        Self::heard(self, decisions);
    }

    fn appended(&self, outcome: Appended) {
        let outcome = match outcome {
            Appended::Written => Append::Written,
            Appended::Conflict => Append::Conflict,
            Appended::Failed => Append::Failed,
        };
        Self::appended(self, outcome);
    }
}

impl signer::reconcile::Meter for Metrics {
    fn issued(&self, took: Duration) {
        Self::issued(self, took);
    }

    fn refused(&self) {
        Self::refused(self);
    }

    fn answered(&self, word: &'static str) {
        Self::answered(self, word);
    }
}

/// Counts how grants stand, and which of their openings end soon.
pub(super) fn grants(catalogue: &Arc<Catalogue>) -> Tally {
    let (catalogue, reasons) = (Arc::clone(catalogue), reasons());
    Tally(Arc::new(move |metrics, now| {
        metrics.count_openings(now);
        let standing = catalogue.grants.state();
        metrics.grants(&by_reason(&reasons, standing.iter().map(AsRef::as_ref)));
    }))
}

/// How many grants there are by the reason of their condition Ready. What is said in a word that isn't one of
/// `reasons` counts as unsaid, so that nobody who writes a status can make labels.
fn by_reason<'a>(
    reasons: &[String],
    standing: impl Iterator<Item = &'a PartnerGrant>,
) -> BTreeMap<String, i64> {
    let mut counts: BTreeMap<String, i64> = reasons.iter().map(|reason| (reason.clone(), 0)).collect();
    counts.insert(UNSAID.to_owned(), 0);
    for grant in standing {
        let conditions = grant.status.iter().flat_map(|status| &status.conditions);
        let ready = conditions.clone().find(|condition| condition.type_ == ConditionType::Ready.as_str());
        let said = ready.map(|condition| condition.reason.as_str()).filter(|said| counts.contains_key(*said));
        *counts.entry(said.unwrap_or(UNSAID).to_owned()).or_default() += 1;
    }
    counts
}

/// Counts the stages whose certificates are late.
pub(super) fn certificates(context: &Arc<signer::reconcile::Context>) -> Tally {
    let context = Arc::clone(context);
    Tally(Arc::new(move |metrics, _| metrics.late(context.memory.late((context.now)()))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Stage;
    use crate::api::condition::{Finding, Reason, merge};
    use crate::testing::known::{Known, now};

    #[test]
    fn grants_are_counted_by_reasons_that_there_are() {
        let grant = |finding: Option<Finding>| {
            let mut grant = Known::grant(Stage::Sandbox);
            grant.status = finding.map(|finding| crate::api::grant::PartnerGrantStatus {
                conditions: merge(&[], &[finding], None, now()),
                ..Default::default()
            });
            grant
        };
        let open = grant(Some(Finding::yes(ConditionType::Ready, Reason::Open, "")));
        let mut forged = open.clone();
        forged.status.as_mut().unwrap().conditions[0].reason = "x".repeat(1000);
        let counts = by_reason(&reasons(), [&open, &open, &forged, &grant(None)].into_iter());
        assert_eq!((counts["Open"], counts["Unsaid"], counts["Ended"]), (2, 2, 0));
        assert_eq!(counts.len(), reasons().len() + 1);
    }
}
