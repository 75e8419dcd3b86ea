//! `comity generate`: writes, or checks, everything in the repository that is written from types.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::{Failure, reference};
use crate::generate::{self, GeneratedFile};

/// What `--check` answers where something differs.
const DIFFERS: u8 = 3;
/// The folders that hold nothing but what is generated.
const WHOLLY_GENERATED: [&str; 3] = ["crds", "docs/man", "docs/reference"];

/// Write or check what the repository holds that is written from types
#[derive(Args, Debug)]
#[group(required = true, multiple = false, id = "what")]
pub(super) struct Arguments {
    /// Write the files that differ
    #[arg(long, group = "what")]
    write: bool,

    /// Change nothing; name the files that differ, and exit with 3 if there are any
    #[arg(long, group = "what")]
    check: bool,

    /// The top of the repository
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    root: PathBuf,
}

impl Arguments {
    /// Writes or checks.
    pub(super) fn generate(self) -> Result<ExitCode, Failure> {
        if !self.root.join("Cargo.toml").is_file() {
            let root = self.root.display();
            return Err(format!(
                "{root} has no Cargo.toml: go to the top of the repository, or name it with --root"
            )
            .into());
        }
        let differing = differing(&self.root, &files()?)?;
        let mut out = std::io::stdout().lock();
        for difference in &differing {
            writeln!(out, "{difference}")?;
            if self.write {
                difference.mend(&self.root)?;
            }
        }
        Ok(if self.write || differing.is_empty() { ExitCode::SUCCESS } else { DIFFERS.into() })
    }
}

/// Everything that is written from types, the command line included.
fn files() -> Result<Vec<GeneratedFile>, Failure> {
    let mut files = generate::files()?;
    files.extend(reference::files());
    Ok(files)
}

/// A file that isn't what it should be.
#[derive(Debug, Eq, PartialEq)]
enum Difference {
    /// It is missing, or holds something else.
    Stale(GeneratedFile),
    /// Nothing writes it any more.
    LeftOver(String),
}

impl Difference {
    fn mend(&self, root: &Path) -> std::io::Result<()> {
        match self {
            Self::Stale(file) => {
                let path = root.join(&file.path);
                path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
                std::fs::write(path, &file.contents)
            }
            Self::LeftOver(path) => std::fs::remove_file(root.join(path)),
        }
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stale(file) => write!(out, "{}: differs from what the types say", file.path),
            Self::LeftOver(path) => write!(out, "{path}: nothing writes it any more"),
        }
    }
}

/// What has to change under `root` for it to hold exactly `files`.
fn differing(root: &Path, files: &[GeneratedFile]) -> std::io::Result<Vec<Difference>> {
    let stale = files
        .iter()
        .filter(|file| std::fs::read(root.join(&file.path)).ok().as_deref() != Some(file.contents.as_bytes()))
        .cloned()
        .map(Difference::Stale);
    let mut differing: Vec<Difference> = stale.collect();
    let wanted: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    for folder in WHOLLY_GENERATED {
        let left_over = names(&root.join(folder))?.into_iter().map(|name| format!("{folder}/{name}"));
        differing.extend(left_over.filter(|path| !wanted.contains(path.as_str())).map(Difference::LeftOver));
    }
    Ok(differing)
}

/// The names in a folder, in order; none where it doesn't exist.
fn names(folder: &Path) -> std::io::Result<BTreeSet<String>> {
    match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(error),
        Ok(entries) => entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_committed_is_what_the_types_say() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let differing =
            differing(root, &files().expect("everything can be written")).expect("it can be read");
        let names: Vec<String> = differing.iter().map(ToString::to_string).collect();
        assert!(names.is_empty(), "run `cargo run -- generate --write`: {names:#?}");
    }

    #[test]
    fn stale_and_left_over_files_are_found_and_mended() {
        let root = std::env::temp_dir().join(format!("comity-generate-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&root));
        std::fs::create_dir_all(root.join("crds")).expect("a folder");
        std::fs::write(root.join("crds/old.yaml"), "old").expect("a file");
        let file = GeneratedFile { path: "docs/reference/new.md".to_owned(), contents: "new\n".to_owned() };
        let found = differing(&root, std::slice::from_ref(&file)).expect("it can be read");
        assert_eq!(
            found,
            [Difference::Stale(file.clone()), Difference::LeftOver("crds/old.yaml".to_owned())]
        );
        for difference in &found {
            difference.mend(&root).expect("it can be mended");
        }
        assert_eq!(differing(&root, &[file]).expect("it can be read"), []);
        std::fs::remove_dir_all(root).expect("it was made here");
    }
}
