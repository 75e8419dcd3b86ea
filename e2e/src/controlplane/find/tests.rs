//! Each place that a control plane can come from, with a release server and a Go made for it.

use std::{fs, os::unix::fs::PermissionsExt as _};

use sha2::{Digest as _, Sha256, Sha512};
use tempfile::TempDir;

use super::*;
use crate::controlplane::hex;

/// A machine with an empty cache, no network and no Go.
struct Machine {
    home: TempDir,
    sources: Sources,
}

impl Machine {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let nowhere = format!("file://{}/nowhere", home.path().display());
        let releases = download::Releases { kubernetes: nowhere.clone(), etcd: nowhere };
        let sources = Sources {
            assets: None,
            cache: home.path().join("cache"),
            releases,
            go: home.path().join("no-go"),
        };
        Self { home, sources }
    }

    fn find(&self) -> Result<Binaries> {
        find_in(&self.sources, &versions(), &mut Progress::silent())
    }

    fn write(&self, path: &str, content: &[u8]) -> PathBuf {
        let path = self.home.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Publishes Kubernetes and etcd as their projects do; `spoil` one of them.
    fn publish(&mut self, spoil: bool) {
        let machine = match env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        for name in ["kube-apiserver", "kube-controller-manager"] {
            let path = format!("releases/v1.2.3/bin/linux/{machine}/{name}");
            self.write(&path, name.as_bytes());
            let published = if spoil { "another" } else { name };
            self.write(&format!("{path}.sha512"), hex(&Sha512::digest(published)).as_bytes());
        }
        let name = format!("etcd-v3.4.5-linux-{machine}");
        self.write(&format!("{name}/etcd"), b"etcd");
        let archive = self.home.path().join("releases/v3.4.5").join(format!("{name}.tar.gz"));
        fs::create_dir_all(archive.parent().unwrap()).unwrap();
        let mut tar = std::process::Command::new("tar");
        tar.arg("-czf").arg(&archive).arg("-C").arg(self.home.path()).arg(&name);
        assert!(tar.status().unwrap().success());
        let sum = hex(&Sha256::digest(fs::read(&archive).unwrap()));
        self.write("releases/v3.4.5/SHA256SUMS", format!("{sum}  {name}.tar.gz\n").as_bytes());
        let here = format!("file://{}/releases", self.home.path().display());
        self.sources.releases = download::Releases { kubernetes: here.clone(), etcd: here };
    }

    /// Installs a Go that writes its arguments where a binary should be.
    fn install_go(&mut self) {
        let script = r#"#!/bin/sh
            case "$1" in version) exit ;; list) echo a; exit ;; esac
            all="$*"
            while [ "$1" != -o ]; do shift; done
            echo "$all" > "$2"
            echo "$2" >> "$(dirname "$0")/built""#;
        let go = self.write("go", script.as_bytes());
        fs::set_permissions(&go, fs::Permissions::from_mode(0o755)).unwrap();
        self.sources.go = go;
    }
}

fn versions() -> Versions {
    Versions { kubernetes: "v1.2.3".to_owned(), etcd: "v3.4.5".to_owned(), is_pinned: true }
}

#[test]
fn versions_are_those_of_the_go_module() {
    let versions = Versions::pinned().unwrap();
    assert!(versions.kubernetes.starts_with("v1."), "{versions:?}");
    assert!(versions.etcd.starts_with("v3."), "{versions:?}");
}

#[test]
fn another_kubernetes_is_named_in_full() {
    let other = versions().but("v1.37.2").unwrap();
    assert_eq!((other.key().as_str(), other.is_pinned), ("v1.37.2", false));
    assert_eq!((other.of_parts().as_str(), other.minor()), ("v0.37.2", 37));
    assert!(versions().but("v1.2.3").unwrap().is_pinned);
    for bad in ["1.37.2", "v1.37", "v1.37.", "v1.37.2-rc.0", "v2.0.0", "v1.37.2/../x"] {
        let refused = versions().but(bad).unwrap_err().to_string();
        assert!(refused.contains("COMITY_E2E_KUBERNETES has to be like v1.2.3"), "{refused}");
    }
}

