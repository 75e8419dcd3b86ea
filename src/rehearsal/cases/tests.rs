//! What the story is rehearsed by, and that admission says what is expected of it.

mod clauses;

use super::*;
use crate::grant::build::confinement::guard;
use crate::policy::testing::World;

/// The cases of the story, as lines.
fn lines(change: impl FnOnce(&mut World)) -> String {
    lines_with(Vec::new(), change)
}

/// What comes of looking at the story, or at what it was changed to, with these connections.
fn on<T>(world: &World, network: Vec<Case>, look: impl FnOnce(&Ground<'_>) -> T) -> T {
    let agreed = world.agreed();
    let policy = &agreed.stages[&Stage::Rehearsal].policy;
    look(&Ground {
        grant: "northpay-fraud",
        grant_namespace: "risk-data",
        namespace: "comity-northpay-fraud-rehearsal-00000000",
        policy,
        guard: guard(policy, "uid", Stage::Rehearsal),
        rehearsal: world.contract.spec.rehearsal.as_ref(),
        others: vec!["comity-other-sandbox-00000000".to_owned()],
        running: Err("no pod runs in the stage".to_owned()),
        network,
        seen: Vec::new(),
    })
}

/// The same with these of the network.
fn lines_with(network: Vec<Case>, change: impl FnOnce(&mut World)) -> String {
    let mut world = World::story();
    change(&mut world);
    let line = |case: Case| {
        let how = match &case.attempt {
            Attempt::Access(_) => "access",
            Attempt::Request(request) => request.by.map_or("itself", |role| role.kebab()),
            Attempt::Seen(_) | Attempt::Done(..) => "seen",
            Attempt::Nothing(_) => "nothing",
        };
        format!("{} [{}] {how}: {} → {}", case.name, case.clause, case.tried, case.expected)
    };
    on(&world, network, |ground| ground.cases().into_iter().map(line).collect::<Vec<_>>().join("\n"))
}

#[test]
fn the_story_is_rehearsed_by_these_cases() {
    insta::assert_snapshot!(lines(|_| ()));
}

#[test]
fn names_are_unique_and_every_part_fits_its_report() {
    let lines = lines(|_| ());
    let names: Vec<&str> = lines.lines().filter_map(|line| line.split(' ').next()).collect();
    let unique: std::collections::BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!(unique.len(), names.len());
    assert!(names.len() <= MOST && names.iter().all(|name| name.len() <= 128));
}

#[test]
fn what_admission_is_expected_to_say_it_does_say() {
    let policies = texts(&serde_json::json!(crate::generate::admission::objects("comity-system")));
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").replace("\\'", "'");
    let policies = plain(&policies);
    let lines = lines(|_| ());
    let expected = lines.lines().filter_map(|line| line.split_once("→ refused: "));
    let own = expected.filter(|(line, _)| line.contains("pod-") || line.contains("object-"));
    for (line, words) in own.filter(|(_, words)| !["violates PodSecurity", "exceeded quota"].contains(words))
    {
        assert!(policies.contains(&plain(words)), "{line}: no policy says {words}");
    }
}

/// Every text in an object.
fn texts(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => format!("{text}\n"),
        serde_json::Value::Array(items) => items.iter().map(texts).collect(),
        serde_json::Value::Object(fields) => fields.values().map(texts).collect(),
        _ => String::new(),
    }
}

/// The lines of the story with so many workloads, and people of every role.
fn crowded(workloads: usize) -> String {
    lines(|world| {
        let spec = &mut world.grant.spec;
        let (workload, person) = (spec.workloads[0].clone(), spec.people[0].clone());
        let named = |number| crate::api::grant::Workload {
            name: format!("w{number}").as_str().into(),
            ..workload.clone()
        };
        spec.workloads = (0..workloads).map(named).collect();
        spec.people =
            Role::ALL.into_iter().map(|role| crate::api::grant::Person { role, ..person.clone() }).collect();
    })
}

#[test]
fn the_most_that_a_grant_may_have_fits_a_report() {
    // What is seen beside: seven of each certificate, and what a contract adds of its own at most.
    let beside = 16 * 7 + 64 + 100;
    let lines = crowded(16);
    assert!(lines.lines().count() + beside < MOST, "{}", lines.lines().count());
    assert!(!lines.contains("too-many-cases"));
}

#[test]
fn the_secret_that_is_refused_is_a_neighbours_where_there_is_one() {
    let mounted = |world: &World| {
        let find = |ground: &Ground<'_>| {
            let case = ground.cases().into_iter().find(|case| case.name == "pod-secret-of-another").unwrap();
            let Attempt::Request(request) = case.attempt else { panic!("{case:?}") };
            request.body["spec"]["volumes"][0]["secret"]["secretName"].as_str().unwrap().to_owned()
        };
        on(world, Vec::new(), find)
    };
    let mut world = World::story();
    assert_eq!(mounted(&world), "rehearsal-of-another", "there is only one");
    let second =
        crate::api::grant::Workload { name: "second".into(), ..world.grant.spec.workloads[0].clone() };
    world.grant.spec.workloads.push(second);
    assert_eq!(mounted(&world), crate::api::name::workload_secret("second"));
    world.contract.spec.security.key_delivery = vec![crate::api::contract::KeyDelivery::PodCertificate];
    assert_eq!(mounted(&world), "rehearsal-of-another", "nobody's is delivered so");
}

#[test]
fn a_report_that_is_too_long_fails_and_says_so() {
    let lines = crowded(80);
    assert_eq!(lines.lines().count(), MOST);
    assert!(lines.lines().last().is_some_and(|line| line.starts_with("too-many-cases")));
}

#[test]
fn where_a_report_has_no_room_the_network_is_told_together() {
    let connection = |number: usize| Case {
        name: format!("network-{number}-shut"),
        clause: "destination.egress",
        tried: String::new(),
        attempt: Attempt::Seen(crate::rehearsal::case::Observed::Refused("shut".to_owned())),
        expected: Expected::Refused("shut"),
    };
    let room = MOST - lines(|_| ()).lines().count();
    for (count, told) in [(room, MOST), (room + 1, MOST - room + 1)] {
        let lines = lines_with((0..count).map(connection).collect(), |_| ());
        assert_eq!(lines.lines().count(), told, "{count}");
        assert!(!lines.contains("too-many-cases"));
        assert_eq!(lines.contains("network-destination-egress-shut"), count > room);
        assert!(count <= room || lines.contains(&format!("{count} connections")));
    }
}

#[test]
fn two_cases_of_one_name_are_told_apart() {
    let case = |name: &str| Case {
        name: name.to_owned(),
        clause: "purposes",
        tried: String::new(),
        attempt: Attempt::Nothing(String::new()),
        expected: Expected::Allowed,
    };
    let long = "a".repeat(130);
    let mut cases = ["a-2", "a", "a", "a", &long, &format!("{long}b")].map(case);
    tell_apart(&mut cases);
    let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    let cut = "a".repeat(120);
    assert_eq!(names, ["a-2", "a", "a-3", "a-4", &cut, &format!("{cut}-2")]);
}
