//! Reads that several ask for at the same time: made once for all of them, and never from memory.
//! What one is given was read after it had asked.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Those who ask, by what they ask for.
#[derive(Debug)]
pub struct Together<K, T>(Mutex<Lines<K, T>>);

/// The lines that somebody stands in, each with how many do.
type Lines<K, T> = HashMap<K, (usize, Arc<Line<T>>)>;

/// Those who ask for the same.
#[derive(Debug)]
struct Line<T> {
    /// How many reads have begun.
    begun: AtomicU64,
    /// The number of the last read, and what it read. Locked while somebody reads.
    last: tokio::sync::Mutex<Option<(u64, Arc<T>)>>,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self { begun: AtomicU64::new(0), last: tokio::sync::Mutex::new(None) }
    }
}

impl<K, T> Default for Together<K, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Clone + Eq + Hash, T> Together<K, T> {
    /// What `read` gives, or what somebody else's read gives that begins from now on.
    pub async fn read<F, E>(&self, key: K, read: impl FnOnce() -> F) -> Result<Arc<T>, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let line = {
            let mut lines = self.lock();
            let (standing, line) = lines.entry(key.clone()).or_default();
            *standing += 1;
            Arc::clone(line)
        };
        let _place = Place { together: self, key };
        line.read(read).await
    }

    fn lock(&self) -> MutexGuard<'_, Lines<K, T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in a line, for as long as somebody stands there, however they leave.
struct Place<'a, K: Clone + Eq + Hash, T> {
    together: &'a Together<K, T>,
    key: K,
}

impl<K: Clone + Eq + Hash, T> Drop for Place<'_, K, T> {
    fn drop(&mut self) {
        let mut lines = self.together.lock();
        let Some((standing, _)) = lines.get_mut(&self.key) else { return };
        *standing -= 1;
        // One that nobody stands in any more is forgotten, with what was read.
        if *standing == 0 {
            lines.remove(&self.key);
        }
    }
}

impl<T> Line<T> {
    async fn read<F, E>(&self, read: impl FnOnce() -> F) -> Result<Arc<T>, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let asked = self.begun.load(Ordering::SeqCst);
        let mut last = self.last.lock().await;
        if let Some((_, found)) = last.as_ref().filter(|(number, _)| *number > asked) {
            return Ok(Arc::clone(found));
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let found = Arc::new(read().await?);
        *last = Some((number, Arc::clone(&found)));
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use futures::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    /// What is read: how many reads had begun before.
    struct Source {
        reads: AtomicUsize,
        let_through: Semaphore,
    }

    impl Source {
        async fn read(&self) -> Result<usize, ()> {
            let before = self.reads.fetch_add(1, Ordering::SeqCst);
            self.let_through.acquire().await.unwrap().forget();
            if before == 7 { Err(()) } else { Ok(before) }
        }
    }

    #[tokio::test]
    async fn who_asks_while_somebody_reads_is_given_what_is_read_next_and_all_of_them_the_same() {
        let source = Source { reads: AtomicUsize::new(0), let_through: Semaphore::new(0) };
        let together = Together::<&str, usize>::default();
        let ask = async || together.read("key", || source.read()).await.map(|found| *found);
        let others = async {
            while source.reads.load(Ordering::SeqCst) == 0 {
                tokio::task::yield_now().await;
            }
            let asking = join_all((0..5).map(|_| ask()));
            source.let_through.add_permits(2);
            asking.await
        };
        let (first, others) = futures::join!(ask(), others);
        assert_eq!((first, others), (Ok(0), vec![Ok(1); 5]));
        assert_eq!(source.reads.load(Ordering::SeqCst), 2);
        assert!(together.0.lock().unwrap().is_empty(), "and nothing is kept");
        source.let_through.add_permits(2);
        assert_eq!((ask().await, ask().await), (Ok(2), Ok(3)), "who asks later is given what is read later");
    }

    #[tokio::test]
    async fn who_leaves_before_anything_was_read_leaves_nothing_behind() {
        let source = Source { reads: AtomicUsize::new(0), let_through: Semaphore::new(0) };
        let together = Together::<&str, usize>::default();
        let mut asking = Box::pin(together.read("key", || source.read()));
        assert!(futures::poll!(asking.as_mut()).is_pending());
        assert_eq!(together.0.lock().unwrap().len(), 1);
        drop(asking);
        assert!(together.0.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_read_that_fails_fails_for_one_alone() {
        let source = Source { reads: AtomicUsize::new(7), let_through: Semaphore::new(9) };
        let together = Together::<&str, usize>::default();
        let ask = async || together.read("key", || source.read()).await.map(|found| *found);
        let given = join_all((0..4).map(|_| ask())).await;
        assert_eq!(given.iter().filter(|given| given.is_err()).count(), 1);
        assert!(given.iter().flatten().all(|found| *found > 7), "{given:?}");
    }
}
