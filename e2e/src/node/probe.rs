//! Whether a node can run on this machine: asked for, and then tried, before anything is built.

use std::{env, fs, path::Path};

use rustix::process::geteuid;
use serde_json::{Value, json};

use super::{COMMANDS, binaries, inside, program};
use crate::{Error, Explain as _, Result, scratch::Scratch};

/// Everything that a node needs of the kernel and of cgroups, in small: namespaces, mounts over
/// settings, pairs of network devices, packet filters, and a container with limits and a filter
/// of system calls.
const TRIAL: &str = r#"
mount --bind "$1/setting" /proc/sys/vm/overcommit_memory
mount -t tmpfs trial /run
ip link set lo up
ip addr add 10.77.0.1/32 dev lo
ip link add trial1 type veth peer name trial2
echo 1 >/proc/sys/net/ipv4/ip_forward
nft -f "$1/filter"
runc --root "$1/runc" run --bundle "$1" comity-e2e-trial </dev/null
"#;

/// What the enforcer and kube-proxy write.
const FILTER: &str = "\
table inet trial {
  map services { type ipv4_addr . inet_proto . inet_service : verdict; }
  chain forward { type filter hook forward priority 0; policy accept;
    ct state established,related accept
    ip saddr { 192.0.2.1, 192.0.2.2 } counter reject with icmpx type admin-prohibited
    ip daddr . meta l4proto . th dport vmap @services
  }
  chain nat { type nat hook prerouting priority -100; policy accept;
    ip daddr 192.0.2.3 tcp dport 1 dnat ip to 192.0.2.4:2
    fib daddr type local counter
    numgen random mod 2 0 counter
  }
}
";

/// What is plainly missing; nothing where a trial is worth it.
pub(super) fn missing() -> Vec<String> {
    let mut missing = Vec::new();
    if !geteuid().is_root() {
        missing.push("root".to_owned());
    }
    for (command, package) in COMMANDS {
        if program::find(command).is_none() {
            missing.push(format!("{command} ({package})"));
        }
    }
    if program::find("go").is_none() && !binaries::are_there() {
        missing.push("go (https://go.dev/dl/)".to_owned());
    }
    missing
}

/// Tries what a node needs; the error says what couldn't be done.
pub(super) fn trial() -> Result<()> {
    let scratch = Scratch::new()?;
    let directory = scratch.path();
    fs::write(directory.join("setting"), "0")?;
    fs::write(directory.join("filter"), FILTER)?;
    fs::write(directory.join("config.json"), container(directory).to_string())?;
    fs::create_dir(directory.join("rootfs"))?;
    let mut command = inside::command()?;
    command.args(["sh", "-ec", TRIAL, "trial"]).arg(directory);
    program::output("a trial", command)
        .map_err(|error| Error::Failed(error.to_string().replace('\n', "; ")))
        .explain("this machine can't run a node")
        .map(drop)
}

/// A container that runs `true`, off this machine's own programs.
fn container(directory: &Path) -> Value {
    let programs = ["/usr", "/bin", "/lib", "/lib64", "/nix", "/etc"];
    let mut mounts: Vec<Value> = programs
        .into_iter()
        .filter(|path| Path::new(path).exists())
        .map(|path| json!({"destination": path, "source": path, "type": "bind", "options": ["rbind", "ro"]}))
        .collect();
    mounts.push(json!({"destination": "/proc", "type": "proc", "source": "proc"}));
    let program = program::find("true").unwrap_or_else(|| "/bin/true".into());
    json!({
        "ociVersion": "1.0.2",
        "root": {"path": directory.join("rootfs")},
        "mounts": mounts,
        "process": {
            "args": [program], "cwd": "/", "user": {"uid": 65532, "gid": 65532},
            "noNewPrivileges": true, "env": [format!("PATH={}", env::var("PATH").unwrap_or_default())],
        },
        "linux": {
            "cgroupsPath": "/comity-e2e/trial",
            "namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "network"}],
            "resources": {"memory": {"limit": 64 << 20}, "cpu": {"shares": 10}, "pids": {"limit": 100}},
            "seccomp": {"defaultAction": "SCMP_ACT_ALLOW",
                "syscalls": [{"names": ["acct"], "action": "SCMP_ACT_ERRNO"}]},
        },
    })
}
