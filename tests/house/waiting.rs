//! No test sleeps for luck: it awaits what it waits for, in the one helper that polls.

use syn::visit::{self, Visit};

use super::source::{Source, is_for_tests, sources, test_files};

/// The one helper that polls.
const HELPER: &str = "e2e/src/wait.rs";

/// The lines on which code for tests sleeps.
fn sleeps(source: &Source, whole_file_is_test: bool) -> Vec<String> {
    let mut calls = Calls { for_tests: whole_file_is_test, lines: Vec::new() };
    calls.visit_file(&source.file);
    calls.lines.iter().map(|line| format!("{}:{line}: await what you wait for", source.path)).collect()
}

struct Calls {
    for_tests: bool,
    lines: Vec<usize>,
}

impl Calls {
    fn note(&mut self, name: &syn::Ident) {
        if self.for_tests && name == "sleep" {
            self.lines.push(name.span().start().line);
        }
    }

    fn within(&mut self, attributes: &[syn::Attribute], walk: impl FnOnce(&mut Self)) {
        let before = self.for_tests;
        let is_test = |attribute: &syn::Attribute| {
            attribute.path().segments.last().is_some_and(|segment| segment.ident == "test")
        };
        self.for_tests |= is_for_tests(attributes) || attributes.iter().any(is_test);
        walk(self);
        self.for_tests = before;
    }
}

impl<'ast> Visit<'ast> for Calls {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.within(&item.attrs, |calls| visit::visit_item_mod(calls, item));
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.within(&item.attrs, |calls| visit::visit_item_fn(calls, item));
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        if let syn::Expr::Path(path) = call.func.as_ref()
            && let Some(last) = path.path.segments.last()
        {
            self.note(&last.ident);
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.note(&call.method);
        visit::visit_expr_method_call(self, call);
    }
}

#[test]
fn no_test_sleeps() {
    let sources = sources(&["src", "e2e", "tests"]);
    let for_tests = test_files(&sources);
    let is_test = |source: &Source| !source.path.starts_with("src/") || for_tests.contains(&source.path);
    let found: Vec<String> = sources
        .iter()
        .filter(|source| source.path != HELPER)
        .flat_map(|source| sleeps(source, is_test(source)))
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_sleep_is_found_in_tests_and_left_alone_elsewhere() {
    let inside = "#[cfg(test)] mod tests { fn f() { std::thread::sleep(second()); } }";
    assert_eq!(sleeps(&Source::new("src/a.rs", inside), false).len(), 1);
    let case = "#[tokio::test] async fn f() { tokio::time::sleep(second()).await; }";
    assert_eq!(sleeps(&Source::new("src/a.rs", case), false).len(), 1);
    let method = "fn f(clock: Clock) { clock.sleep(1); }";
    assert_eq!(
        sleeps(&Source::new("e2e/tests/a.rs", method), true),
        ["e2e/tests/a.rs:1: await what you wait for"]
    );
    assert!(sleeps(&Source::new("src/a.rs", method), false).is_empty());
    let said_only = "#[cfg(test)] mod tests { // sleep(1)\n const SAID: &str = \"sleep(1)\"; }";
    assert!(sleeps(&Source::new("src/a.rs", said_only), false).is_empty());
}
