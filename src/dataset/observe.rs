//! What a dataset is judged by: itself, and the Services of its namespace.

use std::sync::Arc;

use kube::ResourceExt as _;

use super::check;
use crate::api::Dataset;
use crate::cluster::catalogue::Catalogue;
use crate::policy::Problem;

/// A dataset, and what is wrong with it.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The dataset.
    pub dataset: Arc<Dataset>,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
}

impl Scene {
    /// Looks at a dataset and what serves it.
    pub fn observe(dataset: Arc<Dataset>, catalogue: &Catalogue) -> Self {
        let services = catalogue.services.of_namespace(&dataset.namespace().unwrap_or_default());
        Self { problems: check::problems(&dataset, &services), dataset }
    }
}
