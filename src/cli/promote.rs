//! `comity promote`: changes the one word of a grant in the file that it is kept in, and nothing else of that
//! file. It needs no cluster: what applies the file promotes the partner.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::Failure;
use super::files::document::{Document, documents};
use super::files::place::Map;
use super::files::read::{Source, sources};
use super::page::plain;
use super::person::{FAILED, MISUSED, Stop};
use crate::api::Stage;

/// Where a grant says how far it may come.
const STAGE: &str = "spec.stage";

/// Change how far a grant may come, in the file that it is kept in, and nothing else of that file
///
/// One word changes; comments, order and quotes stay. Nothing happens to the partner until the file is
/// applied, and then a stage opens when its gates are met: `comity status` says what it waits for. A lower
/// stage closes what is above it as soon as the file is applied.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  comity promote northpay-fraud --to production --write sharing/grant.yaml
  comity promote northpay-fraud --to rehearsal --write sharing/grants.yaml -n risk-data && git commit -am 'Rehearse northpay'
  kustomize build . | comity promote northpay-fraud --to production --write - | kubectl diff -f -")]
pub(super) struct Arguments {
    /// The grant
    grant: String,

    /// How far it may come: sandbox, rehearsal or production
    #[arg(long, value_name = "STAGE", value_parser = super::value::stage)]
    to: Stage,

    /// The file that it is in; with - standard input is read, and standard output written
    #[arg(long, value_name = "FILE")]
    write: PathBuf,

    /// Its namespace, where the file has several grants of that name
    #[arg(short, long, value_name = "NAME", value_parser = super::value::name)]
    namespace: Option<String>,
}

impl Arguments {
    /// Changes it.
    #[allow(clippy::print_stderr, reason = "this is where the program speaks to who started it")]
    pub(super) fn promote(self) -> Result<ExitCode, Failure> {
        let read =
            sources(std::slice::from_ref(&self.write), false).map_err(|why| Stop::new(MISUSED, why))?;
        let [source] = read.as_slice() else {
            return Err(Stop::new(
                MISUSED,
                format!("{} is a folder: name the grant's file", self.write.display()),
            )
            .into());
        };
        let edit = edited(source, &self.grant, self.namespace.as_deref(), self.to)?;
        match &source.path {
            Some(path) if edit.text != source.text => std::fs::write(path, &edit.text)
                .map_err(|error| Stop::new(MISUSED, format!("{} can't be written: {error}", source.name)))?,
            Some(_) => {}
            None => std::io::stdout().lock().write_all(edit.text.as_bytes())?,
        }
        eprintln!("{}", edit.told);
        Ok(ExitCode::SUCCESS)
    }
}

/// A text with one word changed, and what that comes to.
#[derive(Debug)]
struct Edit {
    text: String,
    /// A line for a terminal.
    told: String,
}

impl Edit {
    fn new(text: String, told: &str) -> Self {
        Self { text, told: plain(told) }
    }
}

/// `source` with another stage of a grant in it.
fn edited(source: &Source, grant: &str, namespace: Option<&str>, to: Stage) -> Result<Edit, Stop> {
    let name = &source.name;
    let failed = |why: String| Stop::new(FAILED, why);
    let document = meant(source, grant, namespace)?;
    let map = Map::of(source, &document);
    let word = map.as_ref().and_then(|map| map.leaf(STAGE));
    let (from, place) = word.ok_or_else(|| {
        failed(format!("{name} doesn't say {STAGE} of {grant}: it may be a patch; name the file that does"))
    })?;
    let line = place.line;
    if from == to.to_string() {
        let told = format!("{name}:{line}: {grant} may come to {to} already");
        return Ok(Edit::new(source.text.clone(), &told));
    }
    let text = replaced(&source.text, line, place.column, from, &to.to_string());
    let text = text.filter(|text| changes_only_the_stage(source, text, &document, to));
    let text = text.ok_or_else(|| {
        failed(format!("{name}:{line}: the word {from} can't be changed by itself there: write it out first"))
    })?;
    let then = if super::value::stage(from).is_ok_and(|from| to < from) {
        "what is above closes as soon as it is applied"
    } else {
        "commit it; what applies it promotes the partner"
    };
    Ok(Edit::new(text, &format!("{name}:{line}: {grant}: {from} → {to}; {then}")))
}

