//! L3, the controller of `Partner`: says whether what a partner has shown still counts, before a
//! grant finds out.

pub mod check;
pub mod observe;
pub mod reconcile;
pub mod status;
