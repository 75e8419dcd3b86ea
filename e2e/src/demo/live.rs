//! The partner's workload as a pod that really runs, where the demo has a node: somebody asks it by TLS, from its
//! first answer to its last.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use comity::api::{name, stage::Stage};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    ByteString,
    api::core::v1::{ConfigMap, Node as Known, Pod, Secret},
};
use kube::{
    Api,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{
    act::{PERSON, ROLE},
    ledger::unless,
    paint::Tone,
    seen::Seen,
    story::{OPEN_WITHIN, Story},
};
use crate::{
    Cluster, Error, Result,
    attempt::create,
    eventually,
    node::{self, Image, Node, Place, tls},
};

/// Where the contract of the example has images come from.
const REPOSITORY: &str = "registry.retail.example/partners/speaker";
/// What the Deployment and its pod are called, and labelled.
const LIVE: &str = "live";
/// Where it answers.
const PORT: u16 = 8443;
/// How often it is asked.
const ASKED_EVERY: Duration = Duration::from_millis(100);
/// How long a pod may take to run.
const RUNS_WITHIN: Duration = Duration::from_secs(10);
/// How long before the end it may have answered last.
const BEFORE: SignedDuration = SignedDuration::from_secs(2);
/// How long after it at most: what ignores that it is to end is let a second.
const AFTER: SignedDuration = SignedDuration::from_secs(10);
/// How long a pod may take to be gone for good.
const GONE_WITHIN: Duration = Duration::from_secs(15);

/// A pod that is asked all the time, until this is dropped.
pub(super) struct Live {
    answers: Arc<Mutex<Answers>>,
    _asking: JoinSet<()>,
}

/// What it answered.
#[derive(Debug, Default)]
struct Answers {
    address: Option<IpAddr>,
    /// When it answered last, and what.
    last: Option<(Timestamp, String)>,
    /// Why it didn't, at last.
    silent: String,
}

/// Somebody whom the pod lets in, and what they believe.
#[derive(Clone, Debug)]
struct Caller {
    own: tls::Identity,
    anchor: String,
}

/// Makes a node one of those that the contract of the example asks for, and gives it an image that it may run.
pub(super) async fn admit(node: &Node, speaker: &Path) -> Result<Image> {
    let label = Patch::Merge(json!({"metadata": {"labels": {"comity.dev/pool": "partner"}}}));
    let nodes = Api::<Known>::all(node.cluster().client());
    nodes.patch(node::NAME, &PatchParams::default(), &label).await?;
    node.take(speaker, REPOSITORY, None)
}

impl Story<'_> {
    /// The partner deploys a workload that really runs; nothing where there is no node.
    pub(super) async fn deploy(&mut self) -> Result<()> {
        let Some((node, image)) = &self.target.node else { return Ok(()) };
        let (cluster, watching, place) = (self.cluster, self.watching, self.place(Stage::Production));
        let namespace = place.namespace(Stage::Production).to_owned();
        let id = watching.until("production's certificate", OPEN_WITHIN, identity).await?;
        let partner = cluster.as_service_account(&namespace, &name::role_service_account(ROLE.kebab()))?;
        let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments");
        let deployment = create(&path, deployment(node, image, &id));
        let made = eventually("the partner to be let", OPEN_WITHIN, || deployment.do_as(&partner));
        let what = format!("{PERSON} deploys the workload, its certificate in a projected volume");
        self.ledger.step(&what, made).await?;
        let answers = Arc::<Mutex<Answers>>::default();
        let mut asking = JoinSet::new();
        asking.spawn(ask_on(cluster.clone(), namespace, id, answers.clone()));
        self.live = Some(Live { answers, _asking: asking });
        Ok(())
    }

    /// The pod runs, and shows a certificate of this stage's authority.
    pub(super) async fn runs(&mut self) {
        let Some(live) = &self.live else { return };
        let answers = async {
            eventually("the pod to answer", RUNS_WITHIN, async || {
                let answers = live.answers();
                answers.last.as_ref().map(|(_, said)| said.clone()).ok_or_else(|| answers.silent.clone())
            })
            .await
        };
        let what = "its pod runs, shows the workload's certificate, and lets in who has one of this stage";
        self.ledger.expect(what, answers).await;
        let stands_in = "The node's ordinary runtime stands in for kata-cc.";
        self.ledger.screen().remark(Tone::Faint, stands_in);
    }

    /// The pod answered up to the end, and is gone.
    pub(super) async fn is_gone(&mut self, end: Timestamp) {
        let Some(live) = self.live.take() else { return };
        let gone = async {
            let (address, last) = {
                let answers = live.answers();
                (answers.address, answers.last.as_ref().map(|(at, _)| *at))
            };
            let (Some(address), Some(last)) = (address, last) else {
                return Err(Error::Failed("it never answered".to_owned()));
            };
            let late = last.duration_since(end);
            unless(late > -BEFORE && late < AFTER, || format!("it answered last {late:#} after the end"))?;
            eventually("its network to be gone", GONE_WITHIN, async || match Place::of(address) {
                Ok(_) => Err("it is there".to_owned()),
                Err(_) => Ok(()),
            })
            .await?;
            let late = late.as_millis();
            Ok(format!("its last answer came {late} ms after the recorded end; it has no network any more"))
        };
        self.ledger.expect("the pod answered up to the end, and no longer", gone).await;
    }
}

