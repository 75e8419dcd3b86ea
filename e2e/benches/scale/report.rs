//! What was measured, as a table for people and as JSON.

use e2e::figures::percentile;
use serde_json::{Value, json};

use super::{
    consent::{Consent, DECIDED_EVERY, PROMOTED_EVERY},
    floor::Floor,
    narrowing::Narrowing,
    opening::Opened,
    processor::Times,
};

/// Everything that was measured.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many grants.
    pub grants: usize,
    /// How many were worked on at once.
    pub workers: usize,
    /// The object floor, before and after.
    pub object_floor: Vec<Floor>,
    /// The request floor.
    pub request_floor: Floor,
    /// Seconds from the first apply until the last grant was Active.
    pub seconds: f64,
    /// What each process took for that.
    pub processor: Times,
    /// Milliseconds from apply to Active, in rising order.
    pub apply_to_active: Vec<f64>,
    /// KiB of `run`, `sign` and `rehearse` with 50 grants, and with all of them.
    pub memory_before: [u64; 3],
    /// See `memory_before`.
    pub memory_after: [u64; 3],
    /// Writes in a quiet minute.
    pub quiet_writes: usize,
    /// Seconds from the start of every process until all were ready.
    pub restart_seconds: f64,
    /// What a restart wrote.
    pub restart_writes: usize,
    /// Milliseconds from each end until access was over, in rising order.
    pub expiry: Vec<f64>,
    /// Seconds from deleting every grant until nothing was left.
    pub clearing: f64,
    /// A contract that was narrowed under every grant.
    pub narrowing: Narrowing,
    /// What people decided.
    pub consent: Consent,
}

impl Report {
    /// Nothing measured yet.
    pub fn new(grants: usize, workers: usize) -> Self {
        Self { grants, workers, ..Self::default() }
    }

    /// Takes what opening showed.
    pub fn opened(&mut self, opened: &[Opened]) {
        self.seconds = opened.iter().map(|grant| grant.active).fold(0.0, f64::max);
        self.apply_to_active = opened.iter().map(|grant| (grant.active - grant.applied) * 1000.0).collect();
        self.apply_to_active.sort_by(f64::total_cmp);
    }

    /// The object floor: the mean of both runs, in seconds.
    pub fn object_seconds(&self) -> f64 {
        let all = self.object_floor.iter().map(|floor| floor.seconds);
        all.sum::<f64>() / self.object_floor.len().max(1) as f64
    }

    /// How much of the object floor's speed Comity reaches.
    pub fn ratio_objects(&self) -> f64 {
        self.object_seconds() / self.seconds
    }

    /// How much of the request floor's speed Comity reaches.
    pub fn ratio_requests(&self) -> f64 {
        self.request_floor.seconds / self.seconds
    }

    /// How much longer Comity takes to narrow what is live than a bare loop.
    pub fn ratio_narrowing(&self) -> f64 {
        self.narrowing.comity / self.narrowing.bare
    }

    /// Milliseconds from each decision until its effect, in rising order.
    fn decisions(&self) -> Vec<f64> {
        let mut all = [&self.consent.approval[..], &self.consent.quarantine].concat();
        all.sort_by(f64::total_cmp);
        all
    }

    /// What each further grant costs `comity run`, in KiB.
    fn kib_per_grant(&self) -> f64 {
        let [before, after] = [self.memory_before[0], self.memory_after[0]];
        (after as f64 - before as f64) / self.grants as f64
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let floors: Vec<f64> = self.object_floor.iter().map(|floor| floor.seconds).collect();
        json!({
            "grants": self.grants,
            "workers": self.workers,
            "ratio_objects": self.ratio_objects(),
            "ratio_requests": self.ratio_requests(),
            "object_floor_seconds": floors,
            "object_floor_requests": self.object_floor.first().map(|floor| floor.requests),
            "request_floor_seconds": self.request_floor.seconds,
            "request_floor_requests": self.request_floor.requests,
            "comity_seconds": self.seconds,
            "cpu_seconds": self.processor.json(),
            "object_floor_cpu_seconds": self.object_floor.iter().map(|f| f.processor.json()).collect::<Value>(),
            "request_floor_cpu_seconds": self.request_floor.processor.json(),
            "narrowing_cpu_seconds": self.narrowing.processor.map(Times::json),
            "rss_mib": {"run": mebibytes(self.memory_after[0]), "sign": mebibytes(self.memory_after[1]),
                "rehearse": mebibytes(self.memory_after[2])},
            "rss_kib_per_grant": self.kib_per_grant(),
            "quiet_writes": self.quiet_writes,
            "restart": {"seconds": self.restart_seconds, "writes": self.restart_writes},
            "expiry_ms": spread(&self.expiry),
            "promotion_ms": spread(&self.consent.promotion),
            "decision_ms": spread(&self.decisions()),
            "approval_ms": spread(&self.consent.approval),
            "quarantine_ms": spread(&self.consent.quarantine),
            "ratio_narrowing": self.ratio_narrowing(),
            "narrowing_seconds": {"comity": self.narrowing.comity, "bare": self.narrowing.bare},
            "narrowing_requests": self.narrowing.requests,
            "apply_to_active_ms": {
                "p50": percentile(&self.apply_to_active, 50),
                "p99": percentile(&self.apply_to_active, 99),
            },
            "clearing_seconds": self.clearing,
        })
    }

