//! Many files that hold together: teams with a namespace, services, a dataset and a contract each, partners, and
//! their grants.

use std::fmt::Write as _;
use std::path::Path;

use comity::api::Stage;
use e2e::{Error, Explain as _, Result};

/// What a team shares: that of the stories.
const GROUND: &str = include_str!("../../tests/life/ground.yaml");
/// How many grants a team gives: two for each partner, for a purpose each.
const GRANTS: usize = 30;
const PURPOSES: [&str; 2] = ["fraud-detection", "model-quality"];

/// Before a change of nearly everything, or after it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Version {
    Before,
    After,
}

/// Writes that many files into a folder.
pub fn write(folder: &Path, files: usize, version: Version) -> Result<()> {
    std::fs::create_dir_all(folder).explain("make a folder")?;
    let all = all(files, version)?;
    for (name, text) in all {
        std::fs::write(folder.join(name), text).explain("write a file")?;
    }
    Ok(())
}

/// All the files of a folder as one text, as kustomize writes it.
pub fn joined(folder: &Path) -> Result<String> {
    let mut paths: Vec<_> =
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.sort();
    let texts: Vec<String> = paths.iter().map(std::fs::read_to_string).collect::<Result<_, _>>()?;
    Ok(texts.join("\n---\n"))
}

/// Each file's name, and what is in it.
fn all(files: usize, version: Version) -> Result<Vec<(String, String)>> {
    let mut written = Vec::new();
    for partner in 0..GRANTS / PURPOSES.len() {
        written.push((format!("partner-{partner:02}.yaml"), self::partner(partner)?));
    }
    for team in 0.. {
        let documents = team_documents(team, version);
        let left = files.saturating_sub(written.len());
        if left <= documents.len() {
            break;
        }
        written.extend(documents);
        for number in 0..GRANTS.min(left) {
            written.push((format!("team-{team:03}-grant-{number:02}.yaml"), grant(team, number, version)));
        }
    }
    // What is left to the full number are bindings, which nobody looks at.
    let mut rest = 0;
    while written.len() < files {
        rest += 1;
        let binding = binding(rest)?;
        written.push((format!("rest-{rest:03}.yaml"), binding));
    }
    written.truncate(files);
    Ok(written)
}

/// A document of the ground, by its kind.
fn document(kind: &str) -> Result<&'static str> {
    let begins = format!("kind: {kind}\n");
    let found = GROUND.split("\n---\n").find(|document| document.contains(&begins));
    found.ok_or_else(|| Error::Failed(format!("the ground has no {kind}")))
}

fn partner(number: usize) -> Result<String> {
    let text = document("Partner")?.replace("  name: STORY", &format!("  name: partner-{number:02}"));
    Ok(text.replace("    from: Names\n    names: [STORY]", "    from: All"))
}

fn binding(number: usize) -> Result<String> {
    let text = document("RoleBinding")?.replace("STORY", "team-000");
    Ok(text.replace("  name: approvers", &format!("  name: approvers-{number}")))
}

/// What a team shares, but the partner, which all share.
fn team_documents(team: usize, version: Version) -> Vec<(String, String)> {
    let name = format!("team-{team:03}");
    let partners: Vec<String> =
        (0..GRANTS / PURPOSES.len()).map(|number| format!("partner-{number:02}")).collect();
    let mut text = GROUND.replace("partners: [STORY]", &format!("partners: [{}]", partners.join(", ")));
    if version == Version::After {
        text = text.replace("requestsPerMinute: 600", "requestsPerMinute: 900");
    }
    let text = text.replace("STORY", &name);
    let namespace = format!(
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n  labels: {{comity.dev/shares: \"true\"}}\n"
    );
    let documents = text.split("\n---\n").filter(|document| !document.contains("kind: Partner\n"));
    let documents = std::iter::once(namespace.as_str()).chain(documents);
    documents
        .enumerate()
        .map(|(number, document)| (format!("{name}-{number:02}.yaml"), document.to_owned()))
        .collect()
}

/// A team's grant, one for each partner and purpose.
pub fn grant(team: usize, number: usize, version: Version) -> String {
    let stage = if version == Version::After { Stage::Rehearsal } else { Stage::Sandbox };
    let (partner, purpose) = (number / PURPOSES.len(), PURPOSES[number % PURPOSES.len()]);
    let mut text = String::new();
    let _ = write!(
        text,
        "apiVersion: comity.dev/v1alpha1\nkind: PartnerGrant\nmetadata:\n  name: grant-{number:02}\n  \
         namespace: team-{team:03}\nspec:\n  partnerRef: {{name: partner-{partner:02}}}\n  \
         contractRef: {{name: fraud-scoring}}\n  stage: {stage}\n  purpose: {purpose}\n  operations: [Infer]\n  \
         stages:\n  - {{stage: Sandbox, duration: 1h}}\n  - {{stage: Rehearsal, duration: 1h}}\n  people:\n  \
         - {{name: ana@northpay.example, role: ModelEngineer}}\n  workloads:\n  \
         - {{name: scorer, operations: [Infer]}}\n  ticket: RISK-{number}\n"
    );
    text
}
