//! What the partner's people and workloads may do in the API, and what they may not.

use super::{Case, Ground};
use crate::api::name;
use crate::api::stage::Stage;
use crate::generate::rbac::partner;
use crate::rehearsal::case::{Access, Attempt, Expected, Who};
use crate::rehearsal::judge::NO_ACCESS;

/// What nobody of a partner's may do, wherever: the end of the name, verb, group, resource, and the object.
const NEVER: [(&str, &str, &str, &str, &str); 14] = [
    ("list-secrets", "list", "", "secrets", ""),
    ("create-rolebindings", "create", "rbac.authorization.k8s.io", "rolebindings", ""),
    ("create-roles", "create", "rbac.authorization.k8s.io", "roles", ""),
    ("patch-resourcequotas", "patch", "", "resourcequotas", name::QUOTA),
    ("delete-networkpolicies", "delete", "networking.k8s.io", "networkpolicies", name::DEFAULT_DENY),
    ("create-networkpolicies", "create", "networking.k8s.io", "networkpolicies", ""),
    ("impersonate-serviceaccounts", "impersonate", "", "serviceaccounts", ""),
    ("create-tokens", "create", "", "serviceaccounts/token", ""),
    ("create-serviceaccounts", "create", "", "serviceaccounts", ""),
    ("patch-stagepolicies", "patch", "comity.dev", "stagepolicies", name::STAGE_POLICY),
    ("create-endpointslices", "create", "discovery.k8s.io", "endpointslices", ""),
    ("ephemeralcontainers", "patch", "", "pods/ephemeralcontainers", ""),
    ("exec", "create", "", "pods/exec", ""),
    ("portforward", "create", "", "pods/portforward", ""),
];

/// The same in the namespace of the grant, where its own rules stand.
const NEVER_AT_HOME: [(&str, &str, &str, &str); 6] = [
    ("read-the-grant", "get", "comity.dev", "partnergrants"),
    ("change-the-grant", "patch", "comity.dev", "partnergrants"),
    ("approve-the-grant", "approve", "consent.comity.dev", "partnergrants"),
    ("decide", "create", "comity.dev", "grantdecisions"),
    ("change-the-contract", "patch", "comity.dev", "sharingcontracts"),
    ("write-records", "create", "comity.dev", "grantrecords"),
];

/// Every case of access.
pub(super) fn cases(ground: &Ground<'_>) -> Vec<Case> {
    let roles = ground.roles().into_iter().map(Who::Role);
    let workloads = ground.guard.workloads.iter();
    let workloads = workloads.map(|workload| Who::Workload(workload.service_account_name.0.clone()));
    let everybody: Vec<Who> = roles.chain(workloads).collect();
    let mut cases: Vec<Case> = everybody.iter().flat_map(|who| given(ground, who)).collect();
    cases.extend(everybody.iter().flat_map(|who| refused_here(ground, who)));
    cases.extend(everybody.iter().flat_map(|who| refused_elsewhere(ground, who)));
    cases
}

/// What a role gives: of each kind that it names, the strongest verb.
fn given(ground: &Ground<'_>, who: &Who) -> Vec<Case> {
    let Who::Role(role) = who else { return Vec::new() };
    let rules = partner::rules(*role, Stage::Rehearsal);
    let kinds = rules.iter().flat_map(|rule| rule.resources.iter().map(move |resource| (rule, *resource)));
    let mut seen = std::collections::BTreeSet::new();
    // What makes comes after what only looks.
    let kinds: Vec<_> = kinds.collect();
    let strongest = kinds.iter().rev().filter(|(rule, resource)| seen.insert((rule.group, *resource)));
    let mut cases: Vec<Case> = strongest
        .map(|(rule, resource)| {
            let verb = rule.verbs.last().copied().unwrap_or("get");
            let access = access(who, ground.namespace, (verb, rule.group, resource, ""));
            let name = format!("access-{}-may-{verb}-{}", who.slug(), resource.replace('/', "-"));
            case(name, "grant.people", access, Expected::Allowed)
        })
        .collect();
    cases.reverse();
    cases
}

/// What nobody may do in the namespace of the stage.
fn refused_here(ground: &Ground<'_>, who: &Who) -> Vec<Case> {
    let never = NEVER.iter().map(|(what, verb, group, resource, object)| {
        let access = access(who, ground.namespace, (verb, group, resource, object));
        never(who, what, access)
    });
    never.collect()
}

/// What nobody may do in other namespaces, or outside of any.
fn refused_elsewhere(ground: &Ground<'_>, who: &Who) -> Vec<Case> {
    let home = NEVER_AT_HOME.iter().map(|(what, verb, group, resource)| {
        let object = if *resource == "partnergrants" { ground.grant } else { "" };
        never(who, what, access(who, ground.grant_namespace, (verb, group, resource, object)))
    });
    let mut cases: Vec<Case> = home.collect();
    let everywhere = [
        ("list-namespaces", "list", "", "namespaces"),
        ("list-pods-anywhere", "list", "", "pods"),
        ("create-clusterrolebindings", "create", "rbac.authorization.k8s.io", "clusterrolebindings"),
    ];
    cases.extend(
        everywhere.iter().map(|(what, verb, group, resource)| {
            never(who, what, access(who, "", (verb, group, resource, "")))
        }),
    );
    cases.push(never(who, "read-kube-system", access(who, "kube-system", ("list", "", "pods", ""))));
    cases.extend(ground.others.iter().enumerate().map(|(number, other)| {
        let what = format!("list-pods-of-another-stage-{}", number + 1);
        let case = never(who, &what, access(who, other, ("list", "", "pods", "")));
        // Whose it is, is nobody's business who reads this report.
        Case { tried: format!("{} would list pods in the namespace of another stage", who.slug()), ..case }
    }));
    cases
}

fn never(who: &Who, what: &str, access: Access) -> Case {
    let clause = match who {
        Who::Role(_) => "grant.people",
        Who::Workload(_) => "grant.workloads",
    };
    case(format!("access-{}-may-not-{what}", who.slug()), clause, access, Expected::Refused(NO_ACCESS))
}

fn case(name: String, clause: &'static str, access: Access, expected: Expected) -> Case {
    Case { name, clause, tried: access.to_string(), attempt: Attempt::Access(access), expected }
}

fn access(who: &Who, namespace: &str, (verb, group, resource, name): (&str, &str, &str, &str)) -> Access {
    Access {
        who: who.clone(),
        namespace: namespace.to_owned(),
        verb: verb.to_owned(),
        group: group.to_owned(),
        resource: resource.to_owned(),
        name: name.to_owned(),
    }
}

impl std::fmt::Display for Access {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { who, namespace, verb, group, resource, name } = self;
        let group = if group.is_empty() { String::new() } else { format!(".{group}") };
        let name = if name.is_empty() { String::new() } else { format!(" {name}") };
        let place = if namespace.is_empty() { "anywhere".to_owned() } else { format!("in {namespace}") };
        write!(out, "{} would {verb} {resource}{group}{name} {place}", who.slug())
    }
}
