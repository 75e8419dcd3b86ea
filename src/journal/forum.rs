//! Whether people have agreed to what would open. Pure: from the journal, and from who wrote what.
//! `comity run` opens by it, and `comity sign` looks by it whether what was opened was agreed to.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::api::condition::whole_seconds;
use crate::api::record::{RevisedKind, Revision};
use crate::api::stage::Stage;
use crate::journal::{Journal, Opening};
use crate::policy::Agreement;
use crate::policy::consent::{ConsentRule, Missing, Voice};

/// Everything that consent goes by.
#[derive(Clone, Copy, Debug)]
pub struct Forum<'a> {
    /// What the journal says.
    pub journal: &'a Journal,
    /// What is agreed.
    pub agreement: &'a Agreement,
    /// Whether there was a grant before this one for the same partner, contract and purpose.
    pub made_again: bool,
    /// The time.
    pub now: Timestamp,
}

/// What somebody agrees to: that a stage opens, or that one that is open ends later.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Wish {
    /// The stage.
    pub stage: Stage,
    /// Its new end.
    pub end: Option<Timestamp>,
}

impl<'a> Forum<'a> {
    /// Who has to agree before a stage opens: whoever is asked for now, and whoever was asked for by
    /// what was opened since the stage itself was, so that a rule can't be weakened and then used.
    ///
    /// What was opened before isn't opened for another digest unless somebody agrees: else every
    /// change of a word would be more time.
    pub fn rule(&self, stage: Stage) -> Option<ConsentRule> {
        let now = self.agreement.stages.get(&stage)?.consent.clone();
        let openings = &self.journal.openings;
        let latest = openings.iter().rposition(|opening| opening.stage == stage);
        let before =
            openings.iter().skip(latest.unwrap_or_default()).flat_map(|opening| &opening.policy.approvals);
        let before = before.filter(|approval| approval.stage == stage).map(ConsentRule::of_approval);
        let somebody = ConsentRule {
            required: usize::from(latest.is_some() || self.made_again),
            ..ConsentRule::default()
        };
        before.chain([Some(somebody)]).try_fold(now, |rule, next| Some(rule.join(&next?)))
    }

    /// What is missing before a stage can open; `Ok`: nothing.
    pub fn opening(&self, stage: Stage) -> Result<(), Missing> {
        self.opening_by(stage, self.rule(stage))
    }

    /// What is missing before a stage can open by this rule; `Ok`: nothing. A rule that can't be read is
    /// never met.
    pub fn opening_by(&self, stage: Stage, rule: Option<ConsentRule>) -> Result<(), Missing> {
        self.met_by(Wish { stage, end: None }, rule)
    }

    /// What is missing before an opening gets a new end; `Ok`: nothing. Whoever asks for the grant at
    /// all has no say in having it for longer.
    pub fn extension(&self, stage: Stage, end: Timestamp) -> Result<(), Missing> {
        self.met(Wish { stage, end: Some(end) })
    }

    /// Whether one more voice brings what is wished for closer. If not: what is missing; `None`:
    /// nothing is. What brings it no closer isn't written down, so as many as like may speak.
    pub fn brings_closer(&self, wish: Wish, voice: Voice<'_>) -> Result<(), Option<Missing>> {
        let Some(rule) = self.rule_of(wish) else { return Err(Some(nobody())) };
        let mut voices = self.voices(wish);
        let Some(before) = rule.missing(&voices) else { return Err(None) };
        voices.push(voice);
        let after = rule.missing(&voices).map_or(0, |missing| missing.people);
        if after < before.people { Ok(()) } else { Err(Some(before)) }
    }

    fn met(&self, wish: Wish) -> Result<(), Missing> {
        self.met_by(wish, self.rule_of(wish))
    }

    fn met_by(&self, wish: Wish, rule: Option<ConsentRule>) -> Result<(), Missing> {
        let Some(rule) = rule else { return Err(nobody()) };
        rule.missing(&self.voices(wish)).map_or(Ok(()), Err)
    }

