//! Requests that others leave for a signer of ours, in whichever version the API server has: a watch,
//! what it tells, and what has to be looked at. And what else the API server may have, or not.
#![expect(clippy::disallowed_types, reason = "cluster/ is where clients are used")]

use std::fmt::Debug;

use futures::StreamExt as _;
use futures::channel::mpsc::{UnboundedSender, unbounded};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, Store, store};
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use super::clock::Clock;
use super::concern::Queue;
use super::feed::complain;
use super::readable::{News, Readable, Unreadable};
use super::watch::Watches;
use crate::generate::admission::force::Part;

/// The group of requests for certificates.
const GROUP: &str = "certificates.k8s.io";
/// The plural of requests for the certificates of pods.
const PLURAL: &str = "podcertificaterequests";
/// How the watch of them is called where it is told how it fares.
const KIND: &str = "PodCertificateRequest";

/// The versions in which requests for the certificates of pods are understood.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Version {
    /// Kubernetes 1.35 and 1.36, where the feature is switched on; later for nodes that are older.
    V1Beta1,
    /// From Kubernetes 1.37.
    V1,
}

impl Version {
    const fn name(self) -> &'static str {
        match self {
            Self::V1Beta1 => "v1beta1",
            Self::V1 => "v1",
        }
    }
}

/// The version to ask in, of those that the API server has now; `None`: none.
///
/// Where there are both it is the older, which says all that the newer does, and the key of nodes that
/// are older than Kubernetes 1.36, which the newer leaves out.
pub async fn served(client: &Client) -> Result<Option<Version>, kube::Error> {
    served_of(client, PLURAL, [Version::V1Beta1, Version::V1]).await
}

/// The version in which the API server has bundles of anchors; `None`: in none, or it can't be seen.
pub async fn bundles_served(client: &Client) -> Option<Version> {
    let served = served_of(client, "clustertrustbundles", [Version::V1, Version::V1Beta1]).await;
    served.unwrap_or_else(|error| {
        tracing::warn!(%error, "it can't be seen which APIs there are");
        None
    })
}

/// The first of these versions in which the API server has something of the group.
async fn served_of(
    client: &Client,
    plural: &str,
    versions: [Version; 2],
) -> Result<Option<Version>, kube::Error> {
    for version in versions {
        match client.list_api_group_resources(&format!("{GROUP}/{}", version.name())).await {
            Ok(list) if list.resources.iter().any(|one| one.name == plural) => return Ok(Some(version)),
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Whether the API server has policies that stamp.
pub async fn stamps_are_served(client: &Client) -> Result<bool, kube::Error> {
    let list = client.list_api_group_resources("admissionregistration.k8s.io/v1").await?;
    Ok(list.resources.iter().any(|one| one.name == Part::Stamp.plural()))
}

/// What a watch tells, for as long as this is kept.
#[derive(Debug)]
pub struct Asking<K: Resource<DynamicType = ()> + 'static> {
    /// The requests.
    pub store: Store<K>,
    /// Those that have to be looked at.
    pub queue: Queue<K>,
    /// The watch itself.
    pub task: JoinSet<()>,
}

/// Watches the requests for a signer. `brief` forgets of each what nobody asks for.
pub fn requests<K>(
    client: &Client,
    signer: &str,
    brief: fn(&mut K),
    (clock, watches): (&Clock, &Watches),
) -> Asking<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let config = watcher::Config::default().fields(&format!("spec.signerName={signer}"));
    watched(Api::all(client.clone()), config, (KIND, brief), (clock, watches))
}

/// Watches the `ConfigMaps` of a namespace that have a label.
pub fn kept(client: &Client, namespace: &str, label: &str, sight: (&Clock, &Watches)) -> Asking<ConfigMap> {
    let config = watcher::Config::default().labels(label);
    let brief = |found: &mut ConfigMap| found.metadata.managed_fields = None;
    watched(Api::namespaced(client.clone(), namespace), config, ("ConfigMap", brief), sight)
}

/// Watches objects. `brief` forgets of each what nobody asks for.
fn watched<K>(
    api: Api<Readable<K>>,
    config: watcher::Config,
    (kind, brief): (&'static str, fn(&mut K)),
    (clock, watches): (&Clock, &Watches),
) -> Asking<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let (store, writer) = store();
    let (told, queue) = unbounded();
    let (clock, watches) = (clock.clone(), watches.clone());
    let mut task = JoinSet::new();
    watches.well(kind);
    task.spawn(async move {
        let mut taken = Taken { writer, told, brief, is_beginning: false };
        let mut stream = std::pin::pin!(watcher(api, config).default_backoff());
        while let Some(event) = stream.next().await {
            match event {
                Ok(event) => {
                    watches.well(kind);
                    let news = News::from(event);
                    complain(kind, &news);
                    watches.told(kind, &news);
                    taken.take(news);
                }
                Err(error) => {
                    watches.failed(kind, clock.now());
                    tracing::warn!(kind, %error, "a watch failed and is started again");
                }
            }
        }
    });
    Asking { store, queue, task }
}

/// Where what a watch tells goes.
struct Taken<K: Resource<DynamicType = ()> + Clone + 'static> {
    writer: Writer<K>,
    told: UnboundedSender<ObjectRef<K>>,
    brief: fn(&mut K),
    /// Whether the watch tells of everything anew, and hasn't told of all of it.
    is_beginning: bool,
}

