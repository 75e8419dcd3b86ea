//! Whether the signer may sign: the rule by which a lost key is told from a first one.
//!
//! The authority's key is stored first, then it is written down in a public ConfigMap, and only then is
//! anything signed. So where it is written down and has no key, the key was lost, and a new one would be a
//! quiet replacement of what others already trust. That is for people to do.

use jiff::Timestamp;

use super::ca::brought::{Unfit, place};
use super::ca::step::Look;
use super::ca::{Brought, Chest, Entry, Key, Keys, Maker, Owner, Slot, Trouble};
use super::opening::Opening;
use super::witness::Doubt;
use crate::pki::{Anchor, PkiError, rotation};

/// Why nothing is signed, of which authority. What it says ends with what to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// Where the authority is kept.
    pub chest: Chest,
    /// In which Secret.
    pub slot: Slot,
    /// What is wrong.
    pub cause: Cause,
    /// In which Secret another one is brought, where none is made.
    pub bring: Option<String>,
}

/// What is wrong with an authority, or with what asks for it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Cause {
    /// It was written down, and its key is gone.
    Lost,
    /// Its key is there, but can't be used.
    Unusable(PkiError),
    /// The ledger can't be read, so nobody can say which authority it speaks of.
    MarkerUnreadable,
    /// The ledger is gone, and what there is isn't the first authority alone.
    MarkerLost,
    /// Another key than the one that was written down.
    Replaced,
    /// What the platform brought isn't taken.
    Unfit(Unfit),
    /// The journal isn't believed by which a stage is open.
    Doubted(Doubt),
    /// The trust domain was changed since it was made.
    OtherTrustDomain {
        /// What it speaks for.
        found: String,
        /// What it should speak for.
        wanted: String,
    },
    /// It has expired.
    Expired {
        /// When.
        at: Timestamp,
        /// When the next one signs, if there is one.
        next: Option<Timestamp>,
    },
    /// It isn't valid yet, and won't be soon.
    NotYetValid {
        /// Since when it is.
        at: Timestamp,
    },
    /// It was given up.
    GivenUp {
        /// When the next one signs, if there is one.
        next: Option<Timestamp>,
    },
}

impl Refusal {
    /// Nothing is signed for an opening, whatever its authority.
    pub fn of(opening: &Opening, cause: Cause) -> Self {
        Self { chest: opening.chest(), slot: Slot::First, cause, bring: None }
    }

