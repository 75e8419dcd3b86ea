//! What happened, when, how long it took, and whether it was as expected.

use std::{
    fmt::{self, Display, Formatter},
    future::Future,
    time::{Duration, Instant},
};

use super::{paint::Tone, screen::Screen};
use crate::{Error, Result};

/// The steps of a story, told as they happen and summed up at its end.
pub struct Ledger {
    screen: Screen,
    rows: Vec<Row>,
}

/// One step; `failed` says why it wasn't as expected, where it wasn't.
#[derive(Debug)]
struct Row {
    what: String,
    at: Duration,
    took: Duration,
    failed: Option<String>,
}

impl Ledger {
    /// The story begins when its screen did.
    pub fn new(screen: Screen) -> Self {
        Self { screen, rows: Vec::new() }
    }

    /// Where it is told.
    pub fn screen(&self) -> &Screen {
        &self.screen
    }

    /// Awaits a step without which the story can't go on.
    pub async fn step<T>(&mut self, what: &str, step: impl Future<Output = Result<T>>) -> Result<T> {
        let start = Instant::now();
        self.screen.doing(what);
        let outcome = step.await;
        self.screen.doing("");
        let failed = outcome.as_ref().err().map(ToString::to_string);
        self.enter(Row { what: what.to_owned(), at: self.screen.elapsed(), took: start.elapsed(), failed });
        outcome
    }

    /// Awaits something that must hold, and tells what was seen; where it doesn't hold, the story
    /// goes on, and fails at its end.
    pub async fn expect(&mut self, what: &str, step: impl Future<Output = Result<String>>) {
        match self.step(what, step).await {
            Ok(seen) if seen.is_empty() => {}
            Ok(seen) => self.screen.remark(Tone::Faint, &seen),
            Err(reason) => self.screen.remark(Tone::Bad, &reason.to_string()),
        }
    }

    /// Whether everything was as expected.
    pub fn all_held(&self) -> bool {
        self.rows.iter().all(|row| row.failed.is_none())
    }

    fn enter(&mut self, row: Row) {
        let (mark, tone) = row.mark();
        self.screen.event(mark, tone, &row.to_string());
        self.rows.push(row);
    }
}

impl Row {
    const fn mark(&self) -> (&'static str, Tone) {
        if self.failed.is_none() { ("✓", Tone::Good) } else { ("✗", Tone::Bad) }
    }
}

/// Something that doesn't hold, said as it is.
pub(super) fn unless(holds: bool, otherwise: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::Failed(otherwise())) }
}

impl Display for Row {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let took = self.took.as_secs_f64();
        write!(formatter, "{}", self.what)?;
        if took >= 0.1 { write!(formatter, " ({took:.1}\u{a0}s)") } else { Ok(()) }
    }
}

impl Display for Ledger {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|row| row.what.chars().count()).max().unwrap_or_default();
        writeln!(formatter, "{:>7}  {:>7}    what happened", "when", "took")?;
        for row in &self.rows {
            let (at, took) = (row.at.as_secs_f64(), row.took.as_secs_f64());
            writeln!(formatter, "{at:6.1}s  {took:6.2}s  {} {}", row.mark().0, row.what)?;
        }
        let failed = self.rows.iter().filter(|row| row.failed.is_some()).count();
        let total = self.screen.elapsed().as_secs_f64();
        writeln!(formatter, "{}", "─".repeat(width + 20))?;
        match failed {
            0 => write!(formatter, "{total:6.1}s  all {} as expected", self.rows.len()),
            _ => write!(formatter, "{total:6.1}s  {failed} of {} not as expected", self.rows.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_did_not_hold_is_remembered_to_the_end() {
        let mut ledger = Ledger::new(Screen::plain());
        ledger.step("it begins", async { Ok(()) }).await.unwrap();
        assert!(ledger.all_held());
        let may = async { unless(false, || "it may".to_owned()).map(|()| String::new()) };
        ledger.expect("the partner is refused", may).await;
        ledger.expect("it ends", async { Ok("it did".to_owned()) }).await;
        assert!(!ledger.all_held());
        let table = ledger.to_string();
        assert!(table.contains("✗ the partner is refused"), "{table}");
        assert!(table.contains("1 of 3 not as expected"), "{table}");
    }
}
