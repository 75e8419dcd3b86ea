//! What is Comity's, only Comity changes. The exceptions are the controllers that clear a namespace
//! away, and whoever may `override` (the platform's admins); nobody else, in whatever namespace.

use super::cel::{CONSENT_GROUP, OVERRIDE_RESOURCE, OVERRIDE_VERB};
use super::policy::{Policy, Rule, Validation, stage_namespaces};
use crate::api::name;
use serde_json::json;

const CHANGES: &[&str] = &["CREATE", "UPDATE", "DELETE"];

/// All of the policies.
pub fn policies() -> Vec<Policy> {
    vec![
        namespaces(),
        objects(),
        named_objects(),
        dataset_trust(),
        labels(),
        words(),
        reports(),
        authority(),
        orders(),
    ]
}

/// How an admin would be let in, for messages and NOTES.
pub fn override_permission() -> String {
    format!("{OVERRIDE_VERB} on {OVERRIDE_RESOURCE}.{CONSENT_GROUP}")
}

/// Comity itself and those who clear away see no rule.
const SOMEONE_ELSE: (&str, &str) = ("someone-else", "!$IS_COMITY && !$IS_CARETAKER");

const UNLESS_OVERRIDE: Validation = Validation {
    expression: "$MAY_OVERRIDE",
    message: "only Comity changes what is Comity's: change the grant or its contract instead",
    say: "request.userInfo.username + ' may not ' + request.operation + ' ' + $WHAT + ' ' + request.?name.orValue('') +
         ': only Comity changes what is Comity\\'s; change the grant or its contract instead'",
};

/// Namespaces that carry one of Comity's labels, or would.
fn namespaces() -> Policy {
    Policy {
        name: "comity-stage-namespaces",
        about: "Only Comity makes, changes and deletes the namespaces of stages, and sets the labels that make them so.",
        rules: vec![Rule {
            group: "",
            resources: &["namespaces", "namespaces/status", "namespaces/finalize"],
            operations: CHANGES,
        }],
        conditions: vec![
            SOMEONE_ELSE,
            (
                "of-comity",
                "[object, oldObject].exists(one, one != null
                 && $RESERVED.exists(label, label in one.metadata.?labels.orValue({})))",
            ),
        ],
        validations: vec![UNLESS_OVERRIDE],
        ..Policy::default()
    }
}

/// The kinds in a stage's namespace of which every object is Comity's.
fn objects() -> Policy {
    Policy {
        name: "comity-stage-objects",
        about: "In the namespace of a stage only Comity changes quota, limits, network policies, accounts and bindings.",
        rules: vec![
            Rule {
                group: "",
                resources: &["resourcequotas", "resourcequotas/status", "limitranges", "serviceaccounts"],
                operations: CHANGES,
            },
            Rule { group: "networking.k8s.io", resources: &["networkpolicies"], operations: CHANGES },
            Rule {
                group: "rbac.authorization.k8s.io",
                resources: &["roles", "rolebindings"],
                operations: CHANGES,
            },
        ],
        namespaces: Some(stage_namespaces()),
        conditions: vec![
            SOMEONE_ELSE,
            (
                "not-the-quota-counting",
                "$WHAT != 'resourcequotas/status' || !(request.userInfo.username in
                 ['system:apiserver', 'system:serviceaccount:kube-system:resourcequota-controller'])",
            ),
            (
                "not-the-default-account",
                "$WHAT != 'serviceaccounts' || request.operation != 'CREATE' || object.metadata.name != 'default' ||
                 request.userInfo.username != 'system:serviceaccount:kube-system:service-account-controller'",
            ),
        ],
        validations: vec![UNLESS_OVERRIDE],
        ..Policy::default()
    }
}

/// Objects in a stage's namespace that are Comity's by their names.
fn named_objects() -> Policy {
    Policy {
        name: "comity-stage-names",
        about: "In the namespace of a stage names that begin with comity- are Comity's.",
        rules: vec![Rule { group: "", resources: &["secrets", "configmaps"], operations: CHANGES }],
        namespaces: Some(stage_namespaces()),
        conditions: vec![SOMEONE_ELSE, ("of-comity", "$NAME.startsWith('comity-')")],
        validations: vec![UNLESS_OVERRIDE],
        ..Policy::default()
    }
}

