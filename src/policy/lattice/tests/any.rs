//! Policies of every kind, from few words, so that two of them often have something in common;
//! and the same policy in other words.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

use crate::api::contract::{TimeTerms, Weekday, Window};
use crate::api::effective::EffectivePolicy;
use crate::policy::testing::instant;

/// Zones with much, little and no change of clocks, two that are alike, and one by half an hour.
const ZONES: [&str; 7] = [
    "Europe/Stockholm",
    "Europe/Berlin",
    "UTC",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
];

const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Networks that hold each other, touch each other, or neither, in both families.
const NETWORKS: [&str; 12] = [
    "192.0.2.0/24",
    "192.0.2.0/25",
    "192.0.2.128/25",
    "192.0.2.64/28",
    "198.51.100.1/32",
    "0.0.0.0/0",
    "255.255.255.255/32",
    "2001:db8::/32",
    "2001:db8::/33",
    "2001:db8:8000::/33",
    "::/0",
    "fd00::1/128",
];

/// Some of a few words.
fn some(words: &'static [&'static str]) -> BoxedStrategy<Value> {
    subsequence(words.to_vec(), 0..=words.len()).prop_shuffle().prop_map(|words| json!(words)).boxed()
}

/// One of a few words, or nothing.
fn maybe(words: &'static [&'static str]) -> BoxedStrategy<Value> {
    prop::option::of(select(words.to_vec())).prop_map(|word| json!(word)).boxed()
}

/// An object of some fields; those that are null are left out.
fn object<const FIELDS: usize>(
    fields: [(&'static str, BoxedStrategy<Value>); FIELDS],
) -> BoxedStrategy<Value> {
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let values: Vec<BoxedStrategy<Value>> = fields.into_iter().map(|(_, value)| value).collect();
    values
        .prop_map(move |values| {
            let fields = names.iter().zip(values).filter(|(_, value)| !value.is_null());
            fields.map(|(name, value)| ((*name).to_owned(), value)).collect::<serde_json::Map<_, _>>().into()
        })
        .boxed()
}

/// For some of a few names, an entry of that name.
fn named(
    key: &'static str,
    names: &'static [&'static str],
    entry: BoxedStrategy<Value>,
) -> BoxedStrategy<Value> {
    let entries = prop::collection::vec(entry, names.len());
    (subsequence(names.to_vec(), 0..=names.len()).prop_shuffle(), entries)
        .prop_map(move |(names, entries)| {
            let all = names.iter().zip(entries).map(|(name, mut entry)| {
                entry[key] = json!(name);
                entry
            });
            all.collect::<Vec<_>>().into()
        })
        .boxed()
}

fn one(value: &'static str) -> BoxedStrategy<Value> {
    Just(json!(value)).boxed()
}

fn number() -> BoxedStrategy<Value> {
    prop::option::of(2_i32..6).prop_map(|number| json!(number)).boxed()
}

/// Mostly the first.
fn mostly(first: &'static str, other: &'static str) -> BoxedStrategy<Value> {
    prop_oneof![30 => Just(json!(first)), 1 => Just(json!(other))].boxed()
}

const LENGTHS: [&str; 5] = ["1h", "60m", "90m", "24h", "3600s"];
const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
const OTHER: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";

fn operations() -> BoxedStrategy<Value> {
    let limits = object([
        ("requestsPerMinute", number()),
        ("concurrency", number()),
        ("maxRecordsPerRequest", number()),
        ("maxResponseBytes", number()),
        ("minimumGroupSize", number()),
    ]);
    let limits = prop::option::of(limits).prop_map(|limits| json!(limits)).boxed();
    let operation = object([("actors", some(&["Workload", "Person", "Agent"])), ("limits", limits)]);
    named("name", &["Infer", "Train", "Embed"], operation)
}

fn models() -> BoxedStrategy<Value> {
    let evaluation =
        object([("atMost", maybe(&["0.5", "0.500", "0.7"])), ("atLeast", maybe(&["0.3", "0.6", "0.55"]))]);
    let evaluations = named("metric", &["auc", "loss"], evaluation);
    named(
        "name",
        &["scorer", "ranker"],
        object([("digest", mostly(DIGEST, OTHER)), ("evaluations", evaluations)]),
    )
}

fn labels() -> BoxedStrategy<Value> {
    object([("app", maybe(&["x", "y"])), ("tier", maybe(&["front"]))])
}

fn datasets() -> BoxedStrategy<Value> {
    let rows = object([
        ("from", maybe(&["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"])),
        ("to", maybe(&["2026-01-15T00:00:00Z", "2026-06-01T00:00:00Z"])),
        ("segments", some(&["s", "t", "u"])),
    ]);
    let target = object([("number", Just(json!(8443)).boxed()), ("protocol", one("TCP"))]);
    let endpoint = object([
        ("namespace", one("data")),
        ("service", mostly("tx", "ty")),
        ("selector", labels()),
        ("target", target),
    ]);
    let maybe = |part: BoxedStrategy<Value>| prop::option::of(part).prop_map(|part| json!(part)).boxed();
    let dataset = object([
        ("version", mostly("1", "2")),
        ("digest", mostly(DIGEST, OTHER)),
        ("fields", some(&["a", "b", "c", "d"])),
        ("rows", maybe(rows)),
        ("artifacts", some(&["Features", "Scores", "RawRows"])),
        ("endpoint", maybe(endpoint)),
    ]);
    named("name", &["one", "two"], dataset)
}

/// Windows whose edges lie on whole and half hours.
pub fn windows(zones: &'static [&'static str]) -> BoxedStrategy<Vec<Window>> {
    let times = (0_u32..47).prop_flat_map(|from| (Just(from), from + 1..=48));
    let days = subsequence(DAYS.to_vec(), 1..=7).prop_shuffle();
    let window = (days, times, select(zones)).prop_map(|(days, (from, to), zone)| {
        let time = |half: u32| format!("{:02}:{:02}", half / 2, half % 2 * 30);
        json!({"days": days, "from": time(from), "to": time(to), "timeZone": zone})
    });
    let read = |windows: Vec<Value>| serde_json::from_value(windows.into()).expect("windows");
    prop::collection::vec(window, 0..4).prop_map(read).boxed()
}

