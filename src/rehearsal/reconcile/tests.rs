//! When there is a report, and of what, by the requests that are made.

mod dials;

use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value, json};

use super::*;
use crate::api::report::CaseOutcome;
use crate::api::stage::Stage;
use crate::cluster::outside::Outside;
use crate::grant::build::Installation;
use crate::grant::tests::play::Play;
use crate::rehearsal::judge::outcome;
use crate::testing::known;

const REPORTS: &str = "/apis/comity.dev/v1alpha1/namespaces/risk-data/rehearsalreports";
const REVIEWS: &str = "POST /apis/authorization.k8s.io/v1/subjectaccessreviews";

/// The story's grant, whose rehearsal is open and due, with `comity rehearse` beside it.
struct Rehearsal {
    play: Play,
    context: Arc<Context>,
}

impl Rehearsal {
    async fn due() -> Self {
        Self::due_in(Play::new()).await
    }

    async fn due_in(mut play: Play) -> Self {
        play.grant.spec.stage = Stage::Rehearsal;
        let uid = play.grant.uid().unwrap();
        for _ in 0..6 {
            play.pass().await;
            play.grant.metadata.finalizers = Some(vec![name::FINALIZER.to_owned()]);
            play.known.others_act(&uid, "scorer");
            play.forward(120);
        }
        play.api.requests();
        let client = play.api.client();
        let clock = Clock::passing();
        clock.saw(play.context.clock.now());
        let context = Context {
            catalogue: Arc::clone(&play.context.catalogue),
            trial: Trial::new(client.clone(), Outside::new(&[])),
            clock,
            events: Events::start(client, name::REHEARSE, Box::new(|_| ())),
            home: Home { installation: installation(), trust_domain: "comity.local".to_owned() },
            turns: Semaphore::new(1),
            last_turns: Semaphore::new(1),
            goes_on: Box::new(|| ()),
        };
        Self { play, context: Arc::new(context) }
    }

    async fn pass(&self) -> Result<Action, WriteError> {
        reconcile(Arc::new(self.play.grant.clone()), Arc::clone(&self.context)).await
    }

    /// Every report that is stored.
    fn reports(&self) -> Vec<Value> {
        let all = self.play.api.objects().into_iter();
        all.filter(|(path, _)| path.starts_with(REPORTS)).map(|(_, report)| report).collect()
    }

    /// What was asked since the last time, Events aside.
    fn asked(&self) -> usize {
        let requests = self.play.api.requests();
        requests.iter().filter(|request| !request.contains("/events")).count()
    }

    /// What Events of this reason say, once no more are under way.
    async fn told(&self, reason: &str) -> Vec<String> {
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        let all = self.play.api.objects().into_values();
        let told = all.filter(|object| object["reason"] == reason);
        told.filter_map(|event| Some(event["note"].as_str()?.to_owned())).collect()
    }

    fn door(&self) -> String {
        let place = self.play.place().unwrap();
        format!(
            "/apis/rbac.authorization.k8s.io/v1/namespaces/{place}/rolebindings/{}",
            name::REHEARSER_BINDING
        )
    }
}

fn installation() -> Installation {
    let dns_namespace = "kube-system".to_owned();
    Installation { system_namespace: "comity-system".to_owned(), dns_namespace, ..Installation::default() }
}

#[tokio::test(start_paused = true)]
async fn what_is_due_is_tried_once_and_reported() {
    let rehearsal = Rehearsal::due().await;
    let stored = || {
        let all = rehearsal.play.api.objects().into_keys();
        all.filter(|path| !path.contains("/events/")).collect::<Vec<_>>()
    };
    let before = stored().len();
    rehearsal.pass().await.unwrap();
    let asked = rehearsal.asked();
    let reports = rehearsal.reports();
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert!(asked > 50, "{asked} requests aren't all cases");
    let counts = &reports[0]["spec"]["counts"];
    // Here everything is allowed: what has to be refused wasn't.
    assert!(counts["passed"].as_u64() > Some(5) && counts["failed"].as_u64() > Some(20), "{counts}");
    assert_eq!(stored().len(), before + 1, "nothing that was tried stays: {:?}", stored());

    assert_eq!(rehearsal.told("Rehearsed").await.len(), 1);
    assert_eq!(
        rehearsal.told("Rehearsing").await,
        ["what is agreed is being tried"],
        "and no more, as it was soon done"
    );

    let mut told: RehearsalReport = serde_json::from_value(reports[0].clone()).unwrap();
    told.metadata.namespace = rehearsal.play.grant.namespace();
    rehearsal.context.catalogue.reports.put(&told);
    rehearsal.pass().await.unwrap();
    assert_eq!((rehearsal.asked(), rehearsal.reports().len()), (0, 1));
}

