//! The third way: keys that `comity sign` makes, in Secrets. What asks for them is a stage: so stages are made while
//! `comity sign` stands still, and it is let go once they lack nothing but certificates.

use std::time::{Duration, Instant};

use comity::api::grant::Workload;
use comity::api::{PartnerGrant, name};
use e2e::{Cluster, Comity, Error, Result, eventually};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::{
    Api, Resource, ResourceExt as _,
    api::{DeleteParams, ListParams, ObjectMeta, PostParams},
};
use serde_json::json;

use super::{
    Extent,
    floor::{Floor, pace},
    opening,
    sight::Sight,
    wave::{Before, Taken, Wave},
    world::{self, World},
};

/// How many workloads a grant may have.
pub const WORKLOADS: usize = 16;
/// How long all that is outstanding may take.
const WITHIN: Duration = Duration::from_secs(180);
/// How many requests the administrator has under way.
const AT_ONCE: usize = 16;
/// The batch of the grants: their contracts are named after it.
const BATCH: &str = "batch";

/// Stages whose workloads have their certificates in Secrets.
pub struct Secrets {
    world: World,
    bindings: Sight,
    accounts: Sight,
    issued: Sight,
    /// How many grants there are.
    next: usize,
}

impl Secrets {
    /// Operands with room for so many grants.
    pub async fn prepare(admin: &Cluster, grants: usize) -> Result<Self> {
        let world = World::make(admin, grants).await?;
        let bindings = Sight::of(Api::<RoleBinding>::all(admin.client()), |binding| {
            (binding.name_any() == name::SIGNER_BINDING).then(|| found(binding, ""))?
        });
        let accounts = Sight::of(Api::<ServiceAccount>::all(admin.client()), |account| {
            found(account, &account.name_any())
        });
        let issued =
            Sight::of(Api::<Secret>::all(admin.client()), |secret| found(secret, &secret.name_any()));
        Ok(Self { world, bindings, accounts, issued, next: 0 })
    }

    /// What each of these many outstanding took, and the grants of the last of them.
    pub async fn measure(&mut self, comity: &Comity, extent: &Extent) -> Result<(Vec<Wave>, Vec<String>)> {
        let mut waves = Vec::new();
        let mut last = Vec::new();
        self.one_alone(comity).await?;
        for (outstanding, times) in extent.waves() {
            let mut wave = Wave::of(outstanding);
            for _ in 0..times {
                if outstanding == 1 {
                    wave.add(&self.one_alone(comity).await?);
                } else {
                    let (taken, grants) = self.many(comity, outstanding).await?;
                    wave.add(&taken);
                    last = grants;
                }
            }
            waves.push(wave);
        }
        Ok((waves, last))
    }

    /// One certificate: from when `comity sign` is let into the namespace.
    async fn one_alone(&mut self, comity: &Comity) -> Result<Taken> {
        let before = Before::read(&self.world.admin, comity).await?;
        let began = Instant::now();
        let grants = self.grants(1)?;
        opening::open(&self.world, &grants).await?;
        let asked = self.bindings.all(&keys(&grants, ""), began, WITHIN).await?;
        let there = self.issued.all(&secrets(&grants), began, WITHIN).await?;
        before.taken((&self.world.admin, comity), asked.into_iter().zip(there).collect()).await
    }

    /// So many certificates, of which all are waited for before the first is given. Nobody else works meanwhile.
    async fn many(&mut self, comity: &Comity, count: usize) -> Result<(Taken, Vec<String>)> {
        let began = Instant::now();
        let grants = self.grants(count)?;
        comity.sign().pause()?;
        let create = async |grant: &PartnerGrant| self.world.create(grant).await;
        stream::iter(&grants).map(create).buffer_unordered(AT_ONCE).try_collect::<Vec<_>>().await?;
        self.bindings.all(&keys(&grants, ""), began, WITHIN).await?;
        self.accounts.all(&accounts(&grants), began, WITHIN).await?;
        comity.run().pause()?;
        comity.rehearse().pause()?;
        let before = Before::read(&self.world.admin, comity).await?;
        let asked = Instant::now();
        comity.sign().resume()?;
        let there = self.issued.all(&secrets(&grants), asked, WITHIN).await?;
        let there = there.into_iter().map(|there| (asked, there)).collect();
        let taken = before.taken((&self.world.admin, comity), there).await?;
        comity.run().resume()?;
        comity.rehearse().resume()?;
        self.active(&grants).await?;
        let names = grants.iter().map(kube::ResourceExt::name_any).collect();
        Ok((taken, names))
    }

