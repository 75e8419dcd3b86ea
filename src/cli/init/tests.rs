//! What `comity init` asks, and that what it writes stands: also beside the platform's own objects.

use std::path::Path;

use serde_json::Value;

use super::answer::{Answers, Given};
use super::template::files;
use super::{sound, write};
use crate::api::Stage;
use crate::cli::files::read::Source;
use crate::cli::person::Stop;
use crate::cli::validate::{Examination, Look, Severity, errors};
use crate::policy::testing::instant;

const NOW: &str = "2026-12-01T00:00:00Z";

fn given() -> Given {
    let text = |text: &str| Some(text.to_owned());
    Given {
        namespace: text("risk-data"),
        partner: text("northpay"),
        dataset: text("orders"),
        fields: text("amount_band, no, 007,amount_band"),
        purpose: text("fraud-detection"),
        owners: None,
        until: None,
    }
}

fn answered(given: Given, asks: bool, said: &str) -> (Result<Answers, Stop>, String) {
    let mut asked = Vec::new();
    let answers = Answers::of(given, asks, instant(NOW), &mut said.as_bytes(), &mut asked);
    (answers, String::from_utf8(asked).expect("text"))
}

fn answers() -> Answers {
    answered(given(), false, "").0.expect("all is given")
}

#[test]
fn with_flags_nothing_is_asked() {
    let (answers, asked) = answered(given(), true, "\n\n");
    let answers = answers.expect("it is answered");
    assert_eq!(answers.fields, ["amount_band", "no", "007"]);
    assert_eq!((answers.owners.as_str(), answers.until.as_str()), ("data-owners", "2027-12-01"));
    assert_eq!(
        asked,
        "Which group owns the data, and approves production? [data-owners] Until which day at the latest? [2027-12-01] "
    );
}

#[test]
fn what_is_not_given_is_asked_and_asked_again_where_it_cannot_be_read() {
    let said = "Risk Data\nrisk-data\nnorthpay\norders\nfraud-detection\n\na field\namount,band\ntomorrow\n2028-02-29\n";
    let (answers, asked) = answered(Given::default(), true, said);
    let answers = answers.expect("it is answered");
    assert_eq!((answers.namespace.as_str(), answers.until.as_str()), ("risk-data", "2028-02-29"));
    assert!(asked.contains("use lower case letters") && asked.contains("isn't a field's name"), "{asked}");
    assert!(asked.contains("write the day as 2027-12-31"), "{asked}");
}

#[test]
fn where_nobody_can_be_asked_what_is_missing_is_named() {
    let refused = |given: Given, asks: bool, said: &str| {
        answered(given, asks, said).0.expect_err("it is refused").to_string()
    };
    assert_eq!(refused(Given::default(), false, ""), "there is no terminal to ask on: give --namespace");
    assert!(
        refused(Given { fields: Some(",".to_owned()), ..given() }, false, "")
            .contains("--fields ,: name at least one")
    );
    assert!(refused(Given::default(), true, "").contains("nothing was written"));
    assert!(refused(Given::default(), true, "A\nB\nC\n").contains("nothing was written"));
}

#[test]
fn what_is_written_stands_by_itself_and_beside_the_platforms_own() {
    let files = files(&answers());
    sound(&files, instant(NOW)).expect("it stands by itself");
    let text = |name: &str| {
        files.iter().find(|(known, _)| *known == name).map(|(_, text)| text.clone()).expect("a file")
    };
    let story = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/fraud-scoring");
    let story = |name: &str| std::fs::read_to_string(story.join(name)).expect("it can be read");
    let services = story("01-services.yaml").replace("tx-features", "orders-real").replace("tx-", "orders-");
    let promoted = text("grant.yaml").replace("  stage: Sandbox\n", "  stage: Production\n");
    let all = [
        story("00-namespace.yaml"),
        services,
        story("02-boundary.yaml"),
        story("03-partner.yaml"),
        text("dataset.yaml"),
        text("contract.yaml"),
        promoted,
    ];
    let source = |text: String| Source { name: "a.yaml".to_owned(), path: None, is_named: true, text };
    let sources: Vec<Source> = all.into_iter().map(source).collect();
    let found = Examination::of(&sources, Look { namespace: "default", now: instant(NOW), strict: true });
    assert_eq!(errors(&found), [] as [String; 0]);
    assert_eq!(found.count(Severity::Warning), 0);
    let grants: Vec<Stage> = found.world.grants.values().map(|known| known.object.spec.stage).collect();
    assert_eq!(grants, [Stage::Production]);
}

#[test]
fn every_part_is_explained_and_names_that_yaml_reads_otherwise_stay_text() {
    for (name, text) in files(&answers()) {
        assert!(text.lines().filter(|line| line.trim_start().starts_with('#')).count() >= 3, "{name}");
        assert!(text.lines().all(|line| line.len() <= 120), "{name}");
    }
    let contract = files(&answers()).swap_remove(1).1;
    let contract: Value = serde_saphyr::from_str(&contract).expect("YAML");
    assert_eq!(contract.pointer("/spec/dataScope/datasets/0/fields/1"), Some(&Value::from("no")));
    assert_eq!(contract.pointer("/spec/dataScope/datasets/0/fields/2"), Some(&Value::from("007")));
}

#[test]
fn answers_that_nothing_stands_with_are_refused_before_anything_is_written() {
    let long = Answers { purpose: "p".repeat(63), ..answers() };
    let refused = sound(&files(&long), instant(NOW)).expect_err("the grant's name is too long").to_string();
    assert!(refused.contains("grant.yaml") && refused.contains("at most 63"), "{refused}");
    let over = Answers { until: "2020-01-01".to_owned(), ..answers() };
    assert!(sound(&files(&over), instant(NOW)).expect_err("it is over").to_string().contains("notAfter"));
}

#[test]
fn a_file_that_is_there_is_left() {
    let folder = std::env::temp_dir().join(format!("comity-init-{}", std::process::id()));
    drop(std::fs::remove_dir_all(&folder));
    let files = files(&answers());
    write(&folder, &files).expect("there is none");
    std::fs::remove_file(folder.join("grant.yaml")).expect("it was written");
    let refused = write(&folder, &files).expect_err("two are there").to_string();
    assert!(refused.starts_with("dataset.yaml, contract.yaml is there already"), "{refused}");
    assert!(!folder.join("grant.yaml").exists(), "nothing is written");
    std::fs::remove_dir_all(folder).expect("it was made here");
}
