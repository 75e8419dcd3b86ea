//! What `comity validate` finds: in the story nothing, in each refused example what its file says that
//! the API server or Comity says of it.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use super::examine::{Examination, Look};
use super::exit_code;
use super::finding::{Finding, RULES, Severity};
use super::report::{github, json, page, sarif};
use crate::cli::files::document::tests::source;
use crate::cli::files::read::{Source, sources};
use crate::cluster::clock::Clock;

const STORY: &str = "examples/fraud-scoring";

fn look() -> Look<'static> {
    Look { namespace: "default", now: "2026-12-01T00:00:00Z".parse().expect("an instant"), strict: false }
}

/// The files of a folder of the story, named from the top of the repository.
fn files(folder: &str) -> Vec<Source> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = sources(&[top.join(STORY).join(folder)], false).expect("they can be read");
    for source in &mut sources {
        let path = source.path.as_ref().and_then(|path| path.strip_prefix(top).ok());
        source.name = path.expect("it was found there").display().to_string();
    }
    sources
}

/// The story's file of this name.
fn file(name: &str) -> Source {
    let found = files("").into_iter().find(|source| source.name.ends_with(name));
    found.unwrap_or_else(|| panic!("there is no {name}"))
}

fn examined(sources: &[Source]) -> Examination {
    Examination::of(sources, look())
}

fn messages(examination: &Examination) -> Vec<&str> {
    examination.findings.iter().map(|finding| finding.message.as_str()).collect()
}

/// `source` with some words replaced, which have to be there.
fn edited(mut source: Source, edits: &[(&str, &str)]) -> Source {
    for (old, new) in edits {
        assert!(source.text.contains(old), "{old} isn't there any more");
        source.text = source.text.replace(old, new);
    }
    source
}

#[test]
fn nothing_is_wrong_with_the_story() {
    for folder in ["", "demo"] {
        let mut story = files("");
        story.retain(|source| {
            folder.is_empty()
                || !source.name.ends_with("-contract.yaml") && !source.name.ends_with("-grant.yaml")
        });
        if !folder.is_empty() {
            story.extend(files(folder));
        }
        let found = examined(&story);
        assert_eq!(found.findings, [], "{folder}");
        assert_eq!((found.objects, exit_code(&found)), (5, 0));
        assert!(page(&found).text(false).ends_with("nothing is wrong\n"));
    }
}

#[test]
fn what_the_api_server_refuses_is_found_in_its_words() {
    let mut told = 0;
    for refused in files("refused") {
        let Some(message) = refused.text.lines().next().and_then(|line| line.strip_prefix("# refused: "))
        else {
            continue;
        };
        let name = refused.name.clone();
        let mut all = files("");
        all.push(refused.clone());
        let found = examined(&all);
        let here = found.findings.iter().filter(|finding| finding.file == name);
        let is_told =
            |finding: &&Finding| finding.severity == Severity::Error && finding.message.contains(message);
        assert!(
            here.clone().any(|finding| is_told(&finding)),
            "{name}: {message}\n{:#?}",
            here.collect::<Vec<_>>()
        );
        told += 1;
    }
    assert!(told > 50, "only {told} files were looked at");
}

#[test]
fn what_comity_does_not_accept_is_found_in_its_words() {
    let mut told = 0;
    for refused in files("refused") {
        let Some(expected) =
            refused.text.lines().next().and_then(|line| line.strip_prefix("# not-accepted: "))
        else {
            continue;
        };
        let (reason, message) = expected.split_once(": ").expect("a reason and a message");
        let name = refused.name.clone();
        let mut all = files("");
        all.push(refused.clone());
        let found = Examination::of(&all, Look { strict: true, ..look() });
        let is_told = |finding: &Finding| finding.rule == reason && finding.message.contains(message);
        assert!(found.findings.iter().any(is_told), "{name}: {expected}\n{:#?}", found.findings);
        told += 1;
    }
    assert!(told > 30, "only {told} files were looked at");
}

