//! What is generated is what is committed, and says what it was made from.

use std::{collections::BTreeMap, path::Path, process::Command};

use super::*;
use crate::testing::skipped::skipped;

#[test]
fn what_is_committed_is_what_the_types_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let stale: Vec<String> = files()
        .expect("every type can be written")
        .into_iter()
        .filter(|file| std::fs::read_to_string(root.join(&file.path)).unwrap_or_default() != file.contents)
        .map(|file| file.path)
        .collect();
    assert!(stale.is_empty(), "run `cargo run -- generate --write`; these differ: {stale:?}");
}

#[test]
fn yaml_says_what_the_objects_say() {
    let objects: Vec<Value> = [
        rbac::objects(template::NAMESPACE),
        admission::stamps(template::NAMESPACE),
        admission::objects(template::NAMESPACE),
        deployment::objects(),
        rbac::process::enrolment(template::NAMESPACE),
    ]
    .concat();
    let written = template::documents(&objects).expect("YAML");
    let read: Vec<Value> = serde_saphyr::from_multiple(&written).expect("YAML");
    assert_eq!(read, objects);
}

#[test]
fn no_blank_is_left_in_what_is_installed() {
    for file in files().expect("every type can be written") {
        let blank = template::BLANKS.iter().find(|blank| file.contents.contains(**blank));
        assert!(blank.is_none(), "{}: {blank:?}", file.path);
    }
}

#[test]
fn what_is_installed_asks_no_admission_of_a_webhook() {
    let install = install::file().expect("install.yaml").contents;
    assert!(!install.contains("WebhookConfiguration"));
}

/// The chart, rendered with these settings by Helm itself; `None`, and a word about `what`, where there is no Helm.
fn rendered(settings: &[&str], what: &str) -> Option<String> {
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/comity");
    // Without a cluster Helm believes in the Kubernetes that it was built with.
    let rendered = Command::new("helm")
        .args(["template", "comity", "--namespace", "comity-system"])
        .args(["--api-versions", admission::mutation::NEEDS])
        .args(settings.iter().map(|setting| format!("--set={setting}")))
        .arg(chart)
        .output();
    let Ok(rendered) = rendered else {
        skipped(format!("no helm on the PATH (https://helm.sh/docs/intro/install), so {what}"));
        return None;
    };
    assert!(rendered.status.success(), "{}", String::from_utf8_lossy(&rendered.stderr));
    Some(String::from_utf8_lossy(&rendered.stdout).into_owned())
}

/// Helm's own word for it, where there is a Helm.
#[test]
fn what_helm_renders_by_default_is_what_is_installed() {
    let skipped = "install.yaml wasn't compared with what Helm renders";
    let Some(rendered) = rendered(&[], skipped) else { return };
    let mut installed = by_name(&install::file().expect("install.yaml").contents);
    // Helm makes the namespace by itself.
    assert!(installed.remove("Namespace  comity-system").is_some());
    assert_eq!(by_name(&rendered), installed);
}

/// What people watch Comity by is off, and where it is on it is what the files say.
#[test]
fn what_helm_renders_for_who_watches_is_what_the_files_say() {
    let settings = ["scrape", "alerts", "dashboard"].map(|part| format!("monitoring.{part}.enabled=true"));
    let mut settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    settings.push("monitoring.labels.release=prometheus");
    let Some(rendered) = rendered(&settings, "nobody looked at alerts and dashboard as rendered") else {
        return;
    };
    let objects = by_name(&rendered);
    let object = |kind: &str, name: &str| objects[&format!("{kind} comity-system {name}")].clone();
    let rules: Value =
        serde_saphyr::from_str(include_str!("../../charts/comity/files/alerts.yaml")).expect("YAML");
    let rule = object("PrometheusRule", "comity");
    assert_eq!(rule["spec"], rules);
    let monitor = object("PodMonitor", "comity");
    for object in [&rule, &monitor] {
        assert_eq!(object["metadata"]["labels"]["release"], "prometheus");
    }
    let dashboard = object("ConfigMap", "comity-dashboard");
    assert_eq!(dashboard["metadata"]["labels"]["grafana_dashboard"], "1");
    assert_eq!(dashboard["data"]["comity.json"], include_str!("../../charts/comity/files/dashboard.json"));
    let port = &monitor["spec"]["podMetricsEndpoints"][0]["port"];
    let chosen = monitor["spec"]["selector"]["matchLabels"].as_object().expect("labels");
    for deployment in deployment::objects() {
        let pod = &deployment["spec"]["template"];
        assert!(chosen.iter().all(|(label, value)| pod["metadata"]["labels"][label] == *value));
        assert_eq!(pod["spec"]["containers"][0]["ports"][0]["name"], *port);
    }
}

