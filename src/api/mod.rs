//! L0, the words: every kind that people and Comity write, the conditions and reasons
//! they are told about, and every name that is derived from another name.
//!
//! Nothing here talks to a cluster, reads a clock or decides anything.

pub mod boundary;
pub mod condition;
pub mod contract;
pub mod dataset;
pub mod decision;
pub mod effective;
pub mod enforcement;
pub mod grant;
pub mod name;
pub mod partner;
pub mod record;
pub mod report;
pub mod stage;
pub mod stage_policy;
pub mod stamp;
pub mod value;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;

pub use boundary::SharingBoundary;
pub use contract::SharingContract;
pub use dataset::Dataset;
pub use decision::GrantDecision;
pub use grant::PartnerGrant;
pub use partner::Partner;
pub use record::GrantRecord;
pub use report::RehearsalReport;
pub use stage::Stage;
pub use stage_policy::StagePolicy;

/// The API group of every kind of Comity's own.
pub const GROUP: &str = "comity.dev";

/// The only version that is served and stored so far.
pub const VERSION: &str = "v1alpha1";

/// The definitions of all kinds, as derived; `generate::crd` finishes them.
pub fn definitions() -> Vec<CustomResourceDefinition> {
    vec![
        SharingBoundary::crd(),
        Partner::crd(),
        Dataset::crd(),
        SharingContract::crd(),
        PartnerGrant::crd(),
        GrantDecision::crd(),
        GrantRecord::crd(),
        RehearsalReport::crd(),
        StagePolicy::crd(),
    ]
}
