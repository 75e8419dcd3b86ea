//! Whose review a pull request needs: what the example says of it, and the file that GitHub and GitLab read.

use std::path::Path;

use super::{EXAMPLE, read, root};

/// Where the CI's files go, and from where GitHub and GitLab would read another CODEOWNERS.
const ELSEWHERE: [&str; 4] =
    [".github/workflows/sharing.yaml", ".gitlab-ci.yml", ".github/CODEOWNERS", ".gitlab/CODEOWNERS"];

/// The lines of CODEOWNERS: a pattern each, and its owner.
fn lines() -> Vec<(String, String)> {
    let text = read(&format!("{EXAMPLE}/CODEOWNERS"));
    let said = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        // Of several owners either may approve, so that another one is no further review.
        let &[pattern, owner] = words.as_slice() else { panic!("one pattern and one owner, not {line}") };
        // Other patterns mean something, too, but not to this test.
        let is_known = pattern == "*" || (pattern.starts_with('/') && pattern.ends_with('/'));
        assert!(
            is_known && !pattern.trim_matches('/').contains(['*', '?', '[', '\\', '!']) || pattern == "*"
        );
        let is_team = owner.strip_prefix("@retail/").is_some_and(|team| !team.is_empty());
        assert!(is_team && !owner.contains(','), "{owner} is no team");
        (pattern.to_owned(), owner.to_owned())
    };
    said.map(line).collect()
}

/// Who owns a file by CODEOWNERS: the last line that matches says it.
fn owner<'a>(lines: &'a [(String, String)], file: &str) -> &'a str {
    let matching = |pattern: &str| pattern == "*" || format!("/{file}").starts_with(pattern);
    let last = lines.iter().rev().find(|(pattern, _)| matching(pattern));
    last.map_or("nobody", |(_, owner)| owner)
}

/// What the example's page says: a folder each, and whose review it needs; the empty one is everything else.
fn table() -> Vec<(String, String)> {
    let text = read(&format!("{EXAMPLE}/README.md"));
    let rows = text.lines().filter(|line| line.contains("`@retail/"));
    let row = |row: &str| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let folder = cells[0].split_once("](").map_or("", |(_, rest)| rest.trim_end_matches(')'));
        assert!(folder.ends_with('/') || cells[0] == "everything else", "{row}");
        (folder.to_owned(), cells[2].trim_matches('`').to_owned())
    };
    rows.map(row).collect()
}

fn files(folder: &Path, inside: &str, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("it can be listed") {
        let entry = entry.expect("it can be listed");
        let name = format!("{inside}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            files(&entry.path(), &format!("{name}/"), found);
        } else {
            found.push(name);
        }
    }
}

#[test]
fn every_file_has_the_one_owner_whose_review_the_page_promises() {
    let (lines, table) = (lines(), table());
    let mut all: Vec<String> = ELSEWHERE.map(str::to_owned).into();
    files(&root().join(EXAMPLE), "", &mut all);
    assert!(all.len() > 20, "{all:?}");
    for file in &all {
        let said = table.iter().filter(|(folder, _)| file.starts_with(folder.as_str()));
        let said = said.max_by_key(|(folder, _)| folder.len()).expect("everything else is a row");
        assert_eq!(owner(&lines, file), said.1, "{file}");
    }
    for (folder, _) in &table {
        assert!(all.iter().any(|file| file.starts_with(folder.as_str())), "{folder} isn't there");
    }
}

#[test]
fn who_writes_what_production_may_be_does_not_review_it() {
    let lines = lines();
    let overlays =
        ["sandbox", "production"].map(|stage| owner(&lines, &format!("overlays/{stage}/grant.yaml")));
    assert_eq!(overlays, ["@retail/risk", "@retail/security"]);
    let ways_around = ["CODEOWNERS", "platform/people.yaml", "ci/check.sh", "argocd/application.yaml"];
    for file in ways_around.into_iter().chain(ELSEWHERE) {
        assert_eq!(owner(&lines, file), "@retail/platform", "{file}");
    }
}
