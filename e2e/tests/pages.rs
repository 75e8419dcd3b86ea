//! The commands of the pages, given as their readers give them: from the first to the last, on a real API server with
//! Comity's processes beside it, by kubectl and by comity. Those that need no cluster are given in the repository's
//! `tests/commands.rs`; those that need more than this are on a list, with the reason.
#![cfg(test)]

#[path = "../../tests/docs/commands.rs"]
mod commands;
#[path = "../../tests/folder/mod.rs"]
mod folder;
#[path = "pages/lists.rs"]
mod lists;
#[path = "../../tests/docs/markdown.rs"]
#[expect(dead_code, reason = "shared with what looks at the pages themselves")]
mod markdown;
#[path = "pages/reader.rs"]
mod reader;

use std::time::Duration;

use comity::api::{PartnerGrant, Stage};
use e2e::cluster::await_object;
use e2e::comity::await_stamps;
use e2e::controlplane::Settings;
use e2e::{Cluster, Comity, Result};
use kube::Api;

use lists::{LEFT, OTHERWISE, begins};
use reader::{Reader, commands_of, pages_with_commands};

/// The pages in the order in which somebody comes to them who begins: while the sandbox is open, and then while
/// production waits for people and after.
const BEGINNING: [&str; 6] = [
    "docs/onboard-a-partner.md",
    "docs/write-a-contract.md",
    "docs/read-a-status.md",
    "docs/troubleshoot.md",
    "docs/workload-certificates.md",
    "examples/fraud-scoring/README.md",
];
const FIRST: &str = "docs/install.md";
const GOING_ON: [&str; 7] = [
    DECIDED,
    "docs/verify-without-trusting-us.md",
    "docs/gitops.md",
    "docs/rotate-a-ca.md",
    "docs/operate.md",
    "docs/end-a-grant.md",
    "docs/uninstall.md",
];

/// After whose commands people have agreed to production.
const DECIDED: &str = "docs/decide-about-a-grant.md";
/// How long a grant may take until people are asked for its production, and until that is open.
const PATIENCE: Duration = Duration::from_secs(180);

#[tokio::test]
async fn who_follows_the_pages_gets_through() -> Result<()> {
    if !reader::has_tools() {
        return Ok(());
    }
    let gates = ["PodCertificateRequest=true", "ClusterTrustBundle=true"].map(str::to_owned).into();
    let runtime_config = vec!["certificates.k8s.io/v1beta1=true".to_owned()];
    let cluster =
        Cluster::start(Settings { feature_gates: gates, runtime_config, ..Settings::default() }).await?;
    let mut reader = Reader::of(&cluster).await?;
    reader.follow(FIRST).await?;
    await_stamps(&cluster).await?;
    let comity = Comity::installed(&cluster).await?;
    comity.start_all().await?;
    for page in BEGINNING {
        reader.follow(page).await?;
    }
    people_are_asked(&cluster).await?;
    for page in GOING_ON {
        reader.follow(page).await?;
        if page == DECIDED {
            production_opens(&cluster).await?;
        }
    }
    reader.came_through()
}

/// Awaits that production waits for people.
async fn people_are_asked(cluster: &Cluster) -> Result<()> {
    let grants: Api<PartnerGrant> = Api::namespaced(cluster.client(), "risk-data");
    let look = |grant: &PartnerGrant| {
        let said = grant.status.iter().flat_map(|status| &status.conditions);
        let said: Vec<String> = said
            .map(|said| format!("{}={} {}: {}", said.type_, said.status, said.reason, said.message))
            .collect();
        let is_asked = said.iter().any(|said| said.starts_with("Approved=False ConsentPending"));
        if is_asked { Ok(()) } else { Err(format!("{said:#?}")) }
    };
    await_object(&grants, "northpay-fraud", "people to be asked", PATIENCE, look).await
}

/// Awaits that production is open: whoever agreed to it last may be told before it is.
async fn production_opens(cluster: &Cluster) -> Result<()> {
    let grants: Api<PartnerGrant> = Api::namespaced(cluster.client(), "risk-data");
    let look = |grant: &PartnerGrant| {
        let open = grant.status.as_ref().map(|status| status.open_stages.clone()).unwrap_or_default();
        if open.contains(&Stage::Production) { Ok(()) } else { Err(format!("{open:?}")) }
    };
    await_object(&grants, "northpay-fraud", "production to be open", PATIENCE, look).await
}

#[test]
fn every_command_of_a_page_is_given_or_it_is_said_why_not() {
    let followed: Vec<&str> = [FIRST].into_iter().chain(BEGINNING).chain(GOING_ON).collect();
    let pages = pages_with_commands();
    for (page, commands) in &pages {
        let lost: Vec<&String> = commands.iter().filter(|command| !begins(&LEFT, page, command)).collect();
        let is_followed = followed.contains(&page.as_str());
        assert!(is_followed || lost.is_empty(), "nobody gives these of {page}: {lost:#?}");
    }
    for page in followed {
        assert!(pages.iter().any(|(known, _)| known == page), "{page} has no commands");
    }
    for (page, begin, _) in LEFT.iter().chain(&OTHERWISE) {
        let found = commands_of(page).iter().any(|command| command.starts_with(begin));
        assert!(found, "{page} has no command {begin:?}");
    }
}
