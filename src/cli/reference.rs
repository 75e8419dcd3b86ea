//! The parts of the reference that are written from what only this floor knows: the command line,
//! the metrics, what is served over HTTP, and the limits that nobody has to name.

mod http;

use std::fmt::Write as _;

use super::{OWN_NAME, command};
use crate::generate::GeneratedFile;
use crate::ops::metric;
use crate::policy::quota::{self, Most};

/// The book's table of contents, before its commands are filled in. A page that isn't there isn't in the book.
const SUMMARY: &str = include_str!("reference/summary.txt");

/// Where the manual pages are.
const MANUAL: &str = "docs/man";

/// The files of the reference that are written here.
pub fn files() -> Vec<GeneratedFile> {
    let file = |path: &str, contents: String| GeneratedFile { path: path.to_owned(), contents };
    let mut files = vec![
        file("docs/reference/command-line.md", command_line()),
        file("docs/reference/metrics.md", metrics()),
        file("docs/reference/quotas.md", quotas()),
        file("docs/reference/http.md", http::page()),
    ];
    let mut top = command();
    top.build();
    files.push(file("docs/SUMMARY.md", summary(&commands(&top, OWN_NAME))));
    files.push(file(&format!("{MANUAL}/{OWN_NAME}.1"), manual(&top)));
    for (name, command) in commands(&top, OWN_NAME) {
        let dashed = name.replace(' ', "-");
        files.push(file(&format!("docs/reference/{dashed}.md"), page(&name, &command)));
        files.push(file(&format!("{MANUAL}/{dashed}.1"), manual(&command)));
    }
    files
}

/// The book's table of contents.
fn summary(commands: &[(String, clap::Command)]) -> String {
    let mut entries: Vec<String> = commands
        .iter()
        .map(|(name, _)| format!("  - [{name}](reference/{}.md)", name.replace(' ', "-")))
        .collect();
    entries.sort();
    SUMMARY.replace("{commands}", &entries.join("\n"))
}

/// Every command below one, with its whole name: also those that only have others below them.
fn commands(above: &clap::Command, name: &str) -> Vec<(String, clap::Command)> {
    let mut found = Vec::new();
    for command in above.get_subcommands().filter(|command| command.get_name() != "help") {
        let name = format!("{name} {}", command.get_name());
        found.push((name.clone(), command.clone()));
        found.extend(commands(command, &name));
    }
    found
}

/// What `--help` says, and where each command is.
fn command_line() -> String {
    let mut top = command();
    top.build();
    let mut text = String::from(
        "# Command line\n\nWhat `comity --help` says. Each command has a page of its own, and a manual page in \
         `docs/man`. Generated; don't edit.\n",
    );
    section(&mut text, OWN_NAME, &mut top.clone());
    text.push_str("\n## Commands\n\n| Command | What it does |\n|---|---|\n");
    for (name, command) in commands(&top, OWN_NAME) {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let link = name.replace(' ', "-");
        // Writing to a string can't fail.
        let _infallible = writeln!(text, "| [`{name}`]({link}.md) | {} |", about.replace('|', "\\|"));
    }
    text
}

/// The page of one command.
fn page(name: &str, command: &clap::Command) -> String {
    let mut text = format!("# {name}\n\nWhat `{name} --help` says. Generated; don't edit.\n");
    fenced(&mut text, &mut command.clone());
    text.push_str("\n[All commands](command-line.md), and the exit codes of all of them.\n");
    text
}

/// The manual page of one command.
fn manual(command: &clap::Command) -> String {
    let mut text = Vec::new();
    // Writing to memory can't fail, and what is written is text.
    let _infallible = clap_mangen::Man::new(command.clone()).render(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The help of one command under its name.
fn section(text: &mut String, name: &str, command: &mut clap::Command) {
    let _infallible = write!(text, "\n## {name}\n");
    fenced(text, command);
}

/// The help of one command.
fn fenced(text: &mut String, command: &mut clap::Command) {
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let _infallible = write!(text, "\n```text\n{}\n```\n", lines.join("\n").trim());
}

/// A table of the metrics.
fn metrics() -> String {
    let mut text = String::from(
        "# Metrics\n\nServed at `/metrics` by every process as OpenMetrics text. Every label's values are a \
         fixed set. Generated; don't edit.\n\n| Metric | Type | Labels | What it says |\n|---|---|---|---|\n",
    );
    for metric::Description { name, type_, labels, help } in metric::DESCRIPTIONS {
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        let _infallible = writeln!(text, "| `{name}` | {type_} | {} | {help} |", labels.join(", "));
    }
    text
}

/// A table of what a stage may hold where a boundary doesn't say.
fn quotas() -> String {
    let mut text = String::from(
        "# Quotas\n\nWhat the namespace of a stage may hold where a `SharingBoundary` doesn't name it in \
         `ceilings.stages[].quota.hard`. It is that boundary's ceiling: a contract may give less, and more only where \
         the boundary names it. Where several boundaries select a namespace, each counts, with its own defaults. What \
         comes of it is in `policy.quota` of the record that opens the stage. Generated; don't edit.\n\n\
         | Resource | Also named as | Default |\n|---|---|---|\n",
    );
    for line in &quota::DEFAULTS {
        let also: Vec<String> = line.also.iter().map(|name| format!("`{name}`")).collect();
        let most = match line.most {
            Most::Of(amount) => format!("`{amount}`"),
            Most::Times(1, of) => format!("as much as of `{of}`"),
            Most::Times(times, of) => format!("{times} times as many as of `{of}`"),
            Most::Never => "`0`, whatever a boundary says".to_owned(),
        };
        let _infallible = writeln!(text, "| `{}` | {} | {most} |", line.resource, also.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_flag_has_its_words() {
        let text = command_line();
        for words in ["`comity run`", "`comity validate`", "(comity-generate.md)", "Exit codes:"] {
            assert!(text.contains(words), "{words}");
        }
        let mut top = command();
        top.build();
        for (name, command) in commands(&top, OWN_NAME) {
            assert!(command.get_about().is_some(), "{name} has no description");
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{name}: {} has no description", argument.get_id());
            }
        }
    }

    #[test]
    fn every_command_has_a_page_and_a_manual_page_by_its_whole_name() {
        let files = files();
        let text = |path: &str| {
            let found = files.iter().find(|file| file.path == path);
            found.unwrap_or_else(|| panic!("{path} isn't written")).contents.clone()
        };
        let page = text("docs/reference/comity-run.md");
        assert!(page.starts_with("# comity run\n") && page.contains("--cluster-cidr"), "{page}");
        let manual = text("docs/man/comity-validate.1");
        for words in [".TH comity-validate 1", "kustomize build", ".SH DESCRIPTION"] {
            assert!(manual.contains(words), "{words}: {manual}");
        }
        assert!(text("docs/man/comity.1").contains("comity\\-validate(1)"));
    }

    #[test]
    fn the_reference_says_nothing_of_the_machine_it_was_written_on() {
        let text: String = files().into_iter().map(|file| file.contents).collect();
        let home = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).to_string_lossy().into_owned();
        assert!(!text.contains(&home));
    }
}
