//! `cargo demo`: the main job, told while it happens, on a real Kubernetes API server.

mod act;
mod certificate;
mod change;
mod consent;
mod ledger;
#[cfg(target_os = "linux")]
mod live;
mod paint;
mod panel;
mod proof;
mod rehearsed;
mod screen;
mod seen;
mod story;
mod target;
mod tidy;
mod watch;
mod words;

use std::{future::Future, path::PathBuf};

use comity::api::name;
use k8s_openapi::api::core::v1::Node;
use kube::{Api, api::ListParams};

pub use ledger::Ledger;
pub use screen::Screen;

use crate::{
    Cluster, Comity, Result,
    comity::{binary, repository},
};
use ledger::unless;
use paint::Tone;
use story::SUBJECT;
use story::{BEFORE, Story, example};
use target::Target;
use watch::Watching;

/// What the demo can be told.
#[derive(Clone, Debug, clap::Parser)]
#[command(
    name = "demo",
    about = "A partner goes from sandbox to production and to the end, on a real API server"
)]
pub struct Options {
    /// Leave everything running when the story is over, until Ctrl-C, and print the KUBECONFIG.
    #[arg(long)]
    pub keep: bool,
    /// Use the cluster of this kubeconfig file's current context instead of starting one.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Have a node beside the API server, so that pods really run: as root, on Linux.
    #[arg(long, conflicts_with_all = ["keep", "kubeconfig"])]
    pub node: bool,
    /// Let the cluster be one that doesn't look as if it was made for trying things.
    #[arg(long, requires = "kubeconfig")]
    pub i_know_what_this_is: bool,
}

/// How the demo ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// Every expectation held.
    AsExpected,
    /// One didn't.
    Otherwise,
    /// Somebody pressed Ctrl-C.
    Interrupted,
}

impl Ending {
    /// As a shell says it.
    pub fn code(self) -> u8 {
        match self {
            Self::AsExpected => 0,
            Self::Otherwise => 1,
            Self::Interrupted => 130,
        }
    }
}

/// Tells the story. What it started has ended when it returns; what it made in a cluster that was
/// lent to it is removed, unless it is to be kept.
pub async fn run(options: &Options) -> Result<Ending> {
    if options.node && !target::has_node_at_hand() {
        return target::inside().await;
    }
    let screen = Screen::new();
    screen.line(Tone::Strong, "Comity: a partner goes sandbox → rehearsal → production → ended");
    let mut ledger = Ledger::new(screen.clone());
    let chosen = ledger.step("a Kubernetes API server answers", target::choose(options));
    let Some(target) = unless_interrupted(Box::pin(chosen)).await else { return Ok(Ending::Interrupted) };
    let (target, mut comity) = (target?, None);
    let cluster = target.cluster.clone();
    let told = unless_interrupted(Box::pin(tell(&target, &mut comity, &mut ledger))).await;
    screen.clear();
    if options.keep && told.is_some() {
        screen.line(Tone::Plain, &format!("\n{ledger}"));
        keep(&cluster, &screen).await;
    } else if options.kubeconfig.is_some() {
        let tidied = tidy::tidy(&cluster, comity.as_ref());
        ledger.step("everything that the demo made in this cluster is removed", tidied).await?;
    }
    let Some(told) = told else { return Ok(Ending::Interrupted) };
    if !options.keep {
        screen.line(Tone::Plain, &format!("\n{ledger}"));
    }
    told?;
    Ok(if ledger.all_held() { Ending::AsExpected } else { Ending::Otherwise })
}

/// What `work` comes to, unless somebody presses Ctrl-C before.
async fn unless_interrupted<T>(work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        _ = tokio::signal::ctrl_c() => None,
        done = work => Some(done),
    }
}

