//! The checker looks at what it is for: a `comity run` that overlooks one thing, on a real API server, is found
//! out by what stands.

use std::time::Duration;

use comity::api::Stage;
use comity::api::decision::DecisionAction;
use e2e::controlplane::Settings;
use e2e::liar::{Liar, Lie};
use e2e::{Cluster, Comity, Error, Result, eventually};
use jiff::Timestamp;
use serde_json::Value;

use super::cast::Person;
use super::checker::{Report, judge};
use super::ground::{Contract, Ground};
use super::history::{Kind, Seen, What, text};
use super::step::{About, Act, Step, Wish};
use super::story::Story;

/// How long it may take until something stands, and until it has stood for too long.
const SOON: Duration = Duration::from_secs(60);

/// What is overlooked, what brings that out, and words of what is found.
type Overlooked = (&'static str, Lie, fn() -> Step, &'static str);

const OVERLOOKED: [Overlooked; 4] = [
    ("suspension", (r#""suspend":true"#, r#""suspend":false"#), suspend, "it is suspended"),
    (
        "quarantine",
        (r#""action":"Quarantine""#, r#""action":"Countersign""#),
        || Step::Decide(0, Person::Olga, act(DecisionAction::Quarantine)),
        "olga@retail.example has quarantined it",
    ),
    (
        "the end that somebody decided",
        (r#""action":"Expire""#, r#""action":"Countersign""#),
        || Step::Decide(0, Person::Olga, act(DecisionAction::Expire)),
        "decided that it is over",
    ),
    (
        "narrowing",
        (r#""dns":"None""#, r#""dns":"Cluster""#),
        || Step::Write(Person::Ben, Ground::Contract(Contract::WithoutDns)),
        r#"it gives what isn't allowed any more: ["DNS"]"#,
    ),
];

fn wish() -> Wish {
    Wish { ceiling: Stage::Sandbox, suspend: false, seconds: [600; 3], auditor: false }
}

fn suspend() -> Step {
    Step::Apply(0, Wish { suspend: true, ..wish() })
}

fn act(action: DecisionAction) -> Act {
    Act { action, stage: None, digest: About::Todays, group: "", seconds: 0 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_overlooks_something_is_found_out() -> Result<()> {
    let _turn = super::TURN.lock().await;
    let cluster = Cluster::start(Settings::default()).await?;
    let mut comity = Comity::start(&cluster).await?;
    comity.run().stop().await?;
    let client = comity.run().identity(&cluster)?.client();
    for (number, (what, lie, brings_out, words)) in OVERLOOKED.into_iter().enumerate() {
        let liar = Liar::begin(client.clone(), lie).await?;
        comity.run_asks(liar.address)?;
        comity.run().start().await?;
        let mut story = Story::begin(&cluster, (&comity, None), 100 + number).await?;
        story.take(&Step::Apply(0, wish())).await?;
        found(&story, "the sandbox to be open, and nothing to be wrong", |report, usable| {
            usable && report.violations.is_empty()
        })
        .await?;
        story.take(&brings_out()).await?;
        found(&story, &format!("it to be found out that {what} is overlooked"), |report, _| {
            report.violations.iter().any(|found| found.what.contains(words))
        })
        .await?;
        comity.run().stop().await?;
    }
    Ok(())
}

/// Whether it was seen that people are let in.
fn lets_in(seen: &Seen) -> bool {
    let is_role = |name: &Value| text(name).starts_with("comity-role-");
    matches!(&seen.what, What::Stands(Kind::RoleBinding, object) if is_role(&object["metadata"]["name"]))
}

/// Awaits that the checker finds this, and is told whether anything can be used.
async fn found(story: &Story<'_>, what: &str, is_it: impl Fn(&Report, bool) -> bool) -> Result<()> {
    eventually(what, SOON, async || {
        let history = story.witness.history();
        let report = judge(&history, Timestamp::now());
        if is_it(&report, history.iter().any(lets_in)) {
            Ok(())
        } else {
            Err(format!("{:?}", report.violations))
        }
    })
    .await
    .map_err(|error| Error::Failed(format!("{error}\n{}", story.log.join("\n"))))
}
