//! Helm, as users have it: the one on the `PATH`, or one that is built with Go, once.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

use super::program;
use crate::{
    Error, Result,
    controlplane::{
        build::{self, Recipe},
        cache::{self, Place},
        find::{Versions, required},
        progress::Progress,
    },
    process::bound,
};

const HELM: Recipe<'_> =
    Recipe { module: "helm", packages: &[("helm", "helm.sh/helm/v4/cmd/helm")], instead: None };

/// The module that pins it.
const MODULE: &str = include_str!("../../helm/go.mod");

/// Finds it, or builds it, which takes minutes the first time and says so.
pub(super) fn find() -> Result<PathBuf> {
    if let Some(found) = program::find("helm") {
        return Ok(found);
    }
    let (cache, key) = (cache::home()?.join("helm"), version()?);
    let place = Place { cache: &cache, key: &key, what: "helm", names: &["helm"] };
    let mut progress = Progress::new();
    let home = place.filled(&mut progress, |fresh, progress| {
        progress.say("building it with Go, about 2 minutes on 2 cores, once");
        build::recipes(Path::new("go"), &[HELM], &Versions::pinned()?, fresh, progress)
    })?;
    Ok(home.join("helm"))
}

fn version() -> Result<String> {
    let module = "helm.sh/helm/v4";
    required(MODULE, module).ok_or_else(|| Error::Failed(format!("e2e/helm/go.mod doesn't require {module}")))
}

/// What it prints when it is called like this; `None`, with a word about why, where it can't be had.
pub fn helm<Argument: AsRef<OsStr>>(arguments: impl IntoIterator<Item = Argument>) -> Result<Option<String>> {
    let found = match find() {
        Ok(found) => found,
        Err(error) => {
            crate::skipped(format!("there is no helm on the PATH, and none can be built: {error}"));
            return Ok(None);
        }
    };
    let mut command: Command = bound(found);
    command.args(arguments);
    program::output("helm", command).map(Some)
}
