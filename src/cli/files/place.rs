//! Where in a file something stands: found by its path in the object, once there is something to say
//! of it. Pure.

use serde::Deserialize;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::document::Document;
use super::read::Source;

/// A line and a column, both from 1.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(in crate::cli) struct Place {
    pub(in crate::cli) line: u64,
    pub(in crate::cli) column: u64,
}

/// The fields by which the items of a list are named.
const KEYS: [&str; 5] = ["name", "stage", "cidr", "metric", "version"];

/// Where the parts of one object stand.
#[derive(Debug)]
pub(in crate::cli) struct Map {
    root: Node,
    lines_before: u64,
}

impl Map {
    /// Where the parts of an object stand; `None` where that can't be told.
    pub(in crate::cli) fn of(source: &Source, document: &Document) -> Option<Self> {
        let piece = source.text.get(document.piece.clone())?;
        let roots: Vec<Spanned<What>> = serde_saphyr::from_multiple(piece).ok()?;
        let root = Node::from(roots.into_iter().nth(document.ordinal)?);
        let root = match document.item {
            Some(item) => root.field("items")?.item(item)?,
            None => root,
        };
        Some(Self { root, lines_before: document.lines_before })
    }

    /// Where the object begins.
    pub(in crate::cli) fn start(&self) -> Place {
        self.at(&self.root)
    }

    /// Where what is at `path` stands, or as much of it as is there: `spec.stages[0].duration`,
    /// `spec.stages[Sandbox].duration`.
    pub(in crate::cli) fn find(&self, path: &str) -> Place {
        let (mut node, mut rest) = (&self.root, path);
        while let Some((next, after)) = node.step(rest) {
            (node, rest) = (next, after);
        }
        self.at(node)
    }

    /// The text at `path`, and where it itself stands rather than its key; `None` where there is none.
    pub(in crate::cli) fn leaf(&self, path: &str) -> Option<(&str, Place)> {
        let (mut node, mut rest) = (&self.root, path);
        while let Some((next, after)) = node.step(rest) {
            (node, rest) = (next, after);
        }
        let What::Leaf(text) = &node.what else { return None };
        rest.is_empty().then(|| (text.as_str(), self.moved(node.value)))
    }

    fn at(&self, node: &Node) -> Place {
        self.moved(node.place)
    }

    /// A place in the piece as one in the whole text.
    fn moved(&self, place: Place) -> Place {
        Place { line: place.line + self.lines_before, column: place.column }
    }
}

/// A value, and where it stands: where it has a key, where that is.
#[derive(Debug)]
struct Node {
    place: Place,
    /// Where the value itself stands.
    value: Place,
    what: What,
}

#[derive(Debug)]
enum What {
    Leaf(String),
    List(Vec<Node>),
    Fields(Vec<(String, Node)>),
}

impl From<Spanned<What>> for Node {
    fn from(spanned: Spanned<What>) -> Self {
        let place = place(&spanned.referenced);
        Self { place, value: place, what: spanned.value }
    }
}

fn place(location: &serde_saphyr::Location) -> Place {
    Place { line: location.line(), column: location.column() }
}

impl Node {
    fn field(self, wanted: &str) -> Option<Self> {
        let What::Fields(fields) = self.what else { return None };
        fields.into_iter().find(|(name, _)| name == wanted).map(|(_, node)| node)
    }

    fn item(self, wanted: usize) -> Option<Self> {
        let What::List(items) = self.what else { return None };
        items.into_iter().nth(wanted)
    }

    /// The part that a path begins with, and the rest of the path.
    fn step<'p>(&self, path: &'p str) -> Option<(&Self, &'p str)> {
        match &self.what {
            What::Leaf(_) => None,
            What::Fields(fields) => {
                // A key may hold dots, as that of an annotation does: the longest that fits is meant.
                let fits = fields.iter().filter_map(|(name, node)| Some((name, node, after(path, name)?)));
                let (_, node, rest) = fits.max_by_key(|(name, ..)| name.len())?;
                Some((node, rest))
            }
            What::List(items) => {
                let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
                let counted = index.parse::<usize>().ok().and_then(|index| items.get(index));
                let named = || items.iter().find(|item| item.is_called(index));
                Some((counted.or_else(named)?, rest))
            }
        }
    }

    /// Whether this item of a list is meant by `name`.
    fn is_called(&self, name: &str) -> bool {
        match &self.what {
            What::Leaf(text) => text == name,
            What::List(_) => false,
            What::Fields(fields) => fields.iter().any(|(key, node)| {
                KEYS.contains(&key.as_str()) && matches!(&node.what, What::Leaf(text) if text == name)
            }),
        }
    }
}

