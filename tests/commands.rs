//! The commands of the pages that need no cluster, run as they are written: where the page has its reader stand, with
//! the shell that its reader has.
#![cfg(test)]

mod folder;
mod kustomize;

#[path = "docs/commands.rs"]
mod commands;

#[path = "docs/markdown.rs"]
#[expect(dead_code, reason = "shared with what looks at the pages themselves")]
mod markdown;
#[path = "../src/testing/skipped.rs"]
mod skipped;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use commands::{commands, is_local};
use folder::copy;
use kustomize::kustomize;
use markdown::{pages, root};
use skipped::skipped;

/// What somebody stands in who shares from Git.
const GITOPS: &str = "examples/gitops";
/// The story's files, as somebody would call their own.
const OWN: [(&str, &str); 7] = [
    ("00-namespace.yaml", "namespace.yaml"),
    ("01-services.yaml", "services.yaml"),
    ("02-boundary.yaml", "boundary.yaml"),
    ("03-partner.yaml", "partner.yaml"),
    ("04-dataset.yaml", "dataset.yaml"),
    ("05-contract.yaml", "contract.yaml"),
    ("06-grant.yaml", "grant.yaml"),
];

/// A folder to stand in, removed when it is dropped.
struct Scene(PathBuf);

impl Scene {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("comity-commands-{}-{name}", std::process::id()));
        // Of a run that was killed, and had the same number.
        drop(std::fs::remove_dir_all(&folder));
        std::fs::create_dir_all(&folder).expect("it can be made");
        Self(folder)
    }

    /// A repository from which is shared, with a change that isn't committed yet.
    fn gitops() -> Self {
        let scene = Self::new("gitops");
        copy(&root().join(GITOPS), &scene.0);
        scene.committed();
        scene.changed("base/contract.yaml", "requestsPerMinute: 600", "requestsPerMinute: 900");
        scene
    }

    /// Somebody's own files, with a change that isn't committed yet.
    fn own() -> Self {
        let scene = Self::new("own");
        for (from, to) in OWN {
            let from = root().join("examples/fraud-scoring").join(from);
            std::fs::copy(from, scene.0.join(to)).expect("it can be copied");
        }
        scene.committed();
        scene.changed("contract.yaml", "192.0.2.0/28", "192.0.2.0/27");
        scene
    }

    fn committed(&self) {
        let git = "git init --quiet --initial-branch=main && git add --all \
            && git commit --quiet --message 'As agreed' && git update-ref refs/remotes/origin/main HEAD";
        let output = run(git, &self.0, &[]);
        assert!(output.status.success(), "{}", told(&output));
    }

    fn changed(&self, file: &str, from: &str, to: &str) {
        let path = self.0.join(file);
        let text = std::fs::read_to_string(&path).expect("it is there");
        assert!(text.contains(from), "{file} has no {from}");
        std::fs::write(path, text.replacen(from, to, 1)).expect("it can be written");
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Runs a command of a shell's, with these folders and Comity's before all others on the path.
fn run(command: &str, folder: &Path, first: &[&Path]) -> Output {
    let comity = Path::new(env!("CARGO_BIN_EXE_comity")).parent().expect("it is in a folder");
    let before: Vec<String> =
        first.iter().copied().chain([comity]).map(|folder| folder.display().to_string()).collect();
    let mut bash = Command::new("bash");
    bash.args(["-o", "pipefail", "-c", &format!("PATH=\"$0:$PATH\"\n{command}")]).arg(before.join(":"));
    bash.current_dir(folder);
    for (name, value) in [("NAME", "Ada"), ("EMAIL", "ada@retail.example")] {
        bash.env(format!("GIT_AUTHOR_{name}"), value).env(format!("GIT_COMMITTER_{name}"), value);
    }
    bash.env("GIT_CONFIG_GLOBAL", "/dev/null").env("NO_COLOR", "1").output().expect("bash starts")
}

fn told(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

/// Whether a command may end so: what differs is told by the code.
fn is_expected(command: &str, code: Option<i32>) -> bool {
    match code {
        Some(0) => true,
        Some(3..=5) => command.contains("comity diff "),
        _ => false,
    }
}

#[test]
fn the_commands_of_the_pages_that_need_no_cluster_do_what_they_say() {
    let tools = Scene::new("tools");
    let has_kustomize = kustomize(&tools.0);
    let (gitops, own) = (Scene::gitops(), Scene::own());
    let (mut ran, mut failed) = (Vec::new(), Vec::new());
    for page in pages() {
        let blocks = page.fences.iter().filter(|(language, _)| language == "sh");
        for command in blocks.flat_map(|(_, block)| commands(block)).filter(|command| is_local(command)) {
            if command.contains("kustomize ") && !has_kustomize {
                skipped(format!("{command} ({}): there is neither kustomize nor kubectl here", page.path));
                continue;
            }
            let shares = ["overlays/", "base/", "--recursive", "git commit"];
            let folder = match command.as_str() {
                command if command.contains("examples/") => root(),
                command if shares.iter().any(|word| command.contains(word)) => gitops.0.clone(),
                _ => own.0.clone(),
            };
            let output = run(&command, &folder, &[&tools.0]);
            if !is_expected(&command, output.status.code()) {
                failed.push(format!("{}: {command}: {}\n{}", page.path, output.status, told(&output)));
            }
            ran.push((page.path.clone(), command));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    for page in ["check-files", "gitops", "onboard-a-partner", "write-a-contract"] {
        let path = format!("docs/{page}.md");
        assert!(ran.iter().any(|(page, _)| *page == path), "{path} has no command that was run: {ran:#?}");
    }
    let sarif = std::fs::read_to_string(gitops.0.join("comity.sarif")).expect("a page writes it");
    let sarif: serde_json::Value = serde_json::from_str(&sarif).expect("JSON");
    assert_eq!(sarif["version"], "2.1.0");
}

#[test]
fn what_needs_a_cluster_is_left_out_and_a_command_that_goes_on_is_one() {
    let block =
        "comity plan \\\n  sharing/    # what would be made\nkubectl get partnergrants\ncomity status a\n";
    let all = commands(block);
    assert_eq!(all.len(), 3);
    assert_eq!(all.iter().filter(|command| is_local(command)).count(), 1);
    let block = "while read -r line; do\n  echo \"$line\"\ndone < lines\nkubectl get a |\n  kubectl create -f -\necho b\n";
    let all = commands(block);
    assert_eq!(all.len(), 3, "{all:?}");
    assert_eq!(all[0], "while read -r line; do\necho \"$line\"\ndone < lines");
    assert!(!is_expected("comity validate -", Some(1)) && !is_expected("comity diff a b", Some(2)));
    assert!(is_expected("comity diff a b", Some(4)) && !is_expected("comity validate -", Some(4)));
}
