//! What comparing two policies gives: named changes, each narrower, wider or both, in sentences.

use serde::Serialize;

/// How something new stands to something old.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub enum Comparison {
    /// It allows the same.
    Equal,
    /// It allows less, and nothing more.
    Narrower,
    /// It allows more, and nothing less.
    Wider,
    /// It allows less here and more there, or something else instead.
    Both,
}

impl Comparison {
    /// What it is where something is lost, gained, both or neither.
    pub const fn of(lost: bool, gained: bool) -> Self {
        match (lost, gained) {
            (false, false) => Self::Equal,
            (true, false) => Self::Narrower,
            (false, true) => Self::Wider,
            (true, true) => Self::Both,
        }
    }

    /// Whether the new one doesn't allow all that the old one does.
    pub const fn loses(self) -> bool {
        matches!(self, Self::Narrower | Self::Both)
    }

    /// Whether the new one allows what the old one doesn't: this needs consent.
    pub const fn gains(self) -> bool {
        matches!(self, Self::Wider | Self::Both)
    }

    /// Both at once.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self::of(self.loses() || other.loses(), self.gains() || other.gains())
    }

    /// The same, seen from the other side.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self::of(self.gains(), self.loses())
    }

    /// What a list of changes comes to.
    pub fn of_all(changes: &[Change]) -> Self {
        changes.iter().fold(Self::Equal, |sum, change| sum.and(change.effect))
    }
}

impl From<std::cmp::Ordering> for Comparison {
    fn from(ordering: std::cmp::Ordering) -> Self {
        Self::of(ordering.is_lt(), ordering.is_gt())
    }
}

impl std::fmt::Display for Comparison {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Equal => "equal",
            Self::Narrower => "narrower",
            Self::Wider => "wider",
            Self::Both => "narrower and wider",
        })
    }
}

/// One thing that differs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// The path of the clause: `dataScope.datasets[transactions].fields`.
    pub clause: String,
    /// What it is about, for people: `field device_hash of transactions`.
    pub what: String,
    /// How it differs.
    pub how: Difference,
    /// What that does to what is allowed. `Equal`: it was only put into other words.
    pub effect: Comparison,
}

/// How something differs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Difference {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It was one thing and is another.
    Became {
        /// What it was.
        old: String,
        /// What it is.
        new: String,
    },
}

impl Change {
    /// What differs, without what that does.
    pub fn said(&self) -> String {
        let what = &self.what;
        match &self.how {
            Difference::Added => format!("{what}: added"),
            Difference::Removed => format!("{what}: removed"),
            Difference::Became { old, new } => format!("{what}: {}", shortened(old, new)),
        }
    }
}

impl std::fmt::Display for Change {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.said())?;
        match (&self.how, self.effect) {
            (Difference::Removed, Comparison::Narrower) | (Difference::Added, Comparison::Wider) => Ok(()),
            (_, Comparison::Equal) => out.write_str(" (only reworded)"),
            (_, Comparison::Both) => out.write_str(" (neither narrower nor wider, but different)"),
            (_, effect) => write!(out, " ({effect})"),
        }
    }
}

/// `old → new`; where both end alike, as windows in one time zone do, with what both begin and end
/// with said once.
fn shortened(old: &str, new: &str) -> String {
    let (before, after): (Vec<&str>, Vec<&str>) = (old.split(' ').collect(), new.split(' ').collect());
    let most = before.len().min(after.len()).saturating_sub(1);
    let alike = |(one, other): &(&&str, &&str)| one == other;
    let tail = before.iter().rev().zip(after.iter().rev()).take(most).take_while(alike).count();
    if tail == 0 {
        return format!("{old} → {new}");
    }
    let head = before.iter().zip(&after).take(most - tail).take_while(alike).count();
    let until = before.len() - tail;
    let come = after[head..].join(" ");
    format!("{} → {come}", before[..until].join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_both_begin_and_end_with_is_said_once() {
        for (old, new, told) in [
            ("1h", "2h", "1h → 2h"),
            (
                "Monday–Friday 06:00–20:00 Europe/Stockholm",
                "Monday–Friday 05:00–20:00 Europe/Stockholm",
                "Monday–Friday 06:00–20:00 → 05:00–20:00 Europe/Stockholm",
            ),
            ("a b", "a", "a b → a"),
            ("Northpay AB", "Southpay AB", "Northpay → Southpay AB"),
            ("Agreement 2026-014", "Agreement 2027-001", "Agreement 2026-014 → Agreement 2027-001"),
            ("a", "a a", "a → a a"),
            ("at any time", "never", "at any time → never"),
        ] {
            assert_eq!(shortened(old, new), told);
        }
    }

    #[test]
    fn comparisons_add_up_and_turn_around() {
        use Comparison::{Both, Equal, Narrower, Wider};
        for (one, other, sum) in [
            (Equal, Wider, Wider),
            (Narrower, Wider, Both),
            (Narrower, Narrower, Narrower),
            (Both, Equal, Both),
        ] {
            assert_eq!(one.and(other), sum);
            assert_eq!(other.and(one), sum);
            assert_eq!(one.reversed().and(other.reversed()), sum.reversed());
        }
    }
}
