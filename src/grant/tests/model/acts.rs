//! What people decide about a modelled grant, and the objects that say so.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::story::{HOUR, Story, Version, at};
use crate::api::decision::{DecisionAction, GrantDecisionSpec};
use crate::api::record::GrantIdentity;
use crate::api::value::OpeningDigest;
use crate::api::{GrantDecision, Stage, name};

/// Ada asks for the grants, Ben writes the contract. The others may decide.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Person {
    Ada,
    Ben,
    Kim,
    Olga,
    Per,
}

impl Person {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ada => "ada",
            Self::Ben => "ben",
            Self::Kim => "kim",
            Self::Olga => "olga",
            Self::Per => "per",
        }
    }

    /// Whether this person asks for the grants, or wrote the contract.
    pub const fn wrote(self) -> bool {
        matches!(self, Self::Ada | Self::Ben)
    }
}

#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Group {
    DataOwners,
    Security,
}

impl Group {
    pub const fn name(self) -> &'static str {
        match self {
            Self::DataOwners => "data-owners",
            Self::Security => "security",
        }
    }
}

/// What somebody decides. What is about a stage is about production, unless it says so.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Act {
    Approve(Person, Group),
    /// Of Rehearsal, which is opened for what was agreed since if anybody agrees.
    Rehearse(Person, Group),
    /// The spec claims to be by somebody else, who would count.
    ApproveAs(Person, Person, Group),
    Deny(Person),
    /// To so many hours after the story begins.
    Extend(Person, Group, i32),
    Shorten(Person, i32),
    Expire(Person),
    ExpireStage(Person),
    Quarantine(Person),
    Release(Person),
    Attest(Person),
}

impl Act {
    pub const fn by(self) -> Person {
        match self {
            Self::Approve(by, _)
            | Self::Rehearse(by, _)
            | Self::ApproveAs(by, _, _)
            | Self::Deny(by)
            | Self::Extend(by, _, _)
            | Self::Shorten(by, _)
            | Self::Expire(by)
            | Self::ExpireStage(by)
            | Self::Quarantine(by)
            | Self::Release(by)
            | Self::Attest(by) => by,
        }
    }

    const fn action(self) -> DecisionAction {
        match self {
            Self::Approve(..) | Self::Rehearse(..) | Self::ApproveAs(..) => DecisionAction::Approve,
            Self::Deny(_) => DecisionAction::Deny,
            Self::Extend(..) => DecisionAction::Extend,
            Self::Shorten(..) => DecisionAction::Shorten,
            Self::Expire(_) | Self::ExpireStage(_) => DecisionAction::Expire,
            Self::Quarantine(_) => DecisionAction::Quarantine,
            Self::Release(_) => DecisionAction::Release,
            Self::Attest(_) => DecisionAction::Attest,
        }
    }

    const fn group(self) -> Option<Group> {
        match self {
            Self::Approve(_, group)
            | Self::Rehearse(_, group)
            | Self::ApproveAs(_, _, group)
            | Self::Extend(_, group, _) => Some(group),
            _ => None,
        }
    }

    /// The end that it names.
    const fn hours(self) -> Option<i32> {
        match self {
            Self::Extend(_, _, hours) | Self::Shorten(_, hours) => Some(hours),
            _ => None,
        }
    }

    /// Whether it is about a stage, and bound to a digest.
    pub const fn is_bound(self) -> bool {
        matches!(
            self,
            Self::Approve(..) | Self::Rehearse(..) | Self::ApproveAs(..) | Self::Deny(_) | Self::Extend(..)
        )
    }

    const fn stage(self) -> Option<Stage> {
        match self {
            Self::Rehearse(..) => Some(Stage::Rehearsal),
            Self::Shorten(..) | Self::ExpireStage(_) => Some(Stage::Production),
            _ if self.is_bound() => Some(Stage::Production),
            _ => None,
        }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = self.by().name();
        match *self {
            Self::Approve(_, group) => write!(out, "{by} approves production, for {}", group.name()),
            Self::Rehearse(_, group) => write!(out, "{by} approves rehearsal, for {}", group.name()),
            Self::ApproveAs(_, who, group) => {
                write!(out, "{by} approves production and claims to be {}, for {}", who.name(), group.name())
            }
            Self::Deny(_) => write!(out, "{by} denies production"),
            Self::Extend(_, group, hours) => {
                write!(out, "{by} extends production to hour {hours}, for {}", group.name())
            }
            Self::Shorten(_, hours) => write!(out, "{by} shortens production to hour {hours}"),
            Self::Expire(_) => write!(out, "{by} expires the grant"),
            Self::ExpireStage(_) => write!(out, "{by} expires production"),
            Self::Quarantine(_) => write!(out, "{by} quarantines the grant"),
            Self::Release(_) => write!(out, "{by} releases the grant"),
            Self::Attest(_) => write!(out, "{by} confirms that the grant is still wanted"),
        }
    }
}

/// Something that somebody decided, when, and of which version of the contract.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Decided {
    pub act: Act,
    pub version: Option<Version>,
    pub made: i32,
}

/// The object that says so, as admission lets it through: the stamp is by whoever made it.
pub fn object(story: &Story, grant: usize, number: usize, decided: &Decided) -> Arc<GrantDecision> {
    let asked = story.grant(grant);
    let uid = asked.metadata.uid.as_deref().unwrap_or_default();
    let digest = decided.version.map(|version| OpeningDigest::from(story.digest(grant, version)));
    let spec = GrantDecisionSpec {
        grant_ref: GrantIdentity {
            name: asked.metadata.name.as_deref().unwrap_or_default().into(),
            uid: uid.into(),
        },
        action: decided.act.action(),
        stage: decided.act.stage(),
        digest,
        on_behalf_of: decided.act.group().map(|group| group.name().into()),
        expires_at: decided.act.hours().map(|hours| Time(at(hours * HOUR))),
        enrolment: None,
        reason: match decided.act {
            Act::ApproveAs(_, who, _) => format!("I am {}", who.name()).as_str().into(),
            _ => "looked at".into(),
        },
    };
    let mut object = GrantDecision::new(&format!("decision-{number}"), spec);
    object.metadata.uid = Some(format!("{uid}-decision-{number}"));
    object.metadata.creation_timestamp = Some(Time(at(decided.made)));
    let stamp = (name::ANNOTATION_DECIDED_BY.to_owned(), decided.act.by().name().to_owned());
    object.metadata.annotations = Some(BTreeMap::from([stamp]));
    Arc::new(object)
}
