//! What Cargo is told: one build without features of our own, one cryptographic library, and the
//! lints that hold the house.

use super::source::root;

/// Libraries that must not come in, and why.
const BANNED: [(&str, &str); 4] = [
    ("openssl-sys", "cryptography is aws-lc-rs, linked in"),
    ("native-tls", "TLS is rustls"),
    ("serde_yaml", "it is unmaintained"),
    ("kube-webhook", "nothing of ours sits in the API server's write path"),
];

/// Lints that the workspace has to set, as they are written.
const LINTS: [&str; 9] = [
    "unsafe_code = \"forbid\"",
    "missing_docs = \"deny\"",
    "pedantic = { level = \"deny\", priority = -1 }",
    "too_many_lines = \"deny\"",
    "unwrap_used = \"deny\"",
    "expect_used = \"deny\"",
    "panic = \"deny\"",
    "disallowed_types = \"deny\"",
    "disallowed_methods = \"deny\"",
];

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).expect("it can be read")
}

/// What is wrong with the manifest of a member.
fn wrong_in_member(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    if text.lines().any(|line| line.trim() == "[features]") {
        found.push(format!("{path}: no features: what is tested is what is shipped"));
    }
    if !text.contains("[lints]\nworkspace = true") {
        found.push(format!("{path}: add `[lints]` with `workspace = true`"));
    }
    found
}

/// What is wrong with the manifest of the workspace.
fn wrong_in_workspace(text: &str) -> Vec<String> {
    let missing = LINTS.iter().filter(|lint| !text.contains(*lint));
    let mut found: Vec<String> = missing.map(|lint| format!("the lint `{lint}` is gone")).collect();
    let kube = text.split("\nkube = {").nth(1).and_then(|rest| rest.split('}').next()).unwrap_or_default();
    for word in ["default-features = false", "\"rustls-tls\"", "\"aws-lc-rs\""] {
        if !kube.contains(word) {
            found.push(format!("kube has to be given {word}"));
        }
    }
    found
}

/// The banned libraries that were locked.
fn banned(lock: &str) -> Vec<String> {
    let locked = |name: &str| lock.contains(&format!("name = \"{name}\"\n"));
    let found = BANNED.iter().filter(|(name, _)| locked(name));
    found.map(|(name, why)| format!("{name} came in: {why}")).collect()
}

#[test]
fn cargo_is_told_what_the_house_needs() {
    let mut found = wrong_in_workspace(&read("Cargo.toml"));
    for path in ["Cargo.toml", "e2e/Cargo.toml"] {
        found.extend(wrong_in_member(path, &read(path)));
    }
    found.extend(banned(&read("Cargo.lock")));
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn what_is_wrong_is_found() {
    let good = read("Cargo.toml");
    for lint in LINTS {
        assert_eq!(wrong_in_workspace(&good.replace(lint, "")).len(), 1, "{lint}");
    }
    assert_eq!(wrong_in_workspace(&good.replace("  \"aws-lc-rs\",\n", "")).len(), 1);
    assert_eq!(wrong_in_member("x", "[lints]\nworkspace = true\n[features]\n").len(), 1);
    assert_eq!(wrong_in_member("x", "[package]\n").len(), 1);
    assert_eq!(banned("name = \"native-tls\"\n").len(), 1);
    assert!(banned("name = \"rustls\"\n").is_empty());
}
