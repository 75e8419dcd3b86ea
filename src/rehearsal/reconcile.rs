//! The conductor: whether a rehearsal is due, whether it may begin; then every case, and the report.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReviewSpec};
use kube::ResourceExt as _;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use tokio::sync::Semaphore;

use super::case::{Access, Attempt, Case, Expected, Method, Observed, Request, Who};
use super::due::{Due, due};
use super::judge::NO_ACCESS;
use super::observe::{Home, Observer};
use super::progress::{BEGUN, Progress, REHEARSING};
use super::statement::{Rehearsed, Tried, report};
use crate::api::record::GrantIdentity;
use crate::api::{PartnerGrant, RehearsalReport, name};
use crate::cluster::apply::WriteError;
use crate::cluster::catalogue::Catalogue;
use crate::cluster::clock::Clock;
use crate::cluster::event::Events;
use crate::cluster::trial::{Access as Known, Answer, Trial};
use crate::journal::Journal;
use crate::plan::objects::{Key, Kind};
use crate::plan::retry;
use crate::policy::standing::Outlook;

/// How many cases are tried at once.
const AT_ONCE: usize = 8;

/// How long a right that has to be there is waited for, and an API server that is in trouble, from when something was first
/// tried: what answers slowly isn't waited for any longer. And how long between two tries.
const FOR_RIGHTS: SignedDuration = SignedDuration::from_secs(2);
const FOR_ANSWERS: SignedDuration = SignedDuration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(500);

/// How long nobody has to be told how far a rehearsal is; each time after that it is longer by a quarter, so that the
/// longest rehearsal is told of a few dozen times.
const QUIET: Duration = Duration::from_secs(2);

/// What every pass needs.
pub struct Context {
    /// What stands.
    pub catalogue: Arc<Catalogue>,
    /// What tries, and stores reports.
    pub trial: Trial,
    /// What time it is.
    pub clock: Clock,
    /// Where events go.
    pub events: Events,
    /// How Comity is installed.
    pub home: Home,
    /// How many rehearsals ask the API server at once. One whose probe is waited for isn't among them, and holds up no other.
    pub turns: Semaphore,
    /// How many of those do whose probe has told: so that none waits for all that have begun since.
    pub last_turns: Semaphore,
    /// Called when one has had its first turn: it goes on, although none may be done for a while.
    pub goes_on: Box<dyn Fn() + Send + Sync>,
}

/// One pass over a grant. A rehearsal that is cut short is begun anew: nothing that it tries has an effect.
pub async fn reconcile(grant: Arc<PartnerGrant>, context: Arc<Context>) -> Result<Action, WriteError> {
    let wait = Action::requeue(retry::LONGEST.unsigned_abs());
    // Of most grants nothing is due: whoever isn't let in anywhere needn't look closer.
    if !is_let_in(&grant, &context.catalogue) {
        return Ok(wait);
    }
    let turn = context.turns.acquire().await.ok();
    // What people wrote while it waited counts.
    let Some(grant) = as_it_is_now(&grant, &context.catalogue) else { return Ok(wait) };
    let Some(standing) = Standing::of(&grant, &context) else { return Ok(wait) };
    let Some(due) = standing.due(&grant, &context.catalogue) else { return Ok(wait) };
    let now = standing.now;
    context.events.tell(&grant, false, REHEARSING, BEGUN);
    let observer = Observer {
        catalogue: &context.catalogue,
        trial: &context.trial,
        home: &context.home,
        now,
        clock: &context.clock,
    };
    let cases = observer.cases(&grant, &due, turn).await?;
    (context.goes_on)();
    let _turn = context.last_turns.acquire().await.ok();
    // A stage that was shut meanwhile lets nobody in, and nothing of it is reported.
    if !is_still_due(&grant, &due, &context) {
        return Ok(wait);
    }
    let tried = rehearse(cases, &due.opening.namespace, &grant, &context).await?;
    // What was shut or agreed anew meanwhile refuses for reasons that are none of what was tried.
    if is_still_due(&grant, &due, &context) {
        tell(&grant, &about(&grant, &due, now, &context), &tried, &context).await?;
    }
    Ok(wait)
}

/// Whether there is a door to any namespace of a grant.
fn is_let_in(grant: &PartnerGrant, catalogue: &Catalogue) -> bool {
    let objects = catalogue.objects.of_grant(&grant.uid().unwrap_or_default());
    objects.keys().any(|key| key.kind == Kind::RoleBinding && key.name == name::REHEARSER_BINDING)
}

/// Stores the report, and says in a line what came out.
async fn tell(
    grant: &PartnerGrant,
    about: &Rehearsed<'_>,
    tried: &[Tried],
    context: &Context,
) -> Result<(), WriteError> {
    let report = RehearsalReport::new(&name::report(&about.grant.uid.0, about.cause), report(about, tried));
    context.trial.store(&grant.namespace().unwrap_or_default(), &report).await?;
    let counts = report.spec.counts;
    let message = format!(
        "{} cases passed, {} failed, {} can't be executed here: see RehearsalReport {}",
        counts.passed,
        counts.failed,
        counts.not_executable,
        report.name_any()
    );
    context.events.tell(grant, counts.failed > 0, "Rehearsed", &message);
    Ok(())
}

