//! A whole contract.

use super::super::walk::Walk;
use super::stages::{self, paper};
use super::{operation, place, scope, security, time};
use crate::api::contract::{DataScope, Framework, Legal, SharingContractSpec};

/// Every clause of it, in the order in which people write them.
pub(crate) fn contract(walk: &mut Walk, old: &SharingContractSpec, new: &SharingContractSpec) {
    let SharingContractSpec {
        framework: agreed,
        legal: terms,
        partners,
        data_scope,
        purposes,
        operations,
        prohibitions,
        models,
        time: when,
        destination,
        security: held,
        stages: rules,
        approvals,
        rehearsal,
        reviews,
        quarantine,
        narrowing,
        anomaly,
    } = old;
    framework(walk, agreed.as_ref(), new.framework.as_ref());
    legal(walk, terms.as_ref(), new.legal.as_ref());
    walk.allowed(("partners", "partner"), partners, &new.partners);
    shared(walk, data_scope, &new.data_scope);
    walk.allowed(("purposes", "purpose"), purposes, &new.purposes);
    operation::operations(walk, operations, &new.operations);
    walk.required(("prohibitions", "prohibition"), prohibitions, &new.prohibitions);
    operation::models(walk, models, &new.models);
    time::time(walk, (when, &new.time), (&[], &[]));
    place::destination(walk, destination, &new.destination);
    security::security(walk, (held, &new.security), (&[], &[]));
    stages::stages(walk, rules, &new.stages);
    stages::approvals(walk, approvals, &new.approvals);
    stages::rehearsal(walk, rehearsal.as_ref(), new.rehearsal.as_ref());
    stages::reviews(walk, reviews.as_ref(), new.reviews.as_ref());
    stages::quarantine(walk, quarantine.as_ref(), new.quarantine.as_ref());
    stages::narrowing(walk, narrowing.as_ref(), new.narrowing.as_ref());
    stages::anomaly(walk, anomaly.as_ref(), new.anomaly.as_ref());
}

/// The datasets ⊆, and what is never shared ⊇.
fn shared(walk: &mut Walk, old: &DataScope, new: &DataScope) {
    let DataScope { datasets, prohibited } = old;
    walk.under("dataScope", "", |walk| {
        scope::datasets(walk, datasets, &new.datasets);
        scope::prohibited(walk, prohibited.as_ref(), new.prohibited.as_ref());
    });
}

/// The paper behind it: another paper is another agreement.
fn framework(walk: &mut Walk, old: Option<&Framework>, new: Option<&Framework>) {
    let (mut before, mut after) = (None, None);
    if let Some(Framework { title, uri, digest }) = old {
        before = Some((title, uri, digest));
    }
    if let Some(Framework { title, uri, digest }) = new {
        after = Some((title, uri, digest));
    }
    walk.under("framework", "", |walk| {
        paper(walk, ("title", "the paper's title"), &before.map(|it| it.0), &after.map(|it| it.0));
        paper(walk, ("uri", "the paper"), &before.map(|it| it.1), &after.map(|it| it.1));
        paper(walk, ("digest", "the paper's digest"), &before.map(|it| it.2), &after.map(|it| it.2));
    });
}

/// Terms of law, in the parties' own words.
fn legal(walk: &mut Walk, old: Option<&Legal>, new: Option<&Legal>) {
    let none = Legal::default();
    let Legal { basis, transfer_mechanism, output_owner, disputes } = old.unwrap_or(&none);
    let new = new.unwrap_or(&none);
    walk.under("legal", "", |walk| {
        paper(walk, ("basis", "legal basis"), basis, &new.basis);
        let transfer = ("transferMechanism", "transfer mechanism");
        paper(walk, transfer, transfer_mechanism, &new.transfer_mechanism);
        paper(walk, ("outputOwner", "owner of what comes out"), output_owner, &new.output_owner);
        paper(walk, ("disputes", "disputes go to"), disputes, &new.disputes);
    });
}
