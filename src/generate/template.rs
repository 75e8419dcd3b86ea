//! Objects as YAML, and the blanks in it: what a user of the chart sets is a blank, filled in with
//! an expression of Helm's in the chart's templates and with the default in `install.yaml`.

use serde_json::Value;

use super::{GenerateError, HEADER, body};

/// Where Comity is installed.
pub const NAMESPACE: &str = "__namespace__";
/// The image of every process.
pub const IMAGE: &str = "__image__";
/// When the kubelet pulls it.
pub const PULL_POLICY: &str = "__pullPolicy__";
/// The SPIFFE trust domain.
pub const TRUST_DOMAIN: &str = "__trustDomain__";
/// What is logged.
pub const LOG_LEVEL: &str = "__logLevel__";
/// The networks of the cluster itself, with commas.
pub const CLUSTER_CIDRS: &str = "__clusterCidrs__";
/// The namespace of the cluster's DNS.
pub const DNS_NAMESPACE: &str = "__dnsNamespace__";
/// The labels of the pods of the cluster's DNS, with commas.
pub const DNS_LABELS: &str = "__dnsLabels__";
/// How long a CA lives.
pub const CA_LIFETIME: &str = "__caLifetime__";
/// The resources of `comity run`.
pub const RUN_RESOURCES: &str = "__runResources__";
/// The resources of `comity sign`.
pub const SIGN_RESOURCES: &str = "__signResources__";
/// The resources of `comity rehearse`.
pub const REHEARSE_RESOURCES: &str = "__rehearseResources__";

/// Where workloads on the partner's side find enrolment.
pub const ENROLMENT_URL: &str = "__enrolmentUrl__";
/// Of which type its Service is.
pub const ENROLMENT_SERVICE: &str = "__enrolmentService__";

/// What there is only where enrolment is served: an item of a list, of which the line is left out elsewhere.
pub const ENROLMENT_ITEM: &str = "__whereEnrolment__";
/// The value that says whether it is.
pub const ENROLMENT_ENABLED: &str = ".Values.enrolment.enabled";

/// All of the blanks.
pub const BLANKS: &[&str] = &[
    NAMESPACE,
    IMAGE,
    PULL_POLICY,
    TRUST_DOMAIN,
    LOG_LEVEL,
    CLUSTER_CIDRS,
    DNS_NAMESPACE,
    DNS_LABELS,
    CA_LIFETIME,
    RUN_RESOURCES,
    SIGN_RESOURCES,
    REHEARSE_RESOURCES,
    ENROLMENT_URL,
    ENROLMENT_SERVICE,
    ENROLMENT_ITEM,
];

/// Objects as one YAML text, each after a `---`.
pub fn documents(objects: &[Value]) -> Result<String, GenerateError> {
    let mut text = String::from(HEADER);
    for object in objects {
        let what = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("an object");
        text.push_str("---\n");
        text.push_str(&body(what, object)?);
        if !text.ends_with('\n') {
            text.push('\n');
        }
    }
    Ok(text)
}

/// The text as a template of Helm's.
pub fn for_helm(text: &str) -> String {
    // A `{{` of our own, in the description of a field say, isn't Helm's to read.
    let text = text.replace("{{", "{{ \"{{\" }}");
    let text =
        where_enrolment(&text, |line| format!("{{{{- if {ENROLMENT_ENABLED} }}}}\n{line}\n{{{{- end }}}}\n"));
    fill(&text, |blank| {
        let expression = match blank {
            NAMESPACE => "{{ .Release.Namespace }}",
            IMAGE => "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}",
            PULL_POLICY => "{{ .Values.image.pullPolicy }}",
            TRUST_DOMAIN => "{{ .Values.trustDomain }}",
            LOG_LEVEL => "{{ .Values.logLevel }}",
            CLUSTER_CIDRS => "{{ join \",\" .Values.clusterCidrs }}",
            DNS_NAMESPACE => "{{ .Values.dns.namespace }}",
            DNS_LABELS => "{{ join \",\" .Values.dns.labels }}",
            CA_LIFETIME => "{{ .Values.sign.caLifetime }}",
            RUN_RESOURCES => "{{ toJson .Values.run.resources }}",
            SIGN_RESOURCES => "{{ toJson .Values.sign.resources }}",
            REHEARSE_RESOURCES => "{{ toJson .Values.rehearse.resources }}",
            ENROLMENT_URL => "{{ .Values.enrolment.url }}",
            // A Service that nodes let in hides who calls, unless it is told not to.
            ENROLMENT_SERVICE => {
                "{{ .Values.enrolment.serviceType }}{{ if ne .Values.enrolment.serviceType \"ClusterIP\" }}\n  \
                 externalTrafficPolicy: Local{{ end }}"
            }
            _ => return None,
        };
        Some(expression.to_owned())
    })
}

/// The text with each line that is there only where enrolment is served as `there` writes it.
fn where_enrolment(text: &str, there: impl Fn(&str) -> String) -> String {
    let line = |line: &str| {
        let is_of_enrolment = line.contains(ENROLMENT_ITEM);
        if is_of_enrolment { there(&line.replace(ENROLMENT_ITEM, "")) } else { format!("{line}\n") }
    };
    text.lines().map(line).collect()
}

/// A template of Helm's that renders only where this holds.
pub fn only_where(condition: Option<&str>, template: &str) -> String {
    condition.map_or_else(
        || template.to_owned(),
        |condition| format!("{{{{- if {condition} }}}}\n{template}{{{{- end }}}}\n"),
    )
}

/// The text with the defaults of the chart's `values.yaml`, for the release `namespace`.
pub fn with_defaults(text: &str, values: &Value, namespace: &str, version: &str) -> String {
    let word = |pointer: &str| values.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let json = |pointer: &str| values.pointer(pointer).map(Value::to_string);
    let joined = |pointer: &str| {
        let words = values.pointer(pointer)?.as_array()?.iter().filter_map(Value::as_str);
        Some(words.collect::<Vec<_>>().join(","))
    };
    let text = where_enrolment(text, |_| String::new());
    fill(&text, |blank| match blank {
        NAMESPACE => Some(namespace.to_owned()),
        IMAGE => {
            let tag = word("/image/tag").filter(|tag| !tag.is_empty()).unwrap_or_else(|| version.to_owned());
            Some(format!("{}:{tag}", word("/image/repository")?))
        }
        PULL_POLICY => word("/image/pullPolicy"),
        TRUST_DOMAIN => word("/trustDomain"),
        LOG_LEVEL => word("/logLevel"),
        CLUSTER_CIDRS => joined("/clusterCidrs"),
        DNS_NAMESPACE => word("/dns/namespace"),
        DNS_LABELS => joined("/dns/labels"),
        CA_LIFETIME => word("/sign/caLifetime"),
        RUN_RESOURCES => json("/run/resources"),
        SIGN_RESOURCES => json("/sign/resources"),
        REHEARSE_RESOURCES => json("/rehearse/resources"),
        _ => None,
    })
}

/// Replaces every blank for which there is something to fill in.
fn fill(text: &str, with: impl Fn(&str) -> Option<String>) -> String {
    BLANKS.iter().fold(text.to_owned(), |text, blank| match with(blank) {
        Some(meaning) => text.replace(blank, &meaning),
        None => text,
    })
}
