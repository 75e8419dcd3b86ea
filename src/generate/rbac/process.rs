//! The rights of Comity's own processes, written down from the calls that they make.

use serde_json::{Value, json};

use super::{Grant, READ, cluster_role, may, partner};
use crate::api::{grant::Role, name};
use crate::generate::admission::cel::{
    CONSENT_GROUP, EXPIRE_VERB, OUTSIDE_SIGNER, OVERRIDE_RESOURCE, OVERRIDE_VERB, POD_SIGNER,
};

/// The kinds that every process reads, to tell by itself what is open.
const WORDS: &[&str] = &[
    "sharingboundaries",
    "partners",
    "datasets",
    "sharingcontracts",
    "partnergrants",
    "grantdecisions",
    "grantrecords",
];

/// The admission policies, Comity's own among them.
const ADMISSION: &[&str] = &[
    "validatingadmissionpolicies",
    "validatingadmissionpolicybindings",
    "mutatingadmissionpolicies",
    "mutatingadmissionpolicybindings",
];

/// Server-side apply is a PATCH that may create.
const APPLY: &[&str] = &["create", "patch"];
const KEEP: &[&str] = &["get", "list", "watch", "create", "patch", "delete"];

/// What `comity run` may ask for, in every namespace.
pub const RUN: &[Grant] = &[
    may(READ, "comity.dev", WORDS),
    may(
        &["get", "patch", "update"],
        "comity.dev",
        &[
            "sharingboundaries/status",
            "partners/status",
            "datasets/status",
            "sharingcontracts/status",
            "partnergrants/status",
            "grantdecisions/status",
        ],
    ),
    // The finalizer. Anything else on a grant is refused by the cage.
    may(&["patch", "update"], "comity.dev", &["partnergrants"]),
    may(&["create"], "comity.dev", &["grantrecords"]),
    // What a rehearsal showed, to take it into the journal.
    REPORTS,
    may(KEEP, "comity.dev", &["stagepolicies"]),
    may(KEEP, "", &["namespaces", "resourcequotas", "limitranges", "serviceaccounts"]),
    may(KEEP, "networking.k8s.io", &["networkpolicies"]),
    may(KEEP, "rbac.authorization.k8s.io", &["rolebindings"]),
    may(READ, "", &["services"]),
    may(&["get", "list", "watch", "delete"], "", &["pods"]),
    Grant { group: "", resources: &["configmaps"], names: &[name::TRUST_CONFIG_MAP], verbs: READ },
    // Whether what holds everybody to the rules is in force: to look, never to write.
    may(READ, "admissionregistration.k8s.io", ADMISSION),
    may(APPLY, "", &["events"]),
    may(APPLY, "events.k8s.io", &["events"]),
    may(&["create"], "authorization.k8s.io", &["subjectaccessreviews"]),
];

/// What `comity sign` may ask for, in every namespace: nothing but to read what isn't secret.
pub const SIGN: &[Grant] = &[
    may(READ, "comity.dev", WORDS),
    // What the journal says that a rehearsal showed, it looks up itself.
    REPORTS,
    may(READ, "", &["namespaces", "services"]),
    // Where it is let in, and nothing of any other binding.
    Grant {
        group: "rbac.authorization.k8s.io",
        resources: &["rolebindings"],
        names: &[name::SIGNER_BINDING],
        verbs: READ,
    },
    // What nodes ask for their pods, and answers to it: of its own signer only, which the API server
    // sees to. Where it has no such API the rules say nothing.
    may(READ, "certificates.k8s.io", &["podcertificaterequests"]),
    may(&["update"], "certificates.k8s.io", &["podcertificaterequests/status"]),
    Grant {
        group: "certificates.k8s.io",
        resources: &["signers"],
        names: &[POD_SIGNER],
        verbs: &["attest", "sign"],
    },
    // What the whole cluster may verify by. Everybody may read it; of its own signer only, as above.
    may(&["get", "create", "update", "delete"], "certificates.k8s.io", &["clustertrustbundles"]),
    may(APPLY, "", &["events"]),
    may(APPLY, "events.k8s.io", &["events"]),
];

