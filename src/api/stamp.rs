//! Who asked for a grant, and who wrote what it depends on: the lists that admission keeps in the
//! annotations [`super::name::ANNOTATION_REQUESTED_BY`] and [`super::name::ANNOTATION_AUTHORED_BY`].
//!
//! A line a user: the latest generation that they wrote, a space, their name.

use std::fmt;

/// The most users that a list holds. When it is full, somebody who isn't in it can't change the spec.
pub const MOST_WRITERS: usize = 64;
/// The longest name that a list takes, in characters.
pub const LONGEST_NAME: usize = 253;
/// Stands in a list for everybody who wrote before the list was begun.
pub const UNKNOWN: &str = "?";

/// Everybody who wrote an object's spec, each with the latest generation that they wrote.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Writers(Vec<Writer>);

/// Somebody who wrote an object's spec.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Writer {
    /// What the API server calls them, or [`UNKNOWN`].
    pub user: String,
    /// The latest generation that they wrote.
    pub generation: i64,
}

impl Writers {
    /// Reads a list; `None` where it isn't one, so that nobody knows who wrote the object.
    pub fn parse(text: &str) -> Option<Self> {
        let writers = text.lines().map(|line| {
            let (generation, user) = line.split_once(' ').filter(|(_, user)| !user.is_empty())?;
            Some(Writer { user: user.to_owned(), generation: generation.parse().ok()? })
        });
        let writers: Vec<Writer> = writers.collect::<Option<_>>()?;
        (!writers.is_empty() && writers.len() <= MOST_WRITERS).then_some(Self(writers))
    }

    /// The list after `user` wrote `generation`. Whoever is in it stays in it.
    #[must_use]
    pub fn with(mut self, user: &str, generation: i64) -> Self {
        self.0.retain(|writer| writer.user != user);
        self.0.push(Writer { user: user.to_owned(), generation });
        self
    }

    /// Everybody, in the order in which they last wrote.
    pub fn iter(&self) -> impl Iterator<Item = &Writer> {
        self.0.iter()
    }

    /// Whether `user` may have written something after `generation`: who isn't known may be anybody.
    pub fn may_have_written_after(&self, user: &str, generation: i64) -> bool {
        self.0
            .iter()
            .any(|writer| writer.generation > generation && (writer.user == user || writer.user == UNKNOWN))
    }
}

impl fmt::Display for Writers {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Writer { user, generation }) in self.0.iter().enumerate() {
            let before = if at == 0 { "" } else { "\n" };
            write!(out, "{before}{generation} {user}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_it_is_written() {
        let text = "1 olga@retail.example\n4 CN=Ben Example";
        let writers = Writers::parse(text).expect("a list");
        assert_eq!(writers.to_string(), text);
        assert_eq!(writers.iter().count(), 2);
        let writers = writers.with("olga@retail.example", 5);
        assert_eq!(writers.to_string(), "4 CN=Ben Example\n5 olga@retail.example");
    }

    #[test]
    fn what_is_not_a_list_tells_nobody_who_wrote() {
        let many = (0..=MOST_WRITERS).map(|user| format!("1 user-{user}")).collect::<Vec<_>>().join("\n");
        for text in ["", "olga", "x olga", "1 ", "1", "1 olga\n\n2 ben", " 1 olga", many.as_str()] {
            assert_eq!(Writers::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn somebody_wrote_after_a_generation_if_their_latest_is_later_or_nobody_knows() {
        let writers = Writers::parse("2 ?\n3 olga\n5 ben").expect("a list");
        assert!(writers.may_have_written_after("olga", 2));
        assert!(!writers.may_have_written_after("olga", 3));
        assert!(!writers.may_have_written_after("eve", 2));
        assert!(writers.may_have_written_after("eve", 1), "? may be eve");
    }
}
