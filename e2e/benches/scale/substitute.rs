//! A recorded request, made to speak of another grant.

use super::recorded::{Recorded, Request};

/// Of whom the requests speak instead.
#[derive(Clone, Debug)]
pub struct Substitute {
    words: Vec<(String, String)>,
    uid: String,
}

impl Substitute {
    /// Instead of the recorded grant, one with this name and UID; `number` makes names unique that
    /// are derived from the grant.
    pub fn new(recorded: &Recorded, name: &str, uid: &str, number: usize) -> Self {
        let old = &recorded.grant;
        let mut words = vec![
            (old.namespace.clone(), namespace(old, name, number)),
            (old.uid.clone(), uid.to_owned()),
            (old.name.clone(), name.to_owned()),
        ];
        let told = recorded.requests.iter().flat_map(|request| [&request.uri, &request.body]);
        let derived = told.filter_map(|told| ingress_policy(told));
        words.extend(derived.map(|old| (old.to_owned(), renamed(old, number))));
        Self { words, uid: uid.to_owned() }
    }

    /// The request, speaking of the other.
    pub fn apply(&self, request: &Request) -> Request {
        let mut request = request.clone();
        for (old, new) in &self.words {
            request.uri = request.uri.replace(old, new);
            request.body = request.body.replace(old, new);
        }
        if request.method != "POST" {
            request.body = self.without_version(&request.body);
        }
        request
    }

    /// A body that insists on no version, and on no UID but that of the other grant: they were another object's.
    fn without_version(&self, body: &str) -> String {
        let Ok(mut value) = serde_json::from_str::<serde_json::Value>(body) else { return body.to_owned() };
        if let Some(metadata) = value["metadata"].as_object_mut() {
            metadata.remove("resourceVersion");
            if metadata.get("uid").is_some_and(|uid| uid.as_str() != Some(&self.uid)) {
                metadata.remove("uid");
            }
        }
        value.to_string()
    }
}

/// The namespace of the other grant's stage: the old one's with its name and a hash of its own.
fn namespace(old: &super::opening::Opened, name: &str, number: usize) -> String {
    let renamed_in_it = old.namespace.replace(&old.name, name);
    renamed(&renamed_in_it, number)
}

/// A name with its last eight characters, which are a hash, replaced.
fn renamed(name: &str, number: usize) -> String {
    let (kept, _) = name.split_at(name.len().saturating_sub(8));
    format!("{kept}{number:08x}")
}

/// The name of a policy in the dataset's namespace, which is a hash alone.
fn ingress_policy(told: &str) -> Option<&str> {
    let rest = told.get(told.find("comity-from-")?..)?;
    rest.split(['?', '/', '"']).next()
}
