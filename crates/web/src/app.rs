//! The routes, and what their handlers share.

use crate::{
    access_review, agent, approval, baseline, channel, connector, containment, credential, decision,
    document, door,
    door::Hosts,
    drill, finding, home, identity, issuer, ledger, oauth, pages, passkey, plan, plane, policy,
    problem::{Refusal, no_such_method, no_such_path},
    proposal, quality, rule, scim, search, ssf, system, task,
};
use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderMap, Method, StatusCode, header::ACCEPT},
    response::{IntoResponse, Response},
};
use provost_control::Plane;
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// What handlers share.
#[derive(Clone)]
pub struct App {
    /// The plane.
    pub plane: Arc<Plane>,
    /// The OpenAPI document as text.
    pub(crate) document: Arc<str>,
    /// Pages that are open, and want to hear that something moved.
    pub(crate) live: Arc<pages::Live>,
}

impl App {
    /// An application over this plane.
    ///
    /// # Errors
    /// When the OpenAPI document cannot be written, which a test rules out.
    pub fn new(plane: Arc<Plane>) -> Result<Self, serde_json::Error> {
        Ok(Self { plane, document: document::document_text()?.into(), live: Arc::default() })
    }
}

/// Every route of this crate and those of `beside` (the gateway's; without a fallback), behind one door that checks
/// `Host` and `Origin` and names each request.
pub fn router(app: App, hosts: Hosts, beside: Router) -> Router {
    let body_bytes_max = app.plane.limits.body_bytes_max;
    let (ours, _document) = routes(body_bytes_max).split_for_parts();
    let nowhere = app.clone();
    let nowhere = async move |method: Method, headers: HeaderMap| match wants_page(&method, &headers) {
        true => pages::nowhere(&nowhere, &headers),
        false => no_such_path().await.into_response(),
    };
    let ours = ours
        .merge(pages::routes())
        .merge(ssf::routes())
        .merge(scim::routes())
        .with_state(app)
        .method_not_allowed_fallback(no_such_method);
    door::door(ours.merge(beside).fallback(nowhere), hosts)
}

/// Whether a browser asks, for somebody to read.
fn wants_page(method: &Method, headers: &HeaderMap) -> bool {
    let accepts = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    *method == Method::GET && accepts.contains("text/html")
}

