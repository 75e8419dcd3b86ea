//! The pages of the repository, taken apart: links, headings, code.

use std::path::{Component, Path, PathBuf};

/// A page.
pub struct Page {
    /// Where it stands, from the top of the repository.
    pub path: String,
    /// Where its relative links lead, as they are written.
    pub links: Vec<String>,
    /// Its headings, as anchors.
    pub headings: Vec<String>,
    /// Its blocks of code: language and text.
    pub fences: Vec<(String, String)>,
}

/// The top of the repository, from whichever package of it this is built in.
pub fn root() -> PathBuf {
    let mut above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    above.find(|folder| folder.join("docs/SUMMARY.md").is_file()).expect("it is in the repository").to_owned()
}

/// Every page of the repository.
pub fn pages() -> Vec<Page> {
    let mut paths = Vec::new();
    collect(&root(), &mut paths);
    paths.sort();
    let read = |path: &PathBuf| {
        let inside = path.strip_prefix(root()).expect("it was found in the repository");
        Page::new(&inside.to_string_lossy(), &std::fs::read_to_string(path).expect("it can be read"))
    };
    paths.iter().map(read).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("it can be listed") {
        let path = entry.expect("it can be listed").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path);
        }
    }
}

impl Page {
    /// A page that holds this text.
    pub fn new(path: &str, text: &str) -> Self {
        let mut page =
            Self { path: path.to_owned(), links: Vec::new(), headings: Vec::new(), fences: Vec::new() };
        let mut fence: Option<(String, String)> = None;
        for line in text.lines() {
            match (line.trim_start().strip_prefix("```"), &mut fence) {
                (Some(_), Some(_)) => page.fences.extend(fence.take()),
                (Some(language), None) => fence = Some((language.trim().to_owned(), String::new())),
                (None, Some((_, code))) => {
                    code.push_str(line);
                    code.push('\n');
                }
                (None, None) => page.take(line),
            }
        }
        assert!(fence.is_none(), "{path}: a block of code doesn't end");
        page
    }

    /// Takes a line that isn't code.
    fn take(&mut self, line: &str) {
        if line.starts_with('#') {
            self.headings.push(anchor(line.trim_start_matches('#').trim()));
        }
        // What stands between backticks is code.
        let prose: String = line.split('`').step_by(2).collect();
        let links = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let relative = links.filter(|link| !link.contains("://") && !link.starts_with("mailto:"));
        self.links.extend(relative.map(ToOwned::to_owned));
    }
}

/// A heading as an anchor: lower case, dashes for spaces, nothing but letters and digits.
fn anchor(heading: &str) -> String {
    let words = heading.to_lowercase().replace(' ', "-");
    words.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_')).collect()
}

/// A path without `..`.
pub fn normal(path: &Path) -> String {
    let mut parts: Vec<String> = Vec::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(parts.pop()),
            Component::CurDir => {}
            other => parts.push(other.as_os_str().to_string_lossy().into_owned()),
        }
    }
    parts.join("/")
}
