//! Runs stories on a node: the `main` of a test binary without Cargo's own harness.
//!
//! Outside it finds out whether a node can run here, and says loudly if not; it prepares the
//! machine, and runs itself again inside, where the node is started once for all stories, which
//! run one after the other. `COMITY_E2E_NODE=require` makes an error of what is missing, and
//! `COMITY_E2E_NODE=skip` leaves all of it out.

use std::{
    env,
    panic::AssertUnwindSafe,
    path::Path,
    process::{ExitCode, ExitStatus},
    sync::Arc,
    time::Instant,
};

use futures::{FutureExt as _, future::LocalBoxFuture};

use super::{Node, binaries, ground::Ground, helm, inside, inside::Inside, kernel, probe, upstream};
use crate::{Error, Result, comity, controlplane};

/// What happens in a story.
pub type Play = fn(Arc<Node>) -> LocalBoxFuture<'static, Result<()>>;

/// A story: its name, and what happens.
pub struct Story {
    name: &'static str,
    play: Play,
    asked: Option<Asked>,
}

/// What a story takes that is played only where somebody asks for it.
#[derive(Clone, Copy, Debug)]
struct Asked {
    /// By setting this variable.
    variable: &'static str,
    /// How long it takes.
    takes: &'static str,
    /// Whether it is played beside the others: most of it is waiting.
    beside: bool,
}

impl Asked {
    fn is_set(self) -> bool {
        env::var_os(self.variable).is_some_and(|value| !value.is_empty())
    }
}

impl Story {
    /// One that is always played; its name says what it shows, as that of a test.
    pub fn new(name: &'static str, play: Play) -> Self {
        Self { name, play, asked: None }
    }

    /// One that takes so long that it is played only where somebody asks for it, and beside the others.
    #[must_use]
    pub fn taking(self, takes: &'static str) -> Self {
        Self { asked: Some(Asked { variable: "COMITY_E2E_LONG", takes, beside: true }), ..self }
    }

    /// One that is played only where somebody sets this variable.
    #[must_use]
    pub fn where_set(self, variable: &'static str, takes: &'static str) -> Self {
        Self { asked: Some(Asked { variable, takes, beside: false }), ..self }
    }

    /// Whether it is played now; says so where it isn't.
    fn is_asked_for(&self) -> bool {
        match self.asked {
            Some(asked) if !asked.is_set() => {
                let Asked { variable, takes, .. } = asked;
                println!("test {} ... SKIPPED, as it takes {takes}: {variable}=1 plays it", self.name);
                false
            }
            _ => true,
        }
    }
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
iproute2, nftables, runc and openssl; the rest is built. To run them and nothing else:
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

/// How what runs inside ends where the node doesn't start.
const WITHOUT_NODE: u8 = 77;

/// What became of what was played inside.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ended {
    Passed,
    Failed,
    /// The node didn't start, so nothing was played.
    WithoutNode,
}

impl Ended {
    fn of(status: ExitStatus) -> Self {
        match status.code() {
            Some(0) => Self::Passed,
            Some(code) if code == i32::from(WITHOUT_NODE) => Self::WithoutNode,
            _ => Self::Failed,
        }
    }
}

