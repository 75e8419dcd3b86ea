//! What is counted and timed. Every label is an enum, so nobody outside can make their number grow.

mod label;
mod opening;

use std::collections::BTreeMap;
use std::fmt::Error;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

pub use self::label::{Append, Kind, Outcome, Signing, Verb};
use self::label::{
    AppendLabel, GrantLabel, KindLabel, ProcessLabel, ReasonLabel, ReconcileLabels, SigningLabel, SoonLabels,
    StageLabel, VerbLabel, WatchLabel,
};
use self::opening::{Openings, WITHIN};
use crate::api::stage::Stage;
use crate::grant::meter::OpenNow;

/// A metric as the reference lists it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Description {
    /// Its name, without the suffixes of its type (`_total`, `_bucket`, …).
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub type_: &'static str,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

const RECONCILES: Description = Description {
    name: "comity_reconciles",
    type_: "counter",
    labels: &["kind", "outcome"],
    help: "Reconciles that have finished, by kind and outcome",
};
const RECONCILE_SECONDS: Description = Description {
    name: "comity_reconcile_seconds",
    type_: "histogram",
    labels: &["kind"],
    help: "How long a reconcile took, by kind",
};
const REQUESTS: Description = Description {
    name: "comity_mutating_requests",
    type_: "counter",
    labels: &["verb"],
    help: "Mutating requests to the API server, by verb, less Events, Leases and access reviews; none while nothing changes",
};
const EVENTS: Description = Description {
    name: "comity_events",
    type_: "counter",
    labels: &["reason"],
    help: "Events that the API server took, by reason",
};
const OPENINGS: Description = Description {
    name: "comity_openings",
    type_: "gauge",
    labels: &["stage"],
    help: "Openings that give access now, by stage",
};
const ENDING: Description = Description {
    name: "comity_openings_ending",
    type_: "gauge",
    labels: &["stage", "within"],
    help: "Openings that give access now and end within this time, by stage",
};
const LAPSING: Description = Description {
    name: "comity_reviews_lapsing",
    type_: "gauge",
    labels: &["stage", "within"],
    help: "Openings that are closed within this time unless somebody confirms that they are still wanted, by stage",
};
const GRANTS: Description = Description {
    name: "comity_grants",
    type_: "gauge",
    labels: &["reason"],
    help: "Grants, by the reason of their condition Ready",
};
const EXPIRY_LAG: Description = Description {
    name: "comity_expiry_lag_seconds",
    type_: "histogram",
    labels: &[],
    help: "From the recorded end of an opening until its bindings were deleted",
};
const HEARD: Description = Description {
    name: "comity_decisions_heard",
    type_: "counter",
    labels: &[],
    help: "Decisions that a pass over their grant has looked at, each as often as it was",
};
const JOURNAL_APPENDS: Description = Description {
    name: "comity_journal_appends",
    type_: "counter",
    labels: &["outcome"],
    help: "Attempts to append a record to a journal, by outcome",
};
const CERTIFICATES: Description = Description {
    name: "comity_certificates",
    type_: "counter",
    labels: &["outcome"],
    help: "Certificates that were issued or refused",
};
const SIGNING_SECONDS: Description = Description {
    name: "comity_signing_seconds",
    type_: "histogram",
    labels: &[],
    help: "How long making a key and signing its certificate took",
};

const ENROLMENTS: Description = Description {
    name: "comity_enrolments",
    type_: "counter",
    labels: &["reason"],
    help: "Calls of the enrolment endpoint that were answered: Issued, or why not",
};

const WATCHES: Description = Description {
    name: "comity_watch_failing",
    type_: "gauge",
    labels: &["kind"],
    help: "Whether the watch of a kind has failed for more than a minute: what changes of it isn't seen",
};

const UNREADABLE: Description = Description {
    name: "comity_unreadable_objects",
    type_: "gauge",
    labels: &["kind"],
    help: "Objects of a kind that are stored and that Comity can't read, so that they count as absent; the log names them",
};

const LATE: Description = Description {
    name: "comity_certificates_late",
    type_: "gauge",
    labels: &[],
    help: "Open stages of which a certificate should have been renewed more than two minutes ago",
};

const READY: Description = Description {
    name: "comity_ready",
    type_: "gauge",
    labels: &["process"],
    help: "Whether the process can do its work: 1 where /readyz says so",
};