#[test]
fn what_is_not_among_the_files_cannot_be_judged_and_is_no_fault_unless_asked() {
    let alone = [file("06-grant.yaml")];
    let found = examined(&alone);
    assert_eq!(exit_code(&found), 0, "{:#?}", found.findings);
    assert_eq!(
        messages(&found),
        [
            "Partner northpay isn't among the files; what depends on it can't be judged here: PartnerGrant risk-data/northpay-fraud",
            "SharingContract risk-data/fraud-scoring isn't among the files; what depends on it can't be judged here: \
             PartnerGrant risk-data/northpay-fraud",
        ]
    );
    let strict = Examination::of(&alone, Look { strict: true, ..look() });
    assert_eq!((strict.count(Severity::Error), exit_code(&strict)), (3, 1), "{:#?}", strict.findings);
    assert!(
        messages(&strict).iter().any(|told| told.contains("there is no partner northpay")),
        "in Comity's words"
    );
    let pair = examined(&[file("05-contract.yaml"), file("06-grant.yaml"), file("03-partner.yaml")]);
    assert_eq!(pair.count(Severity::Error), 0, "{:#?}", pair.findings);
    let told = messages(&pair).join("\n");
    for missing in
        ["Dataset risk-data/transactions isn't", "no SharingBoundary for the namespace risk-data is"]
    {
        assert!(told.contains(missing), "{told}");
    }
    let without_namespace: Vec<Source> =
        files("").into_iter().filter(|source| !source.name.ends_with("00-namespace.yaml")).collect();
    let found = examined(&without_namespace);
    assert_eq!(found.count(Severity::Error), 0, "{:#?}", found.findings);
    assert!(
        messages(&found).join("").contains("Namespace risk-data isn't among the files, so what selects it")
    );
}

#[test]
fn what_depends_on_something_ill_formed_is_not_blamed_for_it() {
    let broken = edited(file("05-contract.yaml"), &[("reuse: Forbidden", "reuse: Never")]);
    let mut all: Vec<Source> =
        files("").into_iter().filter(|source| !source.name.ends_with("05-contract.yaml")).collect();
    all.push(broken);
    let found = examined(&all);
    let errors: Vec<&Finding> =
        found.findings.iter().filter(|finding| finding.severity == Severity::Error).collect();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert!(
        messages(&found)
            .iter()
            .any(|told| told.starts_with("SharingContract risk-data/fraud-scoring isn't well-formed"))
    );
}

#[test]
fn a_finding_stands_at_the_line_it_is_about() {
    let contract = edited(
        file("05-contract.yaml"),
        &[("maxDuration: 336h", "maxDuration: 1336h"), ("concurrency", "concurency")],
    );
    let lines: Vec<String> = contract.text.lines().map(str::to_owned).collect();
    let mut all: Vec<Source> =
        files("").into_iter().filter(|source| !source.name.ends_with("05-contract.yaml")).collect();
    all.push(contract);
    for finding in examined(&all).findings.iter().filter(|finding| finding.file.ends_with("05-contract.yaml"))
    {
        let line = &lines[usize::try_from(finding.line).expect("a line") - 1];
        assert!(
            line.contains("concurency") || line.contains("336h") || finding.severity == Severity::Note,
            "{finding:?}: {line}"
        );
    }
}

/// Objects that are wrong in several ways.
fn faulty() -> Vec<Source> {
    let grant = "apiVersion: comity.dev/v1alpha1\nkind: PartnerGrant\nmetadata: {name: \"%a,b:c\", labels: {x: \"\\e[2J\"}}\nspec:\n  \
        partnerRef: {name: northpay}\n  contractRef: {name: fraud-scoring}\n  stage: Prod\n  purpose: fraud-detection\n  \
        operations: [Infer]\n  suspended: true\n";
    let mixed = "kind: Unheard\napiVersion: comity.dev/v1alpha1\nmetadata: {name: a}\n---\na: [\n---\nwithout: kind\n---\n\
        apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    let contract = edited(file("05-contract.yaml"), &[("maxDuration: 336h", "maxDuration: 1336h")]);
    let boundary = file("02-boundary.yaml");
    let late = edited(file("03-partner.yaml"), &[("2036-01-31", "2026-01-31")]);
    vec![
        file("00-namespace.yaml"),
        boundary.clone(),
        late,
        contract,
        source("a grant.yaml", grant),
        source("mixed.yaml", mixed),
        boundary,
    ]
}

