//! Where the demo is told: on a terminal, lines scroll by above a view that is redrawn; elsewhere
//! there are lines only.

use std::{
    env,
    io::{IsTerminal as _, stdout},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{paint::Tone, words};

/// How wide lines are where nobody says how wide they may be.
const WIDTH: usize = 100;

/// How far in text stands below what it belongs to.
const INDENT: usize = 10;

/// One line of the view: pieces of text, each in its tone.
pub(super) type Line = Vec<(Tone, String)>;

/// The terminal, or what stands in for it. Cheap to clone.
#[derive(Clone)]
pub struct Screen {
    begun: Instant,
    colours: bool,
    terminal: bool,
    view: Arc<Mutex<Option<ProgressBar>>>,
}

impl Screen {
    /// What standard output leads to.
    pub fn new() -> Self {
        let said = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        let terminal = stdout().is_terminal() && said("TERM").is_none_or(|kind| kind != "dumb");
        let colours = terminal && said("NO_COLOR").is_none();
        Self { begun: Instant::now(), colours, terminal, view: Arc::default() }
    }

    /// A screen that shows no colours and no view.
    #[cfg(test)]
    pub(super) fn plain() -> Self {
        Self { begun: Instant::now(), colours: false, terminal: false, view: Arc::default() }
    }

    /// How long ago the demo began.
    pub(super) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Whether there is a view that can be redrawn.
    pub(super) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// How many characters a line may have.
    pub(super) fn width(&self) -> usize {
        if !self.terminal {
            return WIDTH;
        }
        let size = rustix::termios::tcgetwinsize(stdout()).ok();
        let columns = size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
        columns.map_or(WIDTH, |columns| columns.max(40))
    }

    /// A line.
    pub(super) fn line(&self, tone: Tone, text: &str) {
        self.print(&tone.paint(text, self.colours));
    }

    /// A heading, set off from what came before.
    pub(super) fn heading(&self, text: &str) {
        self.print("");
        self.line(Tone::Strong, text);
    }

    /// Something that happened now, with a mark; what doesn't fit goes on below.
    pub(super) fn event(&self, mark: &str, tone: Tone, text: &str) {
        let at = format!("{:6.1}s ", self.elapsed().as_secs_f64());
        let width = self.width().saturating_sub(INDENT);
        for (number, line) in words::wrap(text, width).iter().enumerate() {
            let head = if number == 0 {
                format!("{}{} ", Tone::Faint.paint(&at, self.colours), tone.paint(mark, self.colours))
            } else {
                " ".repeat(INDENT)
            };
            self.print(&format!("{head}{line}"));
        }
    }

    /// A remark on what happened.
    pub(super) fn remark(&self, tone: Tone, text: &str) {
        let width = self.width().saturating_sub(INDENT);
        for line in words::wrap(text, width) {
            self.print(&format!("{}{}", " ".repeat(INDENT), tone.paint(&line, self.colours)));
        }
    }

    /// Redraws the view.
    pub(super) fn draw(&self, lines: &[Line]) {
        if !self.terminal {
            return;
        }
        let width = self.width().saturating_sub(1);
        let painted: Vec<String> = lines.iter().map(|line| self.fit(line, width)).collect();
        let mut view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = view.get_or_insert_with(new_view);
        bar.set_message(painted.join("\n"));
        bar.tick();
    }

    /// Takes the view away.
    pub(super) fn clear(&self) {
        if let Some(bar) = self.view.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.finish_and_clear();
        }
    }

    /// A line of the view, painted, and cut where it would break.
    fn fit(&self, line: &Line, width: usize) -> String {
        let mut left = width;
        let mut painted = String::new();
        for (tone, text) in line {
            let text = words::cut(text, left);
            left -= text.chars().count();
            painted.push_str(&tone.paint(&text, self.colours));
        }
        painted
    }

    fn print(&self, text: &str) {
        match &*self.view.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(bar) => bar.suspend(|| println!("{text}")),
            None => println!("{text}"),
        }
    }
}

impl Default for Screen {
    fn default() -> Self {
        Self::new()
    }
}

fn new_view() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout_with_hz(20));
    if let Ok(style) = ProgressStyle::with_template("{msg}") {
        bar.set_style(style);
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_view_never_breaks() {
        let line = vec![(Tone::Good, "Sandbox ".to_owned()), (Tone::Plain, "is open".to_owned())];
        assert_eq!(Screen::plain().fit(&line, 10), "Sandbox i…");
        assert_eq!(Screen::plain().fit(&line, 40), "Sandbox is open");
    }
}