/// Windows in any of the zones.
pub fn any_windows() -> BoxedStrategy<Vec<Window>> {
    prop_oneof![windows(&ZONES), windows(&ZONES[..1])].boxed()
}

fn time() -> BoxedStrategy<Value> {
    let retention = object([
        ("inputs", maybe(&LENGTHS)),
        ("artifacts", maybe(&LENGTHS)),
        ("deleteWithin", maybe(&LENGTHS)),
        ("reuse", maybe(&["Forbidden", "SamePurpose"])),
    ]);
    object([
        ("notBefore", maybe(&["2026-10-20T00:00:00Z", "2026-10-23T12:00:00Z", "2026-03-01T00:00:00Z"])),
        (
            "notAfter",
            select(vec!["2026-11-02T00:00:00Z", "2027-04-05T06:00:00Z"]).prop_map(Value::from).boxed(),
        ),
        ("windows", any_windows().prop_map(|windows| json!(windows)).boxed()),
        ("retention", retention),
    ])
}

fn destination() -> BoxedStrategy<Value> {
    let ports =
        subsequence(vec![(443, "TCP"), (53, "UDP"), (53, "TCP")], 1..=3).prop_shuffle().prop_map(|ports| {
            json!(
                ports
                    .iter()
                    .map(|(port, protocol)| json!({"port": port, "protocol": protocol}))
                    .collect::<Vec<_>>()
            )
        });
    let egress =
        named("cidr", &NETWORKS, object([("ports", ports.boxed()), ("reason", maybe(&["this", "that"]))]));
    let few = egress
        .prop_map(|entries| json!(entries.as_array().into_iter().flatten().take(4).collect::<Vec<_>>()));
    let compute = object([
        ("runtimeClassName", prop_oneof![9 => maybe(&["kata"]), 1 => maybe(&["gvisor"])].boxed()),
        ("nodeSelector", labels()),
        (
            "registries",
            some(&[
                "registry.example",
                "registry.example/a",
                "registry.example/a/b",
                "registry.example-b",
                "other.example",
            ]),
        ),
    ]);
    object([
        ("regions", some(&["r1", "r2", "r3"])),
        ("dns", maybe(&["None", "Cluster"])),
        ("egress", few.boxed()),
        ("compute", compute),
    ])
}