async fn tell(target: &Target, comity: &mut Option<Comity>, ledger: &mut Ledger) -> Result<()> {
    let cluster = &target.cluster;
    ledger.screen().begin();
    introduce(cluster, ledger.screen()).await?;
    ledger.step("comity is built", binary()).await?;
    ledger.step("install.yaml is applied", crate::comity::install(cluster)).await?;
    let start = async {
        let started = comity.insert(Comity::installed(cluster).await?);
        started.start_all().await
    };
    ledger
        .step("comity run, sign and rehearse are ready, each with the token of its own account", start)
        .await?;
    ledger.expect("none is an administrator, nor can do another's work", powers(cluster)).await;
    let watching = Watching::begin(cluster, ledger.screen(), SUBJECT).await?;
    let apply = async {
        for file in BEFORE {
            cluster.apply(&example(file)).await?;
        }
        Ok(())
    };
    ledger.step("examples/fraud-scoring is applied: boundary, partner, dataset, contract", apply).await?;
    let mut story = Story {
        target,
        cluster,
        watching: &watching,
        ledger,
        namespaces: Vec::new(),
        #[cfg(target_os = "linux")]
        live: None,
    };
    story.promote().await?;
    story.end().await
}

/// Says what this runs on.
async fn introduce(cluster: &Cluster, screen: &Screen) -> Result<()> {
    let version = cluster.client().apiserver_version().await?.git_version;
    let nodes = Api::<Node>::all(cluster.client()).list(&ListParams::default()).await?.items.len();
    let whose = match cluster.control_plane() {
        Some(_) => "etcd, kube-apiserver and kube-controller-manager of its own, on loopback",
        None => "a cluster that exists",
    };
    screen.remark(Tone::Faint, &format!("Kubernetes {version}: {whose}; nodes: {nodes}"));
    if nodes == 0 {
        let what = "No kubelet here: nothing runs. It is the API server that says yes or no.";
        screen.remark(Tone::Faint, what);
    }
    Ok(())
}

/// What the processes of Comity may, asked of the API server.
async fn powers(cluster: &Cluster) -> Result<String> {
    let user =
        |account| crate::cluster::identity::service_account_user(name::DEFAULT_SYSTEM_NAMESPACE, account);
    let [run, sign, rehearse] = [name::RUN, name::SIGN, name::REHEARSE].map(user);
    for (user, verb, resource) in [
        (&run, "*", "*.*"),
        (&sign, "*", "*.*"),
        (&run, "get", "secrets"),
        (&run, "impersonate", "serviceaccounts"),
        (&sign, "create", "namespaces"),
        (&sign, "create", "rolebindings.rbac.authorization.k8s.io"),
        (&sign, "create", "networkpolicies.networking.k8s.io"),
        (&rehearse, "*", "*.*"),
        (&rehearse, "get", "secrets"),
        (&rehearse, "create", "pods"),
        (&rehearse, "impersonate", "serviceaccounts"),
        (&run, "create", "rehearsalreports.comity.dev"),
    ] {
        let may = cluster.can(user, verb, resource, None).await?;
        unless(!may, || format!("{user} may {verb} {resource}"))?;
    }
    let can = cluster.can(&run, "create", "namespaces", None).await?;
    unless(can, || format!("{run} may not even make namespaces"))?;
    let run = "run reads no Secrets; sign makes no namespaces, bindings or network policies";
    Ok(format!("{run}; rehearse writes reports, and acts as nobody until it is let in"))
}

/// Holds everything until somebody presses Ctrl-C.
async fn keep(cluster: &Cluster, screen: &Screen) {
    let examples = repository().join("examples/fraud-scoring/demo");
    screen.heading("It runs until you press Ctrl-C. In another terminal:");
    for line in [
        format!("export KUBECONFIG={}", cluster.kubeconfig().display()),
        format!("kubectl -n {} get partnergrants,grantrecords", SUBJECT.namespace),
        format!("kubectl -n {} describe partnergrant {}", SUBJECT.namespace, SUBJECT.name),
        "# and once more, with a new grant, which waits for somebody to agree:".to_owned(),
        format!("kubectl -n {} delete partnergrant {}", SUBJECT.namespace, SUBJECT.name),
        format!("kubectl apply --server-side -f {}", examples.join("06-grant.yaml").display()),
        "kubectl get namespaces -L comity.dev/stage,comity.dev/pods --watch".to_owned(),
    ] {
        screen.line(Tone::Plain, &format!("  {line}"));
    }
    let _ = tokio::signal::ctrl_c().await;
}
