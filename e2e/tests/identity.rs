//! Certificates about keys that nodes make, on a real API server with the feature switched on: asked for
//! as a node asks, answered by `comity sign`, and looked at by others' code.
#![expect(clippy::expect_used, reason = "a story's helpers fail like its tests")]

#[path = "life/access.rs"]
#[expect(dead_code, reason = "shared with other stories")]
mod access;
#[path = "life/story.rs"]
#[expect(dead_code, reason = "shared with other stories")]
mod story;

#[path = "identity/ground.rs"]
mod ground;
#[path = "identity/node.rs"]
mod node;
#[path = "identity/witness.rs"]
mod witness;

#[path = "identity/bundle.rs"]
mod bundle;
#[path = "identity/guarded.rs"]
mod guarded;
#[path = "identity/held.rs"]
mod held;
#[path = "identity/issued.rs"]
mod issued;
#[path = "identity/refused.rs"]
mod refused;
#[path = "identity/rules.rs"]
mod rules;
#[path = "identity/stolen.rs"]
mod stolen;
