//! The words of the policies' CEL: text with `$NAME` in it becomes an expression in which each is
//! the constant from [`crate::api::name`], so a policy can't drift from what the processes do.

use crate::api::{decision::DecisionAction, grant::Role, name, stamp};

/// Group of the virtual resources on which consent is a verb: a wildcard on `comity.dev` gives none.
pub const CONSENT_GROUP: &str = "consent.comity.dev";
/// The virtual resource that stands for everything that Comity made.
pub const OVERRIDE_RESOURCE: &str = "stages";
/// The verb of the platform's admins, who may change what is Comity's.
pub const OVERRIDE_VERB: &str = "override";
/// The verb on one `partnergrants`, to end a live one by deleting it.
pub const EXPIRE_VERB: &str = "expire";
/// The virtual resource that stands for the CAs of contracts.
pub const AUTHORITIES_RESOURCE: &str = "authorities";
/// The verb of those who may say what is to be done with CAs.
pub const ROTATE_VERB: &str = "rotate";
/// The signers whose certificate requests `comity sign` may answer, to begin with.
pub const SIGNER_PREFIX: &str = "comity.dev/";
/// The one signer that a pod of a stage may ask for a certificate.
pub const POD_SIGNER: &str = "comity.dev/workload";
/// The signer of workloads on the partner's side.
pub const OUTSIDE_SIGNER: &str = "comity.dev/external-workload";

/// The name of the object at hand, which a request for a collection or for a generated name doesn't say.
const NAME: &str = "(request.operation == 'DELETE' ? oldObject.metadata.name : object.metadata.name)";

/// Controllers of Kubernetes that clear away what its owner or namespace left behind.
const CARETAKERS: &[&str] = &[
    "system:serviceaccount:kube-system:namespace-controller",
    "system:serviceaccount:kube-system:generic-garbage-collector",
    "system:kube-controller-manager",
];

/// Replaces each `$NAME` by the CEL for it; `system` is the namespace that Comity runs in.
pub fn spell(text: &str, system: &str) -> String {
    let mut spelled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('$') {
        spelled.push_str(&rest[..start]);
        let after = &rest[start + 1..];
        let length = after.find(|c: char| !(c.is_ascii_uppercase() || c == '_')).unwrap_or(after.len());
        match word(&after[..length], system) {
            Some(meaning) => spelled.push_str(&meaning),
            None => spelled.push_str(&rest[start..=start + length]),
        }
        rest = &after[length..];
    }
    spelled.push_str(rest);
    spelled
}

/// What `$word` stands for: a string literal, a list of them, or a whole expression.
fn word(word: &str, system: &str) -> Option<String> {
    constant(word).map(quote).or_else(|| about_objects(word)).or_else(|| about_callers(word, system))
}

/// The constants.
fn constant(word: &str) -> Option<&'static str> {
    Some(match word {
        "LABEL_UID" => name::LABEL_GRANT_UID,
        "LABEL_STAGE" => name::LABEL_STAGE,
        "LABEL_PODS" => name::LABEL_PODS,
        "LABEL_CLOSING" => name::LABEL_CLOSING,
        "LABEL_SHARES" => name::LABEL_SHARES,
        "LABEL_DATASET" => name::LABEL_DATASET_INGRESS,
        "LABEL_PURPOSE" => name::LABEL_PURPOSE,
        "OPEN" => name::PODS_OPEN,
        "SHUT" => name::PODS_CLOSED,
        "CLOSING" => name::CLOSING,
        "YES" => name::YES,
        "FINALIZER" => name::FINALIZER,
        "PREFIX" => name::NAMESPACE_PREFIX,
        "RUN_NAME" => name::RUN,
        "SIGN_NAME" => name::SIGN,
        "REHEARSE_NAME" => name::REHEARSE,
        "SIGNER_ROLE" => name::SIGNER_CLUSTER_ROLE,
        "SIGNER_BINDING" => name::SIGNER_BINDING,
        "REHEARSER_ROLE" => name::REHEARSER_CLUSTER_ROLE,
        "REHEARSER_BINDING" => name::REHEARSER_BINDING,
        "QUOTA" => name::QUOTA,
        "LIMITS" => name::LIMIT_RANGE,
        "STAGE_POLICY" => name::STAGE_POLICY,
        "CONSENT" => CONSENT_GROUP,
        "DECIDED_BY" => name::ANNOTATION_DECIDED_BY,
        "REQUESTED_BY" => name::ANNOTATION_REQUESTED_BY,
        "AUTHORED_BY" => name::ANNOTATION_AUTHORED_BY,
        "UNKNOWN" => stamp::UNKNOWN,
        "SIGNERS" => SIGNER_PREFIX,
        "POD_SIGNER" => POD_SIGNER,
        "OUTSIDE_SIGNER" => OUTSIDE_SIGNER,
        "CA_ORDER" => name::CA_ORDER,
        "LABEL_AUTHORITY" => name::LABEL_AUTHORITY,
        "ORDER" => name::ORDER,
        _ => return None,
    })
}

