//! Who takes part, with which groups: those who may decide, and those who mustn't.

/// Somebody, or something, that writes or decides.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Person {
    /// Asks for grants, and is in a group that decides about them.
    Ada,
    /// Writes contracts and all else that grants stand on, and is in a group that decides.
    Ben,
    /// Looks after security.
    Olga,
    /// Owns the data.
    Per,
    /// Both, and sometimes writes a contract too.
    Kim,
    /// Has no business here.
    Eve,
    /// Applies what is in Git, over and over.
    Flux,
}

use Person::{Ada, Ben, Eve, Flux, Kim, Olga, Per};

impl Person {
    /// All of them.
    pub const ALL: [Self; 7] = [Ada, Ben, Olga, Per, Kim, Eve, Flux];

    /// What the API server calls them; `story` is the namespace of the story.
    pub fn name(self, story: &str) -> String {
        match self {
            Ada => "ada@retail.example".to_owned(),
            Ben => "ben@retail.example".to_owned(),
            Olga => "olga@retail.example".to_owned(),
            Per => "per@retail.example".to_owned(),
            Kim => "kim@retail.example".to_owned(),
            Eve => "eve@elsewhere.example".to_owned(),
            Flux => format!("system:serviceaccount:{story}:flux"),
        }
    }

    /// The groups that they are in.
    pub const fn groups(self) -> &'static [&'static str] {
        match self {
            Ada => &["requesters", "security"],
            Ben => &["requesters", "data-owners"],
            Olga => &["security"],
            Per => &["data-owners"],
            Kim => &["security", "data-owners"],
            Eve => &[],
            // The rules of roles let it decide, as a careless platform might: no decision of its may count.
            Flux => &["system:serviceaccounts", "security"],
        }
    }
}
