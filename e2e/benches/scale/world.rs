//! What the grants of the benchmark are granted under: the example's own operands, for many
//! partners and purposes, because there is one live grant for each of those.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use comity::api::{GrantRecord, PartnerGrant, Stage, name::LABEL_GRANT};
use e2e::{Cluster, Explain as _, Result, comity::repository, eventually};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::{
    Api, Resource, ResourceExt as _,
    api::{DeleteParams, ListParams, PostParams},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Where contract, dataset and grants are.
pub const NAMESPACE: &str = "risk-data";

/// How many partners and purposes one contract has room for.
const PARTNERS: usize = 32;
const PURPOSES: usize = 16;

/// How many requests the platform team's own tools have under way.
const AT_ONCE: usize = 8;

/// How long clearing may take.
const CLEARED_WITHIN: Duration = Duration::from_secs(900);

/// The cluster as the platform team's automation sees it: with a ServiceAccount's token.
pub struct World {
    /// The cluster, by that token.
    pub cluster: Cluster,
    /// The cluster as its administrator, who makes and removes what isn't measured.
    pub admin: Cluster,
    /// As `comity run` and `comity sign` see it.
    pub processes: [Cluster; 2],
}

impl World {
    /// Makes operands with room for so many grants.
    pub async fn make(admin: &Cluster, grants: usize) -> Result<Self> {
        for file in ["00-namespace", "01-services", "07-people"] {
            admin.apply(&repository().join(format!("examples/fraud-scoring/{file}.yaml"))).await?;
        }
        let contracts = grants.div_ceil(PARTNERS * PURPOSES);
        for object in operands(contracts)? {
            admin.apply_yaml(&serde_json::to_string(&object)?).await?;
        }
        admin.apply_yaml(include_str!("platform.yaml")).await?;
        let as_account =
            async |namespace: &str, name: &str| admin.as_token(&admin.token(namespace, name).await?);
        let system = comity::api::name::DEFAULT_SYSTEM_NAMESPACE;
        Ok(Self {
            cluster: as_account(NAMESPACE, "platform").await?,
            admin: admin.clone(),
            processes: [
                as_account(system, comity::api::name::RUN).await?,
                as_account(system, comity::api::name::SIGN).await?,
            ],
        })
    }

    /// The same, by people: what consent is asked for isn't asked for by automation.
    pub fn by_people(&self) -> Self {
        Self { cluster: self.admin.clone(), admin: self.admin.clone(), processes: self.processes.clone() }
    }

    /// Creates a grant.
    pub async fn create(&self, grant: &PartnerGrant) -> Result<PartnerGrant> {
        Ok(self.api().create(&PostParams::default(), grant).await?)
    }

    /// The grants.
    pub fn api(&self) -> Api<PartnerGrant> {
        Api::namespaced(self.cluster.client(), NAMESPACE)
    }

    /// Deletes grants and awaits that nothing of them is left. Seconds.
    pub async fn delete(&self, grants: &[PartnerGrant]) -> Result<f64> {
        let began = Instant::now();
        let api = self.api();
        let delete =
            async |grant: &PartnerGrant| api.delete(&grant.name_any(), &DeleteParams::default()).await;
        stream::iter(grants).map(delete).buffer_unordered(AT_ONCE).try_collect::<Vec<_>>().await?;
        let prefix = batch_of(&grants[0]);
        eventually("the grants to be gone", CLEARED_WITHIN, async || {
            let left = api.list_metadata(&ListParams::default()).await.map_err(|error| error.to_string())?;
            none(left.items.iter().filter(|grant| grant.name_any().starts_with(&prefix)).count())
        })
        .await?;
        self.await_namespaces_gone(&prefix).await?;
        Ok(began.elapsed().as_secs_f64())
    }

    /// Removes what a bare loop made of a batch, or Comity would be measured as it clears that. Of its
    /// records too nothing may be left: their lines don't hold each other's digests, and beside a
    /// journal that can't be read nothing opens without somebody's consent, since it may have been
    /// of the same.
    pub async fn remove(&self, batch: &str) -> Result<()> {
        let of_batch = |record: &GrantRecord| record.spec.grant.name.0.starts_with(batch);
        self.remove_at_home(of_batch).await?;
        let grant = |policy: &NetworkPolicy| policy.labels().get(LABEL_GRANT).cloned().unwrap_or_default();
        self.remove_at_home(|policy: &NetworkPolicy| grant(policy).starts_with(batch)).await?;
        self.remove_namespaces(batch).await
    }

    /// Removes those objects of a kind from the namespace of the grants of which `is_doomed` says so.
    async fn remove_at_home<K>(&self, is_doomed: impl Fn(&K) -> bool) -> Result<()>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.admin.client(), NAMESPACE);
        let all = api.list(&ListParams::default()).await?;
        let names = all.items.iter().filter(|object| is_doomed(object)).map(kube::ResourceExt::name_any);
        let delete = async |name: String| api.delete(&name, &DeleteParams::default()).await;
        stream::iter(names).map(delete).buffer_unordered(AT_ONCE).try_collect::<Vec<_>>().await?;
        Ok(())
    }

    /// Awaits that there is a namespace for each of so many grants of a batch, and no further one.
    pub async fn await_one_namespace_each(&self, batch: &str, grants: usize) -> Result<()> {
        let api: Api<Namespace> = Api::all(self.admin.client());
        eventually("a namespace for each grant", CLEARED_WITHIN, async || {
            let all = api.list_metadata(&ListParams::default()).await.map_err(|error| error.to_string())?;
            let found = all.items.iter().filter(|namespace| is_of(&namespace.name_any(), batch)).count();
            if found == grants { Ok(()) } else { Err(format!("{found} of {grants}")) }
        })
        .await
    }

    async fn remove_namespaces(&self, batch: &str) -> Result<()> {
        let api: Api<Namespace> = Api::all(self.admin.client());
        let all = api.list_metadata(&ListParams::default()).await?;
        let names = all.items.iter().map(kube::ResourceExt::name_any).filter(|name| is_of(name, batch));
        let delete = async |name: String| api.delete(&name, &DeleteParams::default()).await;
        stream::iter(names).map(delete).buffer_unordered(AT_ONCE).try_collect::<Vec<_>>().await?;
        self.await_namespaces_gone(batch).await
    }

    /// Awaits that no namespace of a batch is left.
    pub async fn await_namespaces_gone(&self, batch: &str) -> Result<()> {
        let api: Api<Namespace> = Api::all(self.admin.client());
        eventually("the namespaces to be gone", CLEARED_WITHIN, async || {
            let left = api.list_metadata(&ListParams::default()).await.map_err(|error| error.to_string())?;
            none(left.items.iter().filter(|namespace| is_of(&namespace.name_any(), batch)).count())
        })
        .await
    }
}

