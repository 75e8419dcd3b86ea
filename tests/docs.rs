//! What is written for people: links lead somewhere, code can be read, files that are named are
//! there, and nothing that somebody may meet is left unexplained.
#![cfg(test)]

#[path = "docs/markdown.rs"]
mod markdown;

use std::path::Path;

use markdown::{Page, pages, root};

/// What of a page's links leads nowhere.
fn dead_links(page: &Page, all: &[Page]) -> Vec<String> {
    let folder = Path::new(&page.path).parent().unwrap_or(Path::new(""));
    let dead = |link: &&String| {
        let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
        let target = if path.is_empty() { page.path.clone() } else { markdown::normal(&folder.join(path)) };
        let heading = |page: &Page| page.headings.iter().any(|heading| heading == anchor);
        !root().join(&target).exists()
            || !anchor.is_empty() && !all.iter().any(|page| page.path == target && heading(page))
    };
    page.links.iter().filter(dead).map(|link| format!("{}: {link}", page.path)).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let all = pages();
    assert!(all.len() > 20, "the walk found the pages");
    let dead: Vec<String> = all.iter().flat_map(|page| dead_links(page, &all)).collect();
    assert!(dead.is_empty(), "{dead:#?}");
}

/// mdbook leaves out what its table of contents doesn't name.
#[test]
fn every_page_of_the_documentation_is_in_the_book_once() {
    let all = pages();
    let contents = &all.iter().find(|page| page.path == "docs/SUMMARY.md").expect("it is there").links;
    let inside = all.iter().filter_map(|page| page.path.strip_prefix("docs/"));
    let times = |path: &str| contents.iter().filter(|link| *link == path).count();
    let wrong: Vec<&str> = inside.filter(|path| *path != "SUMMARY.md" && times(path) != 1).collect();
    assert!(wrong.is_empty(), "name {wrong:?} once in src/cli/reference/summary.txt, and `generate --write`");
    let book = std::fs::read_to_string(root().join("book.toml")).expect("it is there");
    assert!(book.contains("\nsrc = \"docs\"\n"), "{book}");
}

#[test]
fn a_dead_link_is_found() {
    let text =
        "# A heading\n[a](nowhere.md) [b](#a-heading) [c](#no-heading) [d](https://example.com) `[e](f)`\n";
    let page = Page::new("README.md", text);
    assert_eq!(
        dead_links(&page, std::slice::from_ref(&page)),
        ["README.md: nowhere.md", "README.md: #no-heading"]
    );
}

#[test]
fn every_yaml_and_json_can_be_read() {
    let mut read = 0;
    for page in pages() {
        for (language, code) in &page.fences {
            if matches!(language.as_str(), "yaml" | "json") {
                let found: Result<Vec<serde_json::Value>, _> = serde_saphyr::from_multiple(code);
                found.unwrap_or_else(|error| panic!("{}: {error}\n{code}", page.path));
                read += 1;
            }
        }
    }
    assert!(read > 1, "the walk found the code");
}

#[test]
fn files_that_commands_name_are_there() {
    for page in pages() {
        for (_, code) in page.fences.iter().filter(|(language, _)| language == "sh") {
            let words = code.split_whitespace().map(|word| word.trim_matches(['"', '\'']));
            let files = words.filter(|word| word.starts_with("examples/") || word.starts_with("charts/"));
            for file in files.chain(code.contains("install.yaml").then_some("install.yaml")) {
                assert!(root().join(file).exists(), "{}: {file} isn't there", page.path);
            }
        }
    }
}

/// The words in the first column of the tables of the generated page of words, under a heading.
fn words(heading: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join("docs/reference/words.md")).expect("it is there");
    let (_, section) = text.split_once(&format!("## {heading}\n")).expect("the heading is there");
    let section = section.split("\n## ").next().unwrap_or_default();
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    cells.map(ToOwned::to_owned).collect()
}

#[test]
fn every_reason_has_a_row_that_says_what_to_do() {
    let text = std::fs::read_to_string(root().join("docs/troubleshoot.md")).expect("it is there");
    let reasons = words("Reasons of conditions");
    assert!(reasons.len() > 30, "{reasons:?}");
    assert_eq!(without_row(&text, &reasons), [""; 0], "docs/troubleshoot.md says nothing of them");
}

