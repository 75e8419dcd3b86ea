//! The matrix: from everywhere to everywhere, at each stage and while stages change, by real dials.

use std::net::SocketAddr;
use std::sync::Arc;

use comity::api::decision::DecisionAction;
use comity::api::grant::OpeningStatus;
use comity::api::{PartnerGrant, Stage};
use e2e::comity::people::OLGA;
use e2e::node::prober::{Prober, Record, Way};
use e2e::node::{Answer, ELSEWHERE, Node};
use e2e::{Error, Explain as _, Result, eventually};
use k8s_openapi::api::core::v1::Namespace;

use super::ground::{SOON, answered};
use super::scene::{Scene, Somebody};
use super::story::{Wish, ensure};

/// Where the contract lets production send to, and where it doesn't.
fn elsewhere(place: usize, port: u16) -> Result<SocketAddr> {
    Ok((ELSEWHERE[place].parse::<std::net::IpAddr>().explain("read an address")?, port).into())
}

pub async fn nothing_but_what_is_agreed_passes(node: Arc<Node>) -> Result<()> {
    let scene = Scene::set(node).await?;
    somebody_is_there(&scene).await?;
    let strangers = Prober::on(from_outside(&scene));
    // Another grant under the same contract stays in its sandbox meanwhile.
    let other = Wish { purpose: "model-quality", ..Wish::up_to(Stage::Sandbox).called("other") };
    scene.story.ask(&other).await?;
    let beside = scene.story.opened(&other, Stage::Sandbox).await?;
    let beside = besides(&scene, &beside).await?;
    let beside_forbidden = Prober::on(of_the_other(&scene, &beside)?);

    let mut records = Vec::new();
    let mut last: Option<(Prober, OpeningStatus)> = None;
    for stage in Stage::ALL {
        let wish = Wish::up_to(stage);
        scene.story.ask(&wish).await?;
        let opening = match stage {
            Stage::Production => scene.story.agreed(&wish, stage).await?,
            _ => scene.story.opened(&wish, stage).await?,
        };
        let prober = at(&scene, &opening, &beside).await?;
        if let Some((before, closed)) = last.replace((prober, opening)) {
            gone(&scene, &closed).await?;
            records.extend(before.stop()?);
        }
    }
    let (prober, production) = last.ok_or_else(|| Error::Failed("there is no stage".to_owned()))?;
    let grant = scene.story.api::<PartnerGrant>().get(&Wish::up_to(Stage::Production).name).await?;
    OLGA.decide(scene.node.cluster(), &OLGA.decision(&grant, DecisionAction::Expire)).await?;
    gone(&scene, &production).await?;
    records.extend(prober.stop()?);
    records.extend(strangers.stop()?);
    records.extend(beside_forbidden.stop()?);
    nothing_got_through(&records)
}

/// Where nothing is in the way, dialling gets there: what is forbidden below is forbidden by a policy.
async fn somebody_is_there(scene: &Scene) -> Result<()> {
    let from = &scene.stranger.place;
    let kubelet = SocketAddr::from((scene.node.api_server()?.ip(), 10250));
    let doors = [scene.open.door(), scene.dns.door(), scene.dns.at(53), scene.node.api_server()?, kubelet];
    let away = [elsewhere(0, 443)?, elsewhere(0, 80)?, elsewhere(1, 443)?];
    for to in doors.into_iter().chain(away) {
        answered(from, to, Answer::Open).await?;
    }
    Ok(())
}

/// What nobody may do at any time, whatever is open: the platform's own policy says so.
fn from_outside(scene: &Scene) -> Vec<Way> {
    let outsiders = [&scene.stranger, &scene.open, &scene.dns];
    let to = |from: &Somebody| {
        let doors = scene.datasets.iter().map(|dataset| from.to(dataset.door(), &dataset.name));
        doors.collect::<Vec<Way>>()
    };
    outsiders.into_iter().flat_map(to).collect()
}

/// The other grant's pod, in its own sandbox, with what it is allowed.
async fn besides(scene: &Scene, opening: &OpeningStatus) -> Result<Somebody> {
    let mut pod = scene.workload_pod("scorer", &["serve", "8443"]);
    pod["metadata"]["labels"]["comity.dev/purpose"] = "model-quality".into();
    let address = scene.node.run(&opening.namespace.0, &pod).await?;
    let place = scene.node.place(&opening.namespace.0, "scorer").await?;
    let beside = Somebody { name: format!("{}/scorer", opening.namespace.0), address, place };
    answered(&beside.place, scene.service(Stage::Sandbox).await?, Answer::Open).await?;
    Ok(beside)
}

