//! Images made without Docker: one program, and the libraries that it is linked to. No shell, nobody's user.

use std::{fs, path::Path};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::program::run;
use crate::{Error, Explain as _, Result, controlplane::hex};

/// Where the program's image is said to come from: what contracts of stories allow.
pub const REPOSITORY: &str = "registry.example/partners/speaker";

/// An image in a store.
#[derive(Clone, Debug)]
pub struct Image {
    /// `<repository>@sha256:<digest>`, or `<repository>:<tag>`.
    pub reference: String,
}

/// Puts regular files and directories one after another, as `tar` reads them (ustar).
#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
}

impl Archive {
    fn file(&mut self, name: &str, mode: u32, content: &[u8]) -> Result<()> {
        self.header(name, mode, content.len(), b'0')?;
        self.bytes.extend_from_slice(content);
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
        Ok(())
    }

    fn directory(&mut self, name: &str, mode: u32) -> Result<()> {
        self.header(name, mode, 0, b'5')
    }

    fn header(&mut self, name: &str, mode: u32, size: usize, kind: u8) -> Result<()> {
        let mut header = [0_u8; 512];
        if name.len() > 100 {
            return Err(Error::Failed(format!("{name} is too long a name for an archive")));
        }
        let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
        put(0, name);
        put(100, &format!("{mode:07o}"));
        put(108, "0000000");
        put(116, "0000000");
        put(124, &format!("{size:011o}"));
        put(136, "00000000000");
        put(148, "        ");
        put(257, "ustar\x0000");
        header[156] = kind;
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.bytes.extend_from_slice(&header);
        Ok(())
    }

    fn finish(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(&[0; 1024]);
        self.bytes
    }
}

impl Image {
    /// Writes an image of `program` in OCI's layout to the archive `target`, by its digest where it has no
    /// tag.
    pub(super) fn write(program: &Path, repository: &str, tag: Option<&str>, target: &Path) -> Result<Self> {
        let named = tag.map(|tag| format!("{repository}:{tag}"));
        Self::written(program, target, |digest| named.unwrap_or_else(|| format!("{repository}@{digest}")))
    }

    /// The same under this name, whatever is in it.
    pub(super) fn named(program: &Path, reference: &str, target: &Path) -> Result<Self> {
        Self::written(program, target, |_| reference.to_owned())
    }

    fn written(program: &Path, target: &Path, call: impl FnOnce(&str) -> String) -> Result<Self> {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let layer = layer(program, &name)?;
        let configuration = serde_json::to_vec(&json!({
            "architecture": architecture(), "os": "linux",
            "config": {"Entrypoint": [format!("/{name}")], "User": "65532:65532"},
            "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
        }))?;
        let manifest = serde_json::to_vec(&json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": descriptor("application/vnd.oci.image.config.v1+json", &configuration),
            "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", &layer)],
        }))?;
        let reference = call(&digest(&manifest));
        let mut entry = descriptor("application/vnd.oci.image.manifest.v1+json", &manifest);
        entry["annotations"] = json!({"io.containerd.image.name": reference});
        let index = json!({"schemaVersion": 2, "manifests": [entry]}).to_string();
        let mut archive = Archive::default();
        archive.file("oci-layout", 0o644, br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        archive.file("index.json", 0o644, index.as_bytes())?;
        for blob in [&layer, &configuration, &manifest] {
            archive.file(&format!("blobs/{}", digest(blob).replace(':', "/")), 0o644, blob)?;
        }
        fs::write(target, archive.finish()).explain("write the image")?;
        Ok(Self { reference })
    }
}

fn layer(program: &Path, name: &str) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    archive.directory("tmp", 0o1777)?;
    let read = |path: &Path| fs::read(path).explain(format!("read {}", path.display()));
    archive.file(name, 0o755, &stripped(program)?)?;
    for library in libraries(&linked(program)?) {
        archive.file(library.trim_start_matches('/'), 0o755, &read(Path::new(library))?)?;
    }
    Ok(archive.finish())
}

/// What `ldd` says of a program; nothing of one that needs no library.
fn linked(program: &Path) -> Result<String> {
    match run("ldd", [program]) {
        Err(error) if error.to_string().contains("not a dynamic executable") => Ok(String::new()),
        said => said,
    }
}

/// A program without what only debuggers read, where there is something to strip it with: each
/// container gets a copy.
fn stripped(program: &Path) -> Result<Vec<u8>> {
    let scratch = tempfile::NamedTempFile::new().explain("make a file")?;
    let arguments = ["--strip-all".as_ref(), "-o".as_ref(), scratch.path().as_os_str(), program.as_os_str()];
    let read = if run("strip", arguments).is_ok() { scratch.path() } else { program };
    fs::read(read).explain(format!("read {}", read.display()))
}

/// The paths of what a program is linked to, as `ldd` says; none where it is linked to nothing.
fn libraries(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/'))).collect()
}

fn descriptor(media_type: &str, content: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": digest(content), "size": content.len()})
}

fn digest(content: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(content)))
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_read_the_archive() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("image.tar");
        let image = Image::write(Path::new("/bin/true"), REPOSITORY, None, &target).unwrap();
        let list = run("tar", ["-tvf".as_ref(), target.as_path()]).unwrap();
        let digest = image.reference.split_once("@sha256:").unwrap().1;
        assert!(list.contains(&format!("blobs/sha256/{digest}")), "{list}");
        assert!(list.contains("index.json"), "{list}");
        let tagged =
            Image::write(Path::new("/bin/true"), "registry.example/true", Some("1"), &target).unwrap();
        assert_eq!(tagged.reference, "registry.example/true:1");
    }

    #[test]
    fn libraries_are_found_in_what_ldd_prints() {
        let text = "\tlinux-vdso.so.1 (0x00007ffc)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x7f)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        assert_eq!(libraries(text), ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"]);
        assert_eq!(libraries("\tstatically linked\n"), [] as [&str; 0]);
    }
}
