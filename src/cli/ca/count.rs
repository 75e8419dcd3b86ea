//! How many certificates live of each CA, by what is published in the stages. Pure, but for asking.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;

use crate::api::name;
use crate::cluster::caller::Caller;
use crate::pki::Leaf;
use crate::signer::ca::{Chest, Ledger};

/// What was counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    live: BTreeMap<(Chest, u32), usize>,
    refused: BTreeMap<Chest, String>,
}

impl Counts {
    /// How many of an authority live.
    pub(super) fn of(&self, chest: &Chest, number: u32) -> usize {
        self.live.get(&(chest.clone(), number)).copied().unwrap_or_default()
    }

    /// Why nothing is signed.
    pub(super) fn refused(&self, chest: &Chest) -> Option<String> {
        self.refused.get(chest).cloned()
    }
}

/// Counts; `None`: the caller may not see what is published in every stage.
pub(super) async fn counted(caller: &Caller, ledgers: &[(Chest, Ledger)]) -> Option<Counts> {
    let published: Vec<ConfigMap> = caller.called(name::TRUST_CONFIG_MAP).await.ok()?;
    Some(count(&published, ledgers, caller.now()))
}

/// Counts what is published.
pub(super) fn count(published: &[ConfigMap], ledgers: &[(Chest, Ledger)], now: Timestamp) -> Counts {
    let mut counts = Counts::default();
    // Of the certificates with one key identifier one is verified.
    let mut signers: BTreeMap<String, Option<(Chest, u32)>> = BTreeMap::new();
    for (key, text) in published.iter().flat_map(|published| published.data.iter().flatten()) {
        if key == name::TRUST_REFUSED {
            let about = ledgers.iter().find(|(chest, _)| text.contains(&chest.to_string()));
            counts.refused.extend(about.map(|(chest, _)| (chest.clone(), text.clone())));
            continue;
        }
        let Ok(leaf) = Leaf::parse(text.as_bytes()) else { continue };
        if leaf.lifetime().not_after() <= now {
            continue;
        }
        let signer = signers.entry(leaf.authority_key().to_owned()).or_insert_with(|| signer(&leaf, ledgers));
        if let Some(signer) = signer {
            *counts.live.entry(signer.clone()).or_default() += 1;
        }
    }
    counts
}

fn signer(leaf: &Leaf, ledgers: &[(Chest, Ledger)]) -> Option<(Chest, u32)> {
    let all =
        ledgers.iter().flat_map(|(chest, ledger)| ledger.authorities.iter().map(move |entry| (chest, entry)));
    let (chest, entry) = all.into_iter().find(|(_, entry)| leaf.signed_by(&entry.certificate))?;
    Some((chest.clone(), entry.number))
}