/// What rehearsals showed, to read.
const REPORTS: Grant = may(READ, "comity.dev", &["rehearsalreports"]);

/// What `comity rehearse` may ask for, in every namespace: to read what isn't secret, to ask who may do what,
/// and to say what it saw.
pub const REHEARSE: &[Grant] = &[
    may(READ, "comity.dev", WORDS),
    REPORTS,
    may(&["create"], "comity.dev", &["rehearsalreports"]),
    may(READ, "", &["namespaces", "services"]),
    may(READ, "discovery.k8s.io", &["endpointslices"]),
    // What is let through, at both ends of a path.
    may(READ, "networking.k8s.io", &["networkpolicies"]),
    // Where it is let in, and nothing of any other binding.
    Grant {
        group: "rbac.authorization.k8s.io",
        resources: &["rolebindings"],
        names: &[name::REHEARSER_BINDING],
        verbs: READ,
    },
    may(&["create"], "authorization.k8s.io", &["subjectaccessreviews"]),
    may(APPLY, "", &["events"]),
    may(APPLY, "events.k8s.io", &["events"]),
];

/// What `comity rehearse` may ask for in the namespace of a stage, by the RoleBinding that is there only while
/// that stage is rehearsed: to see what was made, and, by another rule, to act as the roles of people.
const REHEARSER: &[Grant] = &[
    Grant { group: "", resources: &["configmaps"], names: &[name::TRUST_CONFIG_MAP], verbs: &["get"] },
    // Without effect only, which its cage sees to.
    may(&["create"], "", &["pods"]),
    may(&["patch"], "", &["pods/ephemeralcontainers"]),
];

/// What `comity sign` may ask for in the namespace of a stage, by the RoleBinding there.
pub const SIGNER: &[Grant] = &[
    may(&["get", "create", "update", "patch", "delete"], "", &["secrets", "configmaps"]),
    // Whether a pod is the one that a certificate is asked for, and its account.
    may(&["get"], "", &["pods", "serviceaccounts"]),
];

/// What `comity sign` may ask for in a namespace of datasets, where the platform binds it to that.
pub const PUBLISHER: &[Grant] = &[may(&["get", "list", "create", "update", "delete"], "", &["configmaps"])];

/// What `comity sign` may ask for beside that where it serves enrolment: to file, approve and answer requests of
/// one signer. It can't look at those that others filed.
pub const ENROLMENT: &[Grant] = &[
    may(&["create"], "certificates.k8s.io", &["certificatesigningrequests"]),
    may(
        &["update"],
        "certificates.k8s.io",
        &["certificatesigningrequests/approval", "certificatesigningrequests/status"],
    ),
    Grant {
        group: "certificates.k8s.io",
        resources: &["signers"],
        names: &[OUTSIDE_SIGNER],
        verbs: &["approve", "sign"],
    },
];

/// What everybody may read who the cluster knows where it serves enrolment: where, and by which anchor.
const PUBLISHED: &[Grant] =
    &[Grant { group: "", resources: &["configmaps"], names: &[name::ENROLMENT_CONFIG_MAP], verbs: &["get"] }];

/// The name of what there is for enrolment alone.
const OF_ENROLMENT: &str = "comity-enrolment";

/// What each process may ask for in Comity's own namespace.
const RUN_AT_HOME: &[Grant] = &[LEASES];
const SIGN_AT_HOME: &[Grant] = &[
    may(&["get", "create", "update", "patch", "delete"], "", &["secrets", "configmaps"]),
    // What it remembers of grants that are gone; its authorities, and what people want done with them.
    // Secrets it can't list.
    may(&["list", "watch"], "", &["configmaps"]),
    LEASES,
];
const REHEARSE_AT_HOME: &[Grant] = &[
    // The anchors of the contract's other stages, which are public.
    may(&["get"], "", &["configmaps"]),
    LEASES,
];
const LEASES: Grant = may(&["get", "create", "update", "patch"], "coordination.k8s.io", &["leases"]);

