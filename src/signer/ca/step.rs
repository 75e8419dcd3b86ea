//! The next step: an ordered list of rules, of which the first that finds something to do decides.

use jiff::{SignedDuration, Timestamp};

use super::brought::{Brought, Maker, adopt};
use super::ledger::{Chest, Entry, Ledger, Need, Phase, Slot};
use super::obey::obey;
use super::order::Found;
use crate::pki::{Anchor, PkiError, SpiffeId, rotation};

/// So many are published at once at most.
pub const MOST: usize = 8;

/// A clock may have been set back by this since an authority was made: what it signs then can be used soon.
pub const SET_BACK: SignedDuration = SignedDuration::from_hours(2);

/// What is in one of the two Secrets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Key {
    /// There is no such Secret.
    Absent,
    /// It can't be used.
    Unusable(PkiError),
    /// A key that fits this certificate.
    Held(Anchor),
    /// What the platform put there.
    Brought(Box<Brought>),
}

/// What is in both.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Keys {
    /// In the first.
    pub first: Key,
    /// In the second.
    pub second: Key,
}

impl Keys {
    /// What is in one.
    pub const fn of(&self, slot: Slot) -> &Key {
        match slot {
            Slot::First => &self.first,
            Slot::Second => &self.second,
        }
    }
}

/// What stands.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// The ledger.
    pub ledger: &'a Ledger,
    /// The keys.
    pub keys: &'a Keys,
    /// What is asked of the authorities just now, if it is known.
    pub need: Option<Need>,
    /// What people want done.
    pub order: Option<&'a Found>,
    /// The trust domain that is spoken for.
    pub id: &'a SpiffeId,
    /// Where they are kept.
    pub chest: &'a Chest,
}

/// The next step.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// There is nothing to do.
    Rest,
    /// Make a key, and store it.
    Make {
        /// Where.
        slot: Slot,
        /// Of which number.
        number: u32,
    },
    /// Say for whom the key is used that was brought, so that nobody else uses it.
    Claim {
        /// Where it is.
        slot: Slot,
        /// As which number.
        number: u32,
    },
    /// Write this down.
    Record(Box<Ledger>),
    /// Destroy the key in a slot.
    Destroy(Slot),
    /// Take away the order, which was answered.
    Dismiss,
}

/// What keeps an authority from signing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Trouble {
    /// Its key is gone.
    Lost,
    /// Its key is there, but can't be used.
    Unusable(PkiError),
    /// Another key than the one that was written down.
    Replaced,
    /// It is of another trust domain.
    OtherTrustDomain(String),
    /// It has expired.
    Expired(Timestamp),
    /// It isn't valid yet: a clock was ahead when it was made.
    NotYetValid(Timestamp),
}

type Rule = fn(&Look<'_>, Timestamp) -> Option<Step>;

const RULES: [Rule; 9] = [answer, need, destroy, forget, retire, discard, take_over, adopt, prepare];

impl<'a> Look<'a> {
    /// The next step.
    pub fn step(&self, now: Timestamp) -> Step {
        RULES.iter().find_map(|rule| rule(self, now)).unwrap_or(Step::Rest)
    }

    /// What keeps an authority from signing, if anything does.
    pub fn trouble(&self, entry: &Entry, now: Timestamp) -> Option<Trouble> {
        let found = match self.keys.of(entry.slot) {
            Key::Absent => return Some(Trouble::Lost),
            Key::Unusable(error) => return Some(Trouble::Unusable(error.clone())),
            Key::Held(found) => found,
            Key::Brought(brought) => match &brought.held {
                Ok(found) => found,
                Err(error) => return Some(Trouble::Unusable(error.clone())),
            },
        };
        let life = entry.certificate.lifetime();
        let (begin, end) = (life.not_before(), life.not_after());
        if !found.same_authority(&entry.certificate) {
            Some(Trouble::Replaced)
        } else if found.id() != self.id {
            Some(Trouble::OtherTrustDomain(found.id().to_string()))
        } else {
            (rotation::later(now, SET_BACK) < begin)
                .then_some(Trouble::NotYetValid(begin))
                .or((end <= now).then_some(Trouble::Expired(end)))
        }
    }

    /// The next one, if it could sign.
    pub fn heir(&self, now: Timestamp) -> Option<&Entry> {
        self.ledger.prepared().filter(|next| self.trouble(next, now).is_none())
    }

    /// When something is to be done, although nobody does anything.
    pub fn look_again(&self, now: Timestamp) -> Option<Timestamp> {
        let ttl = self.ledger.need.ttl;
        let moments = self.ledger.authorities.iter().flat_map(|entry| {
            let life = entry.certificate.lifetime();
            let end = life.not_after();
            // When a clock that was ahead has been overtaken.
            let begin = rotation::later(life.not_before(), -SET_BACK);
            match entry.phase {
                Phase::Prepared => vec![
                    begin,
                    rotation::later(entry.published_at, rotation::margin(life)),
                    rotation::ripe_at(entry.published_at, life, ttl),
                    end,
                ],
                Phase::Active => {
                    vec![
                        begin,
                        rotation::prepare_at(life),
                        rotation::take_over_at(life),
                        rotation::later(end, -ttl),
                        end,
                    ]
                }
                _ => entry.ends_in_others().into_iter().collect(),
            }
        });
        moments.filter(|moment| *moment > now).min()
    }

    /// The one of them that has the key of this certificate.
    pub(super) fn is_known(&self, found: &Anchor) -> Option<&'a Entry> {
        self.ledger.authorities.iter().find(|entry| entry.certificate.same_authority(found))
    }

    /// Whether one of them has its key there.
    pub(super) fn is_claimed(&self, slot: Slot) -> bool {
        self.ledger.authorities.iter().any(|entry| entry.slot == slot && entry.phase.has_key())
    }

    /// Whether what is kept can be gone by: where the key of the one that signs isn't what was written down,
    /// people have to look before anything takes its place.
    fn is_sound(&self, now: Timestamp) -> bool {
        let trouble = self.ledger.active().and_then(|active| self.trouble(active, now));
        matches!(trouble, None | Some(Trouble::Expired(_)))
    }
}

