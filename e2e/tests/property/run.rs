//! One run of the property: steps are taken, everything comes to rest, and it is judged all along.

use std::collections::BTreeMap;
use std::time::Duration;

use comity::api::PartnerGrant;
use e2e::clock::Clock;
use e2e::{Cluster, Comity, Error, Result, eventually};
use jiff::{SignedDuration, Timestamp};
use kube::api::{Api, DeleteParams, ListParams};

use super::checker::{GRACE, Report, judge};
use super::history::{Kind, Seen, What, list, text};
use super::step::Steps;
use super::story::Story;

/// How far behind a watch may be. What was seen later than that ago isn't judged yet, as another watch
/// may still tell of something that came before it.
const BEHIND: SignedDuration = SignedDuration::from_millis(1500);

/// After so many steps it is looked at what was seen so far.
const LOOK_EVERY: usize = 10;

/// How long it may take, once all is done, until all that is over is cleared.
const REST_WITHIN: Duration = Duration::from_secs(90);

/// Takes the steps of a seed, and returns how much there was to look at.
pub async fn run(
    cluster: &Cluster,
    (comity, clock): (&Comity, &Clock),
    number: usize,
    seed: u64,
    steps: usize,
) -> Result<BTreeMap<String, usize>> {
    let mut story = Story::begin(cluster, (comity, Some(clock)), number).await?;
    let outcome = take(&mut story, seed, steps).await;
    let all: Api<PartnerGrant> = story.api();
    let report = outcome.map_err(|error| Error::Failed(format!("seed {seed}: {error}\n{}", told(&story))))?;
    all.delete_collection(&DeleteParams::default(), &ListParams::default()).await?;
    let slowest = report.slowest.as_millis();
    println!("{}\nseed {seed}: {:?}, closed within {slowest} ms", story.log.join("\n"), report.tally);
    Ok(report.tally)
}

async fn take(story: &mut Story<'_>, seed: u64, steps: usize) -> Result<Report> {
    for (number, step) in Steps::of(seed).take(steps).iter().enumerate() {
        story.take(step).await?;
        if number % LOOK_EVERY == LOOK_EVERY - 1 {
            look(story).await?;
        }
    }
    story.mend().await?;
    at_rest(story, "what is over to be closed", |report| report.complaints.clone()).await?;
    // Nobody decides anything any more: every end passes, and leaves nothing.
    let ahead = |end: &Timestamp| *end > Timestamp::now() - BEHIND - BEHIND;
    let mended = Timestamp::now();
    let ends = |report: &Report| {
        let ends = report.latest_end.into_iter().filter(ahead).map(|end| format!("something ends at {end}"));
        // What was agreed to last opens yet, and has an end of its own then.
        ends.chain(is_restless(story, mended)).collect()
    };
    at_rest(story, "every end to pass", ends).await?;
    let report = at_rest(story, "nothing to be left", |report| report.complaints.clone()).await?;
    nobody_is_let_in(story, &report).await?;
    Ok(report)
}

/// Looks at everything so far. What looks broken is looked at once more, with all that the watches tell.
async fn look(story: &Story<'_>) -> Result<()> {
    if judge(&story.witness.history(), Timestamp::now() - BEHIND).violations.is_empty() {
        return Ok(());
    }
    let now = Timestamp::now();
    eventually("the watches to come along", REST_WITHIN, async || {
        if Timestamp::now() > now + BEHIND { Ok(()) } else { Err("not yet") }
    })
    .await?;
    sound(judge(&story.witness.history(), now)).map(drop)
}

/// The report, unless something is broken.
fn sound(report: Report) -> Result<Report> {
    if report.violations.is_empty() {
        return Ok(report);
    }
    let all: Vec<String> = report.violations.iter().map(ToString::to_string).collect();
    Err(Error::Failed(format!("{} promises are broken:\n{}", all.len(), all.join("\n"))))
}

