//! What brings Git into the cluster, as Argo CD and Flux do: by an account with rights of its own, whole
//! directories, server-side, and where it is told to again and again whatever happens meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use comity::api::condition::{ConditionType, Reason};
use comity::api::decision::DecisionAction;
use comity::api::grant::OpeningStatus;
use comity::api::{PartnerGrant, Stage};
use e2e::comity::people::{self, Decider};
use e2e::{Cluster, Error, Result, eventually, throughout};
use futures::future::try_join_all;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use super::order::{short, writes};
use super::story::{SOON, Story, Wish, ensure};

/// What Argo CD calls itself where it applies server-side.
pub const MANAGER: &str = "argocd-controller";
/// How often everything is applied again.
const EVERY: Duration = Duration::from_millis(100);
/// How long nothing may be written for it to be at rest.
const QUIET: Duration = Duration::from_secs(3);
/// The partner's sponsor at the platform's side.
const SVEN: Decider = Decider { name: "sven@retail.example", group: "sponsors" };

/// An object, and where it is served.
pub type Located = (Api<DynamicObject>, DynamicObject);

/// How often what is in Git is applied.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pace {
    /// When it changes.
    Once,
    /// All the time.
    AllTheTime,
}

/// A pipeline, and what it applies.
pub struct Pipeline {
    own: Cluster,
    git: Arc<Git>,
    following: Option<JoinHandle<Result<()>>>,
}

#[derive(Default)]
struct Git {
    /// Every object of the directory. Whoever applies holds it, so that nothing old is applied after something new.
    files: Mutex<Vec<Located>>,
    rounds: AtomicUsize,
}

impl Git {
    /// Applies every object, all at once.
    async fn apply(&self) -> Result<()> {
        let files = self.files.lock().await;
        try_join_all(files.iter().map(apply)).await?;
        self.rounds.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Applies every object over and over.
    async fn follow(self: Arc<Self>) -> Result<()> {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.apply().await?;
        }
    }
}

async fn apply((api, object): &Located) -> Result<()> {
    let parameters = PatchParams::apply(MANAGER).force();
    let applied = api.patch(&object.name_any(), &parameters, &Patch::Apply(object)).await;
    applied.map(drop).map_err(|error| Error::Failed(format!("apply {}: {error}", object.name_any())))
}

/// Who takes part, as the example has it.
const PEOPLE: &str = include_str!("../../../examples/gitops/platform/people.yaml");

/// What is in Git: the namespace, all that a grant stands on, the example's people, and the grant.
pub fn directory(story: &Story, wish: &Wish) -> String {
    let labels = json!({"comity.dev/shares": "true", "comity.dev/dataset-ingress": "true"});
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": story.namespace, "labels": labels}});
    let ground = story.ground();
    // The stories without Git bring people of their own.
    let ground: Vec<&str> =
        ground.split("\n---\n").filter(|document| !document.contains("kind: RoleBinding")).collect();
    let people = PEOPLE.replace("risk-data", &story.namespace);
    format!("{namespace}\n---\n{}\n---\n{people}\n---\n{}", ground.join("\n---\n"), wish.grant(story))
}

impl Pipeline {
    /// A pipeline for a story: its account, with what docs/gitops.md asks for, and nothing in Git yet.
    pub async fn of(story: &Story, pace: Pace) -> Result<Self> {
        let name = format!("gitops-{}", story.namespace);
        story.cluster.apply_yaml(&RIGHTS.replace("NAME", &name).replace("STORY", &story.namespace)).await?;
        let own = story.cluster.as_service_account(&story.namespace, "gitops")?;
        let user = e2e::cluster::identity::service_account_user(&story.namespace, "gitops");
        eventually("the pipeline to be let in", SOON, async || {
            let home = Some(story.namespace.as_str());
            let (rule, consent) = ("partnergrants.comity.dev", "partnergrants.consent.comity.dev");
            let may = story.cluster.can(&user, "patch", rule, home).await;
            let ends = story.cluster.can(&user, "expire", consent, home).await;
            if matches!((&may, &ends), (Ok(true), Ok(true))) {
                Ok(())
            } else {
                Err(format!("{may:?} {ends:?}"))
            }
        })
        .await?;
        let git = Arc::new(Git::default());
        let following = (pace == Pace::AllTheTime).then(|| tokio::spawn(git.clone().follow()));
        Ok(Self { own, git, following })
    }

    /// The cluster as the pipeline sees it.
    pub const fn own(&self) -> &Cluster {
        &self.own
    }

