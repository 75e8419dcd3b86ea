//! What a contract is judged by: its datasets, what serves them, and the boundaries.

use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt as _;

use super::check::{self, Ground};
use crate::api::SharingContract;
use crate::cluster::catalogue::Catalogue;
use crate::policy::Problem;

/// A contract, and what is wrong with it.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The contract.
    pub contract: Arc<SharingContract>,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
    /// The time of this pass.
    pub now: Timestamp,
}

impl Scene {
    /// Looks at a contract and all that it depends on.
    pub fn observe(contract: Arc<SharingContract>, catalogue: &Catalogue, now: Timestamp) -> Self {
        let namespace = contract.namespace().unwrap_or_default();
        let datasets = catalogue.datasets_of(&contract);
        let boundaries = catalogue.every_boundary();
        let ground = Ground {
            contract: &contract,
            datasets: datasets.iter().map(|dataset| (dataset.name_any(), dataset.as_ref())).collect(),
            services: catalogue.services.of_namespace(&namespace),
            boundaries: boundaries.iter().map(AsRef::as_ref).collect(),
            namespace_labels: catalogue.namespace_labels(&namespace),
        };
        Self { problems: check::problems(&ground, now), contract, now }
    }
}
