//! What would keep the namespace of a stage after its end, or pods from their own: finalizers, and Jobs that others manage.

use super::policy::{Policy, Rule, Validation, stage_namespaces};

/// No finalizer holds up the end of a stage. Only those that Kubernetes sets where it also takes them off.
/// Those by which deletion waits for what is owned, or leaves it, the API server sets unasked here.
pub(super) fn nothing_lingers() -> Policy {
    Policy {
        name: "comity-nothing-lingers",
        about: "In the namespace of a stage nobody sets finalizers: they would keep it after its end.",
        rules: vec![Rule { group: "*", resources: &["*"], operations: &["CREATE", "UPDATE"] }],
        namespaces: Some(stage_namespaces()),
        variables: vec![
            ("before", "oldObject == null ? [] : oldObject.metadata.?finalizers.orValue([])"),
            ("ofClaim", "request.resource.group == '' && request.resource.resource == 'persistentvolumeclaims'"),
            ("ofJob", "request.resource.group == '' && request.resource.resource == 'pods'
             && request.userInfo.username in ['system:serviceaccount:kube-system:job-controller', 'system:kube-controller-manager']
             && object.metadata.?ownerReferences.orValue([]).exists(one, one.kind == 'Job' && one.?controller.orValue(false))"),
        ],
        validations: vec![Validation {
            expression: "object.metadata.?finalizers.orValue([]).all(one, one in variables.before
                 || (one == 'kubernetes.io/pvc-protection' && variables.ofClaim)
                 || (one == 'batch.kubernetes.io/job-tracking' && variables.ofJob))",
            message: "finalizers aren't set in the namespace of a stage: it goes at its end",
            say: "",
        }],
        ..Policy::default()
    }
}

/// Kubernetes' own controller sets a finalizer on the pods of Jobs, and leaves it where a Job has another.
pub(super) fn jobs() -> Policy {
    Policy {
        name: "comity-jobs",
        about: "A Job in the namespace of a stage is managed by Kubernetes, which takes the finalizers off its pods.",
        // It doesn't change after, and a finalizer of one that is there must still go.
        rules: vec![Rule { group: "batch", resources: &["jobs"], operations: &["CREATE"] }],
        namespaces: Some(stage_namespaces()),
        validations: vec![
            Validation {
                expression: "object.spec.?managedBy.orValue('kubernetes.io/job-controller') == 'kubernetes.io/job-controller'",
                message: "a Job here may not have managedBy: nobody would take the finalizers off its pods",
                say: "",
            },
            Validation {
                expression: "!object.spec.?manualSelector.orValue(false)",
                message: "a Job here may not have manualSelector: its pods would pass for another Job's",
                say: "",
            },
        ],
        ..Policy::default()
    }
}
