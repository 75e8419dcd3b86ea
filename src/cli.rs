//! L5, the command line: the only reader of flags and environment. One file per command.

mod ca;
mod completion;
mod crd;
mod decide;
mod dial;
mod diff;
mod files;
mod format;
mod generate;
mod grant;
mod history;
mod init;
mod list;
mod moment;
mod page;
mod person;
mod plan;
mod process;
mod promote;
pub mod reference;
mod report;
mod run;
mod sign;
mod status;
mod table;
mod validate;
mod value;

use std::error::Error;
use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

/// What `--help` says about exit codes.
const EXIT_CODES: &str = "Exit codes:
  0  it did what it was asked; run, sign and rehearse without a grant: they were told to stop
  1  it failed, and said why on standard error; validate: something is wrong with the files;
     report: there is no report, or not the one that the journal took
  2  the command line can't be understood, or names a file that can't be read
  3  generate --check: what is committed differs from what the types say
  3, 4, 5  diff: NEW is narrower, wider, both
  6  refused: by Comity, or by the API server's rules of who may decide
  7  a decision, or an order of ca, was written, and hadn't taken effect when --timeout was over
  8  the question wasn't answered with yes, so nothing was written
  9  report, and rehearse with a grant: production doesn't open by it. A case failed, or one couldn't be
     executed and the contract asks for all of them; or the journal doesn't go by just this report, or what
     is agreed now is something else";

/// Shares data and models with partners for as long, and for as much, as was agreed.
#[derive(Debug, Parser)]
#[command(name = "comity", version, after_help = EXIT_CODES, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// What there is to do.
#[derive(Debug, Subcommand)]
enum Command {
    List(list::Arguments),
    Status(status::StatusArguments),
    Explain(status::ExplainArguments),
    History(history::Arguments),
    Approve(decide::ApproveArguments),
    Deny(decide::DenyArguments),
    Extend(decide::ExtendArguments),
    Shorten(decide::ShortenArguments),
    Expire(decide::ExpireArguments),
    Quarantine(decide::QuarantineArguments),
    Release(decide::ReleaseArguments),
    Attest(decide::AttestArguments),
    Sponsor(decide::SponsorArguments),
    Enrol(decide::EnrolArguments),
    Rehearse(decide::RehearseArguments),
    Report(report::Arguments),
    Diff(diff::Arguments),
    Validate(validate::Arguments),
    Plan(plan::Arguments),
    Promote(promote::Arguments),
    Init(init::Arguments),
    Ca(ca::Arguments),
    Run(run::Arguments),
    Sign(sign::Arguments),
    Dial(dial::Arguments),
    Crd(crd::Arguments),
    Completion(completion::Arguments),
    Generate(generate::Arguments),
}

/// Why a command failed.
type Failure = Box<dyn Error + Send + Sync>;

/// Reads the command line, and does what it says.
pub fn main() -> ExitCode {
    let mut matches = command_called(called()).get_matches();
    let arguments = Arguments::from_arg_matches_mut(&mut matches).unwrap_or_else(|error| error.exit());
    let done = match arguments.command {
        Command::List(arguments) => arguments.list(),
        Command::History(arguments) => arguments.history(),
        Command::Status(arguments) => arguments.status(),
        Command::Explain(arguments) => arguments.explain(),
        Command::Approve(arguments) => arguments.approve(),
        Command::Deny(arguments) => arguments.deny(),
        Command::Extend(arguments) => arguments.extend(),
        Command::Shorten(arguments) => arguments.shorten(),
        Command::Expire(arguments) => arguments.expire(),
        Command::Quarantine(arguments) => arguments.quarantine(),
        Command::Release(arguments) => arguments.release(),
        Command::Attest(arguments) => arguments.attest(),
        Command::Sponsor(arguments) => arguments.sponsor(),
        Command::Enrol(arguments) => arguments.enrol(),
        Command::Rehearse(arguments) => arguments.rehearse(),
        Command::Report(arguments) => arguments.report(),
        Command::Diff(arguments) => arguments.diff(),
        Command::Validate(arguments) => arguments.validate(),
        Command::Plan(arguments) => arguments.plan(),
        Command::Promote(arguments) => arguments.promote(),
        Command::Init(arguments) => arguments.init(),
        Command::Ca(arguments) => arguments.run(),
        Command::Run(arguments) => arguments.run(),
        Command::Sign(arguments) => arguments.sign(),
        Command::Dial(arguments) => arguments.dial(),
        Command::Crd(arguments) => arguments.print(),
        Command::Completion(arguments) => arguments.print(),
        Command::Generate(arguments) => arguments.generate(),
    };
    done.unwrap_or_else(|failure| {
        report(failure.as_ref());
        person::code(&failure)
    })
}

