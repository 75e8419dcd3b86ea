//! The parts of the reference that are written from what only this floor knows: the command line,
//! the metrics, and the limits that nobody has to name.

use std::fmt::Write as _;

use super::command;
use crate::generate::GeneratedFile;
use crate::ops::metric;
use crate::policy::quota::{self, Most};

/// The files of the reference that are written here.
pub fn files() -> Vec<GeneratedFile> {
    vec![
        GeneratedFile { path: "docs/reference/command-line.md".to_owned(), contents: command_line() },
        GeneratedFile { path: "docs/reference/metrics.md".to_owned(), contents: metrics() },
        GeneratedFile { path: "docs/reference/quotas.md".to_owned(), contents: quotas() },
    ]
}

/// What `--help` says of every command.
fn command_line() -> String {
    let mut text = String::from("# Command line\n\nWhat `comity --help` says. Generated; don't edit.\n");
    let mut top = command();
    top.build();
    section(&mut text, "comity", &mut top.clone());
    let commands = top.get_subcommands().filter(|command| command.get_name() != "help");
    for command in commands {
        section(&mut text, &format!("comity {}", command.get_name()), &mut command.clone());
    }
    text
}

/// The help of one command under its name.
fn section(text: &mut String, name: &str, command: &mut clap::Command) {
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    // Writing to a string can't fail.
    let _infallible = write!(text, "\n## {name}\n\n```text\n{}\n```\n", lines.join("\n").trim());
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
        for words in
            ["## comity run", "## comity sign", "## comity generate", "--cluster-cidr", "Exit codes:"]
        {
            assert!(text.contains(words), "{words}");
        }
        let mut top = command();
        top.build();
        for command in top.get_subcommands() {
            assert!(command.get_about().is_some(), "{} has no description", command.get_name());
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} has no description", argument.get_id());
            }
        }
    }

    #[test]
    fn the_reference_says_nothing_of_the_machine_it_was_written_on() {
        let text = command_line();
        let home = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).to_string_lossy().into_owned();
        assert!(!text.contains(&home));
    }
}
