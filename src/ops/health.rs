//! Whether a process can do its work: its caches are filled, and its reconciling makes progress.
//!
//! Times are passed in. A heartbeat that is idle is kept alive by [`Heartbeat::idle`], called
//! from the task that reconciles, so that a task that hangs falls silent.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::cluster::watch::Watches;

/// No progress for so long: not ready.
pub const SILENCE: SignedDuration = SignedDuration::from_secs(60);
/// No progress for so long: restart it.
pub const HOPELESS: SignedDuration = SignedDuration::from_mins(5);

/// The pulse of one controller or server loop.
#[derive(Debug)]
pub struct Heartbeat {
    /// Whether its caches are filled.
    filled: AtomicBool,
    /// Whether it has ended for good.
    ended: AtomicBool,
    /// How many objects it works on.
    busy: AtomicI64,
    /// When it last made progress, in milliseconds since 1970.
    progress: AtomicI64,
}

impl Heartbeat {
    /// One that begins `now`, with empty caches.
    pub fn new(now: Timestamp) -> Self {
        Self {
            filled: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            busy: AtomicI64::new(0),
            progress: AtomicI64::new(now.as_millisecond()),
        }
    }

    /// Its caches are filled.
    pub fn filled(&self, now: Timestamp) {
        self.filled.store(true, Ordering::Release);
        self.beat(now);
    }

    /// It begins to work on an object.
    pub fn begun(&self, now: Timestamp) {
        // Only the first of several is progress: the others would hide that none ever finishes.
        if self.busy.fetch_add(1, Ordering::AcqRel) == 0 {
            self.beat(now);
        }
    }

    /// It has done a part of an object that takes long. Each object may say so once only, or one that never ends would hide.
    pub fn goes_on(&self, now: Timestamp) {
        self.beat(now);
    }

    /// It has done with an object, well or badly.
    pub fn finished(&self, now: Timestamp) {
        self.busy.fetch_sub(1, Ordering::AcqRel);
        self.beat(now);
    }

    /// Its task was run; that is progress only while there is nothing to work on.
    pub fn idle(&self, now: Timestamp) {
        if self.busy.load(Ordering::Acquire) == 0 {
            self.beat(now);
        }
    }

    /// It has ended, and won't come back.
    pub fn ended(&self) {
        self.ended.store(true, Ordering::Release);
    }

    /// When it last made progress.
    pub fn last_progress(&self) -> Timestamp {
        Timestamp::from_millisecond(self.progress.load(Ordering::Acquire)).unwrap_or(Timestamp::MIN)
    }

    /// What is wrong with it, if anything.
    pub fn trouble(&self, now: Timestamp, silence: SignedDuration) -> Option<Trouble> {
        let quiet = now.duration_since(self.last_progress());
        if self.ended.load(Ordering::Acquire) {
            Some(Trouble::Ended)
        } else if quiet > silence {
            Some(Trouble::Silent(quiet))
        } else if self.filled.load(Ordering::Acquire) {
            None
        } else {
            Some(Trouble::Filling)
        }
    }

    /// A clock that was set back doesn't take progress away.
    fn beat(&self, now: Timestamp) {
        self.progress.fetch_max(now.as_millisecond(), Ordering::AcqRel);
    }
}

/// What is wrong with a heartbeat.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Trouble {
    /// Its caches aren't filled yet.
    Filling,
    /// It has made no progress for so long.
    Silent(SignedDuration),
    /// It has ended.
    Ended,
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Filling => out.write_str("its caches aren't filled yet"),
            Self::Silent(quiet) => write!(out, "it has made no progress for {} s", quiet.as_secs()),
            Self::Ended => out.write_str("it has ended"),
        }
    }
}

/// The heartbeats of a process, by name, and its watches.
#[derive(Clone, Debug, Default)]
pub struct Health {
    hearts: Arc<Mutex<BTreeMap<&'static str, Arc<Heartbeat>>>>,
    watches: Watches,
}

