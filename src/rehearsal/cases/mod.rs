//! What a rehearsal tries, derived from what is agreed. Pure.

pub mod network;
