//! CAs take over from one another on a real API server, while somebody verifies all that is seen: on demand
//! and by half of their life, over restarts and broken ones, and only for who may.
#![expect(clippy::expect_used, reason = "a story's helpers fail like its tests")]

#[path = "life/story.rs"]
#[expect(dead_code, reason = "shared with other stories")]
mod story;

#[path = "rotation/broken.rs"]
mod broken;
#[path = "rotation/brought.rs"]
mod brought;
#[path = "rotation/dataset.rs"]
mod dataset;
#[path = "rotation/demanded.rs"]
mod demanded;
#[path = "rotation/ground.rs"]
mod ground;
#[path = "rotation/witness.rs"]
mod witness;
