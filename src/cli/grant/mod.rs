//! What can be said of a grant to who asks: from what they could read, with the code that Comity
//! itself decides by. Pure.

mod picture;
mod review;
mod tree;
mod view;
mod why;
mod words;

#[cfg(test)]
pub(super) mod tests;

pub(super) use picture::{Live, Picture, Seen};
pub(super) use tree::tree;
pub(super) use view::GrantView;
pub(super) use why::{clauses, why};
pub(super) use words::{clusterroles_to_decide, clusterroles_to_read, near};
