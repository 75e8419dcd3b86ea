//! Which grants are gone and have left something behind, and what of it is Comity's own: only what
//! carries all of Comity's labels and is called as Comity would have called it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::ObjectMeta;

use crate::api::grant::{PartnerGrantSpec, Reference};
use crate::api::{PartnerGrant, Stage, name};
use crate::grant::observe::Names;
use crate::plan::objects::{Key, Kind, Live, LiveObjects};

/// Of what carries the UID of a grant, what Comity made for it; and the grant's names, as the
/// labels tell them. `None` where nothing of it is Comity's.
pub fn left_behind(uid: &str, live: &LiveObjects) -> Option<(Names, LiveObjects)> {
    let names = live.iter().find_map(|(key, object)| claimed(uid, key, object))?;
    let ours = ours(&names, live);
    (!ours.is_empty()).then_some((names, ours))
}

/// Of all that carries a grant's UID, what Comity made for it.
pub fn ours(names: &Names, live: &LiveObjects) -> LiveObjects {
    let is_ours =
        |key: &Key, object: &Live| claimed(&names.uid, key, object).is_some_and(|found| found == *names);
    let places: BTreeSet<&str> = live
        .iter()
        .filter(|(key, object)| key.kind == Kind::Namespace && is_ours(key, object))
        .map(|(key, _)| key.namespace.as_str())
        .collect();
    live.iter()
        .filter(|(key, object)| places.contains(key.namespace.as_str()) || is_ours(key, object))
        .map(|(key, object)| (key.clone(), object.clone()))
        .collect()
}

/// The grant that a namespace or an ingress policy says that it is for, where its labels and its
/// name agree. Any other object is Comity's only by the namespace that it is in.
fn claimed(uid: &str, key: &Key, object: &Live) -> Option<Names> {
    let labels = &object.labels;
    let label = |label: &str| labels.get(label).filter(|value| !value.is_empty());
    let (grant, stage) = (label(name::LABEL_GRANT)?, label(name::LABEL_STAGE)?);
    let namespace = label(name::LABEL_GRANT_NAMESPACE)?;
    let is_labelled =
        label(name::LABEL_GRANT_UID)? == uid && label(name::LABEL_MANAGED_BY)? == name::MANAGED_BY;
    let is_called_so = match key.kind {
        Kind::Namespace => name::is_stage_namespace(&key.name, grant, stage),
        Kind::NetworkPolicy => {
            name::is_dataset_ingress_policy(&key.name)
                && lets_in(object).is_some_and(|place| name::is_stage_namespace(&place, grant, stage))
        }
        _ => false,
    };
    let names = Names { grant: grant.clone(), namespace: namespace.clone(), uid: uid.to_owned() };
    (is_labelled && is_called_so).then_some(names)
}

/// The one namespace that an ingress policy lets in.
fn lets_in(policy: &Live) -> Option<String> {
    let place = "/spec/ingress/0/from/0/namespaceSelector/matchLabels/kubernetes.io~1metadata.name";
    policy.value().pointer(place)?.as_str().map(str::to_owned)
}

/// A grant that isn't there any more, as far as it matters: one that is being deleted.
pub fn ghost(names: &Names, since: Time) -> PartnerGrant {
    let nobody = || Reference { name: String::new().as_str().into() };
    PartnerGrant {
        metadata: ObjectMeta {
            name: Some(names.grant.clone()),
            namespace: Some(names.namespace.clone()),
            uid: Some(names.uid.clone()),
            deletion_timestamp: Some(since),
            ..ObjectMeta::default()
        },
        spec: PartnerGrantSpec {
            partner_ref: nobody(),
            contract_ref: nobody(),
            stage: Stage::Sandbox,
            purpose: String::new().as_str().into(),
            operations: Vec::new(),
            stages: Vec::new(),
            people: Vec::new(),
            workloads: Vec::new(),
            suspend: false,
            justification: None,
            ticket: None,
        },
        status: None,
    }
}

/// The grants that may be gone: those of which something is there, or whose journal doesn't end,
/// less those that `stands` knows.
pub fn suspects(
    objects: impl IntoIterator<Item = (String, LiveObjects)>,
    journals: impl IntoIterator<Item = Names>,
    stands: &dyn Fn(&str) -> bool,
) -> Vec<Names> {
    let of_journals = journals.into_iter().map(|names| (names.uid.clone(), names));
    let mut all: BTreeMap<String, Names> =
        of_journals.filter(|(uid, names)| !names.namespace.is_empty() && !stands(uid)).collect();
    for (uid, live) in objects.into_iter().filter(|(uid, _)| !stands(uid)) {
        if let Some((names, _)) = left_behind(&uid, &live) {
            all.insert(uid, names);
        }
    }
    all.into_values().collect()
}
