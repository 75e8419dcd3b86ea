//! How many certificates `comity sign` gives in a second, by each of the three ways to one, beside what the same API
//! server takes of the bare writes that there have to be. `cargo bench -p e2e --bench issuance`.
//!
//! Everything in one run, on control planes of its own, one phase after the other, because these figures mean
//! something only beside each other: another machine has other rates, and much the same ratios.
#![expect(clippy::cast_precision_loss, reason = "what is counted here is far below 2^52")]

mod caller;
mod callers;
mod floor;
mod live;
mod pods;
mod report;
mod requests;
mod secrets;
mod sight;
mod wave;

#[path = "../../tests/identity/node.rs"]
#[expect(dead_code, reason = "shared with the stories")]
mod node;
#[path = "../scale/opening.rs"]
#[expect(dead_code, reason = "shared with the other benchmark")]
mod opening;
#[path = "../scale/processor.rs"]
#[expect(dead_code, reason = "shared with the other benchmark")]
mod processor;
#[path = "../../tests/life/story.rs"]
#[expect(dead_code, reason = "shared with the stories")]
mod story;
#[path = "../scale/world.rs"]
#[expect(dead_code, reason = "shared with the other benchmark")]
mod world;

use clap::Parser;
use comity::api::name;
use e2e::{Cluster, Comity, Explain as _, Result, controlplane::Settings};

use callers::{Callers, Endpoint};
use pods::Pods;
use report::{Report, Way};
use secrets::{Secrets, WORKLOADS};

/// How many requests `comity sign` answers at once unless told otherwise, and how many renewals of callers.
const WORKERS: usize = 8;

/// What the benchmark can be told.
#[derive(Clone, Debug, Parser)]
#[command(name = "issuance")]
struct Options {
    /// How many certificates are to live at the same time.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u16).range(1..=16_000))]
    live: u16,
    /// For how many minutes at most they are issued.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=30))]
    minutes: u8,
    /// Just the first way: what nodes ask for.
    #[arg(long)]
    pods: bool,
    /// Just enough to see that it works: its figures mean little.
    #[arg(long)]
    brief: bool,
    /// Cargo says so.
    #[arg(long, hide = true)]
    bench: bool,
}

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Extent {
    /// How many are outstanding, and how often that is measured.
    waves: [(usize, usize); 3],
    /// How many of those who call in renew one after the other: a certificate renews ten times at once.
    alone: usize,
    /// How many grants there are of workloads that call in, as many as a grant may have.
    grants: usize,
    /// In how many sandboxes pods run.
    sandboxes: usize,
    /// How many in each: no pod asks for more than thirty certificates at once.
    pods: usize,
    /// How many writes are counted of the bare loops.
    bare: usize,
    /// How many certificates are to live at the same time.
    live: usize,
    /// For how many minutes at most they are issued.
    minutes: u64,
}

impl Extent {
    fn of(options: &Options) -> Self {
        let (live, minutes) = (usize::from(options.live), u64::from(options.minutes));
        if options.brief {
            let waves = [(1, 8), (8, 1), (32, 1)];
            let live = live.min(128);
            return Self { waves, alone: 8, grants: 1, sandboxes: 1, pods: 4, bare: 32, live, minutes };
        }
        let waves = [(1, 40), (50, 4), (1000, 1)];
        Self { waves, alone: 32, grants: 8, sandboxes: 10, pods: 10, bare: 500, live, minutes }
    }

    /// How many are outstanding, and how often that is measured.
    const fn waves(&self) -> [(usize, usize); 3] {
        self.waves
    }

    /// The same of those who call in.
    const fn waves_of_callers(&self) -> [(usize, usize); 3] {
        let [(one, _), (some, _), (many, _)] = self.waves;
        [(one, self.alone), (some, 1), (many, 1)]
    }

