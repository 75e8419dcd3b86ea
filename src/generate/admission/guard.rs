//! The workload guard: what may run in the namespace of a stage, with the StagePolicy there as the
//! parameter. No StagePolicy, no pod.

use super::ends::{jobs, nothing_lingers};
use super::policy::{Policy, Rule, Validation, stage_namespaces};

/// All of the policies.
pub fn policies() -> Vec<Policy> {
    vec![pods(), pods_stay(), nothing_lingers(), jobs(), services(), endpoints(), requests(), role_accounts()]
}

/// Pods as they are made, and the two subresources that change one after.
fn pods() -> Policy {
    Policy {
        name: "comity-pods",
        about: "What a pod in the namespace of a stage may be, by the stage's policy.",
        rules: vec![
            Rule { group: "", resources: &["pods"], operations: &["CREATE"] },
            Rule {
                group: "",
                resources: &["pods/ephemeralcontainers", "pods/resize"],
                operations: &["UPDATE"],
            },
        ],
        namespaces: Some(stage_namespaces()),
        variables: POD_VARIABLES.to_vec(),
        validations: [GATE, IMAGES, PLACEMENT, IDENTITY, SECRETS].concat(),
        stage_policy: true,
        ..Policy::default()
    }
}

const POD_VARIABLES: &[(&str, &str)] = &[
    ("labels", "namespaceObject.metadata.?labels.orValue({})"),
    ("volumes", "object.spec.?volumes.orValue([])"),
    ("sources", "variables.volumes.filter(volume, has(volume.projected)).map(volume, volume.projected.?sources.orValue([]))"),
    (
        "images",
        "object.spec.containers.map(one, one.?image.orValue(''))
         + object.spec.?initContainers.orValue([]).map(one, one.?image.orValue(''))
         + object.spec.?ephemeralContainers.orValue([]).map(one, one.?image.orValue(''))
         + variables.volumes.filter(volume, has(volume.image)).map(volume, volume.image.?reference.orValue(''))",
    ),
    (
        "registries",
        "params.spec.?registries.orValue([]).map(one, one.endsWith('/') ? one : one + '/')",
    ),
    ("strangers", "variables.images.filter(image, !variables.registries.exists(one, image.startsWith(one)))"),
    ("account", "object.spec.?serviceAccountName.orValue('default')"),
    ("workloads", "params.spec.?workloads.orValue([])"),
    (
        "secrets",
        "variables.workloads.filter(one, one.serviceAccountName == variables.account).map(one, one.secretName)",
    ),
    ("runtimeClass", "params.spec.?runtimeClassName.orValue('')"),
    ("nodes", "params.spec.?nodeSelector.orValue({})"),
];

const GATE: &[Validation] = &[
    Validation {
        expression: "variables.labels[?$LABEL_PODS].orValue($SHUT) == $OPEN && !($LABEL_CLOSING in variables.labels)",
        message: "the stage is closed to pods",
        say: "'namespace ' + request.namespace + ' is closed to pods: its stage isn\\'t open (label comity.dev/pods)'",
    },
    Validation {
        expression: "params.spec.grantUid == variables.labels[?$LABEL_UID].orValue('')",
        message: "the StagePolicy here is another grant's",
        say: "",
    },
    Validation {
        expression: "object.metadata.?labels[?$LABEL_PURPOSE].orValue('') == params.spec.purpose",
        message: "the pod must be labelled comity.dev/purpose with the purpose of the grant",
        say: "'the pod must carry the label comity.dev/purpose: ' + params.spec.purpose",
    },
];

