//! What `comity diff` tells, answers and refuses.

use super::object::Object;
use super::report::Report;
use super::{Arguments, Colours, Comparison, Format, exit_code};

const CONTRACT: &str = include_str!("../../../examples/fraud-scoring/05-contract.yaml");
const BOUNDARY: &str = include_str!("../../../examples/fraud-scoring/02-boundary.yaml");
const DATASET: &str = include_str!("../../../examples/fraud-scoring/04-dataset.yaml");
const PARTNER: &str = include_str!("../../../examples/fraud-scoring/03-partner.yaml");

fn object(text: &str) -> Object {
    Object::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

/// `text` with each of some words replaced, which have to be there.
fn edited(text: &str, edits: &[(&str, &str)]) -> String {
    edits.iter().fold(text.to_owned(), |text, (old, new)| {
        assert!(text.contains(old), "{old} isn't there any more");
        text.replace(old, new)
    })
}

fn report(old: &str, new: &str, boundaries: &[&str]) -> Report {
    let boundaries: Vec<Object> = boundaries.iter().map(|text| object(text)).collect();
    Report::of(&object(old), &object(new), &boundaries).expect("they can be compared")
}

fn changed() -> String {
    edited(
        CONTRACT,
        &[
            ("device_hash]", "]"),
            ("merchant_category, ", "merchant_category"),
            ("192.0.2.0/28", "192.0.2.0/27"),
            ("06:00", "05:00"),
            ("kata-cc", "gvisor"),
            ("reason: score return", "reason: scores"),
            ("    - {name: security, atLeast: 1}\n", ""),
            ("required: 2", "required: 1"),
        ],
    )
}

#[test]
fn a_changed_contract_is_told_in_sentences() {
    insta::assert_snapshot!(report(CONTRACT, &changed(), &[]).text(false));
}

#[test]
fn a_boundary_adds_its_approvals() {
    let without = edited(
        &changed(),
        &[
            ("  approvals:\n", "  # approvals:\n"),
            ("  - stage: Production\n    required", "  #\n  #  required"),
        ],
    );
    let without = without.replace(
        "    groups:\n    - {name: data-owners, atLeast: 1}\n    pendingFor: 168h\n    validFor: 72h\n",
        "",
    );
    let told = report(&without, &edited(&without, &[("05:00", "04:00")]), &[BOUNDARY]).text(false);
    assert!(told.contains("  Sandbox     nobody\n"), "{told}");
    assert!(told.contains("  Production  2 people, at least 1 of security\n"), "{told}");
    assert!(!told.contains("--boundary"), "{told}");
    let told = report(&without, &edited(&without, &[("05:00", "04:00")]), &[]).text(false);
    assert!(told.contains("  Production  1 person\n"), "production can't be without: {told}");
}

#[test]
fn a_changed_contract_is_told_as_json() {
    insta::assert_snapshot!(report(CONTRACT, &changed(), &[BOUNDARY]).json().expect("JSON"));
}

#[test]
fn each_kind_is_compared_and_each_outcome_has_its_code() {
    let shorter = [("max: 720h", "max: 24h")];
    for (old, new, comparison, code, says) in [
        (CONTRACT, CONTRACT.to_owned(), Comparison::Equal, 0, "risk-data/fraud-scoring: equal\n"),
        (DATASET, edited(DATASET, &shorter), Comparison::Narrower, 3, "Nobody has to approve"),
        (PARTNER, edited(PARTNER, &[("2036", "2037")]), Comparison::Wider, 4, "validity of iso27001"),
        (
            BOUNDARY,
            edited(BOUNDARY, &[("4h", "2h"), ("liveGrants", "#")]),
            Comparison::Both,
            5,
            "waits for the approvals",
        ),
    ] {
        let report = report(old, &new, &[]);
        assert_eq!(
            (report.comparison, exit_code(report.comparison)),
            (comparison, code),
            "{}",
            report.text(false)
        );
        assert!(report.text(false).contains(says), "{}", report.text(false));
        assert!(!report.text(false).contains('\u{1b}'), "no colours where there is no terminal");
        assert_eq!(report.text(true).contains('\u{1b}'), comparison != Comparison::Equal);
    }
}

#[test]
fn what_only_looks_different_is_equal() {
    let same = edited(
        CONTRACT,
        &[
            (
                "[amount_band, merchant_category, device_hash]",
                "[device_hash, merchant_category, amount_band]",
            ),
            ("inputs: 24h", "inputs: 1440m"),
            ("Europe/Stockholm", "Europe/Berlin"),
            ("requests.cpu: \"8\"", "requests.cpu: 8000m"),
        ],
    );
    let report = report(CONTRACT, &same, &[]);
    assert_eq!(report.comparison, Comparison::Equal, "{}", report.text(false));
}

#[test]
fn what_cannot_be_compared_is_refused_with_what_to_do() {
    for (text, answer) in [
        (String::new(), "holds 0 objects: diff compares one with one"),
        (format!("{CONTRACT}\n---\n{DATASET}"), "holds 2 objects"),
        ("a: [".to_owned(), "isn't YAML"),
        ("a: b".to_owned(), "a thing without apiVersion and kind"),
        (edited(CONTRACT, &[("comity.dev/v1alpha1", "v1")]), "it is a v1 SharingContract: diff compares"),
        (edited(CONTRACT, &[("kind: SharingContract", "kind: PartnerGrant")]), "it is a PartnerGrant"),
        (
            edited(CONTRACT, &[("concurrency", "concurency")]),
            "spec.operations[0].limits.concurency isn't known",
        ),
        (
            edited(CONTRACT, &[("  purposes: [fraud-detection]\n", "")]),
            "whole SharingContract: missing field `purposes`",
        ),
        (edited(CONTRACT, &[("name: Infer", "name: Guess")]), "unknown variant `Guess`"),
        (edited(CONTRACT, &[("inputs: 24h", "inputs: 1d")]), "spec.time.retention.inputs says \"1d\""),
        (edited(CONTRACT, &[("192.0.2.0/28", "192.0.2.1/28")]), "no bits set after the prefix"),
        (edited(CONTRACT, &[("Stockholm", "Atlantis")]), "spec.time.windows[0].timeZone says"),
        (edited(CONTRACT, &[("memory: 16Gi", "memory: 16GB")]), "write it as 500m or 16Gi"),
    ] {
        let error = Object::parse(&text).expect_err(answer).to_string();
        assert!(error.contains(answer), "{error}");
    }
    let refused = |old: &str, new: &str, boundary: &str| {
        Report::of(&object(old), &object(new), &[object(boundary)]).expect_err("it is refused")
    };
    assert!(refused(CONTRACT, DATASET, BOUNDARY).contains("different kinds"));
    assert!(refused(CONTRACT, CONTRACT, DATASET).contains("no SharingBoundary"));
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let diff = |old: &str, new: &str| {
        let (old, new) = (old.into(), new.into());
        let colours = Colours::default();
        Arguments { old, new, boundary: Vec::new(), output: Format::Text, colours }.diff()
    };
    let missing = diff("no/such/file.yaml", "-").expect_err("there is no such file").to_string();
    assert!(missing.starts_with("no/such/file.yaml can't be read: "), "{missing}");
    let twice = diff("-", "-").expect_err("it can be read once").to_string();
    assert!(twice.contains("give the other one as a file"), "{twice}");
    let root = env!("CARGO_MANIFEST_DIR");
    let wrong =
        diff(&format!("{root}/examples/fraud-scoring/00-namespace.yaml"), "-").expect_err("a Namespace");
    assert!(wrong.to_string().contains("00-namespace.yaml: it is a v1 Namespace: diff compares"), "{wrong}");
}
