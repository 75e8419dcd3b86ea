//! Asking the API server who may do what.

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::{Api, api::PostParams};

use super::{Cluster, identity::service_account_groups};
use crate::Result;

impl Cluster {
    /// Whether RBAC lets `user` do `verb` on `resource`, in `namespace` or (`None`) everywhere.
    ///
    /// `resource` is a plural, with its group and subresource where it has them: `pods`,
    /// `pods/exec`, `partnergrants.comity.dev/status`. A ServiceAccount brings its groups.
    pub async fn can(&self, user: &str, verb: &str, resource: &str, namespace: Option<&str>) -> Result<bool> {
        let mut groups = vec!["system:authenticated".to_owned()];
        if let Some(account) = user.strip_prefix("system:serviceaccount:") {
            let home = account.split(':').next().unwrap_or_default();
            groups.extend(service_account_groups(home));
        }
        self.can_in_groups(user, &groups, verb, resource, namespace).await
    }

    /// As [`Cluster::can`], for a user in exactly these groups.
    pub async fn can_in_groups(
        &self,
        user: &str,
        groups: &[String],
        verb: &str,
        resource: &str,
        namespace: Option<&str>,
    ) -> Result<bool> {
        let (resource, subresource) = match resource.split_once('/') {
            Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
            None => (resource, None),
        };
        let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
        let attributes = ResourceAttributes {
            verb: Some(verb.to_owned()),
            group: Some(group.to_owned()),
            resource: Some(resource.to_owned()),
            subresource,
            namespace: namespace.map(str::to_owned),
            ..ResourceAttributes::default()
        };
        let spec = SubjectAccessReviewSpec {
            user: Some(user.to_owned()),
            groups: Some(groups.to_vec()),
            resource_attributes: Some(attributes),
            ..SubjectAccessReviewSpec::default()
        };
        let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
        let answer = Api::all(self.client()).create(&PostParams::default(), &review).await?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }
}
