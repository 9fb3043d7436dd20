//! The metadata document (AuthZEN 1.0, Policy Decision Point Metadata). It says what is there and nothing else.

use super::{Answer, Authzen};
use http::HeaderMap;
use serde_json::json;

impl Authzen {
    pub(super) fn discover(&self, headers: &HeaderMap) -> Answer {
        if let Err(refusal) = self.hosts.check(headers) {
            return self.refused(&refusal);
        }
        let url = &self.public_url;
        Answer::ok(json!({
            "policy_decision_point": url,
            "access_evaluation_endpoint": format!("{url}/access/v1/evaluation"),
            "access_evaluations_endpoint": format!("{url}/access/v1/evaluations"),
            "search_subject_endpoint": format!("{url}/access/v1/search/subject"),
            "search_resource_endpoint": format!("{url}/access/v1/search/resource"),
            "search_action_endpoint": format!("{url}/access/v1/search/action"),
            "access_request_endpoint": format!("{url}/access/v1/requests"),
            "capabilities": ["urn:openid:authzen:capability:access-request"],
        }))
    }
}
