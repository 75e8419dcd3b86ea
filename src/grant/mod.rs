//! `PartnerGrant`: from one partner's request under one contract to closed-off, expiring places.
//!
//! [`observe`] gathers what stands, [`check`] compares it with what [`build`] wants, [`decide`]
//! names the one next step, [`status`] says it in conditions, and [`reconcile`] conducts: it is
//! the only one that acts. [`sweep`] does the same for what a grant left behind that is gone.

pub mod build;
pub mod check;
pub mod clause;
pub mod decide;
pub mod foresee;
pub mod gate;
pub mod hear;
pub mod memory;
pub mod meter;
pub mod observe;
pub mod reconcile;
pub mod status;
pub mod sweep;
pub mod weigh;

#[cfg(test)]
pub(crate) mod tests;
