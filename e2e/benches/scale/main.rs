//! How fast Comity opens, ends and rests, beside what the same API server does at most with a
//! bare loop. `cargo bench -p e2e --bench scale -- --grants 200`.
//!
//! Everything in one run, on a control plane of its own, one phase after the other, because these
//! figures mean something only beside each other: another machine has other seconds, and much the
//! same ratios.
#![expect(clippy::cast_precision_loss, reason = "what is counted here is far below 2^52")]

mod chart;
mod consent;
mod expiry;
mod floor;
mod narrowing;
mod opening;
mod processor;
mod recorded;
mod report;
mod rest;
mod spread;
mod substitute;
mod world;

use clap::Parser;
use comity::api::PartnerGrant;
use e2e::{Cluster, Comity, Explain as _, Result, controlplane::Settings};

use opening::Opened;
use processor::Times;
use report::Report;
use world::World;

/// How many grants there are before any is counted, so that growth is told from beginnings.
const BEFORE: usize = 50;

/// What the benchmark can be told.
#[derive(Clone, Debug, Parser)]
#[command(name = "scale")]
struct Options {
    /// How many grants are opened and ended.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=1000))]
    grants: u16,
    /// How many are worked on at once: by Comity, and by the bare loops.
    #[arg(long, default_value_t = 16)]
    workers: usize,
    /// Only what opening and narrowing take, and the bare loops: a table with gaps, for whoever works on that.
    #[arg(long)]
    brief: bool,
    /// Only what people decide, and a contract that changes: the rest of the table is left out.
    #[arg(long, conflicts_with = "brief")]
    decided: bool,
    /// Cargo says so.
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    match measure(&Options::parse()).await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            std::process::ExitCode::FAILURE
        }
    }
}

/// Runs every phase and writes what came out.
async fn measure(options: &Options) -> Result<()> {
    let grants = usize::from(options.grants);
    let (report, changed) = phases(grants, options).await?;
    print!("\n{}", report.table());
    let directory = e2e::comity::repository().join("target/bench");
    std::fs::create_dir_all(&directory).explain("make target/bench")?;
    let json = serde_json::to_string_pretty(&report.json())?;
    std::fs::write(directory.join("scale.json"), json + "\n").explain("write scale.json")?;
    std::fs::write(directory.join("scale.svg"), chart::svg(&report)).explain("write scale.svg")?;
    println!("\nwritten: target/bench/scale.json, target/bench/scale.svg");
    changed
}

async fn phases(grants: usize, options: &Options) -> Result<(Report, Result<()>)> {
    let workers = options.workers;
    say("a control plane of its own, and Comity in it");
    let cluster = Cluster::start(Settings { audit_bodies: true, ..Settings::default() }).await?;
    let comity = Comity::start(&cluster).await?;
    let world = World::make(&cluster, BEFORE + 3 * grants).await?;
    let mut report = Report::new(grants, workers);
    if !options.decided {
        openings((&cluster, &comity, &world), grants, options, &mut report).await?;
    }
    let changed = changes(&comity, &world.by_people(), &mut report, options.brief).await;
    Ok((report, changed))
}

/// What it takes to open grants, beside bare loops that do the same; what they cost then, and how they end.
async fn openings(
    (cluster, comity, world): (&Cluster, &Comity, &World),
    grants: usize,
    options: &Options,
    report: &mut Report,
) -> Result<()> {
    let workers = options.workers;
    say("grants before any is counted");
    let before = world::grants("before", BEFORE, "24h")?;
    let first = opening::open(world, &before).await?;
    report.memory_before = rest::memory(comity)?;
    let objects = recorded::Recorded::read(cluster, &first[0])?;
    stop(comity).await?;

    say("object floor: a bare loop makes the same objects");
    report.object_floor.push(floor::objects(world, &objects, "floor-a", grants, workers).await?);
    told(report.object_floor[0].seconds);

    start(comity).await?;
    say("grants, from apply to Active");
    let batch = world::grants("batch", grants, "24h")?;
    let opened = open(comity, world, &batch, report).await?;
    told(report.seconds);
    report.memory_after = rest::memory(comity)?;
    if !options.brief {
        rests_and_ends(cluster, comity, world, &batch, report).await?;
    }
    stop(comity).await?;

    say("request floor: the same requests, replayed by a bare loop");
    report.request_floor = floor::requests(world, &opened, workers).await?;
    told(report.request_floor.seconds);
    say("object floor, again");
    report.object_floor.push(floor::objects(world, &objects, "floor-b", grants, workers).await?);
    told(report.object_floor[1].seconds);
    Ok(())
}

/// What grants cost that nothing happens to, and how they end.
async fn rests_and_ends(
    cluster: &Cluster,
    comity: &Comity,
    world: &World,
    batch: &[PartnerGrant],
    report: &mut Report,
) -> Result<()> {
    say("a quiet minute");
    report.quiet_writes = rest::quiet(cluster, comity).await?;
    say("a restart");
    (report.restart_seconds, report.restart_writes) = rest::restart(cluster, comity).await?;
    say("every grant deleted, until nothing is left");
    report.clearing = world.delete(batch).await?;
    say("ends, spread over a minute");
    report.expiry = expiry::measure(world, batch.len()).await?;
    Ok(())
}

/// What people decide about grants that are live, and a contract that changes under them: last, since
/// nothing of it is cleared.
async fn changes(comity: &Comity, world: &World, report: &mut Report, brief: bool) -> Result<()> {
    start(comity).await?;
    say("grants for which people decide");
    let batch = world::BATCH_DECIDED;
    let grants: Vec<PartnerGrant> =
        (0..report.grants).map(|number| world::decided(batch, number)).collect::<Result<_>>()?;
    opening::open(world, &grants).await?;
    let places = consent::rehearsing(world, batch, report.grants).await?;
    say("their contract narrowed, and a bare loop that changes the same objects");
    report.narrowing = narrowing::measure(world, comity, batch, &places, report.workers).await?;
    told(report.narrowing.comity);
    if brief {
        return Ok(());
    }
    say("approvals, promotions and quarantines, each spread evenly");
    report.consent = consent::measure(world, batch, report.grants).await?;
    Ok(())
}

/// Opens the grants that are measured, and takes what that showed and cost.
async fn open(
    comity: &Comity,
    world: &World,
    grants: &[PartnerGrant],
    report: &mut Report,
) -> Result<Vec<Opened>> {
    let before = Times::read(&world.admin, Some(comity))?;
    let opened = opening::open(world, grants).await?;
    report.processor = Times::read(&world.admin, Some(comity))?.since(before);
    report.opened(&opened);
    Ok(opened)
}

async fn start(comity: &Comity) -> Result<()> {
    comity.start_all().await?;
    Ok(())
}

async fn stop(comity: &Comity) -> Result<()> {
    comity.stop_all().await?;
    Ok(())
}

fn say(what: &str) {
    eprintln!("• {what}");
}

fn told(seconds: f64) {
    eprintln!("  {seconds:.1} s");
}
