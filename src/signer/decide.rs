//! What to do in the namespace of one stage. Pure: what stands goes in, what to do comes out.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::build;
use super::opening::Opening;
use super::site::Site;
use crate::pki::check::{self, Reason, Stored, Verdict, Wanted};
use crate::pki::{PkiError, Trust};

/// What stands in the namespace of a stage, as far as it is the signer's.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The namespace itself.
    pub site: Option<Site>,
    /// The Secrets that exist, by workload.
    pub secrets: BTreeMap<String, Secret>,
    /// What is published.
    pub trust: Option<ConfigMap>,
}

/// What to do in the namespace of a stage.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// Nothing: it doesn't exist yet, or it is somebody else's.
    Leave,
    /// Take back what was given, Secrets before the ConfigMap: others wait for that one to go.
    Remove {
        /// The Secrets.
        secrets: Vec<Doomed>,
        /// The ConfigMap.
        trust: Option<Doomed>,
    },
    /// See to it that every workload has its certificate.
    Keep(Keep),
}

/// An object that is to be deleted, this one and no later one of its name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Doomed {
    /// Its name.
    pub name: String,
    /// Its UID, which goes along as a precondition.
    pub uid: String,
}

/// How the certificates of a stage are kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Keep {
    /// The certificates that have to be issued, first of all.
    pub issue: Vec<Issue>,
    /// The certificates that serve, as PEM, by workload; also those that are to be made anew and still do.
    pub serving: BTreeMap<String, String>,
    /// The Secrets whose certificates serve, and that have other anchors beside them than are believed now.
    pub outdated: Vec<String>,
    /// When the first of those is to be renewed.
    pub renew_at: Option<Timestamp>,
}

/// A certificate that has to be issued.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Issue {
    /// For whom.
    pub workload: String,
    /// Why.
    pub why: Why,
    /// A Secret of the same name that stands in the way, since its type can't be changed.
    pub in_the_way: Option<Doomed>,
}

/// Why a certificate has to be issued.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, thiserror::Error)]
pub enum Why {
    /// What is stored doesn't serve.
    #[error("{0}")]
    Unfit(Reason),
    /// The Secret isn't labelled, or isn't of the type, that it was given.
    #[error("its Secret was changed")]
    Disguised,
}

impl Why {
    /// One word, for Events and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unfit(reason) => reason.word(),
            Self::Disguised => "Disguised",
        }
    }

    /// Whether it is in the normal run of things, rather than somebody's meddling.
    pub const fn expected(self) -> bool {
        matches!(
            self,
            Self::Unfit(
                Reason::Missing | Reason::DueForRenewal { .. } | Reason::Expired | Reason::AuthorityGivenUp
            )
        )
    }
}

/// Decides, for certificates of these authorities.
///
/// Where nobody can say which those are, no certificate is looked at: those that were issued stay until
/// they end by themselves.
pub fn decide(
    opening: &Opening,
    place: &Place,
    trust: Option<&Trust>,
    trust_domain: &str,
    now: Timestamp,
) -> Result<Decision, PkiError> {
    let Some(site) = place.site.as_ref().filter(|site| opening.owns(site)) else {
        return Ok(Decision::Leave);
    };
    if !opening.open || opening.end <= now || site.is_closing() {
        return Ok(remove(place));
    }
    let mut keep = Keep::default();
    if let Some(trust) = trust {
        for workload in &opening.workloads {
            look(&mut keep, opening, place, workload, trust, trust_domain, now)?;
        }
    }
    Ok(Decision::Keep(keep))
}

/// Whether what is published differs from what should be.
pub fn differs(wanted: &ConfigMap, live: Option<&ConfigMap>) -> bool {
    live.is_none_or(|live| live.data != wanted.data || !labelled(&live.metadata, &wanted.metadata))
}

fn look(
    keep: &mut Keep,
    opening: &Opening,
    place: &Place,
    workload: &str,
    trust: &Trust,
    trust_domain: &str,
    now: Timestamp,
) -> Result<(), PkiError> {
    let id = opening.identity(trust_domain, workload)?;
    let wanted = Wanted { id: &id, trust, ttl: opening.ttl, end: opening.end };
    let secret = place.secrets.get(workload);
    let stored = stored(secret);
    let chain = || String::from_utf8_lossy(stored.certificate.unwrap_or_default()).into_owned();
    let why = match check::check(&stored, &wanted, now) {
        Verdict::Replace(reason) => {
            if reason.serves_meanwhile() {
                keep.serving.insert(workload.to_owned(), chain());
            }
            Why::Unfit(reason)
        }
        Verdict::Serves { .. } if !genuine(opening, secret) => Why::Disguised,
        Verdict::Serves { renew_at, is_up_to_date, .. } => {
            keep.renew_at = earliest(keep.renew_at, renew_at);
            keep.serving.insert(workload.to_owned(), chain());
            keep.outdated.extend((!is_up_to_date).then(|| workload.to_owned()));
            return Ok(());
        }
    };
    let in_the_way = secret.filter(|secret| secret.type_.as_deref() != Some(build::TLS));
    let in_the_way = in_the_way.and_then(|secret| doomed(&secret.metadata));
    keep.issue.push(Issue { workload: workload.to_owned(), why, in_the_way });
    Ok(())
}

