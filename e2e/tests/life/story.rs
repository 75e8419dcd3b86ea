//! What the stories stand on, and how they ask for access and see what became of it.

use std::fmt::Debug;
use std::time::Duration;

use comity::api::condition::{ConditionType, Reason};
use comity::api::grant::{OpeningState, OpeningStatus};
use comity::api::record::{GrantRecordSpec, RecordEvent, RecordReason};
use comity::api::{GrantRecord, PartnerGrant, RehearsalReport, Stage};
use e2e::{Cluster, Comity, Error, Result, cluster::await_object, comity::people, eventually};
use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// How long what is done at once may take on a machine that is busy with everything else.
pub const SOON: Duration = Duration::from_secs(60);

/// One story: its cluster, and its namespace, after which its boundary and partner are called too.
#[derive(Clone)]
pub struct Story {
    pub cluster: Cluster,
    pub namespace: String,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Wish {
    pub name: String,
    pub stage: Stage,
    /// How long each stage is to be open.
    pub times: [&'static str; 3],
    pub suspend: bool,
    pub purpose: &'static str,
}

impl Wish {
    /// An hour in each stage, up to this one.
    pub fn up_to(stage: Stage) -> Self {
        let (name, times) = ("northpay".to_owned(), ["1h", "1h", "1h"]);
        Self { name, stage, times, suspend: false, purpose: "fraud-detection" }
    }

    /// The same, up to another stage.
    pub fn but(&self, stage: Stage) -> Self {
        Self { stage, ..self.clone() }
    }

    /// The same under another name.
    pub fn called(&self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self.clone() }
    }

    /// The grant that says so.
    pub fn grant(&self, story: &Story) -> Value {
        let stages = Stage::ALL.iter().zip(self.times);
        let stages: Vec<Value> =
            stages.map(|(stage, duration)| json!({"stage": stage, "duration": duration})).collect();
        json!({
            "apiVersion": "comity.dev/v1alpha1",
            "kind": "PartnerGrant",
            "metadata": {"name": self.name, "namespace": story.namespace},
            "spec": {
                "partnerRef": {"name": story.namespace},
                "contractRef": {"name": "fraud-scoring"},
                "stage": self.stage,
                "purpose": self.purpose,
                "operations": ["Infer"],
                "stages": stages,
                "people": [{"name": "ana@northpay.example", "role": "ModelEngineer"}],
                "workloads": [{"name": "scorer", "operations": ["Infer"]}],
                "suspend": self.suspend,
                "ticket": "RISK-2214",
            },
        })
    }
}

impl Story {
    /// A story on the cluster, and beside the Comity, that all share.
    pub async fn begin() -> Result<Self> {
        let (cluster, _) = Comity::shared().await?;
        Self::on(&cluster).await
    }

    /// The same, where what it stands on says something else in places, from the beginning.
    pub async fn begin_where(changes: &[(&str, &str)]) -> Result<Self> {
        let (cluster, _) = Comity::shared().await?;
        let story = Self::without_ground(&cluster).await?;
        let ground = changes.iter().fold(story.ground(), |ground, (from, to)| ground.replace(from, to));
        story.cluster.apply_yaml(&ground).await?;
        Ok(story)
    }

    /// A story on this cluster, and all that it stands on.
    pub async fn on(cluster: &Cluster) -> Result<Self> {
        let story = Self::without_ground(cluster).await?;
        story.lay_ground().await?;
        Ok(story)
    }

    /// A story that stands on nothing yet.
    pub async fn without_ground(cluster: &Cluster) -> Result<Self> {
        Self::bare(cluster, cluster.unique("life")).await
    }

    /// A story whose namespace has this name, and all that it stands on.
    pub async fn called(cluster: &Cluster, namespace: &str) -> Result<Self> {
        let story = Self::bare(cluster, namespace.to_owned()).await?;
        story.lay_ground().await?;
        Ok(story)
    }

    async fn bare(cluster: &Cluster, namespace: String) -> Result<Self> {
        let labels = json!({"comity.dev/shares": "true", "comity.dev/dataset-ingress": "true"});
        let object = json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": namespace, "labels": labels}});
        cluster.apply_yaml(&object.to_string()).await?;
        Ok(Self { cluster: cluster.clone(), namespace })
    }

    /// Applies everything that the story stands on.
    pub async fn lay_ground(&self) -> Result<()> {
        self.cluster.apply_yaml(&self.ground()).await.map(drop)
    }

    /// Everything that the story stands on.
    pub fn ground(&self) -> String {
        include_str!("ground.yaml").replace("STORY", &self.namespace)
    }

    /// The story's objects of a kind.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        self.in_namespace(&self.namespace)
    }

    /// The newest report of a grant's rehearsals.
    pub async fn newest_report(&self, grant: &PartnerGrant) -> Result<RehearsalReport> {
        let uid = grant.uid();
        let all = self.api::<RehearsalReport>().list(&ListParams::default()).await?.items;
        let own = all.into_iter().filter(|report| Some(&report.spec.grant.uid.0) == uid.as_ref());
        let newest = own.max_by_key(|report| report.spec.cause);
        newest.ok_or_else(|| Error::Failed("there is no report".to_owned()))
    }

