//! The Helm chart. What is for people (values, their schema, NOTES) is written by hand beside it.

use serde_json::Value;

use super::{GenerateError, GeneratedFile, HEADER, admission, crd, deployment, rbac, template};

/// The chart's own folder.
const FOLDER: &str = "charts/comity";
/// The version of chart and program, which come out together.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A template of the chart, before its blanks are filled in.
#[derive(Clone, Debug)]
pub struct Template {
    /// Its file's name.
    pub file: &'static str,
    /// What is in it.
    pub text: String,
    /// Where it is rendered, if not everywhere.
    pub only: Option<Only>,
}

/// Where something is rendered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Only {
    /// Where the cluster serves this API.
    Serves(&'static str),
    /// Where enrolment is served.
    Enrolment,
}

impl Only {
    /// As Helm has it.
    fn condition(self) -> String {
        match self {
            Self::Serves(api) => format!(".Capabilities.APIVersions.Has \"{api}\""),
            Self::Enrolment => template::ENROLMENT_ENABLED.to_owned(),
        }
    }
}

/// All of the templates, in the order in which they are to be applied.
pub fn templates() -> Result<Vec<Template>, GenerateError> {
    let definitions: Vec<Value> = crd::definitions()?.into_iter().map(kept).collect();
    [
        ("definitions.yaml", definitions, None),
        ("rbac.yaml", rbac::objects(template::NAMESPACE), None),
        (
            "stamps.yaml",
            admission::stamps(template::NAMESPACE),
            Some(Only::Serves(admission::mutation::NEEDS)),
        ),
        ("admission.yaml", admission::objects(template::NAMESPACE), None),
        ("deployments.yaml", deployment::objects(), None),
        ("enrolment.yaml", enrolment(), Some(Only::Enrolment)),
    ]
    .into_iter()
    .map(|(file, objects, only)| Ok(Template { file, text: template::documents(&objects)?, only }))
    .collect()
}

/// What there is only where enrolment is served.
fn enrolment() -> Vec<Value> {
    let mut objects = rbac::process::enrolment(template::NAMESPACE);
    objects.push(deployment::enrolment());
    objects
}

/// Helm upgrades a definition that is a template, and with this doesn't delete it, and with it
/// every grant, when the release is uninstalled.
fn kept(mut definition: Value) -> Value {
    definition["metadata"]["annotations"]["helm.sh/resource-policy"] = "keep".into();
    definition["metadata"]["labels"] = super::labels();
    definition
}

/// The chart's generated files.
pub fn files() -> Result<Vec<GeneratedFile>, GenerateError> {
    let mut files = vec![GeneratedFile { path: format!("{FOLDER}/Chart.yaml"), contents: chart() }];
    files.extend(templates()?.iter().map(|template| GeneratedFile {
        path: format!("{FOLDER}/templates/{}", template.file),
        contents: template::only_where(
            template.only.map(Only::condition).as_deref(),
            &template::for_helm(&template.text),
        ),
    }));
    Ok(files)
}

fn chart() -> String {
    format!(
        "{HEADER}apiVersion: v2\nname: comity\ndescription: {}\ntype: application\nversion: {VERSION}\n\
         appVersion: \"{VERSION}\"\nkubeVersion: \">=1.33.0-0\"\n",
        env!("CARGO_PKG_DESCRIPTION"),
    )
}
