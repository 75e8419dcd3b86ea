//! P3, counted anew: from decisions that were seen, made by people who are known.

use std::collections::BTreeSet;

use comity::api::Stage;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::super::history::{list, text};
use super::book::{Book, Line};
use super::decided::Decided;
use super::operands::Rule;
use super::{Checker, Holds, unless};

/// The API server tells when a decision was made in whole seconds.
const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// Somebody, and the group that they speak for.
type Voice<'a> = (&'a str, Option<&'a str>);

impl Checker {
    /// Whether enough people agree that a stage opens for the first time with its digest.
    pub fn agreed(&self, book: &Book, line: &Line, stage: Stage) -> Holds {
        let revisions = &line.spec["revisions"];
        let rule = self.rule(book, line, stage, revisions);
        if rule.people == 0 && rule.groups.is_empty() {
            return Ok(());
        }
        let barred = self.barred(book, line, stage, revisions);
        let voices = self.voices(line, &rule, |decided| {
            decided.action == "Approve" && !barred.contains(decided.person.as_deref().unwrap_or_default())
        });
        unless(!is_met(&rule, &voices), || {
            format!("{line} opens with {rule:?}, and only {voices:?} agree, without {barred:?}")
        })?;
        self.is_sponsored(book, line, stage, revisions)
    }

    /// Whether enough people agree that what is open ends later.
    pub fn agreed_to_more(&self, book: &Book, line: &Line, stage: Stage) -> Holds {
        let Some(opening) = line.digest.as_deref().and_then(|digest| book.opening(stage, digest)) else {
            return Err(format!("{line}, and it was never opened"));
        };
        let rule = self.operands(&opening.revisions).rule(stage).and(&Rule::least(1));
        let mut barred = self.barred(book, line, stage, &opening.revisions);
        let grant = text(&line.spec["grant"]["uid"]);
        barred.extend(self.writers(grant, 0, i64::MAX));
        let (counting, shortened) = self.since_the_end_moved(book, line, stage);
        let voices = self.voices(line, &rule, |decided| {
            decided.action == "Extend"
                && decided.end == line.end
                && counting.contains(decided.uid.as_str())
                && decided.seen > shortened
                && !barred.contains(decided.person.as_deref().unwrap_or_default())
        });
        unless(!is_met(&rule, &voices), || {
            format!("{line} needs {rule:?}, and only {voices:?} agree to {:?}", line.end)
        })
    }