/// Every metric, in the order in which the reference lists them.
pub const DESCRIPTIONS: [Description; 18] = [
    RECONCILES,
    RECONCILE_SECONDS,
    REQUESTS,
    EVENTS,
    OPENINGS,
    ENDING,
    LAPSING,
    GRANTS,
    EXPIRY_LAG,
    HEARD,
    JOURNAL_APPENDS,
    CERTIFICATES,
    SIGNING_SECONDS,
    LATE,
    ENROLMENTS,
    WATCHES,
    UNREADABLE,
    READY,
];

/// Everything that is counted and timed. A clone counts into the same.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    reconciles: Family<ReconcileLabels, Counter>,
    reconcile_seconds: Family<KindLabel, Histogram, fn() -> Histogram>,
    requests: Family<VerbLabel, Counter>,
    events: Family<ReasonLabel, Counter>,
    known: Arc<Openings>,
    openings: Family<StageLabel, Gauge>,
    ending: Family<SoonLabels, Gauge>,
    lapsing: Family<SoonLabels, Gauge>,
    grants: Family<GrantLabel, Gauge>,
    expiry_lag: Histogram,
    heard: Counter,
    appends: Family<AppendLabel, Counter>,
    certificates: Family<SigningLabel, Counter>,
    signing_seconds: Histogram,
    late: Gauge,
    enrolments: Family<ReasonLabel, Counter>,
    watches: Family<WatchLabel, Gauge>,
    unreadable: Family<WatchLabel, Gauge>,
    ready: Family<ProcessLabel, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Nothing counted yet.
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Arc::default(),
            reconciles: Family::default(),
            reconcile_seconds: Family::new_with_constructor(fine),
            requests: Family::default(),
            events: Family::default(),
            known: Arc::default(),
            openings: Family::default(),
            ending: Family::default(),
            lapsing: Family::default(),
            grants: Family::default(),
            expiry_lag: coarse(),
            heard: Counter::default(),
            appends: Family::default(),
            certificates: Family::default(),
            signing_seconds: fine(),
            late: Gauge::default(),
            enrolments: Family::default(),
            watches: Family::default(),
            unreadable: Family::default(),
            ready: Family::default(),
        };
        metrics.begin();
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        metrics.registry = Arc::new(registry);
        metrics
    }

    fn register(&self, registry: &mut Registry) {
        registry.register(RECONCILES.name, RECONCILES.help, self.reconciles.clone());
        registry.register(RECONCILE_SECONDS.name, RECONCILE_SECONDS.help, self.reconcile_seconds.clone());
        registry.register(REQUESTS.name, REQUESTS.help, self.requests.clone());
        registry.register(EVENTS.name, EVENTS.help, self.events.clone());
        registry.register(OPENINGS.name, OPENINGS.help, self.openings.clone());
        registry.register(ENDING.name, ENDING.help, self.ending.clone());
        registry.register(LAPSING.name, LAPSING.help, self.lapsing.clone());
        registry.register(GRANTS.name, GRANTS.help, self.grants.clone());
        registry.register(EXPIRY_LAG.name, EXPIRY_LAG.help, self.expiry_lag.clone());
        registry.register(HEARD.name, HEARD.help, self.heard.clone());
        registry.register(JOURNAL_APPENDS.name, JOURNAL_APPENDS.help, self.appends.clone());
        registry.register(CERTIFICATES.name, CERTIFICATES.help, self.certificates.clone());
        registry.register(SIGNING_SECONDS.name, SIGNING_SECONDS.help, self.signing_seconds.clone());
        registry.register(LATE.name, LATE.help, self.late.clone());
        registry.register(ENROLMENTS.name, ENROLMENTS.help, self.enrolments.clone());
        registry.register(WATCHES.name, WATCHES.help, self.watches.clone());
        registry.register(UNREADABLE.name, UNREADABLE.help, self.unreadable.clone());
        registry.register(READY.name, READY.help, self.ready.clone());
    }

    /// Shows the first of what people are warned of as a rise: from none to one, and not from nothing.
    fn begin(&self) {
        for outcome in [Signing::Issued, Signing::Refused] {
            drop(self.certificates.get_or_create(&SigningLabel { outcome }));
        }
        for outcome in [Append::Written, Append::Conflict, Append::Failed] {
            drop(self.appends.get_or_create(&AppendLabel { outcome }));
        }
    }

    /// A reconcile has finished.
    pub fn reconciled(&self, kind: Kind, outcome: Outcome, took: Duration) {
        self.reconciles.get_or_create(&ReconcileLabels { kind, outcome }).inc();
        self.reconcile_seconds.get_or_create(&KindLabel { kind }).observe(took.as_secs_f64());
    }

    /// A mutating request was sent.
    pub fn requested(&self, verb: Verb) {
        self.requests.get_or_create(&VerbLabel { verb }).inc();
    }

    /// The API server took an event.
    pub fn told(&self, reason: &'static str) {
        self.events.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// These openings of a grant, named by its UID, give access now; none: it has none.
    pub fn open_now(&self, grant: &str, openings: &[OpenNow]) {
        self.known.note(grant, openings);
    }

    /// Counts the openings that give access, and those that end soon, as of `now`.
    pub fn count_openings(&self, now: Timestamp) {
        for stage in Stage::ALL {
            let count = self.known.count(stage, now);
            let stage = stage.lower();
            self.openings.get_or_create(&StageLabel { stage }).set(count.open);
            for (place, (within, _)) in WITHIN.iter().enumerate() {
                let labels = SoonLabels { stage, within };
                self.ending.get_or_create(&labels).set(count.ending[place]);
                self.lapsing.get_or_create(&labels).set(count.lapsing[place]);
            }
        }
    }

    /// So many grants stand for each of these reasons; what isn't named has none.
    pub fn grants(&self, counts: &BTreeMap<String, i64>) {
        for (reason, count) in counts {
            self.grants.get_or_create(&GrantLabel { reason: reason.clone() }).set(*count);
        }
    }

    /// So many stages wait for a certificate for too long.
    pub fn late(&self, stages: usize) {
        self.late.set(i64::try_from(stages).unwrap_or(i64::MAX));
    }

    /// Whether this process can do its work.
    pub fn ready(&self, process: &'static str, is_ready: bool) {
        self.ready.get_or_create(&ProcessLabel { process }).set(i64::from(is_ready));
    }

    /// An opening's bindings were deleted so long after its recorded end.
    pub fn expired(&self, lag: Duration) {
        self.expiry_lag.observe(lag.as_secs_f64());
    }

    /// Somebody tried to append to a journal.
    pub fn appended(&self, outcome: Append) {
        self.appends.get_or_create(&AppendLabel { outcome }).inc();
    }

    /// So many decisions were looked at.
    pub fn heard(&self, decisions: u64) {
        self.heard.inc_by(decisions);
    }

    /// A certificate was issued.
    pub fn issued(&self, took: Duration) {
        self.certificates.get_or_create(&SigningLabel { outcome: Signing::Issued }).inc();
        self.signing_seconds.observe(took.as_secs_f64());
    }

    /// A certificate was refused.
    pub fn refused(&self) {
        self.certificates.get_or_create(&SigningLabel { outcome: Signing::Refused }).inc();
    }

    /// Somebody who called the enrolment endpoint was answered this word of the program's own.
    pub fn answered(&self, reason: &'static str) {
        self.enrolments.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// Whether the watch of each of these kinds fails.
    pub fn watches(&self, failing: impl Iterator<Item = (&'static str, bool)>) {
        for (kind, fails) in failing {
            self.watches.get_or_create(&WatchLabel { kind }).set(i64::from(fails));
        }
    }

    /// How many objects of each of these kinds can't be read.
    pub fn unreadable(&self, counts: impl Iterator<Item = (&'static str, usize)>) {
        for (kind, count) in counts {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.unreadable.get_or_create(&WatchLabel { kind }).set(count);
        }
    }

    /// All of it, as OpenMetrics text.
    pub fn text(&self) -> Result<String, Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// Buckets from a millisecond to half a minute.
fn fine() -> Histogram {
    Histogram::new([0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0])
}

/// Buckets from ten milliseconds to an hour: behind the long ones is an outage.
fn coarse() -> Histogram {
    Histogram::new([0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0])
}

#[cfg(test)]
mod monitoring;
#[cfg(test)]
mod tests;
