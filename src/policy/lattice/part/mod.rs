//! Every part of a policy, clause by clause: one line for each field, which says its order.
//!
//! Every function names each field of its type, so that a new field without an order doesn't
//! compile, and one that is named but forgotten is found by the tests that walk the schemas.

mod boundary;
mod contract;
mod dataset;
mod effective;
mod operation;
mod partner;
mod place;
mod scope;
mod security;
mod stages;
mod time;

pub(super) use boundary::boundary;
pub(super) use contract::contract;
pub(super) use dataset::dataset;
pub(super) use effective::policy;
pub(super) use partner::partner;
