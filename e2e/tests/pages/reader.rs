//! Somebody who follows the pages: in a folder of their own with what the repository has, with the shell that people
//! have, and at a terminal where they are asked.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use e2e::comity::command::{Answer, Desk};
use e2e::comity::people::{OLGA, PER};
use e2e::comity::{binary, repository};
use e2e::{Cluster, Error, Explain as _, Result};
use serde_json::{Value, json};

use super::commands::{commands, is_local};
use super::folder::copy;
use super::lists::{LEFT, OTHERWISE, begins, said};
use super::markdown::pages;

/// How long one command may take.
const PATIENCE: Duration = Duration::from_secs(150);

/// Commands that are another person's than the administrator's.
const OF_OLGA: &str = "comity approve northpay-fraud -n";
const OF_PER: &str = "comity approve northpay-fraud production";

/// Words that nothing says that went well.
const NEVER: &str = "BROKEN";

/// What the pages' commands take beside kubectl and comity.
const TOOLS: [&str; 4] = ["kubectl", "jq", "openssl", "sha256sum"];

/// Whether there is all that the commands take; says what is missing.
pub fn has_tools() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |tool: &&str| std::env::split_paths(&path).any(|folder| folder.join(tool).is_file());
    let missing: Vec<&str> = TOOLS.into_iter().filter(|tool| !is_there(tool)).collect();
    if !missing.is_empty() {
        e2e::skipped(format!(
            "the commands of the pages take {}, which isn't installed here",
            missing.join(", ")
        ));
    }
    missing.is_empty()
}

/// The commands of a page that take a cluster, in their order.
pub fn commands_of(page: &str) -> Vec<String> {
    let all = pages_with_commands().into_iter().find(|(path, _)| path == page);
    all.map(|(_, commands)| commands).unwrap_or_default()
}

/// The pages for users that have commands which take a cluster, with them.
pub fn pages_with_commands() -> Vec<(String, Vec<String>)> {
    let is_for_users = |path: &str| {
        let of_docs = path.strip_prefix("docs/").is_some_and(|rest| !rest.contains('/'));
        of_docs || path.starts_with("examples/")
    };
    let all = pages().into_iter().filter(|page| is_for_users(&page.path)).map(|page| {
        let blocks =
            page.fences.iter().filter(|(language, _)| ["sh", "console", "bash"].contains(&language.as_str()));
        let commands = blocks.flat_map(|(_, block)| commands(block)).filter(|command| !is_local(command));
        (page.path.clone(), commands.collect::<Vec<_>>())
    });
    all.filter(|(_, commands)| !commands.is_empty()).collect()
}

/// Somebody who follows the pages.
pub struct Reader {
    folder: PathBuf,
    admin: Desk,
    olga: Desk,
    per: Desk,
    failed: Vec<String>,
}

impl Reader {
    /// Somebody before the first page.
    pub async fn of(cluster: &Cluster) -> Result<Self> {
        let folder = cluster.directory().join("reader");
        stand_in(&folder, &binary().await?).explain("lay out what a reader has")?;
        let person = async |who| Ok::<_, Error>(Desk::of(cluster, who, "default").await?.at_a_shell());
        let (olga, per) = (person(OLGA).await?, person(PER).await?);
        let reader = Self { folder, admin: Desk::of_admin(cluster), olga, per, failed: Vec::new() };
        // What the platform has installed that the example's contract names.
        let class = "kubectl apply --server-side -f examples/fraud-scoring/demo/01-runtime-class.yaml";
        let answer = reader.gives(class).await?;
        if answer.code == 0 { Ok(reader) } else { Err(Error::Failed(answer.out)) }
    }

    /// Does what a page says, from its first to its last command.
    pub async fn follow(&mut self, page: &str) -> Result<()> {
        let began = Instant::now();
        for command in commands_of(page) {
            if begins(&LEFT, page, &command) {
                continue;
            }
            let answer = self.gives(&command).await?;
            let words = said(&OTHERWISE, page, &command);
            let is_well = words.is_none() == (answer.code == 0);
            let says = words.is_none_or(|words| answer.out.contains(words)) && !answer.out.contains(NEVER);
            if !(is_well && says) {
                let Answer { code, out, .. } = answer;
                self.failed.push(format!("{page}: {command}\nended with {code}, and said:\n{out}"));
            }
        }
        eprintln!("{page}: {:.1} s", began.elapsed().as_secs_f64());
        Ok(())
    }

    /// All of it went as the pages say, or what didn't.
    pub fn came_through(self) -> Result<()> {
        if self.failed.is_empty() { Ok(()) } else { Err(Error::Failed(self.failed.join("\n\n"))) }
    }

    /// Gives a command, as whoever gives such ones. What it sets is known to those after it.
    async fn gives(&self, command: &str) -> Result<Answer> {
        let desk = match command {
            command if command.starts_with(OF_OLGA) => &self.olga,
            command if command.starts_with(OF_PER) => &self.per,
            _ => &self.admin,
        };
        let folder = self.folder.display();
        let keep: Vec<String> = set_by(command).map(|name| format!("declare -p {name} >> .set\n")).collect();
        let keep = keep.concat();
        let script = format!(
            "set -o pipefail\nexport HOME='{folder}' PATH='{folder}/.bin':\"$PATH\"\ncd '{folder}'\n. ./.set\n\
             {command}\ncode=$?\n{keep}exit $code"
        );
        // Where somebody is asked why, and whether they mean it.
        let answers = if command.contains("--reason") { "yes\n" } else { "The page says so\nyes\n" };
        let words = ["-c", script.as_str()];
        let given = tokio::time::timeout(PATIENCE, desk.types(&words, answers));
        given.await.map_err(|_| Error::Failed(format!("after {PATIENCE:?} there is no end of: {command}")))?
    }
}

/// The names that a command sets.
fn set_by(command: &str) -> impl Iterator<Item = &str> {
    let set = command.lines().filter_map(|line| Some(line.split_once('=')?.0));
    set.filter(|name| !name.is_empty() && name.chars().all(|one| one.is_ascii_alphabetic() || one == '_'))
}

/// Lays out what a reader has: the repository's files, the programs, and a pod of the partner's.
fn stand_in(folder: &Path, comity: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder.join(".bin"))?;
    fs::write(folder.join(".set"), "")?;
    for name in ["comity", "kubectl-comity"] {
        std::os::unix::fs::symlink(comity, folder.join(".bin").join(name))?;
    }
    std::os::unix::fs::symlink(repository().join("install.yaml"), folder.join("install.yaml"))?;
    copy(&repository().join("examples"), &folder.join("examples"));
    // Nobody waits for a day here: that is the only word that is another one.
    let contract = folder.join("examples/fraud-scoring/05-contract.yaml");
    let text = fs::read_to_string(&contract)?;
    assert!(text.contains("soak: 24h"), "the example's contract has another soak");
    fs::write(contract, text.replace("soak: 24h", "soak: 1s"))?;
    fs::write(folder.join("pod.yaml"), pod().to_string())
}

/// A pod of the Deployment that the pages show.
fn pod() -> Value {
    let page =
        pages().into_iter().find(|page| page.path == "docs/onboard-a-partner.md").expect("there is the page");
    let shown =
        page.fences.iter().find(|(language, text)| language == "yaml" && text.contains("kind: Deployment"));
    let (_, shown) = shown.expect("it shows a Deployment");
    let shown: Value = serde_saphyr::from_str(shown).expect("YAML");
    let template = &shown["spec"]["template"];
    let metadata = json!({"name": "scorer", "labels": template["metadata"]["labels"]});
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})
}
