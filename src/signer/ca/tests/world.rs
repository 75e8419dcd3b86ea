//! Test only: the authorities of a contract's stage as they are kept, and all that they signed.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::api::stage::Stage;
use crate::pki::testing::at_once;
use crate::pki::{Anchor, Authority, Lifetime, PkiError, SpiffeId, rotation};
use crate::signer::ca::order::Found;
use crate::signer::ca::step::{self, Look};
use crate::signer::ca::{
    Action, Brought, Chest, Claim, Entry, Key, Keys, Ledger, Need, Order, Phase, Slot, Step, ledger,
};
use crate::signer::custody::signs;
use crate::signer::testing::{TRUST_DOMAIN, now, opening};

pub const TTL: SignedDuration = SignedDuration::from_hours(1);
pub const LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// Authorities as they are kept, and all that they signed.
pub struct World {
    pub ledger: Ledger,
    pub keys: Keys,
    pub need: Need,
    pub now: Timestamp,
    pub order: Option<Found>,
    orders: u32,
    /// What was signed: by whom, and until when it lives.
    leaves: Vec<(Anchor, Timestamp)>,
    /// Those of which somebody said that what they signed needn't be believed.
    disowned: Vec<Anchor>,
    /// For whom keys are used that were brought.
    claims: BTreeMap<String, Claim>,
}

pub fn id() -> SpiffeId {
    SpiffeId::of_trust_domain(TRUST_DOMAIN).unwrap()
}

pub fn made(number: u32, now: Timestamp) -> Anchor {
    let lifetime = Lifetime::of_authority(now, TTL, now + LIFETIME);
    let name = opening().owner().common_name(number);
    at_once(Authority::create(&id(), &name, lifetime)).unwrap().anchor().clone()
}

impl World {
    pub fn new() -> Self {
        let (first, need) = (made(1, now()), Need { ttl: TTL, until: now() + LIFETIME * 100 });
        let ledger = Ledger::first(opening().owner(), need, first.clone(), Slot::First, now());
        Self {
            ledger,
            keys: Keys { first: Key::Held(first), second: Key::Absent },
            need,
            now: now(),
            order: None,
            orders: 0,
            leaves: Vec::new(),
            disowned: Vec::new(),
            claims: BTreeMap::new(),
        }
    }

