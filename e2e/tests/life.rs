//! The life of a grant and its faults, on a real API server, with every process running on the
//! tokens of their own accounts. Each story has a namespace, a boundary and a partner of its own.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a story's helpers fail like its tests")]

#[path = "life/access.rs"]
mod access;
#[path = "life/live.rs"]
mod live;
#[path = "life/order.rs"]
mod order;
#[path = "life/story.rs"]
mod story;

#[path = "life/answer.rs"]
mod answer;
#[path = "life/authority.rs"]
mod authority;
#[path = "life/backup.rs"]
mod backup;
#[path = "life/change.rs"]
mod change;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[path = "life/clock.rs"]
mod clock;
#[path = "life/consent.rs"]
mod consent;
#[path = "life/deletion.rs"]
mod deletion;
#[path = "life/drift.rs"]
mod drift;
#[path = "life/elsewhere.rs"]
mod elsewhere;
#[path = "life/fault.rs"]
mod fault;
#[path = "life/forged.rs"]
mod forged;
#[path = "life/hold.rs"]
mod hold;
#[path = "life/name.rs"]
mod name;
#[path = "life/record.rs"]
mod record;
#[path = "life/refusal.rs"]
mod refusal;
#[path = "life/rehearsed.rs"]
mod rehearsed;
#[path = "life/running.rs"]
mod running;
#[path = "life/void.rs"]
mod void;
#[path = "life/whole.rs"]
mod whole;
