//! Files of at most 400 lines, functions of at most 40, and a first word in every module that
//! says what it is for.

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

use super::source::{Source, sources};

const LONGEST_FILE: usize = 400;
const LONGEST_FUNCTION: usize = 40;

fn all() -> Vec<Source> {
    sources(&["src", "e2e", "tests"])
}

/// The files that are too long, and the functions in them.
fn too_long(source: &Source) -> Vec<String> {
    let mut functions = Functions { path: &source.path, found: Vec::new() };
    functions.visit_file(&source.file);
    let lines = source.text.lines().count();
    if lines > LONGEST_FILE {
        functions.found.push(format!("{}: {lines} lines, at most {LONGEST_FILE}: split it", source.path));
    }
    functions.found
}

struct Functions<'a> {
    path: &'a str,
    found: Vec<String>,
}

impl Functions<'_> {
    /// Counts from the signature to the closing brace.
    fn measure(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let first = signature.span().start().line;
        let lines = block.span().end().line + 1 - first;
        if lines > LONGEST_FUNCTION {
            let (path, name) = (self.path, &signature.ident);
            self.found.push(format!("{path}:{first}: {name} has {lines} lines, at most {LONGEST_FUNCTION}"));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.measure(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.measure(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.measure(&function.sig, block);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

/// Whether a module's first words don't say what it is for.
fn opens_without_a_word(source: &Source) -> bool {
    !source.text.starts_with("//! ")
}

#[test]
fn no_file_and_no_function_is_too_long() {
    let found: Vec<String> = all().iter().flat_map(too_long).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_module_says_what_it_is_for() {
    let silent: Vec<String> =
        all().into_iter().filter(opens_without_a_word).map(|source| source.path).collect();
    assert!(silent.is_empty(), "open these with `//! what it is for`: {silent:#?}");
}

#[test]
fn what_is_too_long_is_found() {
    let lines = |count: usize| "    f();\n".repeat(count);
    let plain = |count: usize| Source::new("src/a.rs", &format!("fn long() {{\n{}}}\n", lines(count)));
    assert!(too_long(&plain(38)).is_empty());
    assert_eq!(too_long(&plain(39)), ["src/a.rs:1: long has 41 lines, at most 40"]);

    let nested = format!("mod m {{ impl S {{ async fn inner() {{\n{}}} }} }}\n", lines(40));
    assert_eq!(too_long(&Source::new("src/a.rs", &nested)).len(), 1);
    let provided = format!("trait T {{ fn default() {{\n{}}} }}\n", lines(40));
    assert_eq!(too_long(&Source::new("src/a.rs", &provided)).len(), 1);

    let file = "// a line\n".repeat(401);
    assert_eq!(too_long(&Source::new("src/a.rs", &file)), ["src/a.rs: 401 lines, at most 400: split it"]);
}

#[test]
fn a_module_without_a_word_is_found() {
    assert!(opens_without_a_word(&Source::new("src/a.rs", "use std::fmt;\n")));
    assert!(opens_without_a_word(&Source::new("src/a.rs", "// An ordinary comment\n")));
    assert!(!opens_without_a_word(&Source::new("src/a.rs", "//! What it is for.\n")));
}
