//! Comity: what a partner may use, for as long, and for as much, as was agreed.

pub mod api;
pub mod app;
pub mod cli;
pub mod generate;
pub mod ops;
pub mod pki;
pub mod policy;
pub mod signer;

#[cfg(test)]
mod testing;
