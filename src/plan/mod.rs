//! L1, the vocabulary of reconciling, shared by all kinds: what is wanted, what is there, what
//! was applied, and when to look again.

pub mod compare;
pub mod objects;
pub mod retry;
pub mod situation;