/// What of a path comes after a field, if the path begins with it.
fn after<'p>(path: &'p str, field: &str) -> Option<&'p str> {
    if let Some(rest) = path.strip_prefix('[').and_then(|rest| rest.strip_prefix(field)) {
        return rest.strip_prefix(']');
    }
    let rest = path.strip_prefix('.').unwrap_or(path).strip_prefix(field)?;
    (rest.is_empty() || rest.starts_with(['.', '['])).then_some(rest)
}

impl<'de> Deserialize<'de> for What {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

/// Takes a leaf of some type as the text that it is named by.
macro_rules! leaf {
    ($($visit:ident: $type:ty),*) => {
        $(fn $visit<E>(self, value: $type) -> Result<What, E> {
            Ok(What::Leaf(value.to_string()))
        })*
    };
}

impl<'de> Visitor<'de> for Reader {
    type Value = What;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("anything")
    }

    leaf!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_unit<E>(self) -> Result<What, E> {
        Ok(What::Leaf(String::new()))
    }

    fn visit_none<E>(self) -> Result<What, E> {
        Ok(What::Leaf(String::new()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<What, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Spanned<What>>()? {
            list.push(Node::from(item));
        }
        Ok(What::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<What, A::Error> {
        let mut fields = Vec::new();
        while let Some((key, value)) = entries.next_entry::<Spanned<String>, Spanned<What>>()? {
            let node = Node { place: place(&key.referenced), ..Node::from(value) };
            fields.push((key.value, node));
        }
        Ok(What::Fields(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::documents;
    use super::super::document::tests::source;
    use super::*;

    const TEXT: &str = "\
# a comment
---
apiVersion: v1
metadata:
  annotations:
    a.b/c: x
spec:
  stages:
  - {stage: Sandbox, duration: 1h}
  - stage: Production
    duration: 2h
  hard: {requests.cpu: \"8\", pods: \"2\"}
  purposes: [one, two]
---
kind: other
";

    fn line(path: &str) -> (u64, u64) {
        let source = source("a.yaml", TEXT);
        let (documents, _) = documents(std::slice::from_ref(&source));
        let place = Map::of(&source, &documents[0]).expect("it can be read").find(path);
        (place.line, place.column)
    }

    #[test]
    fn a_path_leads_to_the_line_it_means() {
        for (path, place) in [
            ("apiVersion", (3, 1)),
            ("metadata.annotations.a.b/c", (6, 5)),
            ("metadata.annotations[a.b/c]", (6, 5)),
            ("spec.stages", (8, 3)),
            ("spec.stages[1].duration", (11, 5)),
            ("spec.stages[Production].duration", (11, 5)),
            ("spec.stages[Sandbox].duration", (9, 22)),
            ("spec.hard.requests.cpu", (12, 10)),
            ("spec.hard[pods]", (12, 29)),
            ("spec.purposes[two]", (13, 19)),
            (".spec.purposes", (13, 3)),
        ] {
            assert_eq!(line(path), place, "{path}");
        }
    }

    #[test]
    fn where_the_path_goes_on_into_nothing_what_is_there_is_meant() {
        assert_eq!(line("spec.stages[1].quota.hard"), (10, 5));
        assert_eq!(line("spec.time.notAfter"), (7, 1));
        assert_eq!(line("boundary"), (3, 1));
    }

    #[test]
    fn a_text_is_found_where_it_itself_stands() {
        let source = source("a.yaml", TEXT);
        let (documents, _) = documents(std::slice::from_ref(&source));
        let map = Map::of(&source, &documents[0]).expect("it can be read");
        let told =
            |path: &str| map.leaf(path).map(|(text, place)| (text.to_owned(), place.line, place.column));
        assert_eq!(told("spec.stages[1].duration"), Some(("2h".to_owned(), 11, 15)));
        assert_eq!(told("spec.stages[0].stage"), Some(("Sandbox".to_owned(), 9, 13)));
        assert_eq!(told("spec.stages[0].nothing"), None);
        assert_eq!(told("spec.stages"), None);
    }

    #[test]
    fn of_a_list_each_item_is_found() {
        let text = "apiVersion: v1\nkind: List\nitems:\n- kind: a\n- kind: b\n  spec: {x: 1}\n";
        let source = source("a.yaml", text);
        let (documents, _) = documents(std::slice::from_ref(&source));
        let map = Map::of(&source, &documents[1]).expect("it can be read");
        assert_eq!((map.start().line, map.find("spec.x").line), (5, 6));
    }
}
