//! Certificates about keys that the partner makes: what `comity sign` answers to workloads that run on the
//! partner's side and call in.
//!
//! ```text
//! ask      what is asked, and for whom                                               (pure)
//! answer   what is answered: a certificate, or why not                               (pure)
//! caller   who shows a certificate, once its chain was verified
//! bound    what a token is good for                                                  (pure)
//! pace     how often somebody may ask                                                (pure)
//! used     what is written down of a token before anything is signed by it           (pure)
//! request  the CertificateSigningRequest that is filed, approved and answered        (pure)
//! own      the endpoint's own certificate, and the anchor that callers need
//! desk     the conductor of a call
//! issue    files, looks once more what stands, and signs
//! ```
//!
//! The cheap comes first: nobody makes the API server work, or an authority come to be, who hasn't shown a
//! token that is known or a certificate that was signed here, and a request signed with its own key. What
//! decides is read live, after everything that may wait, directly before signing.

pub mod answer;
pub mod ask;
pub mod bound;
pub mod caller;
pub mod desk;
mod issue;
pub mod own;
pub mod pace;
pub mod request;
pub mod used;

/// The signer whose requests are filed here. One that somebody else files is never looked at.
pub const SIGNER: &str = crate::generate::admission::cel::OUTSIDE_SIGNER;
