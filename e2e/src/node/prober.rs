//! Dialling without a pause, on many ways at once, and what came of each dial.

use std::{
    net::SocketAddr,
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::JoinHandle,
    time::Duration,
};

use jiff::Timestamp;

use super::dial::{Answer, Place, dial};
use crate::{Error, Result};

/// How long one rests between two dials.
const PACE: Duration = Duration::from_millis(50);

/// A way from a pod to an address.
#[derive(Clone, Debug)]
pub struct Way {
    /// What it is, for people.
    pub name: String,
    /// Where it begins.
    pub from: Place,
    /// Where it leads.
    pub to: SocketAddr,
}

/// What came of dialling on one way.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Which.
    pub name: String,
    /// How often it was dialled.
    pub dials: usize,
    /// When those dials began by which anything got through, and what they got.
    pub through: Vec<(Timestamp, Answer)>,
}

impl Record {
    /// When the last dial began by which anything got through.
    pub fn last_through(&self) -> Option<Timestamp> {
        self.through.last().map(|(at, _)| *at)
    }
}

/// Somebody who dials until told to stop. Each way has a thread of its own.
#[derive(Debug, Default)]
pub struct Prober {
    running: Vec<(Sender<()>, JoinHandle<Result<Record>>)>,
}

impl Prober {
    /// Begins to dial on all of these.
    pub fn on(ways: impl IntoIterator<Item = Way>) -> Self {
        let running = ways.into_iter().map(|way| {
            let (stop, stopped) = mpsc::channel();
            let thread = std::thread::spawn(move || {
                let place = way.from.clone();
                place.within(move || {
                    let mut record = Record { name: way.name, ..Record::default() };
                    while stopped.recv_timeout(PACE) == Err(RecvTimeoutError::Timeout) {
                        let begun = Timestamp::now();
                        let answer = dial(way.to);
                        record.dials += 1;
                        if answer.got_through() {
                            record.through.push((begun, answer));
                        }
                    }
                    record
                })
            });
            (stop, thread)
        });
        Self { running: running.collect() }
    }

    /// Stops, and tells what came of it.
    pub fn stop(self) -> Result<Vec<Record>> {
        let (stops, threads): (Vec<_>, Vec<_>) = self.running.into_iter().unzip();
        drop(stops);
        let ended = threads.into_iter().map(|thread| {
            thread.join().map_err(|_| Error::Failed("somebody who dialled panicked".to_owned()))?
        });
        ended.collect()
    }
}
