//! A partner: who they are, and what they have shown.

use std::collections::BTreeSet;

use super::super::change::{Comparison, Difference};
use super::super::walk::Walk;
use super::stages::paper;
use crate::api::boundary::{NamespaceChoice, NamespaceScope};
use crate::api::partner::{
    Contacts, Control, Evidence, IncidentContact, OpenIdConnect, Organisation, PartnerIdentity, PartnerSpec,
};
use crate::api::value::Pem;
use crate::policy::scope::describe;

/// What a PEM block begins with.
const BLOCK: &str = "-----BEGIN ";

/// Every clause of it.
pub(crate) fn partner(walk: &mut Walk, old: &PartnerSpec, new: &PartnerSpec) {
    let PartnerSpec {
        organisation,
        identity: known,
        contacts: write_to,
        controls: shown,
        allowed_namespaces,
    } = old;
    let Organisation { legal_name, jurisdictions } = organisation;
    walk.under("organisation", "", |walk| {
        paper(walk, ("legalName", "legal name"), legal_name, &new.organisation.legal_name);
        let sorted = |words: &[crate::api::value::Word]| {
            let words: BTreeSet<&str> = words.iter().map(crate::api::value::Word::as_str).collect();
            words.into_iter().collect::<Vec<_>>().join(", ")
        };
        let clause = ("jurisdictions", "subject to the law of");
        paper(walk, clause, &sorted(jurisdictions), &sorted(&new.organisation.jurisdictions));
    });
    walk.under("identity", "", |walk| identity(walk, known.as_ref(), new.identity.as_ref()));
    walk.under("contacts", "", |walk| contacts(walk, write_to.as_ref(), new.contacts.as_ref()));
    controls(walk, shown, &new.controls);
    namespaces(walk, allowed_namespaces.as_ref(), new.allowed_namespaces.as_ref());
}

/// How they say who they are: more ways are wider, another way is something else.
fn identity(walk: &mut Walk, old: Option<&PartnerIdentity>, new: Option<&PartnerIdentity>) {
    let nobody = PartnerIdentity::default();
    let PartnerIdentity { trust_domain, trust_bundle, oidc: login } = old.unwrap_or(&nobody);
    let new = new.unwrap_or(&nobody);
    way(walk, ("trustDomain", "trust domain"), trust_domain.as_ref(), new.trust_domain.as_ref());
    let (before, after) = (blocks(trust_bundle.as_ref()), blocks(new.trust_bundle.as_ref()));
    let count = |one: &BTreeSet<String>, other: &BTreeSet<String>| match one.difference(other).count() {
        0 => Vec::new(),
        1 => vec!["of their own".to_owned()],
        several => vec![format!("of their own ({several} of them)")],
    };
    walk.swapped(("trustBundle", "trust anchor"), &count(&before, &after), &count(&after, &before), false);
    walk.under("oidc", "", |walk| oidc(walk, login.as_ref(), new.oidc.as_ref()));
}

/// One way of saying who they are: none is the narrowest.
fn way<T: super::super::show::Show + PartialEq>(
    walk: &mut Walk,
    clause: super::super::walk::Clause,
    old: Option<&T>,
    new: Option<&T>,
) {
    match (old, new) {
        (Some(old), Some(new)) => paper(walk, clause, old, new),
        (Some(old), None) => walk.note(clause, &old.show(), Difference::Removed, Comparison::Narrower),
        (None, Some(new)) => walk.note(clause, &new.show(), Difference::Added, Comparison::Wider),
        (None, None) => {}
    }
}

/// The certificates of a bundle, each as it is written, whatever stands between them.
fn blocks(bundle: Option<&Pem>) -> BTreeSet<String> {
    let text = bundle.map_or("", Pem::as_str);
    let blocks =
        text.split(BLOCK).skip(1).map(|block| block.split_whitespace().collect::<Vec<_>>().join("\n"));
    blocks.collect()
}