const IMAGES: &[Validation] = &[
    Validation {
        expression: "size(variables.strangers) == 0",
        message: "an image isn't from a registry that the contract names",
        say: "'image ' + variables.strangers[0] + ' isn\\'t from a registry that the contract names ('
             + variables.registries.join(', ') + ')'",
    },
    Validation {
        expression: "params.spec.imageReference == 'Tag' ||
             variables.images.all(image, image.matches('^[^@]+@sha256:[0-9a-f]{64}$'))",
        message: "an image must be named by its digest (…@sha256:…), which the contract asks for",
        say: "",
    },
    Validation {
        // Whatever the contract allows, a reference that its reader could resolve elsewhere is none.
        expression: "variables.images.all(image, image.matches('^[a-zA-Z0-9][a-zA-Z0-9._:/@-]*$') && !image.contains('..')
             && !image.contains('//'))",
        message: "an image's reference is malformed",
        say: "",
    },
];

const PLACEMENT: &[Validation] = &[
    Validation {
        expression: "object.spec.?runtimeClassName.orValue('') == variables.runtimeClass",
        message: "the pod's runtimeClassName must be the contract's",
        say: "variables.runtimeClass == '' ? 'the contract names no runtime class, so a pod may not either' :
             'runtimeClassName must be ' + variables.runtimeClass + ', as in the contract'",
    },
    Validation {
        expression: "variables.nodes.all(key, object.spec.?nodeSelector[?key].orValue('') == variables.nodes[key])",
        message: "the pod's nodeSelector must hold the contract's",
        say: "'nodeSelector must hold ' + variables.nodes.map(key, key + ': ' + variables.nodes[key]).join(', ')
             + ', as in the contract'",
    },
    Validation {
        expression: "request.operation != 'CREATE' || object.spec.?nodeName.orValue('') == ''",
        message: "a pod may not choose its node by nodeName: that goes past the scheduler",
        say: "",
    },
    Validation {
        expression: "object.spec.?terminationGracePeriodSeconds.orValue(30) <= 300",
        message: "a pod may take at most 300 s to end (terminationGracePeriodSeconds): at the end of its stage it goes",
        say: "",
    },
    Validation {
        expression: "object.spec.?priorityClassName.orValue('') == '' && object.spec.?priority.orValue(0) == 0",
        message: "a pod may not have a priority class",
        say: "",
    },
    Validation {
        expression: "object.spec.?tolerations.orValue([]).all(one,
             one.?key.orValue('') in ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']
             && one.?operator.orValue('') == 'Exists' && one.?effect.orValue('') == 'NoExecute'
             && one.?tolerationSeconds.orValue(86400) <= 300)",
        message: "a pod may not have tolerations beyond the default ones",
        say: "",
    },
];

const IDENTITY: &[Validation] = &[
    Validation {
        expression: "variables.workloads.exists(one, one.serviceAccountName == variables.account)",
        message: "the pod's serviceAccountName must be that of a workload of the grant",
        say: "'serviceAccountName ' + variables.account + ' isn\\'t that of a workload of the grant ('
             + variables.workloads.map(one, one.serviceAccountName).join(', ') + ')'",
    },
    Validation {
        expression: "!object.spec.?automountServiceAccountToken.orValue(false)",
        message: "a pod may not ask for a token of the API: automountServiceAccountToken must not be true",
        say: "",
    },
    Validation {
        expression: "variables.sources.all(list, list.all(source, !has(source.serviceAccountToken)))",
        message: "a pod may not project a serviceAccountToken",
        say: "",
    },
    Validation {
        expression: "variables.sources.all(list, list.all(source, !has(source.podCertificate)
             || source.podCertificate.?signerName.orValue('') == $POD_SIGNER))",
        message: "a pod may only ask the signer comity.dev/workload for a certificate",
        say: "",
    },
    Validation {
        expression: "'PodCertificate' in params.spec.?keyDelivery.orValue([])
             || variables.sources.all(list, list.all(source, !has(source.podCertificate)))",
        message: "the contract doesn't let nodes make keys: a pod may not project a podCertificate",
        say: "",
    },
    Validation {
        // They would be refused by the signer, which is final for the pod.
        expression: "variables.sources.all(list, list.all(source, !has(source.podCertificate)
             || size(source.podCertificate.?userAnnotations.orValue({})) == 0))",
        message: "a podCertificate may not have userAnnotations: who a pod is follows from the grant alone",
        say: "",
    },
];

