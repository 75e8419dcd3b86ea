//! The demo's whole story, as `cargo demo` tells it without a terminal: it ends well, and leaves
//! nothing running.

use std::process::Stdio;

use e2e::{Error, Result, controlplane};
use tokio::process::Command;

#[tokio::test]
async fn the_story_ends_well() -> Result<()> {
    // Where there is no control plane yet, its progress is told before the story.
    tokio::task::spawn_blocking(controlplane::find)
        .await
        .map_err(|error| Error::Failed(error.to_string()))??;
    let output = Command::new(env!("CARGO_BIN_EXE_demo"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}");
    assert!(!told.contains('\u{1b}'), "colours, and no terminal: {told}");
    for line in [
        "journal #2: Sandbox opened",
        "Rehearsal: its end was recorded first",
        "who asks for it agrees to it, and is refused",
        "Production opens",
        "olga, for security, and per, for the data's owners, agree to its digest",
        "loses DNS and half of its destinations: so does production, at once",
        "gains a destination: that waits for a rehearsal, and for people",
        "per, a reviewer, ends it",
        "may not  run an agreed image by its tag: an image must be named by its digest",
        "ms after the end that was recorded",
        "each case by a request of its own: it fails",
        "RuntimeClass \"kata-cc\" not found",
        "now everything comes out as it has to",
        "rehearsal showed: ",
        "all 36 as expected",
    ] {
        assert!(told.contains(line), "nothing of {line:?} in\n{told}");
    }
    Ok(())
}