/// The one document that is meant.
fn meant(source: &Source, grant: &str, namespace: Option<&str>) -> Result<Document, Stop> {
    let name = &source.name;
    let (all, unreadable) = documents(std::slice::from_ref(source));
    if let Some(fault) = unreadable.first() {
        return Err(Stop::new(MISUSED, format!("{name}:{}: {}", fault.line, fault.message)));
    }
    let is_it = |document: &&Document| is_meant(&document.value, grant, namespace);
    let mut found = all.iter().filter(is_it);
    match (found.next(), found.count()) {
        (None, _) => Err(Stop::new(FAILED, absent(name, grant, &all))),
        (Some(document), 0) => Ok(document.clone()),
        (Some(_), more) => {
            let told = format!("{name} holds {} grants {grant}: say which one with --namespace", more + 1);
            Err(Stop::new(FAILED, told))
        }
    }
}

fn word<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn is_meant(value: &Value, grant: &str, namespace: Option<&str>) -> bool {
    word(value, "/kind") == "PartnerGrant"
        && word(value, "/metadata/name") == grant
        && namespace.is_none_or(|namespace| word(value, "/metadata/namespace") == namespace)
}

fn absent(name: &str, grant: &str, all: &[Document]) -> String {
    let grants =
        all.iter().map(|document| &document.value).filter(|value| word(value, "/kind") == "PartnerGrant");
    let known: Vec<&str> = grants.map(|value| word(value, "/metadata/name")).collect();
    if known.is_empty() {
        format!("{name} holds no PartnerGrant")
    } else {
        format!("{name} holds no grant {grant}, but: {}", known.join(", "))
    }
}

/// A text with the word at a line and a column, both from 1, replaced; `None` where it isn't there.
fn replaced(text: &str, line: u64, column: u64, from: &str, to: &str) -> Option<String> {
    let before =
        text.split_inclusive('\n').take(usize::try_from(line.checked_sub(1)?).ok()?).map(str::len).sum();
    let rest = text.get(before..)?;
    let columns =
        rest.chars().take(usize::try_from(column.checked_sub(1)?).ok()?).map(char::len_utf8).sum::<usize>();
    let at = before + columns;
    let quote = text.get(at..)?.starts_with(['"', '\'']);
    let at = at + usize::from(quote);
    let (head, tail) = text.split_at_checked(at)?;
    Some(format!("{head}{to}{}", tail.strip_prefix(from)?))
}

/// Whether a changed text says the same as before but for the stage of that one grant.
fn changes_only_the_stage(source: &Source, text: &str, changed: &Document, to: Stage) -> bool {
    let new = Source { text: text.to_owned(), ..source.clone() };
    let ((before, _), (after, unreadable)) =
        (documents(std::slice::from_ref(source)), documents(std::slice::from_ref(&new)));
    let wanted = before.into_iter().map(|document| {
        let is_it = document.value == changed.value;
        let mut value = document.value;
        if is_it {
            value["spec"]["stage"] = Value::from(to.to_string());
        }
        value
    });
    unreadable.is_empty() && wanted.eq(after.into_iter().map(|document| document.value))
}

#[cfg(test)]
mod tests {
    use super::super::files::document::tests::source;
    use super::super::page::tests::is_plain;
    use super::*;

    const FILE: &str = "\
# Who may do what.
---
apiVersion: comity.dev/v1alpha1
kind: PartnerGrant
metadata: {name: other, namespace: risk-data}
spec: {stage: Sandbox, purpose: a}
---
apiVersion: comity.dev/v1alpha1
kind: PartnerGrant
metadata:
  name: northpay-fraud   # the partner, and what for
  namespace: risk-data
spec:
  # one word promotes the partner
  stage:   'Sandbox'   # Sandbox, Rehearsal or Production
  purpose: Sandbox
";

    fn promoted(text: &str, grant: &str, to: Stage) -> Result<Edit, String> {
        edited(&source("grants.yaml", text), grant, None, to).map_err(|stop| stop.to_string())
    }

