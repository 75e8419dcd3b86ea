//! L3, the controller of `GrantDecision`: says what came of a decision. Taking it is the grant's own
//! affair ([`crate::grant::hear`]), and what is said here is said of the journal.

pub mod observe;
pub mod reconcile;
pub mod status;
