//! The `comity` binary, and the one that pods run: Cargo tells other programs nothing of them, so they are built
//! explicitly.

use std::{
    env,
    path::PathBuf,
    process::{Child, Stdio},
};

use serde_json::Value;
use tokio::sync::OnceCell;

use super::repository;
use crate::{Error, Explain as _, Result, process};

/// Builds `comity` in the profile that this was built in, once in the life of this process.
pub async fn binary() -> Result<PathBuf> {
    static BUILT: OnceCell<PathBuf> = OnceCell::const_new();
    BUILT.get_or_try_init(|| built("comity")).await.cloned()
}

/// Builds likewise what pods run.
#[cfg(target_os = "linux")]
pub(crate) async fn speaker() -> Result<PathBuf> {
    built("speaker").await
}

async fn built(name: &'static str) -> Result<PathBuf> {
    tokio::task::spawn_blocking(move || build(name)).await.explain(format!("build {name}"))?
}

fn build(name: &str) -> Result<PathBuf> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = process::bound(PathBuf::from(cargo));
    // With `e2e` among the packages, the features of what both use are those that are built already.
    command.args(["build", "--quiet", "--package", "comity", "--package", "e2e", "--bin", name]);
    command.arg("--message-format=json-render-diagnostics");
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    command.current_dir(repository()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = process::spawn(command)
        .and_then(Child::wait_with_output)
        .explain(format!("run cargo to build {name}"))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(Error::Failed(format!("{name} doesn't build:\n{errors}")));
    }
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    let path = messages.lines().find_map(|line| executable(line, name));
    path.ok_or_else(|| Error::Failed(format!("cargo built {name} and didn't say where")))
}

/// Where a binary is, if this line of Cargo's speaks of it.
fn executable(line: &str, name: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    let wanted = message["reason"] == "compiler-artifact" && message["target"]["name"] == name;
    wanted.then(|| message["executable"].as_str().map(PathBuf::from)).flatten()
}
