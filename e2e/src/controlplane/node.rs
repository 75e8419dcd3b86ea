//! What a control plane knows of the node that may join it.

/// The node's name.
pub const NAME: &str = "node1";
/// The node's address: also where pods reach the API server.
pub const ADDRESS: &str = "10.77.0.1";
/// User: the kubelet.
pub const KUBELET: &str = "system:node:node1";
/// User: the scheduler.
pub const SCHEDULER: &str = "system:kube-scheduler";
/// User: kube-proxy.
pub const PROXY: &str = "system:kube-proxy";
/// User: what holds the network policies.
pub const ENFORCER: &str = "comity-e2e-enforcer";
