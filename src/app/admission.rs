//! Which of Comity's own admission policies have to be in force, by what the API server has.
#![expect(clippy::disallowed_types, reason = "the client is made by the composition root")]

use kube::Client;

use crate::cluster::admission::Admission;
use crate::cluster::asking::stamps_are_served;

/// What has to be in force of admission: also what stamps, where the API server can.
pub(super) async fn required(client: &Client, system: &str) -> Admission {
    let admission = Admission::of(system);
    match stamps_are_served(client).await {
        Ok(true) => admission.with_stamps(system),
        Ok(false) => admission,
        Err(error) => {
            tracing::warn!(%error, "nobody knows whether the API server can stamp who decides: that isn't looked at");
            admission
        }
    }
}
