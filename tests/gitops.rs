//! Sharing from Git: what Argo CD is taught is the script that was tried, what tools read out of a status is what it says, and
//! the check of a pull request tells what a change means, to whom it has to be shown.
#![cfg(test)]

#[path = "gitops/check.rs"]
mod check;
mod folder;
mod kustomize;
#[path = "gitops/owners.rs"]
mod owners;
#[path = "../src/testing/skipped.rs"]
mod skipped;

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use skipped::skipped;

const SCRIPT: &str = "charts/comity/files/argocd-health.lua";
const EXAMPLE: &str = "examples/gitops";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The kinds of Comity's that say in conditions how they stand.
fn kinds_with_conditions() -> Vec<String> {
    let files = std::fs::read_dir(root().join("crds")).expect("it can be listed");
    let definitions = files.map(|file| {
        let text = std::fs::read_to_string(file.expect("a file").path()).expect("it can be read");
        serde_saphyr::from_str::<Value>(&text).expect("YAML")
    });
    let conditions = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/conditions";
    let saying = definitions.filter(|definition| definition.pointer(conditions).is_some());
    saying.filter_map(|definition| Some(definition["spec"]["names"]["kind"].as_str()?.to_owned())).collect()
}

#[test]
fn argo_cd_is_taught_the_script_for_every_kind_that_has_conditions() {
    let map: Value =
        serde_saphyr::from_str(&read(&format!("{EXAMPLE}/argocd/argocd-cm.yaml"))).expect("YAML");
    let taught = map["data"].as_object().expect("data");
    let kinds = kinds_with_conditions();
    assert!(kinds.len() > 4, "{kinds:?}");
    assert_eq!(taught.len(), kinds.len());
    for kind in kinds {
        let key = format!("resource.customizations.health.comity.dev_{kind}");
        assert_eq!(taught[&key].as_str().unwrap_or_default(), read(SCRIPT), "{key}");
    }
}

/// Runs a program; `None`, and a word about `what`, where it isn't there.
fn run(command: &mut Command, what: &str) -> Option<Output> {
    match command.output() {
        Ok(output) => Some(output),
        Err(error) => {
            skipped(format!("{} doesn't start ({error}), so {what}", command.get_program().display()));
            None
        }
    }
}

fn told(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

#[test]
fn argo_cd_and_kstatus_read_every_status_as_it_is_meant() {
    let what = "nobody asked Argo CD's Lua and kstatus (install Go: https://go.dev/dl/)";
    let go = |arguments: &[&str]| {
        let mut command = Command::new("go");
        command.args(arguments).current_dir(root().join("e2e/health"));
        run(command.env("GOWORK", "off").env("CGO_ENABLED", "0").env("GOFLAGS", "-mod=readonly"), what)
    };
    let Some(fetched) = go(&["mod", "download"]) else { return };
    if !fetched.status.success() {
        skipped(format!("the modules of e2e/health can't be fetched, so {what}: {}", told(&fetched)));
        return;
    }
    let tested = go(&["test", "./..."]).expect("Go has just started");
    assert!(tested.status.success(), "{}", told(&tested));
}
