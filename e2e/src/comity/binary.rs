//! The `comity` binary: Cargo tells another package nothing of it, so it is built explicitly.

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
    let build = || async { tokio::task::spawn_blocking(build).await.explain("build comity")? };
    BUILT.get_or_try_init(build).await.cloned()
}

fn build() -> Result<PathBuf> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = process::bound(PathBuf::from(cargo));
    // With `e2e` among the packages, the features of what both use are those that are built already.
    command.args(["build", "--quiet", "--package", "comity", "--package", "e2e", "--bin", "comity"]);
    command.arg("--message-format=json-render-diagnostics");
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    command.current_dir(repository()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output =
        process::spawn(command).and_then(Child::wait_with_output).explain("run cargo to build comity")?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(Error::Failed(format!("comity doesn't build:\n{errors}")));
    }
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    let path = messages.lines().find_map(executable);
    path.ok_or_else(|| Error::Failed("cargo built comity and didn't say where".to_owned()))
}

/// Where the binary is, if this line of Cargo's speaks of it.
fn executable(line: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    let wanted = message["reason"] == "compiler-artifact" && message["target"]["name"] == "comity";
    wanted.then(|| message["executable"].as_str().map(PathBuf::from)).flatten()
}