/// The routes, and with them the OpenAPI document.
pub(crate) fn routes(body_bytes_max: usize) -> OpenApiRouter<App> {
    let small = OpenApiRouter::new()
        .routes(routes!(plane::status))
        .routes(routes!(search::search))
        .routes(routes!(plane::fsck))
        .routes(routes!(plane::backup))
        .routes(routes!(agent::agent_list, agent::agent_create))
        .routes(routes!(agent::agent_show, agent::agent_update))
        .routes(routes!(agent::agent_restrict))
        .routes(routes!(agent::agent_demote))
        .routes(routes!(agent::agent_standing))
        .routes(routes!(agent::agent_promote))
        .routes(routes!(agent::agent_attest))
        .routes(routes!(agent::agent_accept))
        .routes(routes!(agent::agent_move))
        .routes(routes!(oauth::agent_key_add))
        .routes(routes!(oauth::agent_key_remove))
        .routes(routes!(agent::agent_proof_add, agent::agent_proof_remove))
        .routes(routes!(oauth::keys_rotate))
        .routes(routes!(task::task_list, task::task_start))
        .routes(routes!(task::task_show))
        .routes(routes!(task::task_end))
        .routes(routes!(task::task_token))
        .routes(routes!(approval::approval_list))
        .routes(routes!(quality::approval_quality))
        .routes(routes!(approval::approval_groups))
        .routes(routes!(approval::approval_answer_all))
        .routes(routes!(approval::approval_show))
        .routes(routes!(approval::approval_eligible))
        .routes(routes!(approval::approval_approve))
        .routes(routes!(approval::approval_refuse))
        .routes(routes!(approval::approval_edit))
        .routes(routes!(approval::approval_statement))
        .routes(routes!(approval::approval_withdraw))
        .routes(routes!(approval::envelope_grant))
        .routes(routes!(approval::envelope_list))
        .routes(routes!(approval::envelope_revoke))
        .routes(routes!(approval::person_away))
        .routes(routes!(baseline::baseline_list))
        .routes(routes!(baseline::baseline_agree))
        .routes(routes!(baseline::baseline_reset))
        .routes(routes!(finding::finding_list))
        .routes(routes!(finding::finding_show))
        .routes(routes!(finding::finding_acknowledge))
        .routes(routes!(finding::finding_close))
        .routes(routes!(finding::finding_suppress))
        .routes(routes!(proposal::proposal_list))
        .routes(routes!(proposal::proposal_show))
        .routes(routes!(proposal::proposal_eligible))
        .routes(routes!(proposal::proposal_approve))
        .routes(routes!(proposal::proposal_statement))
        .routes(routes!(proposal::proposal_refuse))
        .routes(routes!(proposal::proposal_withdraw))
        .routes(routes!(access_review::review_list, access_review::review_open))
        .routes(routes!(access_review::review_show))
        .routes(routes!(access_review::review_answer))
        .routes(routes!(containment::containment_list, containment::containment_order))
        .routes(routes!(containment::containment_dry_run))
        .routes(routes!(containment::containment_show))
        .routes(routes!(containment::containment_evidence))
        .routes(routes!(containment::containment_lift))
        .routes(routes!(containment::containment_statement))
        .routes(routes!(containment::containment_keep))
        .routes(routes!(containment::containment_settle))
        .routes(routes!(drill::drill_list, drill::drill_run))
        .routes(routes!(drill::drill_show))
        .routes(routes!(rule::rule_list))
        .routes(routes!(rule::rule_test))
        .routes(routes!(system::system_list))
        .routes(routes!(system::system_show, system::system_remove))
        .routes(routes!(system::system_repin))
        .routes(routes!(system::tool_list))
        .routes(routes!(credential::credential_list))
        .routes(routes!(credential::credential_set, credential::credential_delete))
        .routes(routes!(channel::channel_list))
        .routes(routes!(channel::channel_show))
        .routes(routes!(channel::channel_test))
        .routes(routes!(channel::delivery_list))
        .routes(routes!(channel::delivery_show))
        .routes(routes!(channel::delivery_retry))
        .routes(routes!(channel::stream_list))
        .routes(routes!(identity::person_list))
        .routes(routes!(identity::person_show))
        .routes(routes!(identity::person_link, identity::person_unlink))
        .routes(routes!(passkey::person_invite))
        .routes(routes!(passkey::passkey_list, passkey::passkey_add))
        .routes(routes!(passkey::passkey_begin))
        .routes(routes!(passkey::passkey_rename))
        .routes(routes!(passkey::passkey_remove))
        .routes(routes!(passkey::session_list))
        .routes(routes!(passkey::session_end))
        .routes(routes!(issuer::issuer_list))
        .routes(routes!(issuer::issuer_show))
        .routes(routes!(connector::connector_list))
        .routes(routes!(connector::connector_show))
        .routes(routes!(connector::connector_token, connector::connector_revoke))
        .routes(routes!(connector::connector_link))
        .routes(routes!(connector::connector_unlink))
        .routes(routes!(identity::workload_list))
        .routes(routes!(identity::workload_show))
        .routes(routes!(identity::workload_token))
        .routes(routes!(decision::decision_list))
        .routes(routes!(decision::decision_tally))
        .routes(routes!(decision::decision_show))
        .routes(routes!(decision::decision_why))
        .routes(routes!(policy::policy_list))
        .routes(routes!(policy::policy_schema))
        .routes(routes!(ledger::ledger_show))
        .routes(routes!(ledger::ledger_proof))
        .routes(routes!(ledger::ledger_export))
        .layer(DefaultBodyLimit::max(body_bytes_max));
    let with_files = OpenApiRouter::new()
        .routes(routes!(system::system_import))
        .routes(routes!(plan::plan))
        .routes(routes!(plan::apply))
        .routes(routes!(policy::policy_check))
        .routes(routes!(policy::policy_test))
        .layer(DefaultBodyLimit::max(FILES_BODY_BYTES_MAX));
    let open = OpenApiRouter::with_openapi(document::frame())
        .routes(routes!(home::home))
        .routes(routes!(document::openapi))
        .routes(routes!(oauth::jwks))
        .routes(routes!(oauth::issuer_metadata))
        .routes(routes!(oauth::openid_configuration))
        .routes(routes!(oauth::token))
        .routes(routes!(oauth::revoke))
        .routes(routes!(oauth::introspect))
        .routes(routes!(plane::healthz))
        .routes(routes!(plane::readyz))
        .routes(routes!(plane::metrics));
    open.nest("/api/v1", small.merge(with_files))
}

/// A JSON answer, or the problem instead.
pub(crate) type Answer<T> = Result<axum::Json<T>, Refusal>;

/// The same, of a change that may have to wait for people: then it is 202 and the proposal.
pub(crate) type Proposed<T> = Result<Outcome<T>, Refusal>;

/// What became of a change.
pub(crate) struct Outcome<T>(provost_control::plan::Outcome<T>);

impl<T> From<provost_control::plan::Outcome<T>> for Outcome<T> {
    fn from(outcome: provost_control::plan::Outcome<T>) -> Self {
        Self(outcome)
    }
}

impl<T: serde::Serialize> IntoResponse for Outcome<T> {
    fn into_response(self) -> Response {
        match self.0 {
            provost_control::plan::Outcome::Done(view) => axum::Json(view).into_response(),
            provost_control::plan::Outcome::Waits(proposal) => {
                (StatusCode::ACCEPTED, axum::Json(proposal)).into_response()
            }
        }
    }
}

/// Bytes of a request that carries the files of an organisation.
const FILES_BODY_BYTES_MAX: usize = 64 << 20;
