//! The view that is redrawn on a terminal: the grant's stages, conditions and journal. Pure.

use comity::{
    api::{condition::ConditionType, grant::PartnerGrant, stage::Stage},
    journal::{Opening, Recorded},
};
use jiff::Timestamp;

use super::{
    paint::Tone,
    screen::Line,
    seen::{Seen, in_order, tell},
    words,
};

/// How many lines of the journal are shown.
const JOURNAL: usize = 3;

/// How wide the bar is that says how much time is left.
const BAR: usize = 20;

/// The conditions that are shown, the most important first.
const CONDITIONS: [ConditionType; 4] =
    [ConditionType::Ready, ConditionType::Active, ConditionType::Accepted, ConditionType::Stalled];

/// The view at a time.
pub(super) fn render(seen: &Seen, now: Timestamp, width: usize) -> Vec<Line> {
    let mut lines = vec![vec![]];
    if let Some(grant) = &seen.grant {
        lines.push(title(grant));
        lines.extend(Stage::ALL.map(|stage| stage_line(seen, stage, now)));
        lines.extend(conditions(grant));
    }
    let newest = seen.records.values().rev().take(JOURNAL).rev();
    lines.extend(newest.map(|(_, record)| vec![(Tone::Faint, format!("  {}", tell(record)))]));
    lines.extend(objects(seen, width));
    lines
}

/// The stage that is open, and how many seconds are left of it.
pub(super) fn left(seen: &Seen, now: Timestamp) -> Option<(Stage, i64)> {
    let open = Stage::ALL.into_iter().rev().filter_map(|stage| seen.opening(stage));
    let open = open.into_iter().find(|opening| opening.state == Recorded::Open)?;
    Some((open.stage, seconds_left(&open, now)))
}

/// Seconds until the recorded end, begun ones counted.
fn seconds_left(opening: &Opening, now: Timestamp) -> i64 {
    let milliseconds = opening.end.as_millisecond() - now.as_millisecond();
    (milliseconds + 999).div_euclid(1000).max(0)
}

fn title(grant: &PartnerGrant) -> Line {
    let namespace = grant.metadata.namespace.as_deref().unwrap_or_default();
    let name = grant.metadata.name.as_deref().unwrap_or_default();
    let about = format!("  {} may come as far as {}", grant.spec.partner_ref.name.0, grant.spec.stage);
    vec![(Tone::Strong, format!("{namespace}/{name}")), (Tone::Plain, about)]
}

fn stage_line(seen: &Seen, stage: Stage, now: Timestamp) -> Line {
    let heading = format!("{:<11}", stage.to_string());
    let Some(opening) = seen.opening(stage) else {
        return vec![(Tone::Faint, format!("  ○ {heading} not opened yet"))];
    };
    let count = seen.count(stage);
    match opening.state {
        Recorded::Closed { reason, .. } => {
            vec![(Tone::Faint, format!("  ● {heading} closed: {reason:?}; {count} objects left"))]
        }
        Recorded::Suspended { .. } => vec![(Tone::Bad, format!("  ● {heading} suspended"))],
        Recorded::Open => {
            let seconds = seconds_left(&opening, now);
            let bar = bar(&opening, now);
            let pods = if seen.lets_pods_in(stage) { "pods let in" } else { "no pods let in" };
            let rest = format!(" {bar} ends in {seconds} s; {count} objects, {pods}");
            vec![(Tone::Good, format!("  ● {heading}")), (Tone::Plain, rest)]
        }
    }
}

/// How much of an opening is left.
fn bar(opening: &Opening, now: Timestamp) -> String {
    let whole = (opening.end.as_millisecond() - opening.opened_at.as_millisecond()).max(1);
    let left = (opening.end.as_millisecond() - now.as_millisecond()).clamp(0, whole);
    let full = usize::try_from(left).unwrap_or_default() * BAR / usize::try_from(whole).unwrap_or(1);
    format!("{}{}", "█".repeat(full), "░".repeat(BAR - full.min(BAR)))
}

fn conditions(grant: &PartnerGrant) -> Vec<Line> {
    let standing = grant.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let find = |wanted: &ConditionType| standing.iter().find(|found| found.type_ == wanted.as_str());
    let words = CONDITIONS.iter().filter_map(find).map(|found| {
        let tone = if found.status == "True" { Tone::Good } else { Tone::Faint };
        (tone, format!("  {}={} {}", found.type_, found.status, found.reason))
    });
    let mut lines = vec![words.collect::<Line>()];
    let message = find(&ConditionType::Ready).map(|ready| ready.message.clone());
    lines.extend(message.map(|message| vec![(Tone::Plain, format!("  {message}"))]));
    lines
}

/// What is there of the newest stage, in the order in which it was made.
fn objects(seen: &Seen, width: usize) -> Vec<Line> {
    let Some(stage) = Stage::ALL.into_iter().rev().find(|stage| seen.count(*stage) > 0) else {
        return Vec::new();
    };
    let standing = in_order(&seen.standing(stage));
    let lines = words::wrap(&standing, width.saturating_sub(3));
    lines.into_iter().map(|line| vec![(Tone::Busy, format!("  {line}"))]).collect()
}

#[cfg(test)]
#[path = "panel_tests.rs"]
mod tests;