    /// How many grants that is where each has as many workloads as it may have, and some to spare.
    fn grants_of_secrets(&self) -> usize {
        let of_waves = |(outstanding, times): (usize, usize)| outstanding.div_ceil(WORKLOADS) * times;
        let waves: usize = self.waves.into_iter().map(of_waves).sum();
        waves + self.live.div_ceil(WORKLOADS) + 32
    }
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
    let extent = Extent::of(options);
    let mut report = Report::default();
    say("signatures");
    report.signature = floor::signature(2000)?;
    nodes_and_callers(options, &extent, &mut report).await?;
    if !options.pods {
        stages(&extent, &mut report).await?;
    }
    print!("\n{}", report.table());
    let directory = e2e::comity::repository().join("target/bench");
    std::fs::create_dir_all(&directory).explain("make target/bench")?;
    let json = serde_json::to_string_pretty(&report.json())?;
    std::fs::write(directory.join("issuance.json"), json + "\n").explain("write issuance.json")?;
    println!("\nwritten: target/bench/issuance.json");
    Ok(())
}

/// Keys that nodes make, and keys that the partner makes.
async fn nodes_and_callers(options: &Options, extent: &Extent, report: &mut Report) -> Result<()> {
    say("a control plane that takes the requests of nodes, and Comity in it");
    let cluster = Cluster::start(Settings::with_pod_certificates()?).await?;
    let endpoint = Endpoint::prepare(&cluster).await?;
    let flags = endpoint.flags();
    let comity = Comity::start_signing(&cluster, &flags.each_ref().map(String::as_str)).await?;
    let sign = cluster.token(name::DEFAULT_SYSTEM_NAMESPACE, name::SIGN).await?;
    let sign = cluster.as_token(&sign)?;

    say("PodCertificateRequests");
    let mut pods = Pods::wait(&cluster, extent).await?;
    let waves = pods.measure((&cluster, &comity), extent).await?;
    comity.sign().stop().await?;
    say("the same answers by a bare loop");
    let floors =
        vec![pods.floor(&sign, extent.bare / 5, 1).await?, pods.floor(&sign, extent.bare, WORKERS).await?];
    report.ways.push(Way { name: "PodCertificateRequest", waves, floors, goal: Some("≥ 0.8") });
    if options.pods {
        return comity.stop_all().await;
    }

    comity.sign().start().await?;
    say("CertificateSigningRequests, by the enrolment endpoint");
    let mut callers = Callers::enrol(&cluster, &endpoint, extent).await?;
    let waves = callers.measure((&cluster, &comity), extent).await?;
    comity.sign().stop().await?;
    say("the same requests by a bare loop");
    let [alone, _] = callers::floors(&cluster, &sign, extent.bare / 5, 1).await?;
    let [bare, whole] = callers::floors(&cluster, &sign, extent.bare, WORKERS).await?;
    let floors = vec![alone, bare, whole];
    report.ways.push(Way { name: "CertificateSigningRequest", waves, floors, goal: None });
    comity.stop_all().await
}

/// Keys that `comity sign` makes, and as many live certificates as there is time for.
async fn stages(extent: &Extent, report: &mut Report) -> Result<()> {
    say("another control plane, and Comity in it");
    let cluster = Cluster::start(Settings::default()).await?;
    let comity = Comity::start(&cluster).await?;
    let mut secrets = Secrets::prepare(&cluster, extent.grants_of_secrets()).await?;
    say("Secrets of stages");
    let (waves, last) = secrets.measure(&comity, extent).await?;
    comity.sign().stop().await?;
    say("the same Secrets by a bare loop");
    let floors = secrets.floors(&last, WORKERS).await?.into();
    report.ways.push(Way { name: "Secret", waves, floors, goal: None });

    comity.sign().start().await?;
    say("many live certificates");
    report.live = live::measure(&mut secrets, &comity, extent).await?;
    comity.stop_all().await
}

fn say(what: &str) {
    eprintln!("• {what}");
}