fn contexts() -> BoxedStrategy<Value> {
    object([("contexts", some(&["mfa", "hwk", "pin"]))])
}

fn security() -> BoxedStrategy<Value> {
    let maybe_of = |part: BoxedStrategy<Value>| prop::option::of(part).prop_map(|part| json!(part)).boxed();
    object([
        ("requiredControls", some(&["c1", "c2", "c3"])),
        ("podSecurity", maybe(&["Baseline", "Restricted"])),
        ("credentialTTL", maybe(&LENGTHS)),
        ("keyDelivery", some(&["PodCertificate", "CertificateSigningRequest", "Secret"])),
        ("authentication", maybe_of(contexts())),
        ("encryptionKeys", prop_oneof![20 => maybe(&["DataOwner"]), 1 => maybe(&["Partner"])].boxed()),
        ("logging", maybe_of(object([("onSinkFailure", maybe(&["Refuse", "Buffer"]))]))),
    ])
}

fn further() -> BoxedStrategy<Value> {
    let schedule = windows(&ZONES).prop_filter_map("no windows are none", |windows| {
        (!windows.is_empty()).then(|| json!({"windows": windows}))
    });
    let list = |of: BoxedStrategy<Value>| prop::collection::vec(of, 0..3).prop_map(|all| json!(all)).boxed();
    let both = object([("schedules", list(schedule.boxed())), ("authentication", list(contexts()))]);
    prop_oneof![3 => Just(Value::Null), 1 => both].boxed()
}

/// A policy, as JSON.
fn value() -> BoxedStrategy<Value> {
    let quota = object([("pods", maybe(&["5", "10", "10k"])), ("cpu", maybe(&["1", "1000m", "1.5"]))]);
    let prohibited = object([("fields", some(&["a", "d"])), ("artifacts", some(&["RawRows", "Scores"]))]);
    let person = object([("role", maybe(&["Auditor", "ModelEngineer"]))]);
    let person = person.prop_filter("a person has a role", |person| person.get("role").is_some()).boxed();
    let workload = object([("operations", some(&["Infer", "Train"]))]);
    object([
        ("partner", mostly("northpay", "southpay")),
        ("contract", one("fraud-scoring")),
        ("contractUid", mostly("c0ffee", "decaf")),
        ("purpose", mostly("fraud-detection", "advertising")),
        ("operations", operations()),
        ("prohibitions", some(&["ThirdPartySharing", "ReIdentification", "Linkage"])),
        ("models", models()),
        ("datasets", datasets()),
        ("prohibited", prop::option::of(prohibited).prop_map(|it| json!(it)).boxed()),
        ("time", time()),
        ("destination", destination()),
        ("security", security()),
        ("quota", object([("hard", quota)])),
        ("people", named("name", &["ana", "bo"], person)),
        ("workloads", named("name", &["scorer", "trainer"], workload)),
        ("further", further()),
    ])
}

/// A policy.
pub fn policy() -> BoxedStrategy<EffectivePolicy> {
    value().prop_map(|value| read(&value)).boxed()
}

