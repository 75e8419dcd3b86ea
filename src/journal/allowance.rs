//! How much of what one person decides is written down, and how fast. Pure.
//!
//! Whoever may decide could decide ten thousand times, and every decision that takes effect is a
//! record that is kept for good. So each person has an allowance in each grant's journal: so many
//! records at once, and one more for each while that passes. Nobody uses up what is another's.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

/// So many decisions of one person are written into one journal at once.
pub const AT_ONCE: i32 = 16;

/// And one more for each such while.
pub const ONE_EACH: SignedDuration = SignedDuration::from_mins(10);

/// What everybody has used up of their allowance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Allowances {
    /// By person: when all that they used is theirs again.
    whole_at: BTreeMap<String, Timestamp>,
}

impl Allowances {
    /// Takes that something this person decided was written down at `at`.
    pub(super) fn spend(&mut self, person: &str, at: Timestamp) {
        let whole = self.whole_at.get(person).map_or(at, |whole| at.max(*whole));
        let whole = whole.checked_add(ONE_EACH).unwrap_or(Timestamp::MAX);
        self.whole_at.insert(person.to_owned(), whole);
    }

    /// Before when nothing more of this person's is written down, because so much was; `None`: at once.
    pub fn again_at(&self, person: &str, now: Timestamp) -> Option<Timestamp> {
        let all_but_one = ONE_EACH.checked_mul(AT_ONCE - 1)?;
        let again = self.whole_at.get(person)?.checked_sub(all_but_one).ok()?;
        (now < again).then_some(again)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(60 * minute).expect("in range")
    }

    #[test]
    fn sixteen_at_once_and_then_one_every_ten_minutes_for_each_person() {
        let mut allowances = Allowances::default();
        for _ in 0..AT_ONCE {
            assert_eq!(allowances.again_at("olga", at(100)), None);
            allowances.spend("olga", at(100));
        }
        assert_eq!(allowances.again_at("olga", at(100)), Some(at(110)));
        assert_eq!(allowances.again_at("per", at(100)), None, "it is nobody else's");
        assert_eq!(allowances.again_at("olga", at(110)), None);
        allowances.spend("olga", at(110));
        assert_eq!(allowances.again_at("olga", at(110)), Some(at(120)));
        let mut day = 0;
        for minute in 110..110 + 24 * 60 {
            while allowances.again_at("olga", at(minute)).is_none() {
                allowances.spend("olga", at(minute));
                day += 1;
            }
        }
        assert_eq!(day, 143, "a day of it");
        let later = at(10_000);
        assert_eq!(allowances.again_at("olga", later), None);
        (0..15).for_each(|_| allowances.spend("olga", later));
        assert_eq!(allowances.again_at("olga", later), None, "it is whole again");
    }
}
