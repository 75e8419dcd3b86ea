//! What happens next and when, if nobody does anything and all keys are as they should be.

use jiff::Timestamp;
use serde::Serialize;

use super::brought::Maker;
use super::ledger::{Entry, Ledger, Phase};
use super::obey::ripe;
use crate::pki::rotation;

/// Something that will happen.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Next {
    /// When, at the soonest.
    pub at: Timestamp,
    /// What.
    pub what: String,
}

/// What will happen, the soonest first.
pub fn outlook(ledger: &Ledger, now: Timestamp) -> Vec<Next> {
    let mut next: Vec<Next> = ledger.authorities.iter().filter_map(|entry| happens(ledger, entry)).collect();
    for next in &mut next {
        next.at = next.at.max(now);
    }
    next.sort_by_key(|next| next.at);
    next
}

fn happens(ledger: &Ledger, entry: &Entry) -> Option<Next> {
    let number = entry.number;
    match entry.phase {
        Phase::Active => ends(ledger, entry),
        Phase::Prepared => {
            let margin = rotation::margin(entry.certificate.lifetime());
            let margin = rotation::later(entry.published_at, margin);
            let at = ledger.active().map_or(margin, |active| {
                let life = active.certificate.lifetime();
                let due = rotation::take_over_at(life).max(ripe(ledger, entry));
                due.min(rotation::later(life.not_after(), -ledger.need.ttl)).max(margin)
            });
            Some(Next { at, what: format!("CA {number} signs") })
        }
        Phase::Retiring | Phase::Tainted => {
            let at = entry.ends_in_others().unwrap_or(entry.since);
            Some(Next { at, what: format!("CA {number} is taken out of what is published") })
        }
        Phase::Retired => None,
    }
}

/// What comes of the one that signs: the next one is made, or it ends with what it is for.
fn ends(ledger: &Ledger, active: &Entry) -> Option<Next> {
    if ledger.prepared().is_some() {
        return None;
    }
    let life = active.certificate.lifetime();
    if rotation::later(ledger.need.until, ledger.need.ttl) <= life.not_after() {
        let what = "the contract ends: no other CA is made after this one".to_owned();
        return Some(Next { at: ledger.need.until, what });
    }
    let what = match ledger.maker {
        Maker::Comity => "the next CA is made and published",
        Maker::Platform => "the next CA has to be brought by then: comity ca where says into which Secret",
    };
    Some(Next { at: rotation::prepare_at(life), what: what.to_owned() })
}
