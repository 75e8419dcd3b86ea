//! What happened, when, how long it took, and whether it was as expected.

use std::{
    fmt::{self, Display, Formatter},
    future::Future,
    time::{Duration, Instant},
};

use crate::Result;

/// The steps of a story, told as they happen and summed up at its end.
#[derive(Debug)]
pub struct Ledger {
    begun: Instant,
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
    /// The story begins now.
    pub fn new() -> Self {
        Self { begun: Instant::now(), rows: Vec::new() }
    }

    /// Awaits a step without which the story can't go on.
    pub async fn step<T>(&mut self, what: &str, step: impl Future<Output = Result<T>>) -> Result<T> {
        let (at, start) = (self.begun.elapsed(), Instant::now());
        let outcome = step.await;
        let failed = outcome.as_ref().err().map(ToString::to_string);
        let row = Row { what: what.to_owned(), at, took: start.elapsed(), failed };
        println!("{row}");
        self.rows.push(row);
        outcome
    }

    /// Awaits something that must hold; where it doesn't, the story goes on, and fails at its end.
    pub async fn expect(&mut self, what: &str, step: impl Future<Output = Result<()>>) {
        if let Err(reason) = self.step(what, step).await {
            println!("          {reason}");
        }
    }

    /// Whether everything was as expected.
    pub fn all_held(&self) -> bool {
        self.rows.iter().all(|row| row.failed.is_none())
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new()
    }
}

impl Display for Row {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let mark = if self.failed.is_none() { "✓" } else { "✗" };
        let at = self.at.as_secs_f64();
        write!(formatter, "{at:6.1}s {mark} {}", self.what)
    }
}

impl Display for Ledger {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|row| row.what.chars().count()).max().unwrap_or_default();
        writeln!(formatter, "{:>7}  {:>7}    what happened", "at", "took")?;
        for Row { what, at, took, failed } in &self.rows {
            let (at, took) = (at.as_secs_f64(), took.as_secs_f64());
            let mark = if failed.is_none() { "✓" } else { "✗" };
            writeln!(formatter, "{at:6.1}s  {took:6.1}s  {mark} {what}")?;
        }
        let failed = self.rows.iter().filter(|row| row.failed.is_some()).count();
        let total = self.begun.elapsed().as_secs_f64();
        writeln!(formatter, "{}", "─".repeat(width + 21))?;
        match failed {
            0 => writeln!(formatter, "{total:6.1}s  all {} as expected", self.rows.len()),
            _ => writeln!(formatter, "{total:6.1}s  {failed} of {} not as expected", self.rows.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[tokio::test]
    async fn what_did_not_hold_is_remembered_to_the_end() {
        let mut ledger = Ledger::new();
        ledger.step("it begins", async { Ok(()) }).await.unwrap();
        assert!(ledger.all_held());
        ledger.expect("the partner is refused", async { Err(Error::Failed("it may".to_owned())) }).await;
        ledger.expect("it ends", async { Ok(()) }).await;
        assert!(!ledger.all_held());
        let table = ledger.to_string();
        assert!(table.contains("✗ the partner is refused"), "{table}");
        assert!(table.contains("1 of 3 not as expected"), "{table}");
    }
}
