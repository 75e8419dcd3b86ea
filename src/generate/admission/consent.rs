//! Who decides, who asked and who wrote: stamped where the API server can stamp, and always compared.
//!
//! A decision takes a virtual verb on the very grant, in group `consent.comity.dev`, so a wildcard on
//! `comity.dev` decides nothing. The lists of who asked and who wrote only ever grow.

use super::mutation::Mutation;
use super::policy::{Policy, Rule, Validation};

/// The policies that compare.
pub fn policies() -> Vec<Policy> {
    vec![decisions(), writers()]
}

/// The policies that stamp.
pub fn stamps() -> Vec<Mutation> {
    vec![
        Mutation {
            name: "comity-decisions",
            about: "Stamps who decided on a GrantDecision.",
            rules: vec![Rule {
                group: "comity.dev",
                resources: &["grantdecisions"],
                operations: &["CREATE"],
            }],
            variables: vec![("key", "$DECIDED_BY"), ("wanted", "request.userInfo.username")],
            patches: PATCHES,
        },
        Mutation {
            name: "comity-writers",
            about: "Keeps the lists of who asked for a grant, and who wrote what it depends on.",
            rules: written(),
            variables: LISTS.to_vec(),
            patches: PATCHES,
        },
    ]
}

/// Makes the annotation `key` what it is `wanted` to be; nothing where it is so already.
const PATCHES: &str = "object.metadata.?annotations[?variables.key].orValue('') == variables.wanted ? [] :
     variables.wanted == '' ?
     [JSONPatch{op: 'remove', path: '/metadata/annotations/' + jsonpatch.escapeKey(variables.key)}] :
     (has(object.metadata.annotations) ? [] : [JSONPatch{op: 'add', path: '/metadata/annotations', value: {}}])
     + [JSONPatch{op: 'add', path: '/metadata/annotations/' + jsonpatch.escapeKey(variables.key), value: variables.wanted}]";

/// What somebody asks for or writes. Status is none of it.
fn written() -> Vec<Rule> {
    vec![Rule {
        group: "comity.dev",
        resources: &["partnergrants", "sharingcontracts", "datasets", "partners", "sharingboundaries"],
        operations: &["CREATE", "UPDATE"],
    }]
}

/// The list as it has to be after the request: as it was, unless the spec changes. The generation
/// that the object will have is counted here: at mutating admission it still has the old one.
const LISTS: &[(&str, &str)] = &[
    ("key", "request.resource.resource == 'partnergrants' ? $REQUESTED_BY : $AUTHORED_BY"),
    ("had", "oldObject == null ? '' : oldObject.metadata.?annotations[?variables.key].orValue('')"),
    ("rewritten", "oldObject == null || object.?spec.orValue({}) != oldObject.?spec.orValue({})"),
    ("generation", "oldObject == null ? 1 : oldObject.metadata.generation + 1"),
    (
        "others",
        "variables.had == '' ? [] : variables.had.split('\\n')
         .filter(line, line.substring(line.indexOf(' ') + 1) != request.userInfo.username)",
    ),
    // Who wrote before there was a list could be anybody.
    (
        "strangers",
        "oldObject == null || variables.had != '' ? [] : [string(oldObject.metadata.generation) + ' ' + $UNKNOWN]",
    ),
    (
        "wanted",
        "!variables.rewritten ? variables.had :
         (variables.others + variables.strangers
         + [string(variables.generation) + ' ' + request.userInfo.username]).join('\\n')",
    ),
];

const NAMEABLE: Validation = Validation {
    expression: "$NAMEABLE",
    message: "your user name can't be kept: it has to be printable, and at most 253 characters",
    say: "",
};

/// Decisions.
fn decisions() -> Policy {
    Policy {
        name: "comity-decisions",
        about: "A decision is made by who it says, who may make it, and for a group that they are in; it is never changed.",
        rules: vec![Rule {
            group: "comity.dev",
            resources: &["grantdecisions"],
            operations: &["CREATE", "UPDATE"],
        }],
        variables: vec![
            ("made", "request.operation == 'CREATE'"),
            ("stamp", "object.metadata.?annotations[?$DECIDED_BY].orValue('')"),
            ("group", "object.spec.?onBehalfOf.orValue('')"),
            // Who has such a name is no person: the one exception is what some distributions call their admin.
            (
                "automation",
                "request.userInfo.username.startsWith('system:') && request.userInfo.username != 'system:admin'",
            ),
        ],
        validations: [WHO_DECIDES, STAYS_SMALL].concat(),
        ..Policy::default()
    }
}

