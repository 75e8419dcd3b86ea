//! The demo with a node, as `cargo demo -- --node` tells it: it ends well, and leaves nothing on the machine.

use std::process::Stdio;

use e2e::node::ground::groups;
use e2e::node::kernel;
use e2e::{Explain as _, Result};
use tokio::process::Command;

use super::story::ensure;

pub async fn ends_well() -> Result<()> {
    let before = kernel::settings();
    let mut demo = Command::new(env!("CARGO_BIN_EXE_demo"));
    demo.arg("--node").stdin(Stdio::null()).kill_on_drop(true);
    let output = demo.output().await.explain("play the demo")?;
    let told = String::from_utf8_lossy(&output.stdout);
    ensure(output.status.success(), || format!("{told}{}", String::from_utf8_lossy(&output.stderr)))?;
    for line in [
        "nodes: 1",
        "its pod runs, shows the workload's certificate",
        "let in",
        "the pod answered up to the end, and no longer",
        "it has no network any more",
        " as expected",
    ] {
        ensure(told.contains(line), || format!("nothing of {line:?} in\n{told}"))?;
    }
    let after = kernel::settings();
    ensure(before == after, || format!("{before:?} became {after:?}"))?;
    ensure(groups().is_empty(), || format!("left when all is over: {:?}", groups()))
}