#[tokio::test]
async fn nothing_is_tried_before_it_is_let_in() {
    for object in ["binding", "gate"] {
        let rehearsal = Rehearsal::due().await;
        let (objects, api) = (&rehearsal.context.catalogue.objects, &rehearsal.play.api);
        if object == "binding" {
            objects.remove(Kind::RoleBinding, &api.get(&rehearsal.door()).unwrap());
        } else {
            let path = format!("/api/v1/namespaces/{}", rehearsal.play.place().unwrap());
            api.change(&path, |namespace| {
                namespace["metadata"]["labels"][name::LABEL_PODS] = json!("Closed");
            });
            objects.put(Kind::Namespace, api.get(&path).unwrap());
        }
        rehearsal.pass().await.unwrap();
        assert_eq!((rehearsal.asked(), rehearsal.reports().len()), (0, 0), "{object}");
    }
}

#[tokio::test]
async fn what_was_shut_or_changed_meanwhile_is_not_reported() {
    type Change = fn(&mut Rehearsal);
    let shut: Change = |rehearsal| {
        let door = rehearsal.play.api.get(&rehearsal.door()).unwrap();
        rehearsal.context.catalogue.objects.remove(Kind::RoleBinding, &door);
    };
    let suspended: Change = |rehearsal| {
        rehearsal.play.grant.spec.suspend = true;
        rehearsal.play.known.tell(&rehearsal.play.grant);
    };
    let another: Change = |rehearsal| {
        rehearsal.play.grant.metadata.uid = Some("another-of-that-name".to_owned());
        rehearsal.play.known.tell(&rehearsal.play.grant);
    };
    for (number, change) in [shut, suspended, another].into_iter().enumerate() {
        let mut rehearsal = Rehearsal::due().await;
        let grant = Arc::new(rehearsal.play.grant.clone());
        let pass = tokio::spawn(reconcile(grant, Arc::clone(&rehearsal.context)));
        while rehearsal.asked() == 0 {
            tokio::task::yield_now().await;
        }
        change(&mut rehearsal);
        pass.await.unwrap().unwrap();
        let asked = rehearsal.play.api.requests();
        assert!(!asked.is_empty(), "change {number} didn't come while it tried");
        assert_eq!(rehearsal.reports().len(), 0, "change {number}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_is_in_trouble_for_a_moment_is_asked_again() {
    let rehearsal = Rehearsal::due().await;
    rehearsal.play.api.fail(REVIEWS, 503, 5);
    rehearsal.pass().await.unwrap();
    let reports = rehearsal.reports();
    assert_eq!(reports.len(), 1);
    assert!(!reports[0].to_string().contains("asked for by the test"), "{reports:?}");
    let untroubled = Rehearsal::due().await;
    untroubled.pass().await.unwrap();
    let names = |report: &Value| {
        let cases = report["spec"]["statement"]["predicate"]["cases"].as_array().cloned().unwrap();
        cases.iter().map(|case| case["name"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&reports[0]), names(&untroubled.reports()[0]), "in their order, however long each took");
}

#[tokio::test(start_paused = true)]
async fn what_the_api_server_never_answers_failed_and_says_why() {
    let rehearsal = Rehearsal::due().await;
    rehearsal.play.api.fail(REVIEWS, 500, usize::MAX);
    rehearsal.pass().await.unwrap();
    let reports = rehearsal.reports();
    assert_eq!(reports.len(), 1);
    assert!(reports[0].to_string().contains("asked for by the test"), "{reports:?}");
    assert_eq!(reports[0]["spec"]["statement"]["predicate"]["result"], "FAILED");
    // It takes a minute: who waits hears how far it is, and not too often.
    let told = rehearsal.told("Rehearsing").await;
    assert!((4..20).contains(&told.len()), "{told:?}");
    let (begun, further): (Vec<&String>, Vec<&String>) = told.iter().partition(|note| *note == BEGUN);
    assert_eq!(begun.len(), 1, "{told:?}");
    assert!(further.iter().all(|note| note.contains(" cases are through, ")), "{told:?}");
    assert!(told.iter().any(|note| note.contains("failed: access-")), "{told:?}");
}

#[tokio::test]
async fn without_a_place_for_it_there_is_no_report_and_it_is_told() {
    let rehearsal = Rehearsal::due().await;
    rehearsal.play.api.fail("POST /apis/comity.dev", 500, 1);
    let error = rehearsal.pass().await.unwrap_err();
    assert!(error.to_string().contains("storing the report"), "{error}");
    assert_eq!(rehearsal.reports().len(), 0);
}

#[test]
fn an_answer_that_nobody_could_work_out_passes_for_nothing() {
    let case = |expected| Case {
        name: "one".to_owned(),
        clause: "purposes",
        tried: String::new(),
        attempt: Attempt::Nothing(String::new()),
        expected,
    };
    let unknown = answered(Known::Unknown("clusterrole \"gone\" not found".to_owned()));
    for expected in [Expected::Allowed, Expected::Refused(NO_ACCESS)] {
        assert_eq!(outcome(&case(expected), &unknown), CaseOutcome::Failed);
    }
    assert_eq!(outcome(&case(Expected::Refused(NO_ACCESS)), &answered(Known::No)), CaseOutcome::Passed);
}

/// Later than all that was seen before, and each time that somebody looks, seconds have passed.
fn slow() -> Timestamp {
    static LOOKS: AtomicI64 = AtomicI64::new(0);
    let passed = SignedDuration::from_secs(5 * LOOKS.fetch_add(1, Ordering::Relaxed));
    known::now() + SignedDuration::from_mins(20) + passed
}

#[tokio::test(start_paused = true)]
async fn a_right_that_comes_while_the_first_answer_is_waited_for_is_used() {
    let outcome = async |refusals| {
        let mut rehearsal = Rehearsal::due().await;
        Arc::get_mut(&mut rehearsal.context).unwrap().clock = Clock::told_by(slow);
        rehearsal.play.api.fail("/deployments", 422, refusals);
        rehearsal.pass().await.unwrap();
        let cases = rehearsal.reports()[0]["spec"]["statement"]["predicate"]["cases"].clone();
        let deployment =
            cases.as_array().unwrap().iter().find(|case| case["name"] == "object-deployment").cloned();
        deployment.unwrap()["outcome"].clone()
    };
    assert_eq!(outcome(1).await, "Passed", "it is asked once more, however slow the answer was");
    assert_eq!(outcome(usize::MAX).await, "Failed");
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_takes_long_for_its_errors_is_asked_again_for_no_longer() {
    let mut rehearsal = Rehearsal::due().await;
    Arc::get_mut(&mut rehearsal.context).unwrap().clock = Clock::told_by(slow);
    rehearsal.play.api.fail(REVIEWS, 500, usize::MAX);
    rehearsal.pass().await.unwrap();
    let asked = rehearsal.play.api.requests().into_iter().filter(|request| request.contains(REVIEWS)).count();
    let report = rehearsal.reports()[0]["spec"]["statement"]["predicate"]["cases"].clone();
    let cases = report
        .as_array()
        .unwrap()
        .iter()
        .filter(|case| case["name"].as_str().unwrap().starts_with("access-"));
    assert_eq!(asked, cases.count(), "once, as that took all the time that there is");
}

#[tokio::test]
async fn what_was_written_while_a_rehearsal_waited_for_its_turn_counts() {
    for first in [true, false] {
        let mut rehearsal = Rehearsal::due().await;
        let (gone_on, goes_on) = std::sync::mpsc::channel();
        Arc::get_mut(&mut rehearsal.context).unwrap().goes_on = Box::new(move || gone_on.send(()).unwrap());
        let context = Arc::clone(&rehearsal.context);
        let turns = if first { &context.turns } else { &context.last_turns };
        let others = turns.acquire().await.unwrap();
        let grant = Arc::new(rehearsal.play.grant.clone());
        let pass = tokio::spawn(reconcile(grant, Arc::clone(&context)));
        tokio::task::yield_now().await;
        while !first && goes_on.try_recv().is_err() {
            tokio::task::yield_now().await;
        }
        assert_eq!(rehearsal.asked() == 0, first, "only the first turn comes before anything is asked");
        rehearsal.play.grant.spec.suspend = true;
        rehearsal.play.known.tell(&rehearsal.play.grant);
        drop(others);
        pass.await.unwrap().unwrap();
        assert_eq!((rehearsal.asked(), rehearsal.reports().len()), (0, 0), "first: {first}");
    }
}