    /// For people, in Markdown.
    pub fn table(&self) -> String {
        let rows = self.speed().into_iter().chain(self.rest()).chain(self.changes());
        let rows = rows.map(|Row(what, seen, goal)| format!("| {what:<40} | {seen:>18} | {goal:<12} |\n"));
        let rows: String = rows.collect();
        format!("| {:<40} | {:>18} | {:<12} |\n|---|--:|---|\n{rows}", "", "measured", "goal")
    }

    /// What opening costs, beside what it must cost.
    fn speed(&self) -> Vec<Row> {
        let seconds = |seconds: f64| format!("{seconds:.1} s");
        let floors: Vec<String> = self.object_floor.iter().map(|floor| seconds(floor.seconds)).collect();
        let objects = self.object_floor.first().map_or(0, |floor| floor.requests);
        let requests = self.request_floor.requests;
        vec![
            row("grants, at once", format!("{}, {}", self.grants, self.workers), ""),
            row(&format!("object floor ({objects} creations), twice"), floors.join(", "), ""),
            row(&format!("request floor ({requests} requests)"), seconds(self.request_floor.seconds), ""),
            row("Comity, first apply to last Active", seconds(self.seconds), ""),
            row("object floor / Comity", format!("{:.2}", self.ratio_objects()), "≥ 0.5"),
            row("request floor / Comity", format!("{:.2}", self.ratio_requests()), "≥ 0.8"),
            row("processor time of run, sign, rehearse", self.processor(), ""),
            row("· of every process, by Comity", self.processor.text(), ""),
            row("· of every process, request floor", self.request_floor.processor.text(), ""),
            row("apply to Active, p50, p99", pair(&self.apply_to_active), ""),
        ]
    }

    fn processor(&self) -> String {
        let [run, sign, rehearse] = self.processor.of_comity();
        format!("{run:.1}, {sign:.1}, {rehearse:.1} s")
    }

    /// What Comity holds, and does when nothing is asked of it but to end things.
    fn rest(&self) -> Vec<Row> {
        let [run, sign, rehearse] = self.memory_after.map(mebibytes);
        let restart = format!("{:.1} s, {}", self.restart_seconds, self.restart_writes);
        let memory = format!("memory of run, sign, rehearse, {} grants", self.grants + super::BEFORE);
        vec![
            row(&memory, format!("{run:.1}, {sign:.1}, {rehearse:.1} MiB"), "run ≤ 48"),
            row("memory of run, each further grant", format!("{:.1} KiB", self.kib_per_grant()), "≤ 50"),
            row("writes in a quiet minute", self.quiet_writes.to_string(), "0"),
            row("restart: ready after, writes", restart, "≤ 5 s, 0"),
            row("recorded end to no access, p50, p99", pair(&self.expiry), "p99 ≤ 500 ms"),
            row("all deleted to nothing left", format!("{:.1} s", self.clearing), ""),
        ]
    }
}

impl Report {
    /// What people decide, and a contract that changes under what is live.
    fn changes(&self) -> Vec<Row> {
        let Narrowing { comity, bare, requests, processor } = self.narrowing;
        let Consent { approval, promotion, quarantine } = &self.consent;
        let promoted = format!("commit to Production, one each {} ms", PROMOTED_EVERY.as_millis());
        let decided = format!("decision to effect, one each {} ms", DECIDED_EVERY.as_millis());
        vec![
            row(
                &format!("narrowing: Comity, bare loop ({requests})"),
                format!("{comity:.1}, {bare:.1} s"),
                "",
            ),
            row("· processor time, by Comity", processor[0].text(), ""),
            row("· processor time, by the bare loop", processor[1].text(), ""),
            row("narrowing: Comity / bare loop", format!("{:.2}", self.ratio_narrowing()), "≤ 1.5"),
            row(&promoted, three(promotion), "p99 ≤ 2 s"),
            row(&decided, three(&self.decisions()), "p99 ≤ 500 ms"),
            row("· last approval to its record", three(approval), ""),
            row("· quarantine to no access", three(quarantine), ""),
        ]
    }
}

/// What, as measured, and the goal.
struct Row(String, String, &'static str);

fn row(what: &str, seen: String, goal: &'static str) -> Row {
    Row(what.to_owned(), seen, goal)
}

fn mebibytes(kibibytes: u64) -> f64 {
    kibibytes as f64 / 1024.0
}

fn pair(sorted: &[f64]) -> String {
    format!("{:.0}, {:.0} ms", percentile(sorted, 50), percentile(sorted, 99))
}

fn three(sorted: &[f64]) -> String {
    format!("{:.0}, {:.0}, {:.0} ms", percentile(sorted, 50), percentile(sorted, 99), percentile(sorted, 100))
}

/// For programs.
fn spread(sorted: &[f64]) -> Value {
    json!({"p50": percentile(sorted, 50), "p99": percentile(sorted, 99), "max": percentile(sorted, 100)})
}
