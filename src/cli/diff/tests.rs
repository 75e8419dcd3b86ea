//! What `comity diff` tells, answers and refuses.

use super::side::Side;
use super::whole::{Whole, about};
use super::{Arguments, Colours, Comparison, Format, boundaries, exit_code};
use crate::cli::files::annotate;
use crate::cli::files::document::tests::source;
use crate::cli::page::plain_json;
use crate::cli::page::tests::{HOSTILE, is_plain};

const CONTRACT: &str = include_str!("../../../examples/fraud-scoring/05-contract.yaml");
const BOUNDARY: &str = include_str!("../../../examples/fraud-scoring/02-boundary.yaml");
const DATASET: &str = include_str!("../../../examples/fraud-scoring/04-dataset.yaml");
const PARTNER: &str = include_str!("../../../examples/fraud-scoring/03-partner.yaml");
const GRANT: &str = include_str!("../../../examples/fraud-scoring/06-grant.yaml");
const NAMESPACE: &str = include_str!("../../../examples/fraud-scoring/00-namespace.yaml");
const SERVICES: &str = include_str!("../../../examples/fraud-scoring/01-services.yaml");

fn side(name: &str, text: &str) -> Side {
    Side::of(vec![source(name, text)], "default").unwrap_or_else(|error| panic!("{error}"))
}

/// `text` with each of some words replaced, which have to be there.
fn edited(text: &str, edits: &[(&str, &str)]) -> String {
    edits.iter().fold(text.to_owned(), |text, (old, new)| {
        assert!(text.contains(old), "{old} isn't there any more");
        text.replace(old, new)
    })
}

