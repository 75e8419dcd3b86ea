//! Text for a terminal. Whatever it is made of, and whoever wrote that, no character of it moves the
//! cursor, changes a colour, or turns the direction of reading: only this file writes such ones. Pure.

use std::fmt::Write as _;

/// How a piece of text stands out.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Style {
    /// It doesn't.
    #[default]
    Plain,
    /// It is what this is about.
    Strong,
    /// As it should be.
    Good,
    /// Somebody is waited for, or should look.
    Warn,
    /// It is refused, or over.
    Bad,
    /// It is there for who looks for it.
    Faint,
}

impl Style {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "\u{1b}[1m",
            Self::Good => "\u{1b}[32m",
            Self::Warn => "\u{1b}[33m",
            Self::Bad => "\u{1b}[31m",
            Self::Faint => "\u{1b}[2m",
        }
    }
}

/// Lines of text, in pieces.
#[derive(Clone, Debug, Default)]
pub(super) struct Page {
    lines: Vec<Vec<(Style, String)>>,
}

impl Page {
    /// Adds a line of one piece.
    pub(super) fn line(&mut self, text: impl Into<String>) -> &mut Self {
        self.styled(Style::Plain, text)
    }

    /// Adds a line of one piece that stands out.
    pub(super) fn styled(&mut self, style: Style, text: impl Into<String>) -> &mut Self {
        self.lines.push(vec![(style, text.into())]);
        self
    }

    /// Adds an empty line.
    pub(super) fn gap(&mut self) -> &mut Self {
        self.lines.push(Vec::new());
        self
    }

    /// Adds a piece to the last line.
    pub(super) fn then(&mut self, style: Style, text: impl Into<String>) -> &mut Self {
        match self.lines.last_mut() {
            Some(line) => line.push((style, text.into())),
            None => self.lines.push(vec![(style, text.into())]),
        }
        self
    }

    /// The text, in colours or not.
    pub(super) fn text(&self, coloured: bool) -> String {
        let mut text = String::new();
        for line in &self.lines {
            for (style, piece) in line {
                let code = if coloured { style.code() } else { "" };
                text.push_str(code);
                text.push_str(&plain(piece));
                if !code.is_empty() {
                    text.push_str("\u{1b}[0m");
                }
            }
            text.push('\n');
        }
        text
    }
}

/// A text with nothing in it that a terminal acts on or hides: such characters are spelled out, line
/// breaks become spaces.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' | '\t' => out.push(' '),
            letter if acts(letter) => out.extend(letter.escape_unicode()),
            letter => out.push(letter),
        }
    }
    out
}

/// Every line of a text with nothing in it that a terminal acts on.
pub(super) fn lines(text: &str) -> String {
    text.lines().map(|line| plain(line) + "\n").collect()
}

/// JSON in which such characters are escaped too: they can be in strings only.
pub(super) fn plain_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter != '\n' && acts(letter) {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                // Writing to a string can't fail.
                let _infallible = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(letter);
        }
    }
    out
}

/// Whether a terminal acts on a character, or shows nothing for it.
fn acts(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What somebody may write who wants to draw on a reader's terminal.
    pub(in crate::cli) const HOSTILE: &str = "ok\u{1b}[2J\r\u{7f}\u{9b}31m\u{202e}gpj\u{200b}\u{e0041}\nnext";

    /// Whether a text of lines has nothing in it that a terminal acts on.
    pub(in crate::cli) fn is_plain(text: &str) -> bool {
        !text.chars().any(|letter| letter != '\n' && acts(letter))
    }

    #[test]
    fn what_a_terminal_acts_on_is_spelled_out() {
        let told = plain(HOSTILE);
        assert_eq!(told, "ok\\u{1b}[2J\\u{d}\\u{7f}\\u{9b}31m\\u{202e}gpj\\u{200b}\\u{e0041} next");
        assert!(!told.chars().any(acts));
        assert_eq!(plain("Göteborg – 東京 ✓"), "Göteborg – 東京 ✓");
    }

    #[test]
    fn a_page_has_only_its_own_escapes() {
        let mut page = Page::default();
        page.styled(Style::Bad, HOSTILE).then(Style::Plain, HOSTILE).gap();
        page.line("last");
        assert!(is_plain(&page.text(false)));
        assert_eq!(page.text(false).lines().count(), 3);
        assert_eq!(page.text(true).matches('\u{1b}').count(), 2, "a colour and its end");
    }

    #[test]
    fn json_says_the_same_without_them() {
        let value = serde_json::json!({"reason": HOSTILE});
        let told = plain_json(&serde_json::to_string_pretty(&value).expect("JSON"));
        assert!(is_plain(&told), "{told}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&told).expect("JSON"), value);
    }
}
