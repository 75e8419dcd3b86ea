//! The three stages that a partner walks through, in their order.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far a partner has come: from synthetic data, over a rehearsal, to the real thing.
///
/// The order of the variants is the order in which stages open.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
pub enum Stage {
    #[default]
    /// Synthetic data only; nothing real can be reached.
    Sandbox,
    /// Masked data, in a place just like production, to prove that every clause holds.
    Rehearsal,
    /// Real data.
    Production,
}

impl Stage {
    /// All stages in the order in which they open.
    pub const ALL: [Self; 3] = [Self::Sandbox, Self::Rehearsal, Self::Production];

    /// The stage as it stands in names, labels and SPIFFE IDs: lower case.
    pub const fn lower(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Rehearsal => "rehearsal",
            Self::Production => "production",
        }
    }

    /// The stage that has to have been open before this one, if any.
    pub const fn before(self) -> Option<Self> {
        match self {
            Self::Sandbox => None,
            Self::Rehearsal => Some(Self::Sandbox),
            Self::Production => Some(Self::Rehearsal),
        }
    }
}

impl std::fmt::Display for Stage {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Sandbox => "Sandbox",
            Self::Rehearsal => "Rehearsal",
            Self::Production => "Production",
        })
    }
}
