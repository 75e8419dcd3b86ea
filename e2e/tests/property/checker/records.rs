//! P1, P3, P6 and the chain, of every line that is added to a journal.

use comity::api::Stage;
use jiff::SignedDuration;
use serde_json::Value;

use super::super::history::{moment, text};
use super::allowed::Allowed;
use super::book::{Book, Line, Opening};
use super::{Checker, Holds, stage, unless};

/// Ends are written in whole seconds.
const SECOND: SignedDuration = SignedDuration::from_secs(1);

type Promise = fn(&Checker, &Book, &Line) -> Holds;

const PROMISES: [(&str, Promise); 10] = [
    ("P9 the chain holds", the_chain_holds),
    ("P6 ended is final", nothing_comes_after_the_end),
    ("P3 nothing without consent", what_is_taken_was_decided),
    ("P1 no end moves later by itself", no_end_moves_later_by_itself),
    ("P6 ended is final", what_was_closed_for_good_stays_so),
    ("P1 nothing without a recorded end", what_opens_ends_in_time),
    ("P3 nothing without consent", what_opens_was_agreed_to),
    ("P3 stages open in order", stages_open_in_order),
    ("P4 nothing wider than what stands", what_opens_is_what_stands),
    ("P3 nothing without consent", whoever_quarantined_does_not_release),
];

impl Checker {
    /// A record stands like this, and stood like `before`, if it did.
    pub fn recorded(&mut self, record: &Value, before: Option<&Value>) {
        let name = text(&record["metadata"]["name"]).to_owned();
        if let Some(before) = before {
            if before["spec"] != record["spec"] {
                self.broken("P9 records stay", format!("the record {name} has changed"));
            }
            return;
        }
        let Some(line) = Line::read(record) else {
            return self.broken("P9 the chain holds", format!("the record {name} can't be read"));
        };
        let grant = text(&line.spec["grant"]["uid"]).to_owned();
        if name != format!("{grant}-{:06}", line.sequence) {
            self.broken("P9 the chain holds", format!("{line} is called {name}"));
        }
        let mut book = self.books.remove(&grant).unwrap_or_default();
        for (promise, holds) in PROMISES {
            if let Err(what) = holds(self, &book, &line) {
                self.broken(promise, what);
            }
        }
        book.write(line, self.now);
        self.books.insert(grant, book);
    }
}

fn the_chain_holds(_: &Checker, book: &Book, line: &Line) -> Holds {
    let last = book.lines.last();
    let next = last.map_or(1, |last| last.sequence + 1);
    unless(line.sequence != next, || format!("{line} comes after line {}", next - 1))?;
    let sealed = line.spec["previous"].as_str().map(str::to_owned);
    unless(sealed != last.map(Line::seal), || {
        format!("{line} doesn't hold the digest of the line before it")
    })?;
    unless(last.is_some_and(|last| line.at < last.at), || format!("{line} is older than the line before it"))
}

fn nothing_comes_after_the_end(_: &Checker, book: &Book, line: &Line) -> Holds {
    unless(book.has_ended(), || format!("{line} comes after the end"))
}

/// Which action a line takes.
fn action(line: &Line) -> &'static [&'static str] {
    match line.event.as_str() {
        "Approved" => &["Approve", "Extend"],
        "Denied" => &["Deny"],
        "Shortened" => &["Shorten", "Expire"],
        "Quarantined" => &["Quarantine"],
        "Released" => &["Release"],
        "Attested" => &["Attest"],
        "Sponsored" => &["Sponsor"],
        "RehearsalRequested" => &["Rehearse"],
        _ => &[],
    }
}

fn what_is_taken_was_decided(checker: &Checker, book: &Book, line: &Line) -> Holds {
    let is_unanswered = line.event == "Denied" && line.reason == "Unanswered";
    let Some(uid) = &line.decision else {
        let needed = !action(line).is_empty() && !is_unanswered;
        return unless(needed, || format!("{line}, and nobody decided it"));
    };
    let again = book.lines.iter().any(|known| known.decision.as_ref() == Some(uid));
    unless(again, || format!("{line} takes a decision a second time"))?;
    let Some(decided) = checker.decided(uid) else {
        return Err(format!("{line} takes a decision that nobody saw"));
    };
    let by = text(&line.spec["decision"]["by"]);
    let is_theirs = decided.person.as_deref() == Some(by) && decided.stamp == by;
    unless(!is_theirs, || {
        format!("{line} says that {by} decided, and {:?} did (stamped: {})", decided.person, decided.stamp)
    })?;
    let is_it = action(line).contains(&decided.action.as_str())
        && decided.grant == text(&line.spec["grant"]["uid"])
        && (decided.stage.is_none() || decided.stage == line.stage)
        && (decided.digest.is_none() || decided.digest == line.digest);
    unless(!is_it, || format!("{line} isn't what was decided: {decided:?}"))
}

/// The opening that a line speaks of.
fn opening<'a>(book: &'a Book, line: &Line) -> Option<&'a Opening> {
    book.opening(line.stage?, line.digest.as_deref()?)
}

