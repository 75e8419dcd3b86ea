//! Part 4 of a contract: when, how long, and what has to be deleted by when.

use super::super::walk::Walk;
use super::super::window::{Period, Schedules};
use crate::api::contract::{Retention, Reuse, TimeTerms, Window};

/// Nothing before ≥, nothing after ≤, windows as sets of instants, what may be kept ≤. `further`
/// is what has to hold beside each side's windows. Gives what both allow, and what has to hold
/// beside its windows.
pub(super) fn time(
    walk: &mut Walk,
    (old, new): (&TimeTerms, &TimeTerms),
    further: (&[&[Window]], &[&[Window]]),
) -> (TimeTerms, Vec<Vec<Window>>) {
    let of = |terms: &TimeTerms, further: &[&[Window]]| {
        Schedules::of(std::iter::once(&terms.windows[..]).chain(further.iter().copied()))
    };
    let (before, after) = (of(old, further.0), of(new, further.1));
    walk.under("time", "", |walk| {
        let begins = [&old.not_before, &new.not_before].map(|begin| begin.as_ref().map(|begin| begin.0));
        let period = Period::common(begins, [old.not_after.0, new.not_after.0]);
        let (not_before, not_after) = (("notBefore", "not before"), ("notAfter", "not after"));
        let not_before = walk.at_least(not_before, old.not_before.as_ref(), new.not_before.as_ref());
        let end = walk.at_most(not_after, Some(&old.not_after), Some(&new.not_after));
        let effect = before.compare(&after, &period);
        walk.became(("windows", "windows"), before.to_string(), after.to_string(), effect);
        let mut lists = before.meet(&after, &period).lists().into_iter();
        let terms = TimeTerms {
            not_before,
            not_after: end.unwrap_or_else(|| old.not_after.clone()),
            windows: lists.next().unwrap_or_default(),
            retention: walk.under("retention", "", |walk| retention(walk, &old.retention, &new.retention)),
        };
        (terms, lists.collect())
    })
}

/// What may be kept ≤, gone after the end ≤, reuse.
fn retention(walk: &mut Walk, old: &Retention, new: &Retention) -> Retention {
    let (inputs, artifacts) = (("inputs", "inputs kept for"), ("artifacts", "artifacts kept for"));
    let gone = ("deleteWithin", "everything deleted within");
    Retention {
        inputs: walk.at_most_or("the dataset's", inputs, old.inputs.as_ref(), new.inputs.as_ref()),
        artifacts: walk.at_most_or(
            "the dataset's",
            artifacts,
            old.artifacts.as_ref(),
            new.artifacts.as_ref(),
        ),
        delete_within: walk.at_most(gone, old.delete_within.as_ref(), new.delete_within.as_ref()),
        reuse: walk.chain(
            ("reuse", "reuse of what is kept"),
            &[Reuse::Forbidden, Reuse::SamePurpose],
            old.reuse,
            new.reuse,
        ),
    }
}
