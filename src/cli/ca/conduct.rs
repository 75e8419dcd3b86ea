//! The conductor of an order: look, show, ask, write, wait, tell.

use std::io::{BufReader, Write as _};
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;

use super::tell;
use super::view::View;
use crate::api::SharingContract;
use crate::api::name;
use crate::api::stage::Stage;
use crate::cli::decide::Common;
use crate::cli::decide::ask::ask;
use crate::cli::page::{Page, Style};
use crate::cli::person::{Person, REFUSED, Stop, TIMED_OUT, watch};
use crate::cli::{Failure, called};
use crate::cluster::caller::{CallError, Caller};
use crate::generate::admission::cel::{AUTHORITIES_RESOURCE, CONSENT_GROUP, ROTATE_VERB};
use crate::generate::rbac::people::CUSTODIAN;
use crate::signer::ca::ledger::Outcome;
use crate::signer::ca::{Action, Answer, Chest, Ledger, Order};

/// What is asked for.
pub(super) struct Asked {
    /// The namespace that Comity is in.
    pub(super) system: String,
    /// The contract.
    pub(super) contract: String,
    /// The stage.
    pub(super) stage: Stage,
    /// What is to be done.
    pub(super) action: Action,
}

/// Gives an order, and tells what came of it.
pub(super) async fn conduct(common: Common, asked: Asked) -> Result<(), Failure> {
    let (person, said, timeout) = common.parts();
    said.is_enough()?;
    let caller = person.connect().await?;
    let (chest, ledger) = found(&caller, &asked).await?;
    let home = caller.within(&asked.system);
    may_order(&home, &asked).await?;
    let page = preview(&chest, &ledger, &asked, caller.now());
    show(&person, &page)?;
    let title = format!("{} {} of {}", asked.action.word(), asked.stage, asked.contract);
    let (from, to) = (std::io::stdin(), std::io::stderr());
    let reason = ask(said, &title, &mut BufReader::new(from), &mut { to })?;
    let by = caller.identity().await?.name;
    let order = Order { uid: String::new(), by, reason: reason.0, action: asked.action };
    let made = write(&home, &order.written(&asked.system, &chest)).await?;
    let Some(timeout) = timeout else {
        let told = format!(
            "Written; what comes of it: {} ca status {} {}",
            called(),
            asked.contract,
            asked.stage.lower()
        );
        return line(&person, Style::Plain, &told);
    };
    let following = follow(&person, &home, &chest, &made);
    match tokio::time::timeout(timeout, following).await {
        Ok(ended) => ended,
        Err(_) => Err(Stop::new(TIMED_OUT, unfinished(timeout, &made.name_any())).into()),
    }
}

/// All ledgers, by where they are kept.
pub(super) async fn ledgers(caller: &Caller, system: &str) -> Result<Vec<(Chest, Ledger)>, Failure> {
    let label = format!("{}={}", name::LABEL_AUTHORITY, name::LEDGER);
    let found: Vec<ConfigMap> = match caller.within(system).labelled(&label).await {
        Ok(found) => found,
        Err(CallError::Forbidden { message, .. }) => {
            return Err(Stop::new(REFUSED, format!("{message}; {}", hint(system))).into());
        }
        Err(error) => return Err(error.into()),
    };
    let read = |found: &ConfigMap| Some((Chest::of_ledger(&found.name_any())?, Ledger::found(found)?));
    let mut all: Vec<(Chest, Ledger)> = found.iter().filter_map(read).collect();
    all.sort_by_key(|(_, ledger)| {
        let owner = &ledger.owner;
        (owner.namespace.clone(), owner.contract.clone(), owner.stage)
    });
    Ok(all)
}

async fn found(caller: &Caller, asked: &Asked) -> Result<(Chest, Ledger), Failure> {
    let all = ledgers(caller, &asked.system).await?;
    let here = |ledger: &Ledger| ledger.owner.namespace == caller.namespace;
    let meant = |ledger: &Ledger| {
        here(ledger) && ledger.owner.contract == asked.contract && ledger.owner.stage == asked.stage
    };
    let mut named: Vec<(Chest, Ledger)> = all.iter().filter(|(_, ledger)| meant(ledger)).cloned().collect();
    // One for each contract that ever had this name: what the others signed is of another contract.
    let is_plain = named.len() < 2;
    if let Some(stands) = of_today(caller, asked, is_plain).await? {
        named.retain(|(chest, _)| *chest == stands);
    }
    if let Some(found) = named.pop() {
        return Ok(found);
    }
    let known: Vec<String> = all
        .iter()
        .filter(|(_, ledger)| here(ledger))
        .map(|(_, ledger)| format!("{} {}", ledger.owner.contract, ledger.owner.stage.lower()))
        .collect();
    let remedy = if known.is_empty() {
        format!("there are none of contracts in namespace {}: name another one with -n", caller.namespace)
    } else {
        format!("there are those of {}", known.join(", "))
    };
    let Asked { contract, stage, .. } = asked;
    Err(Stop::new(
        1,
        format!(
            "there is no CA of {contract} for {stage}: the first one is made when a stage opens; {remedy}"
        ),
    )
    .into())
}

