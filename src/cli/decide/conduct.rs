//! The conductor of a decision: look, work out, show, ask, write, wait, tell.

use std::io::{BufReader, Write as _};
use std::time::Duration;

use kube::ResourceExt as _;

use super::ask::{Said, ask};
use super::enrol::Secret;
use super::foresee::{After, after, decision, foresee, is_needless};
use super::outcome::{Heard, awaited, effect, heard};
use super::preview::preview;
use super::wish::{Choice, Wish, choose};
use crate::api::decision::DecisionAction;
use crate::api::{GrantDecision, PartnerGrant};
use crate::cli::grant::{Picture, Seen, clusterroles_to_decide};
use crate::cli::page::{Page, Style};
use crate::cli::person::{Person, REFUSED, Stop, TIMED_OUT, UNCHANGED, read, watch};
use crate::cli::{Failure, called};
use crate::cluster::caller::{CallError, Caller};
use crate::cluster::reading::Reading;
use crate::generate::admission::cel::CONSENT_GROUP;
use crate::grant::hear::Unheard;
use crate::journal::append::Entry;

/// How often a grant is read again that somebody has just changed, until Comity has seen the change.
const LOOKS: usize = 10;
/// How long to wait between two looks.
const BETWEEN_LOOKS: Duration = Duration::from_millis(300);
/// How long nobody has to be told that something is waited for.
const QUIET: Duration = Duration::from_secs(2);
/// How often they are told after that.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// How long a grant may take to say what is still missing, where that can't be worked out.
const GRACE: Duration = Duration::from_secs(3);

/// How a decision is made.
#[derive(Debug)]
pub(super) struct Manner {
    /// What was said on the command line.
    pub(super) said: Said,
    /// How long to wait for what comes of it; `None`: not at all.
    pub(super) timeout: Option<Duration>,
    /// What is shown once it is written, and never again.
    pub(super) shown: Option<Secret>,
}

/// Decides, and tells what came of it.
pub(super) async fn conduct(person: Person, name: String, wish: Wish, manner: Manner) -> Result<(), Failure> {
    manner.said.is_enough()?;
    let caller = person.connect().await?;
    let reading = Box::pin(settled(&caller, &name, wish.action)).await?;
    let picture = Picture::of(&reading);
    may_decide(&caller, &name, wish.action).await?;
    let told = Telling { coloured: person.is_coloured() };
    let (choice, foreseen) = match prepare(&picture, &wish) {
        Err(stop) if stop.code() == UNCHANGED => return told.needless(&stop.to_string()),
        prepared => prepared?,
    };
    told.show(&preview(&picture, &choice, foreseen.as_ref(), &watch(picture.now)))?;
    let (from, to) = (std::io::stdin(), std::io::stderr());
    let reason = ask(manner.said, &title(&choice, &name), &mut BufReader::new(from), &mut { to })?;
    let made = write(&caller, &decision(&picture, &choice, reason), wish.action).await?;
    if let Some(secret) = &manner.shown {
        told.show(&secret.shown(&caller, &picture, &choice).await)?;
    }
    let Some(timeout) = manner.timeout else {
        let written = format!("Written as {}; what comes of it: {} status {name}", made.name_any(), called());
        return told.line(Style::Plain, &written);
    };
    let then = after(&picture, &choice, foreseen.as_ref());
    let following =
        Following { caller: &caller, picture: &picture, choice: &choice, made: &made, told: &told };
    match tokio::time::timeout(timeout, following.to_the_end(then)).await {
        Ok(ended) => ended,
        Err(_) => Err(Stop::new(TIMED_OUT, following.unfinished(timeout)).into()),
    }
}

