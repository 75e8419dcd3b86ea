//! What of the story is dialled, from where, and what that shows.

use super::word::Came;
use super::*;
use crate::api::contract::{Probe, Rehearsal};
use crate::api::effective::TargetPort;
use crate::api::report::CaseOutcome;
use crate::grant::build::confinement::guard;
use crate::policy::Agreement;
use crate::policy::testing::World;
use crate::rehearsal::case::{Attempt, Case, Observed};
use crate::rehearsal::judge::outcome;

const IMAGE: &str = "registry.retail.example/partners/comity@sha256:\
    0000000000000000000000000000000000000000000000000000000000000000";

/// An address that is ready at a port.
fn slice(address: &str, port: i32) -> Vec<EndpointSlice> {
    vec![slice_of(&[address], port)]
}

/// One where the DNS is asked, by datagrams and by connections.
fn resolving(address: &str) -> Vec<EndpointSlice> {
    let mut slices = slice(address, 53);
    let ports = json!([{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}, {"port": 9153}]);
    slices[0].ports = serde_json::from_value(ports).expect("ports");
    slices
}

/// Addresses that are ready at a port, behind one that isn't.
fn slice_of(addresses: &[&str], port: i32) -> EndpointSlice {
    let mut endpoints = vec![json!({"addresses": ["10.9.9.9"], "conditions": {"ready": false}})];
    endpoints.extend(addresses.iter().map(|address| json!({"addresses": [address]})));
    let slice = json!({"metadata": {"name": "one"}, "addressType": "IPv4", "ports": [{"port": port}],
        "endpoints": endpoints});
    serde_json::from_value(slice).expect("a slice")
}

