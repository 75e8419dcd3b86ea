//! What becomes of what people want done.

use jiff::{SignedDuration, Timestamp};

use super::brought::{self, Maker};
use super::ledger::{Answer, Entry, Ledger, Outcome, Phase};
use super::order::{Action, Found, Order};
use super::step::{Look, MOST, taken_over};
use crate::pki::rotation;

/// How long an order is followed that breaks something.
const FOLLOWED: SignedDuration = SignedDuration::from_hours(1);

/// What an order comes to: the ledger after it, how it ended, and in words.
type Obeyed = (Ledger, Outcome, String);

/// The ledger once an order is answered.
pub fn obey(look: &Look<'_>, found: &Found, now: Timestamp) -> Ledger {
    let ((by, reason), action, (ledger, outcome, message)) = match &found.said {
        Ok(order) => {
            let obeyed = match stale(found, order, now) {
                Some(why) => refused(look, why),
                None => done(look, order, now),
            };
            ((order.by.clone(), order.reason.clone()), order.action.word(), obeyed)
        }
        Err(why) => ((String::new(), String::new()), "unknown", refused(look, why.clone())),
    };
    let (uid, action) = (found.uid.clone(), action.to_owned());
    let answer = Answer { uid, action, by, reason, at: now, outcome, message };
    Ledger { answer: Some(answer), ..ledger }
}

/// Why an order isn't followed any more that breaks something and was looked at when something else stood.
fn stale(found: &Found, order: &Order, now: Timestamp) -> Option<String> {
    let breaks = matches!(order.action, Action::Activate { now: true } | Action::Retire { now: true, .. });
    let given = found.given.filter(|given| breaks && rotation::later(*given, FOLLOWED) < now)?;
    Some(format!("it was given at {given}, long ago: look at what stands now, and give it again"))
}

fn done(look: &Look<'_>, order: &Order, now: Timestamp) -> Obeyed {
    match order.action {
        Action::Prepare => prepare(look, now),
        Action::Activate { now: at_once } => activate(look, at_once, now),
        Action::Taint { number } => taint(look, number, now),
        Action::Retire { number, now: at_once } => retire(look, number, at_once, now),
    }
}

fn refused(look: &Look<'_>, why: String) -> Obeyed {
    (look.ledger.clone(), Outcome::Refused, why)
}

fn unchanged(look: &Look<'_>, why: String) -> Obeyed {
    (look.ledger.clone(), Outcome::Unchanged, why)
}

fn prepare(look: &Look<'_>, now: Timestamp) -> Obeyed {
    let ledger = look.ledger;
    match (ledger.prepared(), look.heir(now)) {
        (_, Some(next)) => {
            let ripe = ripe(ledger, next);
            unchanged(
                look,
                format!("authority {} is published already, everybody knows it from {ripe}", next.number),
            )
        }
        _ if ledger.authorities.len() >= MOST => {
            refused(look, format!("{MOST} authorities are published already: wait until one of them is over"))
        }
        (None, None) if brought::ready(look).is_some() => adopts(look, now),
        (None, None) if ledger.maker == Maker::Platform => refused(look, bring(look)),
        // The one that is there can't sign: it makes way.
        (Some(broken), None) => {
            let number = broken.number;
            let ledger = ledger.clone().with(&broken.clone().now_in(Phase::Retired, now));
            let message = format!("authority {number} can't be used and makes way for another one");
            (hurried(ledger), Outcome::Done, message)
        }
        (None, None) => {
            (hurried(ledger.clone()), Outcome::Done, "another authority is made and published".to_owned())
        }
    }
}

/// Another one is made as soon as it can be, unless it is brought.
fn hurried(ledger: Ledger) -> Ledger {
    let hurry = ledger.maker == Maker::Comity;
    Ledger { hurry, ..ledger }
}

/// Where the next one is brought that isn't made.
fn bring(look: &Look<'_>) -> String {
    let secret = brought::place(look.ledger, look.chest);
    format!("the next authority is brought, not made: put it into Secret {secret}")
}

/// What becomes of what was brought, now that somebody asks.
fn adopts(look: &Look<'_>, now: Timestamp) -> Obeyed {
    let Some((slot, found)) = brought::ready(look) else { return refused(look, bring(look)) };
    let secret = look.chest.secret(slot);
    match brought::fit(look, look.chest, found, now) {
        Ok(_) => {
            let message = format!("what was brought in Secret {secret} is published");
            (look.ledger.clone(), Outcome::Done, message)
        }
        Err(unfit) => refused(look, format!("what was brought in Secret {secret} isn't taken: {unfit}")),
    }
}

