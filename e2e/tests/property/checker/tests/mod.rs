//! The checker, on histories that are made by hand: one that keeps every promise, and one for each way
//! of breaking one.

mod broken;
mod telling;

use jiff::SignedDuration;

use super::{Report, judge};
use broken::{BROKEN, EXCUSED};
use telling::Telling;

fn judged(telling: &Telling) -> Report {
    let last = telling.history.iter().map(|seen| seen.at).max();
    judge(&telling.history, telling.now.max(last.unwrap_or_default()))
}

#[test]
fn a_life_that_keeps_every_promise_breaks_none() {
    let telling = Telling::whole_life();
    let report = judged(&telling);
    assert_eq!(report.violations, []);
    assert_eq!(report.complaints, [""; 0]);
    assert_eq!(
        (report.tally["Opened Production"], report.tally["Extended Production"], report.tally["Ended"]),
        (1, 1, 1)
    );
}

#[test]
fn each_promise_that_is_broken_is_found_with_its_words() {
    for (promise, words, tell) in BROKEN {
        let mut telling = Telling::begin();
        tell(&mut telling);
        telling.pass(SignedDuration::from_secs(1));
        let report = judged(&telling);
        let found = report
            .violations
            .iter()
            .any(|found| found.promise.starts_with(promise) && found.what.contains(words));
        assert!(found, "{promise} ({words}) isn't found, but {:#?}", report.violations);
    }
}

#[test]
fn what_nobody_could_have_done_better_is_excused() {
    for (why, tell) in EXCUSED {
        let mut telling = Telling::begin();
        tell(&mut telling);
        let report = judged(&telling);
        assert_eq!(report.violations, [], "{why}");
    }
}
