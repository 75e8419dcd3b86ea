//! The conductor: whether a rehearsal is due, whether it may begin; then every case, and the report.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReviewSpec};
use kube::ResourceExt as _;
use kube::runtime::controller::Action;

use super::case::{Access, Attempt, Case, Expected, Method, Observed, Request, Who};
use super::due::{Due, due};
use super::judge::NO_ACCESS;
use super::observe::{Home, Observer};
use super::statement::{Rehearsed, Tried, report};
use crate::api::record::GrantIdentity;
use crate::api::{PartnerGrant, RehearsalReport, name};
use crate::cluster::apply::WriteError;
use crate::cluster::catalogue::Catalogue;
use crate::cluster::clock::Clock;
use crate::cluster::event::Events;
use crate::cluster::trial::{Answer, Trial};
use crate::plan::objects::{Key, Kind};
use crate::plan::retry;
use crate::policy::standing::Outlook;

/// How many cases are tried at once.
const AT_ONCE: usize = 8;

/// How often a right that has to be there is waited for, and how long each time.
const PATIENCE: u32 = 4;
const AGAIN: Duration = Duration::from_millis(500);

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
}

/// One pass over a grant. A rehearsal that is cut short is begun anew: nothing that it tries has an effect.
pub async fn reconcile(grant: Arc<PartnerGrant>, context: Arc<Context>) -> Result<Action, WriteError> {
    let wait = Action::requeue(retry::LONGEST.unsigned_abs());
    let Ok(journal) = context.catalogue.journal(&grant) else { return Ok(wait) };
    let now = journal.time(context.clock.now());
    let outlook = Outlook::of(&context.catalogue.gather(&grant).operands(&grant), now);
    let Some(due) = due(&grant, &journal, &outlook, now) else { return Ok(wait) };
    let (namespace, uid) = (grant.namespace().unwrap_or_default(), grant.uid().unwrap_or_default());
    let name = name::report(&uid, due.cause);
    if context.catalogue.reports.report(&namespace, &name).is_some() || !may_begin(&due, &context.catalogue) {
        return Ok(wait);
    }
    let spec = {
        let observer =
            Observer { catalogue: &context.catalogue, trial: &context.trial, home: &context.home, now };
        let cases = observer.cases(&grant, &due).await?;
        let tried = rehearse(cases, &due.opening.namespace, &context).await?;
        report(&about(&grant, &due, now, &context), &tried)
    };
    let counts = spec.counts;
    let report = RehearsalReport::new(&name, spec);
    context.trial.store(&namespace, &report).await?;
    let message = format!(
        "{} cases passed, {} failed, {} can't be executed here: see RehearsalReport {name}",
        counts.passed, counts.failed, counts.not_executable
    );
    context.events.tell(&grant, counts.failed > 0, "Rehearsed", &message);
    Ok(wait)
}

/// Whether `comity rehearse` is let in, and the stage has all that it is made of: its people are bound last.
fn may_begin(due: &Due<'_>, catalogue: &Catalogue) -> bool {
    let place = &due.opening.namespace;
    let door =
        Key { kind: Kind::RoleBinding, namespace: place.clone(), name: name::REHEARSER_BINDING.to_owned() };
    let labels = catalogue.namespace_labels(place);
    catalogue.objects.is_known(&door)
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

/// Tries every case, a few at once, and tells of them in their order. Trouble with the API server is no
/// outcome of a case: the whole is tried again.
async fn rehearse(cases: Vec<Case>, place: &str, context: &Context) -> Result<Vec<Tried>, WriteError> {
    let one = async |case: Case| {
        // Rights that were just given reach each API server a moment later.
        let mut left = PATIENCE;
        loop {
            let tried = once(&case, place, context).await?;
            if left == 0 || !is_late(&tried) {
                return Ok(tried);
            }
            left -= 1;
            tokio::time::sleep(AGAIN).await;
        }
    };
    stream::iter(cases).map(one).buffered(AT_ONCE).try_collect().await
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
    let took = context.clock.now().duration_since(began).as_millis();
    Ok((case.clone(), observed, i32::try_from(took).unwrap_or(i32::MAX)))
}

async fn try_it(attempt: &Attempt, place: &str, trial: &Trial) -> Result<Observed, WriteError> {
    match attempt {
        Attempt::Access(access) => ask(access, place, trial).await,
        Attempt::Request(request) => send(request, place, trial).await,
        Attempt::Seen(observed) => Ok(observed.clone()),
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
        user: Some(user(&access.who, place)),
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
    let allowed = trial.may(spec).await?;
    Ok(if allowed { Observed::Allowed } else { Observed::Refused(NO_ACCESS.to_owned()) })
}

async fn send(request: &Request, place: &str, trial: &Trial) -> Result<Observed, WriteError> {
    let how = match request.method {
        Method::Create => ("POST", "application/json"),
        Method::Patch => ("PATCH", "application/merge-patch+json"),
    };
    let user = request.by.map(|role| user(&Who::Role(role), place));
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

/// The name by which the API server knows a ServiceAccount of the stage.
fn user(who: &Who, place: &str) -> String {
    let account = match who {
        Who::Role(role) => name::role_service_account(role.kebab()),
        Who::Workload(account) => account.clone(),
    };
    format!("system:serviceaccount:{place}:{account}")
}