fn places_of(texts: &[&str]) -> Vec<Place> {
    texts.iter().map(|text| text.parse().expect("a place")).collect()
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
    fn known(&self) -> Known {
        let dns = vec![("kube-system".to_owned(), "kube-dns".to_owned())];
        let mut known = Known { dns, ..Known::default() };
        for (number, service) in services(self.policy(), &self.others(), &known).into_iter().enumerate() {
            let address = format!("10.0.0.{}", number + 1);
            let slices = match service.0.as_str() {
                "default" => slice(&address, 6443),
                "kube-system" => resolving(&address),
                _ => slice(&address, 8443),
            };
            known.behind.insert(service, slices);
        }
        known
    }

    fn targets(&self) -> Vec<Target> {
        targets(self.policy(), &self.others(), &self.known())
    }

    /// What is dialled for one case where all that is known is this.
    fn dialled(&self, name: &str, known: &Known) -> Result<Vec<Place>, String> {
        let targets = targets(self.policy(), &self.others(), known);
        targets.into_iter().find(|target| target.name == name).expect("a case").to
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

fn came(word: &'static str) -> Came {
    Came { word, took: Duration::from_millis(7) }
}

/// How each case comes out where a probe told this.
fn outcomes(targets: Vec<Target>, told: &Told) -> Vec<(String, CaseOutcome)> {
    let judge = |case: Case| {
        let observed = match &case.attempt {
            Attempt::Seen(observed) | Attempt::Done(observed, _) => observed.clone(),
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
    let tell = |what: &dyn Fn(&Target) -> &'static str| -> BTreeMap<Place, Came> {
        let told =
            |target: &Target| target.to.clone().unwrap().into_iter().zip(std::iter::repeat(what(target)));
        targets.iter().flat_map(told).map(|(address, word)| (address, came(word))).collect()
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
    let targets = targets(story.policy(), &story.others(), &Known::default());
    let all = outcomes(targets, &Told::Dialled(BTreeMap::new()));
    assert!(all.len() > 2 && all.iter().all(|(_, outcome)| *outcome == CaseOutcome::NotExecutable));
}

#[test]
fn silence_shows_nothing_of_a_probe_that_reached_nobody_nor_of_who_refuses() {
    let story = Story::told();
    let targets = story.targets();
    let told = |open: &'static str, shut: &'static str| {
        let word = |target: &Target| came(if target.expected == Expected::Allowed { open } else { shut });
        Told::Dialled(targets.iter().map(|target| (target.to.clone().unwrap()[0], word(target))).collect())
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
    let mut known = story.known();
    known.dns.clear();
    known.behind.values_mut().for_each(|slices| *slices = slice("10.0.0.1", 8443));
    let targets = targets(story.policy(), &story.others(), &known);
    let told = Told::Dialled([("10.0.0.1:8443".parse().unwrap(), came("open"))].into());
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
    let pod = pod(&story.ground(), &places(&story.targets())).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&job(&pod)).unwrap());
}

#[test]
fn there_is_no_probe_of_another_origin_and_none_that_nobody_named() {
    let mut story = Story::told();
    let dialled = places(&story.targets());
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
fn of_several_ports_none_is_guessed() {
    let at = |slices: &[EndpointSlice], number| listening(slices.iter(), Protocol::Tcp, number);
    let mut slices = slice("10.0.0.1", 8443);
    assert_eq!(at(&slices, None), Ok(places_of(&["10.0.0.1:8443"])));
    slices[0].ports.as_mut().unwrap().push(serde_json::from_value(json!({"port": 9090})).unwrap());
    assert!(at(&slices, None).is_err());
    assert_eq!(at(&slices, Some(9090)), Ok(places_of(&["10.0.0.1:9090"])));
    assert!(at(&slices, Some(9091)).is_err());
    slices[0].ports.as_mut().unwrap()[1].protocol = Some("UDP".to_owned());
    assert_eq!(at(&slices, None), Ok(places_of(&["10.0.0.1:8443"])), "what isn't TCP isn't dialled by it");
    assert!(at(&slices, Some(9090)).is_err());
    let by_datagrams = listening(slices.iter(), Protocol::Udp, Some(9090));
    assert_eq!(by_datagrams, Ok(places_of(&["dns:10.0.0.1:9090"])));
}

#[test]
fn a_few_addresses_of_each_are_dialled_of_every_family() {
    let slices =
        [slice_of(&["10.0.0.1", "10.0.0.2", "10.0.0.3"], 443), slice_of(&["fd00::1", "10.0.0.1"], 443)];
    let few = places_of(&["10.0.0.1:443", "[fd00::1]:443", "10.0.0.2:443"]);
    assert_eq!(listening(slices.iter(), Protocol::Tcp, Some(443)), Ok(few));
}

#[test]
fn at_every_address_has_to_be_seen_what_has_to_be_at_one() {
    let story = Story::told();
    let mut known = story.known();
    let service = of(endpoints(story.policy()).next().expect("it is served").1);
    let api_server = (API_SERVER.0.to_owned(), API_SERVER.1.to_owned());
    known.behind.insert(service, vec![slice_of(&["10.0.1.1", "10.0.1.2"], 8443)]);
    known.behind.insert(api_server, vec![slice_of(&["10.0.2.1", "10.0.2.2"], 6443)]);
    let [one, other, this, that] = ["10.0.1.1:8443", "10.0.1.2:8443", "10.0.2.1:6443", "10.0.2.2:6443"]
        .map(|text| text.parse().unwrap());
    let targets = targets(story.policy(), &story.others(), &known);
    for ((data, server), expected) in [
        ((["open", "open"], ["no answer", "no answer"]), ["Passed", "Passed"]),
        ((["open", "no answer"], ["no answer", "open"]), ["Failed", "Failed"]),
        ((["refused", "open"], ["no answer", "refused"]), ["Failed", "NotExecutable"]),
        ((["refused", "no answer"], ["refused", "open"]), ["Failed", "Failed"]),
        ((["open", ""], ["", "no answer"]), ["Failed", "Failed"]),
    ] {
        let told = [(one, data[0]), (other, data[1]), (this, server[0]), (that, server[1])];
        let told = told.into_iter().filter(|(_, word)| !word.is_empty());
        let told = Told::Dialled(told.map(|(address, word)| (address, came(word))).collect());
        let all: BTreeMap<String, CaseOutcome> = outcomes(targets.clone(), &told).into_iter().collect();
        let all = ["dial-dataset-transactions", "dial-api-server"].map(|name| format!("{:?}", all[name]));
        assert_eq!(all, expected, "{data:?}, {server:?}");
    }
}

#[test]
fn what_one_probe_tells_fits_and_further_addresses_go_first() {
    let story = Story::told();
    let target = |number: usize, to: Vec<Place>| Target {
        name: number.to_string(),
        to: Ok(to),
        ..story.targets()[0].clone()
    };
    let address = |number: usize, place: usize| {
        let text = format!("dns:[fd00:1111:2222:3333:4444:5555:{place:x}111:{:x}]:65535", 0x1000 + number);
        text.parse::<Place>().unwrap()
    };
    let all = |count: usize| {
        let mut all: Vec<Target> = (0..count)
            .map(|number| target(number, (0..EACH).map(|place| address(number, place)).collect()))
            .collect();
        fit(&mut all);
        all
    };
    let some = all(MOST - 2);
    let dialled = places(&some);
    assert_eq!(dialled.len(), MOST);
    let counts: Vec<usize> = some.iter().map(|target| target.to.as_ref().unwrap().len()).collect();
    assert_eq!((&counts[..2], counts[2..].iter().max()), (&[2, 2][..], Some(&1)));
    let more = all(MOST + 1);
    assert!(more[..MOST].iter().all(|target| target.to.is_ok()) && more[MOST].to.is_err());
    let longest = Came { word: word::FORBIDDEN, took: Duration::from_secs(100) };
    let told: String = dialled.iter().map(|place| word::line(*place, longest) + "\n").collect();
    assert!(told.len() <= 4096, "{} bytes", told.len());
}

#[test]
fn the_dns_is_who_policies_let_pods_ask() {
    let installation = Installation {
        dns_namespace: "kube-system".to_owned(),
        dns_selector: BTreeMap::from([("k8s-app".to_owned(), "kube-dns".to_owned())]),
        ..Installation::default()
    };
    let facts = |selector: &[(&str, &str)], number: Option<i32>, name: Option<&str>| ServiceFacts {
        selector: selector.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect(),
        targets: BTreeMap::from([(
            53,
            TargetPort { number, name: name.map(Into::into), ..TargetPort::default() },
        )]),
    };
    let own = ("k8s-app", "kube-dns");
    let standing = BTreeMap::from([
        ("by-name".to_owned(), facts(&[own, ("zone", "a")], None, Some("dns-tcp"))),
        ("kube-dns".to_owned(), facts(&[own], Some(53), None)),
        ("metrics".to_owned(), facts(&[own], Some(9153), None)),
        ("others".to_owned(), facts(&[("k8s-app", "web")], Some(53), None)),
        ("wider".to_owned(), facts(&[("zone", "a")], Some(53), None)),
        ("without".to_owned(), facts(&[], Some(53), None)),
    ]);
    let named = |names: &[&str]| -> Vec<Service> {
        names.iter().map(|name| ("kube-system".to_owned(), (*name).to_owned())).collect()
    };
    assert_eq!(resolvers(&installation, &standing), named(&["by-name", "kube-dns"]));
    let any = Installation { dns_selector: BTreeMap::new(), ..installation };
    assert!(
        !resolvers(&any, &standing).contains(&named(&["without"])[0]),
        "who selects nobody leads anywhere"
    );
}

#[test]
fn the_dns_has_to_answer_where_it_may_be_asked_and_only_there() {
    let mut story = Story::told();
    let asked = |story: &Story| {
        let found = story.targets().into_iter().filter(|target| target.name.starts_with("dial-dns-by-"));
        found.map(|target| (target.to.unwrap(), target.expected)).collect::<Vec<_>>()
    };
    let [(by_datagrams, open), (by_connections, too)] = asked(&story).try_into().unwrap();
    assert_eq!((open, too), (Expected::Allowed, Expected::Allowed));
    assert!(matches!(by_datagrams[..], [Place::Dns(at)] if at.port() == 53), "{by_datagrams:?}");
    assert_eq!(by_connections, [Place::Tcp(by_datagrams[0].address())]);
    for terms in story.agreed.stages.values_mut() {
        terms.policy.destination.dns = Dns::None;
    }
    assert!(asked(&story).iter().all(|(_, expected)| *expected == Expected::Refused(SILENT)));
    let mut known = story.known();
    known.behind.insert(known.dns[0].clone(), slice("10.0.0.5", 53));
    assert_eq!(story.dialled("dial-dns-by-tcp", &known), Ok(places_of(&["10.0.0.5:53"])));
    assert!(story.dialled("dial-dns-by-udp", &known).unwrap_err().contains("nothing that is ready"));
    known.behind.insert(known.dns[0].clone(), slice("10.0.0.5", 5353));
    assert!(story.dialled("dial-dns-by-tcp", &known).unwrap_err().contains("nothing that is ready"));
    known.dns.clear();
    for name in ["dial-dns-by-udp", "dial-dns-by-tcp"] {
        assert!(story.dialled(name, &known).unwrap_err().contains("no Service leads to"));
    }
}

#[test]
fn pods_of_another_stage_that_listen_have_to_be_silent() {
    let story = Story::told();
    let place = "comity-northpay-fraud-sandbox-00000000";
    let selects = |label: &str| ServiceFacts {
        selector: BTreeMap::from([("app".to_owned(), label.to_owned())]),
        ..ServiceFacts::default()
    };
    let standing = BTreeMap::from([
        ("elsewhere".to_owned(), ServiceFacts::default()),
        ("idle".to_owned(), selects("idle")),
        ("web".to_owned(), selects("web")),
        ("yet-another".to_owned(), selects("more")),
    ]);
    let mut known = story.known();
    known.neighbours = neighbours((Stage::Sandbox, place), &standing).collect();
    let service = |name: &str| (place.to_owned(), name.to_owned());
    assert_eq!(known.neighbours, [("sandbox", service("idle")), ("sandbox", service("web"))]);
    assert!(services(story.policy(), &story.others(), &known).contains(&service("web")));
    known.behind.insert(service("web"), slice("10.0.3.1", 8080));
    let targets = targets(story.policy(), &story.others(), &known);
    let found: Vec<&Target> = targets.iter().filter(|target| target.name.starts_with("dial-pods-")).collect();
    assert_eq!(found.len(), 1, "where nobody listens there is nothing to try: {found:?}");
    assert_eq!(
        (found[0].name.as_str(), found[0].expected),
        ("dial-pods-of-sandbox", Expected::Refused(SILENT))
    );
    assert_eq!(found[0].to, Ok(places_of(&["10.0.3.1:8080"])));
}