    #[test]
    fn one_word_changes_and_nothing_else() {
        let edit = promoted(FILE, "northpay-fraud", Stage::Production).expect("it is there");
        assert_eq!(edit.text, FILE.replace("'Sandbox'", "'Production'"));
        assert_eq!(
            edit.told,
            "grants.yaml:15: northpay-fraud: Sandbox → Production; commit it; what applies it promotes the partner"
        );
        let flow = promoted(FILE, "other", Stage::Rehearsal).expect("it is there");
        assert_eq!(flow.text, FILE.replace("{stage: Sandbox,", "{stage: Rehearsal,"));
        let json = promoted(
            "{\"kind\": \"PartnerGrant\", \"metadata\": {\"name\": \"a\"}, \"spec\": {\"stage\": \"Sandbox\"}}",
            "a",
            Stage::Rehearsal,
        );
        assert!(json.expect("it is there").text.contains("\"stage\": \"Rehearsal\""));
    }

    #[test]
    fn back_and_again_is_told_as_what_it_is() {
        let up = promoted(FILE, "northpay-fraud", Stage::Production).expect("it is there");
        let down = promoted(&up.text, "northpay-fraud", Stage::Sandbox).expect("it is there");
        assert_eq!(down.text, FILE);
        assert!(down.told.ends_with("closes as soon as it is applied"), "{}", down.told);
        let same = promoted(FILE, "northpay-fraud", Stage::Sandbox).expect("it is there");
        assert!(same.text == FILE && same.told.contains("already"), "{}", same.told);
    }

    #[test]
    fn what_cannot_be_changed_is_left_and_told_why() {
        let refused =
            |text: &str, grant: &str| promoted(text, grant, Stage::Production).expect_err("it is refused");
        assert_eq!(
            refused(FILE, "northpai"),
            "grants.yaml holds no grant northpai, but: other, northpay-fraud"
        );
        assert_eq!(refused("kind: Service\n", "a"), "grants.yaml holds no PartnerGrant");
        assert!(refused("a: [\n", "a").starts_with("grants.yaml:"));
        let patch = "kind: PartnerGrant\nmetadata: {name: a}\nspec: {suspend: true}\n";
        assert!(refused(patch, "a").contains("may be a patch"));
        let twice = format!(
            "{FILE}---\nkind: PartnerGrant\nmetadata: {{name: northpay-fraud}}\nspec: {{stage: Sandbox}}\n"
        );
        assert!(refused(&twice, "northpay-fraud").contains("--namespace"));
        let one = edited(&source("a", &twice), "northpay-fraud", Some("risk-data"), Stage::Rehearsal)
            .expect("one is meant");
        assert_eq!(one.text, twice.replace("'Sandbox'", "'Rehearsal'"));
        let alias =
            "kind: PartnerGrant\nmetadata: {name: a, annotations: {x: &x Sandbox}}\nspec: {stage: *x}\n";
        assert!(refused(alias, "a").contains("can't be changed by itself"));
    }

    #[test]
    fn letters_of_more_bytes_and_other_line_ends_are_no_trouble() {
        let text = "# Göteborg\r\nkind: PartnerGrant\r\nmetadata: {name: a}\r\nspec: {justification: \"für\", stage: Sandbox}\r\n";
        let edit = promoted(text, "a", Stage::Rehearsal).expect("it is there");
        assert_eq!(edit.text, text.replace("Sandbox", "Rehearsal"));
    }

    #[test]
    fn what_the_file_says_draws_nothing_where_it_is_told() {
        let text = "kind: PartnerGrant\nmetadata: {name: \"a\u{202e}\"}\nspec: {stage: \"Sandbox\u{202e}\u{200b}\"}\n";
        let edit = promoted(text, "a\u{202e}", Stage::Rehearsal).expect("it is there");
        assert!(is_plain(&edit.told) && edit.told.contains("Sandbox\\u{202e}"), "{}", edit.told);
        let same = promoted(&edit.text, "a\u{202e}", Stage::Rehearsal).expect("it is there");
        assert!(is_plain(&same.told) && same.told.contains("already"), "{}", same.told);
    }
}