    /// One word, for Events and metrics.
    pub const fn word(&self) -> &'static str {
        match self.cause {
            Cause::Lost => "AuthorityLost",
            Cause::Unusable(_) => "AuthorityUnusable",
            Cause::MarkerUnreadable => "AuthorityMarkerUnreadable",
            Cause::MarkerLost => "AuthorityMarkerLost",
            Cause::Replaced => "AuthorityReplaced",
            Cause::Unfit(_) => "AuthorityUnfit",
            Cause::Doubted(_) => "JournalDoubted",
            Cause::OtherTrustDomain { .. } => "AuthorityOfOtherTrustDomain",
            Cause::Expired { .. } => "AuthorityExpired",
            Cause::NotYetValid { .. } => "AuthorityNotYetValid",
            Cause::GivenUp { .. } => "AuthorityGivenUp",
        }
    }

    /// What is published of it in the namespace of the stage, where the partner's people read it.
    pub fn published(&self) -> String {
        match &self.cause {
            Cause::Doubted(doubt) => doubt.in_general(),
            _ => self.to_string(),
        }
    }

    /// When it is over by itself, where everybody waits for that who had something signed.
    pub const fn is_over_at(&self) -> Option<Timestamp> {
        match self.cause {
            Cause::Expired { next, .. } => next,
            _ => None,
        }
    }

    /// What is wrong, in words.
    fn told(&self) -> String {
        let (secret, ledger) = (self.chest.secret(self.slot), self.chest.ledger());
        match &self.cause {
            Cause::Doubted(doubt) => doubt.to_string(),
            Cause::Lost => format!(
                "the key of this authority is lost: Secret {secret} doesn't exist, though ConfigMap {ledger} says \
                 that it did"
            ),
            Cause::Unusable(error) => {
                format!("the key of this authority can't be used: Secret {secret}: {error}")
            }
            Cause::MarkerUnreadable => {
                format!(
                    "ConfigMap {ledger} doesn't say which authorities there are, in a way that can be read"
                )
            }
            Cause::MarkerLost => format!(
                "ConfigMap {ledger} is lost, and what the Secrets {} and {} hold isn't the first authority alone: \
                 nobody can say which one signs, and which others are believed",
                self.chest.secret(Slot::First),
                self.chest.secret(Slot::Second)
            ),
            Cause::Replaced => format!(
                "Secret {secret} holds another authority than the one that ConfigMap {ledger} speaks of"
            ),
            Cause::Unfit(unfit) => {
                format!("the authority that was brought in Secret {secret} isn't taken: {unfit}")
            }
            Cause::OtherTrustDomain { found, wanted } => format!(
                "this authority speaks for {found}, and Comity was told to speak for {wanted}: set trustDomain back"
            ),
            Cause::NotYetValid { at } => format!(
                "this authority (Secret {secret}) isn't valid before {at}: a clock was ahead when it was made"
            ),
            Cause::Expired { at, .. } => {
                format!("this authority (Secret {secret}) expired at {at}, and so has all that it signed")
            }
            Cause::GivenUp { .. } => "the authority that signed was given up".to_owned(),
        }
    }

    /// What to do, in words.
    fn remedy(&self) -> String {
        match &self.cause {
            Cause::Doubted(_) => String::new(),
            Cause::Expired { next, .. } | Cause::GivenUp { next } => match next {
                Some(next) => {
                    format!(
                        ". The next one is published, and signs from {next}: there is nothing to do but to wait"
                    )
                }
                None => match &self.bring {
                    None => ". None is ready to take its place: comity ca prepare makes one".to_owned(),
                    Some(secret) => {
                        format!(". None is ready to take its place: bring one in Secret {secret}")
                    }
                },
            },
            Cause::Unfit(_) => ". Put another one there; or delete it, and one is made".to_owned(),
            Cause::MarkerUnreadable => format!(". Restore it from a backup; or {}", self.anew()),
            Cause::MarkerLost => {
                format!(". Restore the ConfigMap from a backup; or {}", self.anew())
            }
            Cause::OtherTrustDomain { .. } => format!(". Or {}", self.anew()),
            Cause::NotYetValid { .. } => {
                ". Set the clock right; or give it up with comity ca taint, and another one takes its place"
                    .to_owned()
            }
            _ => {
                let other = match &self.bring {
                    None => "another one takes its place".to_owned(),
                    Some(_) => "bring another one, which takes its place".to_owned(),
                };
                format!(
                    ". Restore it from a backup; or give it up with comity ca taint, and {other}; or {}",
                    self.anew()
                )
            }
        }
    }

    fn anew(&self) -> String {
        let [first, second] = Slot::BOTH.map(|slot| self.chest.secret(slot));
        format!(
            "delete Secrets {first} and {second} and ConfigMap {} (whichever exist), and a new authority makes all \
             certificates anew",
            self.chest.ledger()
        )
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}{}", self.told(), self.remedy())
    }
}

/// Where there is no ledger: what was stored before it could be written, if that can be told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Unwritten {
    /// There is nothing: make the first one.
    Nothing,
    /// This one is to be written down.
    Stored(Slot),
    /// The platform brought this one, to be the first.
    Brought(Box<Brought>),
    /// It can't be told.
    Refuse(Slot, Cause),
}

/// What there is where nothing is written down: whoever died before the first ledger was written leaves the
/// first authority in the first Secret, and nothing else.
pub fn unwritten(keys: &Keys, owner: &Owner) -> Unwritten {
    let is_first = |found: &Anchor| found.is_called(&owner.common_name(1));
    match (&keys.first, &keys.second) {
        (Key::Absent, Key::Absent) => Unwritten::Nothing,
        (Key::Held(found), Key::Absent) if is_first(found) => Unwritten::Stored(Slot::First),
        (Key::Brought(brought), Key::Absent) => Unwritten::Brought(brought.clone()),
        (Key::Held(_) | Key::Brought(_), Key::Absent | Key::Held(_) | Key::Brought(_)) => {
            Unwritten::Refuse(Slot::First, Cause::MarkerLost)
        }
        (Key::Absent, Key::Held(_) | Key::Brought(_)) => Unwritten::Refuse(Slot::Second, Cause::MarkerLost),
        (Key::Unusable(error), _) => Unwritten::Refuse(Slot::First, Cause::Unusable(error.clone())),
        (_, Key::Unusable(error)) => Unwritten::Refuse(Slot::Second, Cause::Unusable(error.clone())),
    }
}

