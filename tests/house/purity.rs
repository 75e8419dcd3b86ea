//! Only named files may lift the ban on clients and clocks. What the ban holds is up to clippy;
//! who may lift it is up to this rule.

use super::source::{Source, sources};

/// Folders and files that may talk to a cluster, beside every kind's `observe` and `reconcile`.
pub const TALKS: [&str; 8] = [
    "src/cluster/",
    "src/runtime/",
    "src/app.rs",
    "src/app/",
    "src/ops/",
    "src/signer/authority.rs",
    "src/signer/talk.rs",
    "src/testing/",
];

/// Files that may read the clock.
const CLOCKS: [&str; 4] = ["src/cluster/", "src/runtime/", "src/app.rs", "src/signer/reconcile.rs"];

/// The bans that a source lifts and may not.
fn lifted(source: &Source) -> Vec<String> {
    let starts = |paths: &[&str]| paths.iter().any(|path| source.path.starts_with(path));
    let conductor = source.path.starts_with("src/") && matches!(source.stem(), "observe" | "reconcile");
    let may_talk = conductor || starts(&TALKS);
    let may_ask_the_time = source.path.starts_with("src/") && source.stem() == "reconcile" || starts(&CLOCKS);
    [("clippy::disallowed_types", may_talk), ("clippy::disallowed_methods", may_ask_the_time)]
        .into_iter()
        .filter(|(lint, may)| !may && lifts(source, lint))
        .map(|(lint, _)| {
            format!("{} lifts {lint}: move what needs it to cluster, observe or reconcile", source.path)
        })
        .collect()
}

/// Whether a source expects or allows what `lint` bans.
fn lifts(source: &Source, lint: &str) -> bool {
    let mut attributes = Attributes(Vec::new());
    syn::visit::Visit::visit_file(&mut attributes, &source.file);
    attributes.0.iter().any(|text| text.replace(' ', "").contains(lint))
}

/// Collects what is in every `expect(…)` and `allow(…)`.
struct Attributes(Vec<String>);

impl<'ast> syn::visit::Visit<'ast> for Attributes {
    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if let syn::Meta::List(list) = &attribute.meta
            && (attribute.path().is_ident("expect") || attribute.path().is_ident("allow"))
        {
            self.0.push(list.tokens.to_string());
        }
    }
}

#[test]
fn only_named_files_talk_to_a_cluster_or_read_the_clock() {
    let found: Vec<String> = sources(&["src"]).iter().flat_map(lifted).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_ban_that_is_lifted_elsewhere_is_found() {
    let types = "#![expect(clippy::disallowed_types, reason = \"…\")]";
    let methods = "fn f() { #[allow(clippy::disallowed_methods)] let now = Timestamp::now(); }";
    for (path, text) in
        [("src/grant/decide.rs", types), ("src/policy/mod.rs", types), ("src/grant/observe.rs", methods)]
    {
        assert_eq!(lifted(&Source::new(path, text)).len(), 1, "{path}: {text}");
    }
    for (path, text) in [
        ("src/grant/observe.rs", types),
        ("src/cluster/apply.rs", types),
        ("src/grant/reconcile.rs", methods),
    ] {
        assert!(lifted(&Source::new(path, text)).is_empty(), "{path}: {text}");
    }
    let said_only = Source::new("src/policy/mod.rs", "// clippy::disallowed_types\n");
    assert!(lifted(&said_only).is_empty(), "a comment lifts nothing");
}
