//! Does a stored certificate still serve? An ordered list of checks, each with its reason; the
//! first that finds something decides.

use jiff::{SignedDuration, Timestamp};

use super::inspect::Leaf;
use super::key::PrivateKey;
use super::spiffe::SpiffeId;
use super::trust::{Belief, Trust};

/// What is stored, byte for byte. Whoever could have written it isn't trusted.
#[derive(Clone, Copy, Default)]
pub struct Stored<'a> {
    /// `tls.crt`
    pub certificate: Option<&'a [u8]>,
    /// `tls.key`
    pub key: Option<&'a [u8]>,
    /// `ca.crt`
    pub authority: Option<&'a [u8]>,
}

/// What should be stored.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Whom the certificate should be about.
    pub id: &'a SpiffeId,
    /// Of which authorities one should have signed it.
    pub trust: &'a Trust,
    /// How long it may live.
    pub ttl: SignedDuration,
    /// What it may not outlive.
    pub end: Timestamp,
}

/// What to do with a stored certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It stays.
    Serves {
        /// When it is to be renewed; never, if it lasts as long as any new one could.
        renew_at: Option<Timestamp>,
        /// What it says.
        leaf: Box<Leaf>,
        /// Whether the anchors beside it are those that are believed now.
        is_up_to_date: bool,
    },
    /// A new one has to be issued.
    Replace(Reason),
}

/// Why a stored certificate doesn't serve, in the order in which it is looked for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, thiserror::Error)]
pub enum Reason {
    /// Certificate, key or anchor isn't there.
    #[error("it is missing")]
    Missing,
    /// It isn't a certificate, a key or an anchor that Comity makes.
    #[error("it can't be read")]
    Unparsable,
    /// The key is of another certificate.
    #[error("its key is of another certificate")]
    KeyMismatch,
    /// It is about someone else.
    #[error("it is about another workload")]
    WrongIdentity,
    /// None of the authorities that are believed signed it, or it was tampered with.
    #[error("it is not of this authority")]
    WrongAuthority,
    /// The authority that signed it was given up.
    #[error("the authority that signed it was given up")]
    AuthorityGivenUp,
    /// The end was brought forward since it was issued.
    #[error("it would outlive the end of its stage")]
    OutlivesEnd,
    /// The credential lifetime was shortened since it was issued.
    #[error("it lives longer than credentials may")]
    OutlivesTtl,
    /// It was issued by a clock that was ahead.
    #[error("it is not valid yet")]
    NotYetValid,
    /// It is too late to renew it.
    #[error("it has expired")]
    Expired,
    /// It is time to renew it.
    #[error("it was due for renewal at {at}")]
    DueForRenewal {
        /// Since when.
        at: Timestamp,
    },
}

impl Reason {
    /// Whether verifiers still take the certificate until there is another one.
    pub const fn serves_meanwhile(self) -> bool {
        matches!(self, Self::AuthorityGivenUp | Self::DueForRenewal { .. })
    }

    /// One word, for metrics and Events.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Missing => "Missing",
            Self::Unparsable => "Unparsable",
            Self::KeyMismatch => "KeyMismatch",
            Self::WrongIdentity => "WrongIdentity",
            Self::WrongAuthority => "WrongAuthority",
            Self::AuthorityGivenUp => "AuthorityGivenUp",
            Self::OutlivesEnd => "OutlivesEnd",
            Self::OutlivesTtl => "OutlivesTtl",
            Self::NotYetValid => "NotYetValid",
            Self::Expired => "Expired",
            Self::DueForRenewal { .. } => "DueForRenewal",
        }
    }
}

/// What is stored, once it could be read.
struct Evidence<'a> {
    leaf: Leaf,
    key: PrivateKey,
    authority: &'a [u8],
}

type Check = fn(&Evidence<'_>, &Wanted<'_>, Timestamp) -> Option<Reason>;

/// In the order in which [`Reason`] lists them, after those that reading itself finds.
const CHECKS: [Check; 9] = [
    key_mismatch,
    wrong_identity,
    wrong_authority,
    given_up,
    outlives_end,
    outlives_ttl,
    not_yet_valid,
    expired,
    due_for_renewal,
];

/// Looks at what is stored, and says whether it serves.
pub fn check(stored: &Stored<'_>, wanted: &Wanted<'_>, now: Timestamp) -> Verdict {
    let evidence = match read(stored) {
        Ok(evidence) => evidence,
        Err(reason) => return Verdict::Replace(reason),
    };
    match CHECKS.iter().find_map(|check| check(&evidence, wanted, now)) {
        Some(reason) => Verdict::Replace(reason),
        None => Verdict::Serves {
            renew_at: renewal(&evidence.leaf, wanted),
            is_up_to_date: evidence.authority == wanted.trust.pem().as_bytes(),
            leaf: Box::new(evidence.leaf),
        },
    }
}

/// When this certificate is to be renewed.
pub fn renewal(leaf: &Leaf, wanted: &Wanted<'_>) -> Option<Timestamp> {
    let last = wanted.end.min(wanted.trust.issues_until());
    leaf.lifetime().renewal(leaf.id().as_str(), leaf.serial(), last)
}