    /// Merges: from now on this is in Git, and it is applied, one after the other.
    pub async fn merge(&self, directory: &str) -> Result<()> {
        let located = self.own.located(directory).await?;
        let mut files = self.git.files.lock().await;
        for object in &located {
            apply(object).await?;
        }
        *files = located;
        Ok(())
    }

    /// Which version of each object is stored.
    pub async fn versions(&self) -> Result<Vec<Option<String>>> {
        let files = self.git.files.lock().await;
        let read = files.iter().map(async |(api, object)| {
            Ok::<_, Error>(api.get_metadata(&object.name_any()).await?.resource_version())
        });
        try_join_all(read).await
    }

    /// How often everything was applied again by now; an error where that failed.
    pub async fn rounds(&mut self) -> Result<usize> {
        if let Some(following) = self.following.take_if(|following| following.is_finished()) {
            following.await.map_err(|error| Error::Failed(error.to_string()))??;
        }
        Ok(self.git.rounds.load(Ordering::Relaxed))
    }

    /// Ends applying.
    pub fn stop(&mut self) {
        if let Some(following) = self.following.take() {
            following.abort();
        }
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Awaits that Comity writes nothing for a story for a while, whatever is applied meanwhile.
pub async fn at_rest(story: &Story, places: &[&str]) -> Result<()> {
    eventually("Comity to come to rest", SOON, async || {
        let before = writes(story, places)?.len();
        throughout("rest", QUIET, async || {
            let now = writes(story, places)?;
            let new: Vec<String> = now.iter().skip(before).map(short).collect();
            ensure(new.is_empty(), || format!("{new:?}"))
        })
        .await
    })
    .await
}

/// Awaits that people are asked for a stage, and who has to be found for what automation asked: Sven
/// takes responsibility, two others agree, and it opens.
pub async fn agreed(story: &Story, wish: &Wish, stage: Stage) -> Result<OpeningStatus> {
    sponsored(story, wish).await?;
    let grant = story.api::<PartnerGrant>().get(&wish.name).await?;
    people::agree(&story.cluster, &grant, stage).await?;
    story.opened(wish, stage).await
}

/// Sven takes responsibility for what is asked for now, unless somebody did so already.
pub async fn sponsored(story: &Story, wish: &Wish) -> Result<()> {
    let missing = story.told(wish, ConditionType::Approved, false, Reason::ConsentPending).await?;
    if !missing.contains("a person who takes responsibility") {
        return Ok(());
    }
    let_in(story).await?;
    let grant = story.api::<PartnerGrant>().get(&wish.name).await?;
    let mut decision = SVEN.decision(&grant, DecisionAction::Sponsor);
    let digest = grant.status.and_then(|status| status.request_digest);
    decision.spec.digest = digest.map(|digest| digest.as_str().into());
    SVEN.decide(&story.cluster, &decision).await.map(drop)
}

/// Awaits that the people in Git may do what they are there for: Sven sponsors, and Olga and Per see what they agree to.
async fn let_in(story: &Story) -> Result<()> {
    const CONSENT: &str = "partnergrants.consent.comity.dev";
    eventually("the people to be let in", SOON, async || {
        let home = Some(story.namespace.as_str());
        for (person, verb, resource, place) in [
            (SVEN, "sponsor", CONSENT, home),
            (people::OLGA, "approve", CONSENT, home),
            (people::PER, "approve", CONSENT, home),
            (people::OLGA, "get", "partners.comity.dev", None),
            (people::PER, "get", "sharingboundaries.comity.dev", None),
        ] {
            let groups = ["system:authenticated", person.group].map(str::to_owned);
            let may = story.cluster.can_in_groups(person.name, &groups, verb, resource, place).await;
            if !may.as_ref().is_ok_and(|may| *may) {
                return Err(format!("{} may not {verb} {resource}: {may:?}", person.name));
            }
        }
        Ok(())
    })
    .await
}

/// What the account of a pipeline may: write what is in Git, and end what is deleted there.
const RIGHTS: &str = r#"
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: NAME}
rules:
- apiGroups: [comity.dev]
  resources: [sharingboundaries, partners, datasets, sharingcontracts, partnergrants]
  verbs: [get, list, watch, create, update, patch, delete]
- apiGroups: [""]
  resources: [namespaces, services]
  verbs: [get, list, watch, create, update, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, update, patch, delete]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [rolebindings, clusterrolebindings]
  verbs: [get, list, watch, create, update, patch, delete]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [clusterroles]
  verbs: [bind]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: NAME}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: NAME}
subjects: [{kind: ServiceAccount, name: gitops, namespace: STORY}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: the-pipeline-may-expire, namespace: STORY}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "comity:expire"}
subjects: [{kind: ServiceAccount, name: gitops, namespace: STORY}]
"#;
