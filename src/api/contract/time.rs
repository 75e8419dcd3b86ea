//! Part 4 of a contract: when, how long, and what has to be deleted by when.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::api::value::{Duration, TimeOfDay};

/// When, how long, and what has to be deleted by when.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "!has(self.notBefore) || self.notBefore < self.notAfter",
    "notBefore has to be before notAfter: swap them, or move the end"
))]
pub struct TimeTerms {
    /// Nothing opens before; absent: at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Time>,
    /// Nothing stays open after.
    pub not_after: Time,
    /// When it may be used; absent: at any time of the week.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[schemars(length(max = 16))]
    pub windows: Vec<Window>,
    /// What has to be deleted by when.
    pub retention: Retention,
}

impl Default for TimeTerms {
    fn default() -> Self {
        Self {
            not_before: None,
            not_after: Time(jiff::Timestamp::UNIX_EPOCH),
            windows: Vec::new(),
            retention: Retention::default(),
        }
    }
}

/// A part of the week.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "self.from < self.to",
    "from has to be before to: give two windows where one would cross midnight"
))]
pub struct Window {
    /// The days.
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(min = 1, max = 7))]
    pub days: Vec<Weekday>,
    /// From this time of day.
    pub from: TimeOfDay,
    /// To this time of day.
    pub to: TimeOfDay,
    /// In this time zone (IANA).
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Za-z][A-Za-z0-9_+/-]*$"))]
    pub time_zone: String,
}

/// A day of the week.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, schemars::JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[allow(missing_docs, reason = "a day is a day")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// What has to be deleted by when.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Retention {
    /// How long inputs may be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Duration>,
    /// How long what was made of them may be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifacts: Option<Duration>,
    /// How soon after the end everything has to be gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_within: Option<Duration>,
    /// Whether what is kept may be used for anything else.
    #[serde(default)]
    pub reuse: Reuse,
}

/// Whether what is kept may be used for anything else.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, schemars::JsonSchema, PartialEq, Serialize)]
pub enum Reuse {
    /// No.
    #[default]
    Forbidden,
    /// For the contract's own purposes.
    SamePurpose,
}
