//! The rules of the house, which check themselves. Each rule is a function from sources to what
//! breaks it; a test holds the repository to it, and another shows that it can fail.
#![cfg(test)]

#[path = "house/direction.rs"]
mod direction;
#[path = "house/kinds.rs"]
mod kinds;
#[path = "house/manifest.rs"]
mod manifest;
#[path = "house/purity.rs"]
mod purity;
#[path = "house/size.rs"]
mod size;
#[path = "house/source.rs"]
mod source;
#[path = "house/waiting.rs"]
mod waiting;
