//! What happens often is told now and then: the first of its kind at once, what follows soon after together. Pure:
//! the time is passed in.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::Waiting;

/// For how long what follows is gathered.
pub const FOR: Duration = Duration::from_secs(10);

/// What is told together: what one object is told of, for one reason, and what kind of it.
type Kind = (String, &'static str, String);

/// What was told not long ago, and what came since.
#[derive(Debug, Default)]
pub struct Gathering(HashMap<Kind, Gathered>);

/// What came of a kind since it was last told of.
#[derive(Debug)]
struct Gathered {
    /// When it may be told of again.
    until: Instant,
    /// How many came.
    count: usize,
    /// The last of them.
    last: Option<Waiting>,
}

impl Gathering {
    /// Takes what happened at this moment; gives it back if it is to be told at once.
    pub fn take(&mut self, waiting: Waiting, now: Instant) -> Option<Waiting> {
        let Some(kind) = kind(&waiting) else { return Some(waiting) };
        if let Some(gathered) = self.0.get_mut(&kind) {
            gathered.count += 1;
            gathered.last = Some(waiting);
            return None;
        }
        self.0.insert(kind, Gathered { until: now + FOR, count: 0, last: None });
        Some(waiting)
    }

    /// When there is something to tell, or to forget; `None`: there is nothing.
    pub fn next(&self) -> Option<Instant> {
        self.0.values().map(|gathered| gathered.until).min()
    }

    /// All that was gathered, whenever it is due: nothing more comes.
    pub fn all(self) -> impl Iterator<Item = Waiting> {
        let gathered = self.0.into_values();
        gathered.filter_map(|Gathered { last, count, .. }| last.map(|last| last.of_several(count)))
    }

    /// What is to be told at this moment of what was gathered. Kinds of which nothing came are forgotten.
    pub fn due(&mut self, now: Instant) -> Vec<Waiting> {
        self.0.retain(|_, gathered| gathered.until > now || gathered.last.is_some());
        let due = self.0.values_mut().filter(|gathered| gathered.until <= now);
        due.filter_map(|gathered| {
            let told = gathered.last.take().map(|last| last.of_several(gathered.count));
            (gathered.until, gathered.count) = (now + FOR, 0);
            told
        })
        .collect()
    }
}

/// What it is told together with; `None`: it is told by itself.
fn kind(waiting: &Waiting) -> Option<Kind> {
    let whose = waiting.about.uid.clone().unwrap_or_default();
    Some((whose, waiting.reason, waiting.kind.clone()?))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ObjectReference;

    use super::*;

    fn issued(uid: &str, note: &str) -> Waiting {
        let about = ObjectReference { uid: Some(uid.to_owned()), ..ObjectReference::default() };
        Waiting {
            about,
            is_warning: false,
            reason: "Issued",
            note: note.to_owned(),
            kind: Some("a".to_owned()),
        }
    }

    fn note(waiting: &Waiting) -> &str {
        &waiting.note
    }

    #[tokio::test]
    async fn the_first_is_told_at_once_and_what_follows_together() {
        let (mut gathering, now) = (Gathering::default(), Instant::now());
        assert_eq!(gathering.take(issued("a", "first"), now).as_ref().map(note), Some("first"));
        for number in 0..40 {
            assert!(gathering.take(issued("a", &format!("number {number}")), now).is_none());
        }
        assert!(gathering.take(issued("b", "another's"), now).is_some(), "another object is another matter");
        let first = Waiting { kind: Some("b".to_owned()), ..issued("a", "of another kind") };
        assert!(gathering.take(first, now).is_some(), "what is common hides nothing else");
        assert!(gathering.due(now).is_empty(), "it isn't time");
        let then = gathering.next().unwrap();
        assert_eq!(then, now + FOR);
        let told = gathering.due(then);
        assert_eq!(told.iter().map(note).collect::<Vec<_>>(), ["40 more; the last: number 39"]);
        assert!(gathering.take(issued("a", "later"), then).is_none(), "it was told of a moment ago");
        let told = gathering.due(then + FOR);
        assert_eq!(told.iter().map(note).collect::<Vec<_>>(), ["later"], "one is told as it is");
        assert!(gathering.due(then + FOR + FOR).is_empty());
        assert_eq!(gathering.next(), None, "and nothing is kept");
        assert!(gathering.take(issued("a", "much later"), then + FOR + FOR).is_some());
    }

    #[tokio::test]
    async fn what_was_gathered_is_told_before_nobody_can_any_more() {
        let (mut gathering, now) = (Gathering::default(), Instant::now());
        for number in 0..3 {
            drop(gathering.take(issued("a", &format!("number {number}")), now));
        }
        let told: Vec<Waiting> = gathering.all().collect();
        assert_eq!(told.iter().map(note).collect::<Vec<_>>(), ["2 more; the last: number 2"]);
    }

    #[tokio::test]
    async fn what_is_rare_is_told_as_it_comes() {
        let (mut gathering, now) = (Gathering::default(), Instant::now());
        for _ in 0..3 {
            let rare = Waiting { kind: None, ..issued("a", "it is closed") };
            assert!(gathering.take(rare, now).is_some());
        }
        assert_eq!(gathering.next(), None);
    }
}
