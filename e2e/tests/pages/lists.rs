//! Which commands of the pages aren't given here, and why; and which end otherwise than well, and what they say then.

/// A page, how a command of it begins, and what is to be said of it.
type Line = (&'static str, &'static str, &'static str);

const NO_HELM: &str = "takes Helm: e2e/tests/node.rs installs by the chart";
const NO_POD: &str = "takes pods of Comity's own: here its processes run beside the cluster";
const ENROLS: &str = "takes a comity sign that serves enrolment: e2e/tests/enrol.rs has one";
const INSTALLS: &str = "writes where programs are installed";

/// What isn't given, and why.
pub const LEFT: [Line; 20] = [
    ("docs/install.md", "podman ", "takes podman and a registry: e2e/tests/node.rs makes the image"),
    ("docs/install.md", "helm ", NO_HELM),
    ("docs/install.md", "kubectl --namespace comity-system rollout status", NO_POD),
    ("docs/install.md", "install target/release", INSTALLS),
    ("docs/install.md", "ln ", INSTALLS),
    ("docs/troubleshoot.md", "kubectl --namespace comity-system logs", NO_POD),
    ("docs/troubleshoot.md", "comity ca taint", "what docs/rotate-a-ca.md says as well"),
    ("docs/gitops.md", "kubectl --namespace argocd", "takes Argo CD: e2e/health has its engine"),
    (
        "docs/gitops.md",
        "comity sponsor",
        "takes a grant that automation asked for: e2e/tests/consent.rs has one",
    ),
    (
        "docs/rotate-a-ca.md",
        "kubectl --namespace comity-system create secret tls",
        "takes a CA of the reader's: e2e/tests/rotation.rs brings one",
    ),
    ("docs/operate.md", "helm ", NO_HELM),
    ("docs/upgrade.md", "helm ", NO_HELM),
    ("docs/uninstall.md", "helm ", NO_HELM),
    ("docs/verify-without-trusting-us.md", "cargo run", "takes the source: src/generate/tests.rs compares"),
    ("docs/enrol-an-outside-workload.md", "comity enrol", ENROLS),
    ("docs/enrol-an-outside-workload.md", "openssl ", ENROLS),
    ("docs/enrol-an-outside-workload.md", "read ", ENROLS),
    ("docs/enrol-an-outside-workload.md", "printf ", ENROLS),
    ("docs/enrol-an-outside-workload.md", "curl ", ENROLS),
    ("docs/enrol-an-outside-workload.md", "jq ", ENROLS),
];

/// What ends otherwise than with 0, as the page says, and a part of what it says then.
pub const OTHERWISE: [Line; 9] = [
    ("docs/rotate-a-ca.md", "comity ca activate", "nothing was changed"),
    ("docs/verify-without-trusting-us.md", "kubectl auth can-i get secrets --all-namespaces", "\nno"),
    ("docs/verify-without-trusting-us.md", "kubectl auth can-i impersonate users", "\nno"),
    ("docs/verify-without-trusting-us.md", "kubectl auth can-i get secrets --namespace kube-system", "\nno"),
    ("docs/verify-without-trusting-us.md", "kubectl auth can-i impersonate serviceaccounts", "\nno"),
    ("docs/verify-without-trusting-us.md", "kubectl create namespace theirs", "comity-cage-run"),
    ("docs/verify-without-trusting-us.md", "kubectl diff", "REGISTRY/comity:0.1.0"),
    ("docs/verify-without-trusting-us.md", "kubectl --namespace \"$NAMESPACE\" create token", "not found"),
    (
        "examples/fraud-scoring/README.md",
        "kubectl apply --server-side -f examples/fraud-scoring/refused/",
        "rows",
    ),
];

/// Whether a command of a page is on a list.
pub fn begins(list: &[Line], page: &str, command: &str) -> bool {
    said(list, page, command).is_some()
}

/// What a list says of a command of a page.
pub fn said(list: &[Line], page: &str, command: &str) -> Option<&'static str> {
    let line = list.iter().find(|(known, begin, _)| *known == page && command.starts_with(begin));
    line.map(|(_, _, said)| *said)
}
