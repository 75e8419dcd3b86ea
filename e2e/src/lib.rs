//! Comity on a real control plane: the harness that stories, demo and benchmark share.
//!
//! - [`controlplane`] finds or builds etcd, kube-apiserver and kube-controller-manager and runs
//!   them on loopback; they end with the process that started them, however that ends.
//! - [`cluster`] is the handle that a story holds: clients for any identity, apply, access
//!   reviews, the audit log.
//! - [`comity`] installs Comity and runs its processes, which can be killed, paused and restarted.
//! - `node` puts a real node beside the control plane, on Linux and as root: pods, packets.
//! - [`liar`] stands between a process of Comity and the API server, and tells it what isn't so.
//! - [`clock`] is what processes of Comity go by where a story sets the time.
//! - [`attempt`] is one thing that somebody tries, for what must be refused and what must not.
//! - [`witness`] has certificates verified by code that isn't ours.
//! - [`figures`] is what benchmarks make of what they measured.
//! - [`wait`] is the only place that polls.

pub mod attempt;
pub mod clock;
pub mod cluster;
pub mod comity;
pub mod controlplane;
pub mod demo;
mod error;
pub mod figures;
pub mod http;
pub mod liar;
#[cfg(target_os = "linux")]
pub mod node;
pub mod process;
mod scratch;
#[path = "../../src/testing/skipped.rs"]
mod skipped;
pub mod wait;
pub mod witness;

pub use cluster::Cluster;
pub use comity::Comity;
pub use controlplane::ControlPlane;
pub use error::{Error, Explain, Result, refused};
pub use skipped::skipped;
pub use wait::{eventually, throughout};
