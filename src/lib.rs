//! Comity: what a partner may use, for as long, and for as much, as was agreed.

pub mod api;
pub mod generate;
pub mod pki;
pub mod policy;
pub mod signer;
