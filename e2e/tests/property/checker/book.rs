//! A journal, as somebody reads it who has only the records.

use std::fmt;

use comity::api::{Stage, name};
use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::super::history::{moment, text};
use super::stage;

/// One line of a journal.
#[derive(Clone, Debug)]
pub struct Line {
    /// All that it says.
    pub spec: Value,
    pub sequence: i64,
    pub at: Timestamp,
    pub event: String,
    pub reason: String,
    pub stage: Option<Stage>,
    pub digest: Option<String>,
    pub end: Option<Timestamp>,
    /// The UID of the decision that it takes.
    pub decision: Option<String>,
}

impl Line {
    /// Reads a record; `None` where it can't be read.
    pub fn read(record: &Value) -> Option<Self> {
        let spec = &record["spec"];
        Some(Self {
            sequence: spec["sequence"].as_i64()?,
            at: moment(&spec["at"])?,
            event: spec["event"].as_str()?.to_owned(),
            reason: text(&spec["reason"]).to_owned(),
            stage: stage(&spec["stage"]),
            digest: spec["digest"].as_str().map(str::to_owned),
            end: moment(&spec["expiresAt"]),
            decision: spec["decision"]["uid"].as_str().map(str::to_owned),
            spec: spec.clone(),
        })
    }

    /// What it is the digest of that the next line holds: SHA-256 of canonical JSON (RFC 8785).
    pub fn seal(&self) -> String {
        let hash = Sha256::digest(canonical(&self.spec).as_bytes());
        hash.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
    }

    fn is_about(&self, opening: &Opening) -> bool {
        self.stage.is_none_or(|stage| stage == opening.stage)
            && self.digest.as_ref().is_none_or(|digest| *digest == opening.digest)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} of {} (line {}, {})",
            self.event,
            text(&self.spec["grant"]["name"]),
            self.sequence,
            self.reason
        )?;
        self.stage.iter().try_for_each(|stage| write!(out, " {stage}"))
    }
}

/// JSON with its fields in order and no space. No record holds a number that isn't whole.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            let fields = fields
                .iter()
                .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), canonical(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

/// A stage that was opened, for one digest.
#[derive(Clone, Debug)]
pub struct Opening {
    pub grant: String,
    pub stage: Stage,
    pub digest: String,
    pub namespace: String,
    pub opened_at: Timestamp,
    /// When it ends, as recorded.
    pub end: Timestamp,
    /// Every end that was recorded, and when that was seen.
    pub ends: Vec<(Timestamp, Timestamp)>,
    /// Whether people moved its end later.
    pub extended: bool,
    /// What it was opened with.
    pub policy: Value,
    pub revisions: Value,
    /// Why it was closed, and since when.
    pub closed: Option<(String, Timestamp)>,
}

/// For these reasons it can be closed and opened again: the stage was lowered, another one came, or
/// nothing was left of it for a time.
const NOT_FOR_GOOD: [&str; 4] = ["Promoted", "Demoted", "NotAccepted", "PolicyChanged"];

impl Opening {
    /// Why it was closed for good.
    pub fn closed_for_good(&self) -> Option<&(String, Timestamp)> {
        self.closed.as_ref().filter(|(reason, _)| !NOT_FOR_GOOD.contains(&reason.as_str()))
    }

    /// The latest of the ends that it had since then.
    pub fn latest_end_since(&self, since: Timestamp) -> Timestamp {
        let then = self.ends.iter().rfind(|(seen, _)| *seen <= since);
        let after = self.ends.iter().filter(|(seen, _)| *seen > since);
        then.into_iter().chain(after).map(|(_, end)| *end).max().unwrap_or(self.end)
    }

    fn ends_at(&mut self, end: Timestamp, now: Timestamp) {
        self.end = end;
        self.ends.push((now, end));
    }
}

impl fmt::Display for Opening {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} of {} until {} ({})", self.stage, self.grant, self.end, self.namespace)
    }
}

/// A journal.
#[derive(Clone, Debug, Default)]
pub struct Book {
    pub lines: Vec<Line>,
    /// Everything that was ever opened, in the order of its first opening.
    pub openings: Vec<Opening>,
}

impl Book {
    pub fn opening(&self, stage: Stage, digest: &str) -> Option<&Opening> {
        self.openings.iter().find(|opening| opening.stage == stage && opening.digest == digest)
    }

    pub fn of_namespace(&self, namespace: &str) -> Option<&Opening> {
        self.openings.iter().find(|opening| opening.namespace == namespace)
    }

    /// Whether the grant has ended.
    pub fn has_ended(&self) -> bool {
        self.lines.iter().any(|line| line.event == "Ended")
    }

    /// Whether somebody ended all of it.
    pub fn was_ended_by_somebody(&self) -> bool {
        self.lines.iter().any(|line| line.event == "Shortened" && line.stage.is_none())
    }

    /// Whether a stage was refused with a digest.
    pub fn was_denied(&self, stage: Stage, digest: &str) -> bool {
        self.lines.iter().any(|line| {
            line.event == "Denied" && line.stage == Some(stage) && line.digest.as_deref() == Some(digest)
        })
    }

    /// Writes the next line; `now`: when it was seen.
    pub fn write(&mut self, line: Line, now: Timestamp) {
        match line.event.as_str() {
            "Opened" => self.open(&line, now),
            "Closed" => self.each(&line, |opening| opening.closed = Some((line.reason.clone(), now))),
            "Extended" | "Shortened" => {
                let end = line.end;
                self.each(&line, |opening| {
                    let later = |end: &Timestamp| (*end > opening.end) == (line.event == "Extended");
                    if let Some(end) = end.filter(later) {
                        opening.ends_at(end, now);
                    }
                    opening.extended |= line.event == "Extended";
                });
            }
            _ => {}
        }
        self.lines.push(line);
    }

    fn open(&mut self, line: &Line, now: Timestamp) {
        let (Some(stage), Some(digest), Some(end)) = (line.stage, line.digest.clone(), line.end) else {
            return;
        };
        let known =
            self.openings.iter_mut().find(|opening| opening.stage == stage && opening.digest == digest);
        if let Some(opening) = known {
            opening.closed = None;
            opening.ends_at(end, now);
            return;
        }
        let grant = text(&line.spec["grant"]["name"]).to_owned();
        let namespace = name::stage_namespace(&grant, text(&line.spec["grant"]["uid"]), stage, &digest);
        self.openings.push(Opening {
            namespace,
            grant,
            stage,
            digest,
            opened_at: line.at,
            end,
            ends: vec![(now, end)],
            extended: false,
            policy: line.spec["policy"].clone(),
            revisions: line.spec["revisions"].clone(),
            closed: None,
        });
    }

    fn each(&mut self, line: &Line, act: impl FnMut(&mut Opening)) {
        self.openings.iter_mut().filter(|opening| line.is_about(opening)).for_each(act);
    }
}

#[test]
fn canonical_json_is_that_of_rfc_8785() {
    let value = serde_json::json!({"b": [1, "ä\u{1}\n\"\\"], "a": {"d": null, "c": true}});
    assert_eq!(canonical(&value), r#"{"a":{"c":true,"d":null},"b":[1,"ä\u0001\n\"\\"]}"#);
}
