//! The same work on many things, on every processor that there is. Pure: what comes of it is in their order.

use std::num::NonZero;
use std::thread;

/// So few aren't worth another thread.
const FEW: usize = 32;

/// What comes of `work` on each of some things; each thread has what `prepare` gives it.
pub(in crate::cli) fn each<T: Sync, S, R: Send>(
    items: &[T],
    prepare: impl Fn() -> S + Sync,
    work: impl Fn(&S, &T) -> R + Sync,
) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let share = items.len().div_ceil(threads).max(FEW);
    let all = |items: &[T]| {
        let prepared = prepare();
        items.iter().map(|item| work(&prepared, item)).collect::<Vec<R>>()
    };
    if items.len() <= share {
        return all(items);
    }
    thread::scope(|scope| {
        let started: Vec<_> = items.chunks(share).map(|items| scope.spawn(|| all(items))).collect();
        let ended = started
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        ended.flatten().collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_of_it_is_in_order_however_many_there_are() {
        for count in [0, 1, FEW, FEW + 1, 1000] {
            let items: Vec<usize> = (0..count).collect();
            assert_eq!(
                each(&items, || 2, |two, item| two * item),
                items.iter().map(|item| item * 2).collect::<Vec<_>>()
            );
        }
    }
}
