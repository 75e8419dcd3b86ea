//! How values are said in a sentence.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::boundary::{Dns, PodSecurity};
use crate::api::contract::{
    Actor, AfterPromotion, AnomalyAction, Artifact, EncryptionKeys, Expectation, ImageReference, KeyDelivery,
    NarrowedPods, OperationName, OutputOwner, Prohibition, QuarantinedPods, RehearsalRequirement, Reuse,
    SinkFailure,
};
use crate::api::dataset::{Classification, DataKind, Sensitivity, Sharing};
use crate::api::grant::Role;
use crate::api::stage::Stage;
use crate::api::value::{
    ContentDigest, Duration, Email, Host, Line, Name, PinnedImage, Ratio, Registry, Uri, Word,
};

/// Something that has words for people.
pub(super) trait Show {
    /// These words.
    fn show(&self) -> String;

    /// The least of them, once it was said in full.
    fn short(&self) -> String {
        self.show()
    }
}

/// What is said as it is written.
macro_rules! as_written {
    ($($kind:ty),+ $(,)?) => {$(
        impl Show for $kind {
            fn show(&self) -> String {
                self.to_string()
            }
        }
    )+};
}

/// What is said by the word that YAML has for it, which is that of the code.
macro_rules! as_named {
    ($($kind:ty),+ $(,)?) => {$(
        impl Show for $kind {
            fn show(&self) -> String {
                format!("{self:?}")
            }
        }
    )+};
}

as_written!(String, i32, Name, Word, Line, Uri, Email, Host, PinnedImage, Registry, Ratio, Duration, Stage);
as_named!(
    Actor,
    AfterPromotion,
    AnomalyAction,
    Artifact,
    Classification,
    DataKind,
    Dns,
    EncryptionKeys,
    Expectation,
    ImageReference,
    KeyDelivery,
    NarrowedPods,
    OperationName,
    OutputOwner,
    PodSecurity,
    Prohibition,
    QuarantinedPods,
    RehearsalRequirement,
    Reuse,
    Role,
    Sensitivity,
    Sharing,
    SinkFailure,
);

impl Show for Quantity {
    fn show(&self) -> String {
        self.0.clone()
    }
}

impl Show for Time {
    fn show(&self) -> String {
        self.0.to_string()
    }
}

impl Show for ContentDigest {
    /// As much of it as tells it from others.
    fn show(&self) -> String {
        const ENOUGH: usize = "sha256:".len() + 12;
        self.0.get(..ENOUGH).map_or_else(|| self.0.clone(), |start| format!("{start}…"))
    }
}

impl<T: Show> Show for Option<T> {
    fn show(&self) -> String {
        self.as_ref().map_or_else(|| "none".to_owned(), Show::show)
    }
}

impl<T: Show + ?Sized> Show for &T {
    fn show(&self) -> String {
        (*self).show()
    }
}

/// The parts of a name of several, one after the other.
impl<One: Show, Other: Show> Show for (One, Other) {
    fn show(&self) -> String {
        format!("{} {}", self.0.show(), self.1.show())
    }

    fn short(&self) -> String {
        self.0.short()
    }
}