/// What is due follows from this, as it stands at a moment.
struct Standing {
    journal: Journal,
    outlook: Outlook,
    now: Timestamp,
}

impl Standing {
    fn of(grant: &PartnerGrant, context: &Context) -> Option<Self> {
        let journal = context.catalogue.journal(grant).ok()?;
        let now = journal.time(context.clock.now());
        let outlook = Outlook::of(&context.catalogue.gather(grant).operands(grant), now);
        Some(Self { journal, outlook, now })
    }

    /// The rehearsal that is due and may begin.
    fn due(&self, grant: &PartnerGrant, catalogue: &Catalogue) -> Option<Due<'_>> {
        due(grant, &self.journal, &self.outlook, self.now).filter(|due| may_begin(grant, due, catalogue))
    }
}

/// This very grant, by what the watches told last.
fn as_it_is_now(grant: &PartnerGrant, catalogue: &Catalogue) -> Option<Arc<PartnerGrant>> {
    catalogue.grants.get(&ObjectRef::from_obj(grant)).filter(|found| found.uid() == grant.uid())
}

/// Whether what was begun is due by what stands now, too.
fn is_still_due(begun: &PartnerGrant, tried: &Due<'_>, context: &Context) -> bool {
    let Some(grant) = as_it_is_now(begun, &context.catalogue) else { return false };
    let Some(standing) = Standing::of(&grant, context) else { return false };
    standing
        .due(&grant, &context.catalogue)
        .is_some_and(|due| due.cause == tried.cause && due.agreement.digest == tried.agreement.digest)
}

/// Whether nobody has reported yet, `comity rehearse` is let in, and the stage has all that it is made of: its
/// people are bound last.
fn may_begin(grant: &PartnerGrant, due: &Due<'_>, catalogue: &Catalogue) -> bool {
    let report = name::report(&grant.uid().unwrap_or_default(), due.cause);
    let is_told = catalogue.reports.report(&grant.namespace().unwrap_or_default(), &report).is_some();
    let place = &due.opening.namespace;
    let door =
        Key { kind: Kind::RoleBinding, namespace: place.clone(), name: name::REHEARSER_BINDING.to_owned() };
    let labels = catalogue.namespace_labels(place);
    !is_told
        && catalogue.objects.is_known(&door)
        && labels.get(name::LABEL_PODS).is_some_and(|pods| pods == name::PODS_OPEN)
}

fn about<'a>(grant: &PartnerGrant, due: &Due<'a>, started: Timestamp, context: &Context) -> Rehearsed<'a> {
    let uid = grant.uid().unwrap_or_default();
    Rehearsed {
        grant: GrantIdentity { name: grant.name_any().as_str().into(), uid: uid.as_str().into() },
        digest: &due.agreement.digest,
        cause: due.cause,
        namespace: &due.opening.namespace,
        started,
        finished: started.max(context.clock.now()),
    }
}

/// Tries every case, a few at once, and gives them in their order; where that takes long, Events of the grant say how
/// far it is. That the API server can't be reached, or doesn't let this in any more, is no outcome of a case: the
/// whole is tried again.
async fn rehearse(
    cases: Vec<Case>,
    place: &str,
    grant: &PartnerGrant,
    context: &Context,
) -> Result<Vec<Tried>, WriteError> {
    let mut progress = Progress::of(cases.len());
    let one = async |(number, case): (usize, Case)| {
        Ok::<_, WriteError>((number, in_the_end(case, place, context).await?))
    };
    let mut through = pin!(stream::iter(cases.into_iter().enumerate()).map(one).buffer_unordered(AT_ONCE));
    let mut pause = QUIET;
    let mut silence = pin!(tokio::time::sleep(pause));
    let mut all = Vec::new();
    loop {
        tokio::select! {
            next = through.try_next() => match next? {
                Some((number, tried)) => {
                    progress.take(&tried);
                    all.push((number, tried));
                }
                None => break,
            },
            () = &mut silence => {
                context.events.tell(grant, progress.has_failed(), REHEARSING, &progress.to_string());
                pause += pause / 4;
                silence.set(tokio::time::sleep(pause));
            }
        }
    }
    all.sort_by_key(|(number, _)| *number);
    Ok(all.into_iter().map(|(_, tried)| tried).collect())
}

