//! Counts the requests that change something, where they leave the process: what isn't sent from
//! here isn't counted, and what is can't be left out.

use std::task::{Context, Poll};

use http::{Method, Request, header};
use tower::{Layer, Service};

use super::metric::{Metrics, Verb};

/// What isn't counted (promise P8): leases are renewed, events are for people, and a review
/// changes nothing.
pub const UNCOUNTED: [&str; 6] = [
    "leases",
    "events",
    "subjectaccessreviews",
    "localsubjectaccessreviews",
    "selfsubjectaccessreviews",
    "tokenreviews",
];

/// What a request does, if it counts.
fn verb<B>(request: &Request<B>) -> Option<Verb> {
    if UNCOUNTED.contains(&resource(request.uri().path())) {
        return None;
    }
    let content = request.headers().get(header::CONTENT_TYPE).map(header::HeaderValue::as_bytes);
    let applies = content.is_some_and(|content| content.starts_with(b"application/apply-patch"));
    match *request.method() {
        Method::POST => Some(Verb::Create),
        Method::PATCH if applies => Some(Verb::Apply),
        Method::PATCH | Method::PUT => Some(Verb::Update),
        Method::DELETE => Some(Verb::Delete),
        _ => None,
    }
}

/// The resource in a path of the API: `/apis/<group>/<version>/[namespaces/<name>/]<resource>/…`.
fn resource(path: &str) -> &str {
    let mut parts = path.trim_start_matches('/').split('/');
    let before = if parts.next() == Some("apis") { 2 } else { 1 };
    let rest: Vec<&str> = parts.skip(before).collect();
    match rest.as_slice() {
        ["namespaces", _, resource, ..] | [resource, ..] => resource,
        [] => "",
    }
}

impl<S> Layer<S> for Metrics {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Counted { inner, metrics: self.clone() }
    }
}

/// A client's service whose requests are counted.
#[derive(Clone, Debug)]
pub struct Counted<S> {
    inner: S,
    metrics: Metrics,
}

impl<S, B> Service<Request<B>> for Counted<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if let Some(verb) = verb(&request) {
            self.metrics.requested(verb);
        }
        self.inner.call(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: &str, path: &str, content: &str) -> Option<Verb> {
        let request = Request::builder().method(method).uri(path).header("Content-Type", content).body(());
        verb(&request.unwrap())
    }

    #[test]
    fn what_changes_something_counts_as_what_it_is() {
        let apply = "application/apply-patch+yaml";
        let pods = "/api/v1/namespaces/n/pods";
        assert_eq!(of("POST", pods, "application/json"), Some(Verb::Create));
        assert_eq!(of("PATCH", "/api/v1/namespaces/n", apply), Some(Verb::Apply));
        assert_eq!(of("PATCH", "/apis/comity.dev/v1alpha1/partners/p/status", apply), Some(Verb::Apply));
        assert_eq!(of("PATCH", pods, "application/merge-patch+json"), Some(Verb::Update));
        assert_eq!(of("PUT", pods, "application/json"), Some(Verb::Update));
        assert_eq!(of("DELETE", pods, "application/json"), Some(Verb::Delete));
        assert_eq!(of("GET", pods, "application/json"), None);
    }

    #[test]
    fn events_leases_and_reviews_dont_count_but_what_is_called_so_does() {
        for path in [
            "/api/v1/namespaces/n/events",
            "/apis/events.k8s.io/v1/namespaces/n/events/one",
            "/apis/coordination.k8s.io/v1/namespaces/n/leases/one",
            "/apis/authorization.k8s.io/v1/subjectaccessreviews",
        ] {
            assert_eq!(of("POST", path, "application/json"), None, "{path}");
        }
        for path in ["/api/v1/namespaces/events/pods", "/apis/comity.dev/v1alpha1/partners/leases"] {
            assert_eq!(of("POST", path, "application/json"), Some(Verb::Create), "{path}");
        }
    }
}
