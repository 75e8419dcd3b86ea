//! P1, P2, P4 and P6 of what stands as time goes by: what has to go, and how long it may take.

use std::fmt;

use comity::api::Stage;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::super::history::{Kind, list, text};
use super::allowed::Allowed;
use super::book::Opening;
use super::operands::Operands;
use super::reading::Reading;
use super::{Checker, GRACE, key, stage};

/// Something that stands and has to go, and why.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Complaint {
    promise: &'static str,
    what: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.promise, self.what)
    }
}

const SECOND: SignedDuration = SignedDuration::from_secs(1);

impl Checker {
    /// Time has passed: what has to go by now, and what has stood for too long?
    pub fn look_around(&mut self) {
        let mut found = Vec::new();
        let openings = self
            .books
            .iter()
            .flat_map(|(grant, book)| book.openings.iter().map(move |opening| (grant, opening)));
        for (grant, opening) in openings {
            found.extend(self.complaints_of(grant, opening, &self.reading(&opening.namespace)));
        }
        let places: Vec<String> = self
            .books
            .values()
            .flat_map(|book| &book.openings)
            .map(|opening| opening.namespace.clone())
            .collect();
        for place in places {
            self.is_as_agreed(&place);
        }
        self.complaints.retain(|known, _| found.contains(known));
        for complaint in found {
            let since = *self.complaints.entry(complaint.clone()).or_insert(self.now);
            let Some(due) = self.due_since(since) else { continue };
            self.slowest = self.slowest.max(self.now.duration_since(due));
            if self.now - GRACE > due {
                self.broken(complaint.promise, format!("{} since {since}", complaint.what));
            }
        }
    }

    /// What a stage's namespace gives was agreed to.
    pub fn is_as_agreed(&mut self, place: &str) {
        let Some(opening) = self.books.values().find_map(|book| book.of_namespace(place)) else { return };
        let more = self.reading(place).gives.beyond(&Allowed::agreed(&opening.policy, opening.stage));
        if !more.is_empty() {
            let what = format!("{opening} gives what wasn't agreed to: {more:?}");
            self.broken("P4 nothing wider than what was agreed", what);
        }
    }

    /// What has to go of an opening.
    fn complaints_of(&self, grant: &str, opening: &Opening, reading: &Reading) -> Vec<Complaint> {
        let mut found = Vec::new();
        let mut complain =
            |promise, what: String| found.push(Complaint { promise, what: format!("{opening}: {what}") });
        if reading.is_usable() {
            for (promise, why) in self.reasons_to_close(grant, opening) {
                complain(promise, format!("it can be used although {why}"));
            }
            if reading.is_gate_open && !reading.is_closed_off() {
                complain("P5 the order of opening", "it is open and not closed off".to_owned());
            }
        }
        match self.allowed(grant, opening.stage) {
            Ok(allowed) => {
                let more = reading.gives.beyond(&allowed);
                if !more.is_empty() && reading.is_usable() {
                    complain(
                        "P4 narrowing is immediate",
                        format!("it gives what isn't allowed any more: {more:?}"),
                    );
                }
            }
            Err(why) if reading.is_usable() => {
                complain("P4 narrowing is immediate", format!("it can be used although {why}"));
            }
            Err(_) => {}
        }
        found
    }

    /// Why an opening is to be closed, by the journal, the clock and people.
    fn reasons_to_close(&self, grant: &str, opening: &Opening) -> Vec<(&'static str, String)> {
        let mut reasons = Vec::new();
        let book = &self.books[grant];
        if self.now >= opening.end {
            reasons.push(("P1 nothing after the recorded end", "its time is over".to_owned()));
        }
        if let Some((reason, _)) = opening.closed_for_good() {
            reasons.push(("P6 ended is final", format!("it was closed for good: {reason}")));
        }
        if book.has_ended() {
            reasons.push(("P6 ended is final", "its grant has ended".to_owned()));
        }
        if let Some(by) = self.quarantined_by(grant) {
            reasons.push(("P3 people decide", format!("{by} has quarantined it")));
        }
        reasons.extend(self.ended_by(grant, opening).map(|why| ("P3 people decide", why)));
        reasons
    }

