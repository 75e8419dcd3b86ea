//! What people closed, whether the journal says so yet or not. Pure.
//!
//! `comity run` writes down what people decided; its token may be stolen, or nobody may be there to
//! write. What gives something takes a record. What takes something away is heeded at once, by the same
//! reading as that of `comity run`, so that a decision that nobody writes down still stops certificates.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::api::GrantDecision;
use crate::api::name::stage_namespace;
use crate::grant::decide::Records;
use crate::grant::foresee::Unwritten;
use crate::journal::{Journal, Opening};
use crate::policy::standing::Outlook;
use crate::signer::witness::{Doubt, SKEW};

/// The journal as it is once it says of every one of these decisions what it closes. It is for one
/// look: nobody writes it.
pub fn heeded<'a>(
    journal: &'a Journal,
    decisions: &[Arc<GrantDecision>],
    outlook: &Outlook,
    now: Timestamp,
) -> Cow<'a, Journal> {
    let unwritten = Unwritten { decisions, refused: &BTreeSet::new(), records: Records::Refused };
    let foreseen = unwritten.foresee(journal, outlook, journal.time(now));
    foreseen.map_or(Cow::Borrowed(journal), Cow::Owned)
}

/// Why nothing of a journal is believed, whoever was asked: its newest record is yet to come. Time would be counted from
/// then, and whatever people decide until then would come too late.
pub fn ahead(journal: &Journal, now: Timestamp) -> Option<Doubt> {
    let newest = journal.newest.filter(|newest| newest.duration_since(now) > SKEW)?;
    let what = format!("says that it was written at {newest}, which is yet to come");
    Some(Doubt { sequence: journal.next.saturating_sub(1), general: what.clone(), what })
}

/// Why nothing of a journal is believed that opens a namespace which isn't this grant's: whoever writes a record chooses the
/// name that is in it.
pub fn alien(journal: &Journal, grant: &str, uid: &str) -> Option<Doubt> {
    let is_alien =
        |opening: &&Opening| opening.namespace != stage_namespace(grant, uid, opening.stage, &opening.digest);
    let opening = journal.openings.iter().find(is_alien)?;
    let what = format!("opens {} in a namespace that isn't this grant's", opening.stage);
    Some(Doubt { sequence: journal.next.saturating_sub(1), general: what.clone(), what })
}

#[cfg(test)]
mod tests {
    use kube::ResourceExt as _;
    use serde_json::json;

    use super::*;
    use crate::api::Stage;
    use crate::grant::hear::Hearing;
    use crate::journal::append::Entry;
    use crate::signer::derive::derive;
    use crate::signer::testing::Story;
    use crate::testing::known::Known;

    #[test]
    fn what_is_opened_elsewhere_is_believed_of_nobody() {
        let story = Story::with_open(Stage::Sandbox);
        let grant = &story.world.grant;
        let (own, uid) = (grant.name_any(), grant.uid().unwrap());
        assert_eq!(alien(&story.journal, &own, &uid), None);
        for (name, uid) in [("evil", uid.as_str()), (own.as_str(), "another")] {
            let doubt = alien(&story.journal, name, uid).unwrap();
            assert!(doubt.what.contains("isn't this grant's"), "{}", doubt.what);
        }
    }

    #[test]
    fn what_is_yet_to_come_is_believed_of_nobody() {
        let story = Story::with_open(Stage::Sandbox);
        let newest = story.journal.newest.unwrap();
        assert_eq!(ahead(&story.journal, newest), None);
        assert_eq!(ahead(&story.journal, newest - SKEW), None, "clocks differ");
        let second = jiff::SignedDuration::from_secs(1);
        let doubt = ahead(&story.journal, newest - SKEW - second).unwrap();
        assert_eq!(doubt.sequence, story.journal.next - 1);
        assert!(doubt.what.contains("yet to come"), "{}", doubt.what);
        assert_eq!(ahead(&Journal::empty(), newest), None);
    }

    /// A decision of olga's, so many seconds after the story's time.
    fn decided(story: &Story, name: &str, made: i64, says: &serde_json::Value) -> Arc<GrantDecision> {
        let mut decision = Known::decision(name, &story.world.grant, made);
        let mut spec = serde_json::to_value(&decision.spec).unwrap();
        crate::testing::api::merge(&mut spec, says.clone());
        decision.spec = serde_json::from_value(spec).unwrap();
        Arc::new(decision)
    }

    fn open(story: &Story, decisions: &[Arc<GrantDecision>], after: i64) -> Vec<Stage> {
        let world = &story.world;
        let now = world.now + jiff::SignedDuration::from_secs(after);
        let outlook = world.outlook();
        let journal = heeded(&story.journal, decisions, &outlook, now);
        let derived = derive(&world.grant, &journal, &outlook, now).openings;
        derived.iter().filter(|opening| opening.open).map(|opening| opening.stage).collect()
    }

    #[test]
    fn what_closes_stops_certificates_before_anybody_wrote_it_down() {
        let story = Story::with_open(Stage::Sandbox);
        assert_eq!(open(&story, &[], 10), [Stage::Sandbox]);
        let soon = story.world.now + jiff::SignedDuration::from_secs(8);
        for says in [
            json!({"action": "Expire"}),
            json!({"action": "Expire", "stage": "Sandbox"}),
            json!({"action": "Quarantine"}),
            json!({"action": "Shorten", "expiresAt": soon.to_string()}),
        ] {
            let closes = decided(&story, "closes", 5, &says);
            assert_eq!(open(&story, &[closes], 10), [], "{says}");
        }
    }

    #[test]
    fn what_closes_nothing_that_is_open_stops_nothing() {
        let story = Story::with_open(Stage::Sandbox);
        let before = decided(&story, "before", -5, &json!({"action": "Expire", "stage": "Sandbox"}));
        let another = decided(&story, "another", 5, &json!({"action": "Expire", "stage": "Production"}));
        let confirms = decided(&story, "confirms", 5, &json!({"action": "Attest"}));
        assert_eq!(open(&story, &[before, another, confirms], 10), [Stage::Sandbox]);
    }

    #[test]
    fn what_the_journal_has_taken_and_undone_isnt_heeded_again() {
        let mut story = Story::with_open(Stage::Sandbox);
        let quarantine = decided(&story, "quarantine", 5, &json!({"action": "Quarantine"}));
        let release = decided(&story, "release", 7, &json!({"action": "Release"}));
        let mut release = (*release).clone();
        release.metadata.annotations =
            Some([(crate::api::name::ANNOTATION_DECIDED_BY.to_owned(), "paul".to_owned())].into());
        for decision in [&quarantine, &Arc::new(release)] {
            let outlook = story.world.outlook();
            let now = story.world.now + jiff::SignedDuration::from_secs(8);
            let hearing = Hearing {
                journal: &story.journal,
                agreement: &outlook.agreement,
                made_again: false,
                quarantined_again: None,
                now,
            };
            let entry: Entry = hearing.hear(decision).unwrap();
            story.append(&entry);
        }
        assert_eq!(open(&story, &[quarantine], 10), [Stage::Sandbox]);
    }
}