fn no_end_moves_later_by_itself(checker: &Checker, book: &Book, line: &Line) -> Holds {
    match line.event.as_str() {
        "Opened" => {
            let later = opening(book, line).filter(|opening| line.end > Some(opening.end));
            unless(later.is_some(), || format!("{line} ends at {:?}, and it was {later:?}", line.end))
        }
        "Extended" => {
            let stage = line.stage.ok_or_else(|| format!("{line}: which stage?"))?;
            checker.agreed_to_more(book, line, stage)?;
            let Some(opening) = opening(book, line) else {
                return Err(format!("{line}, and it was never opened"));
            };
            let over = opening.end < line.at - SECOND || opening.closed_for_good().is_some();
            unless(over, || format!("{line}, and it was over: {opening}"))?;
            let latest = opening.opened_at + checker.operands(&opening.revisions).ceiling(stage) + SECOND;
            unless(line.end > Some(latest), || {
                format!("{line} ends at {:?}, and may end at {latest} at most", line.end)
            })
        }
        _ => Ok(()),
    }
}

fn what_was_closed_for_good_stays_so(checker: &Checker, book: &Book, line: &Line) -> Holds {
    if !["Opened", "Resumed"].contains(&line.event.as_str()) {
        return Ok(());
    }
    let Some(opening) = opening(book, line) else { return Ok(()) };
    let closed = opening.closed_for_good();
    unless(closed.is_some(), || format!("{line} opens again what was closed for good: {closed:?}"))?;
    unless(opening.end <= line.at && opening.end <= checker.now, || {
        format!("{line} opens again what is over: {opening}")
    })
}

/// Whether a line opens a stage for the first time with its digest, and which.
fn first(book: &Book, line: &Line) -> Option<Stage> {
    let stage = line.stage.filter(|_| line.event == "Opened")?;
    opening(book, line).is_none().then_some(stage)
}

fn what_opens_ends_in_time(checker: &Checker, book: &Book, line: &Line) -> Holds {
    let Some(stage) = first(book, line) else { return Ok(()) };
    let Some(end) = line.end else { return Err(format!("{line} has no end")) };
    let operands = checker.operands(&line.spec["revisions"]);
    let latest = line.at + operands.duration(stage) + SECOND;
    unless(end > latest, || format!("{line} ends at {end}, and may end at {latest} at most"))?;
    let over = operands.contract.and_then(|contract| moment(&contract["spec"]["time"]["notAfter"]));
    unless(over.is_none_or(|over| end > over), || {
        format!("{line} ends at {end}, and its contract at {over:?}")
    })
}

fn what_opens_was_agreed_to(checker: &Checker, book: &Book, line: &Line) -> Holds {
    let Some(stage) = first(book, line) else { return Ok(()) };
    let digest = line.digest.as_deref().unwrap_or_default();
    unless(book.was_denied(stage, digest), || format!("{line}, and somebody refused just that"))?;
    unless(book.was_ended_by_somebody(), || format!("{line}, and somebody ended the grant"))?;
    checker.agreed(book, line, stage)
}

fn stages_open_in_order(checker: &Checker, book: &Book, line: &Line) -> Holds {
    let Some(opened) = first(book, line) else { return Ok(()) };
    let operands = checker.operands(&line.spec["revisions"]);
    let Some(grant) = operands.grant else { return Err(format!("{line} is of a revision that nobody saw")) };
    let ceiling = stage(&grant["spec"]["stage"]);
    unless(ceiling.is_none_or(|ceiling| opened > ceiling), || {
        format!("{line}, and only {ceiling:?} is asked for")
    })?;
    unless(grant["spec"]["suspend"] == true, || format!("{line}, and it is suspended"))?;
    let Some(before) = opened.before() else { return Ok(()) };
    // What was agreed to anew starts at Rehearsal: the sandbox is the same, whatever was agreed to.
    let mut came_before = book.openings.iter().filter(|opening| opening.stage == before);
    let came_before =
        came_before.any(|opening| before == Stage::Sandbox || Some(&opening.digest) == line.digest.as_ref());
    unless(!came_before, || format!("{line}, and {before} never was"))
}

fn what_opens_is_what_stands(checker: &Checker, book: &Book, line: &Line) -> Holds {
    let Some(stage) = first(book, line) else { return Ok(()) };
    let operands = checker.operands(&line.spec["revisions"]);
    let stands = Allowed::standing(&operands, stage, |_| None);
    let opened = Allowed::agreed(&line.spec["policy"], stage).without_datasets();
    let excess = stands.map_or_else(|why| vec![why], |stands| opened.beyond(&stands));
    unless(!excess.is_empty(), || format!("{line} gives more than stands: {excess:?}"))
}

fn whoever_quarantined_does_not_release(checker: &Checker, book: &Book, line: &Line) -> Holds {
    if line.event != "Released" {
        return Ok(());
    }
    let who = |line: &Line| checker.decided(line.decision.as_deref()?)?.person.clone();
    let last = book.lines.iter().rfind(|known| ["Quarantined", "Released"].contains(&known.event.as_str()));
    let by = last.filter(|last| last.event == "Quarantined").map(who);
    unless(by.is_none() || by == Some(who(line)), || {
        format!("{line}: {:?} releases, {by:?} quarantined", who(line))
    })
}