/// What people want done comes first.
fn answer(look: &Look<'_>, now: Timestamp) -> Option<Step> {
    let order = look.order?;
    let is_answered = look.ledger.answer.as_ref().is_some_and(|answer| answer.uid == order.uid);
    Some(if is_answered { Step::Dismiss } else { Step::Record(Box::new(obey(look, order, now))) })
}

/// More is asked of them than was.
fn need(look: &Look<'_>, _: Timestamp) -> Option<Step> {
    let need = look.ledger.need.and(look.need?);
    (need != look.ledger.need).then(|| Step::Record(Box::new(Ledger { need, ..look.ledger.clone() })))
}

/// A key whose authority is over.
fn destroy(look: &Look<'_>, _: Timestamp) -> Option<Step> {
    let dead = |slot: Slot, phase: fn(Phase) -> bool| {
        look.ledger.authorities.iter().any(|entry| entry.slot == slot && phase(entry.phase))
    };
    let is_over = |slot: Slot| match look.keys.of(slot) {
        Key::Absent => false,
        Key::Unusable(_) => dead(slot, |phase| !phase.has_key()),
        Key::Held(found) => match look.is_known(found) {
            Some(entry) => !entry.phase.has_key(),
            None => dead(slot, |phase| phase == Phase::Retired),
        },
        // What the platform put there and isn't over isn't Comity's to destroy.
        Key::Brought(brought) => {
            let known = brought.held.as_ref().ok().and_then(|found| look.is_known(found));
            known.is_some_and(|entry| !entry.phase.has_key())
        }
    };
    let is_over = |slot: Slot| !look.is_claimed(slot) && is_over(slot);
    Slot::BOTH.into_iter().find(|slot| is_over(*slot)).map(Step::Destroy)
}

/// One that is over, and whose key is destroyed.
fn forget(look: &Look<'_>, _: Timestamp) -> Option<Step> {
    let gone = look.ledger.in_phase(Phase::Retired)?;
    Some(Step::Record(Box::new(look.ledger.clone().without(gone.number))))
}

/// One of which nothing lives any more.
fn retire(look: &Look<'_>, now: Timestamp) -> Option<Step> {
    let is_over = |entry: &&Entry| {
        matches!(entry.phase, Phase::Retiring | Phase::Tainted) && !entry.lives_in_others(now)
    };
    let over = look.ledger.authorities.iter().find(is_over)?;
    Some(Step::Record(Box::new(look.ledger.clone().without(over.number))))
}

/// A next one that ended before its turn came.
fn discard(look: &Look<'_>, now: Timestamp) -> Option<Step> {
    let next = look.ledger.prepared()?;
    let is_over = next.certificate.lifetime().not_after() <= now;
    let over = next.clone().now_in(Phase::Retired, now);
    is_over.then(|| Step::Record(Box::new(look.ledger.clone().with(&over))))
}

