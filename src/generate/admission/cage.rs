//! The cage: what Comity's own identities may write is an allow-list that the API server holds them
//! to, also when such an identity was stolen, or bound to cluster-admin.
//!
//! Reads and impersonation never pass admission, and admission policies are exempt from it: RBAC
//! alone withholds those ([`crate::generate::rbac`]).

use super::policy::{Policy, Rule, Validation};

/// Every request that changes something or opens a stream, subresources included.
fn everything() -> Vec<Rule> {
    vec![Rule { group: "*", resources: &["*/*"], operations: &["CREATE", "UPDATE", "DELETE", "CONNECT"] }]
}

/// What the cages look at.
const COMMON: &[(&str, &str)] = &[
    ("what", "$WHAT"),
    ("place", "$PLACE"),
    ("placeLabels", "$PLACE_LABELS"),
    ("name", "$NAME"),
    ("writes", "request.operation in ['CREATE', 'UPDATE']"),
    (
        "stage",
        "variables.place.startsWith($PREFIX) && variables.place != $SYSTEM && $LABEL_UID in variables.placeLabels",
    ),
    ("closing", "variables.placeLabels[?$LABEL_CLOSING].orValue('') != ''"),
    ("event", "variables.what in ['events', 'events.events.k8s.io'] && variables.writes"),
];

/// The first rule of a cage: what isn't on the list is refused.
const ON_THE_LIST: &str =
    "request.userInfo.username + ' may not ' + request.operation + ' ' + variables.what +
     (variables.place == '' ? '' : ' in namespace ' + variables.place) +
     ': it is held to what a grant consists of'";

const CLOSING: &str = "'namespace ' + variables.place + ' is closing: objects in it may only be deleted'";

/// The cage of `comity run`.
pub fn run() -> Policy {
    Policy {
        name: "comity-cage-run",
        about: "Holds comity run to the objects that a grant consists of, whatever else it is bound to.",
        rules: everything(),
        conditions: vec![("is-comity-run", "request.userInfo.username == $RUN")],
        variables: [COMMON, RUN_VARIABLES].concat(),
        validations: RUN_VALIDATIONS.to_vec(),
        ..Policy::default()
    }
}

const RUN_VARIABLES: &[(&str, &str)] = &[
    ("ofNamespace", "variables.what == 'namespaces'"),
    (
        "ofStage",
        "variables.stage && request.operation in ['CREATE', 'UPDATE', 'DELETE'] && variables.what in [\
         'resourcequotas', 'limitranges', 'serviceaccounts', 'networkpolicies.networking.k8s.io',
         'rolebindings.rbac.authorization.k8s.io', 'stagepolicies.comity.dev']",
    ),
    ("ofPods", "variables.stage && variables.what == 'pods' && request.operation == 'DELETE'"),
    (
        "ofDataset",
        "!variables.stage && variables.what == 'networkpolicies.networking.k8s.io'
         && request.operation in ['CREATE', 'UPDATE', 'DELETE']",
    ),
    (
        "ofStatus",
        "request.operation == 'UPDATE' && variables.what in [\
         'sharingboundaries/status.comity.dev', 'partners/status.comity.dev', 'datasets/status.comity.dev',
         'sharingcontracts/status.comity.dev', 'partnergrants/status.comity.dev',
         'grantdecisions/status.comity.dev']",
    ),
    ("ofGrant", "variables.what == 'partnergrants.comity.dev' && request.operation == 'UPDATE'"),
    ("ofRecord", "variables.what == 'grantrecords.comity.dev' && request.operation == 'CREATE'"),
    (
        "ofLease",
        "variables.what == 'leases.coordination.k8s.io' && variables.place == $SYSTEM
         && variables.name.startsWith($RUN_NAME)",
    ),
];

