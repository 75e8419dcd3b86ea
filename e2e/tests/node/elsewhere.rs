//! Machines on which no node runs: it is said loudly what was left out and why, and it is an error where
//! the node was asked for.

use std::env;
use std::os::unix::fs::symlink;
use std::process::{Command, Output, Stdio};

use e2e::node::BINARIES;
use e2e::{Explain as _, Result};

use super::story::ensure;

pub async fn says_what_it_left_out() -> Result<()> {
    let both = || -> Result<()> {
        a_program_is_missing()?;
        the_node_doesnt_start()
    };
    tokio::task::spawn_blocking(both).await.explain("play it")?
}

/// Something else stands where one of the programs is.
fn a_program_is_missing() -> Result<()> {
    let hide = r#"for file in /usr/sbin/nft /sbin/nft "$(command -v nft)"; do
        if [ -f "$file" ]; then mount --bind /dev/null "$file"; fi; done; exec "$0" "$@""#;
    let hidden = |asked: &str| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--", "sh", "-c", hide]).arg(env::current_exe()?);
        play(command, asked)
    };
    left_out(&hidden("")?, "nft (nftables)")?;
    failed(&hidden("require")?, "nft (nftables)")
}

/// All programs are there, and end as soon as they are started.
fn the_node_doesnt_start() -> Result<()> {
    let assets = tempfile::tempdir()?;
    for name in BINARIES {
        symlink("/bin/false", assets.path().join(name))?;
    }
    let broken = |asked: &str| {
        let mut command = Command::new(env::current_exe()?);
        command.env("COMITY_E2E_NODE_ASSETS", assets.path());
        play(command, asked)
    };
    left_out(&broken("")?, "containerd ended with")?;
    failed(&broken("require")?, "containerd ended with")
}

fn play(mut command: Command, asked: &str) -> Result<Output> {
    command.args(["--exact", "a_policy_shuts_and_opens"]).env("COMITY_E2E_NODE", asked);
    command.stdin(Stdio::null()).output().explain("play a story anew")
}

fn left_out(output: &Output, why: &str) -> Result<()> {
    let said = String::from_utf8_lossy(&output.stderr);
    let is_loud = said.contains("SKIPPED") && said.contains(why) && said.contains("cargo test -p e2e");
    ensure(output.status.success() && is_loud, || format!("{}: {said}", output.status))
}

fn failed(output: &Output, why: &str) -> Result<()> {
    let said = String::from_utf8_lossy(&output.stderr);
    ensure(!output.status.success() && said.contains(why), || format!("{}: {said}", output.status))
}