/// The earlier of two instants, of which either may be never.
pub fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    [one, other].into_iter().flatten().min()
}

fn remove(place: &Place) -> Decision {
    Decision::Remove {
        secrets: place.secrets.values().filter_map(|secret| doomed(&secret.metadata)).collect(),
        trust: place.trust.as_ref().and_then(|trust| doomed(&trust.metadata)),
    }
}

/// This very object, to be deleted.
pub fn doomed(metadata: &ObjectMeta) -> Option<Doomed> {
    Some(Doomed { name: metadata.name.clone()?, uid: metadata.uid.clone()? })
}

fn stored(secret: Option<&Secret>) -> Stored<'_> {
    let part = |key: &str| secret?.data.as_ref()?.get(key).map(|value| value.0.as_slice());
    Stored {
        certificate: part(build::CERTIFICATE_KEY),
        key: part(build::PRIVATE_KEY),
        authority: part(build::ANCHOR_KEY),
    }
}

fn genuine(opening: &Opening, secret: Option<&Secret>) -> bool {
    secret.is_some_and(|secret| {
        let wanted = ObjectMeta { labels: Some(opening.labels()), ..ObjectMeta::default() };
        secret.type_.as_deref() == Some(build::TLS) && labelled(&secret.metadata, &wanted)
    })
}

