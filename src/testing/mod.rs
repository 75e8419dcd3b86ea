//! Test only: what several modules' tests share.

pub mod api;
pub mod known;
pub mod rehearsed;
pub mod schema;
pub mod skipped;