const RUN_VALIDATIONS: &[Validation] = &[
    Validation {
        expression: "variables.ofNamespace || variables.ofStage || variables.ofPods || variables.ofDataset ||
             variables.ofStatus || variables.ofGrant || variables.ofRecord || variables.ofLease || variables.event",
        message: "comity run is held to what a grant consists of",
        say: ON_THE_LIST,
    },
    Validation {
        expression: "!variables.ofStage || request.operation == 'DELETE' || !variables.closing",
        message: "the namespace is closing: objects in it may only be deleted",
        say: CLOSING,
    },
    Validation {
        expression: "!variables.ofNamespace || request.operation != 'CREATE' ||
             (object.metadata.name.matches('^comity-[a-z0-9-]+-(sandbox|rehearsal|production)-[0-9a-f]{8}$')
             && object.metadata.name != $SYSTEM
             && object.metadata.?labels[?$LABEL_UID].orValue('') != ''
             && object.metadata.?labels[?$LABEL_STAGE].orValue('') in ['sandbox', 'rehearsal', 'production'])",
        message: "comity run may only make namespaces of stages, named and labelled so",
        say: "'comity run may not make namespace ' + request.?name.orValue('') +
             ': only a stage\\'s, named comity-…-<stage>-<8 hex>, with the labels of its grant'",
    },
    Validation {
        expression: "!variables.ofNamespace || request.operation == 'CREATE' ||
             (oldObject.metadata.name.startsWith($PREFIX)
             && oldObject.metadata.?labels[?$LABEL_UID].orValue('') != '')",
        message: "comity run may only change namespaces that it made",
        say: "'comity run may not change namespace ' + request.?name.orValue('') + ': it isn\\'t one that it made'",
    },
    Validation {
        expression: "!variables.ofNamespace || request.operation != 'UPDATE' ||
             (object.metadata.?labels[?$LABEL_UID] == oldObject.metadata.?labels[?$LABEL_UID]
             && (object.metadata.?labels[?$LABEL_STAGE] == oldObject.metadata.?labels[?$LABEL_STAGE]
             || (!($LABEL_STAGE in oldObject.metadata.labels)
             && object.metadata.name.matches('-' + object.metadata.?labels[?$LABEL_STAGE].orValue('none') + '-[0-9a-f]{8}$')))
             && (!($LABEL_CLOSING in oldObject.metadata.labels)
             || object.metadata.?labels[?$LABEL_CLOSING] == oldObject.metadata.?labels[?$LABEL_CLOSING]))",
        message: "the labels of a stage's namespace that say whose it is never change (a lost one comes back), and closing is for good",
        say: "",
    },
    Validation {
        expression: "!variables.ofNamespace || !variables.writes ||
             object.metadata.?labels[?'pod-security.kubernetes.io/enforce'].orValue('') in ['baseline', 'restricted']",
        message: "a stage's namespace enforces Pod Security baseline or restricted",
        say: "",
    },
    Validation {
        expression: "!variables.ofNamespace || !variables.writes || [$LABEL_SHARES, $LABEL_DATASET]
             .all(label, !(label in object.metadata.?labels.orValue({})))",
        message: "who shares, and who opted in, is the platform's to say",
        say: "",
    },
    Validation {
        expression: "!variables.ofStage || request.operation == 'DELETE' ||
             variables.what == 'rolebindings.rbac.authorization.k8s.io' ||
             (variables.what == 'resourcequotas' && variables.name == $QUOTA) ||
             (variables.what == 'limitranges' && variables.name == $LIMITS) ||
             (variables.what == 'stagepolicies.comity.dev' && variables.name == $STAGE_POLICY) ||
             (variables.what == 'serviceaccounts' && variables.name.startsWith('workload-')) ||
             (variables.what == 'networkpolicies.networking.k8s.io' && variables.name.startsWith('comity-'))",
        message: "comity run may not make an object of this name in a stage's namespace",
        say: "'comity run may not make ' + variables.what + ' ' + variables.name + ' in a stage'",
    },
    Validation {
        expression: "!variables.ofStage || request.operation == 'DELETE' ||
             variables.what != 'rolebindings.rbac.authorization.k8s.io' ||
             (object.roleRef.kind == 'ClusterRole' && size(object.?subjects.orValue([])) == 1
             && object.subjects[0].kind == 'ServiceAccount' &&
             ((variables.name == $SIGNER_BINDING && object.roleRef.name == $SIGNER_ROLE
             && object.subjects[0].name == $SIGN_NAME && object.subjects[0].?namespace.orValue('') == $SYSTEM) ||
             (variables.name == $REHEARSER_BINDING && object.roleRef.name == $REHEARSER_ROLE
             && object.subjects[0].name == $REHEARSE_NAME && object.subjects[0].?namespace.orValue('') == $SYSTEM
             && variables.placeLabels[?$LABEL_STAGE].orValue('') == 'rehearsal'
             && variables.place.matches('-rehearsal-[0-9a-f]{8}$')) ||
             $ROLES.exists(role, variables.name == 'comity-role-' + role
             && object.roleRef.name == 'comity:' + role + ':' + variables.placeLabels[?$LABEL_STAGE].orValue('')
             && object.subjects[0].name == 'role-' + role
             && object.subjects[0].?namespace.orValue('') == variables.place)))",
        message: "comity run may only bind its fixed pairs of role and subject",
        say: "'comity run may not bind ' + object.roleRef.name + ' in ' + variables.place + ' as ' + variables.name +
             ': only its fixed pairs of role and subject'",
    },
    Validation {
        expression: "!variables.ofDataset ||
             (variables.name.startsWith('comity-from-') && [object, oldObject].all(one, one == null ||
             one.metadata.?labels[?$LABEL_UID].orValue('') != ''))",
        message: "outside a stage comity run may only change the ingress policies that it made",
        say: "'comity run may not ' + request.operation + ' networkpolicy ' + variables.name + ' in namespace '
             + variables.place + ': only its own ingress policies'",
    },
    Validation {
        expression: "!variables.ofDataset || request.operation == 'DELETE' ||
             variables.placeLabels[?$LABEL_DATASET].orValue('') == $YES",
        message: "the dataset's namespace didn't opt in to ingress policies",
        say: "'namespace ' + variables.place + ' didn\\'t opt in to ingress policies (label comity.dev/dataset-ingress)'",
    },
    Validation {
        expression: "!variables.ofDataset || request.operation == 'DELETE' ||
             (object.spec.policyTypes == ['Ingress']
             && (size(object.spec.?podSelector.matchLabels.orValue({})) > 0
             || size(object.spec.?podSelector.matchExpressions.orValue([])) > 0)
             && object.spec.?ingress.orValue([]).all(rule, size(rule.?from.orValue([])) > 0
             && rule.from.all(peer, !has(peer.ipBlock)
             && peer.?namespaceSelector.matchLabels[?'kubernetes.io/metadata.name'].orValue('').startsWith($PREFIX))))",
        message: "an ingress policy of Comity's selects some pods, and lets in a stage's namespace by its name",
        say: "",
    },
    Validation {
        expression: "!variables.ofGrant ||
             (object.spec == oldObject.spec
             && object.metadata.?labels == oldObject.metadata.?labels
             && object.metadata.?annotations == oldObject.metadata.?annotations
             && object.metadata.?ownerReferences == oldObject.metadata.?ownerReferences
             && object.metadata.?finalizers.orValue([]).filter(one, one != $FINALIZER)
             == oldObject.metadata.?finalizers.orValue([]).filter(one, one != $FINALIZER))",
        message: "of a grant comity run may only change its own finalizer, and the status",
        say: "",
    },
];

