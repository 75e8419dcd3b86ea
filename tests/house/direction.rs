//! A floor sees only the floors below it, and each outside library has one home.

use syn::visit::{self, Visit};

use super::source::{Source, is_for_tests, sources, test_files};

/// Which floor each folder is on.
const FLOORS: [(&str, u8); 21] = [
    ("api", 0),
    ("policy", 1),
    ("plan", 1),
    ("journal", 1),
    ("pki", 1),
    ("generate", 1),
    ("cluster", 2),
    ("boundary", 3),
    ("decision", 3),
    ("partner", 3),
    ("dataset", 3),
    ("contract", 3),
    ("grant", 3),
    ("signer", 3),
    ("rehearsal", 3),
    ("gate", 3),
    ("access", 3),
    ("runtime", 4),
    ("ops", 4),
    ("app", 5),
    ("cli", 5),
];

/// Who may see a neighbour on the same floor, and why.
const NEIGHBOURS: [(&str, &str, &str); 7] = [
    ("signer", "grant", "what is open, and what people close, is looked at just as comity run looks at it"),
    ("rehearsal", "grant", "what is rehearsed is held to just what comity run holds it to"),
    ("decision", "grant", "what a decision changes is looked at just as its grant will look at it"),
    ("cli", "app", "the command line starts what app puts together"),
    ("runtime", "ops", "what a controller does is counted, and keeps its heartbeat alive"),
    ("journal", "policy", "which openings are wanted follows from what is agreed, and records have digests"),
    ("plan", "policy", "a wanted object is told from another by the digest of its canonical JSON"),
];

/// The home of each outside library that must not spread.
const HOMES: [(&str, &[&str]); 6] = [
    ("clap", &["cli"]),
    ("axum", &["ops"]),
    ("prometheus_client", &["ops"]),
    ("tracing_subscriber", &["ops"]),
    ("rcgen", &["pki"]),
    ("x509_parser", &["pki"]),
];

/// The files of a kind, on floor 3, that may talk to the cluster.
const TALKERS: [&str; 2] = ["observe", "reconcile"];

fn floor(folder: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == folder).map(|(_, floor)| *floor)
}

/// What a source sees that it must not.
fn wrong_ways(source: &Source, whole_file_is_test: bool) -> Vec<String> {
    let mut seen = Seen { module: source.module(), for_tests: whole_file_is_test, targets: Vec::new() };
    seen.visit_file(&source.file);
    let home = source.module().first().cloned().unwrap_or_default();
    let mut found: Vec<String> = seen
        .targets
        .iter()
        .filter_map(|target| objection(source, &home, target))
        .map(|objection| format!("{}: {objection}", source.path))
        .collect();
    found.sort();
    found.dedup();
    found
}

/// What is to be said against `home` seeing `target`, if anything.
fn objection(source: &Source, home: &str, target: &Target) -> Option<String> {
    match target {
        Target::Outside(library) => {
            let (_, homes) = HOMES.iter().find(|(name, _)| name == library)?;
            (!homes.contains(&home)).then(|| format!("{library} belongs to {homes:?}"))
        }
        Target::Inside { folder, for_tests } => {
            if folder == home || home.is_empty() || (folder == "testing" && *for_tests) || home == "testing" {
                return None;
            }
            let Some(below) = floor(folder) else {
                return Some(format!("crate::{folder} is on no floor: name one in tests/house/direction.rs"));
            };
            let Some(own) = floor(home) else {
                return Some(format!("{home} is on no floor: name one in tests/house/direction.rs"));
            };
            if NEIGHBOURS.iter().any(|(from, to, _)| *from == home && to == folder) {
                return None;
            }
            if below >= own {
                return Some(format!("{home} (floor {own}) must not see {folder} (floor {below})"));
            }
            let silent = own == 3 && folder == "cluster" && !for_tests && !talks(source);
            silent.then(|| format!("only {TALKERS:?} of a kind may see cluster"))
        }
    }
}

/// Whether this file of a kind may talk to the cluster: one of those, or a part of one, in its folder.
fn talks(source: &Source) -> bool {
    let is_part = |talker: &&str| source.path.contains(&format!("/{talker}/"));
    TALKERS.contains(&source.stem())
        || TALKERS.iter().any(is_part)
        || super::purity::TALKS.iter().any(|path| source.path.starts_with(path))
}

/// Something that a path leads to.
#[derive(Debug, Eq, PartialEq)]
enum Target {
    /// A folder of the crate, seen by code for tests or not.
    Inside { folder: String, for_tests: bool },
    /// An outside library.
    Outside(String),
}

