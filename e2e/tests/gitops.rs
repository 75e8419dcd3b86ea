//! Sharing from Git, on a real API server: a pipeline with an account of its own applies whole directories, as
//! Argo CD and Flux do, and what that changes is told by the API server's audit log.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a story's helpers fail like its tests")]

#[path = "life/access.rs"]
#[expect(dead_code, reason = "shared with the stories of a grant's life")]
mod access;
#[path = "life/order.rs"]
#[expect(dead_code, reason = "shared with the stories of a grant's life")]
mod order;
#[path = "life/story.rs"]
#[expect(dead_code, reason = "shared with the stories of a grant's life")]
mod story;

#[path = "gitops/again.rs"]
mod again;
#[path = "gitops/heal.rs"]
mod heal;
#[path = "gitops/other.rs"]
mod other;
#[path = "gitops/pipeline.rs"]
mod pipeline;
#[path = "gitops/prune.rs"]
mod prune;
