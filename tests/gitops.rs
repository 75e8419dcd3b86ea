//! Sharing from Git: what Argo CD is taught is the script that was tried, what tools read out of a status is what it says, and
//! the check of a pull request tells what a change means.
#![cfg(test)]

mod folder;
#[path = "../src/testing/skipped.rs"]
mod skipped;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use folder::copy;
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

/// A repository made of the example, with one commit, removed when it is dropped.
struct Repository(PathBuf);

impl Repository {
    /// `None` where git isn't there.
    fn new() -> Option<Self> {
        let folder = std::env::temp_dir().join(format!("comity-gitops-{}", std::process::id()));
        // Of a run that was killed, and had the same number.
        drop(std::fs::remove_dir_all(&folder));
        let repository = Self(folder);
        copy(&root().join(EXAMPLE), &repository.0);
        repository.git(&["init", "--quiet", "--initial-branch=main"])?;
        repository.commit();
        Some(repository)
    }

    fn git(&self, arguments: &[&str]) -> Option<()> {
        let mut git = Command::new("git");
        let person =
            ["-c", "user.name=Ada", "-c", "user.email=ada@retail.example", "-c", "commit.gpgsign=false"];
        git.args(person).args(arguments).current_dir(&self.0).env("GIT_CONFIG_GLOBAL", "/dev/null");
        let output = run(&mut git, "the check of a pull request wasn't tried")?;
        assert!(output.status.success(), "{}", told(&output));
        Some(())
    }

    fn commit(&self) {
        self.git(&["add", "--all"]).expect("git is there");
        self.git(&["commit", "--quiet", "--message", "As agreed"]).expect("git is there");
    }

    fn change(&self, file: &str, from: &str, to: &str) {
        let path = self.0.join(file);
        let text = std::fs::read_to_string(&path).expect("it is there");
        assert!(text.contains(from), "{file} has no {from}");
        std::fs::write(path, text.replacen(from, to, 1)).expect("it can be written");
    }

    /// What the check says of the last commit: whether it is well, and everything that it printed.
    fn check(&self) -> (bool, String) {
        let comity = Path::new(env!("CARGO_BIN_EXE_comity")).parent().expect("it is in a folder");
        let mut check = Command::new("bash");
        check.args(["-c", "PATH=$0:$PATH exec ci/check.sh HEAD~1"]).arg(comity).current_dir(&self.0);
        let output =
            check.env_remove("GITHUB_ACTIONS").env_remove("COMITY_SUMMARY").output().expect("bash starts");
        (output.status.success(), told(&output))
    }
}

impl Drop for Repository {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

#[test]
fn a_pull_request_is_told_what_is_wrong_what_it_changes_and_who_must_approve() {
    let what = "the check of a pull request wasn't tried (https://kubectl.docs.kubernetes.io/installation/kustomize)";
    if run(Command::new("kustomize").arg("version"), what).is_none() {
        return;
    }
    let Some(repository) = Repository::new() else { return };
    repository.change("base/contract.yaml", "requestsPerMinute: 600", "requestsPerMinute: 900");
    repository.change("overlays/sandbox/grant.yaml", "stage: Sandbox", "stage: Rehearsal");
    repository.commit();
    let (is_well, said) = repository.check();
    assert!(is_well, "{said}");
    for part in [
        "`base/contract.yaml` gets **wider**: once it is approved",
        "at least 1 of data-owners and 1 of security",
        "`overlays/sandbox/grant.yaml`: the grant may come as far as **Rehearsal**",
    ] {
        assert!(said.contains(part), "{part} is missing:\n{said}");
    }
    repository.change("base/contract.yaml", "maxDuration: 336h", "maxDuration: 9999h");
    repository.commit();
    let (is_well, said) = repository.check();
    assert!(!is_well && said.contains("stages[Sandbox].maxDuration"), "{said}");
    std::fs::remove_file(repository.0.join("platform/partner.yaml")).expect("it is there");
    repository.commit();
    let (is_well, said) = repository.check();
    assert!(!is_well && said.contains("`platform/partner.yaml` is deleted"), "{said}");
}
