//! Reading files, folders and standard input.

use std::io::Read as _;
use std::path::{Path, PathBuf};

/// What a file's name has to end with for it to be looked at in a folder.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// Standard input, as it is named on the command line.
const STANDARD_INPUT: &str = "-";

/// A text, and where it came from.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Source {
    /// Where it came from, for people.
    pub(in crate::cli) name: String,
    /// The file, where it came from one.
    pub(in crate::cli) path: Option<PathBuf>,
    /// Whether somebody named it, rather than the folder that it is in.
    pub(in crate::cli) is_named: bool,
    /// The text.
    pub(in crate::cli) text: String,
}

/// Every text that is named, in that order; those in a folder in the order of their names.
pub(in crate::cli) fn sources(paths: &[PathBuf], recursive: bool) -> Result<Vec<Source>, String> {
    let is_input = |path: &&PathBuf| path.as_os_str() == STANDARD_INPUT;
    if paths.iter().filter(is_input).count() > 1 {
        return Err("standard input can be read once: name - once".to_owned());
    }
    let mut sources = Vec::new();
    for path in paths {
        if path.as_os_str() == STANDARD_INPUT {
            sources.push(standard_input()?);
        } else if path.is_dir() {
            let found = folder(path, recursive)?;
            if found.is_empty() {
                return Err(format!("{}: {}", path.display(), nothing_in(recursive)));
            }
            for file in found {
                sources.push(read(&file, false)?);
            }
        } else {
            sources.push(read(path, true)?);
        }
    }
    Ok(sources)
}

fn nothing_in(recursive: bool) -> &'static str {
    if recursive {
        "no file in it ends with .yaml, .yml or .json"
    } else {
        "no file in it ends with .yaml, .yml or .json; --recursive looks into the folders in it"
    }
}

fn standard_input() -> Result<Source, String> {
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    read.map_err(|error| format!("standard input can't be read: {error}"))?;
    Ok(Source { name: "standard input".to_owned(), path: None, is_named: true, text })
}

fn read(path: &Path, is_named: bool) -> Result<Source, String> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| format!("{name} can't be read: {error}"))?;
    Ok(Source { name, path: Some(path.to_owned()), is_named, text })
}

/// The files in a folder that are looked at. What is hidden isn't.
fn folder(folder: &Path, recursive: bool) -> Result<Vec<PathBuf>, String> {
    let cannot = |error: std::io::Error| format!("{} can't be read: {error}", folder.display());
    let mut entries: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        entries.push(entry.map_err(cannot)?.path());
    }
    entries.sort();
    let is_hidden =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let mut found = Vec::new();
    for path in entries.into_iter().filter(|path| !is_hidden(path)) {
        let ending = path.extension().and_then(std::ffi::OsStr::to_str);
        if path.is_dir() {
            // A link to a folder above would never end.
            if recursive && !path.is_symlink() {
                found.extend(self::folder(&path, recursive)?);
            }
        } else if ending.is_some_and(|ending| ENDINGS.contains(&ending)) {
            found.push(path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn story() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/fraud-scoring")
    }

    fn names(paths: &[PathBuf], recursive: bool) -> Vec<String> {
        let sources = sources(paths, recursive).expect("they can be read");
        let name = |source: Source| {
            let path = source.path.expect("a file");
            path.strip_prefix(story()).expect("one of the story's").display().to_string()
        };
        sources.into_iter().map(name).collect()
    }

    #[test]
    fn a_folder_is_read_in_the_order_of_names_and_those_in_it_only_if_asked() {
        let flat = names(&[story()], false);
        assert_eq!(flat.first().map(String::as_str), Some("00-namespace.yaml"));
        assert!(flat.is_sorted() && !flat.iter().any(|name| name.contains('/')));
        let deep = names(&[story()], true);
        assert!(deep.contains(&"demo/promotions/grant-2-rehearsal.yaml".to_owned()), "{deep:?}");
        let twice = names(&[story().join("06-grant.yaml"), story().join("02-boundary.yaml")], false);
        assert_eq!(twice, ["06-grant.yaml", "02-boundary.yaml"], "what is named is read as it is named");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let refused = |path: PathBuf| sources(&[path], false).expect_err("it can't be read");
        assert!(refused("no/such/file".into()).starts_with("no/such/file can't be read: "));
        let empty = refused(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
        assert!(empty.contains("--recursive"), "{empty}");
        let twice = sources(&["-".into(), "-".into()], false).expect_err("it can be read once");
        assert!(twice.contains("once"), "{twice}");
    }
}