fn read<'a>(stored: &Stored<'a>) -> Result<Evidence<'a>, Reason> {
    let (Some(certificate), Some(key), Some(authority)) = (stored.certificate, stored.key, stored.authority)
    else {
        return Err(Reason::Missing);
    };
    let leaf = Leaf::parse(certificate).map_err(|_discarded| Reason::Unparsable)?;
    let key = PrivateKey::parse(key).map_err(|_discarded| Reason::Unparsable)?;
    Ok(Evidence { leaf, key, authority })
}

fn key_mismatch(evidence: &Evidence<'_>, _: &Wanted<'_>, _: Timestamp) -> Option<Reason> {
    (evidence.key.public_key() != evidence.leaf.public_key()).then_some(Reason::KeyMismatch)
}

fn wrong_identity(evidence: &Evidence<'_>, wanted: &Wanted<'_>, _: Timestamp) -> Option<Reason> {
    (evidence.leaf.id() != wanted.id).then_some(Reason::WrongIdentity)
}

fn wrong_authority(evidence: &Evidence<'_>, wanted: &Wanted<'_>, _: Timestamp) -> Option<Reason> {
    wanted.trust.belief(&evidence.leaf).is_none().then_some(Reason::WrongAuthority)
}

fn given_up(evidence: &Evidence<'_>, wanted: &Wanted<'_>, _: Timestamp) -> Option<Reason> {
    let is_given_up = wanted.trust.belief(&evidence.leaf) == Some(Belief::GivenUp);
    is_given_up.then_some(Reason::AuthorityGivenUp)
}

fn outlives_end(evidence: &Evidence<'_>, wanted: &Wanted<'_>, _: Timestamp) -> Option<Reason> {
    (evidence.leaf.lifetime().not_after() > wanted.end).then_some(Reason::OutlivesEnd)
}

fn outlives_ttl(evidence: &Evidence<'_>, wanted: &Wanted<'_>, _: Timestamp) -> Option<Reason> {
    evidence.leaf.lifetime().exceeds(wanted.ttl).then_some(Reason::OutlivesTtl)
}

fn not_yet_valid(evidence: &Evidence<'_>, _: &Wanted<'_>, now: Timestamp) -> Option<Reason> {
    (evidence.leaf.lifetime().not_before() > now).then_some(Reason::NotYetValid)
}

fn expired(evidence: &Evidence<'_>, _: &Wanted<'_>, now: Timestamp) -> Option<Reason> {
    (evidence.leaf.lifetime().not_after() <= now).then_some(Reason::Expired)
}