/// What comes of a case, once it has been waited for what passes.
async fn in_the_end(case: Case, place: &str, context: &Context) -> Result<Tried, WriteError> {
    let began = context.clock.now();
    let mut tried = once(&case, place, context).await;
    // A right may have come while the first answer, however slow, was waited for.
    let mut is_again = matches!(&tried, Ok(tried) if is_late(tried));
    while is_again || context.clock.now().duration_since(began) < patience(&tried) {
        is_again = false;
        tokio::time::sleep(AGAIN).await;
        tried = once(&case, place, context).await;
    }
    settled(case, tried)
}

/// For how long a case is tried again that came to this: rights that were just given reach each API server a
/// moment later, and some trouble passes.
fn patience(tried: &Result<Tried, WriteError>) -> SignedDuration {
    match tried {
        Ok(tried) if is_late(tried) => FOR_RIGHTS,
        Err(WriteError::Api { source: kube::Error::Api(_), .. }) => FOR_ANSWERS,
        _ => SignedDuration::ZERO,
    }
}

/// What a case came to in the end. An API server that answers nothing but errors, which may be a webhook's, has
/// refused it, and for no reason that it has to: the case failed, and says so.
fn settled(case: Case, tried: Result<Tried, WriteError>) -> Result<Tried, WriteError> {
    match tried {
        Err(WriteError::Api { source: kube::Error::Api(status), .. }) => {
            let said = format!("the API server answered {}: {}", status.code, status.message);
            Ok((case, Observed::Refused(said), 0))
        }
        tried => tried,
    }
}

/// Whether something that has to be allowed isn't, for want of a right.
fn is_late((case, observed, _): &Tried) -> bool {
    case.expected == Expected::Allowed && matches!(observed, Observed::Refused(_)) && is_asked(&case.attempt)
}

const fn is_asked(attempt: &Attempt) -> bool {
    matches!(attempt, Attempt::Access(_) | Attempt::Request(_))
}

async fn once(case: &Case, place: &str, context: &Context) -> Result<Tried, WriteError> {
    let began = context.clock.now();
    let observed = try_it(&case.attempt, place, &context.trial).await?;
    let took = match case.attempt {
        Attempt::Done(_, took) => took,
        _ => context.clock.now().duration_since(began).unsigned_abs(),
    };
    Ok((case.clone(), observed, i32::try_from(took.as_millis()).unwrap_or(i32::MAX)))
}

async fn try_it(attempt: &Attempt, place: &str, trial: &Trial) -> Result<Observed, WriteError> {
    match attempt {
        Attempt::Access(access) => ask(access, place, trial).await,
        Attempt::Request(request) => send(request, place, trial).await,
        Attempt::Seen(observed) | Attempt::Done(observed, _) => Ok(observed.clone()),
        Attempt::Nothing(why) => Ok(Observed::Untried(why.clone())),
    }
}

async fn ask(access: &Access, place: &str, trial: &Trial) -> Result<Observed, WriteError> {
    let (resource, part) = access
        .resource
        .split_once('/')
        .map_or((access.resource.as_str(), None), |(one, part)| (one, Some(part)));
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let spec = SubjectAccessReviewSpec {
        user: Some(access.who.user(place)),
        // As the API server has them of a ServiceAccount; a review without them asks about somebody else.
        groups: Some(vec![
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{place}"),
            "system:authenticated".to_owned(),
        ]),
        resource_attributes: Some(ResourceAttributes {
            namespace: some(&access.namespace),
            verb: some(&access.verb),
            group: some(&access.group),
            resource: some(resource),
            subresource: part.map(str::to_owned),
            name: some(&access.name),
            ..ResourceAttributes::default()
        }),
        ..SubjectAccessReviewSpec::default()
    };
    Ok(answered(trial.may(spec).await?))
}

/// What an answer comes to. What isn't allowed, and isn't known to be refused, is neither that has to come out.
fn answered(known: Known) -> Observed {
    match known {
        Known::Yes => Observed::Allowed,
        Known::No => Observed::Refused(NO_ACCESS.to_owned()),
        Known::Unknown(why) => Observed::Refused(format!("who may do what couldn't be worked out: {why}")),
    }
}

async fn send(request: &Request, place: &str, trial: &Trial) -> Result<Observed, WriteError> {
    let how = match request.method {
        Method::Create => ("POST", "application/json"),
        Method::Patch => ("PATCH", "application/merge-patch+json"),
    };
    let user = request.by.map(|role| Who::Role(role).user(place));
    let answer = trial.dry_run(user.as_deref(), how, &request.path, &request.body).await?;
    Ok(match answer {
        Answer::Yes(object) if object.pointer(request.tells).is_none() => {
            Observed::Untried("this API server doesn't know such volumes".to_owned())
        }
        Answer::Yes(_) => Observed::Allowed,
        // What the API server has never heard of it can't refuse either.
        Answer::No(message) if message.contains("must specify a volume type") => {
            Observed::Untried("this API server doesn't know such volumes".to_owned())
        }
        Answer::No(message) => Observed::Refused(message),
        Answer::Absent => Observed::Untried("what it would change isn't there".to_owned()),
    })
}

#[cfg(test)]
mod tests;
