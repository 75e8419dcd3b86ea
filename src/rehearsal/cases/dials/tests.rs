//! What of the story is dialled, from where, and what that shows.

use super::*;
use crate::api::contract::{Probe, Rehearsal};
use crate::api::report::CaseOutcome;
use crate::grant::build::confinement::guard;
use crate::policy::Agreement;
use crate::policy::testing::World;
use crate::rehearsal::judge::outcome;

const IMAGE: &str = "registry.retail.example/partners/comity@sha256:\
    0000000000000000000000000000000000000000000000000000000000000000";

/// An address that is ready at a port.
fn slice(address: &str, port: i32) -> Vec<EndpointSlice> {
    let slice = json!({"metadata": {"name": "one"}, "addressType": "IPv4", "ports": [{"port": port}],
        "endpoints": [{"addresses": ["10.9.9.9"], "conditions": {"ready": false}}, {"addresses": [address]}]});
    vec![serde_json::from_value(slice).expect("a slice")]
}

/// The story, in which everything that is agreed listens.
struct Story {
    world: World,
    agreed: Agreement,
}

impl Story {
    fn told() -> Self {
        let mut world = World::story();
        let probe = Probe { image: IMAGE.into() };
        world.contract.spec.rehearsal = Some(Rehearsal { probe: Some(probe), ..Rehearsal::default() });
        let agreed = world.agreed();
        Self { world, agreed }
    }

    fn policy(&self) -> &EffectivePolicy {
        &self.agreed.stages[&Stage::Rehearsal].policy
    }

    fn others(&self) -> Vec<(Stage, &EffectivePolicy)> {
        self.agreed.stages.iter().map(|(stage, terms)| (*stage, &terms.policy)).collect()
    }

    /// What stands behind each Service: a pod each.
    fn behind(&self) -> BTreeMap<Service, Vec<EndpointSlice>> {
        let all = services(self.policy(), &self.others()).into_iter().enumerate();
        all.map(|(number, service)| {
            let port = if service.0 == API_SERVER.0 { 6443 } else { 8443 };
            (service, slice(&format!("10.0.0.{}", number + 1), port))
        })
        .collect()
    }

    fn targets(&self) -> Vec<Target> {
        targets(self.policy(), &self.others(), &self.behind())
    }

    fn ground(&self) -> Ground<'_> {
        Ground {
            grant: "northpay-fraud",
            grant_namespace: "risk-data",
            namespace: "comity-northpay-fraud-rehearsal-00000000",
            policy: self.policy(),
            guard: guard(self.policy(), "uid", Stage::Rehearsal),
            rehearsal: self.world.contract.spec.rehearsal.as_ref(),
            others: Vec::new(),
            running: Err(String::new()),
            network: Vec::new(),
            seen: Vec::new(),
        }
    }
}

/// How each case comes out where a probe told this.
fn outcomes(targets: Vec<Target>, told: &Told) -> Vec<(String, CaseOutcome)> {
    let judge = |case: Case| {
        let observed = match &case.attempt {
            Attempt::Seen(observed) => observed.clone(),
            Attempt::Nothing(why) => Observed::Untried(why.clone()),
            other => panic!("{other:?}"),
        };
        (case.name.clone(), outcome(&case, &observed))
    };
    cases(targets, told).into_iter().map(judge).collect()
}

#[test]
fn the_stages_own_data_has_to_answer_and_nothing_else_may() {
    let story = Story::told();
    let targets = story.targets();
    let expected: Vec<(&str, bool)> =
        targets.iter().map(|target| (target.name.as_str(), target.expected == Expected::Allowed)).collect();
    insta::assert_debug_snapshot!(expected);
    let tell = |what: &dyn Fn(&Target) -> &'static str| -> BTreeMap<SocketAddr, String> {
        targets.iter().map(|target| (target.to.clone().unwrap(), what(target).to_owned())).collect()
    };
    let held = tell(&|target| if target.expected == Expected::Allowed { "open" } else { "no answer" });
    let all = outcomes(targets.clone(), &Told::Dialled(held));
    assert!(all.iter().all(|(_, outcome)| *outcome == CaseOutcome::Passed), "{all:?}");
    let swapped = tell(&|target| if target.expected == Expected::Allowed { "refused" } else { "open" });
    let all = outcomes(targets.clone(), &Told::Dialled(swapped));
    assert!(all.iter().all(|(_, outcome)| *outcome == CaseOutcome::Failed), "{all:?}");
    for (told, expected) in [
        (Told::Dialled(BTreeMap::new()), CaseOutcome::Failed),
        (Told::Nothing("somebody took it away, and nobody answers".to_owned()), CaseOutcome::Failed),
        (Told::Untried("no node takes the probe pod".to_owned()), CaseOutcome::NotExecutable),
    ] {
        let all = outcomes(targets.clone(), &told);
        assert!(all.iter().all(|(_, outcome)| *outcome == expected), "{told:?}: {all:?}");
    }
}

