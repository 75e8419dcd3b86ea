//! Packets against words: whatever policies there are, a connection passes exactly where `policy::reach` says so of the
//! policies as the API server stores them.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use comity::policy::reach::{Connection, End, Labels, NamedPort, Pod, Reading, Stored, Transport, reach};
use e2e::node::{Answer, ELSEWHERE, Node, Place, dial};
use e2e::{Error, Explain as _, Result};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use super::dice::Dice;
use super::ground::answered;
use super::policies;
use super::story::ensure;

/// What the policies of the rounds come out of.
const SEEDS: [u64; 3] = [1, 2, 3];
/// How many sets of policies a seed gives.
const ROUNDS: usize = 8;
const APPS: [&str; 3] = ["a", "b", "c"];
const TEAMS: [&str; 3] = ["x", "y", "z"];
/// What each pod listens on, and what it calls that.
const DOORS: [(&str, u16, Transport); 3] =
    [("https", 8443, Transport::Tcp), ("other", 9090, Transport::Tcp), ("ask", 53, Transport::Udp)];
/// The first port that datagrams are sent from: each from another one, so that none belongs to an older exchange.
const FIRST_PORT: u16 = 20_000;

/// A pod, as words and as a place.
struct Somebody {
    name: String,
    end: End,
    address: IpAddr,
    place: Place,
}

/// Everybody who dials and is dialled.
struct Crowd {
    node: Arc<Node>,
    spaces: Vec<String>,
    pods: Vec<Somebody>,
    /// The namespace of who looks at whom to see that policies hold.
    apart: String,
    watcher: Somebody,
    beacon: Somebody,
}

/// Where somebody dials.
#[derive(Clone)]
struct Way {
    from: usize,
    name: String,
    to: End,
    address: IpAddr,
    protocol: Transport,
    port: u16,
}

/// What holds, as the API server has it.
struct Held {
    policies: Vec<NetworkPolicy>,
    namespaces: BTreeMap<String, Labels>,
}

pub async fn packets_go_where_the_policies_say(node: Arc<Node>) -> Result<()> {
    let crowd = Crowd::gather(node).await?;
    let (mut open, mut shut, mut by_block) = (0, 0, 0);
    for (number, seed) in SEEDS.into_iter().enumerate() {
        let mut dice = Dice::of(seed);
        for round in 0..ROUNDS {
            let held = crowd.hold(&policies::by_chance(&mut dice, &crowd.spaces)).await?;
            for (way, answer) in crowd.dial(number * ROUNDS + round).await? {
                let [widest, narrowest] =
                    [Reading::Widest, Reading::Narrowest].map(|reading| crowd.is_open(&held, &way, reading));
                let right = match answer {
                    Answer::Open => widest,
                    Answer::Forbidden => !widest && !narrowest,
                    Answer::Closed | Answer::Silent => false,
                };
                ensure(right, || {
                    format!("seed {seed}, round {round}: {}", crowd.told(&held, &way, answer, widest))
                })?;
                *(if widest { &mut open } else { &mut shut }) += 1;
                by_block += u32::from(widest && !narrowest);
            }
        }
    }
    println!(
        "{open} dials passed and {shut} didn't, each as it was said; {by_block} by a pod's address alone"
    );
    ensure(open > 1000 && shut > 1000 && by_block > 20, || "too few of some kind".to_owned())
}

impl Crowd {
    async fn gather(node: Arc<Node>) -> Result<Self> {
        let mut spaces = Vec::new();
        for team in TEAMS {
            spaces.push(node.cluster().namespace("reach", &[("team", team)]).await?);
        }
        let apart = node.cluster().namespace("beacon", &[]).await?;
        let all = spaces.iter().flat_map(|space| APPS.map(|app| (space.as_str(), app)));
        let pods = try_join_all(all.map(|(space, app)| somebody(&node, space, app))).await?;
        let watcher = somebody(&node, &apart, "watcher").await?;
        let beacon = somebody(&node, &apart, "beacon").await?;
        answered(&watcher.place, (beacon.address, 8443).into(), Answer::Open).await?;
        Ok(Self { node, spaces, pods, apart, watcher, beacon })
    }

    fn policies(&self, space: &str) -> Api<NetworkPolicy> {
        Api::namespaced(self.node.cluster().client(), space)
    }

    /// Has these policies hold, and no others; they come back as they are stored.
    async fn hold(&self, policies: &[Value]) -> Result<Held> {
        for space in &self.spaces {
            self.policies(space).delete_collection(&DeleteParams::default(), &ListParams::default()).await?;
        }
        for policy in policies {
            let policy: NetworkPolicy = serde_json::from_value(policy.clone()).explain("read a policy")?;
            let space = policy.namespace().unwrap_or_default();
            self.policies(&space).create(&PostParams::default(), &policy).await?;
        }
        self.heard().await?;
        let mut stored = Vec::new();
        for space in &self.spaces {
            stored.extend(self.policies(space).list(&ListParams::default()).await?.items);
        }
        ensure(stored.len() == policies.len(), || format!("{} policies are stored", stored.len()))?;
        let all: Api<Namespace> = Api::all(self.node.cluster().client());
        let all = all.list(&ListParams::default()).await?;
        let namespaces = all.into_iter().map(|space| (space.name_any(), space.labels().clone())).collect();
        Ok(Held { policies: stored, namespaces })
    }