/// The accounts, roles and bindings of the processes, and the roles that the platform may hand out.
pub fn objects(system: &str) -> Vec<Value> {
    let mut objects = Vec::new();
    for (process, everywhere, at_home) in [
        (name::RUN, RUN, RUN_AT_HOME),
        (name::SIGN, SIGN, SIGN_AT_HOME),
        (name::REHEARSE, REHEARSE, REHEARSE_AT_HOME),
    ] {
        objects.push(account(process, system));
        let mut role = cluster_role(process, everywhere);
        if process == name::RUN {
            add_rule(&mut role, bind_by_name());
        }
        objects.push(role);
        objects.push(binding("ClusterRoleBinding", "ClusterRole", process, system));
        let mut role = cluster_role(process, at_home);
        role["kind"] = json!("Role");
        role["metadata"]["namespace"] = json!(system);
        objects.push(role);
        objects.push(binding("RoleBinding", "Role", process, system));
    }
    objects.push(cluster_role(name::SIGNER_CLUSTER_ROLE, SIGNER));
    let mut rehearser = cluster_role(name::REHEARSER_CLUSTER_ROLE, REHEARSER);
    add_rule(&mut rehearser, impersonate_by_name());
    objects.push(rehearser);
    objects.push(cluster_role(name::PUBLISHER_CLUSTER_ROLE, PUBLISHER));
    objects
        .push(cluster_role("comity:override", &[may(&[OVERRIDE_VERB], CONSENT_GROUP, &[OVERRIDE_RESOURCE])]));
    objects.push(cluster_role("comity:expire", &[may(&[EXPIRE_VERB], CONSENT_GROUP, &["partnergrants"])]));
    objects
}

/// The roles and bindings that there are only where enrolment is served.
pub fn enrolment(system: &str) -> Vec<Value> {
    let mut bound = binding("ClusterRoleBinding", "ClusterRole", name::SIGN, system);
    let mut read = cluster_role(OF_ENROLMENT, PUBLISHED);
    let mut readers = binding("RoleBinding", "Role", OF_ENROLMENT, system);
    (bound["metadata"]["name"], bound["roleRef"]["name"]) = (json!(OF_ENROLMENT), json!(OF_ENROLMENT));
    (read["kind"], read["metadata"]["namespace"]) = (json!("Role"), json!(system));
    let group = "rbac.authorization.k8s.io";
    readers["subjects"] = json!([{"apiGroup": group, "kind": "Group", "name": "system:authenticated"}]);
    vec![cluster_role(OF_ENROLMENT, ENROLMENT), bound, read, readers]
}

/// Impersonation is by name: the `ServiceAccounts` that stand for people's roles, which never exist, and no others.
/// A RoleBinding gives them in its own namespace alone. Users, groups and what else is said of a user aren't among
/// them: those of a ServiceAccount follow from its name
/// (<https://kubernetes.io/docs/reference/access-authn-authz/user-impersonation/>).
fn impersonate_by_name() -> Value {
    let names: Vec<String> = Role::ALL.iter().map(|role| name::role_service_account(role.kebab())).collect();
    json!({
        "apiGroups": [""],
        "resources": ["serviceaccounts"],
        "resourceNames": names,
        "verbs": ["impersonate"],
    })
}

/// Binding is by name: the signer's role, the rehearser's and the roles of people, and no other.
fn bind_by_name() -> Value {
    let mut names = [name::SIGNER_CLUSTER_ROLE, name::REHEARSER_CLUSTER_ROLE].map(str::to_owned).to_vec();
    names.extend(partner::names());
    json!({
        "apiGroups": ["rbac.authorization.k8s.io"],
        "resources": ["clusterroles"],
        "resourceNames": names,
        "verbs": ["bind"],
    })
}

fn add_rule(role: &mut Value, added: Value) {
    if let Some(rules) = role["rules"].as_array_mut() {
        rules.push(added);
    }
}

fn account(process: &str, system: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": process, "namespace": system, "labels": crate::generate::labels()},
    })
}

fn binding(kind: &str, role: &str, process: &str, system: &str) -> Value {
    let mut binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": process, "labels": crate::generate::labels()},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": process},
        "subjects": [{"kind": "ServiceAccount", "name": process, "namespace": system}],
    });
    if kind == "RoleBinding" {
        binding["metadata"]["namespace"] = json!(system);
    }
    binding
}
