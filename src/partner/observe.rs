//! What a partner is judged by: itself, and the time.

use std::sync::Arc;

use jiff::Timestamp;

use super::check::{self, Faults};
use crate::api::Partner;

/// A partner, and what is wrong with it.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The partner.
    pub partner: Arc<Partner>,
    /// What is wrong with it.
    pub faults: Faults,
    /// The time of this pass.
    pub now: Timestamp,
}

impl Scene {
    /// Looks at a partner.
    pub fn observe(partner: Arc<Partner>, now: Timestamp) -> Self {
        Self { faults: check::faults(&partner, now), partner, now }
    }
}