/// Two policies of which the second is like the first in some parts.
pub fn two() -> BoxedStrategy<[EffectivePolicy; 2]> {
    let mixed = (value(), value(), any::<u32>(), any::<u32>()).prop_map(|(one, other, first, second)| {
        let mut mixed = one.clone();
        let names: Vec<&String> = other.as_object().into_iter().flatten().map(|(name, _)| name).collect();
        for (index, name) in names.iter().enumerate() {
            // Of three in four parts the two are alike.
            if first & second & (1 << index) != 0 {
                mixed[name.as_str()] = other[name.as_str()].clone();
            }
        }
        [read(&one), read(&mixed)]
    });
    prop_oneof![mixed, (policy(), policy()).prop_map(|(one, other)| [one, other])].boxed()
}

fn read(value: &Value) -> EffectivePolicy {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"))
}

/// The same policy in other words: lists turned round, networks in halves, lengths and amounts in
/// other units, windows in pieces and in a zone with the same rules, defaults written out.
pub fn rewritten(policy: &EffectivePolicy) -> EffectivePolicy {
    let mut value = serde_json::to_value(policy).expect("a policy is JSON");
    turn(&mut value);
    let mut policy = read(&value);
    for operation in &mut policy.operations {
        operation.limits.get_or_insert_default();
    }
    policy.prohibited.get_or_insert_default();
    policy.security.authentication.get_or_insert_default();
    policy.further.get_or_insert_default();
    for dataset in &mut policy.datasets {
        dataset.rows.get_or_insert_default();
    }
    let same = |time: &Time| time.0 < instant("2026-01-02T00:00:00Z");
    assert!(!policy.time.not_before.as_ref().is_some_and(same), "the generator has none so old");
    policy.time = TimeTerms { windows: in_pieces(&policy.time.windows), ..policy.time.clone() };
    policy
}

/// Turns round every list, and writes networks, lengths and amounts in another way.
fn turn(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.reverse();
            let halves: Vec<Value> = items.iter().filter_map(half).collect();
            items.extend(halves);
            items.iter_mut().for_each(turn);
        }
        Value::Object(fields) => fields.values_mut().for_each(turn),
        Value::String(text) => {
            let same = [
                ("1h", "60m"),
                ("60m", "3600s"),
                ("3600s", "1h"),
                ("24h", "1440m"),
                ("1", "1000m"),
                ("10k", "10000"),
            ];
            if let Some((_, other)) = same.iter().find(|(known, _)| known == text) {
                // A version that is called 1 isn't an amount.
                if *text != "1" {
                    *text = (*other).to_owned();
                }
            }
        }
        _ => {}
    }
}

/// A network inside of one that is there already, which adds nothing.
fn half(item: &Value) -> Option<Value> {
    let inner = match item.get("cidr")?.as_str()? {
        "192.0.2.0/24" => "192.0.2.240/28",
        "2001:db8::/32" => "2001:db8:1::/48",
        _ => return None,
    };
    let mut half = item.clone();
    half["cidr"] = json!(inner);
    Some(half)
}

/// The same windows, a day each and cut at noon.
fn in_pieces(windows: &[Window]) -> Vec<Window> {
    let zone = |name: &str| if name == "Europe/Stockholm" { "Europe/Berlin" } else { name }.to_owned();
    let each = |window: &Window, day: Weekday| {
        let (from, to) = (window.from.0.clone(), window.to.0.clone());
        let cuts: Vec<(String, String)> = if from.as_str() < "12:00" && "12:00" < to.as_str() {
            vec![(from, "12:00".to_owned()), ("12:00".to_owned(), to)]
        } else {
            vec![(from, to)]
        };
        cuts.into_iter()
            .map(|(from, to)| Window {
                days: vec![day],
                from: from.as_str().into(),
                to: to.as_str().into(),
                time_zone: zone(&window.time_zone),
            })
            .collect::<Vec<_>>()
    };
    windows.iter().flat_map(|window| window.days.iter().flat_map(move |day| each(window, *day))).collect()
}