    /// Awaits that all policies hold that there are: what is told last is heard last.
    async fn heard(&self) -> Result<()> {
        let (policies, door) = (self.policies(&self.apart), SocketAddr::from((self.beacon.address, 8443)));
        let deny =
            json!({"metadata": {"name": "deny"}, "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}});
        let deny = serde_json::from_value(deny).explain("read a policy")?;
        policies.create(&PostParams::default(), &deny).await?;
        answered(&self.watcher.place, door, Answer::Forbidden).await?;
        policies.delete("deny", &DeleteParams::default()).await?;
        answered(&self.watcher.place, door, Answer::Open).await
    }

    /// Everybody dials everybody else, and outside, at the same time.
    async fn dial(&self, round: usize) -> Result<Vec<(Way, Answer)>> {
        let begun: Vec<_> = (0..self.pods.len())
            .map(|from| {
                let (place, ways) = (self.pods[from].place.clone(), self.ways(from));
                let first = FIRST_PORT + u16::try_from(round * ways.len()).unwrap_or_default();
                tokio::task::spawn_blocking(move || place.within(move || dial_all(ways, first)))
            })
            .collect();
        let mut dialled = Vec::new();
        for one in begun {
            dialled.extend(one.await.map_err(|error| Error::Failed(error.to_string()))??);
        }
        Ok(dialled)
    }

    /// Everywhere that a pod dials.
    fn ways(&self, from: usize) -> Vec<Way> {
        let others = self.pods.iter().enumerate().filter(|(number, _)| *number != from);
        let to = |(_, other): (usize, &Somebody)| {
            let (name, to, address) = (other.name.clone(), other.end.clone(), other.address);
            DOORS.map(|(_, port, protocol)| Way {
                from,
                name: name.clone(),
                to: to.clone(),
                address,
                protocol,
                port,
            })
        };
        let outside = ELSEWHERE.iter().filter_map(|text| text.parse::<IpAddr>().ok());
        let outside = outside.flat_map(|address| {
            let (name, to, protocol) = (address.to_string(), End::Outside(address), Transport::Tcp);
            [443, 80].map(|port| Way { from, name: name.clone(), to: to.clone(), address, protocol, port })
        });
        others.flat_map(to).chain(outside).collect()
    }

    /// Whether a dial passes, as it is said.
    fn is_open(&self, held: &Held, way: &Way, reading: Reading) -> bool {
        let stored = Stored { policies: &held.policies, namespaces: &held.namespaces };
        let (from, Way { to, protocol, port, .. }) = (&self.pods[way.from].end, way);
        reach(&stored, &Connection { from, to, protocol: *protocol, port: *port }, reading).is_open()
    }

    fn told(&self, held: &Held, way: &Way, answer: Answer, widest: bool) -> String {
        let of = |policy: &NetworkPolicy| json!({"namespace": policy.namespace(), "spec": policy.spec});
        let policies: Vec<Value> = held.policies.iter().map(of).collect();
        let (from, Way { name, protocol, port, .. }) = (&self.pods[way.from].name, way);
        let said = if widest { "open" } else { "shut" };
        format!(
            "{from} to {name} at {port}/{protocol} is {answer:?}, said to be {said}, by {}",
            json!(policies)
        )
    }
}

/// Dials everywhere from where this thread is, datagrams from ports that none was sent from before.
fn dial_all(ways: Vec<Way>, first: u16) -> Vec<(Way, Answer)> {
    let dialled = |(own, way): (u16, Way)| {
        let to = SocketAddr::from((way.address, way.port));
        let answer = if way.protocol == Transport::Udp { dial::ask(own, to) } else { dial::dial(to) };
        (way, answer)
    };
    (first..).zip(ways).map(dialled).collect()
}

async fn somebody(node: &Node, space: &str, app: &str) -> Result<Somebody> {
    let mut pod = node.pod(app, &json!({"app": app}), &["serve", "8443", "9090", "53/udp"]);
    let named = DOORS.map(
        |(name, port, protocol)| json!({"name": name, "containerPort": port, "protocol": protocol.as_str()}),
    );
    pod["spec"]["containers"][0]["ports"] = json!(named);
    let address = Box::pin(node.run(space, &pod)).await?;
    let ports = DOORS.map(|(name, number, protocol)| NamedPort { name: name.to_owned(), number, protocol });
    let labels = Labels::from([("app".to_owned(), app.to_owned())]);
    let end = End::Pod(Pod {
        namespace: space.to_owned(),
        labels,
        further_labels: false,
        addresses: vec![address],
        ports: ports.into(),
    });
    Ok(Somebody { name: format!("{space}/{app}"), end, address, place: Place::of(address)? })
}