#[test]
fn where_nothing_listens_nothing_is_shown() {
    let story = Story::told();
    let targets = targets(story.policy(), &story.others(), &BTreeMap::new());
    let all = outcomes(targets, &Told::Dialled(BTreeMap::new()));
    assert!(all.len() > 2 && all.iter().all(|(_, outcome)| *outcome == CaseOutcome::NotExecutable));
}

#[test]
fn silence_shows_nothing_of_a_probe_that_reached_nobody_nor_of_who_refuses() {
    let story = Story::told();
    let targets = story.targets();
    let told = |open: &str, shut: &str| {
        let word =
            |target: &Target| if target.expected == Expected::Allowed { open } else { shut }.to_owned();
        Told::Dialled(targets.iter().map(|target| (target.to.clone().unwrap(), word(target))).collect())
    };
    let api_server = |told: &Told| {
        let all = outcomes(targets.clone(), told);
        all.into_iter().find(|(name, _)| name == "dial-api-server").unwrap().1
    };
    for (open, shut, expected) in [
        ("open", "no answer", CaseOutcome::Passed),
        ("open", "unreachable", CaseOutcome::Passed),
        ("no answer", "no answer", CaseOutcome::NotExecutable),
        ("open", "refused", CaseOutcome::NotExecutable),
        ("open", "an error", CaseOutcome::NotExecutable),
        ("no answer", "open", CaseOutcome::Failed),
    ] {
        assert_eq!(api_server(&told(open, shut)), expected, "{open}, {shut}");
    }
}

#[test]
fn what_another_service_leads_to_as_well_still_has_to_be_shut() {
    let story = Story::told();
    let behind: BTreeMap<Service, Vec<EndpointSlice>> =
        story.behind().into_keys().map(|service| (service, slice("10.0.0.1", 8443))).collect();
    let targets = targets(story.policy(), &story.others(), &behind);
    let told = Told::Dialled([("10.0.0.1:8443".parse().unwrap(), "open".to_owned())].into());
    let failed = outcomes(targets, &told).into_iter().filter(|(_, outcome)| *outcome == CaseOutcome::Failed);
    let failed: Vec<String> = failed.map(|(name, _)| name).collect();
    assert_eq!(
        failed,
        [
            "dial-api-server",
            "dial-dataset-transactions-of-sandbox",
            "dial-dataset-transactions-of-production"
        ]
    );
}

#[test]
fn a_probe_is_held_to_what_any_pod_is_and_ends_by_itself() {
    let story = Story::told();
    let pod = pod(&story.ground(), &addresses(&story.targets())).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&job(&pod)).unwrap());
}

#[test]
fn there_is_no_probe_of_another_origin_and_none_that_nobody_named() {
    let mut story = Story::told();
    let dialled = addresses(&story.targets());
    let why = |story: &Story| pod(&story.ground(), &dialled).unwrap_err();
    assert!(pod(&story.ground(), &BTreeSet::new()).is_err_and(|why| why.contains("nothing listens")));
    let set = |story: &mut Story, probe| story.world.contract.spec.rehearsal.as_mut().unwrap().probe = probe;
    // One that begins like a registry of the contract isn't that registry.
    let like = IMAGE.replace("/partners/", "/partners-of-others/");
    set(&mut story, Some(Probe { image: like.as_str().into() }));
    assert!(why(&story).contains("isn't from a registry"));
    set(&mut story, None);
    assert!(why(&story).contains("names no image"));
}

#[test]
fn what_is_told_is_read_line_by_line() {
    let told = read("10.0.0.1:8443 open\n[fd00::7]:443 no answer\nnonsense\nx:1 open\n");
    let told: Vec<(String, &str)> = told.iter().map(|(to, came)| (to.to_string(), came.as_str())).collect();
    assert_eq!(told, [("10.0.0.1:8443".to_owned(), "open"), ("[fd00::7]:443".to_owned(), "no answer")]);
}

#[test]
fn of_several_ports_none_is_guessed() {
    let mut slices = slice("10.0.0.1", 8443);
    assert_eq!(address(Some(&slices), None), Ok("10.0.0.1:8443".parse().unwrap()));
    slices[0].ports.as_mut().unwrap().push(serde_json::from_value(json!({"port": 9090})).unwrap());
    assert!(address(Some(&slices), None).is_err());
    assert_eq!(address(Some(&slices), Some(9090)), Ok("10.0.0.1:9090".parse().unwrap()));
    assert!(address(Some(&slices), Some(9091)).is_err());
}