    /// New grants with so many workloads altogether.
    fn grants(&mut self, workloads: usize) -> Result<Vec<PartnerGrant>> {
        let mut grants = Vec::new();
        for done in (0..workloads).step_by(WORKLOADS) {
            let mut grant = world::grant(BATCH, self.next, "24h")?;
            let own = (0..WORKLOADS.min(workloads - done)).map(|number| {
                let workload = json!({"name": format!("workload-{number}"), "operations": ["Infer"]});
                serde_json::from_value(workload)
            });
            grant.spec.workloads = own.collect::<Result<Vec<Workload>, _>>()?;
            self.next += 1;
            grants.push(grant);
        }
        Ok(grants)
    }

    /// Opens grants with so many workloads altogether, and awaits that all are Active.
    pub async fn open(&mut self, workloads: usize) -> Result<()> {
        let grants = self.grants(workloads)?;
        opening::open(&self.world, &grants).await.map(drop)
    }

    /// Awaits that grants are Active.
    async fn active(&self, grants: &[PartnerGrant]) -> Result<()> {
        eventually("all to be Active", WITHIN, async || {
            let all =
                self.world.api().list(&ListParams::default()).await.map_err(|error| error.to_string())?;
            let is_active = |grant: &&PartnerGrant| {
                let mut said = grant.status.iter().flat_map(|status| &status.conditions);
                said.any(|said| said.type_ == "Active" && said.status == "True")
            };
            let active: Vec<String> =
                all.items.iter().filter(is_active).map(kube::ResourceExt::name_any).collect();
            let missing = grants.iter().filter(|grant| !active.contains(&grant.name_any())).count();
            if missing == 0 { Ok(()) } else { Err(format!("{missing} aren't")) }
        })
        .await
    }

    /// How many bare creations of these grants' Secrets the API server takes from `comity sign`, so many at once, and
    /// how many one after the other. It mustn't run.
    pub async fn floors(&self, grants: &[String], at_once: usize) -> Result<[Floor; 2]> {
        let of_these = |secret: &&Secret| {
            secret.labels().get(name::LABEL_GRANT).is_some_and(|grant| grants.contains(grant))
        };
        let all = self.stored().await?;
        let mut all: Vec<Secret> = all.iter().filter(of_these).map(anew).collect();
        let admin = self.world.admin.client();
        let delete = async |secret: &Secret| {
            let api: Api<Secret> = Api::namespaced(admin.clone(), &secret.namespace().unwrap_or_default());
            api.delete(&secret.name_any(), &DeleteParams::default()).await?;
            Ok::<_, Error>(())
        };
        stream::iter(&all).map(delete).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
        let [_, sign] = &self.world.processes;
        let client = sign.client();
        let create = async |secret: Secret| {
            let api: Api<Secret> = Api::namespaced(client.clone(), &secret.namespace().unwrap_or_default());
            api.create(&PostParams::default(), &secret).await?;
            Ok(())
        };
        let alone = all.split_off(all.len() - all.len() / 10);
        let what = "creation of a Secret";
        Ok([pace(what, alone, 1, &create).await?, pace(what, all, at_once, &create).await?])
    }

    /// Every Secret with a certificate.
    pub async fn stored(&self) -> Result<Vec<Secret>> {
        let api: Api<Secret> = Api::all(self.world.admin.client());
        let of_comity = format!("{}={}", name::LABEL_MANAGED_BY, name::MANAGED_BY);
        let all = api.list(&ListParams::default().labels(&of_comity)).await?;
        let is_stages = |secret: &Secret| secret.labels().contains_key(name::LABEL_GRANT);
        Ok(all.items.into_iter().filter(is_stages).collect())
    }
}

/// What an object of a grant's stage is looked for as: after the grant, and what it is there.
fn found<K: Resource>(object: &K, what: &str) -> Option<(String, String)> {
    let grant = object.meta().labels.as_ref()?.get(name::LABEL_GRANT)?;
    Some((format!("{grant}/{what}"), object.meta().uid.clone()?))
}

fn keys(grants: &[PartnerGrant], what: &str) -> Vec<String> {
    grants.iter().map(|grant| format!("{}/{what}", grant.name_any())).collect()
}

fn secrets(grants: &[PartnerGrant]) -> Vec<String> {
    of_each_workload(grants, name::workload_secret)
}

fn accounts(grants: &[PartnerGrant]) -> Vec<String> {
    of_each_workload(grants, name::workload_service_account)
}

fn of_each_workload(grants: &[PartnerGrant], named: fn(&str) -> String) -> Vec<String> {
    let of = |grant: &PartnerGrant| {
        let own = grant.spec.workloads.iter().map(|workload| named(&workload.name.0));
        own.map(|own| format!("{}/{own}", grant.name_any())).collect::<Vec<_>>()
    };
    grants.iter().flat_map(of).collect()
}

/// The same Secret, to be made once more.
fn anew(secret: &Secret) -> Secret {
    let ObjectMeta { name, namespace, labels, annotations, .. } = secret.metadata.clone();
    let metadata = ObjectMeta { name, namespace, labels, annotations, ..ObjectMeta::default() };
    Secret { metadata, ..secret.clone() }
}
