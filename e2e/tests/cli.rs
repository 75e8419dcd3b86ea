//! What people do at the command line, on a real API server and beside a running Comity: each command by
//! the binary itself, with the rights of who gives it.

#[path = "cli/deciding.rs"]
mod deciding;
#[path = "cli/listing.rs"]
mod listing;
#[path = "cli/looking.rs"]
mod looking;
#[path = "cli/reporting.rs"]
mod reporting;
#[path = "life/story.rs"]
#[expect(dead_code, reason = "what these stories stand on is that of the life of a grant")]
mod story;
#[path = "cli/watching.rs"]
mod watching;