#[test]
fn only_what_every_cluster_serves_is_rendered_everywhere() {
    let stamps = |text: &str| text.contains("kind: MutatingAdmissionPolicy");
    for file in chart::files().expect("every type can be written") {
        let guard =
            format!("{{{{- if .Capabilities.APIVersions.Has \"{}\" }}}}\n", admission::mutation::NEEDS);
        let guarded = file.contents.starts_with(&guard) && file.contents.ends_with("{{- end }}\n");
        assert_eq!(stamps(&file.contents), guarded, "{}", file.path);
    }
    assert!(stamps(&install::file().expect("install.yaml").contents));
}

#[test]
fn nothing_of_enrolment_is_rendered_where_it_is_off() {
    let off = |text: &str| {
        let mut depth = 0;
        let mut shown = Vec::new();
        for line in text.lines() {
            depth += usize::from(line.starts_with("{{- if "));
            if depth == 0 {
                shown.push(line.to_owned());
            }
            depth -= usize::from(line.starts_with("{{- end "));
        }
        shown.join("\n")
    };
    let speaks =
        |text: &str| text.contains("enrol-") || text.contains("comity-enrolment") || text.contains("8443");
    let files = chart::files().expect("every type can be written");
    let of_admission = |path: &str| path.ends_with("admission.yaml") || path.ends_with("definitions.yaml");
    for file in files.iter().filter(|file| !of_admission(&file.path)) {
        assert!(!speaks(&off(&file.contents)), "{}", file.path);
    }
    assert_eq!(files.iter().filter(|file| speaks(&file.contents)).count(), 2, "in two files, where it is on");
    assert!(!install::file().expect("install.yaml").contents.contains("enrol-listen"));
}

/// What a chart's values may be, and what they are by default, name the same things.
fn same_names(schema: &Value, definitions: &Value, values: &Value, path: &str) {
    let name = schema["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/"));
    let schema = name.map_or(schema, |name| &definitions[name]);
    let Some(described) = schema["properties"].as_object() else { return };
    assert_eq!(schema["additionalProperties"], false, "{path} takes what nobody reads");
    for (name, value) in values.as_object().expect("a map of values") {
        let deeper = format!("{path}.{name}");
        let described = described.get(name).unwrap_or_else(|| panic!("the schema says nothing of {deeper}"));
        same_names(described, definitions, value, &deeper);
    }
    // What every chart gets, whether it is asked for or not.
    let unset = described.keys().find(|name| values.get(name.as_str()).is_none() && *name != "global");
    assert!(unset.is_none(), "{path}.{unset:?} has no default");
}

#[test]
fn the_schema_of_the_values_says_all_of_them_and_no_more() {
    let values = serde_saphyr::from_str(include_str!("../../charts/comity/values.yaml")).expect("YAML");
    let schema: Value =
        serde_json::from_str(include_str!("../../charts/comity/values.schema.json")).expect("JSON");
    same_names(&schema, &schema["$defs"], &values, "values");
}

/// The objects of a text by kind, namespace and name.
fn by_name(text: &str) -> BTreeMap<String, Value> {
    let objects: Vec<Value> = serde_saphyr::from_multiple(text).expect("YAML");
    let word = |object: &Value, pointer: &str| {
        object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let key = |object: &Value| {
        ["/kind", "/metadata/namespace", "/metadata/name"].map(|pointer| word(object, pointer)).join(" ")
    };
    objects.into_iter().filter(|object| !object.is_null()).map(|object| (key(&object), object)).collect()
}
