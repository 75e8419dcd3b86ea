//! Colours, where somebody looks who wants them.

/// What a piece of text is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tone {
    /// Nothing special.
    Plain,
    /// A heading.
    Strong,
    /// Beside the point.
    Faint,
    /// As expected.
    Good,
    /// Not as expected.
    Bad,
    /// Under way.
    Busy,
}

impl Tone {
    /// As a terminal is told.
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "0",
            Self::Strong => "1",
            Self::Faint => "2",
            Self::Good => "32",
            Self::Bad => "31",
            Self::Busy => "36",
        }
    }

    /// `text` in this tone, on a terminal that shows colours.
    pub(super) fn paint(self, text: &str, colours: bool) -> String {
        if !colours || self == Self::Plain || text.is_empty() {
            return text.to_owned();
        }
        format!("\u{1b}[{}m{text}\u{1b}[0m", self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colours_text_is_text() {
        assert_eq!(Tone::Good.paint("✓", false), "✓");
        assert_eq!(Tone::Good.paint("✓", true), "\u{1b}[32m✓\u{1b}[0m");
    }
}
