//! Journals as they are told: every record, and where the chain of one breaks. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::ResourceExt as _;
use serde::Serialize;

use crate::api::record::{GrantRecordSpec, RecordEvent};
use crate::api::{GrantRecord, Stage, name};
use crate::cli::moment::Watch;
use crate::cli::page::{Page, Style};
use crate::cluster::readable::Readable;
use crate::journal::{Broken, Journal};
use crate::policy::digest::record_digest;

/// The journals of every grant that ever had a name.
#[derive(Debug, Serialize)]
pub(super) struct History {
    pub(super) namespace: String,
    pub(super) name: String,
    /// One for each UID, the oldest first.
    pub(super) journals: Vec<GrantHistory>,
}

/// A grant's journal.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GrantHistory {
    pub(super) uid: String,
    /// Whether it is the grant that has the name now.
    pub(super) is_there: bool,
    /// Whether the chain holds.
    pub(super) holds: bool,
    /// Why it doesn't.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) broken: Option<String>,
    /// The number of the record at which it breaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) broken_at: Option<i64>,
    pub(super) records: Vec<Line>,
    /// Records that name the grant and are called as none of its records is: they count for nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) strangers: Vec<String>,
}

/// A record, as far as it can be read.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) sequence: i64,
    /// Its own digest, which the next one holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) digest: Option<String>,
    /// Whether the chain holds up to it.
    pub(super) is_trusted: bool,
    /// Why it can't be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unreadable: Option<String>,
    /// What it says, but for the policy.
    #[serde(flatten)]
    pub(super) said: Option<Said>,
}

/// What a record says.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Said {
    pub(super) at: Timestamp,
    pub(super) event: RecordEvent,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stage: Option<Stage>,
    /// The digest of what was asked for or opened.
    #[serde(rename = "revision", skip_serializing_if = "Option::is_none")]
    pub(super) digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<crate::api::record::RecordReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) on_behalf_of: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) decision: Option<String>,
    /// The report of a rehearsal that it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) report: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
}

impl Said {
    fn of(record: &GrantRecordSpec) -> Self {
        let taken = record.decision.as_ref();
        Self {
            at: record.at.0,
            event: record.event,
            stage: record.stage,
            digest: record.digest.clone(),
            expires_at: record.expires_at.as_ref().map(|end| end.0),
            reason: record.reason,
            by: taken.map(|taken| taken.by.clone()),
            on_behalf_of: taken.and_then(|taken| taken.on_behalf_of.as_ref()).map(|group| group.0.clone()),
            decision: taken.map(|taken| taken.name.clone()),
            report: record.report.as_ref().map(|report| report.name.clone()),
            message: record.message.clone(),
        }
    }
}

/// A record on its way into a journal: readable, or why not.
type Found = (String, Result<GrantRecordSpec, String>);

impl History {
    /// The journals of the grants that had a name, among all records of its namespace. `living` is the UID of
    /// the one that has it now.
    pub(super) fn of(
        namespace: &str,
        grant: &str,
        living: Option<&str>,
        records: Vec<Readable<GrantRecord>>,
    ) -> Self {
        let mut found: BTreeMap<String, Sorted> = BTreeMap::new();
        for record in records {
            let called = record.name_any();
            let labelled = record.labels().get(name::LABEL_GRANT).map(String::as_str) == Some(grant);
            let read = record.0.map(|record| record.spec).map_err(|unreadable| unreadable.error);
            let by_name = called
                .rsplit_once('-')
                .and_then(|(uid, number)| Some((uid.to_owned(), number.parse::<i64>().ok()?)));
            let (uid, is_ours) = match (&read, &by_name) {
                (Ok(spec), _) => (spec.grant.uid.0.clone(), spec.grant.name.as_str() == grant),
                (Err(_), Some((uid, _))) => (uid.clone(), labelled || Some(uid.as_str()) == living),
                (Err(_), None) => (String::new(), labelled),
            };
            if !is_ours {
                continue;
            }
            let number =
                by_name.filter(|(owner, number)| *owner == uid && name::record(owner, *number) == called);
            let sorted = found.entry(uid).or_default();
            match (number, read) {
                (Some((_, number)), Ok(spec)) if spec.sequence != number => sorted.strangers.push(called),
                (Some((_, number)), read) => drop(sorted.lines.insert(number, (called, read))),
                (None, _) => sorted.strangers.push(called),
            }
        }
        let mut journals: Vec<GrantHistory> = found
            .into_iter()
            .map(|(uid, sorted)| sorted.history(uid.clone(), living == Some(uid.as_str())))
            .collect();
        journals.sort_by_key(GrantHistory::began);
        Self { namespace: namespace.to_owned(), name: grant.to_owned(), journals }
    }

    /// Leaves out all but the grant with this UID.
    pub(super) fn only(&mut self, uid: &str) {
        self.journals.retain(|journal| journal.uid == uid);
    }

