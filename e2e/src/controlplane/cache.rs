//! The cache for what is got once: outside every checkout, filled by one process at a time.

use std::{
    env, fs,
    fs::File,
    path::{Path, PathBuf},
};

use super::progress::Progress;
use crate::{Error, Explain as _, Result};

/// A directory of the cache, and the files that it must have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// Where places are.
    pub(crate) cache: &'a Path,
    /// The version of what is in it.
    pub(crate) key: &'a str,
    /// What it is, in a sentence.
    pub(crate) what: &'a str,
    /// The files.
    pub(crate) names: &'a [&'a str],
}

impl Place<'_> {
    /// The directory, filled by `fill` if it isn't yet: all files appear there at once, or none does.
    pub(crate) fn filled(
        self,
        progress: &mut Progress,
        fill: impl FnOnce(&Path, &mut Progress) -> Result<()>,
    ) -> Result<PathBuf> {
        let home = self.cache.join(self.key);
        if missing(&home, self.names).is_none() {
            return Ok(home);
        }
        fs::create_dir_all(self.cache).explain(format!("make {}", self.cache.display()))?;
        let _lock = self.lock(progress)?;
        if missing(&home, self.names).is_some() {
            self.obtain(&home, progress, fill)?;
        }
        match missing(&home, self.names) {
            None => Ok(home),
            Some(missing) => Err(Error::Failed(format!("{} has no {missing}", home.display()))),
        }
    }

    fn obtain(
        self,
        home: &Path,
        progress: &mut Progress,
        fill: impl FnOnce(&Path, &mut Progress) -> Result<()>,
    ) -> Result<()> {
        let Self { cache, key, what, .. } = self;
        let prefix = format!(".new-{key}-");
        forget(cache, &prefix);
        let fresh = tempfile::Builder::new()
            .prefix(&prefix)
            .tempdir_in(cache)
            .explain("make a directory in the cache")?;
        progress.say(&format!("the cache has no {what} ({key}) yet: getting it, once"));
        fill(fresh.path(), progress)?;
        if home.exists() {
            fs::remove_dir_all(home).explain("remove what is incomplete in the cache")?;
        }
        fs::rename(fresh.path(), home).explain(format!("put the {what} into the cache"))?;
        progress.finish(&format!("the {what} is in {}", home.display()));
        Ok(())
    }

    /// Holds off other checkouts that want to build the same.
    fn lock(self, progress: &Progress) -> Result<File> {
        let path = self.cache.join(format!("{}.lock", self.key));
        let file = File::create(&path).explain(format!("make {}", path.display()))?;
        if file.try_lock().is_err() {
            progress.say(&format!("another process is getting the {}: waiting for it", self.what));
            file.lock().explain("wait for another process")?;
        }
        Ok(file)
    }
}

/// The names of the files that a directory lacks.
pub(crate) fn missing(directory: &Path, names: &[&str]) -> Option<String> {
    let missing: Vec<&str> = names.iter().copied().filter(|name| !directory.join(name).is_file()).collect();
    (!missing.is_empty()).then(|| missing.join(", no "))
}

/// Where this project keeps what it gets once: in the user's cache directory (XDG).
pub(crate) fn home() -> Result<PathBuf> {
    let absolute = |path: PathBuf| path.is_absolute().then_some(path);
    env::var_os("XDG_CACHE_HOME")
        .and_then(|path| absolute(path.into()))
        .or_else(|| env::home_dir().map(|home| home.join(".cache")))
        .map(|cache| cache.join("comity"))
        .ok_or_else(|| Error::Failed("there is no home directory: set XDG_CACHE_HOME".to_owned()))
}

/// Removes what somebody left half done who was interrupted: whoever holds the lock is alone.
fn forget(cache: &Path, prefix: &str) {
    let entries = fs::read_dir(cache).into_iter().flatten().flatten();
    for left in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix)) {
        // What can't be removed is in nobody's way.
        let _ = fs::remove_dir_all(left.path());
    }
}
