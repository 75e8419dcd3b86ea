//! Settings of the whole kernel that a kubelet wants its way, and that no namespace holds.
//!
//! It gets to see files in their place, in its own namespace of mounts: it reads and writes them,
//! and the kernel never hears of it. So there is nothing to put back, however things end.

use std::{collections::BTreeMap, fs, path::Path};

use super::program::run;
use crate::{Explain as _, Result};

/// The settings, below `/proc/sys`.
pub const SETTINGS: [&str; 6] = [
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
];

/// What they are, as seen from here.
pub fn settings() -> BTreeMap<&'static str, String> {
    let read = |name: &'static str| Some((name, fs::read_to_string(Path::new("/proc/sys").join(name)).ok()?));
    SETTINGS.into_iter().filter_map(read).collect()
}

/// Puts a file in `directory` in the place of each of them. Only in a namespace of mounts.
pub(super) fn shadow(directory: &Path) -> Result<()> {
    for (name, value) in settings() {
        let file = directory.join(name.replace('/', "."));
        fs::write(&file, value).explain(format!("write {}", file.display()))?;
        let target = Path::new("/proc/sys").join(name);
        run("mount", ["--bind".as_ref(), file.as_path(), target.as_path()])?;
    }
    Ok(())
}
