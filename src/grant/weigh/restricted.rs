//! What Pod Security `restricted` asks of a pod beyond `baseline`, for those that were let in when less was
//! asked. As Kubernetes 1.35 and later have it; that both say the same is tried in `e2e/tests/cage/`.

use k8s_openapi::api::core::v1::{
    Capabilities, PodSecurityContext, PodSpec, SeccompProfile, SecurityContext,
};

/// Whether a pod that baseline lets in is one that restricted lets in too. Kinds of volumes aren't asked
/// for: Comity's guard lets in none that restricted doesn't.
pub(super) fn is_restricted(spec: &PodSpec) -> bool {
    let (nothing, none) = (PodSecurityContext::default(), SecurityContext::default());
    let pod = spec.security_context.as_ref().unwrap_or(&nothing);
    let contexts = || contexts(spec).map(|context| context.unwrap_or(&none));
    let windows = spec.os.as_ref().is_some_and(|os| os.name == "windows");
    let own_users = spec.host_users == Some(false);
    contexts().all(|one| one.proc_mount.as_deref().is_none_or(|mount| mount == "Default"))
        && (own_users || (is_nobody_root(pod, contexts()) && names_no_root(pod, contexts())))
        && (windows || contexts().all(gains_nothing))
        && (windows || is_filtered(pod, contexts()))
}

/// What each container says of its security.
fn contexts(spec: &PodSpec) -> impl Iterator<Item = Option<&SecurityContext>> {
    let containers = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let ephemeral = spec.ephemeral_containers.iter().flatten();
    containers
        .map(|one| one.security_context.as_ref())
        .chain(ephemeral.map(|one| one.security_context.as_ref()))
}

/// Whether no container may start as root.
fn is_nobody_root<'a>(
    pod: &PodSecurityContext,
    mut containers: impl Iterator<Item = &'a SecurityContext>,
) -> bool {
    pod.run_as_non_root != Some(false)
        && containers.all(|one| one.run_as_non_root.or(pod.run_as_non_root) == Some(true))
}

/// Whether nothing is to be run as the user 0.
fn names_no_root<'a>(
    pod: &PodSecurityContext,
    mut containers: impl Iterator<Item = &'a SecurityContext>,
) -> bool {
    pod.run_as_user != Some(0) && containers.all(|one| one.run_as_user != Some(0))
}

/// Whether a container has no privileges beyond the least, and can't get any.
fn gains_nothing(container: &SecurityContext) -> bool {
    let has = |list: Option<&Vec<String>>, known: &str| {
        list.is_some_and(|list| list.iter().any(|one| one == known))
    };
    let few = |capabilities: &Capabilities| {
        let added = capabilities.add.iter().flatten();
        has(capabilities.drop.as_ref(), "ALL") && added.into_iter().all(|one| one == "NET_BIND_SERVICE")
    };
    container.allow_privilege_escalation == Some(false) && container.capabilities.as_ref().is_some_and(few)
}

/// Whether the system calls of every container are filtered.
fn is_filtered<'a>(
    pod: &PodSecurityContext,
    mut containers: impl Iterator<Item = &'a SecurityContext>,
) -> bool {
    let filters = |profile: &SeccompProfile| matches!(profile.type_.as_str(), "RuntimeDefault" | "Localhost");
    let by_pod = pod.seccomp_profile.as_ref().map(filters);
    by_pod != Some(false)
        && containers.all(|one| one.seccomp_profile.as_ref().map_or(by_pod == Some(true), filters))
}