impl Live {
    fn answers(&self) -> MutexGuard<'_, Answers> {
        held(&self.answers)
    }
}

/// Whose the certificate is that was published for production.
fn identity(seen: &Seen) -> Result<String, String> {
    let published = seen.certificates.iter().rev().find(|published| published.stage == Stage::Production);
    published.map(|published| published.certificate.identity.clone()).ok_or_else(|| "none yet".to_owned())
}

/// What runs the workload, as the contract of the example has it.
fn deployment(node: &Node, image: &Image, id: &str) -> Value {
    let labels = json!({"app": LIVE, "comity.dev/purpose": "fraud-detection"});
    let mut pod = node.pod(LIVE, &labels, &["tls", "/identity", &PORT.to_string(), id]);
    let spec = &mut pod["spec"];
    spec["serviceAccountName"] = json!("workload-scorer");
    spec["runtimeClassName"] = json!("kata-cc");
    spec["nodeSelector"] = json!({"comity.dev/pool": "partner"});
    spec["containers"][0]["image"] = json!(image.reference);
    let file = |name: &str| json!({"key": name, "path": name});
    let own = json!({"name": name::workload_secret("scorer"), "items": [file("tls.crt"), file("tls.key")]});
    let trust = json!({"name": name::TRUST_CONFIG_MAP, "items": [file("ca.crt")]});
    let sources = json!([{"secret": own}, {"configMap": trust}]);
    spec["volumes"] = json!([{"name": "identity", "projected": {"sources": sources}}]);
    spec["containers"][0]["volumeMounts"] =
        json!([{"name": "identity", "mountPath": "/identity", "readOnly": true}]);
    json!({"metadata": {"name": LIVE}, "spec": {"selector": {"matchLabels": {"app": LIVE}},
        "template": {"metadata": {"labels": labels}, "spec": pod["spec"]}}})
}

/// Asks the pod, over and over.
async fn ask_on(cluster: Cluster, namespace: String, id: String, answers: Arc<Mutex<Answers>>) {
    let mut ticks = tokio::time::interval(ASKED_EVERY);
    let mut caller = None;
    loop {
        ticks.tick().await;
        // What was taken away is shown on: the question is whether the pod still answers.
        caller = credential(&cluster, &namespace).await.or(caller);
        let address = address(&cluster, &namespace).await;
        let known = {
            let mut answers = held(&answers);
            answers.address = address.or(answers.address);
            answers.address
        };
        let (Some(caller), Some(address)) = (caller.clone(), known) else { continue };
        let id = id.clone();
        let asked = move || {
            let client = tls::client(Some(&caller.own), &caller.anchor, tls::Whom::Id(&id))?;
            tls::ask(client, SocketAddr::from((address, PORT)))
        };
        let said = tokio::task::spawn_blocking(asked).await;
        let mut answers = held(&answers);
        match said {
            Ok(Ok(said)) if said.starts_with(tls::LET_IN) => answers.last = Some((Timestamp::now(), said)),
            Ok(Ok(said)) => answers.silent = format!("it said {said:?}"),
            Ok(Err(error)) => answers.silent = error.to_string(),
            Err(error) => answers.silent = error.to_string(),
        }
    }
}

/// A certificate of the stage, and by what it is believed; nothing where it isn't there any more.
async fn credential(cluster: &Cluster, namespace: &str) -> Option<Caller> {
    let secrets = Api::<Secret>::namespaced(cluster.client(), namespace);
    let maps = Api::<ConfigMap>::namespaced(cluster.client(), namespace);
    let data = secrets.get(&name::workload_secret("scorer")).await.ok()?.data?;
    let part =
        |data: &BTreeMap<String, ByteString>, key: &str| String::from_utf8(data.get(key)?.0.clone()).ok();
    let own = tls::Identity { chain: part(&data, "tls.crt")?, key: part(&data, "tls.key")? };
    let anchor = maps.get(name::TRUST_CONFIG_MAP).await.ok()?.data?.remove("ca.crt")?;
    Some(Caller { own, anchor })
}

/// Where the pod is, once it has a network.
async fn address(cluster: &Cluster, namespace: &str) -> Option<IpAddr> {
    let pods = Api::<Pod>::namespaced(cluster.client(), namespace);
    let mine = pods.list(&ListParams::default().labels(&format!("app={LIVE}"))).await.ok()?;
    mine.items.into_iter().find_map(|pod| pod.status?.pod_ip?.parse().ok())
}

fn held(answers: &Mutex<Answers>) -> MutexGuard<'_, Answers> {
    answers.lock().unwrap_or_else(PoisonError::into_inner)
}
