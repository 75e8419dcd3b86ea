//! One property: whatever happens, in whichever order, the promises hold.
//!
//! Grants that share a contract are applied, decided about, narrowed, lost, killed and put back as a
//! seed says, on a real API server with every process. A checker looks at all of it from outside
//! (`checker/`). `COMITY_SEED` says which seeds (numbers, or `random`, with commas between them),
//! `COMITY_STEPS` how many steps each takes. The seed is printed, and repeats what happened up to the
//! timing of machines.
#![expect(clippy::expect_used, reason = "a story's helpers fail like its tests")]

#[path = "property/acts.rs"]
mod acts;
#[path = "property/broken.rs"]
mod broken;
#[path = "property/cast.rs"]
mod cast;
#[path = "property/checker/mod.rs"]
mod checker;
#[path = "property/dice.rs"]
mod dice;
#[path = "property/ground.rs"]
mod ground;
#[path = "property/history.rs"]
mod history;
#[path = "property/run.rs"]
mod run;
#[path = "property/step.rs"]
mod step;
#[path = "property/story.rs"]
mod story;
#[path = "property/witness.rs"]
mod witness;

use std::collections::BTreeMap;
use std::env;

use e2e::controlplane::Settings;
use e2e::{Cluster, Comity, Error, Result};
use tokio::sync::Mutex;

/// The seeds that are tried where nobody says which.
const SEEDS: [u64; 2] = [1, 2];
/// How many steps are taken where nobody says how many.
const STEPS: usize = 24;

/// Each of the two that take a control plane has the machine to itself, as far as that is theirs to say.
static TURN: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_the_promises_hold() -> Result<()> {
    let steps = env::var("COMITY_STEPS")
        .map_or(Ok(STEPS), |steps| steps.parse().map_err(|_| not_understood("COMITY_STEPS")))?;
    let _turn = TURN.lock().await;
    let cluster = Cluster::start(Settings::default()).await?;
    let (comity, clock) = Comity::going_by_a_clock(&cluster).await?;
    comity.start_all().await?;
    let mut tally: BTreeMap<String, usize> = BTreeMap::new();
    for (number, seed) in seeds()?.into_iter().enumerate() {
        println!("COMITY_SEED={seed} COMITY_STEPS={steps}");
        for (what, count) in run::run(&cluster, (&comity, &clock), number, seed, steps).await? {
            *tally.entry(what).or_default() += count;
        }
    }
    println!("{tally:?}");
    let opened = tally.get("Opened Sandbox").copied().unwrap_or_default();
    if opened == 0 {
        Err(Error::Failed("nothing was ever opened, so nothing was tried".to_owned()))
    } else {
        Ok(())
    }
}

/// Which seeds are tried.
fn seeds() -> Result<Vec<u64>> {
    let Ok(wanted) = env::var("COMITY_SEED") else { return Ok(SEEDS.to_vec()) };
    let random = || u64::try_from(jiff::Timestamp::now().as_microsecond()).map(|now| now % 1_000_000_007);
    let seeds = wanted.split(',').enumerate().map(|(place, seed)| match seed.trim() {
        "random" => {
            random().map(|random| random + place as u64 * 7919).map_err(|_| not_understood("COMITY_SEED"))
        }
        number => number.parse().map_err(|_| not_understood("COMITY_SEED")),
    });
    seeds.collect()
}

fn not_understood(variable: &str) -> Error {
    Error::Failed(format!("{variable} can't be understood: give numbers"))
}
