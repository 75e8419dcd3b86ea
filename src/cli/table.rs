//! Rows of text with columns that stand under each other. Pure.

use super::page::{Page, Style, plain};

/// How far columns are apart.
const GAP: usize = 2;

/// Rows under their headings.
#[derive(Debug)]
pub(super) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<(Style, Vec<String>)>,
}

impl Table {
    /// A table without rows.
    pub(super) fn new(headings: &[&'static str]) -> Self {
        Self { headings: headings.to_vec(), rows: Vec::new() }
    }

    /// Adds a row.
    pub(super) fn row(&mut self, style: Style, cells: &[String]) {
        self.rows.push((style, cells.iter().map(|cell| plain(cell)).collect()));
    }

    /// Writes the table to a page; nothing where it has no rows.
    pub(super) fn tell(&self, page: &mut Page) {
        if self.rows.is_empty() {
            return;
        }
        let headings: Vec<String> = self.headings.iter().map(|heading| (*heading).to_owned()).collect();
        let all = || self.rows.iter().map(|(_, cells)| cells).chain([&headings]);
        let width = |column: usize| {
            all().filter_map(|cells| cells.get(column)).map(|cell| cell.chars().count()).max()
        };
        let widths: Vec<usize> =
            (0..headings.len()).map(|column| width(column).unwrap_or_default()).collect();
        page.styled(Style::Faint, aligned(&headings, &widths));
        for (style, cells) in &self.rows {
            page.styled(*style, aligned(cells, &widths));
        }
    }
}

/// Cells with as much space behind each as its column needs; none behind the last.
fn aligned(cells: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        line.push_str(cell);
        line.extend(std::iter::repeat_n(' ', (width + GAP).saturating_sub(cell.chars().count())));
    }
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_each_other_whatever_is_in_them() {
        let mut table = Table::new(&["NAME", "ENDS", "STATE"]);
        table.row(Style::Plain, &["göteborg-pay".to_owned(), "never".to_owned(), String::new()]);
        table.row(Style::Bad, &["a\u{1b}[2J".to_owned(), "now".to_owned(), "open".to_owned()]);
        let mut page = Page::default();
        table.tell(&mut page);
        let text = page.text(false);
        assert_eq!(text, "NAME          ENDS   STATE\ngöteborg-pay  never\na\\u{1b}[2J    now    open\n");
        let mut empty = Page::default();
        Table::new(&["NAME"]).tell(&mut empty);
        assert_eq!(empty.text(false), "");
    }
}
