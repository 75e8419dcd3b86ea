//! L0, the words: every kind that people and Comity write, the conditions and reasons
//! they are told about, and every name that is derived from another name.
//!
//! Nothing here talks to a cluster, reads a clock or decides anything.

pub mod name;
pub mod stage;

/// The API group of every kind of Comity's own.
pub const GROUP: &str = "comity.dev";

/// The only version that is served and stored so far.
pub const VERSION: &str = "v1alpha1";
