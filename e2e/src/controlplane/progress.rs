//! What is being got, and for how long: a bar on a terminal, plain lines elsewhere.
//!
//! Written straight to standard error: a test's captured output would show it when it is over.

use std::{
    io::{IsTerminal as _, Write as _, stderr},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

/// How often a plain line says that it is still going on.
const PLAIN_EVERY: Duration = Duration::from_secs(15);

/// Shows how something long gets on.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    silent: bool,
    begun: Instant,
    told: Instant,
    step: String,
    /// What is being downloaded for it.
    detail: String,
    done: u64,
    total: u64,
}

impl Progress {
    /// Nothing is shown before there is something to say.
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        let (step, detail) = (String::new(), String::new());
        Self { bar: None, silent: false, begun: now, told: now, step, detail, done: 0, total: 0 }
    }

    /// Nothing is shown at all.
    #[cfg(test)]
    pub(crate) fn silent() -> Self {
        Self { silent: true, ..Self::new() }
    }

    /// Says something once.
    pub(crate) fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.line(text)),
            None => self.line(text),
        }
    }

    /// A new step begins.
    pub(crate) fn step(&mut self, step: &str) {
        step.clone_into(&mut self.step);
        self.detail.clear();
        if stderr().is_terminal() && !self.silent {
            self.bar.get_or_insert_with(|| new_bar("{spinner} {msg} {elapsed}"));
            self.show();
        } else {
            self.tell();
        }
    }

    /// So many packages are to be built in all.
    pub(crate) fn expect(&mut self, total: u64) {
        self.total = total;
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
            let bar = new_bar("{spinner} {msg} [{bar:30}] {pos}/{len} packages {elapsed}");
            bar.set_length(total);
            self.bar = Some(bar.with_elapsed(self.begun.elapsed()));
        }
    }

    /// The builder printed a line: a package that it has built, if `built`, or what it downloads.
    pub(crate) fn saw(&mut self, text: &str, built: bool) {
        if let Some(module) = text.strip_prefix("go: downloading ") {
            self.detail = format!(" ({module})");
        } else if built && !text.contains(' ') {
            self.done += 1;
            self.detail.clear();
        }
        self.show();
        self.tick();
    }

    /// Time passes.
    pub(crate) fn tick(&mut self) {
        if self.bar.is_none() && self.told.elapsed() >= PLAIN_EVERY {
            self.tell();
        }
    }

    /// It is over.
    pub(crate) fn finish(&mut self, text: &str) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        self.line(&format!("{text} ({} s)", self.begun.elapsed().as_secs()));
    }

    fn show(&self) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{}{}", self.step, self.detail));
            bar.set_position(self.done);
        }
    }

    fn tell(&mut self) {
        self.told = Instant::now();
        let (step, detail, seconds) = (&self.step, &self.detail, self.begun.elapsed().as_secs());
        if self.total == 0 {
            self.line(&format!("{step}{detail}, {seconds} s"));
        } else {
            let (done, total) = (self.done, self.total);
            self.line(&format!("{step}{detail}: {done} of at most {total} packages, {seconds} s"));
        }
    }

    fn line(&self, text: &str) {
        if !self.silent {
            let _ = writeln!(stderr(), "{text}");
        }
    }
}

fn new_bar(template: &str) -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