    /// Who has to agree.
    fn rule_of(&self, wish: Wish) -> Option<ConsentRule> {
        if wish.end.is_none() {
            return self.rule(wish.stage);
        }
        let asked = self.opened_by(wish.stage).iter().flat_map(|opening| &opening.policy.approvals);
        let asked = asked.filter(|approval| approval.stage == wish.stage).map(ConsentRule::of_approval);
        let now = self.agreement.stages.get(&wish.stage).map(|terms| terms.consent.clone());
        let rule = asked.chain([now]).try_fold(ConsentRule::default(), |rule, next| Some(rule.join(&next?)));
        // Moving an end is a decision even where opening was none.
        let one = ConsentRule { required: 1, ..ConsentRule::default() };
        Some(rule?.join(&one))
    }

    /// What is open of a stage with today's digest, and all whose rules were asked before it opened.
    fn opened_by(&self, stage: Stage) -> &'a [Opening] {
        let openings = &self.journal.openings;
        let is_it = |opening: &Opening| opening.stage == stage && opening.digest == self.agreement.digest;
        let Some(at) = openings.iter().position(is_it) else { return &[] };
        let before = openings.iter().take(at).rposition(|opening| opening.stage == stage);
        openings.get(before.unwrap_or_default()..=at).unwrap_or_default()
    }

    /// Who agrees, of those who may.
    fn voices(&self, wish: Wish) -> Vec<Voice<'a>> {
        let Wish { stage, end } = wish;
        let agreeing = self.journal.consents.agreeing(stage, &self.agreement.digest, end, self.now);
        agreeing
            .filter(|approved| self.barred(&approved.person, stage).is_none())
            .filter(|approved| end.is_none() || !self.asks(&approved.person))
            .map(|approved| Voice { person: &approved.person, group: approved.group.as_deref() })
            .collect()
    }

    /// Why this person may not agree to a stage, if they may not.
    pub fn barred(&self, person: &str, stage: Stage) -> Option<String> {
        if self.sponsors().any(|sponsor| sponsor == person) {
            return Some(format!("{person} sponsors the request"));
        }
        let approved = self.approved(stage);
        let written = self.agreement.authorship.iter().find(|written| written.may_be_by(person, approved))?;
        Some(match &written.writers {
            Some(_) => {
                format!("{person} wrote {}, or may have, since it was last agreed to", written.subject())
            }
            None => format!(
                "nobody knows who wrote {}: write it again, so that the API server notes by whom",
                written.subject()
            ),
        })
    }

    /// Whether automation asks for what would open, and no person has taken responsibility for it.
    pub fn lacks_sponsor(&self, stage: Stage) -> bool {
        let grant = self.agreement.authorship.iter().find(|it| it.revision.kind == RevisedKind::PartnerGrant);
        grant.is_none_or(|grant| grant.may_be_automated(self.approved(stage)))
            && self.sponsors().next().is_none()
    }

    /// Whether this person asks for the grant, or may.
    pub fn asks(&self, person: &str) -> bool {
        let grant = self.agreement.authorship.iter().find(|it| it.revision.kind == RevisedKind::PartnerGrant);
        self.sponsors().any(|sponsor| sponsor == person)
            || grant.is_none_or(|grant| grant.may_be_by(person, &[]))
    }

    /// Who sponsors what is asked for now.
    fn sponsors(&self) -> impl Iterator<Item = &'a str> {
        let digest = &self.agreement.digest;
        let sponsors = self.journal.consents.sponsors.iter();
        sponsors.filter(move |(request, _)| request == digest).map(|(_, person)| person.as_str())
    }

    /// The revisions that were last agreed to for a stage.
    fn approved(&self, stage: Stage) -> &'a [Revision] {
        self.journal.consents.approved.get(&stage).map_or(&[], Vec::as_slice)
    }
}

/// What is missing where nobody could agree.
fn nobody() -> Missing {
    Missing { people: 1, groups: BTreeMap::new() }
}

/// The latest end that an opening can be given: the contract's own, and the stage's ceiling counted
/// from the opening.
pub fn latest_end(opening: &Opening, agreement: &Agreement) -> Timestamp {
    let ceiling = agreement.stages.get(&opening.stage).map(|terms| terms.ceiling);
    let counted = ceiling.and_then(|ceiling| opening.opened_at.checked_add(ceiling).ok());
    whole_seconds(counted.unwrap_or(opening.end).min(agreement.not_after))
}