/// Where the authorities of the contract that stands today are kept; `None`: there is one ledger at most, so it
/// `is_plain` which is meant, and the contract is gone or can't be read.
async fn of_today(caller: &Caller, asked: &Asked, is_plain: bool) -> Result<Option<Chest>, Failure> {
    let Asked { contract, stage, .. } = asked;
    let found: Result<SharingContract, CallError> = caller.get(contract).await;
    match found {
        Ok(found) => Ok(Some(Chest::of(&found.uid().unwrap_or_default(), *stage))),
        Err(CallError::Absent { .. } | CallError::Forbidden { .. }) if is_plain => Ok(None),
        Err(error) => {
            let message = format!(
                "there were several contracts {contract} one after the other, and each has a CA of its own for \
                 {stage}; which one stands can't be told: {error}; ask somebody who may read SharingContracts in \
                 namespace {}",
                caller.namespace
            );
            Err(Stop::new(REFUSED, message).into())
        }
    }
}

/// Who may not is told before they are asked anything.
async fn may_order(home: &Caller, asked: &Asked) -> Result<(), Failure> {
    if home.may(ROTATE_VERB, CONSENT_GROUP, AUTHORITIES_RESOURCE, "").await? {
        return Ok(());
    }
    let message = format!(
        "you may not {} a CA: it takes the verb {ROTATE_VERB} on {AUTHORITIES_RESOURCE} of {CONSENT_GROUP} in \
         namespace {}; {}",
        asked.action.word(),
        asked.system,
        hint(&asked.system)
    );
    Err(Stop::new(REFUSED, message).into())
}

fn hint(system: &str) -> String {
    format!("the ClusterRole {CUSTODIAN} gives it, bound by a RoleBinding in namespace {system}")
}

/// What stands, and what the order does.
pub(super) fn preview(chest: &Chest, ledger: &Ledger, asked: &Asked, now: jiff::Timestamp) -> Page {
    let watch = watch(now);
    let mut page = tell::page(&[View::of(chest, ledger, None, now)], None, &watch);
    let does = match asked.action {
        Action::Prepare => "another CA is made and published, and signs nothing yet",
        Action::Activate { now: false } => "the next CA signs, if everybody knows it by now",
        Action::Activate { now: true } => {
            "the next CA signs, if it has been published for some minutes: who reads the anchors only when its own \
             certificate is renewed refuses until then what it signs"
        }
        Action::Taint { .. } => {
            "it signs nothing any more and its key is destroyed; the next one signs as soon as it has been published \
             for some minutes, and nothing is signed until then; what it signed is made anew, and is believed until \
             it ends"
        }
        Action::Retire { now: false, .. } => "it isn't believed any more, if nothing lives that it signed",
        Action::Retire { now: true, .. } => {
            "it isn't believed any more: whoever holds a certificate that it signed is refused until it has another \
             one, pods until their node asks again"
        }
    };
    page.gap().styled(Style::Strong, format!("{}: ", asked.action.word())).then(Style::Plain, does);
    page
}

async fn write(home: &Caller, order: &ConfigMap) -> Result<ConfigMap, Failure> {
    let refused = match home.order(order).await {
        Ok(made) => return Ok(made),
        Err(CallError::Refused { message, .. } | CallError::Forbidden { message, .. }) => message,
        Err(error) => return Err(error.into()),
    };
    let why = refused.split_once("denied request: ").map_or(refused.as_str(), |(_, why)| why);
    let remedy = if why.contains("already exists") {
        let name = order.name_any();
        format!("; another order waits still: kubectl get configmap {name} -n {} -o yaml", home.namespace)
    } else {
        String::new()
    };
    Err(Stop::new(REFUSED, format!("{why}{remedy}; nothing was written")).into())
}

/// Follows an order until it is answered.
async fn follow(person: &Person, home: &Caller, chest: &Chest, made: &ConfigMap) -> Result<(), Failure> {
    let uid = made.uid().unwrap_or_default();
    let look = |found: Option<&ConfigMap>| {
        let ledger = found.and_then(Ledger::found)?;
        let answered = ledger.answer.as_ref().is_some_and(|answer| answer.uid == uid);
        // Where another one is made, it is there in a moment.
        (answered && !ledger.hurry).then_some(ledger)
    };
    let ledger = home.until(&chest.ledger(), look).await?;
    let Some(Answer { outcome, message, .. }) = ledger.answer.clone() else { return Ok(()) };
    match outcome {
        Outcome::Refused => Err(Stop::new(REFUSED, format!("{message}; nothing was changed")).into()),
        Outcome::Unchanged => line(person, Style::Plain, &format!("Not needed: {message}.")),
        Outcome::Done => {
            line(person, Style::Good, &format!("Done: {message}."))?;
            let now = home.now();
            let page = tell::page(&[View::of(chest, &ledger, None, now)], None, &watch(now));
            show(person, &page)
        }
    }
}

fn unfinished(timeout: Duration, name: &str) -> String {
    format!(
        "the order stands, and comity sign hadn't taken it up after {} s; see {} ca status. To take it back: kubectl \
         delete configmap {name}",
        timeout.as_secs(),
        called()
    )
}

fn line(person: &Person, style: Style, text: &str) -> Result<(), Failure> {
    show(person, Page::default().styled(style, text))
}

fn show(person: &Person, page: &Page) -> Result<(), Failure> {
    std::io::stdout().lock().write_all(page.text(person.is_coloured()).as_bytes())?;
    Ok(())
}
