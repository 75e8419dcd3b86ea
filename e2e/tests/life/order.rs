//! What Comity wrote for a story, and in which order, by the API server's own audit log.

use comity::api::name;
use e2e::cluster::Write;
use e2e::{Cluster, Result};

use super::story::Story;

/// The user names of Comity's processes.
pub fn processes() -> [String; 3] {
    [name::RUN, name::SIGN, name::REHEARSE]
        .map(|account| format!("system:serviceaccount:{}:{account}", name::DEFAULT_SYSTEM_NAMESPACE))
}

/// Everything that Comity wrote, in the order in which the API server took it.
pub fn all_writes(cluster: &Cluster) -> Result<Vec<Write>> {
    let mut writes = Vec::new();
    for process in processes() {
        writes.extend(cluster.audit_writes(&process)?);
    }
    writes.sort_by(|one, other| one.at.cmp(&other.at));
    Ok(writes)
}

/// Everything that Comity wrote in a story's own namespace and in the places of its stages.
pub fn writes(story: &Story, places: &[&str]) -> Result<Vec<Write>> {
    let concerns = |write: &Write| {
        let here = |place: &str| write.namespace == place || write.name == place;
        here(&story.namespace) || places.iter().any(|place| here(place))
    };
    Ok(all_writes(&story.cluster)?.into_iter().filter(concerns).collect())
}

/// One write in short: `create resourcequotas comity`.
pub fn short(write: &Write) -> String {
    format!("{} {} {}", write.verb, write.resource, write.name).trim_end().to_owned()
}

/// The place in the order of the first write that starts like this and was taken.
pub fn first(writes: &[Write], start: &str) -> Option<usize> {
    writes.iter().position(|write| write.code < 300 && short(write).starts_with(start))
}

/// The place in the order of the last write that starts like this and was taken.
pub fn last(writes: &[Write], start: &str) -> Option<usize> {
    writes.iter().rposition(|write| write.code < 300 && short(write).starts_with(start))
}