/// Which authority signs; or why none does.
pub fn signs<'a>(look: &Look<'a>, chest: &Chest, now: Timestamp) -> Result<&'a Entry, Refusal> {
    let next = || {
        let next = look.heir(now)?;
        Some(rotation::later(next.published_at, rotation::margin(next.certificate.lifetime())))
    };
    let bring = (look.ledger.maker == Maker::Platform).then(|| place(look.ledger, chest));
    let refuse = |slot, cause| Refusal { chest: chest.clone(), slot, cause, bring: bring.clone() };
    let Some(active) = look.ledger.active() else {
        return Err(refuse(Slot::First, Cause::GivenUp { next: next() }));
    };
    let cause = match look.trouble(active, now) {
        None => return Ok(active),
        Some(Trouble::Lost) => Cause::Lost,
        Some(Trouble::Unusable(error)) => Cause::Unusable(error),
        Some(Trouble::Replaced) => Cause::Replaced,
        Some(Trouble::OtherTrustDomain(found)) => {
            Cause::OtherTrustDomain { found, wanted: look.id.to_string() }
        }
        Some(Trouble::Expired(at)) => Cause::Expired { at, next: next() },
        Some(Trouble::NotYetValid(at)) => Cause::NotYetValid { at },
    };
    Err(refuse(active.slot, cause))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::Authority;
    use crate::signer::testing;

    /// What there is where this is stored.
    fn held(certificate: &str, key: &str) -> Key {
        match Authority::parse(certificate.as_bytes(), key.as_bytes()) {
            Ok(authority) => Key::Held(authority.anchor().clone()),
            Err(error) => Key::Unusable(error),
        }
    }

    #[test]
    fn what_was_stored_and_not_written_down_is_told_from_what_was_lost() {
        let held = || Key::Held(testing::authority().anchor().clone());
        let owner = testing::opening().owner();
        let keys = |first: Key, second: Key| unwritten(&Keys { first, second }, &owner);
        assert_eq!(keys(Key::Absent, Key::Absent), Unwritten::Nothing);
        assert_eq!(keys(held(), Key::Absent), Unwritten::Stored(Slot::First));
        assert_eq!(keys(Key::Absent, held()), Unwritten::Refuse(Slot::Second, Cause::MarkerLost));
        let later = Owner { contract: "another".to_owned(), ..owner.clone() };
        let kept = Keys { first: held(), second: Key::Absent };
        assert_eq!(unwritten(&kept, &later), Unwritten::Refuse(Slot::First, Cause::MarkerLost), "another's");
        assert_eq!(keys(held(), held()), Unwritten::Refuse(Slot::First, Cause::MarkerLost));
        let broken = || Key::Unusable(PkiError::NotAKey);
        assert_eq!(
            keys(broken(), held()),
            Unwritten::Refuse(Slot::First, Cause::Unusable(PkiError::NotAKey))
        );
        assert_eq!(
            keys(held(), broken()),
            Unwritten::Refuse(Slot::Second, Cause::Unusable(PkiError::NotAKey))
        );
    }

    #[test]
    fn a_refusal_says_what_to_do_and_nothing_of_the_key() {
        let authority = testing::authority();
        let text = authority.stored().reveal().to_owned();
        let backwards: String = text.chars().rev().collect();
        let Key::Unusable(error) = held(authority.anchor().pem(), &backwards) else { panic!() };
        let refusal = Refusal::of(&testing::opening(), Cause::Unusable(error));
        let told = format!("{refusal} {refusal:?}");
        assert!(told.contains("Restore it from a backup"), "{told}");
        let line = text.lines().nth(1).unwrap();
        assert!(!told.contains(line), "{told}");
    }

    #[test]
    fn what_is_over_says_when_the_next_one_signs() {
        let next = "2026-12-01T12:05:00Z".parse().ok();
        for (cause, words) in [
            (Cause::GivenUp { next }, "signs from 2026-12-01T12:05:00Z"),
            (Cause::Expired { at: testing::now(), next: None }, "comity ca prepare"),
        ] {
            let told = Refusal::of(&testing::opening(), cause).to_string();
            assert!(told.contains(words), "{told}");
        }
    }
}
