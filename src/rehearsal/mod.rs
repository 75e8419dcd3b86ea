//! L3, rehearsals: what is agreed is tried before it goes to production, and what came out is reported.

pub mod cases;
pub mod reconcile;
