//! The objects in a text: each document of it, and each item of a list. Pure.

use std::ops::Range;

use serde_json::Value;

use super::each::each;
use super::read::Source;

/// One object as it is written.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Document {
    /// Which source it is in.
    pub(in crate::cli) source: usize,
    /// Where in the text of the source its piece is.
    pub(super) piece: Range<usize>,
    /// How many lines of the text are before that piece.
    pub(super) lines_before: u64,
    /// Which document of the piece it is: nearly always the only one.
    pub(super) ordinal: usize,
    /// Which item of a List it is.
    pub(super) item: Option<usize>,
    /// What it says.
    pub(in crate::cli) value: Value,
}

/// A piece of text that isn't YAML.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::cli) struct Unreadable {
    /// Which source it is in.
    pub(in crate::cli) source: usize,
    /// The line, from 1.
    pub(in crate::cli) line: u64,
    /// The column, from 1.
    pub(in crate::cli) column: u64,
    /// Why.
    pub(in crate::cli) message: String,
}

/// Every object in some texts, and every piece of them that isn't YAML.
pub(in crate::cli) fn documents(sources: &[Source]) -> (Vec<Document>, Vec<Unreadable>) {
    let numbered: Vec<(usize, &Source)> = sources.iter().enumerate().collect();
    let read = each(&numbered, || (), |(), (number, source)| in_source(*number, source));
    let (documents, unreadable): (Vec<_>, Vec<_>) = read.into_iter().unzip();
    (documents.into_iter().flatten().collect(), unreadable.into_iter().flatten().collect())
}

fn in_source(source: usize, Source { text, .. }: &Source) -> (Vec<Document>, Vec<Unreadable>) {
    let (mut documents, mut unreadable) = (Vec::new(), Vec::new());
    for (piece, lines_before) in pieces(text) {
        let values: Vec<Value> = match serde_saphyr::from_multiple(&text[piece.clone()]) {
            Ok(values) => values,
            Err(error) => {
                unreadable.push(fault(source, lines_before, &error));
                continue;
            }
        };
        for (ordinal, value) in values.into_iter().enumerate().filter(|(_, value)| !value.is_null()) {
            let document =
                Document { source, piece: piece.clone(), lines_before, ordinal, item: None, value };
            documents.extend(items(document));
        }
    }
    (documents, unreadable)
}

fn fault(source: usize, lines_before: u64, error: &serde_saphyr::Error) -> Unreadable {
    let place = error.location();
    let (line, column) = place.map_or((1, 1), |place| (place.line(), place.column()));
    let told = error.render_with_options(serde_saphyr::RenderOptions::default());
    // What follows is the text itself, which whoever reads this has at hand.
    let told = told.lines().next().unwrap_or_default().trim_start_matches("error: ");
    // The line that it names is that of the piece.
    let named = format!("line {line} column {column}: ");
    let message = told.strip_prefix(&named).unwrap_or(told);
    Unreadable { source, line: lines_before + line, column, message: format!("it isn't YAML: {message}") }
}

/// What a List holds, or the object itself.
fn items(document: Document) -> Vec<Document> {
    let is_list = document.value.get("apiVersion").and_then(Value::as_str) == Some("v1")
        && document.value.get("kind").and_then(Value::as_str) == Some("List");
    let Some(items) = document.value.get("items").and_then(Value::as_array).filter(|_| is_list) else {
        return vec![document];
    };
    let item = |(index, value): (usize, &Value)| Document {
        item: Some(index),
        value: value.clone(),
        piece: document.piece.clone(),
        ..document
    };
    items.iter().enumerate().map(item).collect()
}

/// The pieces of a text between lines of `---`, and how many lines are before each. What only holds
/// comments and directives isn't one.
fn pieces(text: &str) -> Vec<(Range<usize>, u64)> {
    let mut pieces = Vec::new();
    let (mut start, mut first, mut offset, mut line) = (0, 0, 0, 0);
    for row in text.split_inclusive('\n') {
        let begins = row.strip_prefix("---").is_some_and(|rest| rest.trim_start().len() < rest.len());
        if begins {
            pieces.push((start..offset, first));
            (start, first) = (offset, line);
        }
        offset += row.len();
        line += 1;
    }
    pieces.push((start..offset, first));
    pieces.retain(|(piece, _)| says_anything(&text[piece.clone()]));
    pieces
}

fn says_anything(piece: &str) -> bool {
    let bare = |row: &str| {
        let row = row.trim_start_matches('\u{feff}').trim();
        row.is_empty() || row.starts_with(['#', '%']) || row == "---" || row == "..."
    };
    !piece.lines().all(bare)
}

#[cfg(test)]
pub(in crate::cli) mod tests {
    use super::*;

    /// A text that somebody named.
    pub(in crate::cli) fn source(name: &str, text: &str) -> Source {
        Source { name: name.to_owned(), path: Some(name.into()), is_named: true, text: text.to_owned() }
    }

    fn names(text: &str) -> (Vec<String>, Vec<Unreadable>) {
        let (documents, unreadable) = documents(&[source("a.yaml", text)]);
        let name = |document: Document| document.value["name"].as_str().unwrap_or("?").to_owned();
        (documents.into_iter().map(name).collect(), unreadable)
    }

    #[test]
    fn each_document_of_a_stream_is_one_and_empty_ones_are_none() {
        let text =
            "# only words\n---\n---\nname: a\n--- # more\nname: b\n...\n---\n{\"name\": \"c\"}\n---\nnull\n";
        assert_eq!(names(text), (vec!["a".into(), "b".into(), "c".into()], vec![]));
        assert_eq!(names("%YAML 1.2\n---\nname: a\r\n---\r\nname: b\r\n").0, ["a", "b"]);
        assert_eq!(names("name: >\n  x\n  ---\n  y\n").0.len(), 1, "three dashes that are indented are text");
    }

    #[test]
    fn the_items_of_a_list_are_objects() {
        let text = "apiVersion: v1\nkind: List\nitems:\n- {name: a}\n- {name: b}\n";
        assert_eq!(names(text).0, ["a", "b"]);
        let other = "apiVersion: comity.dev/v1alpha1\nkind: PartnerGrantList\nname: x\nitems: [{name: a}]\n";
        assert_eq!(names(other).0, ["x"]);
    }

    #[test]
    fn what_is_not_yaml_is_told_with_its_line_and_hides_nothing_else() {
        let (names, unreadable) = names("name: a\n---\nname: [b\nc: d\n---\nname: e\n");
        assert_eq!(names, ["a", "e"]);
        let [fault] = unreadable.as_slice() else { panic!("{unreadable:?}") };
        assert!((3..=5).contains(&fault.line), "{fault:?}");
        assert!(fault.message.starts_with("it isn't YAML: "), "{fault:?}");
        assert!(!fault.message.contains("line "), "{fault:?}");
        assert!(!fault.message.contains('\n'), "{fault:?}");
        let twice = super::tests::names("name: a\nname: b\n").1;
        assert_eq!(twice.len(), 1, "the same key twice");
    }

    #[test]
    fn a_thousand_documents_in_one_stream_are_no_limit() {
        let text = "name: a\nlist: [1, 2, 3]\n---\n".repeat(3000);
        assert_eq!(names(&text).0.len(), 3000);
    }
}