/// What whoever serves datasets goes by, where the platform opted in.
fn dataset_trust() -> Policy {
    Policy {
        name: "comity-dataset-trust",
        about: "In the namespaces of datasets that opted in only comity sign says whom to believe.",
        rules: vec![Rule { group: "", resources: &["configmaps"], operations: CHANGES }],
        namespaces: Some(json!({"matchLabels": {name::LABEL_DATASET_INGRESS: name::YES}})),
        conditions: vec![SOMEONE_ELSE, ("of-comity", "$NAME.startsWith('comity-trust-' + $PREFIX)")],
        validations: vec![UNLESS_OVERRIDE],
        ..Policy::default()
    }
}

/// The labels by which Comity knows its own, on anything anywhere.
fn labels() -> Policy {
    Policy {
        name: "comity-labels",
        about: "Only Comity sets and removes the labels by which it knows its own, and changes what carries them.",
        rules: vec![Rule { group: "*", resources: &["*/*"], operations: CHANGES }],
        conditions: vec![
            SOMEONE_ELSE,
            ("not-a-namespace", "request.resource.group != '' || request.resource.resource != 'namespaces'"),
            ("not-a-report", "request.userInfo.username != $REHEARSE || $WHAT != 'rehearsalreports.comity.dev'"),
            (
                "not-the-quota-counting",
                "$WHAT != 'resourcequotas/status' || !(request.userInfo.username in
                 ['system:apiserver', 'system:serviceaccount:kube-system:resourcequota-controller'])",
            ),
        ],
        validations: vec![Validation {
            expression: "$MAY_OVERRIDE",
            message: "only Comity sets the labels by which it knows its own, and changes what carries them",
            say: "request.userInfo.username + ' may not ' + request.operation + ' ' + $WHAT + ' '
                 + request.?name.orValue('') + ': only Comity sets the labels comity.dev/grant-uid, stage, pods and
                 closing, and changes what carries them'",
        }],
        labels: vec![name::LABEL_GRANT_UID, name::LABEL_STAGE, name::LABEL_PODS, name::LABEL_CLOSING],
        ..Policy::default()
    }
}

/// Comity's own kinds: status, records, parameters, the finalizer, and the end of a live grant.
fn words() -> Policy {
    Policy {
        name: "comity-words",
        about: "Only comity run writes status, records, stage policies and its finalizer; a live grant is deleted by who may expire it.",
        rules: vec![Rule { group: "comity.dev", resources: &["*/*"], operations: CHANGES }],
        conditions: vec![("someone-else", "request.userInfo.username != $RUN && !$IS_CARETAKER")],
        variables: vec![
            ("had", "oldObject != null && $FINALIZER in oldObject.metadata.?finalizers.orValue([])"),
            ("has", "object != null && $FINALIZER in object.metadata.?finalizers.orValue([])"),
        ],
        validations: [only_comity_writes(), ends_by_who_may_expire()].concat(),
        ..Policy::default()
    }
}

/// Records, stage policies, status and the finalizer are Comity's.
fn only_comity_writes() -> Vec<Validation> {
    vec![
        Validation {
            expression: "!(request.resource.resource in ['grantrecords', 'stagepolicies']) || $MAY_OVERRIDE",
            message: "only Comity writes records and stage policies",
            say: "request.userInfo.username + ' may not ' + request.operation + ' ' + $WHAT
                 + ': only Comity writes records and stage policies'",
        },
        Validation {
            expression: "request.?subResource.orValue('') == '' || $MAY_OVERRIDE",
            message: "only Comity writes the status of its kinds",
            say: "request.userInfo.username + ' may not write ' + $WHAT + ': only Comity writes status'",
        },
        Validation {
            expression: "request.operation == 'DELETE' || variables.had == variables.has || $MAY_OVERRIDE",
            message: "only Comity sets and removes its finalizer",
            say: "'only Comity sets and removes the finalizer ' + $FINALIZER",
        },
    ]
}

/// What rehearsals showed. Not even the platform's admins write one: who reads it has to know who did.
fn reports() -> Policy {
    Policy {
        name: "comity-reports",
        about: "Only comity rehearse writes reports of rehearsals, and nobody changes one.",
        rules: vec![Rule { group: "comity.dev", resources: &["rehearsalreports"], operations: CHANGES }],
        conditions: vec![("someone-else", "request.userInfo.username != $REHEARSE && !$IS_CARETAKER")],
        validations: vec![Validation {
            expression: "request.operation == 'DELETE' && $MAY_OVERRIDE",
            message: "only comity rehearse writes reports of rehearsals, and nobody changes one",
            say: "request.userInfo.username + ' may not ' + request.operation + ' ' + $WHAT
                 + ': only comity rehearse writes reports of rehearsals, and nobody changes one'",
        }],
        ..Policy::default()
    }
}