    /// What is wrong with it, if anything is.
    pub(super) fn fault(&self) -> Option<String> {
        let Self { namespace, name, journals } = self;
        if journals.is_empty() {
            return Some(format!(
                "there is no journal of a grant {name} in namespace {namespace}: it was never accepted"
            ));
        }
        let broken = journals.iter().filter_map(|journal| Some((journal, journal.broken.as_ref()?)));
        let told: Vec<String> = broken
            .map(|(journal, why)| format!("the journal of {name} ({}) doesn't hold: {why}", journal.uid))
            .collect();
        (!told.is_empty()).then(|| told.join("; "))
    }

    /// For people.
    pub(super) fn page(&self, watch: &Watch) -> Page {
        let mut page = Page::default();
        for (index, journal) in self.journals.iter().enumerate() {
            if index > 0 {
                page.gap();
            }
            let gone = if journal.is_there { "" } else { ", which is gone" };
            page.styled(Style::Strong, format!("{} in {}", self.name, self.namespace));
            page.then(Style::Faint, format!(", {}{gone}", journal.uid));
            journal.tell(&mut page, watch);
        }
        page
    }
}

/// The records of one grant.
#[derive(Default)]
struct Sorted {
    lines: BTreeMap<i64, Found>,
    strangers: Vec<String>,
}

impl Sorted {
    /// Folds them, as Comity does, up to where that breaks.
    fn history(self, uid: String, is_there: bool) -> GrantHistory {
        let mut journal = Journal::empty();
        let mut broken: Option<(i64, Broken)> = None;
        let mut records = Vec::new();
        for (sequence, (name, read)) in self.lines {
            let taken = match &read {
                Ok(spec) => journal.take(spec),
                Err(_) => Err(Broken::Unreadable { sequence }),
            };
            if broken.is_none() {
                broken = taken.err().map(|why| (sequence, why));
            }
            records.push(Line {
                name,
                sequence,
                digest: read.as_ref().ok().map(record_digest),
                is_trusted: broken.is_none(),
                said: read.as_ref().ok().map(Said::of),
                unreadable: read.err(),
            });
        }
        GrantHistory {
            uid,
            is_there,
            holds: broken.is_none(),
            broken_at: broken.as_ref().map(|(sequence, _)| *sequence),
            broken: broken.map(|(_, why)| why.to_string()),
            records,
            strangers: self.strangers,
        }
    }
}

impl GrantHistory {
    fn began(&self) -> Option<Timestamp> {
        self.records.iter().find_map(|line| line.said.as_ref()).map(|said| said.at)
    }

    fn tell(&self, page: &mut Page, watch: &Watch) {
        match &self.broken {
            None => page.styled(Style::Good, format!("{} records, and the chain holds", self.records.len())),
            Some(why) => page
                .styled(Style::Bad, format!("{} records, and the chain breaks: {why}", self.records.len())),
        };
        for line in &self.records {
            if Some(line.sequence) == self.broken_at {
                page.styled(Style::Bad, "      what follows can't be trusted");
            }
            line.tell(page, watch);
        }
        for stranger in &self.strangers {
            page.styled(
                Style::Warn,
                format!("      {stranger} isn't called as a record of it is, and counts for nothing"),
            );
        }
    }
}

impl Line {
    fn tell(&self, page: &mut Page, watch: &Watch) {
        let Some(said) = &self.said else {
            let why = self.unreadable.as_deref().unwrap_or_default();
            page.styled(Style::Bad, format!("{:>4}  {} can't be read: {why}", self.sequence, self.name));
            return;
        };
        let style = if self.is_trusted { style(said.event) } else { Style::Faint };
        page.styled(Style::Faint, format!("{:>4}  {}  ", self.sequence, watch.absolute(said.at)));
        page.then(style, format!("{:<11} ", said.event.as_str()));
        page.then(
            Style::Plain,
            format!("{:<11}", said.stage.map_or_else(String::new, |stage| stage.to_string())),
        );
        page.then(Style::Plain, said.words(watch))
            .then(Style::Faint, format!(" ({})", watch.relative(said.at)));
    }
}

impl Said {
    /// What it says, in one line.
    fn words(&self, watch: &Watch) -> String {
        let mut parts = Vec::new();
        if let Some(by) = &self.by {
            let group = self.on_behalf_of.as_ref().map_or_else(String::new, |group| format!(", for {group}"));
            parts.push(format!("by {by}{group}"));
        }
        if let Some(end) = self.expires_at {
            parts.push(format!("until {}", watch.absolute(end)));
        }
        if let Some(reason) = self.reason.filter(|_| self.by.is_none()) {
            parts.push(format!("{reason:?}"));
        }
        // What opens says when it ends, and that was said already.
        let message = self.message.as_ref().filter(|_| self.event != RecordEvent::Opened);
        parts.extend(message.cloned());
        parts.join(": ")
    }
}

fn style(event: RecordEvent) -> Style {
    use RecordEvent::{
        Approved, Attested, Closed, Denied, Ended, Extended, Narrowed, Opened, Quarantined, Released,
        Resumed, Shortened, Suspended,
    };
    match event {
        Opened | Approved | Extended | Resumed | Released | Attested => Style::Good,
        Denied | Quarantined => Style::Bad,
        Narrowed | Shortened | Suspended => Style::Warn,
        Closed | Ended => Style::Faint,
        _ => Style::Plain,
    }
}