/// Walks a file and notes where its paths lead.
struct Seen {
    module: Vec<String>,
    for_tests: bool,
    targets: Vec<Target>,
}

impl Seen {
    /// Notes a path by its leading words.
    fn note(&mut self, words: &[String]) {
        let mut rest = words;
        let mut at: Option<Vec<String>> = None;
        while let Some((word, more)) = rest.split_first() {
            match word.as_str() {
                "crate" => at = Some(Vec::new()),
                "self" => at = Some(at.unwrap_or_else(|| self.module.clone())),
                "super" => {
                    let mut module = at.unwrap_or_else(|| self.module.clone());
                    module.pop();
                    at = Some(module);
                }
                _ => break,
            }
            rest = more;
        }
        let whole = at.map(|module| [module, rest.to_vec()].concat());
        let target = match whole {
            Some(inside) => inside
                .first()
                .map(|folder| Target::Inside { folder: folder.clone(), for_tests: self.for_tests }),
            None => rest.first().map(|library| Target::Outside(library.clone())),
        };
        self.targets.extend(target);
    }

    /// Notes every path of a `use`.
    fn note_use(&mut self, before: &[String], tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => {
                self.note_use(&[before, &[path.ident.to_string()]].concat(), &path.tree);
            }
            syn::UseTree::Name(name) => self.note(&[before, &[name.ident.to_string()]].concat()),
            syn::UseTree::Rename(name) => self.note(&[before, &[name.ident.to_string()]].concat()),
            syn::UseTree::Glob(_) => self.note(before),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.note_use(before, tree)),
        }
    }
}

impl<'ast> Visit<'ast> for Seen {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let before = self.for_tests;
        self.for_tests |= is_for_tests(&item.attrs);
        self.note_use(&[], &item.tree);
        self.for_tests = before;
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let before = self.for_tests;
        self.for_tests |= is_for_tests(&item.attrs);
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
        self.for_tests = before;
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let words: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let leads_away = words.len() > 1;
        if leads_away {
            self.note(&words);
        }
        visit::visit_path(self, path);
    }
}

#[test]
fn every_floor_sees_only_the_floors_below_it() {
    let sources = sources(&["src"]);
    let for_tests = test_files(&sources);
    let found: Vec<String> =
        sources.iter().flat_map(|source| wrong_ways(source, for_tests.contains(&source.path))).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn what_looks_up_is_found_however_it_is_written() {
    for (path, text) in [
        ("src/api/name.rs", "use crate::policy::digest;"),
        ("src/api/name.rs", "use super::super::policy::digest;"),
        ("src/api/name.rs", "fn f() { crate::cluster::apply(); }"),
        ("src/api/name.rs", "use crate::{api::Stage, grant};"),
        ("src/api/name.rs", "mod inner { use super::super::super::grant; }"),
        ("src/policy/mod.rs", "use crate::journal::Record;"),
        ("src/grant/decide.rs", "use crate::cluster::apply;"),
        ("src/grant/reconcile.rs", "use crate::contract::status;"),
        ("src/ops/http.rs", "fn f(app: crate::app::AppError) {}"),
        ("src/attic/mod.rs", "use crate::api::Stage;"),
        ("src/api/name.rs", "use crate::attic;"),
        ("src/grant/decide.rs", "use crate::testing::fixture;"),
        ("src/app.rs", "use clap::Parser;"),
        ("src/signer/mod.rs", "fn f() -> rcgen::Certificate { todo!() }"),
    ] {
        let found = wrong_ways(&Source::new(path, text), false);
        assert_eq!(found.len(), 1, "{path}: {text}: {found:?}");
    }
}

#[test]
fn what_looks_down_is_not() {
    for (path, text) in [
        ("src/policy/mod.rs", "use crate::api::Stage; use super::api;"),
        ("src/grant/reconcile.rs", "use crate::cluster::apply; use crate::plan; use super::decide;"),
        ("src/grant/decide.rs", "#[cfg(test)] mod tests { use crate::testing::fixture; }"),
        ("src/cli/run.rs", "use crate::app; use clap::Args; use super::Failure;"),
        ("src/lib.rs", "pub mod api;"),
        ("src/main.rs", "fn main() { comity::cli::main(); }"),
        ("src/pki/issue.rs", "fn f() -> rcgen::Certificate { todo!() }"),
    ] {
        let found = wrong_ways(&Source::new(path, text), false);
        assert!(found.is_empty(), "{path}: {text}: {found:?}");
    }
}
