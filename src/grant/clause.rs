//! `status.enforcement`: every clause of the contract, and what holds it, computed from what
//! was really applied. A test walks the contract's schema, so that none is missing.

mod running;

use std::collections::BTreeSet;

use serde_json::Value;

use super::build::Site;
use super::check::NamespaceStanding;
use super::decide::{Place, View};
use super::observe::Scene;
use crate::api::contract::{KeyDelivery, Security, SharingContract};
use crate::api::effective::EffectivePolicy;
use crate::api::enforcement::{EnforcedClause, EnforcementState, Enforcer};
use crate::api::stage::Stage;
use crate::api::value::Duration;
use crate::journal::wanted::Wanted;
use crate::pki::lifetime::SHORTEST_TTL_OF_POD;

/// What holds a clause.
enum Holder {
    /// These hold it, once they are applied.
    By(&'static [Enforcer]),
    /// These hold it; what is to be known beside that.
    ByWith(&'static [Enforcer], &'static str),
    /// Nothing holds it; why.
    Nothing(&'static str),
}

use Enforcer::{AdmissionPolicy, Certificate, Controller, NetworkPolicy, ResourceQuota, RoleBinding};
use Holder::{By, ByWith, Nothing};

const GATE: &str = "needs the gate in front of the dataset, which isn't built yet";
const PAPER: &str = "written down for people; its content is part of the digest";
const LIVING: &str = "only while Comity lives";

/// Every clause of a contract: its path, and what holds it.
const CLAUSES: [(&str, Holder); 43] = [
    ("framework", Nothing(PAPER)),
    ("legal", Nothing(PAPER)),
    ("partners", ByWith(&[Controller], LIVING)),
    ("dataScope.datasets.name", By(&[NetworkPolicy])),
    ("dataScope.datasets.version", Nothing(GATE)),
    ("dataScope.datasets.fields", Nothing(GATE)),
    ("dataScope.datasets.rows", Nothing(GATE)),
    ("dataScope.datasets.artifacts", Nothing(GATE)),
    (
        "dataScope.prohibited",
        Nothing("a contract that names such a field isn't accepted; for each request it needs the gate"),
    ),
    ("purposes", By(&[AdmissionPolicy, Controller])),
    ("operations.name", Nothing(GATE)),
    ("operations.actors", Nothing(GATE)),
    ("operations.limits", Nothing(GATE)),
    (
        "prohibitions",
        Nothing("no tool can hold what is done with what has left; it is for people and courts"),
    ),
    ("models", Nothing(GATE)),
    ("time.notBefore", ByWith(&[Controller], LIVING)),
    (
        "time.notAfter",
        ByWith(
            &[Certificate, Controller],
            "certificates end by themselves; bindings and paths end while Comity lives",
        ),
    ),
    ("time.windows", Nothing(GATE)),
    ("time.retention", Nothing("deletion at the partner's side can't be seen from here")),
    (
        "destination.regions",
        Nothing("needs node labels that the platform vouches for; say them in compute.nodeSelector"),
    ),
    ("destination.dns", By(&[NetworkPolicy])),
    ("destination.egress", By(&[NetworkPolicy])),
    ("destination.compute.runtimeClassName", By(&[AdmissionPolicy])),
    ("destination.compute.nodeSelector", By(&[AdmissionPolicy])),
    ("destination.compute.registries", By(&[AdmissionPolicy])),
    ("destination.compute.imageReference", By(&[AdmissionPolicy])),
    ("security.requiredControls", ByWith(&[Controller], LIVING)),
    ("security.podSecurity", By(&[AdmissionPolicy])),
    ("security.credentialTTL", By(&[Certificate])),
    ("security.keyDelivery", By(&[AdmissionPolicy, Certificate])),
    ("security.authentication", Nothing("needs the access proxy, which isn't built yet")),
    ("security.encryptionKeys", Nothing("can't be seen from here")),
    ("security.logging", Nothing(GATE)),
    (
        "stages.maxDuration",
        ByWith(
            &[Certificate, RoleBinding, Controller],
            "certificates end by themselves; bindings and paths end while Comity lives",
        ),
    ),
    ("stages.soak", ByWith(&[Controller], LIVING)),
    ("stages.afterPromotion", ByWith(&[Controller], LIVING)),
    ("stages.overlap", ByWith(&[Controller], LIVING)),
    ("stages.quota", By(&[ResourceQuota])),
    (
        "approvals",
        ByWith(
            &[AdmissionPolicy, Controller],
            "admission notes who decides; a stage opens only while Comity lives",
        ),
    ),
    (
        "rehearsal",
        ByWith(
            &[Controller],
            "comity rehearse tries it, and Production opens by its report; what takes the gate isn't tried yet",
        ),
    ),
    ("reviews", ByWith(&[Controller], LIVING)),
    (
        "quarantine",
        ByWith(
            &[AdmissionPolicy, NetworkPolicy, RoleBinding, Controller],
            "once somebody quarantines the grant, while Comity lives",
        ),
    ),
    (
        running::CLAUSE,
        ByWith(
            &[Controller],
            "pods that run and aren't allowed any more are found in seconds, while Comity lives",
        ),
    ),
];

/// Clauses that say what happens later, when something that isn't built yet happens.
const LATER: [(&str, &str); 1] = [("anomaly", GATE)];

/// Every clause of the grant's contract, and what holds it now.
pub fn enforcement(view: &View<'_>, scene: &Scene<'_>) -> Vec<EnforcedClause> {
    let Some(contract) = &scene.contract else { return Vec::new() };
    let applied = is_applied(view);
    let mut told = of_contract(contract, applied);
    if told.is_empty() {
        return told;
    }
    if let Some(lacking) = view.lacking {
        refine_admission(&mut told, lacking);
    } else if let Some(unstamped) = &scene.aside.unstamped {
        refine_stamps(&mut told, unstamped);
    }
    let names = super::observe::Names::of(scene.grant);
    let open: Vec<&Place<'_>> = view.places.iter().filter(|place| is_open(view, place)).collect();
    if applied {
        let sites = open.iter().filter_map(|place| Some(scene.site(place.opening?, &names)));
        refine_egress(&mut told, &sites.collect::<Vec<_>>());
    }
    running::refine(&mut told, view, scene);
    let policies = open.iter().filter_map(|place| Some(place.remains.policy(place.opening?)));
    told.push(ingress(policies, &scene.ingress, applied));
    told
}

/// Every clause of a contract, and what will hold it once all of these stages stand: as far as that can be
/// said before anything is made.
pub fn foreseen(contract: &SharingContract, sites: &[Site<'_>]) -> Vec<EnforcedClause> {
    let mut told = of_contract(contract, true);
    refine_egress(&mut told, sites);
    let none = BTreeSet::new();
    let let_in = sites.first().map_or(&none, |site| site.ingress);
    told.push(ingress(sites.iter().map(|site| site.policy), let_in, true));
    told
}

/// Every clause of a contract, and what holds it where all is applied, or will.
fn of_contract(contract: &SharingContract, applied: bool) -> Vec<EnforcedClause> {
    let Ok(spec) = serde_json::to_value(&contract.spec) else { return Vec::new() };
    let mut told: Vec<EnforcedClause> = CLAUSES
        .iter()
        .map(
            |(clause, holder)| {
                if is_used(&spec, clause) { held(clause, holder, applied) } else { not_used(clause) }
            },
        )
        .collect();
    told.extend(
        LATER.iter().map(
            |(clause, why)| {
                if is_used(&spec, clause) { declared(clause, why) } else { not_used(clause) }
            },
        ),
    );
    refine_certificates(&mut told, &contract.spec.security);
    told
}

/// Whether everything that holds clauses is stored for some place that is open.
fn is_applied(view: &View<'_>) -> bool {
    view.places.iter().any(|place| is_open(view, place) && place.standing.confinement.missing.is_empty())
}

fn is_open(view: &View<'_>, place: &Place<'_>) -> bool {
    view.wanted(place) == Wanted::Open && matches!(place.standing.namespace, NamespaceStanding::Ours { .. })
}

fn held(clause: &str, holder: &Holder, applied: bool) -> EnforcedClause {
    let (by, message) = match holder {
        Nothing(why) => return declared(clause, why),
        By(by) => (by, None),
        ByWith(by, message) => (by, Some((*message).to_owned())),
    };
    let state = if applied { EnforcementState::Enforced } else { EnforcementState::Pending };
    EnforcedClause { clause: clause.to_owned(), by: by.to_vec(), state, message }
}

fn declared(clause: &str, why: &str) -> EnforcedClause {
    EnforcedClause {
        clause: clause.to_owned(),
        by: Vec::new(),
        state: EnforcementState::DeclaredOnly,
        message: Some(why.to_owned()),
    }
}

fn not_used(clause: &str) -> EnforcedClause {
    EnforcedClause {
        clause: clause.to_owned(),
        by: Vec::new(),
        state: EnforcementState::NotUsed,
        message: None,
    }
}

/// Whether a contract says anything under a path; lists are looked through.
fn is_used(spec: &Value, path: &str) -> bool {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    match spec {
        Value::Array(items) => items.iter().any(|item| is_used(item, path)),
        Value::Object(fields) => fields.get(first).is_some_and(|value| match rest {
            Some(rest) => is_used(value, rest),
            None => !matches!(value, Value::Null) && value != &Value::Array(Vec::new()),
        }),
        _ => false,
    }
}

/// Says of keys how they are delivered and how they can't be, and of all that certificates hold that
/// there are none where the contract names no way that there is.
fn refine_certificates(told: &mut [EnforcedClause], security: &Security) {
    let (ways, lacking) = deliveries(security);
    let why = if security.key_delivery.is_empty() {
        "the contract names no way to deliver keys".to_owned()
    } else {
        lacking.join("; ")
    };
    for clause in told {
        let is_delivery = clause.clause == "security.keyDelivery";
        if !ways.is_empty() && is_delivery {
            clause.message = Some([&ways[..], &lacking].concat().join("; "));
        } else if ways.is_empty() && (is_delivery || clause.by == [Certificate]) {
            clause.by.clear();
            if clause.state != EnforcementState::NotUsed {
                clause.state = EnforcementState::DeclaredOnly;
            }
            let mend = "name a way that there is, as Secret, to have them made";
            clause.message = Some(format!("{why}: no workload gets a certificate; {mend}"));
        } else if ways.is_empty() && clause.by.contains(&Certificate) {
            clause.by.retain(|by| *by != Certificate);
            clause.message = Some(LIVING.to_owned());
        }
    }
}

/// How keys are delivered, and how they aren't although the contract says so.
fn deliveries(security: &Security) -> (Vec<String>, Vec<String>) {
    let (mut ways, mut lacking) = (Vec::new(), Vec::new());
    let ttl = security.credential_ttl.as_ref();
    let is_short = ttl.and_then(Duration::length).is_some_and(|ttl| ttl < SHORTEST_TTL_OF_POD);
    for way in &security.key_delivery {
        match way {
            KeyDelivery::Secret => ways.push("keys are delivered as Secrets".to_owned()),
            KeyDelivery::PodCertificate if is_short => {
                lacking.push("PodCertificate needs a credentialTTL of 2h or more".to_owned());
            }
            KeyDelivery::PodCertificate => ways.push(
                "nodes make keys that never leave them, where the API server has PodCertificateRequests"
                    .to_owned(),
            ),
            KeyDelivery::CertificateSigningRequest => ways.push(
                "workloads on the partner's side enrol with keys of their own, where comity sign serves enrolment"
                    .to_owned(),
            ),
        }
    }
    (ways, lacking)
}

/// Says that admission holds nothing while a policy of Comity's isn't in force. Pod security is
/// Kubernetes' own, and held without them.
fn refine_admission(told: &mut [EnforcedClause], lacking: &str) {
    let is_ours = |clause: &&mut EnforcedClause| clause.clause != "security.podSecurity";
    for clause in told.iter_mut().filter(|told| told.by.contains(&AdmissionPolicy)).filter(is_ours) {
        clause.by.retain(|by| *by != AdmissionPolicy);
        if clause.by.is_empty() {
            clause.state = EnforcementState::DeclaredOnly;
        }
        clause.message = Some(format!("admission doesn't hold it: {lacking}"));
    }
}

/// Says that nothing stamps who decides. It is compared all the same, so that nobody decides as somebody else.
fn refine_stamps(told: &mut [EnforcedClause], unstamped: &str) {
    for clause in
        told.iter_mut().filter(|told| told.clause == "approvals" && told.by.contains(&AdmissionPolicy))
    {
        clause.message = Some(format!(
            "admission doesn't note who decides, and refuses whoever doesn't note it themselves: {unstamped}"
        ));
    }
}

/// Says of destinations what no policy opens: outside production, or within the cluster's own networks.
fn refine_egress(told: &mut [EnforcedClause], sites: &[Site<'_>]) {
    let Some(clause) = told
        .iter_mut()
        .find(|told| told.clause == "destination.egress" && told.state == EnforcementState::Enforced)
    else {
        return;
    };
    let mut in_production = false;
    for site in sites.iter().filter(|site| site.opening.stage == Stage::Production) {
        in_production = true;
        let egress = &site.policy.destination.egress;
        let closed: Vec<&str> = egress
            .iter()
            .filter(|egress| super::build::network::exceptions(site, egress).is_none())
            .map(|egress| egress.cidr.0.as_str())
            .collect();
        if !closed.is_empty() {
            let all = closed.join(", ");
            clause.message =
                Some(format!("not opened, since it lies within the cluster's own networks: {all}"));
        }
    }
    if !in_production {
        clause.message = Some("nothing is opened before Production".to_owned());
    }
}

/// What holds the dataset's side: whether it lets in just this grant.
fn ingress<'a>(
    policies: impl Iterator<Item = &'a EffectivePolicy>,
    let_in: &BTreeSet<String>,
    applied: bool,
) -> EnforcedClause {
    let clause = "dataScope.datasets.ingress";
    let served: Vec<&str> = policies
        .flat_map(|policy| &policy.datasets)
        .filter(|dataset| dataset.endpoint.is_some())
        .map(|dataset| dataset.name.0.as_str())
        .collect();
    if served.is_empty() {
        return if applied { not_used(clause) } else { held(clause, &By(&[NetworkPolicy]), false) };
    }
    let open: Vec<&str> = served.into_iter().filter(|dataset| !let_in.contains(*dataset)).collect();
    if open.is_empty() {
        return held(clause, &By(&[NetworkPolicy]), applied);
    }
    let why = format!(
        "{}: Comity adds an ingress policy only where the namespace is labelled comity.dev/dataset-ingress=true and \
         the pods are isolated for ingress already",
        open.join(", ")
    );
    declared(clause, &why)
}

#[cfg(test)]
mod tests;