    /// What was said before the end moved last was about the end that stood then: the decisions that were
    /// taken since, and when somebody last decided that it ends earlier.
    fn since_the_end_moved<'a>(
        &self,
        book: &'a Book,
        line: &Line,
        stage: Stage,
    ) -> (BTreeSet<&'a str>, Timestamp) {
        let is_about = |known: &&Line| {
            known.stage.is_none_or(|about| about == stage)
                && known.digest.as_ref().is_none_or(|digest| Some(digest) == line.digest.as_ref())
        };
        let is_move = |known: &&Line| ["Extended", "Shortened"].contains(&known.event.as_str());
        let moves = || book.lines.iter().filter(is_about).filter(is_move);
        let last = moves().next_back().map_or(0, |known| known.sequence);
        let since = book.lines.iter().filter(|known| known.sequence > last);
        let shortened =
            moves().filter_map(|known| Some(self.decided(known.decision.as_deref()?)?.seen)).max();
        (since.filter_map(|known| known.decision.as_deref()).collect(), shortened.unwrap_or(Timestamp::MIN))
    }

    /// Who has to agree: as contract and boundary ask, and as they asked when the stage was opened last,
    /// so that nobody weakens a rule and then uses it. What was open before isn't opened without anybody.
    fn rule(&self, book: &Book, line: &Line, stage: Stage, revisions: &Value) -> Rule {
        let mut rule = self.operands(revisions).rule(stage);
        if let Some(last) = book.openings.iter().rfind(|opening| opening.stage == stage) {
            rule = rule.and(&self.operands(&last.revisions).rule(stage)).and(&Rule::least(1));
        }
        let policy = &line.spec["policy"];
        let is_same = |other: &Book| {
            other.openings.iter().any(|opening| {
                ["partner", "contract", "purpose"].iter().all(|field| opening.policy[field] == policy[field])
            })
        };
        let own = text(&line.spec["grant"]["uid"]);
        let made_again = self.books.iter().any(|(uid, other)| uid != own && is_same(other));
        rule.and(&Rule::least(usize::from(made_again)))
    }

    /// Whoever may not agree: who wrote what it stands on since it was agreed to last, or sponsors it.
    fn barred(&self, book: &Book, line: &Line, stage: Stage, revisions: &Value) -> BTreeSet<String> {
        let approved = self.approved(book, stage);
        let mut barred = BTreeSet::new();
        for revision in list(revisions) {
            let generation = revision["generation"].as_i64().unwrap_or_default();
            let same = |known: &&Value| known["uid"] == revision["uid"] && known["kind"] == revision["kind"];
            let since = approved.iter().find(same).and_then(|known| known["generation"].as_i64());
            barred.extend(self.writers(text(&revision["uid"]), since.unwrap_or_default(), generation));
        }
        barred.extend(self.sponsors(book, line));
        barred
    }

    /// The revisions of the newest opening of a stage that people had to agree to.
    fn approved<'a>(&self, book: &'a Book, stage: Stage) -> &'a [Value] {
        let was_asked = |revisions: &Value| self.operands(revisions).rule(stage).people > 0;
        let mut openings = book.openings.iter().rev().filter(|opening| opening.stage == stage);
        openings.find(|opening| was_asked(&opening.revisions)).map_or(&[], |opening| list(&opening.revisions))
    }

    /// Who wrote an object after one generation, until another.
    fn writers<'a>(&'a self, uid: &str, after: i64, until: i64) -> impl Iterator<Item = String> + use<'a> {
        let from = (uid.to_owned(), after.saturating_add(1));
        let uid = uid.to_owned();
        let all = self.deeds.wrote.range(from..);
        let these = all.take_while(move |((of, generation), _)| *of == uid && *generation <= until);
        these.map(|(_, who)| who.clone())
    }

    /// Who took responsibility for what a line is about, as the journal has it.
    fn sponsors(&self, book: &Book, line: &Line) -> Vec<String> {
        let sponsored =
            book.lines.iter().filter(|known| known.event == "Sponsored" && known.digest == line.digest);
        let decisions = sponsored.filter_map(|known| known.decision.as_deref());
        decisions.filter_map(|uid| self.decided(uid)?.person.clone()).collect()
    }

    /// What automation asks for, and people have to agree to, somebody takes responsibility for.
    fn is_sponsored(&self, book: &Book, line: &Line, stage: Stage, revisions: &Value) -> Holds {
        let of_grant = |known: &&Value| known["kind"] == "PartnerGrant";
        let Some(grant) = list(revisions).iter().find(of_grant) else { return Ok(()) };
        let since =
            self.approved(book, stage).iter().find(of_grant).and_then(|known| known["generation"].as_i64());
        let generation = grant["generation"].as_i64().unwrap_or_default();
        let mut writers = self.writers(text(&grant["uid"]), since.unwrap_or_default(), generation);
        let is_automated = writers.any(|who| who.starts_with("system:"));
        unless(is_automated && self.sponsors(book, line).is_empty(), || {
            format!("{line}: automation asks for it, and nobody sponsors it")
        })
    }

    /// Those who agree to what a line says, when it is written.
    fn voices(&self, line: &Line, rule: &Rule, is_such: impl Fn(&Decided) -> bool) -> Vec<Voice<'_>> {
        let grant = text(&line.spec["grant"]["uid"]);
        let counts = |decided: &&Decided| {
            decided.grant == grant
                && decided.stage == line.stage
                && decided.digest == line.digest
                && decided.is_by_a_person()
                && rule.valid_for.is_none_or(|valid| until(decided.made, valid) > line.at)
                && is_such(decided)
        };
        let such = self.decisions.iter().filter(counts);
        such.map(|decided| (decided.person.as_deref().unwrap_or_default(), decided.group.as_deref()))
            .collect()
    }

    /// A decision that was seen.
    pub fn decided(&self, uid: &str) -> Option<&Decided> {
        self.decisions.iter().find(|decided| decided.uid == uid)
    }
}

fn until(made: Timestamp, valid: SignedDuration) -> Timestamp {
    made + valid + SECOND
}

/// Whether these are enough: each person counts once, for one group.
pub fn is_met(rule: &Rule, voices: &[Voice<'_>]) -> bool {
    let people: BTreeSet<&str> =
        voices.iter().filter(|(_, group)| group.is_some()).map(|(person, _)| *person).collect();
    let groups: Vec<&str> =
        rule.groups.iter().flat_map(|(group, least)| std::iter::repeat_n(group.as_str(), *least)).collect();
    people.len() >= rule.people && is_matched(&groups, &people, voices)
}

/// Whether each group has somebody of its own.
fn is_matched(groups: &[&str], people: &BTreeSet<&str>, voices: &[Voice<'_>]) -> bool {
    let Some((group, others)) = groups.split_first() else { return true };
    let mut speakers = voices.iter().filter(|(person, of)| *of == Some(group) && people.contains(person));
    speakers.any(|(person, _)| {
        let mut left = people.clone();
        left.remove(person);
        is_matched(others, &left, voices)
    })
}