/// Where their people log in.
fn oidc(walk: &mut Walk, old: Option<&OpenIdConnect>, new: Option<&OpenIdConnect>) {
    let (Some(old), Some(new)) = (old, new) else {
        let issuer = |login: Option<&OpenIdConnect>| login.map(|login| login.issuer.clone());
        way(walk, ("issuer", "login at"), issuer(old).as_ref(), issuer(new).as_ref());
        return;
    };
    let OpenIdConnect { issuer, audiences, username_claim, groups_claim } = old;
    paper(walk, ("issuer", "login at"), issuer, &new.issuer);
    walk.allowed(("audiences", "audience"), audiences, &new.audiences);
    paper(walk, ("usernameClaim", "claim that names people"), username_claim, &new.username_claim);
    paper(walk, ("groupsClaim", "claim that lists groups"), groups_claim, &new.groups_claim);
}

/// Whom to write to.
fn contacts(walk: &mut Walk, old: Option<&Contacts>, new: Option<&Contacts>) {
    let security = |contacts: Option<&Contacts>| contacts.map(|Contacts { security, .. }| security.clone());
    walk.words(("security", "security contact"), &security(old), &security(new));
    let incident = |contacts: Option<&Contacts>| contacts.and_then(|it| it.incident.clone());
    let (old, new) = (incident(old), incident(new));
    let email = |contact: &Option<IncidentContact>| contact.as_ref().map(|it| it.email.clone());
    let within =
        |contact: &Option<IncidentContact>| contact.as_ref().and_then(|it| it.acknowledge_within.clone());
    walk.words(("incident.email", "incident contact"), &email(&old), &email(&new));
    let clause = ("incident.acknowledgeWithin", "incidents acknowledged within");
    walk.at_most(clause, within(&old).as_ref(), within(&new).as_ref());
}

/// Controls that they have shown ⊆, and until when they count ≤. Other evidence is something else.
fn controls(walk: &mut Walk, old: &[Control], new: &[Control]) {
    let name = |control: &Control| control.name.clone();
    walk.family(("controls", "control"), (old, new), name, |walk, old, new| {
        let Control { name: _, evidence: proof, valid_until } = old;
        let uri = |proof: &Option<Evidence>| proof.as_ref().map(|Evidence { uri, .. }| uri.clone());
        let digest =
            |proof: &Option<Evidence>| proof.as_ref().and_then(|Evidence { digest, .. }| digest.clone());
        walk.under("evidence", "", |walk| {
            paper(walk, ("uri", "evidence"), &uri(proof), &uri(&new.evidence));
            paper(walk, ("digest", "digest of the evidence"), &digest(proof), &digest(&new.evidence));
        });
        walk.at_most(("validUntil", "validity"), Some(valid_until), Some(&new.valid_until));
        Some(old.clone())
    });
}

/// Namespaces that may name them: those of a list, those with labels, or all; none said: none.
fn namespaces(walk: &mut Walk, old: Option<&NamespaceScope>, new: Option<&NamespaceScope>) {
    let nowhere = NamespaceScope::default();
    let (old, new) = (old.unwrap_or(&nowhere), new.unwrap_or(&nowhere));
    let effect = Comparison::of(!is_within(old, new), !is_within(new, old));
    let clause = ("allowedNamespaces", "may be named by");
    walk.became(clause, describe(old), describe(new), effect);
}

/// Whether every namespace that `one` means, `other` means too.
fn is_within(one: &NamespaceScope, other: &NamespaceScope) -> bool {
    let labels =
        |scope: &NamespaceScope| scope.selector.clone().map_or_else(Default::default, |it| it.match_labels);
    let means_none = match one.from {
        NamespaceChoice::Names => one.names.is_empty(),
        NamespaceChoice::Selector => labels(one).is_empty(),
        NamespaceChoice::All => false,
    };
    means_none
        || match (one.from, other.from) {
            (_, NamespaceChoice::All) => true,
            (NamespaceChoice::Names, NamespaceChoice::Names) => {
                one.names.iter().all(|name| other.names.contains(name))
            }
            (NamespaceChoice::Selector, NamespaceChoice::Selector) => {
                let asked = labels(other);
                !asked.is_empty() && asked.iter().all(|(key, value)| labels(one).get(key) == Some(value))
            }
            // What labels a namespace has, or which namespaces there are, isn't said here.
            _ => false,
        }
}