/// Those of some words of which no table in a text has a row.
fn without_row<'a>(text: &str, words: &'a [String]) -> Vec<&'a str> {
    let all = words.iter().map(String::as_str);
    all.filter(|word| !text.contains(&format!("\n| `{word}` | "))).collect()
}

/// Decisions have one of their own, of which another page tells.
#[test]
fn every_condition_of_a_grant_has_a_row_that_says_what_it_means() {
    let text = std::fs::read_to_string(root().join("docs/read-a-status.md")).expect("it is there");
    let (_, section) = text.split_once("\n## Conditions\n").expect("the heading is there");
    let section = section.split("\n## ").next().unwrap_or_default();
    let mut conditions = words("Conditions");
    conditions.retain(|condition| condition != "Taken");
    assert!(conditions.len() > 7, "{conditions:?}");
    assert_eq!(without_row(section, &conditions), [""; 0], "docs/read-a-status.md says nothing of them");
}

/// What a security team reads: each promise with a test that fails where it is broken, and each process.
#[test]
fn every_promise_has_a_test_and_every_process_is_looked_at_as_stolen() {
    let text = std::fs::read_to_string(root().join("docs/security-model.md")).expect("it is there");
    for number in 1..=10 {
        let (_, promise) = text.split_once(&format!("\n### P{number}: ")).expect("it is promised");
        let promise = promise.split("\n##").next().unwrap_or_default();
        for word in ["**Held by**", "**See it**", ".rs::"] {
            assert!(promise.contains(word), "P{number} has no {word}");
        }
    }
    for process in ["run", "sign", "rehearse"] {
        let (_, cage) = text.split_once(&format!("\n### comity {process}\n")).expect("it is there");
        let cage = cage.split("\n##").next().unwrap_or_default();
        for word in ["| writes |", "| can't |", "**with its token stolen**", ".rs::"] {
            assert!(cage.contains(word), "comity {process} has no {word}");
        }
    }
}

#[test]
fn what_nothing_holds_yet_is_said_where_people_begin() {
    for file in ["README.md", "charts/comity/templates/NOTES.txt"] {
        let text = std::fs::read_to_string(root().join(file)).expect("it is there").to_lowercase();
        for clause in ["anomaly", "models", "logging", "retention", "declaredonly"] {
            assert!(text.contains(clause), "{file} says nothing of {clause}");
        }
    }
}

/// The tests that a page names, as `file::test`, and that aren't there.
fn missing_tests(text: &str) -> (usize, Vec<String>) {
    let quoted = text.split('`').skip(1).step_by(2);
    let named: Vec<(&str, &str)> =
        quoted.filter_map(|word| word.split_once(".rs::")).filter(|(_, test)| !test.contains(' ')).collect();
    let is_missing = |(file, test): &&(&str, &str)| {
        let source = std::fs::read_to_string(root().join(format!("{file}.rs"))).unwrap_or_default();
        let (_, after) = source.split_once(&format!("fn {test}(")).unwrap_or_default();
        after.is_empty()
    };
    let missing = named.iter().filter(is_missing).map(|(file, test)| format!("{file}.rs::{test}"));
    (named.len(), missing.collect())
}

#[test]
fn every_test_that_is_named_is_there() {
    let mut named = 0;
    for page in pages() {
        let text = std::fs::read_to_string(root().join(&page.path)).expect("it is there");
        let (count, missing) = missing_tests(&text);
        assert!(missing.is_empty(), "{} names {missing:#?}", page.path);
        named += count;
    }
    assert!(named > 40, "the walk found the tests");
    let (_, missing) =
        missing_tests("`tests/docs.rs::every_test_that_is_named_is_there` `tests/docs.rs::none`");
    assert_eq!(missing, ["tests/docs.rs::none"]);
}

/// What was read of the nearest projects: a row for each defect, and a test in each row.
#[test]
fn every_defect_that_was_read_elsewhere_has_a_test() {
    let text = std::fs::read_to_string(root().join("docs/how-others-got-it-wrong.md")).expect("it is there");
    let rows: Vec<&str> =
        text.lines().filter(|line| line.starts_with("| ") && !line.contains("| test |")).collect();
    assert!(rows.len() >= 22 + 16, "{}", rows.len());
    let bare: Vec<_> = rows.iter().filter(|row| !row.contains(".rs::")).collect();
    assert!(bare.is_empty(), "{bare:#?}");
}