#[test]
fn what_was_given_comes_first() {
    let mut machine = Machine::new();
    machine.publish(false);
    for name in NAMES {
        machine.write(&format!("given/{name}"), b"given");
    }
    machine.sources.assets = Some(machine.home.path().join("given"));
    assert_eq!(fs::read(machine.find().unwrap().etcd).unwrap(), b"given");
    assert!(!machine.sources.cache.exists());
}

#[test]
fn what_envtest_gives_is_not_enough() {
    let mut machine = Machine::new();
    machine.publish(false);
    machine.write("given/etcd", b"given");
    machine.write("given/kube-apiserver", b"given");
    machine.sources.assets = Some(machine.home.path().join("given"));
    assert_eq!(fs::read(machine.find().unwrap().etcd).unwrap(), b"etcd");
}

#[test]
fn a_download_is_verified_and_kept() {
    let mut machine = Machine::new();
    machine.publish(false);
    let binaries = machine.find().unwrap();
    assert_eq!(fs::read(&binaries.controller_manager).unwrap(), b"kube-controller-manager");
    assert!(fs::metadata(&binaries.api_server).unwrap().permissions().mode() & 0o100 != 0);
    fs::remove_dir_all(machine.home.path().join("releases")).unwrap();
    machine.find().expect("the second time comes from the cache");
}

#[test]
fn a_download_with_another_sum_is_refused() {
    let mut machine = Machine::new();
    machine.publish(true);
    let error = machine.find().unwrap_err().to_string();
    assert!(error.contains("published is"), "{error}");
    assert_eq!(fs::read_dir(&machine.sources.cache).unwrap().count(), 1, "only the lock is left");
}

#[test]
fn without_a_network_it_is_built() {
    let mut machine = Machine::new();
    machine.install_go();
    let binaries = machine.find().unwrap();
    let arguments = fs::read_to_string(binaries.api_server).unwrap();
    assert!(arguments.contains("gitVersion=v1.2.3"), "{arguments}");
    assert!(arguments.contains("gitMinor=2"), "{arguments}");
    assert!(arguments.trim_end().ends_with("k8s.io/kubernetes/cmd/kube-apiserver"), "{arguments}");
}

#[test]
fn what_an_interrupted_build_left_is_removed() {
    let mut machine = Machine::new();
    machine.install_go();
    let (left, other) = (".new-v1.2.3-etcd-v3.4.5-a", ".new-v9.9.9-etcd-v3.4.5-a");
    machine.write(&format!("cache/{left}/etcd"), b"half");
    machine.write(&format!("cache/{other}/etcd"), b"somebody else's");
    machine.find().unwrap();
    let there = |name: &str| machine.sources.cache.join(name).exists();
    assert!(!there(left) && there(other));
}

#[test]
fn checkouts_that_start_at_once_build_once() {
    let mut machine = Machine::new();
    machine.install_go();
    std::thread::scope(|scope| {
        let finders: Vec<_> = (0..3).map(|_| scope.spawn(|| machine.find())).collect();
        for finder in finders {
            finder.join().unwrap().unwrap();
        }
    });
    let built = fs::read_to_string(machine.home.path().join("built")).unwrap();
    assert_eq!(built.lines().count(), NAMES.len(), "{built}");
}

#[test]
fn with_nothing_at_all_the_ways_out_are_named() {
    let error = Machine::new().find().unwrap_err().to_string();
    for way in
        ["Go isn't installed", "dl.k8s.io", "KUBEBUILDER_ASSETS", "COMITY_E2E_KUBECONFIG", "--kubeconfig"]
    {
        assert!(error.contains(way), "{way} isn't in: {error}");
    }
}