/// The cage of `comity sign`.
pub fn sign() -> Policy {
    Policy {
        name: "comity-cage-sign",
        about: "Holds comity sign to certificates, CAs and what it publishes of them, whatever else it is bound to.",
        rules: everything(),
        conditions: vec![("is-comity-sign", "request.userInfo.username == $SIGN")],
        variables: [COMMON, SIGN_VARIABLES].concat(),
        validations: SIGN_VALIDATIONS.to_vec(),
        ..Policy::default()
    }
}

const SIGN_VARIABLES: &[(&str, &str)] = &[
    ("changes", "request.operation in ['CREATE', 'UPDATE', 'DELETE']"),
    ("optedIn", "!variables.stage && variables.placeLabels[?$LABEL_DATASET].orValue('') == $YES"),
    ("secretOfStage", "variables.what == 'secrets' && variables.stage && variables.changes"),
    (
        "published",
        "variables.what == 'configmaps' && (variables.stage || variables.optedIn) && variables.changes",
    ),
    // What it gave to a namespace of datasets it takes back, also where the platform wants no more of it.
    (
        "withdrawn",
        "variables.what == 'configmaps' && !variables.stage && variables.place != $SYSTEM
         && request.operation == 'DELETE' && oldObject.metadata.?labels[?$LABEL_UID].orValue('') != ''",
    ),
    (
        "authority",
        "variables.what in ['secrets', 'configmaps'] && variables.place == $SYSTEM && variables.changes",
    ),
    ("bundle", "variables.what == 'clustertrustbundles.certificates.k8s.io' && variables.changes"),
    (
        "request",
        "request.operation == 'UPDATE' && variables.what in [\
         'podcertificaterequests/status.certificates.k8s.io',
         'certificatesigningrequests/approval.certificates.k8s.io',
         'certificatesigningrequests/status.certificates.k8s.io']",
    ),
    (
        "filed",
        "request.operation == 'CREATE' && variables.what == 'certificatesigningrequests.certificates.k8s.io'",
    ),
    (
        "lease",
        "variables.what == 'leases.coordination.k8s.io' && variables.place == $SYSTEM
         && variables.name.startsWith($SIGN_NAME)",
    ),
];

