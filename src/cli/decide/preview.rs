//! What a decision opens or closes, shown before it is made. Pure.

use super::foresee::{After, after};
use super::request::request;
use super::wish::{Choice, subject};
use crate::api::condition::ConditionType;
use crate::api::decision::DecisionAction;
use crate::api::stage::Stage;
use crate::cli::grant::{Live, Picture};
use crate::cli::moment::Watch;
use crate::cli::page::{Page, Style};
use crate::journal::append::Entry;

/// How a line of what is shown begins: one word, in its column.
pub(super) fn fact(page: &mut Page, name: &str, said: impl Into<String>) {
    page.line(format!("  {name:<12}{}", said.into()));
}

/// Everything that is shown; `foreseen` is the line that the decision will add to the journal.
pub(super) fn preview(
    picture: &Picture<'_>,
    choice: &Choice,
    foreseen: Option<&Entry>,
    watch: &Watch,
) -> Page {
    let mut page = Page::default();
    let stage = choice.stage.map_or_else(String::new, |stage| format!(" {stage} of"));
    page.styled(Style::Strong, format!("{}{stage} {}", choice.action.as_str(), subject(picture)));
    if let Some(digest) = &choice.digest {
        fact(&mut page, "revision", digest.as_str());
    }
    let group = choice.group.as_ref().map_or_else(String::new, |group| format!(", for {group}"));
    fact(&mut page, "as", format!("{}{group}", picture.reading.identity.name));
    match choice.action {
        DecisionAction::Approve | DecisionAction::Deny | DecisionAction::Sponsor => {
            request(&mut page, picture, choice, watch);
        }
        DecisionAction::Extend | DecisionAction::Shorten => moves(&mut page, picture, choice, watch),
        _ => affected(&mut page, picture, choice, watch),
    }
    if let Some(enrolment) = &choice.enrolment {
        fact(&mut page, "workload", enrolment.workload.as_str());
        fact(&mut page, "token until", watch.tell(enrolment.expires_at.0));
    }
    consequence(&mut page, picture, choice, watch);
    others(&mut page, picture, choice, foreseen);
    page
}

/// What gets another end.
fn moves(page: &mut Page, picture: &Picture<'_>, choice: &Choice, watch: &Watch) {
    for live in meant(picture, choice) {
        fact(page, "ends now", watch.tell(live.end));
    }
    if let Some(end) = choice.end {
        fact(page, "ends then", watch.tell(end));
    }
}

/// What is open and meant.
fn affected(page: &mut Page, picture: &Picture<'_>, choice: &Choice, watch: &Watch) {
    let meant = meant(picture, choice);
    if meant.is_empty() {
        fact(page, "open", "nothing");
    }
    for live in meant {
        fact(page, "open", format!("{} until {}, in {}", live.stage, watch.tell(live.end), live.namespace));
    }
    if let Some((by, since)) =
        picture.sound_journal().and_then(|journal| journal.consents.quarantined.as_ref())
    {
        fact(page, "quarantined", format!("by {by}, {}", watch.tell(*since)));
    }
    if choice.action == DecisionAction::Attest
        && let Some(last) =
            picture.sound_journal().and_then(|journal| journal.consents.attested.last().copied())
    {
        fact(page, "confirmed", watch.tell(last));
    }
}

fn meant(picture: &Picture<'_>, choice: &Choice) -> Vec<Live> {
    let is_meant = |live: &Live| {
        choice.stage.is_none_or(|stage| stage == live.stage)
            && choice.digest.as_ref().is_none_or(|digest| *digest == live.digest)
    };
    picture.live().into_iter().filter(is_meant).collect()
}

