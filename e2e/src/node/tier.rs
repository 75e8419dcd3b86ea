//! Runs stories on a node: the `main` of a test binary without Cargo's own harness.
//!
//! Outside it finds out whether a node can run here, and says loudly if not; it prepares the
//! machine, and runs itself again inside, where the node is started once for all stories, which
//! run one after the other. `COMITY_E2E_NODE=require` makes an error of what is missing, and
//! `COMITY_E2E_NODE=skip` leaves all of it out.

use std::{
    env,
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Instant,
};

use futures::{FutureExt as _, future::LocalBoxFuture};

use super::{Node, binaries, ground::Ground, inside, inside::Inside, kernel, probe};
use crate::{
    Error, Result, comity,
    controlplane::{self, build::FETCH},
};

/// A story: its name, and what happens.
pub struct Story {
    /// What it shows, as the name of a test.
    pub name: &'static str,
    /// What happens.
    pub play: fn(Arc<Node>) -> LocalBoxFuture<'static, Result<()>>,
}

/// A story about the tier itself, told outside, before a node is started for the others.
pub struct Outside {
    /// What it shows, as the name of a test.
    pub name: &'static str,
    /// What happens.
    pub play: fn() -> LocalBoxFuture<'static, Result<()>>,
}

/// What is told about how a node can be run.
const HOW: &str = "\
These stories need Linux, root, cgroups that can be written to, and the packages util-linux,
iproute2, nftables and runc; the rest is built. To run them and nothing else:
    sudo --preserve-env=PATH,HOME COMITY_E2E_NODE=require cargo test -p e2e --test node
COMITY_E2E_NODE=require makes an error of what is missing here, COMITY_E2E_NODE=skip is silent.";

/// The argument by which a process only holds a node: for those who kill it.
pub const HOLD: &str = "--hold";

/// What was asked for on the command line.
#[derive(Debug, Default)]
struct Wish {
    list: bool,
    hold: bool,
    exact: bool,
    names: Vec<String>,
}

impl Wish {
    fn of(arguments: impl Iterator<Item = String>) -> Self {
        let mut wish = Self::default();
        for argument in arguments {
            match argument.as_str() {
                "--list" => wish.list = true,
                "--exact" => wish.exact = true,
                HOLD => wish.hold = true,
                // The rest is about how tests run beside each other, which these don't.
                flag if flag.starts_with('-') => {}
                name => wish.names.push(name.to_owned()),
            }
        }
        wish
    }

    fn wants(&self, story: &str) -> bool {
        let fits = |name: &String| if self.exact { name == story } else { story.contains(name.as_str()) };
        self.names.is_empty() || self.names.iter().any(fits)
    }
}

/// Runs the stories that the command line asks for. `speaker` is the program that pods run.
pub fn main(speaker: &str, outside: &[Outside], stories: &[Story]) -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let wish = Wish::of(arguments.iter().cloned());
    let before: Vec<&Outside> = outside.iter().filter(|story| !wish.hold && wish.wants(story.name)).collect();
    let wanted: Vec<&Story> = stories.iter().filter(|story| wish.wants(story.name)).collect();
    if wish.list {
        let names = before.iter().map(|story| story.name).chain(wanted.iter().map(|story| story.name));
        names.for_each(|name| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let ended = match inside::directory() {
        Some(directory) => in_runtime(play(&directory, Path::new(speaker), &wanted, wish.hold)),
        None => in_runtime(play_outside(&before, (!wanted.is_empty() || wish.hold).then_some(arguments))),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("\n{error}\n");
        ExitCode::FAILURE
    })
}

fn in_runtime(what: impl Future<Output = Result<ExitCode>>) -> Result<ExitCode> {
    tokio::runtime::Runtime::new()?.block_on(what)
}