    /// The objects of a kind in another namespace.
    pub fn in_namespace<K>(&self, namespace: &str) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.cluster.client(), namespace)
    }

    /// The objects of a kind that belong to no namespace.
    pub fn everywhere<K: Resource<DynamicType = ()>>(&self) -> Api<K> {
        Api::all(self.cluster.client())
    }

    /// Applies a grant, as a user would.
    pub async fn ask(&self, wish: &Wish) -> Result<PartnerGrant> {
        self.cluster.apply_yaml(&wish.grant(self).to_string()).await?;
        Ok(self.api::<PartnerGrant>().get(&wish.name).await?)
    }

    /// Changes one of the story's objects by merge patch.
    pub async fn change<K>(&self, name: &str, change: Value) -> Result<()>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        self.api::<K>().patch(name, &PatchParams::default(), &Patch::Merge(change)).await?;
        Ok(())
    }

    /// Awaits that a stage of a grant is open with all that it is made of.
    pub async fn opened(&self, wish: &Wish, stage: Stage) -> Result<OpeningStatus> {
        self.opening(wish, stage, OpeningState::Open).await
    }

    /// Awaits that people are asked for a stage, has them agree, and awaits that it is open.
    pub async fn agreed(&self, wish: &Wish, stage: Stage) -> Result<OpeningStatus> {
        self.told(wish, ConditionType::Approved, false, Reason::ConsentPending).await?;
        let grant = self.api::<PartnerGrant>().get(&wish.name).await?;
        people::agree(&self.cluster, &grant, stage).await?;
        self.opened(wish, stage).await
    }

    /// Awaits that an opening of a stage stands like this.
    pub async fn opening(&self, wish: &Wish, stage: Stage, wanted: OpeningState) -> Result<OpeningStatus> {
        let what = format!("{stage} to be {wanted:?}");
        self.look(wish, &what, |grant| {
            let status = grant.status.as_ref().ok_or("no status yet")?;
            let found = status.openings.iter().rfind(|opening| opening.stage == stage);
            let as_wanted = found.filter(|opening| opening.state == wanted);
            as_wanted.cloned().ok_or_else(|| format!("{:?} and {:?}", found, summary(grant)))
        })
        .await
    }

    /// Awaits a condition with this status and reason, for the newest generation.
    pub async fn told(
        &self,
        wish: &Wish,
        condition: ConditionType,
        holds: bool,
        reason: Reason,
    ) -> Result<String> {
        let what = format!("{condition:?}={holds} {reason}");
        self.look(wish, &what, |grant| {
            let status = grant.status.as_ref().ok_or("no status yet")?;
            let found = status.conditions.iter().find(|found| found.type_ == condition.as_str());
            let found = found.ok_or("no such condition")?;
            let wanted = if holds { "True" } else { "False" };
            let is_current = found.observed_generation == grant.metadata.generation;
            if is_current && found.status == wanted && found.reason == reason.to_string() {
                Ok(found.message.clone())
            } else {
                Err(format!("{:?}", summary(grant)))
            }
        })
        .await
    }

    /// Awaits that `look` finds in a grant what it looks for.
    pub async fn look<T>(
        &self,
        wish: &Wish,
        what: &str,
        look: impl Fn(&PartnerGrant) -> Result<T, String>,
    ) -> Result<T> {
        await_object(&self.api::<PartnerGrant>(), &wish.name, what, SOON, look).await
    }

    /// The journal of a grant, in its order.
    pub async fn journal(&self, grant: &PartnerGrant) -> Result<Vec<GrantRecordSpec>> {
        let uid = grant.uid().unwrap_or_default();
        let all = self.api::<GrantRecord>().list(&kube::api::ListParams::default()).await?;
        let mut lines: Vec<GrantRecordSpec> =
            all.items.into_iter().map(|record| record.spec).filter(|line| line.grant.uid.0 == uid).collect();
        lines.sort_by_key(|line| line.sequence);
        Ok(lines)
    }

    /// Awaits that the journal's newest line says this, and returns the journal.
    pub async fn recorded(
        &self,
        grant: &PartnerGrant,
        event: RecordEvent,
        reason: Option<RecordReason>,
    ) -> Result<Vec<GrantRecordSpec>> {
        eventually(&format!("the journal to end with {event:?}"), SOON, async || {
            let journal = self.journal(grant).await.map_err(|error| error.to_string())?;
            match journal.last() {
                Some(last) if last.event == event && last.reason == reason => Ok(journal),
                _ => Err(format!("{:?}", told(&journal))),
            }
        })
        .await
    }
}

/// Awaits that a moment is over.
pub async fn over(moment: Timestamp) -> Result<()> {
    eventually(&format!("{moment} to pass"), SOON, async || {
        let now = Timestamp::now();
        if now > moment { Ok(()) } else { Err(format!("it is {now}")) }
    })
    .await
}

/// A journal in short: what happened to what, and why.
pub fn told(journal: &[GrantRecordSpec]) -> Vec<(RecordEvent, Option<Stage>, Option<RecordReason>)> {
    journal.iter().map(|line| (line.event, line.stage, line.reason)).collect()
}

/// A grant's conditions in short.
pub fn summary(grant: &PartnerGrant) -> Vec<String> {
    let conditions = grant.status.iter().flat_map(|status| &status.conditions);
    let short = conditions
        .map(|found| format!("{}={} {}: {}", found.type_, found.status, found.reason, found.message));
    short.collect()
}

/// Fails with these words unless it holds.
pub fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::Failed(otherwise())) }
}