/// Whether all labels of `wanted` are on `live`.
fn labelled(live: &ObjectMeta, wanted: &ObjectMeta) -> bool {
    let live = live.labels.as_ref();
    wanted
        .labels
        .iter()
        .flatten()
        .all(|(label, value)| live.is_some_and(|live| live.get(label) == Some(value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::name;
    use crate::pki::testing::at_once;
    use crate::pki::{Anchor, issue};
    use crate::signer::testing::{self, TRUST_DOMAIN, now};
    use jiff::SignedDuration;
    use k8s_openapi::ByteString;

    fn decision(opening: &Opening, place: &Place, anchor: Option<&Anchor>) -> Decision {
        let trust = anchor.map(Trust::only);
        decide(opening, place, trust.as_ref(), TRUST_DOMAIN, now()).unwrap()
    }

    fn keep(opening: &Opening, place: &Place, anchor: &Anchor) -> Keep {
        match decision(opening, place, Some(anchor)) {
            Decision::Keep(keep) => keep,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nothing_is_done_in_a_namespace_that_is_not_the_stages_own() {
        let (opening, authority) = (testing::opening(), testing::authority());
        let anchor = Some(authority.anchor());
        assert_eq!(decision(&opening, &Place::default(), anchor), Decision::Leave);
        for label in [name::LABEL_GRANT_UID, name::LABEL_STAGE] {
            let mut place = testing::place(&opening);
            place.site.as_mut().unwrap().labels.insert(label.to_owned(), "other".to_owned());
            assert_eq!(decision(&opening, &place, anchor), Decision::Leave, "{label}");
            place.site.as_mut().unwrap().labels.clear();
            assert_eq!(decision(&opening, &place, anchor), Decision::Leave, "{label}");
        }
        let mut place = testing::place(&opening);
        place.site.as_mut().unwrap().name = "comity-other".to_owned();
        assert_eq!(decision(&opening, &place, anchor), Decision::Leave);
    }

    #[test]
    fn an_open_stage_gets_a_certificate_for_each_workload_and_keeps_it() {
        let (opening, authority) = (testing::opening(), testing::authority());
        let mut place = testing::place(&opening);
        let first = keep(&opening, &place, authority.anchor());
        let asked: Vec<&str> = first.issue.iter().map(|issue| issue.workload.as_str()).collect();
        assert_eq!(asked, ["scorer", "trainer"]);
        assert!(first.issue.iter().all(|issue| issue.why == Why::Unfit(Reason::Missing)));
        testing::fill(&mut place, &opening, &authority);
        let second = keep(&opening, &place, authority.anchor());
        assert!(second.issue.is_empty(), "{:?}", second.issue);
        assert_eq!(second.serving.len(), 2);
        assert!(second.renew_at.is_some_and(|at| at > now() && at < now() + opening.ttl));
    }

    #[test]
    fn what_is_not_open_is_taken_back_secrets_and_all() {
        let (opening, authority) = (testing::opening(), testing::authority());
        let mut place = testing::place(&opening);
        testing::fill(&mut place, &opening, &authority);
        let removal =
            |opening: &Opening, place: &Place| match decision(opening, place, Some(authority.anchor())) {
                Decision::Remove { secrets, trust } => (secrets.len(), trust.is_some()),
                other => panic!("{other:?}"),
            };
        assert_eq!(removal(&Opening { open: false, ..opening.clone() }, &place), (2, true));
        assert_eq!(removal(&Opening { end: now(), ..opening.clone() }, &place), (2, true));
        let mut closing = place.clone();
        closing
            .site
            .as_mut()
            .unwrap()
            .labels
            .insert(name::LABEL_CLOSING.to_owned(), name::CLOSING.to_owned());
        assert_eq!(removal(&opening, &closing), (2, true));
        let mut emptied = closing.clone();
        (emptied.secrets, emptied.trust) = (BTreeMap::new(), None);
        assert_eq!(removal(&opening, &emptied), (0, false));
    }

    #[test]
    fn a_secret_that_was_meddled_with_is_made_anew() {
        let (opening, authority) = (testing::opening(), testing::authority());
        let mut whole = testing::place(&opening);
        testing::fill(&mut whole, &opening, &authority);
        let why = |meddle: &dyn Fn(&mut Secret)| {
            let mut place = whole.clone();
            meddle(place.secrets.get_mut("scorer").unwrap());
            let keep = keep(&opening, &place, authority.anchor());
            keep.issue.first().map(|issue| (issue.why.word(), issue.in_the_way.is_some()))
        };
        assert_eq!(why(&|_| ()), None);
        assert_eq!(why(&|secret| secret.metadata.labels = None), Some(("Disguised", false)));
        assert_eq!(why(&|secret| secret.type_ = Some("Opaque".to_owned())), Some(("Disguised", true)));
        assert_eq!(why(&|secret| secret.data = None), Some(("Missing", false)));
        let cut = |secret: &mut Secret| {
            secret.data.as_mut().unwrap().insert("tls.crt".to_owned(), ByteString(b"no".to_vec()));
        };
        assert_eq!(why(&cut), Some(("Unparsable", false)));
        // One workload's Secret in another's place: a perfect certificate, of somebody else.
        let mut swapped = whole.clone();
        let other = swapped.secrets.get("trainer").unwrap().data.clone();
        swapped.secrets.get_mut("scorer").unwrap().data = other;
        let issue = keep(&opening, &swapped, authority.anchor()).issue;
        assert_eq!(issue.first().map(|issue| issue.why), Some(Why::Unfit(Reason::WrongIdentity)));
    }

    #[test]
    fn an_end_brought_forward_replaces_what_would_outlive_it() {
        let (opening, authority) = (testing::opening(), testing::authority());
        let mut place = testing::place(&opening);
        testing::fill(&mut place, &opening, &authority);
        let sooner = Opening { end: now() + SignedDuration::from_mins(5), ..opening };
        let keep = keep(&sooner, &place, authority.anchor());
        assert!(keep.issue.iter().all(|issue| issue.why == Why::Unfit(Reason::OutlivesEnd)));
        let id = sooner.identity(TRUST_DOMAIN, "scorer").unwrap();
        let issued = at_once(issue(&authority, &id, now(), sooner.ttl, sooner.end)).unwrap();
        assert!(issued.leaf.lifetime().not_after() <= sooner.end);
    }

    #[test]
    fn without_an_authority_nothing_is_asked_for_and_nothing_taken_back() {
        let opening = testing::opening();
        let mut place = testing::place(&opening);
        testing::fill(&mut place, &opening, &testing::authority());
        assert_eq!(decision(&opening, &place, None), Decision::Keep(Keep::default()));
    }

    #[test]
    fn what_is_published_is_compared_by_what_it_says_and_whose_it_is() {
        let (opening, authority) = (testing::opening(), testing::authority());
        let chains = BTreeMap::from([("scorer".to_owned(), "chain".to_owned())]);
        let wanted = build::trust(&opening, &Trust::only(authority.anchor()), &chains, None);
        assert!(differs(&wanted, None));
        let mut live = wanted.clone();
        live.metadata.resource_version = Some("7".to_owned());
        live.metadata.labels.as_mut().unwrap().insert("someone".to_owned(), "else".to_owned());
        assert!(!differs(&wanted, Some(&live)));
        live.data.as_mut().unwrap().insert("more".to_owned(), "data".to_owned());
        assert!(differs(&wanted, Some(&live)));
        let mut bare = wanted.clone();
        bare.metadata.labels = None;
        assert!(differs(&wanted, Some(&bare)));
    }

    #[test]
    fn a_workload_called_ca_does_not_hide_the_anchor() {
        let (opening, authority) = (testing::opening(), testing::authority());
        let chains = BTreeMap::from([("ca".to_owned(), "chain".to_owned())]);
        let data = build::trust(&opening, &Trust::only(authority.anchor()), &chains, None).data.unwrap();
        assert_eq!(data.len(), 2);
        assert_eq!(data.get(build::ANCHOR_KEY).map(String::as_str), Some(authority.anchor().pem()));
    }
}