const SECRETS: &[Validation] = &[
    Validation {
        expression: "variables.volumes.all(volume, has(volume.configMap) || has(volume.downwardAPI)
             || has(volume.emptyDir) || has(volume.image) || has(volume.persistentVolumeClaim)
             || has(volume.projected) || has(volume.secret))",
        message: "a volume must be a configMap, downwardAPI, emptyDir, image, persistentVolumeClaim, projected or secret:
             others reach past the contract's network, or read Secrets of their own",
        say: "",
    },
    Validation {
        expression: "variables.volumes.all(volume, !has(volume.secret)
             || volume.secret.?secretName.orValue('') in variables.secrets)",
        message: "a pod may only mount the certificate of its own workload",
        say: "'the only Secret that this pod may mount is ' + variables.secrets.join(', ')",
    },
    Validation {
        expression: "variables.sources.all(list, list.all(source, !has(source.secret)
             || source.secret.?name.orValue('') in variables.secrets))",
        message: "a pod may only project the certificate of its own workload",
        say: "",
    },
    Validation {
        expression: "size(object.spec.?imagePullSecrets.orValue([])) == 0",
        message: "a pod may not name imagePullSecrets: the node's own credentials pull from the contract's registries",
        say: "",
    },
    Validation {
        expression: "object.spec.containers.all(one, size(one.?envFrom.orValue([]).filter(from, has(from.secretRef))) == 0
             && !one.?env.orValue([]).exists(entry, has(entry.valueFrom) && has(entry.valueFrom.secretKeyRef)))",
        message: "a container may not read a Secret into its environment: mount it, so that renewals reach it",
        say: "",
    },
    Validation {
        expression: "object.spec.?initContainers.orValue([]).all(one,
             size(one.?envFrom.orValue([]).filter(from, has(from.secretRef))) == 0
             && !one.?env.orValue([]).exists(entry, has(entry.valueFrom) && has(entry.valueFrom.secretKeyRef)))",
        message: "an init container may not read a Secret into its environment",
        say: "",
    },
    Validation {
        expression: "object.spec.?ephemeralContainers.orValue([]).all(one,
             size(one.?envFrom.orValue([]).filter(from, has(from.secretRef))) == 0
             && !one.?env.orValue([]).exists(entry, has(entry.valueFrom) && has(entry.valueFrom.secretKeyRef)))",
        message: "an ephemeral container may not read a Secret into its environment",
        say: "",
    },
];

/// Pods as they are changed. No parameter: a namespace that is being cleared away may lose its
/// StagePolicy before its pods, whose finalizers must still go.
fn pods_stay() -> Policy {
    Policy {
        name: "comity-pods-stay",
        about: "A pod in the namespace of a stage stays what it was let in as: it is replaced, not altered.",
        rules: vec![Rule { group: "", resources: &["pods"], operations: &["UPDATE"] }],
        namespaces: Some(stage_namespaces()),
        validations: vec![
            Validation {
                expression: "object.spec.containers.map(one, one.?image.orValue(''))
                     == oldObject.spec.containers.map(one, one.?image.orValue(''))
                     && object.spec.?initContainers.orValue([]).map(one, one.?image.orValue(''))
                     == oldObject.spec.?initContainers.orValue([]).map(one, one.?image.orValue(''))",
                message: "the images of a running pod don't change here: replace the pod",
                say: "",
            },
            Validation {
                expression: "object.spec.?tolerations.orValue([]) == oldObject.spec.?tolerations.orValue([])",
                message: "a pod may not have tolerations beyond the default ones",
                say: "",
            },
            Validation {
                expression: "object.metadata.?labels[?$LABEL_PURPOSE] == oldObject.metadata.?labels[?$LABEL_PURPOSE]",
                message: "the label comity.dev/purpose of a pod doesn't change: replace the pod",
                say: "",
            },
        ],
        ..Policy::default()
    }
}