fn activate(look: &Look<'_>, at_once: bool, now: Timestamp) -> Obeyed {
    let ledger = look.ledger;
    let Some(next) = look.heir(now) else {
        let why = match ledger.prepared() {
            None => "no authority is prepared: prepare one first".to_owned(),
            Some(next) => format!("authority {} can't be used: prepare another one", next.number),
        };
        return refused(look, why);
    };
    let number = next.number;
    let margin = rotation::later(next.published_at, rotation::margin(next.certificate.lifetime()));
    let ripe = ripe(ledger, next);
    if now < margin {
        let why = format!(
            "authority {number} was published at {}, and signs nothing before {margin}",
            next.published_at
        );
        return refused(look, why);
    }
    if now < ripe && !at_once {
        let why = format!(
            "authority {number} isn't known to everybody before {ripe}, a credential lifetime after it was \
             published: whoever reads the anchors only when its own certificate is renewed refuses until then \
             what it signs"
        );
        return refused(look, why);
    }
    (taken_over(ledger, next, now), Outcome::Done, format!("authority {number} signs"))
}

/// When everybody knows an authority.
pub fn ripe(ledger: &Ledger, next: &Entry) -> Timestamp {
    rotation::ripe_at(next.published_at, next.certificate.lifetime(), ledger.need.ttl)
}

fn taint(look: &Look<'_>, number: Option<u32>, now: Timestamp) -> Obeyed {
    let ledger = look.ledger;
    let meant = match number {
        None => ledger.active(),
        Some(number) => ledger.authorities.iter().find(|entry| entry.number == number),
    };
    let Some(meant) = meant else {
        let which =
            number.map_or_else(|| "that signs".to_owned(), |number| format!("of the number {number}"));
        return refused(look, format!("there is no authority {which}"));
    };
    let tainted = |phase| ledger.clone().with(&meant.clone().now_in(phase, now));
    let number = meant.number;
    match meant.phase {
        Phase::Tainted | Phase::Retired => unchanged(look, format!("authority {number} is given up already")),
        Phase::Prepared => (
            tainted(Phase::Retired),
            Outcome::Done,
            format!("authority {number} is given up, and signed nothing"),
        ),
        Phase::Retiring => {
            let message = format!("what authority {number} signed is made anew");
            (tainted(Phase::Tainted), Outcome::Done, message)
        }
        Phase::Active => {
            // Without a next one that can sign, one is made at once.
            let hurry = look.heir(now).is_none();
            let broken = ledger.prepared().filter(|_| hurry);
            let broken = broken.map(|broken| broken.clone().now_in(Phase::Retired, now));
            let ledger = broken.iter().fold(tainted(Phase::Tainted), Ledger::with);
            let message =
                format!("authority {number} signs nothing any more, and what it signed is made anew");
            let ledger = if hurry { hurried(ledger) } else { ledger };
            (ledger, Outcome::Done, message)
        }
    }
}

fn retire(look: &Look<'_>, number: u32, at_once: bool, now: Timestamp) -> Obeyed {
    let ledger = look.ledger;
    let Some(meant) = ledger.authorities.iter().find(|entry| entry.number == number) else {
        return unchanged(look, format!("there is no authority {number} any more"));
    };
    let gone = |message: String| {
        let over = meant.clone().now_in(Phase::Retired, now);
        (ledger.clone().with(&over), Outcome::Done, message)
    };
    match meant.phase {
        Phase::Retired => unchanged(look, format!("authority {number} isn't believed any more already")),
        Phase::Active => {
            refused(look, format!("authority {number} signs: taint it first, or activate the next one"))
        }
        Phase::Prepared => gone(format!("authority {number} is taken back, and signed nothing")),
        Phase::Retiring | Phase::Tainted => match meant.ends_in_others().filter(|end| now < *end) {
            Some(end) if !at_once => refused(
                look,
                format!(
                    "certificates that authority {number} signed live until {end}: it is taken out by itself then"
                ),
            ),
            Some(end) => gone(format!(
                "authority {number} isn't believed any more: certificates that it signed are refused, which would \
                 have lived until {end} at the latest"
            )),
            None => {
                gone(format!("authority {number} isn't believed any more, and nothing lives that it signed"))
            }
        },
    }
}