    pub fn look<T>(&self, see: impl FnOnce(&Look<'_>) -> T) -> T {
        let (order, id, chest) = (self.order.as_ref(), id(), opening().chest());
        let (ledger, keys, need) = (&self.ledger, &self.keys, Some(self.need));
        see(&Look { ledger, keys, need, order, id: &id, chest: &chest })
    }

    /// Takes so many steps at most, as a process does that dies then. Gives whether there is nothing to do.
    pub fn steps(&mut self, most: usize) -> bool {
        for _ in 0..most {
            let step = self.look(|look| look.step(self.now));
            match step {
                Step::Rest => return true,
                Step::Make { slot, number } => {
                    assert_eq!(self.keys.of(slot), &Key::Absent, "a key is never overwritten");
                    *self.key(slot) = Key::Held(made(number, self.now));
                }
                Step::Destroy(slot) => *self.key(slot) = Key::Absent,
                Step::Claim { slot, number } => self.claim(slot, number),
                Step::Dismiss => self.order = None,
                Step::Record(ledger) => self.record(*ledger),
            }
            self.holds();
        }
        false
    }

    fn claim(&mut self, slot: Slot, number: u32) {
        let claim = Claim { chest: Some(opening().chest()), number };
        let Key::Brought(brought) = self.key(slot) else { panic!("nothing was brought") };
        let key = brought.held.as_ref().unwrap().key_fingerprint();
        assert_eq!(brought.claim.replace(claim.clone()), None, "a claim is never overwritten");
        self.claims.insert(key, claim);
    }

    /// The platform puts this into a Secret, whatever is there.
    pub fn bring(&mut self, slot: Slot, held: Result<Anchor, PkiError>) {
        let claim = held.as_ref().ok().and_then(|held| self.claims.get(&held.key_fingerprint()).cloned());
        *self.key(slot) = Key::Brought(Box::new(Brought { held, claim }));
    }

    /// Somebody else's authorities have this key.
    pub fn is_anothers(&mut self, anchor: &Anchor) {
        let claim = Claim { chest: Some(Chest::of("another", Stage::Production)), number: 1 };
        self.claims.insert(anchor.key_fingerprint(), claim);
    }

    pub fn settle(&mut self) {
        assert!(self.steps(12), "it goes on and on: {:?}", self.ledger);
    }

    pub fn key(&mut self, slot: Slot) -> &mut Key {
        match slot {
            Slot::First => &mut self.keys.first,
            Slot::Second => &mut self.keys.second,
        }
    }

    pub fn record(&mut self, next: Ledger) {
        for old in &self.ledger.authorities {
            let new = next.authorities.iter().find(|new| new.number == old.number);
            assert!(new.is_none_or(|new| new.issued_until >= old.issued_until), "it never goes back");
        }
        assert!(next.last >= self.ledger.last);
        if let Some(active) = next.active().filter(|active| active.number > 1) {
            let margin = rotation::margin(active.certificate.lifetime());
            assert!(active.published_at + margin <= active.since, "it signs before everybody could know it");
        }
        self.ledger = next;
    }

    /// What holds at every moment.
    pub fn holds(&self) {
        let all = &self.ledger.authorities;
        assert!(all.iter().filter(|entry| entry.phase == Phase::Active).count() <= 1);
        assert!(all.iter().filter(|entry| entry.phase == Phase::Prepared).count() <= 1);
        assert!(all.is_sorted_by_key(|entry| entry.number) && all.len() <= step::MOST + 1);
        let trust = self.ledger.trust();
        for (signer, end) in &self.leaves {
            let is_believed = trust.holds(signer) || *end <= self.now || self.disowned.contains(signer);
            assert!(is_believed, "something lives whose anchor isn't published: {:?}", self.ledger);
        }
    }

    /// Signs something, if anything may be signed.
    pub fn sign(&mut self) -> bool {
        let chest = opening().chest();
        let Ok(active) = self.look(|look| signs(look, &chest, self.now).cloned()) else { return false };
        let end = (self.now + TTL).min(active.certificate.lifetime().not_after());
        if active.issued_until.is_none_or(|issued| issued < end) {
            let covered = Entry { issued_until: Some(end), ..active.clone() };
            self.record(self.ledger.clone().with(&covered));
        }
        self.leaves.push((active.certificate, end));
        self.holds();
        true
    }

    pub fn wait(&mut self, time: SignedDuration) {
        self.now += time;
    }

    pub fn ask(&mut self, action: Action) {
        self.orders += 1;
        if let Action::Retire { number, now: true } = action {
            let meant = self.ledger.authorities.iter().filter(|entry| entry.number == number);
            self.disowned.extend(meant.map(|entry| entry.certificate.clone()));
        }
        let uid = format!("order-{}", self.orders);
        let order = Order { uid: uid.clone(), by: "olga".to_owned(), reason: "why".to_owned(), action };
        self.order = Some(Found { uid, given: Some(self.now), said: Ok(order) });
    }

    /// Asks, and gives what came of it.
    pub fn answer(&mut self, action: Action) -> (ledger::Outcome, String) {
        self.ask(action);
        self.settle();
        assert!(self.order.is_none(), "what is answered is taken away");
        let answer = self.ledger.answer.clone().unwrap();
        (answer.outcome, answer.message)
    }

    pub fn phases(&self) -> Vec<(u32, Phase)> {
        self.ledger.authorities.iter().map(|entry| (entry.number, entry.phase)).collect()
    }

    pub fn spoil(&mut self, slot: Slot, key: Key) {
        if *self.keys.of(slot) != Key::Absent {
            *self.key(slot) = key;
        }
    }
}