/// What the other grant's sandbox may not: anything of a later stage, and what no sandbox may.
fn of_the_other(scene: &Scene, beside: &Somebody) -> Result<Vec<Way>> {
    let mut ways = everywhere_else(scene, beside, Stage::Sandbox)?;
    ways.extend([beside.to(elsewhere(0, 443)?, "where only production sends to")]);
    Ok(ways)
}

/// What no pod of a grant may at a stage.
fn everywhere_else(scene: &Scene, from: &Somebody, stage: Stage) -> Result<Vec<Way>> {
    let mut ways = vec![
        from.to(scene.dataset(stage).at(9090), "another port of the dataset"),
        from.to(scene.open.door(), "a neighbour of the dataset"),
        from.to(scene.stranger.door(), "a stranger"),
        from.to(scene.dns.door(), "another port of the DNS"),
        from.to(scene.node.api_server()?, "the API server"),
        from.to((scene.node.api_server()?.ip(), 10250).into(), "the kubelet"),
        from.to(elsewhere(0, 80)?, "another port outside"),
        from.to(elsewhere(1, 443)?, "elsewhere outside"),
    ];
    let others = Stage::ALL.into_iter().filter(|other| *other != stage);
    ways.extend(others.map(|other| from.to(scene.dataset(other).door(), "another stage's data")));
    Ok(ways)
}

/// A stage that is open: every allowed way is open now, and every other one is dialled from now on.
async fn at(scene: &Scene, opening: &OpeningStatus, beside: &Somebody) -> Result<Prober> {
    let stage = opening.stage;
    let serve = ["serve", "8443"];
    let (scorer, peer) =
        tokio::try_join!(scene.workload(opening, "scorer", &serve), scene.workload(opening, "peer", &serve))?;
    let mut forbidden = everywhere_else(scene, &scorer, stage)?;
    forbidden.push(scorer.to(beside.door(), "another grant's pod"));
    if stage != Stage::Production {
        forbidden.push(scorer.to(elsewhere(0, 443)?, "where only production sends to"));
    }
    let inward = [&scene.stranger, &scene.open, &scene.dns, beside, scene.dataset(stage)];
    forbidden.extend(inward.map(|from| from.to(scorer.door(), "a pod of the grant")));
    let prober = Prober::on(forbidden);

    let service = scene.service(stage).await?;
    for to in [service, scene.dataset(stage).door(), peer.door(), scene.dns.at(53)] {
        answered(&scorer.place, to, Answer::Open).await?;
    }
    let asked = scorer.place.ask(scene.dns.at(53))?;
    ensure(asked == Answer::Open, || format!("DNS by datagrams is {asked:?}"))?;
    if stage == Stage::Production {
        answered(&scorer.place, elsewhere(0, 443)?, Answer::Open).await?;
    }
    Ok(prober)
}

/// Awaits that a stage is cleared away.
async fn gone(scene: &Scene, opening: &OpeningStatus) -> Result<()> {
    let namespaces = scene.story.everywhere::<Namespace>();
    eventually(&format!("{} to be gone", opening.namespace.0), SOON * 3, async || {
        match namespaces.get_opt(&opening.namespace.0).await {
            Ok(None) => Ok(()),
            Ok(Some(there)) => Err(format!("{:?}", there.status)),
            Err(error) => Err(error.to_string()),
        }
    })
    .await
}

fn nothing_got_through(records: &[Record]) -> Result<()> {
    let dials: usize = records.iter().map(|record| record.dials).sum();
    let through: Vec<String> = records
        .iter()
        .filter(|record| !record.through.is_empty())
        .map(|record| {
            format!(
                "{}: {} of {}, first {:?}",
                record.name,
                record.through.len(),
                record.dials,
                record.through[0]
            )
        })
        .collect();
    println!("{dials} dials on {} ways that are forbidden, {} got through", records.len(), through.len());
    ensure(through.is_empty(), || through.join("\n"))?;
    ensure(dials > 3000, || format!("only {dials} dials"))
}