const WHO_DECIDES: &[Validation] = &[
    Validation {
        expression: "!variables.made || variables.stamp == request.userInfo.username",
        message: "the annotation comity.dev/decided-by has to be your own name",
        say: "'the annotation comity.dev/decided-by has to be your own name: ' + request.userInfo.username",
    },
    Validation {
        expression: "variables.made || variables.stamp == oldObject.metadata.?annotations[?$DECIDED_BY].orValue('')",
        message: "who decided doesn't change: leave the annotation comity.dev/decided-by as it is",
        say: "",
    },
    Validation { expression: "!variables.made || $NAMEABLE", ..NAMEABLE },
    Validation {
        expression: "!variables.made || !variables.automation || object.spec.action in $AUTOMATABLE",
        message: "only people give access, or let it go on: automation may make no such decision",
        say: "request.userInfo.username + ' is no person: automation may not ' + object.spec.action
             + ', only ' + $AUTOMATABLE.join(', ')",
    },
    Validation {
        expression: "!variables.made || variables.group == '' || variables.group in request.userInfo.?groups.orValue([])",
        message: "onBehalfOf has to be one of your groups",
        say: "request.userInfo.username + ' isn\\'t in group ' + variables.group + ': onBehalfOf has to be one of your groups'",
    },
    Validation {
        expression: "!variables.made || authorizer.group($CONSENT).resource('partnergrants').namespace(request.namespace)
             .name(object.spec.grantRef.name).check(object.spec.action.lowerAscii()).allowed()",
        message: "a decision needs the verb of its action on that grant, in group consent.comity.dev",
        say: "request.userInfo.username + ' may not ' + object.spec.action.lowerAscii() + ' grant ' + object.spec.grantRef.name
             + ': that needs the verb ' + object.spec.action.lowerAscii() + ' on partnergrants of consent.comity.dev'",
    },
];

/// Ten thousand decisions are held in memory: what isn't spec is bounded too.
const STAYS_SMALL: &[Validation] = &[Validation {
    expression: "[object.metadata.?annotations.orValue({}), object.metadata.?labels.orValue({})]
         .all(texts, size(texts) <= 16 && texts.all(key, size(texts[key]) <= 8192))
         && size(object.metadata.?finalizers.orValue([])) <= 4
         && size(object.metadata.?ownerReferences.orValue([])) <= 4",
    message: "a decision takes at most 16 labels, 16 annotations of 8192 characters, 4 finalizers and 4 owners",
    say: "",
}];

/// Grants, and what they depend on.
fn writers() -> Policy {
    Policy {
        name: "comity-writers",
        about: "Who asked for a grant, and who wrote what it depends on, is kept, and nobody is ever taken out.",
        rules: written(),
        variables: LISTS.to_vec(),
        validations: vec![
            Validation {
                expression: "!variables.rewritten || ($NAMEABLE && request.userInfo.username != $UNKNOWN)",
                ..NAMEABLE
            },
            Validation {
                expression: "!variables.rewritten || size(variables.others) + size(variables.strangers) < $MOST_WRITERS",
                message: "the list of who wrote this is full: one of them has to make the change, or make a new object",
                say: "'the list ' + variables.key + ' is full: one of its ' + string(size(variables.others))
                     + ' people has to make the change, or make a new object'",
            },
            Validation {
                expression: "object.metadata.?annotations[?variables.key].orValue('') == variables.wanted",
                message: "who asked and who wrote is kept in annotations that nobody else changes",
                say: "'the annotation ' + variables.key + ' has to be \"' + variables.wanted.replace('\\n', '\\\\n')
                     + '\" after this change'",
            },
        ],
        ..Policy::default()
    }
}
