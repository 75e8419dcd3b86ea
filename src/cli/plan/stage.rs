//! What would be made of a grant at each of its stages: by the code that makes it. Pure.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;
use serde::Serialize;
use serde_json::Value;

use crate::api::contract::{AfterPromotion, KeyDelivery};
use crate::api::enforcement::EnforcedClause;
use crate::api::value::Duration;
use crate::api::{PartnerGrant, Stage, name};
use crate::cli::files::world::{Identity, World};
use crate::grant::build::namespace::{Gate, namespace};
use crate::grant::build::{Installation, Site, access, confinement, identity};
use crate::grant::clause::foreseen;
use crate::journal::{Narrowed, Opening, Recorded};
use crate::policy::consent::ConsentRule;
use crate::policy::resolve::resolve;
use crate::policy::{Agreement, StageTerms};

/// What stands for what only the API server gives an object.
const UNKNOWN_UID: &str = "known-once-it-is-stored";
/// The same in names, as long as what is there then.
const UNKNOWN_HASH: &str = "xxxxxxxx";

/// What would be made.
#[derive(Debug, Serialize)]
pub(super) struct Plan {
    /// Of each grant that is agreed.
    pub(super) grants: Vec<GrantPlan>,
}

/// What would be made of a grant.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GrantPlan {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) partner: String,
    pub(super) contract: String,
    pub(super) purpose: String,
    /// What people would approve.
    pub(super) digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) not_before: Option<Timestamp>,
    pub(super) not_after: Timestamp,
    pub(super) stages: Vec<StagePlan>,
    /// Every clause of the contract, and what would hold it.
    pub(super) enforcement: Vec<EnforcedClause>,
}

/// What would be made of a stage.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StagePlan {
    pub(super) stage: Stage,
    pub(super) namespace: String,
    /// How long it is open.
    pub(super) duration: Duration,
    /// How long the stage before has to have been open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) after_soak: Option<Duration>,
    /// Whether it is closed when the next one opens.
    pub(super) closes_at_promotion: bool,
    /// Who has to agree first.
    pub(super) approvals: Approvals,
    /// By `comity run`, in this order.
    pub(super) objects: Vec<Value>,
    /// By `comity sign`, before the last of those.
    pub(super) signed: Vec<Identity>,
}

/// Who has to agree.
#[derive(Debug, Serialize)]
pub(super) struct Approvals {
    pub(super) required: usize,
    pub(super) groups: std::collections::BTreeMap<String, usize>,
    #[serde(skip)]
    pub(super) rule: ConsentRule,
}

impl Plan {
    /// What would be made of every grant among some files.
    pub(super) fn of(world: &World, installation: &Installation, now: Timestamp) -> Self {
        let mut known: Vec<_> = world.grants.values().collect();
        known.sort_by_key(|known| known.document);
        let planned = known.into_iter().filter_map(|known| of_grant(world, &known.object, installation, now));
        Self { grants: planned.collect() }
    }
}

/// What would be made of a grant; `None` where nothing is agreed.
fn of_grant(
    world: &World,
    grant: &PartnerGrant,
    installation: &Installation,
    now: Timestamp,
) -> Option<GrantPlan> {
    let agreement = resolve(&world.operands(grant, now), now).ok()?;
    let reached = agreement.stages.iter().filter(|(stage, _)| **stage <= grant.spec.stage);
    let openings: Vec<Opening> =
        reached.map(|(stage, terms)| opening(grant, &agreement, *stage, terms, now)).collect();
    let let_in: Vec<_> = openings.iter().map(|opening| world.let_in(&opening.policy)).collect();
    let names = (grant.name_any(), grant.namespace().unwrap_or_default(), grant.uid().unwrap_or_default());
    let sites: Vec<Site<'_>> = openings
        .iter()
        .zip(&let_in)
        .map(|(opening, ingress)| Site {
            opening,
            policy: &opening.policy,
            grant: &names.0,
            grant_namespace: &names.1,
            grant_uid: &names.2,
            installation,
            ingress,
            rehearsing: false,
        })
        .collect();
    let contract = world.contract_of(grant)?;
    Some(GrantPlan {
        partner: grant.spec.partner_ref.name.0.clone(),
        contract: grant.spec.contract_ref.name.0.clone(),
        purpose: grant.spec.purpose.0.clone(),
        digest: agreement.digest.clone(),
        not_before: agreement.not_before.filter(|moment| *moment > now),
        not_after: agreement.not_after,
        stages: sites.iter().filter_map(|site| stage_plan(site, &agreement)).collect(),
        enforcement: foreseen(contract, &sites),
        name: names.0.clone(),
        namespace: names.1.clone(),
    })
}

