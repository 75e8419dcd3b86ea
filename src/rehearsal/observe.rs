//! What a rehearsal goes by, read at the moment at which it begins.

mod probe;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::ResourceExt as _;
use kube::runtime::reflector::ObjectRef;
use serde_json::json;
use tokio::sync::SemaphorePermit;

use self::probe::dialled;
use super::case::{Case, Who};
use super::cases::Ground;
use super::cases::certificates::{self, Published};
use super::cases::checks::{self, Behind, Checked};
use super::cases::dials;
use super::cases::ephemeral::Running;
use super::cases::login::{Login, discovered, discovery, keys};
use super::cases::network::judged::{self, Looked};
use super::cases::network::{Rehearsed, expected, namespaces};
use super::due::Due;
use crate::api::effective::EffectivePolicy;
use crate::api::stage::Stage;
use crate::api::{Partner, PartnerGrant, SharingContract, name};
use crate::cluster::apply::WriteError;
use crate::cluster::catalogue::Catalogue;
use crate::cluster::clock::Clock;
use crate::cluster::objects::Objects;
use crate::cluster::outside::Heard;
use crate::cluster::trial::Trial;
use crate::grant::build::Installation;
use crate::grant::build::confinement::guard;
use crate::grant::observe::isolated_datasets;
use crate::plan::objects::Kind;

/// How many other stages a rehearsal tries to look into.
const OTHERS: usize = 2;

/// How this Comity is installed, as far as rehearsals go by it.
#[derive(Clone, Debug)]
pub struct Home {
    /// What its objects depend on.
    pub installation: Installation,
    /// The trust domain of workloads.
    pub trust_domain: String,
}

/// Whoever reads.
#[derive(Clone, Copy)]
pub struct Observer<'a> {
    /// What the watches told.
    pub catalogue: &'a Catalogue,
    /// What asks the API server.
    pub trial: &'a Trial,
    /// How Comity is installed.
    pub home: &'a Home,
    /// The time.
    pub now: Timestamp,
    /// By which is told how long something took.
    pub clock: &'a Clock,
}

