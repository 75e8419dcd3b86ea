//! What is told of the CAs of a contract and stage. Pure.

use jiff::Timestamp;
use serde::Serialize;

use super::count::Counts;
use crate::api::stage::Stage;
use crate::signer::ca::outlook::{Next, outlook};
use crate::signer::ca::{Answer, Chest, Entry, Ledger, Maker, Phase};

/// The CAs of a contract and stage.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct View {
    /// The contract's namespace.
    pub(super) namespace: String,
    /// The contract.
    pub(super) contract: String,
    /// The stage.
    pub(super) stage: Stage,
    /// The number of the one that signs.
    pub(super) signs: Option<u32>,
    /// All of them.
    pub(super) authorities: Vec<Authority>,
    /// What happens next, and when.
    pub(super) next: Vec<Next>,
    /// Why nothing is signed, if that is known.
    pub(super) refused: Option<String>,
    /// The last order.
    pub(super) last_order: Option<Answer>,
}

/// One of them.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Authority {
    /// Its number.
    pub(super) number: u32,
    /// How far it is.
    pub(super) phase: Phase,
    /// Who made it.
    pub(super) made_by: Maker,
    /// Since when.
    pub(super) since: Timestamp,
    /// Whether verifiers are given it.
    pub(super) is_published: bool,
    /// Since when it is published.
    pub(super) published_at: Timestamp,
    /// Until when it is valid.
    pub(super) not_after: Timestamp,
    /// When nothing lives any more that it signed, at the latest.
    pub(super) signed_live_until: Option<Timestamp>,
    /// How many certificates in Secrets live that it signed; `None`: they couldn't be counted.
    pub(super) live_in_secrets: Option<usize>,
    /// SHA-256 of its certificate.
    pub(super) fingerprint: String,
}

impl View {
    /// What is told of a ledger.
    pub(super) fn of(chest: &Chest, ledger: &Ledger, counts: Option<&Counts>, now: Timestamp) -> Self {
        let authority = |entry: &Entry| Authority {
            number: entry.number,
            phase: entry.phase,
            made_by: entry.maker,
            since: entry.since,
            is_published: entry.phase.belief().is_some(),
            published_at: entry.published_at,
            not_after: entry.certificate.lifetime().not_after(),
            signed_live_until: entry.issued_until,
            live_in_secrets: counts.map(|counts| counts.of(chest, entry.number)),
            fingerprint: entry.certificate.fingerprint(),
        };
        Self {
            namespace: ledger.owner.namespace.clone(),
            contract: ledger.owner.contract.clone(),
            stage: ledger.owner.stage,
            signs: ledger.active().map(|active| active.number),
            authorities: ledger.authorities.iter().map(authority).collect(),
            next: outlook(ledger, now),
            refused: counts.and_then(|counts| counts.refused(chest)),
            last_order: ledger.answer.clone(),
        }
    }
}
