//! The chart's alerts and dashboard ask for what `/metrics` really has, in the words that it has; and the
//! alerts come when they are to come, by Prometheus' own word for it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::*;
use crate::generate::reference::reasons;
use crate::testing::skipped::skipped;

/// A file that the chart hands on.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/comity/files").join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(file(name)).expect("the chart has it")
}

/// Every value of `key`, however deep.
fn values_of<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get(key).and_then(Value::as_str));
            fields.values().for_each(|value| values_of(value, key, found));
        }
        Value::Array(items) => items.iter().for_each(|value| values_of(value, key, found)),
        _ => (),
    }
}

/// The queries of the alerts, of their tests, and of the dashboard.
fn queries() -> [Vec<String>; 3] {
    let yaml = |name: &str| -> Value { serde_saphyr::from_str(&text(name)).expect("YAML") };
    let dashboard = serde_json::from_str(&text("dashboard.json")).expect("JSON");
    [(yaml("alerts.yaml"), "expr"), (yaml("alerts.test.yaml"), "series"), (dashboard, "expr")].map(
        |(file, key): (Value, &str)| {
            let mut found = Vec::new();
            values_of(&file, key, &mut found);
            found.into_iter().map(ToOwned::to_owned).collect()
        },
    )
}

/// What a query selects: each metric with the labels by which it chooses, as `key` and `value`.
fn selected(query: &str) -> Vec<(&str, Vec<(&str, &str)>)> {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let starts = query.match_indices("comity_").map(|(start, _)| &query[start..]);
    starts
        .map(|rest| {
            let (name, after) = rest.split_at(rest.find(|letter| !is_word(letter)).unwrap_or(rest.len()));
            let chosen = after.strip_prefix('{').and_then(|after| after.split_once('}'));
            let pairs = chosen.map_or("", |(chosen, _)| chosen).split(',').filter(|pair| !pair.is_empty());
            let parted = pairs.map(|pair| {
                let (key, value) = pair.split_once('=').expect("a label is chosen by its value");
                (key.trim_end_matches('!'), value.trim_start_matches('~').trim_matches('"'))
            });
            (name, parted.collect())
        })
        .collect()
}

#[test]
fn what_a_query_selects_is_understood() {
    let query = "sum by (le) (rate(comity_a_bucket[5m])) - comity_b{reason=~\"X|Y\",le=\"1.0\"} offset 1h";
    let wanted = [("comity_a_bucket", vec![]), ("comity_b", vec![("reason", "X|Y"), ("le", "1.0")])];
    assert_eq!(selected(query), wanted);
}

/// What is wrong with what a query selects, given what is served.
fn objection(name: &str, labels: &[(&str, &str)], served: &str, reasons: &[String]) -> Option<String> {
    let is_it = |line: &&str| line.starts_with(&format!("{name}{{")) || line.starts_with(&format!("{name} "));
    let line = served.lines().find(is_it);
    let Some(line) = line else { return Some(format!("{name} isn't served")) };
    labels.iter().find_map(|(label, value)| {
        if !line.contains(&format!("{label}=\"")) {
            return Some(format!("{name} has no label {label}"));
        }
        let is_known = match *label {
            "reason" if name == GRANTS.name => {
                value.split('|').all(|one| reasons.iter().any(|known| known == one))
            }
            "le" | "within" => served.contains(&format!("{label}=\"{value}\"")),
            "process" => ["run", "sign", "rehearse"].contains(value),
            "stage" => Stage::ALL.iter().any(|stage| stage.lower() == *value),
            _ => true,
        };
        (!is_known).then(|| format!("{label} of {name} is never {value}"))
    })
}

#[test]
fn what_is_asked_for_is_served() {
    let (served, reasons) = (super::tests::touched(), reasons());
    for queries in queries() {
        assert!(queries.len() > 10, "the walk found the queries: {queries:?}");
        let selected = queries.iter().flat_map(|query| selected(query));
        let wrong: Vec<String> =
            selected.filter_map(|(name, labels)| objection(name, &labels, &served, &reasons)).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
    for wrong in ["comity_ready_total", "comity_grants{kind=\"x\"}", "comity_grants{reason=~\"Open|Opem\"}"] {
        let (name, labels) = selected(wrong).remove(0);
        assert!(objection(name, &labels, &served, &reasons).is_some(), "{wrong}");
    }
}

#[test]
fn every_alert_says_what_to_do_and_how_bad_it_is() {
    let rules: Value = serde_saphyr::from_str(&text("alerts.yaml")).expect("YAML");
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operate.md"));
    let page = page.expect("it is there");
    for rule in rules["groups"][0]["rules"].as_array().expect("rules") {
        let name = rule["alert"].as_str().expect("a name");
        assert!(page.contains(&format!("\n| `{name}` | ")), "docs/operate.md says nothing of {name}");
        let severity = rule["labels"]["severity"].as_str().expect("a severity");
        assert!(["critical", "warning", "info"].contains(&severity), "{name}: {severity}");
        let tests = text("alerts.test.yaml");
        assert!(tests.contains(name), "alerts.test.yaml never waits for {name}");
    }
}

/// Asks Prometheus' own tool about `arguments`, with `input` to read, where it is.
fn promtool(arguments: &[&str], input: &str) {
    let mut command = Command::new("promtool");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut asked) = command.spawn() else {
        skipped(format!(
            "no promtool on the PATH (apt-get install prometheus), so nobody asked Prometheus: {}",
            arguments.join(" ")
        ));
        return;
    };
    let mut pipe = asked.stdin.take().expect("a pipe");
    // It needn't read what it doesn't want.
    drop(pipe.write_all(input.as_bytes()));
    drop(pipe);
    let told = asked.wait_with_output().expect("it ends");
    let (out, err) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    assert!(told.status.success(), "{out}{err}");
}

#[test]
fn alerts_come_when_they_are_to_come() {
    let path = |name: &str| file(name).display().to_string();
    promtool(&["check", "rules", &path("alerts.yaml")], "");
    promtool(&["test", "rules", &path("alerts.test.yaml")], "");
}

#[test]
fn prometheus_understands_the_dashboard() {
    let [.., dashboard] = queries();
    let rule = |(number, expr): (usize, &String)| json!({"record": format!("query_{number}"), "expr": expr});
    let rules: Vec<Value> = dashboard.iter().enumerate().map(rule).collect();
    // JSON is YAML.
    let file = json!({"groups": [{"name": "dashboard", "rules": rules}]}).to_string();
    promtool(&["check", "rules", "/dev/stdin"], &file);
}