const SIGN_VALIDATIONS: &[Validation] = &[
    Validation {
        expression: "variables.secretOfStage || variables.published || variables.withdrawn || variables.authority ||
             variables.bundle || variables.request || variables.filed || variables.lease || variables.event",
        message: "comity sign is held to certificates and what it publishes of them",
        say: ON_THE_LIST,
    },
    Validation {
        expression: "!(variables.stage && (variables.secretOfStage || variables.published)) ||
             request.operation == 'DELETE' || !variables.closing",
        message: "the namespace is closing: objects in it may only be deleted",
        say: CLOSING,
    },
    Validation {
        expression: "!variables.secretOfStage || variables.name.startsWith('comity-tls-')",
        message: "of a stage's Secrets comity sign may only change its certificates",
        say: "'comity sign may not change secret ' + variables.name + ' in ' + variables.place +
             ': only comity-tls-…'",
    },
    Validation {
        expression: "!(variables.published || variables.withdrawn) || variables.name.startsWith('comity-trust-')",
        message: "of ConfigMaps comity sign may only change comity-trust-…",
        say: "'comity sign may not change configmap ' + variables.name + ' in ' + variables.place +
             ': only comity-trust-…'",
    },
    Validation {
        expression: "!variables.optedIn || !variables.published || !variables.writes ||
             (variables.name.startsWith('comity-trust-' + $PREFIX)
             && object.metadata.?labels[?$LABEL_UID].orValue('') != '')",
        message: "what comity sign writes outside a stage is named after one, and says whose it is",
        say: "",
    },
    Validation {
        expression: "!variables.authority ||
             (variables.what == 'secrets' && variables.name.startsWith('comity-ca-')) ||
             (variables.what == 'configmaps' && variables.name.startsWith('comity-trust-')) ||
             (variables.what == 'configmaps' && request.operation == 'DELETE' && variables.name.startsWith($CA_ORDER))",
        message: "in its own namespace comity sign may only change its CAs and their markers",
        say: "'comity sign may not change ' + variables.what + ' ' + variables.name + ' in ' + variables.place +
             ': only comity-ca-… and comity-trust-…'",
    },
    Validation {
        // A Secret of type service-account-token would be answered with a token of that account.
        expression: "variables.what != 'secrets' || !variables.writes ||
             object.?type.orValue('') in ['kubernetes.io/tls', 'Opaque']",
        message: "comity sign may only write Secrets of type kubernetes.io/tls or Opaque",
        say: "",
    },
    Validation {
        expression: "!(variables.bundle || variables.request || variables.filed) || [object, oldObject].all(one,
             one == null || one.spec.?signerName.orValue('').startsWith($SIGNERS))",
        message: "comity sign may only answer for signers of its own (comity.dev/…)",
        say: "",
    },
    Validation {
        expression: "!variables.bundle || (variables.name.matches(
             '^comity[.]dev:workload:[0-9a-f]{8}-(sandbox|rehearsal|production)$')
             && [object, oldObject].all(one, one == null || one.spec.?signerName.orValue('') == $POD_SIGNER))",
        message: "comity sign may only publish bundles of one contract's stage, for comity.dev/workload",
        say: "",
    },
    Validation {
        expression: "variables.what != 'podcertificaterequests/status.certificates.k8s.io' ||
             [object, oldObject].all(one, one == null || one.spec.?signerName.orValue('') == $POD_SIGNER)",
        message: "of the requests of pods comity sign may only answer those for comity.dev/workload",
        say: "",
    },
    Validation {
        // Who filed it is the API server's to say, and nobody changes it.
        expression: "!(variables.what.startsWith('certificatesigningrequests')
             && variables.what.endsWith('.certificates.k8s.io')) || [object, oldObject].all(one, one == null ||
             (one.spec.?signerName.orValue('') == $OUTSIDE_SIGNER
             && (variables.filed || one.spec.?username.orValue('') == $SIGN)))",
        message: "of certificate signing requests comity sign may only file, approve and answer its own for comity.dev/external-workload",
        say: "",
    },
];