/// Outside: makes sure that a node can run here, plays what is played outside, and then the rest inside.
async fn play_outside(stories: &[&Outside], inside: Option<Vec<String>>) -> Result<ExitCode> {
    let asked = env::var("COMITY_E2E_NODE").unwrap_or_default();
    if asked == "skip" {
        println!("\nthe stories of the node are skipped: COMITY_E2E_NODE=skip\n");
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(missing) = lack().await? {
        if asked == "require" {
            return Err(Error::Failed(missing));
        }
        eprintln!("\nSKIPPED: the stories of the node, as this isn't here: {missing}\n{HOW}\n");
        return Ok(ExitCode::SUCCESS);
    }
    let mut tally = Tally::default();
    for story in stories {
        tally.play(story.name, (story.play)()).await;
    }
    let mut passed = tally.end();
    if let Some(arguments) = inside {
        passed &= go_inside(arguments).await?;
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prepares the machine, runs this program inside, and takes everything away again.
async fn go_inside(arguments: Vec<String>) -> Result<bool> {
    let before = kernel::settings();
    let ground = Ground::prepare().await?;
    let program = move || Inside::start(&arguments)?.wait();
    let ended =
        tokio::task::spawn_blocking(program).await.map_err(|error| Error::Failed(error.to_string()))?;
    ground.clear().await?;
    let after = kernel::settings();
    if before != after {
        return Err(Error::Failed(format!("the node changed the kernel: {before:?} became {after:?}")));
    }
    Ok(ended?.success())
}

/// What became of stories.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: Vec<String>,
}

impl Tally {
    async fn play(&mut self, name: &str, story: LocalBoxFuture<'static, Result<()>>) {
        let begun = Instant::now();
        // One that panics is one that failed; it has told how by itself.
        let ended = match AssertUnwindSafe(story).catch_unwind().await {
            Ok(ended) => ended.map_err(|error| error.to_string()),
            Err(_) => Err("it panicked, see above".to_owned()),
        };
        let seconds = begun.elapsed().as_secs_f32();
        match ended {
            Ok(()) => {
                println!("test {name} ... ok ({seconds:.1} s)");
                self.passed += 1;
            }
            Err(error) => {
                println!("test {name} ... FAILED ({seconds:.1} s)");
                self.failed.push(format!("---- {name} ----\n{error}\n"));
            }
        }
    }

    /// Tells the whole, and whether all passed.
    fn end(self) -> bool {
        if self.passed + self.failed.len() > 0 {
            let (passed, failed) = (self.passed, self.failed.len());
            println!("\n{}test result: {passed} passed; {failed} failed\n", self.failed.join("\n"));
        }
        self.failed.is_empty()
    }
}

/// Finds out what a machine lacks for a node to run on it, and gets what can be got.
async fn lack() -> Result<Option<String>> {
    let missing = probe::missing();
    if !missing.is_empty() {
        return Ok(Some(missing.join(", ")));
    }
    let ground = Ground::prepare().await?;
    let tried = probe::trial();
    ground.clear().await?;
    if let Err(error) = tried {
        return Ok(Some(error.to_string()));
    }
    match get().await {
        // Whoever has Go and no network can't build it. All else that goes wrong is a failure.
        Err(Error::Step { what, source }) if what == FETCH => Ok(Some(format!("{what}: {source}"))),
        got => got.map(|()| None),
    }
}

/// Gets what can't be got inside, where there is no network.
async fn get() -> Result<()> {
    let found = tokio::task::spawn_blocking(|| -> Result<PathBuf> {
        controlplane::find()?;
        binaries::find()
    });
    found.await.map_err(|error| Error::Failed(error.to_string()))??;
    comity::binary().await.map(drop)
}

/// Inside: starts the node, and plays one story after the other.
async fn play(directory: &Path, speaker: &Path, stories: &[&Story], hold: bool) -> Result<ExitCode> {
    let begun = Instant::now();
    let mut node = Node::start(directory, speaker).await?;
    println!("\nthe node is ready after {:.1} s", begun.elapsed().as_secs_f32());
    if hold {
        super::running::hold(&node).await?;
    }
    node.start_comity().await?;
    println!("running {} stories on it", stories.len());
    let node = Arc::new(node);
    let mut tally = Tally::default();
    for story in stories {
        tally.play(story.name, (story.play)(node.clone())).await;
    }
    Ok(if tally.end() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stories_are_asked_for_by_parts_of_their_names_and_flags_of_cargos_harness_are_none() {
        let of = |arguments: &[&str]| Wish::of(arguments.iter().map(|word| (*word).to_owned()));
        assert!(of(&["--nocapture", "--test-threads=1"]).wants("anything"));
        assert!(of(&["opens"]).wants("it_opens_and_shuts") && !of(&["--exact", "opens"]).wants("it_opens"));
        assert!(of(&["--list"]).list && of(&[HOLD]).hold);
    }
}