/// The next one takes over.
fn take_over(look: &Look<'_>, now: Timestamp) -> Option<Step> {
    let next = look.heir(now)?;
    (look.is_sound(now) && is_time(look.ledger, next, now))
        .then(|| Step::Record(Box::new(taken_over(look.ledger, next, now))))
}

/// The ledger once the next one has taken over.
pub fn taken_over(ledger: &Ledger, next: &Entry, now: Timestamp) -> Ledger {
    let old = ledger.active().map(|active| active.clone().now_in(Phase::Retiring, now));
    let ledger = old.iter().fold(ledger.clone(), Ledger::with);
    let signs = next.clone().signs(ledger.need, now);
    ledger.with(&signs)
}

fn is_time(ledger: &Ledger, next: &Entry, now: Timestamp) -> bool {
    let (life, ttl) = (next.certificate.lifetime(), ledger.need.ttl);
    if now < rotation::later(next.published_at, rotation::margin(life)) {
        return false;
    }
    let Some(active) = ledger.active().map(|active| active.certificate.lifetime()) else { return true };
    let is_late = active.not_after() <= rotation::later(now, ttl);
    let is_due = rotation::take_over_at(active) <= now || !active.may_sign(ttl);
    is_late || is_due && rotation::ripe_at(next.published_at, life, ttl) <= now
}

/// The next one is made, and published.
fn prepare(look: &Look<'_>, now: Timestamp) -> Option<Step> {
    let ledger = look.ledger;
    if ledger.prepared().is_some() || !look.is_sound(now) && !ledger.hurry || !is_wanted(ledger, now) {
        return None;
    }
    if ledger.maker == Maker::Platform {
        return None;
    }
    let (slot, key) = place(look, now)?;
    let number = ledger.last.saturating_add(1);
    match key {
        Key::Absent => Some(Step::Make { slot, number }),
        Key::Held(found) if fits(look, found, now) => {
            let made = (found.clone(), Maker::Comity);
            Some(Step::Record(Box::new(prepared(ledger, made, (slot, number), now))))
        }
        Key::Brought(_) => None,
        // Somebody said that another one is to be made: what stands in the way is nobody's.
        _ => ledger.hurry.then_some(Step::Destroy(slot)),
    }
}

/// Where the next one is kept: where one was stored that isn't written down yet, else where nothing is.
fn place<'a>(look: &Look<'a>, now: Timestamp) -> Option<(Slot, &'a Key)> {
    let free = Slot::BOTH.into_iter().filter(|slot| !look.is_claimed(*slot));
    let rank = |key: &Key| match key {
        Key::Held(found) if fits(look, found, now) => 0,
        Key::Absent => 1,
        _ => 2,
    };
    free.map(|slot| (slot, look.keys.of(slot))).min_by_key(|(_, key)| rank(key))
}

/// Whether a key that isn't written down is the very one that was to be made next. One of any other
/// number is an old one that somebody put back: who gave it up must not meet it again.
fn fits(look: &Look<'_>, found: &Anchor, now: Timestamp) -> bool {
    let life = found.lifetime();
    let name = look.ledger.owner.common_name(look.ledger.last.saturating_add(1));
    let is_new = look.is_known(found).is_none() && found.id() == look.id && found.is_called(&name);
    is_new && rotation::later(now, rotation::margin(life)) < life.not_after()
}

/// The ledger once the next one is published.
pub(super) fn prepared(
    ledger: &Ledger,
    (certificate, maker): (Anchor, Maker),
    (slot, number): (Slot, u32),
    now: Timestamp,
) -> Ledger {
    let mut ledger = ledger.clone();
    (ledger.last, ledger.hurry, ledger.maker) = (number, false, maker);
    ledger.authorities.push(Entry {
        number,
        phase: Phase::Prepared,
        slot,
        published_at: now,
        since: now,
        issued_until: None,
        maker,
        certificate,
    });
    ledger
}

/// Whether another one is wanted by now.
fn is_wanted(ledger: &Ledger, now: Timestamp) -> bool {
    let Need { ttl, until } = ledger.need;
    if ledger.authorities.len() >= MOST {
        return false;
    }
    let Some(active) = ledger.active() else { return ledger.hurry || now < until };
    let life = active.certificate.lifetime();
    let is_needed = now < until && life.not_after() < rotation::later(until, ttl);
    ledger.hurry || is_needed && (rotation::prepare_at(life) <= now || !life.may_sign(ttl))
}