/// What is decided, and the line of the journal that comes of it, where that can be foreseen. What Comity
/// would refuse ends here.
fn prepare(picture: &Picture<'_>, wish: &Wish) -> Result<(Choice, Option<Entry>), Stop> {
    let choice = choose(picture, wish)?;
    match foresee(picture, &decision(picture, &choice, "to be asked for".into())) {
        None => Ok((choice, None)),
        Some(Ok(entry)) => Ok((choice, Some(entry))),
        Some(Err(Unheard { reason, message, .. })) if is_needless(picture, &choice, &reason.to_string()) => {
            Err(Stop::new(UNCHANGED, message))
        }
        Some(Err(Unheard { reason, message, .. })) => {
            Err(Stop::new(REFUSED, format!("{message} ({reason}); nothing was written")))
        }
    }
}

/// A grant as it stands, once Comity has seen what stands: somebody may have just changed it. Who releases
/// it waits for the second after that of the quarantine, since in the same one nobody is heard.
async fn settled(caller: &Caller, name: &str, action: DecisionAction) -> Result<Reading, Failure> {
    for _ in 1..LOOKS {
        let reading = read(caller, name).await?;
        let picture = Picture::of(&reading);
        let is_too_soon = action == DecisionAction::Release && is_quarantined_just_now(&picture);
        if !matches!(picture.seen(), Seen::Differs(_)) && !is_too_soon {
            return Ok(reading);
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    read(caller, name).await
}

/// Whether somebody quarantined a grant in the second that it is now.
fn is_quarantined_just_now(picture: &Picture<'_>) -> bool {
    let quarantined = picture.sound_journal().and_then(|journal| journal.consents.quarantined.as_ref());
    quarantined.is_some_and(|(_, since)| picture.now.as_second() <= since.as_second())
}

/// Whether the caller may decide so at all: who may not is told before they are asked anything.
async fn may_decide(caller: &Caller, name: &str, action: DecisionAction) -> Result<(), Failure> {
    let (verb, may_write) = futures::join!(
        caller.may(action.verb(), CONSENT_GROUP, "partnergrants", name),
        caller.may("create", crate::api::GROUP, "grantdecisions", ""),
    );
    let role = clusterroles_to_decide(action);
    let what = match (verb?, may_write?) {
        (true, true) => return Ok(()),
        (false, _) => format!("the verb {} on partnergrants/{name} of {CONSENT_GROUP}", action.verb()),
        (true, false) => format!("the verb create on grantdecisions of {}", crate::api::GROUP),
    };
    let message = format!(
        "you may not {} {name} in namespace {}: it takes {what}; {role}",
        action.verb(),
        caller.namespace
    );
    Err(Stop::new(REFUSED, message).into())
}

/// What somebody is asked whether they mean it.
fn title(choice: &Choice, name: &str) -> String {
    let action = choice.action.as_str();
    choice.stage.map_or_else(|| format!("{action} {name}"), |stage| format!("{action} {stage} of {name}"))
}

/// Writes the decision down.
async fn write(
    caller: &Caller,
    decision: &GrantDecision,
    action: DecisionAction,
) -> Result<GrantDecision, Failure> {
    let refused = match caller.decide(decision).await {
        Ok(made) => return Ok(made),
        Err(CallError::Refused { message, .. } | CallError::Forbidden { message, .. }) => message,
        Err(error) => return Err(error.into()),
    };
    // Before these words it says which policy, and after them why.
    let why = refused.split_once("denied request: ").map_or(refused.as_str(), |(_, why)| why);
    let role =
        if why.contains("verb") { format!("; {}", clusterroles_to_decide(action)) } else { String::new() };
    Err(Stop::new(REFUSED, format!("{why}{role}; nothing was written")).into())
}

/// A decision that was written, on its way.
pub(super) struct Following<'a> {
    pub(super) caller: &'a Caller,
    pub(super) picture: &'a Picture<'a>,
    pub(super) choice: &'a Choice,
    pub(super) made: &'a GrantDecision,
    pub(super) told: &'a Telling,
}

impl Following<'_> {
    /// Follows it until it has taken effect, or waits for others.
    async fn to_the_end(&self, then: After) -> Result<(), Failure> {
        let name = self.made.name_any();
        let look =
            |decision: Option<&GrantDecision>| decision.map_or(Some(None), |made| heard(made).map(Some));
        let said = self.told.waiting("Comity to take it up", self.caller.until(&name, look)).await?;
        let record = match said {
            None => {
                return Err(Stop::new(REFUSED, format!("{name} was deleted before it was taken up")).into());
            }
            Some(Heard::Unheard { reason, message }) => {
                if is_needless(self.picture, self.choice, &reason) {
                    return self.told.needless(&message);
                }
                return Err(
                    Stop::new(REFUSED, format!("{message} ({reason}); {name} changes nothing")).into()
                );
            }
            Some(Heard::Taken { record }) => record,
        };
        let taken = record.map_or_else(String::new, |record| format!(" as record {record} of the journal"));
        self.told.line(Style::Good, &format!("{name} is taken up{taken}."))?;
        if let (DecisionAction::Rehearse, Some(record)) = (self.choice.action, record) {
            return self.rehearsed(record).await;
        }
        match then {
            After::Waits(missing) => self.told.line(Style::Warn, &format!("It waits for {missing}.")),
            After::Effect => self.took_effect().await,
            After::Unknown => match tokio::time::timeout(GRACE, self.took_effect()).await {
                Ok(done) => done,
                Err(_) => self.stands().await,
            },
        }
    }

    /// Waits for the effect, and tells it.
    async fn took_effect(&self) -> Result<(), Failure> {
        let grant = self.picture.reading.grant.name_any();
        let moments = watch(self.caller.now());
        let look = |grant: Option<&PartnerGrant>| match grant {
            Some(grant) => effect(self.choice, grant, &moments),
            None => Some("the grant is gone".to_owned()),
        };
        let became = self.told.waiting(&awaited(self.choice), self.caller.until(&grant, look)).await?;
        if became.is_empty() { Ok(()) } else { self.told.line(Style::Plain, &format!("Now {became}.")) }
    }

    /// Tells how the grant stands.
    async fn stands(&self) -> Result<(), Failure> {
        let grant: PartnerGrant = self.caller.get(&self.picture.reading.grant.name_any()).await?;
        let ready =
            grant.status.iter().flat_map(|status| &status.conditions).find(|said| said.type_ == "Ready");
        ready.map_or(Ok(()), |ready| self.told.line(Style::Warn, &format!("{}.", ready.message)))
    }

    /// What is said when the time is up.
    fn unfinished(&self, timeout: Duration) -> String {
        format!(
            "{} stands, and hadn't taken effect after {} s; see {} status {}",
            self.made.name_any(),
            timeout.as_secs(),
            called(),
            self.picture.reading.grant.name_any()
        )
    }
}

/// How who decides is spoken to.
pub(super) struct Telling {
    coloured: bool,
}

impl Telling {
    pub(super) fn show(&self, page: &Page) -> Result<(), Failure> {
        std::io::stdout().lock().write_all(page.text(self.coloured).as_bytes())?;
        Ok(())
    }

    fn line(&self, style: Style, text: &str) -> Result<(), Failure> {
        self.show(Page::default().styled(style, text))
    }

    /// What was asked for is so already.
    fn needless(&self, message: &str) -> Result<(), Failure> {
        self.line(Style::Plain, &format!("Not needed: {message}."))
    }

    /// Waits, and says what for where that takes long.
    pub(super) async fn waiting<T>(
        &self,
        what: &str,
        work: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, Failure> {
        let mut work = std::pin::pin!(work);
        let mut pause = QUIET;
        let mut waited = Duration::ZERO;
        loop {
            match tokio::time::timeout(pause, &mut work).await {
                Ok(done) => return Ok(done?),
                Err(_) => waited += pause,
            }
            pause = TELL_EVERY;
            let _ = writeln!(std::io::stderr(), "waiting for {what} ({} s)", waited.as_secs());
        }
    }
}
