//! Part 6 of a contract: what has to be held up.

use std::collections::BTreeSet;

use super::super::change::Comparison;
use super::super::walk::Walk;
use crate::api::boundary::PodSecurity;
use crate::api::contract::{Authentication, Logging, Security, SinkFailure};
use crate::api::value::Word;

/// Pod Security Standards, the one that allows least first.
pub(super) const POD_SECURITY: [PodSecurity; 2] = [PodSecurity::Restricted, PodSecurity::Baseline];

/// Required controls ⊇, TTL ≤, deliveries ⊆, logins ⊇. `further` is what logins have to show
/// beside each side's own. Gives what both allow, and what logins have to show beside its own.
pub(super) fn security(
    walk: &mut Walk,
    (old, new): (&Security, &Security),
    further: (&[Authentication], &[Authentication]),
) -> (Security, Vec<Authentication>) {
    walk.under("security", "", |walk| {
        let mut logins = authentication(walk, &logins(old, further.0), &logins(new, further.1)).into_iter();
        let ttl = ("credentialTTL", "certificates valid for");
        let controls = ("requiredControls", "required control");
        let met = Security {
            required_controls: walk.required(controls, &old.required_controls, &new.required_controls),
            pod_security: walk.chain(
                ("podSecurity", "pod security"),
                &POD_SECURITY,
                old.pod_security,
                new.pod_security,
            ),
            credential_ttl: walk.at_most_or(
                "the boundary's",
                ttl,
                old.credential_ttl.as_ref(),
                new.credential_ttl.as_ref(),
            ),
            key_delivery: walk.allowed(("keyDelivery", "key delivery"), &old.key_delivery, &new.key_delivery),
            authentication: logins.next(),
            encryption_keys: walk.same_if_asked(
                ("encryptionKeys", "encryption keys held by"),
                old.encryption_keys.as_ref(),
                new.encryption_keys.as_ref(),
            ),
            logging: logging(walk, old.logging.as_ref(), new.logging.as_ref()),
        };
        (met, logins.collect())
    })
}

/// What is asked of logging: nothing is the widest.
fn logging(walk: &mut Walk, old: Option<&Logging>, new: Option<&Logging>) -> Option<Logging> {
    let said = |logging: Option<&Logging>| logging.map(|logging| logging.on_sink_failure);
    let order = [Some(SinkFailure::Refuse), Some(SinkFailure::Buffer), None];
    let clause = ("logging.onSinkFailure", "where logging fails");
    walk.chain(clause, &order, said(old), said(new)).map(|on_sink_failure| Logging { on_sink_failure })
}

/// Contexts of which a login has to show one of each list.
type Logins = BTreeSet<BTreeSet<Word>>;

fn logins(security: &Security, further: &[Authentication]) -> Logins {
    let all = security.authentication.iter().chain(further);
    let lists = all.map(|authentication| authentication.contexts.iter().cloned().collect::<BTreeSet<_>>());
    least(&lists.filter(|list| !list.is_empty()).collect())
}

/// Those lists that aren't asked for by a stricter one already.
fn least(lists: &Logins) -> Logins {
    let stricter = |list: &BTreeSet<Word>| lists.iter().any(|other| other != list && other.is_subset(list));
    lists.iter().filter(|list| !stricter(list)).cloned().collect()
}

/// What logins have to show ⊇.
fn authentication(walk: &mut Walk, old: &Logins, new: &Logins) -> Vec<Authentication> {
    let asks = |all: &Logins, list: &BTreeSet<Word>| all.iter().any(|other| other.is_subset(list));
    let narrower = !new.iter().all(|list| asks(old, list));
    let wider = !old.iter().all(|list| asks(new, list));
    let told = |logins: &Logins| {
        let list = |list: &BTreeSet<Word>| list.iter().map(Word::as_str).collect::<Vec<_>>().join(" or ");
        let lists: Vec<String> = logins.iter().map(list).collect();
        if lists.is_empty() { "nothing".to_owned() } else { lists.join(", and ") }
    };
    let clause = ("authentication.contexts", "logins have to show");
    walk.became(clause, told(old), told(new), Comparison::of(narrower, wider));
    let all = least(&old.union(new).cloned().collect());
    all.into_iter().map(|list| Authentication { contexts: list.into_iter().collect() }).collect()
}
