//! What a boundary is judged by: nothing but itself.

use std::sync::Arc;

use crate::api::SharingBoundary;
use crate::policy::Problem;

use super::check;

/// A boundary, and what is wrong with it.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The boundary.
    pub boundary: Arc<SharingBoundary>,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
}

impl Scene {
    /// Looks at a boundary.
    pub fn observe(boundary: Arc<SharingBoundary>) -> Self {
        Self { problems: check::problems(&boundary), boundary }
    }
}