impl Observer<'_> {
    /// Every case of a rehearsal. Its turn to ask the API server is over before its probe is waited for.
    pub async fn cases(
        &self,
        grant: &PartnerGrant,
        due: &Due<'_>,
        turn: Option<SemaphorePermit<'_>>,
    ) -> Result<Vec<Case>, WriteError> {
        let contract = self.contract(grant);
        let (grant_name, grant_namespace) = (grant.name_any(), grant.namespace().unwrap_or_default());
        let uid = grant.uid().unwrap_or_default();
        let policy = &due.terms.policy;
        let mut ground = Ground {
            grant: &grant_name,
            grant_namespace: &grant_namespace,
            namespace: &due.opening.namespace,
            policy,
            guard: guard(policy, &uid, Stage::Rehearsal),
            rehearsal: contract.as_ref().and_then(|contract| contract.spec.rehearsal.as_ref()),
            others: self.others(&due.opening.namespace, policy.partner.as_str()),
            running: Err(String::new()),
            network: Vec::new(),
            seen: Vec::new(),
        };
        let mut seen = self.certificates(&ground, due, &uid).await?;
        seen.extend(self.checks(&ground).await?);
        let network = self.network(&ground, due).await?;
        let running = self.running(&ground).await?;
        drop(turn);
        seen.extend(self.dials(&ground, due, &uid).await?);
        (ground.network, ground.running, ground.seen) = (network, running, seen);
        Ok(ground.cases())
    }

    fn contract(&self, grant: &PartnerGrant) -> Option<Arc<SharingContract>> {
        let namespace = grant.namespace().unwrap_or_default();
        self.catalogue.contracts.get(&ObjectRef::new(&grant.spec.contract_ref.name.0).within(&namespace))
    }

    /// A few namespaces of other stages: another partner's, where there is one, and one of this partner's.
    fn others(&self, here: &str, partner: &str) -> Vec<String> {
        let mut all: Vec<String> = self.catalogue.objects.stages();
        all.retain(|namespace| namespace != here);
        all.sort();
        let (own, foreign): (Vec<String>, Vec<String>) =
            all.into_iter().partition(|namespace| self.is_of(namespace, partner));
        let mut some: Vec<String> =
            foreign.iter().take(1).chain(&own).chain(foreign.iter().skip(1)).cloned().collect();
        some.truncate(OTHERS);
        some
    }

    /// Whether a stage's namespace is of a grant of this partner.
    fn is_of(&self, namespace: &str, partner: &str) -> bool {
        let labels = self.catalogue.namespace_labels(namespace);
        let (Some(name), Some(home)) =
            (labels.get(name::LABEL_GRANT), labels.get(name::LABEL_GRANT_NAMESPACE))
        else {
            return false;
        };
        let grant = self.catalogue.grants.get(&ObjectRef::<PartnerGrant>::new(name).within(home));
        grant.is_some_and(|grant| grant.spec.partner_ref.name.0 == partner)
    }

    async fn certificates(
        &self,
        ground: &Ground<'_>,
        due: &Due<'_>,
        uid: &str,
    ) -> Result<Vec<Case>, WriteError> {
        let here = self.published(ground.namespace, name::TRUST_CONFIG_MAP).await?.unwrap_or_default();
        let mut elsewhere = BTreeMap::new();
        let system_namespace = &self.home.installation.system_namespace;
        for stage in [Stage::Sandbox, Stage::Production] {
            let ca = name::ca(ground.policy.contract_uid.as_str(), stage);
            let found = self.published(system_namespace, &name::ca_config_map(&ca)).await?;
            elsewhere.extend(found.and_then(|mut data| data.remove("ca.crt")).map(|anchor| (stage, anchor)));
        }
        let published = Published {
            here,
            elsewhere,
            trust_domain: &self.home.trust_domain,
            digest: &due.opening.digest,
            grant_uid: uid,
            end: due.opening.end,
            now: self.now,
        };
        Ok(certificates::cases(ground, &published))
    }

    async fn published(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<BTreeMap<String, String>>, WriteError> {
        let found = self.trial.config_map(namespace, name).await?;
        Ok(found.map(|found| found.data.unwrap_or_default()))
    }

    /// A pod of the stage, found as one of the partner's people who may see them: this process may not.
    async fn running(&self, ground: &Ground<'_>) -> Result<Result<Running, String>, WriteError> {
        let Some(role) = ground.role_that_may("list", "", "pods") else {
            return Ok(Err("nobody of the partner's may look which pods run, and so nobody here".to_owned()));
        };
        let user = Who::Role(role).user(ground.namespace);
        Ok(Running::among(&self.trial.pods(&user, ground.namespace, None).await?))
    }

    /// What becomes of each connection by the policies that are stored now.
    async fn network(&self, ground: &Ground<'_>, due: &Due<'_>) -> Result<Vec<Case>, WriteError> {
        let stages = &due.agreement.stages;
        let others: Vec<(Stage, &EffectivePolicy)> =
            stages.iter().map(|(stage, terms)| (*stage, &terms.policy)).collect();
        let mut ingress = BTreeSet::new();
        let rehearsed = |ingress: &BTreeSet<String>| {
            expected(&Rehearsed {
                stage: Stage::Rehearsal,
                namespace: ground.namespace,
                policy: ground.policy,
                others: &others,
                grant_namespace: ground.grant_namespace,
                ingress,
                installation: &self.home.installation,
            })
        };
        let looked = self.look(&namespaces(&rehearsed(&ingress))).await?;
        ingress.extend(let_in(ground.policy, &looked));
        Ok(judged::cases(&rehearsed(&ingress), &looked))
    }

    /// What becomes of real dials, from a pod of the stage.
    async fn dials(&self, ground: &Ground<'_>, due: &Due<'_>, uid: &str) -> Result<Vec<Case>, WriteError> {
        let stages = &due.agreement.stages;
        let others: Vec<(Stage, &EffectivePolicy)> =
            stages.iter().map(|(stage, terms)| (*stage, &terms.policy)).collect();
        let mut known = self.known(ground, uid);
        if let Err(why) = dials::image(ground) {
            let targets = dials::targets(ground.policy, &others, &known);
            return Ok(dials::cases(targets, &dials::Told::Untried(why)));
        }
        for (namespace, service) in dials::services(ground.policy, &others, &known) {
            let slices = self.trial.endpoints(&namespace, &service).await?;
            known.behind.insert((namespace, service), slices);
        }
        let targets = dials::targets(ground.policy, &others, &known);
        let told = match dials::pod(ground, &dials::places(&targets)) {
            Ok(pod) => dialled(ground, &pod, (self.trial, self.clock)).await?,
            Err(why) => dials::Told::Untried(why),
        };
        Ok(dials::cases(targets, &told))
    }

    /// Who stands where a pod of the stage might get to, by what the watches told.
    fn known(&self, ground: &Ground<'_>, uid: &str) -> dials::Known {
        let (installation, services) = (&self.home.installation, &self.catalogue.services);
        let dns = dials::resolvers(installation, &services.of_namespace(&installation.dns_namespace));
        let mut known = dials::Known { dns, ..dials::Known::default() };
        for place in self.catalogue.objects.places(uid).into_iter().filter(|place| place != ground.namespace)
        {
            let labels = self.catalogue.namespace_labels(&place);
            let of =
                |stage: &Stage| labels.get(name::LABEL_STAGE).is_some_and(|label| label == stage.lower());
            if let Some(stage) = Stage::ALL.into_iter().find(of) {
                known.neighbours.extend(dials::neighbours((stage, &place), &services.of_namespace(&place)));
            }
        }
        known
    }

    /// Reads the labels and the network policies of namespaces, as far as it is let.
    async fn look(&self, places: &BTreeSet<String>) -> Result<Looked, WriteError> {
        let mut looked = Looked::default();
        for place in places {
            let labels = self.trial.labels(place).await?;
            let policies = self.trial.network_policies(place).await?;
            match labels.and_then(|labels| Ok((labels, policies?))) {
                Ok((labels, policies)) => {
                    looked.namespaces.insert(place.clone(), labels);
                    looked.policies.extend(policies);
                }
                Err(why) => {
                    looked.unread.insert(place.clone(), why);
                }
            }
        }
        Ok(looked)
    }

    async fn checks(&self, ground: &Ground<'_>) -> Result<Vec<Case>, WriteError> {
        let name = &ground.policy.partner;
        let Some(partner) = self.catalogue.partners.get(&ObjectRef::<Partner>::new(name.as_str())) else {
            // Then nothing is agreed, and the next look at it says so.
            return Ok(Vec::new());
        };
        let mut behind = BTreeMap::new();
        for dataset in &ground.policy.datasets {
            let Some(endpoint) = &dataset.endpoint else { continue };
            let slices = self.trial.endpoints(endpoint.namespace.as_str(), endpoint.service.as_str()).await?;
            behind.insert(dataset.name.as_str().to_owned(), counted(&slices));
        }
        let oidc = partner.spec.identity.as_ref().and_then(|identity| identity.oidc.as_ref());
        let login = match oidc {
            Some(oidc) => {
                let began = self.clock.now();
                let login = self.login(oidc.issuer.as_str()).await.unwrap_or_else(|login| login);
                Some((login, self.clock.now().duration_since(began).unsigned_abs()))
            }
            None => None,
        };
        Ok(checks::cases(ground, &Checked { partner: &partner, behind, login, now: self.now }))
    }

    /// What where the partner's people log in is worth; what stands against it first.
    async fn login(&self, issuer: &str) -> Result<Login, Login> {
        let wrong = || Login::Wrong("its issuer is no URL of a host".to_owned());
        let said = self.heard(&discovery(issuer).ok_or_else(wrong)?).await?;
        let said = self.heard(&discovered(issuer, &said)?).await?;
        Ok(keys(&said))
    }

    /// What somebody outside of the cluster says.
    async fn heard(&self, uri: &http::Uri) -> Result<Vec<u8>, Login> {
        match self.trial.outside().get(uri).await {
            Heard::Said(said) => Ok(said),
            Heard::Wrong(why) => Err(Login::Wrong(why)),
            Heard::Unasked(why) => Err(Login::Unasked(why)),
        }
    }
}

/// The datasets at whose pods Comity lets the stage in: just those at which `comity run` does.
fn let_in(policy: &EffectivePolicy, looked: &Looked) -> Vec<String> {
    let objects = Objects::default();
    for policy in &looked.policies {
        objects.put(Kind::NetworkPolicy, json!(policy));
    }
    let labels_of = |namespace: &str| looked.namespaces.get(namespace).cloned().unwrap_or_default();
    isolated_datasets(policy, labels_of, &objects)
}

/// How many pods stand behind a Service.
fn counted(slices: &[EndpointSlice]) -> Behind {
    let endpoints = slices.iter().flat_map(|slice| slice.endpoints.iter().flatten());
    endpoints.fold(Behind::default(), |counted, endpoint| {
        // Unknown counts as ready (discovery.k8s.io/v1, EndpointConditions).
        let ready = endpoint.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true);
        Behind { ready: counted.ready + usize::from(ready), all: counted.all + 1 }
    })
}
