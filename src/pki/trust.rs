//! What verifiers are given: the anchors of one contract and stage that are believed at this moment. There
//! are several only while one takes over from another.

use jiff::Timestamp;

use super::anchor::Anchor;
use super::inspect::Leaf;

/// Whether what an authority signed before serves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Belief {
    /// Until it is renewed as it would be anyway.
    Full,
    /// It is believed until it ends, and made anew at once: the authority was given up.
    GivenUp,
}

/// The anchors that are believed, in the order in which they came.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trust {
    members: Vec<(Anchor, Belief)>,
    pem: String,
    /// The identifiers of their keys.
    keys: Vec<String>,
    issues_until: Option<Timestamp>,
}

impl Trust {
    /// These anchors; what is issued now can last until `issues_until`. `None`: nothing is issued.
    pub fn of(members: Vec<(Anchor, Belief)>, issues_until: Option<Timestamp>) -> Self {
        let pem = members.iter().map(|(anchor, _)| anchor.pem()).collect();
        let keys = members.iter().filter_map(|(anchor, _)| anchor.key()).collect();
        Self { members, pem, keys, issues_until }
    }

    /// One anchor, which signs.
    pub fn only(anchor: &Anchor) -> Self {
        Self::of(vec![(anchor.clone(), Belief::Full)], Some(anchor.lifetime().not_after()))
    }

    /// All of them as PEM, just as it is given to verifiers.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Whether this anchor is one of them.
    pub fn holds(&self, anchor: &Anchor) -> bool {
        self.members.iter().any(|(member, _)| member == anchor)
    }

    /// Until when what is issued now can last.
    pub fn issues_until(&self) -> Timestamp {
        self.issues_until.unwrap_or(Timestamp::MAX)
    }

    /// Whether a key that is called so is one of theirs. It is only said, and proves nothing.
    pub fn has_key(&self, key: &str) -> bool {
        self.keys.iter().any(|own| own == key)
    }

    /// What is thought of what signed a certificate; `None`: none of these did.
    pub fn belief(&self, leaf: &Leaf) -> Option<Belief> {
        // The newest first: it signed most of what is looked at.
        self.members.iter().rev().find(|(anchor, _)| leaf.signed_by(anchor)).map(|(_, belief)| *belief)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::testing;

    #[test]
    fn what_any_of_them_signed_is_believed_and_nothing_else() {
        let (one, other, stranger) = (testing::authority(), testing::authority(), testing::authority());
        let members = vec![(one.anchor().clone(), Belief::GivenUp), (other.anchor().clone(), Belief::Full)];
        let trust = Trust::of(members, None);
        assert_eq!(trust.pem(), format!("{}{}", one.anchor().pem(), other.anchor().pem()));
        assert_eq!(trust.belief(&testing::leaf(&one).leaf), Some(Belief::GivenUp));
        assert_eq!(trust.belief(&testing::leaf(&other).leaf), Some(Belief::Full));
        assert_eq!(trust.belief(&testing::leaf(&stranger).leaf), None);
        let signed_by = testing::leaf(&one).leaf.authority_key().to_owned();
        assert!(trust.has_key(&signed_by) && !trust.has_key(testing::leaf(&stranger).leaf.authority_key()));
        assert!(trust.holds(one.anchor()) && !trust.holds(stranger.anchor()));
        assert_eq!(trust.issues_until(), Timestamp::MAX);
    }
}
