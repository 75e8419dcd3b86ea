//! The sources of the repository, parsed.

use std::path::{Path, PathBuf};

/// A file of Rust.
pub struct Source {
    /// Where it stands, from the top of the repository.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Its text, parsed.
    pub file: syn::File,
}

impl Source {
    /// A file that exists only in a test.
    pub fn new(path: &str, text: &str) -> Self {
        let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self { path: path.to_owned(), text: text.to_owned(), file }
    }

    /// Its module's path in its crate: `src/api/contract/mod.rs` is `api`, `contract`.
    pub fn module(&self) -> Vec<String> {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let mut module: Vec<String> =
            inside.trim_end_matches(".rs").split('/').map(ToOwned::to_owned).collect();
        if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
            module.pop();
        }
        module
    }

    /// Its name without `.rs`.
    pub fn stem(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs")
    }
}

/// The top of the repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of Rust in these folders, in order.
pub fn sources(folders: &[&str]) -> Vec<Source> {
    let mut paths = Vec::new();
    for folder in folders {
        collect(&root().join(folder), &mut paths);
    }
    paths.sort();
    assert!(!paths.is_empty(), "no sources in {folders:?}: the rules would check nothing");
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Source {
    let inside = path.strip_prefix(root()).expect("it was found in the repository");
    let text = std::fs::read_to_string(path).expect("it can be read");
    Source::new(&inside.to_string_lossy(), &text)
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

/// Whether these attributes say that something is there for tests only.
pub fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && matches!(&attribute.meta, syn::Meta::List(list) if list.tokens.to_string() == "test")
    })
}

/// The files that belong to tests as a whole, because somebody declares them with `#[cfg(test)]`,
/// and everything below them.
pub fn test_files(sources: &[Source]) -> Vec<String> {
    let mut declared: Vec<Vec<String>> = Vec::new();
    for source in sources {
        for item in &source.file.items {
            if let syn::Item::Mod(module) = item
                && module.content.is_none()
                && is_for_tests(&module.attrs)
            {
                declared.push([source.module(), vec![module.ident.to_string()]].concat());
            }
        }
    }
    let below = |source: &&Source| declared.iter().any(|module| source.module().starts_with(module));
    sources.iter().filter(below).map(|source| source.path.clone()).collect()
}

#[test]
fn a_file_that_is_declared_for_tests_belongs_to_tests_with_all_below_it() {
    let sources = [
        Source::new("src/lib.rs", "#[cfg(test)] mod testing; mod api;"),
        Source::new("src/testing/mod.rs", "mod clock;"),
        Source::new("src/testing/clock.rs", ""),
        Source::new("src/api/mod.rs", "#[cfg(test)] mod tests;"),
        Source::new("src/api/tests.rs", ""),
    ];
    let files = test_files(&sources);
    assert_eq!(files, ["src/testing/mod.rs", "src/testing/clock.rs", "src/api/tests.rs"]);
}