/// Outside: makes sure that a node can run here, plays the stories inside, and then what is played outside.
///
/// What goes wrong until the node is up is this machine's, and what goes wrong after is a failure.
async fn play_outside(stories: &[&Outside], inside: Option<Vec<String>>) -> Result<ExitCode> {
    let asked = env::var("COMITY_E2E_NODE").unwrap_or_default();
    if asked == "skip" {
        println!("\nthe stories of the node are skipped: COMITY_E2E_NODE=skip\n");
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(missing) = lack().await? {
        return skipped(&asked, &missing);
    }
    let mut passed = true;
    if let Some(arguments) = inside {
        match Ended::of(go_inside(arguments).await?) {
            Ended::WithoutNode => return skipped(&asked, "a node that starts, see above"),
            ended => passed = ended == Ended::Passed,
        }
    }
    let mut tally = Tally::default();
    for story in stories {
        tally.play(story.name, (story.play)()).await;
    }
    passed &= tally.end();
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Says what is missing: an error where it was asked for.
fn skipped(asked: &str, missing: &str) -> Result<ExitCode> {
    if asked == "require" {
        return Err(Error::Failed(format!(
            "the stories of the node can't be played: this isn't here: {missing}"
        )));
    }
    eprintln!("\nSKIPPED: the stories of the node, as this isn't here: {missing}\n{HOW}\n");
    Ok(ExitCode::SUCCESS)
}

/// Prepares the machine, runs this program inside, and takes everything away again.
pub(super) async fn go_inside(arguments: Vec<String>) -> Result<ExitStatus> {
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
    ended
}

/// What became of stories.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: Vec<String>,
}

impl Tally {
    async fn play(&mut self, name: &str, story: LocalBoxFuture<'static, Result<()>>) {
        self.follow(name, Instant::now(), story).await;
    }

    /// The same of a story that has begun before.
    async fn follow(&mut self, name: &str, begun: Instant, story: LocalBoxFuture<'static, Result<()>>) {
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
pub(super) async fn lack() -> Result<Option<String>> {
    let missing = probe::missing();
    if !missing.is_empty() {
        return Ok(Some(missing.join(", ")));
    }
    if let Err(error) = attempt().await {
        return Ok(Some(error.to_string()));
    }
    match binaries_are_there().await? {
        Ok(()) => comity::binary().await.map(|_| None),
        Err(error) => Ok(Some(error.to_string())),
    }
}

/// Prepares the machine, tries on it what a node needs, and takes everything away.
async fn attempt() -> Result<()> {
    let ground = Ground::prepare().await?;
    let tried = probe::trial();
    ground.clear().await?;
    tried
}

/// Gets what can't be got inside, where there is no network.
async fn binaries_are_there() -> Result<Result<()>> {
    let found = tokio::task::spawn_blocking(|| -> Result<()> {
        controlplane::find()?;
        binaries::find()?;
        upstream::get_if_asked()?;
        if let Err(error) = helm::find() {
            // The story with the chart will say so once more.
            eprintln!("there is no helm, and none can be built: {error}");
        }
        Ok(())
    });
    found.await.map_err(|error| Error::Failed(error.to_string()))
}

/// Inside: starts the node, and plays one story after the other.
async fn play(directory: &Path, speaker: &Path, stories: &[&Story], hold: bool) -> Result<ExitCode> {
    let begun = Instant::now();
    let mut node = match Node::start(directory, speaker).await {
        Ok(node) => node,
        Err(error) => {
            eprintln!("\nthe node doesn't start: {error}");
            return Ok(ExitCode::from(WITHOUT_NODE));
        }
    };
    println!("\nthe node is ready after {:.1} s", begun.elapsed().as_secs_f32());
    if hold {
        super::running::hold(&node).await?;
    }
    node.start_comity().await?;
    println!("running {} stories on it", stories.len());
    let node = Arc::new(node);
    let mut tally = Tally::default();
    let wanted: Vec<&Story> = stories.iter().copied().filter(|story| story.is_asked_for()).collect();
    let is_beside = |story: &&Story| story.asked.is_some_and(|asked| asked.beside);
    let (beside, others): (Vec<&Story>, Vec<&Story>) = wanted.into_iter().partition(is_beside);
    let begun = beside.into_iter().map(|story| (story.name, Instant::now(), begin(story.play, node.clone())));
    let begun: Vec<_> = begun.collect();
    for story in others {
        tally.play(story.name, (story.play)(node.clone())).await;
    }
    for (name, since, story) in begun {
        tally.follow(name, since, story).await;
    }
    Ok(if tally.end() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Begins to play a story on a thread of its own, as some block theirs; what comes of it is to be awaited.
fn begin(play: Play, node: Arc<Node>) -> LocalBoxFuture<'static, Result<()>> {
    let here = tokio::runtime::Handle::current();
    let playing = tokio::task::spawn_blocking(move || here.block_on(play(node)));
    async move { playing.await.map_err(|error| Error::Failed(error.to_string()))? }.boxed_local()
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
