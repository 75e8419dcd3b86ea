//! What is refused, what is agreed, and what is true of both for every input.

mod agreed;
mod beyond_boundary;
mod beyond_contract;
mod digests;
pub(in crate::policy) mod leaves;
mod not_permitted;
mod properties;
mod standing;
mod vectors;
