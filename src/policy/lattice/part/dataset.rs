//! A dataset, as its owner describes it.

use super::super::walk::Walk;
use super::stages::paper;
use crate::api::dataset::{
    Classification, DataKind, DatasetField, DatasetOwner, DatasetRetention, DatasetSpec, DatasetVersion,
    Endpoint, Permitted, Sensitivity, ServicePort, Sharing,
};

/// The most careful word first, for each: what is held to be more sensitive is shared with more
/// care.
const SENSITIVITY: [Sensitivity; 4] =
    [Sensitivity::Restricted, Sensitivity::Confidential, Sensitivity::Internal, Sensitivity::Public];
const CLASSIFICATION: [Classification; 6] = [
    Classification::Restricted,
    Classification::Personal,
    Classification::Pseudonymous,
    Classification::Derived,
    Classification::Internal,
    Classification::Public,
];
const SHARING: [Sharing; 2] = [Sharing::Prohibited, Sharing::Permitted];
const DATA: [DataKind; 3] = [DataKind::Synthetic, DataKind::Masked, DataKind::Real];

/// Every clause of it.
pub(crate) fn dataset(walk: &mut Walk, old: &DatasetSpec, new: &DatasetSpec) {
    let DatasetSpec {
        owner: answers,
        sensitivity,
        jurisdictions,
        permitted,
        fields: parts,
        retention: DatasetRetention { max },
        versions,
        endpoints: served,
    } = old;
    owner(walk, answers, &new.owner);
    walk.chain(("sensitivity", "sensitivity"), &SENSITIVITY, *sensitivity, new.sensitivity);
    walk.required(("jurisdictions", "jurisdiction"), jurisdictions, &new.jurisdictions);
    let Permitted { purposes, operations } = permitted;
    walk.under("permitted", "", |walk| {
        walk.allowed(("purposes", "permitted purpose"), purposes, &new.permitted.purposes);
        walk.allowed(("operations", "permitted operation"), operations, &new.permitted.operations);
    });
    fields(walk, parts, &new.fields);
    walk.at_most(("retention.max", "kept for"), Some(max), Some(&new.retention.max));
    let version = |DatasetVersion { name, digest }: &DatasetVersion| (name.clone(), digest.clone());
    let all = (&versions[..], &new.versions[..]);
    walk.family(("versions", "version"), all, version, |_, old, _| Some(old.clone()));
    endpoints(walk, served, &new.endpoints);
}

/// Who answers for it.
fn owner(walk: &mut Walk, old: &DatasetOwner, new: &DatasetOwner) {
    let DatasetOwner { team, contact, approvers } = old;
    walk.under("owner", "", |walk| {
        paper(walk, ("team", "owner"), team, &new.team);
        walk.words(("contact", "owner's contact"), contact, &new.contact);
        paper(walk, ("approvers", "approvers"), approvers, &new.approvers);
    });
}

/// Fields ⊆, and how each may be shared.
fn fields(walk: &mut Walk, old: &[DatasetField], new: &[DatasetField]) {
    let name = |field: &DatasetField| field.name.clone();
    walk.family(("fields", "field"), (old, new), name, |walk, old, new| {
        let DatasetField { name: _, classification, sharing } = old;
        let kind = ("classification", "classification");
        walk.chain(kind, &CLASSIFICATION, *classification, new.classification);
        walk.chain(("sharing", "sharing"), &SHARING, *sharing, new.sharing);
        Some(old.clone())
    });
}

/// What serves it, by stage: another Service is something else.
fn endpoints(walk: &mut Walk, old: &[Endpoint], new: &[Endpoint]) {
    walk.family(
        ("endpoints", "endpoint"),
        (old, new),
        |endpoint| endpoint.stage,
        |walk, old, new| {
            let Endpoint { stage: _, service: ServicePort { name, port }, data } = old;
            walk.under("service", "", |walk| {
                walk.same(("name", "service"), name, &new.service.name);
                walk.same(("port", "port of the service"), port, &new.service.port);
            });
            walk.chain(("data", "data"), &DATA, *data, new.data);
            Some(old.clone())
        },
    );
}