/// The cage of `comity rehearse`. What it tries as somebody else meets what holds them: the API server sees
/// them, and not it.
pub fn rehearse() -> Policy {
    Policy {
        name: "comity-cage-rehearse",
        about: "Holds comity rehearse to reports of what it saw, whatever else it is bound to.",
        rules: everything(),
        conditions: vec![("is-comity-rehearse", "request.userInfo.username == $REHEARSE")],
        variables: [COMMON, REHEARSE_VARIABLES].concat(),
        validations: REHEARSE_VALIDATIONS.to_vec(),
        ..Policy::default()
    }
}

const REHEARSE_VARIABLES: &[(&str, &str)] = &[
    ("report", "variables.what == 'rehearsalreports.comity.dev' && request.operation == 'CREATE'"),
    (
        "lease",
        "variables.what == 'leases.coordination.k8s.io' && variables.place == $SYSTEM
         && variables.name.startsWith($REHEARSE_NAME)",
    ),
    // Pods are looked at as pods, and no role of people makes any at Rehearsal: their controllers do. Nobody of theirs
    // adds a container to one that runs.
    (
        "trial",
        "((variables.what == 'pods' && request.operation == 'CREATE')
         || (variables.what == 'pods/ephemeralcontainers' && request.operation == 'UPDATE')) && variables.stage
         && variables.placeLabels[?$LABEL_STAGE].orValue('') == 'rehearsal' && request.?dryRun.orValue(false)",
    ),
];

const REHEARSE_VALIDATIONS: &[Validation] = &[
    Validation {
        expression: "variables.report || variables.lease || variables.event || variables.trial",
        message: "comity rehearse is held to reports of what it saw",
        say: "request.userInfo.username + ' may not ' + request.operation + ' ' + variables.what +
             (variables.place == '' ? '' : ' in namespace ' + variables.place) +
             ': it is held to reports of what it saw'",
    },
    Validation {
        expression: "!variables.report || (size(object.metadata.?finalizers.orValue([])) == 0
             && size(object.metadata.?ownerReferences.orValue([])) == 0)",
        message: "a report has no finalizer and no owner: it keeps nothing from going, and nothing takes it along",
        say: "",
    },
];
