//! What was found in files, told to those who look at them line by line: code scanning (SARIF), and the checks of
//! a pull request. Pure.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::finding::{Finding, Severity};
use crate::cli::page::plain;

/// SARIF 2.1.0, as code scanning takes it.
///
/// `tool` is the command that found it; `about` says what a rule is about.
pub(in crate::cli) fn sarif(tool: &str, findings: &[Finding], about: impl Fn(&str) -> String) -> Value {
    let used: BTreeSet<&str> = findings.iter().map(|finding| finding.rule.as_str()).collect();
    let rule = |id: &&str| json!({"id": id, "shortDescription": {"text": about(id)}});
    let rules: Vec<Value> = used.iter().map(rule).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": tool, "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "results": findings.iter().map(result).collect::<Vec<_>>(),
        }],
    })
}

fn result(finding: &Finding) -> Value {
    let Finding { severity, rule, message, object, file, line, column, .. } = finding;
    let mut location = json!({"physicalLocation": {
        "artifactLocation": {"uri": uri(file)},
        "region": {"startLine": line, "startColumn": column},
    }});
    if let Some(object) = object {
        location["logicalLocations"] = json!([{"fullyQualifiedName": object.to_string(), "kind": "object"}]);
    }
    json!({"ruleId": rule, "level": severity.word(), "message": {"text": message}, "locations": [location]})
}

/// A path as part of a URI.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let written = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    path.bytes().map(written).collect()
}

/// Commands of GitHub Actions that annotate the lines of a pull request.
pub(in crate::cli) fn github(findings: &[Finding]) -> String {
    let annotation = |finding: &Finding| {
        let Finding { severity, rule, message, file, line, column, .. } = finding;
        let level = if *severity == Severity::Note { "notice" } else { severity.word() };
        let (file, title) = (property(file), property(&format!("comity: {rule}")));
        format!("::{level} file={file},line={line},col={column},title={title}::{}\n", data(message))
    };
    findings.iter().map(annotation).collect()
}

/// A message as such a command has it: nothing in it begins another command.
fn data(text: &str) -> String {
    plain(text).replace('%', "%25")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