fn due_for_renewal(evidence: &Evidence<'_>, wanted: &Wanted<'_>, now: Timestamp) -> Option<Reason> {
    renewal(&evidence.leaf, wanted).filter(|at| *at <= now).map(|at| Reason::DueForRenewal { at })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{Authority, issue, testing};

    struct Case {
        authority: Authority,
        certificate: String,
        key: String,
    }

    fn case() -> Case {
        let authority = testing::authority();
        let issued = testing::leaf(&authority);
        Case { certificate: issued.certificate, key: issued.key.reveal().to_owned(), authority }
    }

    impl Case {
        fn stored(&self) -> Stored<'_> {
            Stored {
                certificate: Some(self.certificate.as_bytes()),
                key: Some(self.key.as_bytes()),
                authority: Some(self.authority.anchor().pem().as_bytes()),
            }
        }

        fn verdict(&self, change: impl FnOnce(&mut Wanted<'_>), now: Timestamp) -> Verdict {
            let (id, trust) = (testing::id(), Trust::only(self.authority.anchor()));
            let mut wanted = Wanted { id: &id, trust: &trust, ttl: testing::ttl(), end: testing::end() };
            change(&mut wanted);
            check(&self.stored(), &wanted, now)
        }

        fn reason(&self, change: impl FnOnce(&mut Wanted<'_>), now: Timestamp) -> Option<Reason> {
            match self.verdict(change, now) {
                Verdict::Serves { .. } => None,
                Verdict::Replace(reason) => Some(reason),
            }
        }
    }

    #[test]
    fn a_fresh_certificate_serves_until_its_renewal() {
        let case = case();
        let Verdict::Serves { renew_at: Some(at), leaf, is_up_to_date: true } =
            case.verdict(|_| (), testing::now())
        else {
            panic!("a fresh certificate doesn't serve");
        };
        assert_eq!(leaf.id(), &testing::id());
        let (before, due) = (at - SignedDuration::from_millis(1), Reason::DueForRenewal { at });
        assert_eq!(case.reason(|_| (), before), None);
        assert_eq!(case.reason(|_| (), at), Some(due));
        assert_eq!(case.reason(|_| (), leaf.lifetime().not_after()), Some(Reason::Expired));
    }

    #[test]
    fn every_missing_part_is_missing() {
        let case = case();
        let (id, trust) = (testing::id(), Trust::only(case.authority.anchor()));
        let wanted = Wanted { id: &id, trust: &trust, ttl: testing::ttl(), end: testing::end() };
        for stored in [
            Stored { certificate: None, ..case.stored() },
            Stored { key: None, ..case.stored() },
            Stored { authority: None, ..case.stored() },
            Stored::default(),
        ] {
            assert_eq!(check(&stored, &wanted, testing::now()), Verdict::Replace(Reason::Missing));
        }
    }

    #[test]
    fn what_was_tampered_with_is_replaced() {
        let (whole, other) = (case(), case());
        let reason = |change: &dyn Fn(&mut Case)| {
            let mut tampered = Case {
                authority: Authority::parse(
                    whole.authority.anchor().pem().as_bytes(),
                    whole.authority.stored().reveal().as_bytes(),
                )
                .unwrap(),
                certificate: whole.certificate.clone(),
                key: whole.key.clone(),
            };
            change(&mut tampered);
            tampered.reason(|_| (), testing::now())
        };
        assert_eq!(reason(&|_| ()), None);
        assert_eq!(reason(&|case| case.certificate.clear()), Some(Reason::Unparsable));
        assert_eq!(reason(&|case| case.key.truncate(60)), Some(Reason::Unparsable));
        assert_eq!(reason(&|case| case.key.clone_from(&other.key)), Some(Reason::KeyMismatch));
        let swap = |case: &mut Case| {
            case.key.clone_from(&other.key);
            case.certificate.clone_from(&other.certificate);
        };
        assert_eq!(reason(&swap), Some(Reason::WrongAuthority));
    }

    #[test]
    fn what_is_wanted_otherwise_is_replaced() {
        let case = case();
        let now = testing::now();
        let (other, foreign) =
            (SpiffeId::workload("spiffe://comity.local/other").unwrap(), testing::authority());
        let soon = now + SignedDuration::from_mins(10);
        let early = now - SignedDuration::from_hours(1);
        assert_eq!(case.reason(|wanted| wanted.end = soon, now), Some(Reason::OutlivesEnd));
        assert_eq!(case.reason(|wanted| wanted.ttl /= 2, now), Some(Reason::OutlivesTtl));
        assert_eq!(case.reason(|wanted| wanted.ttl *= 2, now), None);
        assert_eq!(case.reason(|_| (), early), Some(Reason::NotYetValid));
        let (id, trust) = (testing::id(), Trust::only(case.authority.anchor()));
        let base = Wanted { id: &id, trust: &trust, ttl: testing::ttl(), end: testing::end() };
        let verdict = |wanted: &Wanted<'_>| check(&case.stored(), wanted, now);
        let identity = Wanted { id: &other, ..base };
        assert_eq!(verdict(&identity), Verdict::Replace(Reason::WrongIdentity));
        let foreign = Trust::only(foreign.anchor());
        assert_eq!(verdict(&Wanted { trust: &foreign, ..base }), Verdict::Replace(Reason::WrongAuthority));
    }

    #[test]
    fn while_authorities_change_what_the_old_one_signed_serves_beside_the_anchors_of_both() {
        let (case, next) = (case(), testing::authority());
        let id = testing::id();
        let [old, new] = [case.authority.anchor(), next.anchor()].map(Clone::clone);
        let verdict = |belief| {
            let trust = Trust::of(vec![(old.clone(), belief), (new.clone(), Belief::Full)], None);
            let wanted = Wanted { id: &id, trust: &trust, ttl: testing::ttl(), end: testing::end() };
            check(&case.stored(), &wanted, testing::now())
        };
        let Verdict::Serves { is_up_to_date: false, .. } = verdict(Belief::Full) else {
            panic!("the certificate serves, and the anchors beside it are to be written anew");
        };
        assert_eq!(verdict(Belief::GivenUp), Verdict::Replace(Reason::AuthorityGivenUp));
    }

    #[test]
    fn nothing_is_renewed_that_lasts_to_the_end() {
        let authority = testing::authority();
        let (id, end) = (testing::id(), testing::now() + SignedDuration::from_mins(30));
        let issued = testing::at_once(issue(&authority, &id, testing::now(), testing::ttl(), end)).unwrap();
        let stored = Stored {
            certificate: Some(issued.certificate.as_bytes()),
            key: Some(issued.key.reveal().as_bytes()),
            authority: Some(issued.authority.as_bytes()),
        };
        let trust = Trust::only(authority.anchor());
        let wanted = Wanted { id: &id, trust: &trust, ttl: testing::ttl(), end };
        let last = end - SignedDuration::from_secs(1);
        let Verdict::Serves { renew_at: None, .. } = check(&stored, &wanted, last) else {
            panic!("it would be renewed again and again towards the end");
        };
        // An end that moved away makes it renewable again.
        let wanted = Wanted { end: testing::end(), ..wanted };
        let verdict = check(&stored, &wanted, last);
        assert!(matches!(verdict, Verdict::Replace(Reason::DueForRenewal { .. })), "{verdict:?}");
    }
}
