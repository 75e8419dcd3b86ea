//! The check of a pull request, on repositories made of the example: what is wider is told wherever it stands and however it
//! is written, and where it can't be told the check fails.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use super::folder::copy;
use super::kustomize::kustomize;
use super::skipped::skipped;
use super::{EXAMPLE, root, run, told};

const PERSON: &str = "  - {name: ana@northpay.example, role: ModelEngineer}\n";
const MALLORY: &str = "  - {name: mallory@northpay.example, role: ModelEngineer}\n";

/// A repository made of the example, with one commit, removed when it is dropped.
struct Repository {
    /// Where everything of it is.
    all: PathBuf,
    files: PathBuf,
}

impl Repository {
    /// `None` where git or kustomize isn't there.
    fn new(name: &str) -> Option<Self> {
        let all = std::env::temp_dir().join(format!("comity-gitops-{}-{name}", std::process::id()));
        // Of a run that was killed, and had the same number.
        drop(std::fs::remove_dir_all(&all));
        let repository = Self { files: all.join("files"), all };
        copy(&root().join(EXAMPLE), &repository.files);
        std::fs::create_dir_all(repository.all.join("tools")).expect("it can be made");
        if !kustomize(&repository.all.join("tools")) {
            let installing = "https://kubectl.docs.kubernetes.io/installation/kustomize";
            skipped(format!(
                "there is no kustomize ({installing}), so the check of a pull request wasn't tried"
            ));
            return None;
        }
        repository.git(&["init", "--quiet", "--initial-branch=main"])?;
        repository.commit();
        Some(repository)
    }

    fn git(&self, arguments: &[&str]) -> Option<Output> {
        let mut git = Command::new("git");
        let person =
            ["-c", "user.name=Ada", "-c", "user.email=ada@retail.example", "-c", "commit.gpgsign=false"];
        git.args(person).args(arguments).current_dir(&self.files).env("GIT_CONFIG_GLOBAL", "/dev/null");
        let output = run(&mut git, "the check of a pull request wasn't tried")?;
        assert!(output.status.success(), "{}", told(&output));
        Some(output)
    }

    fn commit(&self) {
        self.git(&["add", "--all"]).expect("git is there");
        self.git(&["commit", "--quiet", "--message", "As agreed"]).expect("git is there");
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.files.join(file)).expect("it is there")
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.files.join(file);
        std::fs::create_dir_all(path.parent().expect("it is in a folder")).expect("it can be made");
        std::fs::write(path, text).expect("it can be written");
    }

    fn remove(&self, file: &str) {
        std::fs::remove_file(self.files.join(file)).expect("it is there");
    }

    fn change(&self, file: &str, from: &str, to: &str) {
        let text = self.read(file);
        assert!(text.contains(from), "{file} has no {from}");
        self.write(file, &text.replacen(from, to, 1));
    }

    /// What the check says beside `base`: whether it is well, and everything that it printed.
    fn check(&self, base: &str) -> (bool, String) {
        let comity = Path::new(env!("CARGO_BIN_EXE_comity")).parent().expect("it is in a folder");
        let mut check = Command::new("bash");
        check
            .args(["-c", "PATH=$0:$1:$PATH exec ci/check.sh \"$2\""])
            .arg(self.all.join("tools"))
            .arg(comity);
        check.arg(base).current_dir(&self.files).env("GIT_CONFIG_GLOBAL", "/dev/null");
        let output =
            check.env_remove("GITHUB_ACTIONS").env_remove("COMITY_SUMMARY").output().expect("bash starts");
        let left = self.git(&["worktree", "list"]).expect("git is there");
        assert_eq!(told(&left).lines().count(), 1, "it leaves nothing behind: {}", told(&left));
        (output.status.success(), told(&output))
    }

    /// Commits, and has the check say each of these.
    fn says(&self, parts: &[&str]) -> (bool, String) {
        self.commit();
        let (is_well, said) = self.check("HEAD~1");
        for part in parts {
            assert!(said.contains(part), "{part} is missing:\n{said}");
        }
        (is_well, said)
    }
}

impl Drop for Repository {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.all));
    }
}

#[test]
fn a_pull_request_is_told_what_is_wrong_what_it_changes_and_who_must_approve() {
    let Some(repository) = Repository::new("told") else { return };
    repository.change("base/contract.yaml", "requestsPerMinute: 600", "requestsPerMinute: 900");
    repository.change("overlays/sandbox/grant.yaml", "stage: Sandbox", "stage: Rehearsal");
    let (is_well, said) = repository.says(&[
        "`overlays/production/`, `overlays/rehearsal/`: **wider**, once it is approved",
        "requests per minute of Infer: 600 → 900",
        "at least 1 of data-owners and 1 of security",
        "`overlays/sandbox/`: **wider**, once it is approved",
        "how far it may come: Sandbox → Rehearsal",
        "`base/contract.yaml` is changed",
    ]);
    assert!(is_well && !said.contains("nobody is asked"), "{said}");
    repository.change("base/contract.yaml", "maxDuration: 336h", "maxDuration: 9999h");
    let (is_well, _) = repository.says(&["stages[Sandbox].maxDuration"]);
    assert!(!is_well);
    repository.remove("platform/partner.yaml");
    let (is_well, _) =
        repository.says(&["`platform/partner.yaml` is deleted", "`overlays/sandbox/`: **can't be built**"]);
    assert!(!is_well);
}

