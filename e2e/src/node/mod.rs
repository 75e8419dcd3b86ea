//! A real node: kubelet, containerd, runc, kube-scheduler, kube-proxy and an enforcer of network
//! policies, beside the control plane, without Docker and without touching the machine.
//!
//! [`tier`] runs stories on it. They run in a process in namespaces of its own (network, mounts,
//! processes), so that nothing leaves the machine, nothing that a kubelet sets or makes is seen
//! outside, and all of it dies at once with whoever started it, however that dies. What a
//! namespace doesn't hold are cgroups, which [`ground`] makes and takes away.

/// What has to be installed, and where it comes from.
const COMMANDS: [(&str, &str); 8] = [
    ("setpriv", "util-linux"),
    ("unshare", "util-linux"),
    ("mount", "util-linux"),
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("runc", "runc"),
    ("ldd", "libc-bin"),
    ("openssl", "openssl"),
];

pub mod alone;
mod binaries;
mod configuration;
pub mod dial;
pub mod ground;
mod helm;
mod image;
pub mod inside;
pub mod kernel;
mod probe;
pub mod prober;
mod program;
mod running;
pub mod tier;
pub mod tls;
mod upstream;

pub use crate::controlplane::node::{ADDRESS, NAME};
pub use binaries::NAMES as BINARIES;
pub use dial::{Answer, Place};
pub use helm::helm;
pub use image::{Image, REPOSITORY};
pub use running::Node;
pub use upstream::ASKED as UPSTREAM;

/// The network of the pods.
pub const POD_NETWORK: &str = "10.78.0.0/24";
/// Addresses that stand for what lies outside the cluster: the node answers for them, on ports 443 and 80.
pub const ELSEWHERE: [&str; 2] = ["192.0.2.5", "192.0.2.200"];
