//! Certificates about keys that nodes make: what `comity sign` answers to a `PodCertificateRequest`
//! of the signer `comity.dev/workload`.
//!
//! ```text
//! request  what is asked, in either version of the API, and how it is answered      (pure)
//! observe  what stands: the stage, the pod, its ServiceAccount                       (live reads)
//! stand    what of that the policy goes by                                           (pure)
//! pace     how often one pod may ask                                                 (pure)
//! reconcile  the conductor; whether to issue is for `pki::policy` to say
//! ```

pub mod observe;
pub mod pace;
pub mod reconcile;
pub mod request;
pub mod stand;

/// The signer that is answered for.
pub const SIGNER: &str = "comity.dev/workload";

#[cfg(test)]
mod tests;
