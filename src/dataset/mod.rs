//! L3, the controller of `Dataset`: says whether what serves it can be named in a network policy,
//! and whether real data is kept apart from what the sandbox may reach.

pub mod check;
pub mod observe;
pub mod reconcile;
pub mod status;
