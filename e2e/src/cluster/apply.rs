//! Applying YAML as a user would: several documents, any kind, server-side.

use std::{collections::HashMap, path::Path};

use kube::{
    Api, ResourceExt as _,
    api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams},
    core::GroupVersionKind,
    discovery::{self, ApiCapabilities, Scope},
};
use serde_json::Value;

use super::{Cluster, SOON};
use crate::{Error, Explain as _, Result, eventually};

/// The field manager of what a story applies.
pub const MANAGER: &str = "platform";

/// What discovery said about the kinds of one file.
type Kinds = HashMap<GroupVersionKind, (ApiResource, ApiCapabilities)>;

impl Cluster {
    /// Applies every document of a file; see [`Cluster::apply_yaml`].
    pub async fn apply(&self, file: &Path) -> Result<Vec<DynamicObject>> {
        let text = std::fs::read_to_string(file).explain(format!("read {}", file.display()))?;
        self.apply_yaml(&text).await.explain(format!("apply {}", file.display()))
    }

    /// Applies every document of `text`, server-side, as this identity: definitions of kinds
    /// first, and namespaces next, the rest in its order. What has no namespace goes to `default`.
    ///
    /// Stops at the first refusal ([`Error::refusal`]). Kinds that are defined are served when
    /// it returns.
    pub async fn apply_yaml(&self, text: &str) -> Result<Vec<DynamicObject>> {
        let mut objects = parse(text)?;
        objects.sort_by_key(precedence);
        let defined = objects.partition_point(|object| precedence(object) == 0);
        let rest = objects.split_off(defined);
        let (mut kinds, mut applied) = (Kinds::new(), Vec::new());
        for object in &objects {
            applied.push(self.apply_one(object, &mut kinds).await?);
        }
        for object in &objects {
            self.await_established(object, &mut kinds).await?;
        }
        for object in &rest {
            applied.push(self.apply_one(object, &mut kinds).await?);
        }
        Ok(applied)
    }

    /// Deletes every object that a text names, the last first; neither an object nor a kind that
    /// isn't there is an error.
    pub async fn delete_yaml(&self, text: &str) -> Result<()> {
        for object in parse(text)?.iter().rev() {
            let kind = kind_of(object)?;
            let Ok(found) = discovery::pinned_kind(&self.client, &kind).await else { continue };
            let api = self.api_in(object, &found);
            match api.delete(&object.name_any(), &DeleteParams::background()).await {
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                answer => drop(answer?),
            }
        }
        Ok(())
    }

    /// Those of a text's objects that are there, as `Kind name`.
    pub async fn existing(&self, text: &str) -> Result<Vec<String>> {
        let (mut kinds, mut there) = (HashMap::new(), Vec::new());
        for object in parse(text)? {
            let kind = kind_of(&object)?;
            if !kinds.contains_key(&kind) {
                kinds.insert(kind.clone(), discovery::pinned_kind(&self.client, &kind).await.ok());
            }
            // A kind that isn't served has no objects.
            let Some(Some(found)) = kinds.get(&kind) else { continue };
            if self.api_in(&object, found).get_opt(&object.name_any()).await?.is_some() {
                there.push(format!("{} {}", kind.kind, object.name_any()));
            }
        }
        Ok(there)
    }

    /// Every object of a text in its order, each beside the API that serves it: for those who write or
    /// delete the same objects over and over, or in an order of their own.
    pub async fn located(&self, text: &str) -> Result<Vec<(Api<DynamicObject>, DynamicObject)>> {
        let (mut kinds, mut located) = (Kinds::new(), Vec::new());
        for object in parse(text)? {
            located.push((self.api_of(&object, &mut kinds).await?, object));
        }
        Ok(located)
    }

    async fn apply_one(&self, object: &DynamicObject, kinds: &mut Kinds) -> Result<DynamicObject> {
        let api = self.api_of(object, kinds).await?;
        let params = PatchParams::apply(MANAGER).force();
        let kind = object.types.as_ref().map_or("", |types| types.kind.as_str());
        let name = object.name_any();
        let applied = api.patch(&name, &params, &Patch::Apply(object)).await;
        applied.map_err(Error::from).explain(format!("apply {kind} {name}"))
    }

    /// The API for an object's kind, in its namespace.
    async fn api_of(&self, object: &DynamicObject, kinds: &mut Kinds) -> Result<Api<DynamicObject>> {
        let kind = kind_of(object)?;
        if !kinds.contains_key(&kind) {
            let what = format!("{}/{} {} to be served", kind.group, kind.version, kind.kind);
            let found = eventually(&what, SOON, || discovery::pinned_kind(&self.client, &kind)).await?;
            kinds.insert(kind.clone(), found);
        }
        Ok(self.api_in(object, &kinds[&kind]))
    }

    fn api_in(&self, object: &DynamicObject, found: &(ApiResource, ApiCapabilities)) -> Api<DynamicObject> {
        let (resource, capabilities) = found;
        match capabilities.scope {
            Scope::Cluster => Api::all_with(self.client(), resource),
            Scope::Namespaced => {
                let namespace = object.namespace().unwrap_or_else(|| "default".to_owned());
                Api::namespaced_with(self.client(), &namespace, resource)
            }
        }
    }

    async fn await_established(&self, definition: &DynamicObject, kinds: &mut Kinds) -> Result<()> {
        let api = self.api_of(definition, kinds).await?;
        let name = definition.name_any();
        eventually(&format!("{name} to be established"), SOON, || async {
            let live = api.get(&name).await.map_err(|error| error.to_string())?;
            let conditions = &live.data["status"]["conditions"];
            let established =
                |condition: &Value| condition["type"] == "Established" && condition["status"] == "True";
            let served = conditions.as_array().is_some_and(|all| all.iter().any(established));
            if served { Ok(()) } else { Err(conditions.to_string()) }
        })
        .await
    }
}

/// The documents of a text that aren't empty.
fn parse(text: &str) -> Result<Vec<DynamicObject>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).explain("read YAML")?;
    let objects = documents.into_iter().filter(|document| !document.is_null());
    objects.map(|document| serde_json::from_value(document).explain("read an object")).collect()
}

fn kind_of(object: &DynamicObject) -> Result<GroupVersionKind> {
    let types = object.types.as_ref();
    let types = types.ok_or_else(|| Error::Failed(format!("{} has no kind", object.name_any())))?;
    GroupVersionKind::try_from(types).explain(format!("read the apiVersion of {}", object.name_any()))
}

/// What must be there before what.
fn precedence(object: &DynamicObject) -> u8 {
    match object.types.as_ref().map(|types| types.kind.as_str()) {
        Some("CustomResourceDefinition") => 0,
        Some("Namespace") => 1,
        _ => 2,
    }
}
