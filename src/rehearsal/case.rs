//! A case of a rehearsal: what is tried, by whom, and what has to come out. Pure.

use std::time::Duration;

use serde_json::Value;

use crate::api::grant::Role;
use crate::api::name;

/// Something that is tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Its name: in kebab case, the same whenever the same is tried.
    pub name: String,
    /// The clause that it tries, as `status.enforcement` names it; what isn't of the contract begins with the
    /// kind that says it.
    pub clause: &'static str,
    /// What is tried, for people.
    pub tried: String,
    /// How.
    pub attempt: Attempt,
    /// What has to come out.
    pub expected: Expected,
}

/// How a case is tried.
#[derive(Clone, Debug, PartialEq)]
pub enum Attempt {
    /// The API server is asked whether somebody may do something (SubjectAccessReview).
    Access(Access),
    /// The API server is sent a request that has no effect (`dryRun=All`).
    Request(Request),
    /// It follows from what was read: this came out.
    Seen(Observed),
    /// It was tried before the cases began: this came out, and took so long.
    Done(Observed, Duration),
    /// Nothing can try it here; why.
    Nothing(String),
}

/// What has to come out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Expected {
    /// It is allowed.
    Allowed,
    /// It is refused, by whoever says these words.
    Refused(&'static str),
}

/// What came out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Observed {
    /// It is allowed.
    Allowed,
    /// It is allowed, by what these words say.
    AllowedBy(String),
    /// It is refused, in these words.
    Refused(String),
    /// It couldn't be tried; why.
    Untried(String),
}

/// Whoever may be asked about or impersonated in the namespace of a stage.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Who {
    /// The partner's people of a role.
    Role(Role),
    /// A workload, by its ServiceAccount.
    Workload(String),
}

/// What somebody may do, or may not.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Access {
    /// Who.
    pub who: Who,
    /// In which namespace; `""`: in all of them, or outside of any.
    pub namespace: String,
    /// The verb.
    pub verb: String,
    /// The API group, `""` for the core.
    pub group: String,
    /// The resource, with its subresource after a slash.
    pub resource: String,
    /// The object; `""`: any.
    pub name: String,
}

/// A request that is tried without effect.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// As whom; `None`: as `comity rehearse`, which may try pods, as the controllers make them.
    pub by: Option<Role>,
    /// How.
    pub method: Method,
    /// The path of the API.
    pub path: String,
    /// The object, or the change.
    pub body: Value,
    /// What an API server that knows it answers with too: an older one leaves it out, and looks at the rest (a
    /// JSON pointer; `""`: nothing in particular).
    pub tells: &'static str,
}

/// How a request changes something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method {
    /// It makes an object.
    Create,
    /// It changes one, by merge patch (RFC 7386).
    Patch,
}

impl Who {
    /// The name by which the API server knows them in the namespace of a stage.
    pub fn user(&self, namespace: &str) -> String {
        let account = match self {
            Self::Role(role) => name::role_service_account(role.kebab()),
            Self::Workload(account) => account.clone(),
        };
        format!("system:serviceaccount:{namespace}:{account}")
    }

    /// As it stands in the names of cases.
    pub fn slug(&self) -> &str {
        match self {
            Self::Role(role) => role.kebab(),
            Self::Workload(account) => account,
        }
    }
}

impl std::fmt::Display for Expected {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Allowed => write!(out, "allowed"),
            Self::Refused(words) => write!(out, "refused: {words}"),
        }
    }
}

impl std::fmt::Display for Observed {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Allowed => write!(out, "allowed"),
            Self::AllowedBy(words) => write!(out, "allowed: {words}"),
            Self::Refused(words) => write!(out, "refused: {words}"),
            Self::Untried(why) => write!(out, "{why}"),
        }
    }
}
