//! Sets of whole numbers, kept as spans: addresses, and seconds of a week.

/// A set of whole numbers: spans from a first to a last, in order, none touching the next. So two
/// sets with the same members are equal, however they were put together.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Spans(Vec<(u128, u128)>);

impl Spans {
    /// The numbers that any of the spans holds.
    pub(super) fn of(spans: impl IntoIterator<Item = (u128, u128)>) -> Self {
        let mut sorted: Vec<(u128, u128)> = spans.into_iter().filter(|(first, last)| first <= last).collect();
        sorted.sort_unstable();
        let mut merged: Vec<(u128, u128)> = Vec::new();
        for (first, last) in sorted {
            match merged.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => merged.push((first, last)),
            }
        }
        Self(merged)
    }

    /// Its spans, in order.
    pub(super) fn spans(&self) -> &[(u128, u128)] {
        &self.0
    }

    /// What is in both.
    pub(super) fn meet(&self, other: &Self) -> Self {
        self.without(&self.without(other))
    }

    /// What is in either.
    pub(super) fn join(&self, other: &Self) -> Self {
        Self::of(self.0.iter().chain(&other.0).copied())
    }

    /// What isn't in `other`.
    pub(super) fn without(&self, other: &Self) -> Self {
        let mut left = Vec::new();
        for &(first, last) in &self.0 {
            let mut from = Some(first);
            for &(start, end) in &other.0 {
                let Some(next) = from.filter(|next| *next <= last && start <= last) else { break };
                if end < next {
                    continue;
                }
                left.extend(
                    start.checked_sub(1).filter(|before| *before >= next).map(|before| (next, before)),
                );
                from = end.checked_add(1);
            }
            left.extend(from.filter(|next| *next <= last).map(|next| (next, last)));
        }
        Self(left)
    }

    /// Whether it holds nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn small() -> impl Strategy<Value = Spans> {
        prop::collection::vec((0_u128..40, 0_u128..8), 0..6)
            .prop_map(|spans| Spans::of(spans.into_iter().map(|(first, length)| (first, first + length))))
    }

    fn has(spans: &Spans, number: u128) -> bool {
        spans.spans().iter().any(|(first, last)| (first..=last).contains(&&number))
    }

    proptest! {
        #[test]
        fn they_are_what_their_members_say(one in small(), other in small()) {
            let (both, either, rest) = (one.meet(&other), one.join(&other), one.without(&other));
            for number in 0..50 {
                let (first, second) = (has(&one, number), has(&other, number));
                prop_assert_eq!(has(&both, number), first && second);
                prop_assert_eq!(has(&either, number), first || second);
                prop_assert_eq!(has(&rest, number), first && !second);
            }
            for spans in [both, either, rest] {
                prop_assert_eq!(Spans::of(spans.0.clone()), spans, "in its one form");
            }
        }
    }

    #[test]
    fn the_largest_numbers_are_members_like_others() {
        let all = Spans::of([(0, u128::MAX)]);
        let last = Spans::of([(u128::MAX, u128::MAX)]);
        assert_eq!(all.without(&last).spans(), [(0, u128::MAX - 1)]);
        assert_eq!(all.without(&all), Spans::default());
        assert_eq!(Spans::of([(0, 5), (6, u128::MAX)]), all, "what touches is one");
        assert_eq!(last.join(&Spans::of([(0, u128::MAX - 1)])), all);
    }
}