/// Services that reach only what runs in the namespace, and are reached only from the cluster.
fn services() -> Policy {
    Policy {
        name: "comity-services",
        about: "A Service in the namespace of a stage is of type ClusterIP, and selects pods.",
        rules: vec![Rule { group: "", resources: &["services"], operations: &["CREATE", "UPDATE"] }],
        namespaces: Some(stage_namespaces()),
        conditions: vec![(
            // A finalizer of another's must still go.
            "spec-changed",
            "oldObject == null || object.spec != oldObject.spec",
        )],
        validations: vec![
            Validation {
                expression: "object.spec.?type.orValue('ClusterIP') == 'ClusterIP'",
                message: "a Service here must be of type ClusterIP",
                say: "'a Service here must be of type ClusterIP, not ' + object.spec.type",
            },
            Validation {
                expression: "size(object.spec.?externalIPs.orValue([])) == 0 && object.spec.?externalName.orValue('') == ''",
                message: "a Service here may not have externalIPs or an externalName",
                say: "",
            },
            Validation {
                expression: "size(object.spec.?selector.orValue({})) > 0",
                message: "a Service here must select pods",
                say: "",
            },
        ],
        ..Policy::default()
    }
}

/// Where a Service leads is for the controllers to say, from what it selects.
fn endpoints() -> Policy {
    Policy {
        name: "comity-endpoints",
        about: "Endpoints and EndpointSlices in the namespace of a stage are made by Kubernetes' controllers only.",
        rules: vec![
            Rule { group: "", resources: &["endpoints"], operations: &["CREATE", "UPDATE", "DELETE"] },
            Rule {
                group: "discovery.k8s.io",
                resources: &["endpointslices"],
                operations: &["CREATE", "UPDATE", "DELETE"],
            },
        ],
        namespaces: Some(stage_namespaces()),
        conditions: vec![(
            "someone-else",
            "!$IS_CARETAKER && !(request.userInfo.username in [\
             'system:serviceaccount:kube-system:endpoint-controller',
             'system:serviceaccount:kube-system:endpointslice-controller',
             'system:serviceaccount:kube-system:endpointslicemirroring-controller'])",
        )],
        validations: vec![Validation {
            expression: "$MAY_OVERRIDE",
            message: "endpoints here aren't made by hand: a Service selects pods",
            say: "",
        }],
        ..Policy::default()
    }
}

/// The accounts that stand for people's roles: impersonated, but never there.
fn role_accounts() -> Policy {
    Policy {
        name: "comity-role-accounts",
        about: "ServiceAccounts named role-… are never made in the namespace of a stage, by nobody: nothing can run as one, or get its token.",
        rules: vec![
            Rule { group: "", resources: &["serviceaccounts"], operations: &["CREATE", "UPDATE"] },
            Rule { group: "", resources: &["serviceaccounts/token"], operations: &["CREATE"] },
        ],
        namespaces: Some(stage_namespaces()),
        validations: vec![Validation {
            expression: "request.?subResource.orValue('') == 'token' ? !request.name.startsWith('role-')
                 : !object.metadata.name.startsWith('role-')",
            message: "a ServiceAccount named role-… stands for a role of people: it is never made, and has no token",
            say: "",
        }],
        ..Policy::default()
    }
}

/// What a node asks the signer for, for the pods that run on it. The API server holds nodes to their own
/// pods; others, who may make any such request, it holds to nothing.
fn requests() -> Policy {
    Policy {
        name: "comity-pod-certificates",
        about: "In the namespace of a stage only the node that a pod runs on asks for the pod's certificate.",
        rules: vec![Rule {
            group: "certificates.k8s.io",
            resources: &["podcertificaterequests"],
            operations: &["CREATE"],
        }],
        namespaces: Some(stage_namespaces()),
        validations: vec![Validation {
            expression: "'system:nodes' in request.userInfo.groups
                 && request.userInfo.username == 'system:node:' + object.spec.nodeName",
            message: "only the node that a pod runs on asks for the certificate of the pod",
            say: "",
        }],
        ..Policy::default()
    }
}
