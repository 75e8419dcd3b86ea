//! Where the demo is told: on a terminal, lines scroll by above a view that is redrawn; elsewhere
//! there are lines only.

use std::{
    env,
    fmt::Write as _,
    io::{IsTerminal as _, Write as _, stdout},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

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
    view: Arc<Mutex<View>>,
}

/// What stands below the lines that scroll by.
#[derive(Debug, Default)]
struct View {
    /// As it was drawn last.
    shown: Vec<String>,
    /// What is being done; nothing before the view begins.
    doing: Option<String>,
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
        self.size().0
    }

    /// How many columns and rows there are.
    fn size(&self) -> (usize, usize) {
        let size = rustix::termios::tcgetwinsize(stdout()).ok().filter(|_| self.terminal);
        let some = |count: u16| Some(usize::from(count)).filter(|count| *count > 0);
        let columns = size.and_then(|size| some(size.ws_col)).unwrap_or(WIDTH);
        (columns.max(40), size.and_then(|size| some(size.ws_row)).unwrap_or(usize::MAX))
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
        let head = format!("{}{} ", Tone::Faint.paint(&at, self.colours), tone.paint(mark, self.colours));
        for (number, line) in words::wrap(text, self.width().saturating_sub(INDENT)).iter().enumerate() {
            let margin = if number == 0 { head.clone() } else { " ".repeat(INDENT) };
            self.print(&format!("{margin}{line}"));
        }
    }

    /// A remark on what happened; what doesn't fit goes on below, further in.
    pub(super) fn remark(&self, tone: Tone, text: &str) {
        for (number, line) in words::wrap(text, self.width().saturating_sub(INDENT + 2)).iter().enumerate() {
            let margin = " ".repeat(if number == 0 { INDENT } else { INDENT + 2 });
            self.print(&format!("{margin}{}", tone.paint(line, self.colours)));
        }
    }

    /// Says what is being done, in the last line of the view.
    pub(super) fn doing(&self, what: &str) {
        let mut view = self.view();
        if let Some(doing) = &mut view.doing {
            what.clone_into(doing);
        }
        // Where there is no more to show yet, this is the view.
        if view.shown.len() <= 1 {
            drop(view);
            self.draw(&[]);
        }
    }

    /// Begins the view: from here on nobody else writes to the terminal.
    pub(super) fn begin(&self) {
        self.view().doing = Some(String::new());
    }

    /// Redraws the view.
    pub(super) fn draw(&self, lines: &[Line]) {
        let mut view = self.view();
        let Some(doing) = view.doing.clone().filter(|_| self.terminal) else { return };
        let (columns, rows) = self.size();
        let doing = (!doing.is_empty()).then(|| vec![(Tone::Busy, format!("… awaiting: {doing}"))]);
        let shown = lines.iter().take(rows.saturating_sub(3)).chain(&doing);
        let painted = shown.map(|line| self.fit(line, columns.saturating_sub(1))).collect();
        redraw(&mut view, None, painted);
    }

    /// Takes the view away, for good.
    pub(super) fn clear(&self) {
        let mut view = self.view();
        view.doing = None;
        redraw(&mut view, None, Vec::new());
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
        let mut view = self.view();
        let same = view.shown.clone();
        redraw(&mut view, Some(text), same);
    }

    fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shows `next` instead of what was shown, with a new line above it.
fn redraw(view: &mut View, above: Option<&str>, next: Vec<String>) {
    let frame = frame(view.shown.len(), above, &next);
    view.shown = next;
    // In one piece, so that nothing flickers. Where nobody reads any more, nobody misses it.
    let _ = stdout().write_all(frame.as_bytes()).and_then(|()| stdout().flush());
}

impl Default for Screen {
    fn default() -> Self {
        Self::new()
    }
}

/// What turns a view of `before` lines, at whose end the cursor stands, into a line that scrolls by
/// and another view. Where there is no view there is nothing in it but the line.
fn frame(before: usize, above: Option<&str>, view: &[String]) -> String {
    if before == 0 && view.is_empty() {
        return above.map(|text| format!("{text}\n")).unwrap_or_default();
    }
    let mut frame = if before == 0 { "\r".to_owned() } else { format!("\u{1b}[{before}A\r") };
    for line in above.into_iter().chain(view.iter().map(String::as_str)) {
        // Each line clears what it leaves of the one that stood there.
        let _ = writeln!(frame, "{}\u{1b}[K", line.replace('\n', "\u{1b}[K\n"));
    }
    frame.push_str("\u{1b}[J");
    frame
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

    #[test]
    fn without_a_view_lines_are_lines() {
        assert_eq!(frame(0, Some("a line"), &[]), "a line\n");
        assert_eq!(frame(0, None, &[]), "");
    }

    #[test]
    fn a_line_goes_above_the_view_which_is_drawn_again() {
        let view = ["one".to_owned(), "two".to_owned()];
        let clear = "\u{1b}[K\n";
        let drawn = frame(2, Some("a line"), &view);
        assert_eq!(drawn, format!("\u{1b}[2A\ra line{clear}one{clear}two{clear}\u{1b}[J"));
        assert_eq!(frame(2, None, &[]), "\u{1b}[2A\r\u{1b}[J");
    }
}