/// A stage as it would be written down when it opens.
fn opening(
    grant: &PartnerGrant,
    agreement: &Agreement,
    stage: Stage,
    terms: &StageTerms,
    now: Timestamp,
) -> Opening {
    let begins = agreement.not_before.map_or(now, |earliest| earliest.max(now));
    let end = begins.checked_add(terms.duration).unwrap_or(Timestamp::MAX).min(agreement.not_after);
    let uid = grant.uid().unwrap_or_default();
    Opening {
        stage,
        digest: agreement.digest.clone(),
        namespace: name::stage_namespace(&grant.name_any(), &uid, stage, &agreement.digest),
        opened_at: begins,
        end,
        policy: Arc::new(terms.policy.clone()),
        state: Recorded::Open,
        open_since: begins,
        interrupted: None,
        extended: false,
        moved_at: None,
        narrowed: Narrowed::default(),
    }
}

fn stage_plan(site: &Site<'_>, agreement: &Agreement) -> Option<StagePlan> {
    let stage = site.opening.stage;
    let terms = agreement.stages.get(&stage)?;
    let before = agreement.stages.range(..stage).next_back().map(|(_, before)| before.soak);
    let mut wanted = vec![namespace(site, Gate::Open)];
    wanted.extend(confinement(site));
    wanted.extend(identity::objects(site));
    wanted.extend(access::role_bindings(site));
    let veil = Veil::of(site);
    let objects = wanted.into_iter().map(|wanted| veil.over(wanted.body)).collect();
    let rule = terms.consent.clone();
    Some(StagePlan {
        stage,
        namespace: veil.text(&site.opening.namespace),
        duration: written(terms.duration),
        after_soak: before.filter(SignedDuration::is_positive).map(written),
        closes_at_promotion: terms.after_promotion == AfterPromotion::Close,
        approvals: Approvals { required: rule.required, groups: rule.groups.clone(), rule },
        objects,
        signed: signed(site, &veil),
    })
}

/// A length as contracts write it.
fn written(length: SignedDuration) -> Duration {
    let seconds = length.as_secs();
    let units = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let told = units.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}"));
    Duration(told.collect::<Vec<_>>().concat())
}

/// What `comity sign` makes in the stage's namespace.
fn signed(site: &Site<'_>, veil: &Veil) -> Vec<Identity> {
    let namespace = veil.text(&site.opening.namespace);
    let secrets = site.policy.workloads_with(KeyDelivery::Secret).iter();
    let secrets =
        secrets.map(|workload| Identity::new("Secret", &namespace, &name::workload_secret(&workload.name.0)));
    let trust = Identity::new("ConfigMap", &namespace, name::TRUST_CONFIG_MAP);
    let published = (!site.policy.certified().is_empty()).then_some(trust);
    secrets.chain(published).collect()
}

/// Hides what was made up for what the API server gives.
struct Veil(Vec<(String, String)>);

impl Veil {
    fn of(site: &Site<'_>) -> Self {
        let Site { opening, grant_uid, .. } = site;
        let policies = opening.policy.datasets.iter().map(|dataset| {
            let name = name::dataset_ingress_policy(&opening.namespace, &dataset.name.0);
            let kept = name.len().saturating_sub(UNKNOWN_HASH.len());
            let hidden = format!("{}{UNKNOWN_HASH}", name.get(..kept).unwrap_or_default());
            (name, hidden)
        });
        let hash = name::opening_hash(grant_uid, &opening.digest);
        let of_grant = [(hash, UNKNOWN_HASH.to_owned()), ((*grant_uid).to_owned(), UNKNOWN_UID.to_owned())];
        Self(policies.chain(of_grant).collect())
    }

    fn text(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (known, hidden)| text.replace(known, hidden))
    }

    /// An object without what isn't known of it; what Comity notes for itself hangs on that.
    fn over(&self, mut object: Value) -> Value {
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("annotations");
        }
        self.cover(&mut object);
        object
    }

    fn cover(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.cover(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.cover(field)),
            _ => {}
        }
    }
}