/// Awaits that nothing is left of what `left` names, and nothing is broken meanwhile. What is broken is told
/// at once, and not only once the time is over.
async fn at_rest(story: &Story<'_>, what: &str, left: impl Fn(&Report) -> Vec<String>) -> Result<Report> {
    let found = eventually(what, REST_WITHIN, async || {
        let report = judge(&story.witness.history(), Timestamp::now() - BEHIND);
        if !report.violations.is_empty() {
            return look(story)
                .await
                .map_or_else(|broken| Ok(Err(broken)), |()| Err("a watch is behind".to_owned()));
        }
        let left = left(&report);
        if left.is_empty() { Ok(Ok(report)) } else { Err(format!("{left:?}")) }
    })
    .await;
    look(story).await?;
    found?
}

/// What was written down last, or done at `mended`, where that is so lately that more may come of it.
fn is_restless(story: &Story<'_>, mended: Timestamp) -> Option<String> {
    let is_record = |seen: &&Seen| matches!(seen.what, What::Stands(Kind::GrantRecord, _));
    let newest = story.witness.history().iter().filter(is_record).map(|seen| seen.at).max();
    let last = newest.unwrap_or(mended).max(mended);
    (Timestamp::now() < last + GRACE).then(|| format!("the last line was written at {last}"))
}

/// By the API server's own word, at the end: no role of any stage may do anything.
async fn nobody_is_let_in(story: &Story<'_>, report: &Report) -> Result<()> {
    for place in &report.places {
        for role in ["model-engineer", "auditor"] {
            let who = format!("system:serviceaccount:{place}:role-{role}");
            if story.cluster.can(&who, "list", "pods", Some(place)).await? {
                return Err(Error::Failed(format!("after every end {who} may still list pods")));
            }
        }
    }
    Ok(())
}

/// What happened and what was seen, in the order of time.
fn told(story: &Story<'_>) -> String {
    let history = story.witness.history();
    let begun = history.first().map_or(Timestamp::UNIX_EPOCH, |seen| seen.at);
    let mut lines: Vec<String> = story.log.clone();
    lines.extend(history.iter().filter_map(|seen| {
        let after = seen.at.duration_since(begun).as_secs_f64();
        Some(format!("{after:7.2}s      {}", shown(seen)?))
    }));
    lines.sort();
    format!("what happened since {begun}:\n{}", lines.join("\n"))
}

/// Something that was seen, in short, where it tells anything.
fn shown(seen: &Seen) -> Option<String> {
    let (what, kind, object) = match &seen.what {
        What::Stands(kind, object) => ("+", kind, object),
        What::Gone(kind, object) => ("-", kind, object),
        What::Did(deed) => return Some(format!("{deed:?}")),
        What::Tick => return None,
    };
    let metadata = &object["metadata"];
    let called = format!("{}/{}", text(&metadata["namespace"]), text(&metadata["name"]));
    let spec = &object["spec"];
    let more = match kind {
        Kind::GrantRecord => {
            let word = |field: &str| text(&spec[field]).to_owned();
            format!(
                "{} {} {} {} {} {}",
                word("event"),
                word("stage"),
                word("reason"),
                word("expiresAt"),
                word("digest"),
                word("message")
            )
        }
        Kind::GrantDecision => format!("{spec} {}", object["status"]["conditions"][0]["message"]),
        Kind::Namespace => metadata["labels"].to_string(),
        Kind::PartnerGrant => {
            let conditions = list(&object["status"]["conditions"]).iter();
            let words: Vec<String> = conditions
                .map(|one| {
                    format!("{}={} {}", text(&one["type"]), text(&one["status"]), text(&one["reason"]))
                })
                .collect();
            format!("generation {} {} {}", metadata["generation"], text(&spec["stage"]), words.join(", "))
        }
        _ => String::new(),
    };
    Some(format!("{what} {kind:?} {called} {more}"))
}
