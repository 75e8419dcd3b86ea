//! What metrics are told apart by: every value is one of a list, or a word of the program's own.

use std::fmt::Error;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

/// Defines an enum whose variants are the values of a label.
macro_rules! label {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant),+
        }

        impl $name {
            /// As it stands in the label.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),+
                }
            }
        }

        impl EncodeLabelValue for $name {
            fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), Error> {
                EncodeLabelValue::encode(&self.as_str(), encoder)
            }
        }
    };
}

label!(
    /// What was reconciled.
    Kind {
        /// A `SharingBoundary`.
        Boundary = "SharingBoundary",
        /// A `Partner`.
        Partner = "Partner",
        /// A `Dataset`.
        Dataset = "Dataset",
        /// A `SharingContract`.
        Contract = "SharingContract",
        /// A `PartnerGrant`.
        Grant = "PartnerGrant",
        /// A `GrantDecision`.
        Decision = "GrantDecision",
        /// The certificates of a stage's namespace.
        Certificates = "Certificates",
        /// A node's request for the certificate of a pod.
        PodCertificates = "PodCertificateRequest",
        /// The authorities of a contract and stage.
        Authorities = "Authorities",
        /// The endpoint at which workloads on the partner's side enrol.
        Enrolments = "Enrolments",
        /// What is tried of a grant before production.
        Rehearsals = "Rehearsals",
        /// What grants left behind that are gone.
        Leftovers = "Leftovers",
    }
);

label!(
    /// How a reconcile came out.
    Outcome {
        /// There is nothing to do until something changes.
        Settled = "settled",
        /// It will look again at a time that it named.
        Waiting = "waiting",
        /// It failed and will be tried again.
        Failed = "failed",
    }
);

label!(
    /// What was asked of the API server.
    Verb {
        /// A new object, and nothing in its place.
        Create = "create",
        /// Server-side apply.
        Apply = "apply",
        /// Any other patch or update.
        Update = "update",
        /// A deletion.
        Delete = "delete",
    }
);

label!(
    /// How an attempt to append came out.
    Append {
        /// The record was written.
        Written = "written",
        /// Somebody else had written another one of that number.
        Conflict = "conflict",
        /// It couldn't be written.
        Failed = "failed",
    }
);

label!(
    /// What became of a wish for a certificate.
    Signing {
        /// It was signed.
        Issued = "issued",
        /// It was refused.
        Refused = "refused",
    }
);

/// The labels of what is counted by kind and outcome.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct ReconcileLabels {
    pub(super) kind: Kind,
    pub(super) outcome: Outcome,
}

/// The label of what is timed by kind.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct KindLabel {
    pub(super) kind: Kind,
}

/// The label of what is counted by verb.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct VerbLabel {
    pub(super) verb: Verb,
}

/// The label of events. Reasons are words of the program's own.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct ReasonLabel {
    pub(super) reason: &'static str,
}

/// The label of attempts to append.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct AppendLabel {
    pub(super) outcome: Append,
}

/// The label of wishes for a certificate.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct SigningLabel {
    pub(super) outcome: Signing,
}

/// The label of what is counted by stage.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct StageLabel {
    pub(super) stage: &'static str,
}

/// The label of what ends soon.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct SoonLabels {
    pub(super) stage: &'static str,
    pub(super) within: &'static str,
}

/// The label of grants. Reasons are those of conditions.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct GrantLabel {
    pub(super) reason: String,
}

/// The label of a process of Comity's.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct ProcessLabel {
    pub(super) process: &'static str,
}

/// The label of watches. Kinds are words of the program's own.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct WatchLabel {
    pub(super) kind: &'static str,
}