    /// Who quarantined a grant that nobody else has released since, by the decisions themselves.
    fn quarantined_by(&self, grant: &str) -> Option<&str> {
        let mut by = None;
        for decided in self.decisions.iter().filter(|decided| decided.grant == grant) {
            let person = decided.person.as_deref().unwrap_or_default();
            match decided.action.as_str() {
                "Quarantine" => by = by.or(Some(person)),
                "Release" if by != Some(person) => by = None,
                _ => {}
            }
        }
        by
    }

    /// Why people say that an opening is over by now, by the decisions themselves.
    fn ended_by(&self, grant: &str, opening: &Opening) -> Option<String> {
        let is_meant = |stage: Option<Stage>, digest: &Option<String>| {
            stage.is_none_or(|stage| stage == opening.stage)
                && digest.as_ref().is_none_or(|digest| *digest == opening.digest)
        };
        let last_extended = opening
            .ends
            .iter()
            .rev()
            .zip(opening.ends.iter().rev().skip(1))
            .find(|(after, before)| after.1 > before.1);
        let extended = last_extended.map_or(Timestamp::MIN, |(after, _)| after.0);
        let mut ending = self.decisions.iter().filter(|decided| {
            let due = match decided.action.as_str() {
                "Expire" => decided.seen,
                "Shorten" => decided.end.unwrap_or(Timestamp::MAX).max(decided.seen),
                _ => return false,
            };
            // Made in the second in which it was opened, it may have been made before.
            let was_open = opening.opened_at + SECOND < decided.made || decided.stage.is_none();
            decided.grant == grant
                && is_meant(decided.stage, &decided.digest)
                && was_open
                && due <= self.now
                && extended < decided.seen
        });
        ending
            .next()
            .map(|decided| format!("{:?} decided that it is over ({})", decided.person, decided.action))
    }

    /// What is allowed of a stage of a grant, as everything stands; or why nothing is.
    fn allowed(&self, grant: &str, of: Stage) -> Result<Allowed, String> {
        let mut grants = self.objects.iter().filter(|((kind, ..), _)| *kind == Kind::PartnerGrant);
        let found = grants.find(|(_, object)| object["metadata"]["uid"] == grant);
        let Some((_, found)) = found else { return Err("its grant is gone".to_owned()) };
        let home = key(Kind::PartnerGrant, found).1;
        let spec = &found["spec"];
        if found["metadata"]["deletionTimestamp"].is_string() {
            return Err("its grant is being deleted".to_owned());
        }
        if spec["suspend"] == true {
            return Err("it is suspended".to_owned());
        }
        if stage(&spec["stage"]).is_none_or(|ceiling| of > ceiling) {
            return Err(format!("only {} is asked for", spec["stage"]));
        }
        let operands = self.standing(found, &home);
        let lets_in = |partner: &&Value| {
            list(&partner["spec"]["allowedNamespaces"]["names"]).iter().any(|name| *name == home.as_str())
        };
        if operands.partner.is_some_and(|partner| !lets_in(&partner)) {
            return Err("the partner shuts it out".to_owned());
        }
        let allowed = Allowed::standing(&operands, of, |service| self.object(Kind::Service, &home, service))?;
        self.lasts(&operands, grant, of)?;
        Ok(allowed)
    }

    /// What a grant stands on, now.
    fn standing<'a>(&'a self, grant: &'a Value, home: &str) -> Operands<'a> {
        let spec = &grant["spec"];
        let partner = text(&spec["partnerRef"]["name"]);
        Operands {
            grant: Some(grant),
            contract: self.object(Kind::SharingContract, home, text(&spec["contractRef"]["name"])),
            // Each story has its own, called after its namespace.
            boundary: self.object(Kind::SharingBoundary, home, home),
            partner: self.object(Kind::Partner, partner, partner),
            dataset: self.object(Kind::Dataset, home, "transactions"),
        }
    }

    /// A shorter time is less too, also where it was longer when a stage was opened.
    fn lasts(&self, operands: &Operands<'_>, grant: &str, of: Stage) -> Result<(), String> {
        let openings = self.books.get(grant).map_or(&[][..], |book| &book.openings);
        // A stage that is open twice is judged by the newer one: its end is the later.
        let Some(opening) = openings.iter().rfind(|opening| opening.stage == of) else { return Ok(()) };
        let longest = if opening.extended { operands.ceiling(of) } else { operands.duration(of) };
        let until = opening.opened_at + longest + SECOND;
        if self.now > until { Err(format!("it may be open until {until} at most")) } else { Ok(()) }
    }
}
