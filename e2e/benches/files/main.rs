//! How long the command line takes on many files and many grants: `cargo bench -p e2e --bench files`.
//!
//! `comity validate`, `plan` and `diff` on files that hold together, one object each; then `comity list` on a control
//! plane of its own, of which the grants have the status that Comity wrote for one of them.

mod sharing;
mod standing;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use e2e::{Error, Explain as _, Result};
use serde_json::{Value, json};

/// What the benchmark can be told.
#[derive(Clone, Copy, Debug, Parser)]
#[command(name = "files")]
struct Options {
    /// How many files there are.
    #[arg(long, default_value_t = 1000)]
    files: usize,
    /// How many grants there are.
    #[arg(long, default_value_t = 1000)]
    grants: usize,
    /// How often each command is given.
    #[arg(long, default_value_t = 11)]
    times: usize,
    /// Cargo says so.
    #[arg(long, hide = true)]
    bench: bool,
}

/// How long a command took, each time.
struct Timed {
    what: String,
    goal: Option<Duration>,
    /// From the shortest to the longest.
    took: Vec<Duration>,
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    match measure(Options::parse()).await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            std::process::ExitCode::FAILURE
        }
    }
}

async fn measure(options: Options) -> Result<()> {
    let program = e2e::comity::binary().await?;
    let mut timed = files(&program, options)?;
    timed.extend(standing::measure(&program, options).await?);
    println!("\n| | median | longest | goal |\n|---|--:|--:|--:|");
    for Timed { what, goal, took } in &timed {
        let goal = goal.map_or_else(String::new, |goal| format!("≤ {}", told(goal)));
        println!("| {what} | {} | {} | {goal} |", told(median(took)), told(longest(took)));
    }
    let directory = e2e::comity::repository().join("target/bench");
    std::fs::create_dir_all(&directory).explain("make target/bench")?;
    let all: Vec<Value> = timed.iter().map(as_json).collect();
    let text = serde_json::to_string_pretty(&all)? + "\n";
    std::fs::write(directory.join("files.json"), text).explain("write files.json")?;
    println!("\nwritten: target/bench/files.json");
    Ok(())
}

/// What takes no cluster.
fn files(program: &Path, options: Options) -> Result<Vec<Timed>> {
    let folder = tempfile::tempdir().explain("make a folder")?;
    let (before, after) = (folder.path().join("before"), folder.path().join("after"));
    sharing::write(&before, options.files, sharing::Version::Before)?;
    sharing::write(&after, options.files, sharing::Version::After)?;
    let (goal, count) = (Duration::from_secs(1), options.files);
    let (before, after) = (before.to_string_lossy(), after.to_string_lossy());
    let all = sharing::joined(Path::new(&*after))?;
    let differing: &[i32] = &[3, 4, 5];
    let commands = [
        ("validate", vec!["validate", "--strict", &after], None, &[0][..]),
        ("validate -, as one text", vec!["validate", "--strict", "-"], Some(all.as_str()), &[0][..]),
        ("validate -o sarif", vec!["validate", "--strict", "-o", "sarif", &after], None, &[0][..]),
        ("plan", vec!["plan", &after], None, &[0][..]),
        ("diff, of which most differ", vec!["diff", &before, &after], None, differing),
        ("diff -o sarif", vec!["diff", "-o", "sarif", &before, &after], None, differing),
    ];
    let mut timed = Vec::new();
    for (what, arguments, input, codes) in commands {
        let mut given = Given { program, arguments: &arguments, input, codes, kubeconfig: None };
        timed.push(given.timed(format!("`{what}`, {count} files"), Some(goal), options.times)?);
    }
    Ok(timed)
}

/// A command as it is given.
struct Given<'a> {
    program: &'a Path,
    arguments: &'a [&'a str],
    /// What comes from standard input.
    input: Option<&'a str>,
    /// How it may end.
    codes: &'a [i32],
    kubeconfig: Option<&'a Path>,
}

impl Given<'_> {
    /// Gives it once to have everything in memory, and then so many times.
    fn timed(&mut self, what: String, goal: Option<Duration>, times: usize) -> Result<Timed> {
        self.once()?;
        let mut took: Vec<Duration> = (0..times.max(1)).map(|_| self.once()).collect::<Result<_>>()?;
        took.sort();
        eprintln!("• {what}: {}", told(median(&took)));
        Ok(Timed { what, goal, took })
    }

    fn once(&self) -> Result<Duration> {
        let mut command = Command::new(self.program);
        command.args(self.arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(kubeconfig) = self.kubeconfig {
            command.env("KUBECONFIG", kubeconfig);
        }
        let mut input = tempfile::tempfile().explain("make a file")?;
        std::io::Write::write_all(&mut input, self.input.unwrap_or_default().as_bytes())?;
        std::io::Seek::rewind(&mut input)?;
        command.stdin(input);
        let begun = Instant::now();
        let output = command.output().explain("run comity")?;
        let took = begun.elapsed();
        if output.status.code().is_some_and(|code| self.codes.contains(&code)) {
            return Ok(took);
        }
        let said: String =
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).chars().take(2000).collect();
        Err(Error::Failed(format!(
            "comity {} ended with {}: {said}",
            self.arguments.join(" "),
            output.status
        )))
    }
}

fn median(took: &[Duration]) -> Duration {
    took.get(took.len() / 2).copied().unwrap_or_default()
}

fn longest(took: &[Duration]) -> Duration {
    took.last().copied().unwrap_or_default()
}

fn told(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}

fn as_json(timed: &Timed) -> Value {
    let all: Vec<u128> = timed.took.iter().map(Duration::as_millis).collect();
    json!({"what": timed.what, "goalMilliseconds": timed.goal.map(|goal| goal.as_millis()), "tookMilliseconds": all})
}