fn none(left: usize) -> Result<(), String> {
    if left == 0 { Ok(()) } else { Err(format!("{left} are left")) }
}

fn is_of(namespace: &str, batch: &str) -> bool {
    namespace.strip_prefix("comity-").is_some_and(|rest| rest.starts_with(batch))
}

/// What the names of a grant's batch begin with.
fn batch_of(grant: &PartnerGrant) -> String {
    let name = grant.name_any();
    name.rsplit_once('-').map_or(name.clone(), |(batch, _)| batch.to_owned())
}

/// So many grants of a batch, of which each is open for `duration`.
pub fn grants(batch: &str, count: usize, duration: &str) -> Result<Vec<PartnerGrant>> {
    (0..count).map(|number| grant(batch, number, duration)).collect()
}

/// Grant `number` of a batch, open for `duration`. Batches that live at once have purposes of their own.
pub fn grant(batch: &str, number: usize, duration: &str) -> Result<PartnerGrant> {
    let (contract, place) = (number / (PARTNERS * PURPOSES), number % (PARTNERS * PURPOSES));
    let spec = json!({
        "partnerRef": {"name": format!("partner-{}", place % PARTNERS)},
        "contractRef": {"name": contract_name(batch, contract)},
        "stage": "Sandbox",
        "purpose": format!("purpose-{}", place / PARTNERS),
        "operations": ["Infer"],
        "stages": [{"stage": "Sandbox", "duration": duration}],
        "people": [{"name": "ana@northpay.example", "role": "ModelEngineer"}],
        "workloads": [{"name": "scorer", "operations": ["Infer"]}],
        "justification": "to see how fast it is",
    });
    let mut grant = PartnerGrant::new(&format!("{batch}-{number:05}"), serde_json::from_value(spec)?);
    grant.metadata.namespace = Some(NAMESPACE.to_owned());
    Ok(grant)
}

