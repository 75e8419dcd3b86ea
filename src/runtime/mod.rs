//! L4, what every controller shares: working through a queue of objects, at a bounded
//! concurrency, and telling how each came out.

pub mod controller;
pub mod round;