impl Health {
    /// The heartbeat of this name, begun `now` if there is none yet.
    pub fn heartbeat(&self, name: &'static str, now: Timestamp) -> Arc<Heartbeat> {
        let mut known = self.hearts.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(name).or_insert_with(|| Arc::new(Heartbeat::new(now))))
    }

    /// The watches that the process sees by.
    pub const fn watches(&self) -> &Watches {
        &self.watches
    }

    /// What keeps the process from its work, a line for each; none: it is ready.
    ///
    /// A process without a heartbeat hasn't got as far as to have one.
    pub fn not_ready(&self, now: Timestamp) -> Vec<String> {
        let known = self.hearts.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_empty() {
            return vec!["starting".to_owned()];
        }
        let troubles = troubles(&known, now, SILENCE).map(|(name, trouble)| format!("{name}: {trouble}"));
        let blind = self.watches.failing(now).into_iter().filter_map(|(kind, lasting)| {
            Some(format!("the watch of {kind}: it has failed for {} s", lasting?.as_secs()))
        });
        troubles.chain(blind).collect()
    }

    /// What only a restart can help, a line for each.
    pub fn not_alive(&self, now: Timestamp) -> Vec<String> {
        let known = self.hearts.lock().unwrap_or_else(PoisonError::into_inner);
        troubles(&known, now, HOPELESS)
            .filter(|(_, trouble)| *trouble != Trouble::Filling)
            .map(|(name, trouble)| format!("{name}: {trouble}"))
            .collect()
    }
}

/// The heartbeats that have a trouble.
fn troubles(
    known: &BTreeMap<&'static str, Arc<Heartbeat>>,
    now: Timestamp,
    silence: SignedDuration,
) -> impl Iterator<Item = (&'static str, Trouble)> {
    known.iter().filter_map(move |(name, heart)| Some((*name, heart.trouble(now, silence)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a small number is a time")
    }

    #[test]
    fn nothing_is_ready_before_it_has_begun() {
        assert_eq!(Health::default().not_ready(at(0)), ["starting"]);
    }

    #[test]
    fn every_cache_has_to_be_filled() {
        let health = Health::default();
        let (one, other) = (health.heartbeat("grants", at(0)), health.heartbeat("partners", at(0)));
        one.filled(at(1));
        assert_eq!(health.not_ready(at(1)), ["partners: its caches aren't filled yet"]);
        other.filled(at(2));
        assert!(health.not_ready(at(2)).is_empty());
    }

    #[test]
    fn the_same_name_is_the_same_heartbeat() {
        let health = Health::default();
        health.heartbeat("grants", at(0)).filled(at(0));
        assert!(health.heartbeat("grants", at(5)).trouble(at(5), SILENCE).is_none());
    }

    #[test]
    fn work_that_never_finishes_is_noticed_although_the_task_runs() {
        let heart = Heartbeat::new(at(0));
        heart.filled(at(0));
        heart.begun(at(10));
        heart.begun(at(60));
        heart.idle(at(65));
        assert_eq!(heart.trouble(at(70), SILENCE), None);
        assert_eq!(heart.trouble(at(71), SILENCE), Some(Trouble::Silent(SignedDuration::from_secs(61))));
        heart.finished(at(72));
        assert_eq!(heart.trouble(at(72), SILENCE), None);
        heart.goes_on(at(130));
        assert_eq!(heart.trouble(at(190), SILENCE), None);
    }

    #[test]
    fn a_task_that_hangs_falls_silent_and_one_that_runs_does_not() {
        let heart = Heartbeat::new(at(0));
        heart.filled(at(0));
        heart.idle(at(100));
        assert_eq!(heart.trouble(at(160), SILENCE), None);
        assert!(heart.trouble(at(161), SILENCE).is_some());
    }

    #[test]
    fn a_watch_that_fails_for_good_is_named_until_it_tells_of_something() {
        let health = Health::default();
        health.heartbeat("grants", at(0)).filled(at(0));
        health.heartbeat("grants", at(0)).idle(at(100));
        for second in [30, 60, 95] {
            health.watches().failed("Partner", at(second));
        }
        assert_eq!(health.not_ready(at(100)), ["the watch of Partner: it has failed for 70 s"]);
        assert!(health.not_alive(at(100)).is_empty(), "a restart wouldn't help");
        health.watches().well("Partner");
        assert!(health.not_ready(at(100)).is_empty());
    }

    #[test]
    fn only_silence_and_an_end_ask_for_a_restart() {
        let health = Health::default();
        let heart = health.heartbeat("grants", at(0));
        assert!(health.not_alive(at(200)).is_empty(), "slow caches are no reason");
        assert_eq!(health.not_alive(at(301)).len(), 1);
        heart.filled(at(301));
        assert!(health.not_alive(at(301)).is_empty());
        heart.ended();
        assert_eq!(health.not_alive(at(301)), ["grants: it has ended"]);
    }

    #[test]
    fn a_clock_that_is_set_back_takes_no_progress_away() {
        let heart = Heartbeat::new(at(1000));
        heart.filled(at(400));
        assert_eq!(heart.last_progress(), at(1000));
    }
}