/// A grant for which people decide: Rehearsal first, and Production by consent.
pub fn decided(batch: &str, number: usize) -> Result<PartnerGrant> {
    let mut grant = grant(batch, number, "24h")?;
    grant.spec.stage = Stage::Rehearsal;
    let stages = Stage::ALL.map(|stage| json!({"stage": stage, "duration": "24h"}));
    grant.spec.stages = serde_json::from_value(json!(stages))?;
    Ok(grant)
}

/// The batch for which people decide.
pub const BATCH_DECIDED: &str = "decided";

/// The contracts of so many grants of a batch.
pub fn contract_names(batch: &str, grants: usize) -> impl Iterator<Item = String> {
    (0..grants.div_ceil(PARTNERS * PURPOSES)).map(move |number| contract_name(batch, number))
}

/// Each batch has contracts of its own: two live grants never have partner and purpose in common.
fn contract_name(batch: &str, number: usize) -> String {
    format!("{batch}-{number}")
}

/// The example's boundary, partners, dataset and contracts, widened.
fn operands(contracts: usize) -> Result<Vec<Value>> {
    let purposes: Vec<String> = (0..PURPOSES).map(|number| format!("purpose-{number}")).collect();
    let partners: Vec<String> = (0..PARTNERS).map(|number| format!("partner-{number}")).collect();
    let mut boundary = example("02-boundary")?;
    remove(&mut boundary["spec"]["ceilings"], "liveGrants");
    let mut dataset = example("04-dataset")?;
    dataset["spec"]["permitted"]["purposes"] = json!(purposes);
    let mut objects = vec![boundary, dataset];
    let partner = example("03-partner")?;
    for name in &partners {
        let mut partner = partner.clone();
        partner["metadata"]["name"] = json!(name);
        objects.push(partner);
    }
    let mut contract = example("05-contract")?;
    contract["spec"]["partners"] = json!(partners);
    contract["spec"]["purposes"] = json!(purposes);
    remove(&mut contract["spec"], "rehearsal");
    for batch in ["before", "batch", "ending", "replay"] {
        for number in 0..contracts {
            let mut contract = contract.clone();
            contract["metadata"]["name"] = json!(contract_name(batch, number));
            objects.push(contract);
        }
    }
    for stage in contract["spec"]["stages"].as_array_mut().into_iter().flatten() {
        if stage["stage"] == json!(Stage::Rehearsal) {
            stage["soak"] = json!("1s");
        }
    }
    // Nothing decides each request here, and no pod runs: what takes them can't be tried.
    contract["spec"]["rehearsal"] = json!({"require": "Executable"});
    for number in 0..contracts {
        let mut contract = contract.clone();
        contract["metadata"]["name"] = json!(contract_name(BATCH_DECIDED, number));
        objects.push(contract);
    }
    Ok(objects)
}

fn remove(object: &mut Value, field: &str) {
    if let Some(fields) = object.as_object_mut() {
        fields.remove(field);
    }
}

fn example(file: &str) -> Result<Value> {
    let path = repository().join(format!("examples/fraud-scoring/{file}.yaml"));
    let text = std::fs::read_to_string(&path).explain(format!("read {}", path.display()))?;
    serde_saphyr::from_str(&text).explain(format!("read {}", path.display()))
}
