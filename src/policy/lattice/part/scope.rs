//! Part 1 of a contract: what may be used, and what never.

use super::super::change::{Comparison, Difference};
use super::super::measure::Measure as _;
use super::super::walk::{Clause, Walk};
use crate::api::contract::{Prohibited, Rows, ScopedDataset};
use crate::api::value::Word;

/// Fields ⊆, rows ⊆, artifacts ⊆. `None` where no row is left.
pub(super) fn scoped(walk: &mut Walk, old: &ScopedDataset, new: &ScopedDataset) -> Option<ScopedDataset> {
    let met = ScopedDataset {
        name: old.name.clone(),
        version: old.version.clone(),
        fields: walk.allowed(("fields", "field"), &old.fields, &new.fields),
        artifacts: walk.allowed(("artifacts", "artifact"), &old.artifacts, &new.artifacts),
        rows: None,
    };
    let rows = rows(walk, old.rows.as_ref(), new.rows.as_ref())?;
    Some(ScopedDataset { rows, ..met })
}

/// The datasets of a contract: one that isn't named, or that has no row, isn't shared.
pub(super) fn datasets(walk: &mut Walk, old: &[ScopedDataset], new: &[ScopedDataset]) {
    let some = |datasets: &[ScopedDataset]| -> Vec<ScopedDataset> {
        datasets.iter().filter(|dataset| has_any(dataset.rows.as_ref())).cloned().collect()
    };
    let key = |dataset: &ScopedDataset| (dataset.name.clone(), dataset.version.clone());
    walk.family(("datasets", "dataset"), (&some(old), &some(new)), key, scoped);
}

/// Whether there can be such a row.
pub(super) fn has_any(rows: Option<&Rows>) -> bool {
    let Some(Rows { from: Some(from), to: Some(to), .. }) = rows else { return true };
    from.rank() < to.rank()
}

/// From later, to earlier, segments ⊆ (none named: all of them). `None` where no row is left.
#[allow(clippy::option_option, reason = "no rows at all isn't all rows, which absence says")]
pub(super) fn rows(walk: &mut Walk, old: Option<&Rows>, new: Option<&Rows>) -> Option<Option<Rows>> {
    let all = Rows::default();
    let (old, new) = (old.unwrap_or(&all), new.unwrap_or(&all));
    let met = walk.under("rows", "", |walk| {
        Some(Rows {
            from: walk.at_least(("from", "rows from"), old.from.as_ref(), new.from.as_ref()),
            to: walk.at_most(("to", "rows to"), old.to.as_ref(), new.to.as_ref()),
            segments: segments(walk, ("segments", "segment"), &old.segments, &new.segments)?,
        })
    })?;
    has_any(Some(&met)).then(|| (met != all).then_some(met))
}

/// Segments ⊆, where none named are all of them. `None` where none is left.
fn segments(walk: &mut Walk, clause: Clause, old: &[Word], new: &[Word]) -> Option<Vec<Word>> {
    let told = |words: &[Word]| {
        let names: Vec<&str> = words.iter().map(Word::as_str).collect();
        if names.is_empty() { "all".to_owned() } else { names.join(", ") }
    };
    let effect = match (old.is_empty(), new.is_empty()) {
        (true, true) => return Some(Vec::new()),
        (true, false) => Comparison::Narrower,
        (false, true) => Comparison::Wider,
        (false, false) => {
            return Some(walk.allowed(clause, old, new)).filter(|both| !both.is_empty());
        }
    };
    let how = Difference::Became { old: told(old), new: told(new) };
    walk.note((clause.0, "segments"), "", how, effect);
    let mut named = [old, new].concat();
    named.sort_unstable();
    named.dedup();
    Some(named)
}

/// Prohibitions ⊇.
pub(super) fn prohibited(
    walk: &mut Walk,
    old: Option<&Prohibited>,
    new: Option<&Prohibited>,
) -> Option<Prohibited> {
    let none = Prohibited::default();
    let (old, new) = (old.unwrap_or(&none), new.unwrap_or(&none));
    let met = walk.under("prohibited", "", |walk| Prohibited {
        fields: walk.required(("fields", "prohibited field"), &old.fields, &new.fields),
        artifacts: walk.required(("artifacts", "prohibited artifact"), &old.artifacts, &new.artifacts),
    });
    (met != none).then_some(met)
}