/// The commands as clap knows them, for the reference.
fn command() -> clap::Command {
    command_called(OWN_NAME)
}

/// The commands of a program that is called so, in its help too.
fn command_called(program: &'static str) -> clap::Command {
    Arguments::command().name(program).bin_name(program).mut_subcommands(|command| renamed(command, program))
}

/// A command whose examples, and those of the commands in it, are given to a program that is called so.
fn renamed(command: clap::Command, program: &str) -> clap::Command {
    let command = command.mut_subcommands(|inner| renamed(inner, program));
    let examples =
        command.get_after_help().map(|text| text.to_string().replace("  comity ", &format!("  {program} ")));
    match examples {
        Some(examples) => command.after_help(examples),
        None => command,
    }
}

/// What this program is called where it isn't called by another name.
const OWN_NAME: &str = "comity";

/// What whoever started this calls it.
fn called() -> &'static str {
    name_of(std::env::args_os().next().as_deref())
}

/// kubectl finds its plugins by their file's name, and people call them by two words.
fn name_of(file: Option<&OsStr>) -> &'static str {
    let stem = file.map(Path::new).and_then(Path::file_stem).and_then(OsStr::to_str);
    if stem == Some("kubectl-comity") { "kubectl comity" } else { OWN_NAME }
}

/// Says what went wrong, and what was behind it, in one line. What the cluster said of it is in there.
#[allow(clippy::print_stderr, reason = "this is where the program speaks to who started it")]
fn report(failure: &(dyn Error + Send + Sync + 'static)) {
    eprintln!("{}: {}", called(), page::plain(&chain(failure)));
}

/// A failure with everything that was behind it, each said once.
fn chain(failure: &dyn Error) -> String {
    let mut text = failure.to_string();
    let mut cause = failure.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(words: &[&str]) -> String {
        let words = ["comity"].iter().chain(words);
        Arguments::try_parse_from(words).expect_err("it can't be understood").to_string()
    }

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn as_a_plugin_of_kubectl_it_speaks_of_itself_as_one() {
        let named = |file: &str| name_of(Some(OsStr::new(file)));
        assert_eq!(named("/usr/local/bin/kubectl-comity"), "kubectl comity");
        assert_eq!([named("/usr/bin/comity"), named("kubectl-comity-old"), name_of(None)], ["comity"; 3]);
        let mut plugin = command_called("kubectl comity");
        plugin.build();
        for command in plugin.get_subcommands_mut() {
            let help = command.render_long_help().to_string();
            let usage = help.lines().find(|line| line.starts_with("Usage:")).unwrap_or_default();
            assert!(usage.contains("kubectl comity ") || command.get_name() == "help", "{usage}");
            assert!(!help.contains("\n  comity "), "{help}");
        }
    }

    #[test]
    fn what_cannot_be_understood_is_refused_with_what_to_do() {
        for (words, answer) in [
            (&["run", "--listen", "8080"][..], "ADDR:PORT"),
            (&["run", "--trust-domain", "Comity Local"], "a-z, 0-9"),
            (&["run", "--cluster-cidr", "10.0.0.1/8"], "10.0.0.0/8"),
            (&["run", "--cluster-cidr", "10.0.0.0/33"], "at most 32"),
            (&["run", "--dns-selector", "kube-dns"], "KEY=VALUE"),
            (&["run", "--workers", "0"], "1..="),
            (&["sign", "--dns-namespace", "x"], "unexpected argument"),
            (&["sign", "--system-namespace", "Comity"], "lower case"),
            (&["generate"], "--write"),
            (&["generate", "--write", "--check"], "cannot be used with"),
        ] {
            let refusal = refused(words);
            assert!(refusal.contains(answer), "{words:?}: {refusal}");
        }
    }

    #[test]
    fn what_is_installed_starts_with_what_can_be_understood() {
        let installed = crate::generate::install::file().expect("install.yaml").contents;
        let objects: Vec<serde_json::Value> = serde_saphyr::from_multiple(&installed).expect("YAML");
        let pods =
            objects.iter().filter_map(|object| object.pointer("/spec/template/spec/containers/0/args"));
        let lines: Vec<Vec<&str>> = pods
            .map(|line| line.as_array().into_iter().flatten().filter_map(serde_json::Value::as_str).collect())
            .collect();
        assert_eq!(lines.len(), 3, "one line for each process");
        for line in lines {
            let words = ["comity"].iter().chain(&line);
            Arguments::try_parse_from(words).unwrap_or_else(|error| panic!("{line:?}: {error}"));
        }
    }

    #[test]
    fn a_failure_is_told_with_what_was_behind_it() {
        let inner = std::io::Error::other("permission denied");
        let outer = std::io::Error::other(inner);
        assert_eq!(chain(&outer), "permission denied");
    }
}