impl<K: Resource<DynamicType = ()> + Clone + 'static> Taken<K> {
    fn take(&mut self, news: News<K>) {
        match news {
            News::Begin => {
                self.is_beginning = true;
                self.writer.apply_watcher_event(&Event::Init);
            }
            News::There(mut object) => {
                (self.brief)(&mut object);
                self.there(object);
            }
            News::End => {
                self.is_beginning = false;
                self.writer.apply_watcher_event(&Event::InitDone);
                let all = self.writer.as_reader().state();
                for object in &all {
                    self.tell(ObjectRef::from_obj(object.as_ref()));
                }
            }
            News::Gone(object) => self.writer.apply_watcher_event(&Event::Delete(object)),
            // Nobody can say what it asks for, so it is answered as little as one that isn't there.
            News::Unreadable(unreadable) | News::UnreadableGone(unreadable) => self.forget(&unreadable),
        }
    }

    fn there(&mut self, object: K) {
        // Nobody finds one in the store before all of them are there.
        if self.is_beginning {
            self.writer.apply_watcher_event(&Event::InitApply(object));
            return;
        }
        let about = ObjectRef::from_obj(&object);
        self.writer.apply_watcher_event(&Event::Apply(object));
        self.tell(about);
    }

    fn forget(&mut self, unreadable: &Unreadable) {
        if let Some(known) = self.writer.as_reader().get(&unreadable.reference()) {
            self.writer.apply_watcher_event(&Event::Delete(known.as_ref().clone()));
        }
    }

    /// Where nobody listens any more the process goes down.
    fn tell(&self, object: ObjectRef<K>) {
        drop(self.told.unbounded_send(object));
    }
}

#[cfg(test)]
mod tests {
    use http::{Request, Response};
    use k8s_openapi::api::certificates::v1beta1::PodCertificateRequest;
    use kube::client::Body;
    use serde_json::json;

    use super::*;
    use crate::testing::api::FakeApi;

    fn serves(api: &FakeApi, version: &str, plurals: &[&str]) {
        let resources: Vec<_> = plurals
            .iter()
            .map(|name| json!({"name": name, "singularName": "", "namespaced": true, "kind": "K", "verbs": []}))
            .collect();
        let list = json!({"kind": "APIResourceList", "groupVersion": format!("{GROUP}/{version}"),
            "resources": resources});
        api.put(&format!("/apis/{GROUP}/{version}"), list);
    }

    /// Whoever may ask in some namespace, whatever it is, writes there whatever they like.
    #[tokio::test]
    async fn a_request_that_cannot_be_read_hides_no_other_one() {
        let asked = |name: &str, spec: serde_json::Value| {
            let metadata = json!({"name": name, "namespace": "place", "uid": name, "resourceVersion": "1"});
            json!({"metadata": metadata, "spec": spec})
        };
        let spec = json!({
            "signerName": "comity.dev/workload", "podName": "p", "podUID": "u", "serviceAccountName": "s",
            "serviceAccountUID": "a", "nodeName": "n", "nodeUID": "n",
        });
        let mut managed = asked("managed", spec.clone());
        let deep = format!("{}{}", "{\"f:x\":".repeat(200), "{}".to_owned() + &"}".repeat(200));
        managed["metadata"]["managedFields"] = json!([{"time": "9999-12-31T23:59:59Z", "fieldsV1": "DEEP"}]);
        let items = [asked("good", spec), asked("bad", json!({"podName": 7})), managed];
        let list = json!({"metadata": {"resourceVersion": "1"}, "items": items}).to_string();
        let list = list.replace("\"DEEP\"", &deep);
        let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
        tokio::spawn(async move {
            let (_, respond) = handle.next_request().await.unwrap();
            respond.send_response(Response::new(Body::from(list.into_bytes())));
            // The watch that follows tells of nothing.
            let _watch = handle.next_request().await;
            std::future::pending::<()>().await;
        });
        let client = Client::new(service, "default");
        let sight = (&Clock::default(), &Watches::default());
        let mut asking = requests::<PodCertificateRequest>(&client, "comity.dev/workload", |_| (), sight);
        let mut told = Vec::new();
        while told.len() < 2 {
            let next = tokio::time::timeout(std::time::Duration::from_secs(20), asking.queue.next()).await;
            told.push(next.expect("one bad request blocks nothing").unwrap().name);
        }
        told.sort();
        assert_eq!(told, ["good", "managed"]);
    }

    #[tokio::test]
    async fn the_version_is_the_one_that_says_most() {
        let api = FakeApi::default();
        assert_eq!(served(&api.client()).await.unwrap(), None);
        serves(&api, "v1", &["certificatesigningrequests"]);
        assert_eq!(served(&api.client()).await.unwrap(), None, "before Kubernetes 1.35, or switched off");
        serves(&api, "v1", &["certificatesigningrequests", PLURAL]);
        assert_eq!(served(&api.client()).await.unwrap(), Some(Version::V1));
        serves(&api, "v1beta1", &[PLURAL]);
        assert_eq!(served(&api.client()).await.unwrap(), Some(Version::V1Beta1));
        api.fail(&format!("GET /apis/{GROUP}/v1beta1"), 500, 1);
        assert!(served(&api.client()).await.is_err(), "nobody knows");
    }
}