/// A live grant ends by who may expire it, and by nobody's garbage collection.
fn ends_by_who_may_expire() -> Vec<Validation> {
    vec![
        Validation {
            // Who owns a grant decides when the garbage collector deletes it.
            expression: "request.operation == 'DELETE' || request.resource.resource != 'partnergrants' ||
                 (oldObject == null ? [] : oldObject.metadata.?ownerReferences.orValue([]))
                 == object.metadata.?ownerReferences.orValue([]) ||
                 $MAY_EXPIRE || $MAY_OVERRIDE",
            message: "a grant's ownerReferences say who can delete it: they are set by who may expire it",
            say: "",
        },
        Validation {
            expression: "request.operation != 'DELETE' || request.resource.resource != 'partnergrants' ||
                 !variables.had || $MAY_EXPIRE || $MAY_OVERRIDE",
            message: "a live grant may only be deleted by who may expire it",
            say: "request.userInfo.username + ' may not delete the live grant ' + oldObject.metadata.name +
                 ': that needs the verb expire on partnergrants of consent.comity.dev'",
        },
    ]
}

/// The CAs in Comity's own namespace.
fn authority() -> Policy {
    Policy {
        name: "comity-authorities",
        about: "Only comity sign changes the CAs that it holds, and the markers that say that they exist.",
        rules: vec![Rule { group: "", resources: &["secrets", "configmaps"], operations: CHANGES }],
        namespaces: Some(json!({"matchLabels": {"kubernetes.io/metadata.name": "$SYSTEM"}})),
        conditions: vec![
            ("someone-else", "request.userInfo.username != $SIGN && !$IS_CARETAKER"),
            (
                "of-an-authority",
                "$NAME.startsWith(request.resource.resource == 'secrets' ? 'comity-ca-' : 'comity-trust-')",
            ),
        ],
        validations: vec![UNLESS_OVERRIDE],
        ..Policy::default()
    }
}

/// What an order may hold.
const PLAIN_ORDER: Validation = Validation {
    expression: "request.operation != 'CREATE' || object.?data.orValue({}).size() <= 8 &&
         object.?data.orValue({}).all(key, object.data[key].size() <= 1024) &&
         object.?binaryData.orValue({}).size() == 0",
    message: "an order says what is to be done and why, and no more",
    say: "",
};

/// One that nobody sees, or that nobody can take away, would keep later ones from being given.
const LABELLED_ORDER: Validation = Validation {
    expression: "request.operation != 'CREATE' ||
         object.metadata.?labels[?$LABEL_AUTHORITY].orValue('') == $ORDER &&
         object.metadata.?finalizers.orValue([]).size() == 0",
    message: "an order is labelled comity.dev/authority: order, so that it is seen, and has no finalizer, so \
              that it can be answered",
    say: "",
};

/// What people want done with the CAs: who may, in their own name, and never rewritten.
fn orders() -> Policy {
    Policy {
        name: "comity-orders",
        about: "Who wants something done with a CA may rotate it, says so in their own name, and can't rewrite it.",
        rules: vec![Rule { group: "", resources: &["configmaps"], operations: CHANGES }],
        namespaces: Some(json!({"matchLabels": {"kubernetes.io/metadata.name": "$SYSTEM"}})),
        conditions: vec![
            ("someone-else", "request.userInfo.username != $SIGN && !$IS_CARETAKER"),
            ("of-an-order", "$NAME.startsWith($CA_ORDER)"),
        ],
        validations: vec![
            Validation {
                expression: "$MAY_ROTATE || $MAY_OVERRIDE",
                message: "who may rotate CAs says what is to be done with them",
                say: "request.userInfo.username + ' may not ' + request.operation + ' ' + $NAME +
                     ': that needs the verb rotate on authorities of consent.comity.dev in ' + $SYSTEM",
            },
            Validation {
                expression: "request.operation != 'UPDATE' || $MAY_OVERRIDE",
                message: "an order isn't rewritten: have it answered, or delete it",
                say: "",
            },
            Validation {
                expression: "request.operation != 'CREATE' ||
                     object.?data[?'by'].orValue('') == request.userInfo.username",
                message: "an order is given in one's own name",
                say: "'this order says that ' + object.?data[?'by'].orValue('nobody') + ' gives it, and you are ' +
                     request.userInfo.username",
            },
            PLAIN_ORDER,
            LABELLED_ORDER,
        ],
        ..Policy::default()
    }
}