#[test]
fn findings_are_told_to_people() {
    insta::assert_snapshot!(page(&examined(&faulty())).text(false));
}

#[test]
fn findings_are_told_to_programs() {
    let found = examined(&faulty());
    let told = json(&found);
    assert_eq!(told["errors"], found.count(Severity::Error));
    let first: &Value = &told["findings"][0];
    for field in ["severity", "rule", "message", "file", "line", "column"] {
        assert!(first.get(field).is_some(), "{field}: {first}");
    }
    insta::assert_snapshot!(serde_json::to_string_pretty(&sarif(&found)).expect("JSON"));
}

#[test]
fn findings_annotate_a_pull_request_and_nothing_in_them_is_a_command() {
    let told = github(&examined(&faulty()));
    for line in told.lines() {
        let is_one = ["::error file=", "::warning file=", "::notice file="]
            .iter()
            .any(|start| line.starts_with(start));
        assert!(is_one && line.split("::").count() >= 3, "{line}");
        assert!(!line.chars().any(char::is_control), "{line}");
    }
    assert!(told.contains("::error file=a grant.yaml,line=7,col="), "{told}");
    assert!(told.contains("%25a,b:c"), "{told}");
}

#[test]
fn every_rule_of_sarif_is_described() {
    let told = sarif(&examined(&faulty()));
    let rules = told["runs"][0]["tool"]["driver"]["rules"].as_array().expect("rules").clone();
    let ids: Vec<&str> = rules.iter().filter_map(|rule| rule["id"].as_str()).collect();
    for result in told["runs"][0]["results"].as_array().expect("results") {
        assert!(ids.contains(&result["ruleId"].as_str().expect("a rule")), "{result}");
    }
    assert!(RULES.iter().all(|(id, about)| !id.is_empty() && about.len() > 20));
}

/// So many teams, each with all that the story has, in a file for each object.
fn many(teams: usize) -> Vec<Source> {
    let mut all = vec![file("02-boundary.yaml")];
    let mut partner = file("03-partner.yaml");
    partner.text = partner.text.replace("from: Names\n    names: [risk-data]", "from: All");
    all.push(partner);
    for team in 0..teams {
        let namespace = format!("team-{team}");
        for name in ["00-namespace", "01-services", "04-dataset", "05-contract", "06-grant"] {
            let mut source = file(&format!("{name}.yaml"));
            let mut told = format!("{namespace}/{name}.yaml");
            source.text = source.text.replace("risk-data", &namespace);
            std::mem::swap(&mut source.name, &mut told);
            all.push(source);
        }
    }
    all
}

#[test]
fn the_time_it_takes_grows_with_the_files_and_no_faster() {
    let time = |teams: usize| {
        let sources = many(teams);
        let clock = Clock::default();
        let begun = clock.now();
        let found = examined(&sources);
        let took = clock.now().duration_since(begun);
        let errors: Vec<&str> =
            messages(&found).into_iter().filter(|told| !told.contains("elder grants")).collect();
        assert_eq!(errors, [] as [&str; 0]);
        (sources.len(), took.as_secs_f64().max(0.001))
    };
    time(1);
    let ((few, short), (most, long)) = (time(4), time(20));
    let each =
        |count: usize, seconds: f64| seconds * 1e6 / f64::from(u32::try_from(count).expect("a small number"));
    let mut told = String::new();
    let _infallible = write!(
        told,
        "{few} files: {short:.3} s, {most} files: {long:.3} s; {:.0} and {:.0} µs each",
        each(few, short),
        each(most, long)
    );
    println!("{told}");
    assert!(each(most, long) < each(few, short) * 4.0, "{told}");
}

#[test]
fn a_boundary_may_select_a_namespace_by_the_label_that_the_api_server_gives_it() {
    let mut story = files("");
    for source in story.iter_mut().filter(|source| source.name.ends_with("02-boundary.yaml")) {
        *source = edited(
            source.clone(),
            &[(
                "matchLabels: {comity.dev/shares: \"true\"}",
                "matchLabels: {kubernetes.io/metadata.name: risk-data}",
            )],
        );
    }
    assert_eq!(examined(&story).findings, []);
}
