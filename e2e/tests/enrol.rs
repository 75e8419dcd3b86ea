//! Workloads on the partner's side: their keys and requests made by real OpenSSL, sent over real TLS by real
//! curl, answered by a real `comity sign` on a real API server.
#![expect(clippy::expect_used, reason = "a story's helpers fail like its tests")]

#[path = "life/access.rs"]
#[expect(dead_code, reason = "shared with other stories")]
mod access;
#[path = "life/story.rs"]
#[expect(dead_code, reason = "shared with other stories")]
mod story;

#[path = "enrol/ground.rs"]
mod ground;
#[path = "enrol/partner.rs"]
mod partner;

#[path = "enrol/crowd.rs"]
mod crowd;
#[path = "enrol/introduced.rs"]
mod introduced;
#[path = "enrol/refused.rs"]
mod refused;
#[path = "enrol/renewal.rs"]
mod renewal;
#[path = "enrol/token.rs"]
mod token;