/// What it comes to, in a sentence, and how long what it closes lasts.
fn consequence(page: &mut Page, picture: &Picture<'_>, choice: &Choice, watch: &Watch) {
    use DecisionAction::{Expire, Quarantine, Shorten};
    let Some((style, said)) = meaning(picture, choice) else { return };
    page.styled(style, format!("  {said}."));
    if matches!(choice.action, Expire | Quarantine | Shorten)
        && let Some(last) = last_certificate(picture, choice, watch)
    {
        page.styled(
            Style::Faint,
            format!("  Certificates that were issued before end by themselves, by {last}."),
        );
    }
}

/// What it comes to, in a sentence.
fn meaning(picture: &Picture<'_>, choice: &Choice) -> Option<(Style, String)> {
    use DecisionAction::{
        Approve, Attest, Countersign, Deny, Enrol, Expire, Extend, Quarantine, Rehearse, Release, Shorten,
        Sponsor,
    };
    let stage = choice.stage.map_or_else(|| "the grant".to_owned(), |stage| stage.to_string());
    Some(match choice.action {
        Approve if is_next(picture, choice.stage) => {
            (Style::Warn, format!("{stage} opens once enough people agree"))
        }
        Approve => (Style::Warn, format!("{stage} opens once its turn comes and enough people agree")),
        Deny => (Style::Bad, format!("{stage} can't open with this revision any more, for good")),
        Extend => (Style::Warn, format!("{stage} ends later once enough people agree")),
        Shorten => (Style::Bad, format!("{stage} ends earlier; only those who may extend it can undo that")),
        Expire if choice.stage.is_some() => (Style::Bad, format!("{stage} ends now, for good")),
        Expire => {
            (Style::Bad, "Everything that is open ends now, and nothing of this grant opens again".to_owned())
        }
        Quarantine => {
            (Style::Bad, "Access is closed at once, until somebody else releases it; ends stand".to_owned())
        }
        Release => (Style::Warn, "Access is given again, within the ends that stand".to_owned()),
        Attest => (Style::Plain, "Access goes on until the next review is due, or its end".to_owned()),
        Sponsor => (Style::Plain, "You take responsibility for the request, and can't approve it".to_owned()),
        Rehearse => (
            Style::Plain,
            "It is tried again, and production waits for what comes out; nothing that is open closes"
                .to_owned(),
        ),
        Enrol => (
            Style::Warn,
            "Whoever has the token gets a certificate of that workload, once, about a key of their own"
                .to_owned(),
        ),
        Countersign => return None,
    })
}

/// Whether a stage is the one that people are asked for.
fn is_next(picture: &Picture<'_>, stage: Option<Stage>) -> bool {
    picture.waiting().iter().any(|(waiting, _)| Some(*waiting) == stage)
}

/// When the last certificate ends that may have been issued until now.
fn last_certificate(picture: &Picture<'_>, choice: &Choice, watch: &Watch) -> Option<String> {
    let meant = meant(picture, choice);
    let journal = picture.sound_journal()?;
    let ends = meant.iter().filter_map(|live| {
        let policy = &journal.opening(live.stage, &live.digest)?.policy;
        let ttl = policy.security.credential_ttl.as_ref()?.length()?;
        let from = choice.end.unwrap_or(picture.now).max(picture.now);
        let issued = !policy.certified().is_empty();
        issued.then(|| from.checked_add(ttl).map_or(live.end, |last| last.min(live.end)))
    });
    ends.max().map(|last| watch.tell(last))
}

/// Who else has to agree.
fn others(page: &mut Page, picture: &Picture<'_>, choice: &Choice, foreseen: Option<&Entry>) {
    if !matches!(choice.action, DecisionAction::Approve | DecisionAction::Extend) {
        return;
    }
    let said = match after(picture, choice, foreseen) {
        After::Effect => "nobody else has to agree".to_owned(),
        After::Waits(missing) => format!("{missing}, after you"),
        After::Unknown => picture
            .condition(ConditionType::Approved)
            .map_or_else(|| "that can't be told".to_owned(), |approved| approved.message.clone()),
    };
    fact(page, "who else", said);
}
