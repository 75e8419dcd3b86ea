//! What wasn't tried, said where it is seen. Shared by the tests of both packages.

use std::fmt::Display;
use std::io::{Write as _, stderr};

/// Says what wasn't tried, and why. The test harness keeps what passing tests print to itself, but not this.
pub fn skipped(what: impl Display) {
    // Where nobody can be told, there is nobody to tell.
    drop(writeln!(stderr(), "\nSKIPPED: {what}\n"));
}