/// What is told of both, told so.
fn told<T>(old: &str, new: &str, beside: &[&str], tell: impl FnOnce(&Whole<'_>) -> T) -> T {
    let beside: Vec<Side> = beside.iter().map(|text| side("boundary.yaml", text)).collect();
    let boundaries = boundaries(&beside).expect("boundaries");
    let (old, new) = (side("old.yaml", old), side("new.yaml", new));
    tell(&Whole::of(&old, &new, &boundaries).expect("they can be compared"))
}

fn text(old: &str, new: &str, boundaries: &[&str]) -> String {
    told(old, new, boundaries, |whole| whole.page().text(false))
}

/// Everything that the story stands on, and its grant.
fn story() -> String {
    [NAMESPACE, SERVICES, BOUNDARY, PARTNER, DATASET, CONTRACT, GRANT].join("\n---\n")
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
    insta::assert_snapshot!(text(CONTRACT, &changed(), &[]));
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
    let told = text(&without, &edited(&without, &[("05:00", "04:00")]), &[BOUNDARY]);
    assert!(told.contains("  Sandbox     nobody\n"), "{told}");
    assert!(told.contains("  Production  2 people, at least 1 of security\n"), "{told}");
    assert!(!told.contains("--boundary"), "{told}");
    let told = text(&without, &edited(&without, &[("05:00", "04:00")]), &[]);
    assert!(told.contains("  Production  1 person\n"), "production can't be without: {told}");
}

#[test]
fn a_changed_contract_is_told_as_json() {
    let pretty = |whole: &Whole<'_>| serde_json::to_string_pretty(&whole.json()).expect("JSON");
    insta::assert_snapshot!(told(CONTRACT, &changed(), &[BOUNDARY], pretty));
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
        let (found, plain, coloured) = told(old, &new, &[], |whole| {
            (whole.comparison, whole.page().text(false), whole.page().text(true))
        });
        assert_eq!((found, exit_code(found)), (comparison, code), "{plain}");
        assert!(plain.contains(says), "{plain}");
        assert!(!plain.contains('\u{1b}'), "no colours where there is no terminal");
        assert_eq!(coloured.contains('\u{1b}'), comparison != Comparison::Equal);
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
    let told = text(CONTRACT, &same, &[]);
    assert!(told.ends_with(": equal\n"), "{told}");
}

#[test]
fn what_cannot_be_compared_is_refused_with_what_to_do() {
    for (text, answer) in [
        (String::new(), "a.yaml: it holds no object"),
        (format!("{CONTRACT}\n---\n{CONTRACT}"), "SharingContract risk-data/fraud-scoring is given twice"),
        ("a: [".to_owned(), "isn't YAML"),
        ("a: b".to_owned(), "a thing without apiVersion and kind"),
        (edited(CONTRACT, &[("comity.dev/v1alpha1", "v1")]), "it is a v1 SharingContract: diff compares"),
        (edited(CONTRACT, &[("kind: SharingContract", "kind: StagePolicy")]), "it is a StagePolicy"),
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
        let error = Side::of(vec![source("a.yaml", &text)], "default").expect_err(answer);
        assert!(error.contains(answer), "{error}");
    }
    let (old, new) = (side("a.yaml", CONTRACT), side("b.yaml", DATASET));
    assert!(Whole::of(&old, &new, &[]).expect_err("they differ in kind").contains("different kinds"));
    assert!(boundaries(&[new]).expect_err("it is none").contains("no SharingBoundary"));
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let diff = |old: &str, new: &str| {
        let (old, new) = (old.into(), new.into());
        let colours = Colours::default();
        let namespace = "default".to_owned();
        let (boundary, recursive, output) = (Vec::new(), false, Format::Text);
        Arguments { old, new, boundary, recursive, namespace, output, colours }.diff()
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

#[test]
fn each_object_of_many_is_compared_with_the_one_of_its_name() {
    let after = edited(
        &story(),
        &[
            ("requestsPerMinute: 600", "requestsPerMinute: 900"),
            ("stage: Sandbox\n  purpose", "stage: Production\n  purpose"),
        ],
    );
    insta::assert_snapshot!(text(&story(), &after, &[]));
    assert_eq!(text(&story(), &story(), &[]), "All of it: equal; 0 changed, 8 the same\n");
}

#[test]
fn what_is_new_and_what_is_gone_is_told() {
    let without = [NAMESPACE, SERVICES, BOUNDARY, PARTNER, DATASET, CONTRACT].join("\n---\n");
    let told_new = text(&without, &story(), &[]);
    assert!(told_new.contains("PartnerGrant risk-data/northpay-fraud: wider\n"), "{told_new}");
    assert!(
        told_new.contains("all of it: added") && told_new.contains("  Sandbox     nobody\n"),
        "{told_new}"
    );
    assert!(!told_new.contains("Production  "), "it may not come so far: {told_new}");
    let told_gone = text(&story(), &without, &[]);
    assert!(told_gone.contains("PartnerGrant risk-data/northpay-fraud: narrower\n"), "{told_gone}");
    assert!(told_gone.contains("all of it: removed"), "{told_gone}");
    let other = text(&story(), &edited(&story(), &[("part-of: transactions", "part-of: others")]), &[]);
    assert!(other.contains("Service risk-data/") && other.contains("narrower and wider"), "{other}");
}

#[test]
fn what_differs_of_a_grant_is_told_by_name() {
    let after = edited(
        GRANT,
        &[
            ("stage: Sandbox\n", "stage: Rehearsal\n"),
            ("operations: [Infer]\n", "operations: [Infer, Explain]\n"),
        ],
    );
    let told = text(GRANT, &after, &[]);
    assert!(told.contains("how far it may come: Sandbox → Rehearsal"), "{told}");
    assert!(told.contains("operation Explain: added"), "{told}");
    let suspended = text(GRANT, &edited(GRANT, &[("  purpose:", "  suspend: true\n  purpose:")]), &[]);
    assert!(suspended.starts_with("PartnerGrant risk-data/northpay-fraud: narrower\n"), "{suspended}");
}

#[test]
fn each_change_is_told_on_its_line() {
    let findings = |old: &str, new: &str| {
        told(old, new, &[], |whole| {
            let found = whole.findings();
            assert!(found.is_sorted_by_key(|finding| (finding.file.clone(), finding.line)), "{found:#?}");
            found
        })
    };
    let found = findings(CONTRACT, &changed());
    let windows = found.iter().find(|finding| finding.path == "spec.time.windows").expect("it is wider");
    let line = changed().lines().position(|line| line.contains("windows:")).expect("it is there") + 1;
    assert_eq!(
        (windows.file.as_str(), windows.line, windows.rule.as_str()),
        ("new.yaml", line as u64, "Wider")
    );
    assert!(windows.message.contains("once it is approved: Sandbox by nobody"), "{}", windows.message);
    let github = annotate::github(&found);
    let narrower = "::notice file=new.yaml,line=";
    assert!(github.contains(narrower) && github.contains("title=comity%3A Narrower::"), "{github}");
    assert!(github.contains("::warning file=new.yaml,line="), "{github}");
    let sarif = annotate::sarif("comity diff", &found, about);
    let rules = sarif.pointer("/runs/0/tool/driver/rules").and_then(serde_json::Value::as_array);
    assert_eq!(rules.map(Vec::len), Some(3), "{sarif:#}");
    let gone = findings(&story(), CONTRACT);
    assert!(gone.iter().any(|finding| finding.file == "old.yaml"), "what is gone is where it was");
}

/// A text as YAML has it in quotes, whatever is in it.
fn quoted(text: &str) -> String {
    let letters: Vec<String> = text.chars().map(|letter| format!("\\U{:08x}", u32::from(letter))).collect();
    format!("\"{}\"", letters.concat())
}

/// Every text that is told of both.
fn every_text(old: &str, new: &str) -> [String; 3] {
    told(old, new, &[], |whole| {
        let text = |coloured| whole.page().text(coloured);
        let drawn = ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[2m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m"];
        let own = drawn.iter().fold(text(true), |text, code| text.replace(code, ""));
        let github = annotate::github(&whole.findings());
        assert_eq!(own, text(false), "the same but for its own colours");
        for value in [whole.json(), annotate::sarif("comity diff", &whole.findings(), about)] {
            assert!(is_plain(&plain_json(&serde_json::to_string_pretty(&value).expect("JSON"))));
        }
        [text(false), own, github]
    })
}

#[test]
fn what_somebody_wrote_draws_nothing_wherever_it_is_told() {
    let hostile = quoted(HOSTILE);
    let field = format!("[{hostile}, device_hash]");
    let group = format!("    - {{name: {hostile}, atLeast: 1}}\n");
    let contract = edited(
        CONTRACT,
        &[
            ("name: fraud-scoring", &format!("name: {hostile}")),
            ("device_hash]", "device_hash, hostile]"),
            ("[amount_band, merchant_category, device_hash, hostile]", &field),
            ("    - {name: security, atLeast: 1}\n", &group),
            ("06:00", "05:00"),
        ],
    );
    let line = "\nEverybody has agreed to it.\n";
    let forged = quoted(&format!("{HOSTILE}\n{line}"));
    let agreed = "justification: Real-time fraud scores for card-not-present orders";
    let justification = |text: &str| edited(GRANT, &[(agreed, &format!("justification: {text}"))]);
    let all = format!(
        "{contract}\n---\n{}",
        edited(GRANT, &[("name: northpay-fraud", &format!("name: {hostile}"))])
    );
    for (old, new) in [
        (CONTRACT, contract.as_str()),
        (GRANT, &justification(&forged)),
        (&justification("a"), &justification(&forged)),
        (&story(), &all),
        (&all, &story()),
    ] {
        let texts = every_text(old, new);
        assert!(texts[0].contains("ok\\u{1b}[2J"), "{}", texts[0]);
        for text in texts {
            assert!(is_plain(&text), "{text}");
            assert!(!text.contains(line), "nobody forges a line of the verdict: {text}");
        }
    }
}