/// Expressions about the object at hand.
fn about_objects(word: &str) -> Option<String> {
    Some(match word {
        "ROLES" => list(&Role::ALL.map(Role::kebab)),
        "RESERVED" => {
            list(&[name::LABEL_GRANT_UID, name::LABEL_STAGE, name::LABEL_PODS, name::LABEL_CLOSING])
        }
        "WHAT" => "(request.resource.resource \
             + (request.?subResource.orValue('') == '' ? '' : '/' + request.subResource) \
             + (request.resource.group == '' ? '' : '.' + request.resource.group))"
            .to_owned(),
        "PLACE" => "request.?namespace.orValue('')".to_owned(),
        "PLACE_LABELS" => {
            "(namespaceObject == null ? {} : namespaceObject.metadata.?labels.orValue({}))".to_owned()
        }
        "NAME" => NAME.to_owned(),
        "AUTOMATABLE" => {
            let actions = DecisionAction::ALL.into_iter().filter(|action| action.automatable());
            list(&actions.map(DecisionAction::as_str).collect::<Vec<_>>())
        }
        "MOST_WRITERS" => stamp::MOST_WRITERS.to_string(),
        _ => return None,
    })
}

/// Expressions about who asks.
fn about_callers(word: &str, system: &str) -> Option<String> {
    let account = |process: &str| format!("system:serviceaccount:{system}:{process}");
    Some(match word {
        "SYSTEM" => quote(system),
        "RUN" => quote(&account(name::RUN)),
        "SIGN" => quote(&account(name::SIGN)),
        "REHEARSE" => quote(&account(name::REHEARSE)),
        "IS_COMITY" => {
            format!("(request.userInfo.username in {})", list(&[&account(name::RUN), &account(name::SIGN)]))
        }
        // A line break would make two lines of one user.
        "NAMEABLE" => format!(
            "request.userInfo.username.matches(r'^[^\\x00-\\x1f\\x7f]{{1,{}}}$')",
            stamp::LONGEST_NAME
        ),
        "IS_CARETAKER" => format!("(request.userInfo.username in {})", list(CARETAKERS)),
        "MAY_OVERRIDE" => format!(
            "authorizer.group({}).resource({}).check({}).allowed()",
            quote(CONSENT_GROUP),
            quote(OVERRIDE_RESOURCE),
            quote(OVERRIDE_VERB)
        ),
        "MAY_ROTATE" => format!(
            "authorizer.group({}).resource({}).namespace({}).check({}).allowed()",
            quote(CONSENT_GROUP),
            quote(AUTHORITIES_RESOURCE),
            quote(system),
            quote(ROTATE_VERB)
        ),
        "MAY_EXPIRE" => format!(
            "authorizer.group({}).resource('partnergrants').namespace(request.namespace)\
             .name({NAME}).check({}).allowed()",
            quote(CONSENT_GROUP),
            quote(EXPIRE_VERB)
        ),
        _ => return None,
    })
}

/// A CEL list of string literals.
fn list<S: AsRef<str>>(items: &[S]) -> String {
    let items: Vec<String> = items.iter().map(|item| quote(item.as_ref())).collect();
    format!("[{}]", items.join(", "))
}

/// A CEL string literal. Nothing that is quoted here has a quote or a backslash in it.
fn quote(text: &str) -> String {
    format!("'{text}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_literals_and_regular_expressions_keep_their_end() {
        assert_eq!(spell("x == $OPEN && y.matches('a$')", "s"), "x == 'Open' && y.matches('a$')");
        assert_eq!(spell("$RUN", "here"), "'system:serviceaccount:here:comity-run'");
    }

    #[test]
    fn a_constant_never_breaks_out_of_its_quotes() {
        for word in ["LABEL_UID", "FINALIZER", "POD_SIGNER", "OUTSIDE_SIGNER", "SIGNER_ROLE"] {
            assert!(constant(word).is_some_and(|text| !text.contains(['\'', '\\'])), "{word}");
        }
    }
}