#[test]
fn what_is_wider_is_told_in_whichever_file_it_stands() {
    let Some(repository) = Repository::new("wherever") else { return };
    repository.change("base/grant.yaml", PERSON, &format!("{PERSON}{MALLORY}"));
    let (own, others) = ("app.kubernetes.io/name: tx-synthetic}", "app.kubernetes.io/name: tx-made-up}");
    repository.change("base/services.yaml", own, others);
    let subject = "- {kind: Group, name: security, apiGroup: rbac.authorization.k8s.io}\n";
    repository.change(
        "platform/people.yaml",
        subject,
        &format!("{subject}{}", subject.replace("security", "everybody")),
    );
    repository.change(
        "overlays/production/kustomization.yaml",
        "- path: grant.yaml\n",
        "- path: grant.yaml\n- path: more.yaml\n",
    );
    let more = json!({"apiVersion": "comity.dev/v1alpha1", "kind": "SharingContract",
        "metadata": {"name": "fraud-scoring", "namespace": "risk-data"}, "spec": {"partners": ["northpay", "southpay"]}});
    repository.write("overlays/production/more.yaml", &more.to_string());
    let (is_well, said) = repository.says(&[
        "`overlays/production/`: **",
        "southpay",
        "person mallory@northpay.example as ModelEngineer",
        "the pods, or their ports, that serve it",
        "`overlays/production/`, `overlays/rehearsal/`, `overlays/sandbox/`: what isn't of Comity's kinds changes, \
            and **nobody is asked** before it is applied",
        "+RoleBinding approvers:   name: everybody",
        "`base/services.yaml` is changed",
        "`platform/people.yaml` is changed",
        "`overlays/production/kustomization.yaml` is changed",
        "`overlays/production/more.yaml` is new",
    ]);
    assert!(is_well, "{said}");
    assert_eq!(said.matches("partner southpay").count(), 1, "in production alone:\n{said}");
    assert_eq!(said.matches("name: everybody").count(), 1, "once of all:\n{said}");
}

#[test]
fn what_is_wider_is_told_however_it_is_written_and_whatever_its_file_is_called() {
    let Some(repository) = Repository::new("however") else { return };
    let contract =
        repository.read("base/contract.yaml").replace("requestsPerMinute: 600", "requestsPerMinute: 900");
    repository.write(
        "base/zürich.yml",
        &contract.replace("kind: SharingContract", "kind: \"SharingContract\" # x"),
    );
    repository.remove("base/contract.yaml");
    let grant = repository.read("base/grant.yaml").replace(PERSON, &format!("{PERSON}{MALLORY}"));
    let grant: Value = serde_saphyr::from_str(&grant).expect("YAML");
    repository.write("base/grant.json", &grant.to_string());
    repository.remove("base/grant.yaml");
    repository.change("base/kustomization.yaml", "contract.yaml", "zürich.yml");
    repository.change("base/kustomization.yaml", "grant.yaml", "grant.json");
    repository.write("base/a`b\n## Nothing.yaml", "");
    let (is_well, said) = repository.says(&[
        "`overlays/production/`: **wider**",
        "`overlays/rehearsal/`: **wider**",
        "`overlays/sandbox/`: **wider**",
        "requests per minute of Infer: 600 → 900",
        "person mallory@northpay.example as ModelEngineer",
        "`base/zürich.yml` is new",
        "`base/contract.yaml` is deleted",
        "`base/a?b?## Nothing.yaml` is new",
    ]);
    assert!(is_well, "{said}");
}

#[test]
fn an_overlay_that_is_new_or_gone_is_told_with_who_must_approve_and_what_nobody_is_asked_about() {
    let Some(repository) = Repository::new("overlays") else { return };
    let [from, to] = ["overlays/production", "overlays/another"].map(|folder| repository.files.join(folder));
    std::fs::rename(from, to).expect("it can be moved");
    repository.change("overlays/another/kustomization.yaml", "- ../../base\n", "- ../../base\n- more.yaml\n");
    let people = repository.read("platform/people.yaml");
    let binding = people.split("---\n").next().expect("the first one");
    let binding =
        binding.replace("name: sponsors", "name: everybody").replace("comity:requester", "comity:responder");
    repository.write("overlays/another/more.yaml", &binding);
    let (is_well, said) = repository.says(&[
        "`overlays/another/`: **new**",
        "it is agreed to by 2 people, at least 1 of data-owners and 1 of security",
        "+RoleBinding everybody: - apiGroup",
        "`overlays/production/`: deleted",
        "`overlays/another/more.yaml` is new",
    ]);
    assert!(is_well && !said.contains("RoleBinding approvers"), "{said}");
}

#[test]
fn where_it_cannot_be_told_what_changes_the_check_fails() {
    let Some(repository) = Repository::new("unknown") else { return };
    let (is_well, said) = repository.check("HEAD");
    assert!(is_well && said.ends_with("Nothing.\n"), "{said}");
    for base in ["nobody-knows-it", "0000000000000000000000000000000000000000"] {
        let (is_well, said) = repository.check(base);
        assert!(
            !is_well && said.contains("what changes can't be told") && !said.contains("Nothing."),
            "{said}"
        );
    }
    repository.change("base/kustomization.yaml", "- grant.yaml", "- not-there.yaml");
    repository.commit();
    repository.change("base/kustomization.yaml", "- not-there.yaml", "- grant.yaml");
    let (is_well, _) = repository.says(&["can't be compared", "`base/kustomization.yaml` is changed"]);
    assert!(!is_well);
}
