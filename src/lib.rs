//! Comity: what a partner may use, for as long, and for as much, as was agreed.

pub mod api;
pub mod app;
pub mod boundary;
pub mod cli;
pub mod cluster;
pub mod contract;
pub mod dataset;
pub mod decision;
pub mod generate;
pub mod grant;
pub mod journal;
pub mod ops;
pub mod partner;
pub mod pki;
pub mod plan;
pub mod policy;
pub mod rehearsal;
pub mod runtime;
pub mod signer;

#[cfg(test)]
mod testing;
