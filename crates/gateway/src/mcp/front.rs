//! Bytes in: read strictly, say who calls and which era is spoken, hand on. The methods of `provost_mcp::methods`
//! decide what becomes of a message; everything that is not in that table is refused there.

use super::{
    answer,
    ask::Parked,
    connection::Connections,
    replay::Finished,
    session::Sessions,
    tasks::{EXTENSION, Tasks},
    wait,
};
use crate::{
    act::Places,
    approval::{Held, Uses},
    bounds,
    hosts::Hosts,
    identify::{Asked, Caller},
    pipeline::Pipeline,
    refusal::Refusal,
};
use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, Response, StatusCode},
    routing::post,
};
use bytes::Bytes;
use provost_domain::System;
use provost_mcp::{
    Era, Limits, Message, RequestId, Revision, RpcError,
    era::{Spoken, spoken},
    headers::{Headers, check_standard},
};
use provost_replica::View;
use std::sync::Arc;

/// The MCP face of a node.
pub struct Front {
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) connections: Connections,
    pub(super) sessions: Sessions,
    pub(super) parked: Parked,
    pub(super) places: Places,
    pub(super) finished: Finished,
    pub(super) tasks: Tasks,
    prompted: wait::Prompted,
    hosts: Arc<Hosts>,
    limits: Limits,
    upstream_limits: Limits,
}

/// What the face is built from.
pub struct FrontParts {
    /// Decides, records, acts.
    pub pipeline: Arc<Pipeline>,
    /// The names this plane is served under.
    pub hosts: Arc<Hosts>,
}

/// Who sends a request, as the view has it, and to which system; to all, if to none.
type Admitted = (Arc<View>, Caller, Option<Arc<System>>);

/// One message with what is known about its sender.
pub(super) struct Inbound<'a> {
    pub view: Arc<View>,
    pub caller: Caller,
    /// `None` at the address of all systems.
    pub system: Option<Arc<System>>,
    pub headers: &'a HeaderMap,
    pub body: Bytes,
    pub revision: Revision,
    /// What the client can do for a call that waits.
    pub can: wait::Can,
    /// Which approvals a call may use up. One named alone is the plane's own making of that call: no client's headers come
    /// with it.
    pub uses: Uses,
}

impl Inbound<'_> {
    /// The same, with another message of the same kind.
    pub(super) fn saying(&self, body: Bytes) -> Self {
        Self {
            view: Arc::clone(&self.view),
            caller: self.caller.clone(),
            system: self.system.clone(),
            headers: self.headers,
            body,
            revision: self.revision,
            can: self.can.clone(),
            uses: self.uses.clone(),
        }
    }
}

impl Front {
    /// The face.
    #[must_use]
    pub fn new(parts: FrontParts) -> Arc<Self> {
        let of_plane = &parts.pipeline.limits;
        Arc::new(Self {
            connections: Connections::new(Arc::clone(&parts.pipeline)),
            sessions: Sessions::new(of_plane.sessions_max),
            parked: Parked::new(),
            places: Places::new(of_plane),
            finished: Finished::new(),
            tasks: Tasks::new(),
            prompted: wait::Prompted::new(),
            limits: bounds::of_clients(of_plane),
            upstream_limits: bounds::of_systems(of_plane),
            hosts: parts.hosts,
            pipeline: parts.pipeline,
        })
    }

    /// The routes.
    pub fn router(self: &Arc<Self>) -> Router {
        let methods = || post(on_post).get(on_get).delete(on_delete);
        Router::new().route("/mcp", methods()).route("/mcp/{system}", methods()).with_state(Arc::clone(self))
    }

    /// Bounds on what clients send.
    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Bounds on what systems send.
    pub(super) fn upstream_limits(&self) -> &Limits {
        &self.upstream_limits
    }

    /// One POST, whole.
    async fn post(
        self: &Arc<Self>,
        system: Option<String>,
        headers: HeaderMap,
        body: Body,
    ) -> Response<Body> {
        let guess = guessed_revision(&headers);
        let mut told = Told { id: None, method: String::new(), revision: guess, can: wait::Can::default() };
        match self.read(system.as_deref(), &headers, body, &mut told).await {
            Ok(response) => response,
            Err(refusal) => self.refuse(&refusal, &told, system.as_deref()),
        }
    }

    /// Who sends this, to which system, told from the headers alone.
    fn admit(&self, system: Option<&str>, headers: &HeaderMap) -> Result<Admitted, Refusal> {
        self.hosts.check(headers)?;
        let (view, caller) = self.pipeline.admit(&asked(headers, "POST", &path_of(system), system))?;
        let system = system.map(|name| reachable(&view, &caller, name)).transpose()?;
        Ok((view, caller, system))
    }

    async fn read(
        self: &Arc<Self>,
        system: Option<&str>,
        headers: &HeaderMap,
        body: Body,
        told: &mut Told,
    ) -> Result<Response<Body>, Refusal> {
        let (view, caller, system) = self.admit(system, headers)?;
        let body = super::body::read(headers, body, self.limits.message_bytes_max).await?;
        let bytes = body.clone();
        let message = Message::parse(&bytes, &self.limits).map_err(|error| {
            told.id.clone_from(&error.id);
            Refusal::Protocol(error.to_rpc())
        })?;
        let stripped = wait::stripped(&message);
        let (message, body) = match &stripped {
            Some(bytes) => {
                let again = Message::parse(bytes, &self.limits);
                (again.map_err(|error| Refusal::Protocol(error.to_rpc()))?, bytes.clone())
            }
            None => (message, body),
        };
        told.id = message.id().cloned();
        told.method = message.method().unwrap_or_default().to_owned();
        let pairs: Headers<'_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let header = pairs.one(provost_mcp::headers::PROTOCOL_VERSION)?;
        agrees(&message, header)?;
        let spoken = spoken(&message, header)?;
        let revision = match &spoken {
            Spoken::Modern(meta) => meta.revision,
            Spoken::ModernBare(revision) | Spoken::Initialize { revision, .. } => *revision,
            Spoken::Legacy(named) => named.unwrap_or(Revision::V2025_06_18),
        };
        told.revision = revision;
        if let Message::Request(request) = &message {
            told.can.listens = request.meta().is_some_and(|meta| meta.get("progressToken").is_some());
        }
        if let Spoken::Modern(meta) = &spoken {
            told.can.task = meta.declares(&["extensions", EXTENSION]).then_some(caller.task.expires);
            if stripped.is_none() && meta.declares(&["elicitation", "url"]) {
                told.can.page = wait::Page::ComeBack;
            }
        }
        let (can, uses) = (told.can.clone(), Uses::Any);
        let mut inbound = Inbound { view, caller, system, headers, body, revision, can, uses };
        match spoken {
            Spoken::Initialize { revision, .. } => match &message {
                Message::Request(request) => self.initialize(&inbound, request, revision).await,
                _ => Err(RpcError::invalid_request("`initialize` is a request").into()),
            },
            Spoken::Modern(_) | Spoken::ModernBare(_) => {
                check_standard(&message, &pairs)?;
                self.modern(&inbound, &message).await
            }
            Spoken::Legacy(named) => {
                let session = self.session(&inbound)?;
                inbound.revision = named.unwrap_or(session.client().revision);
                told.revision = inbound.revision;
                if inbound.revision == Revision::V2025_11_25
                    && wait::opens_pages(&session.client().capabilities)
                {
                    told.can.page = wait::Page::CallAgain(Arc::clone(&session));
                    inbound.can = told.can.clone();
                }
                self.legacy(&inbound, &message, session).await
            }
        }
    }

    /// Whether a held call of this client is kept open: it listens, and there is nothing better to answer it with.
    pub(super) fn listens(&self, inbound: &Inbound<'_>, method: &str, held: &Held) -> bool {
        inbound.can.listens && !self.prompted.has_better(held, method, &inbound.can)
    }

    fn refuse(&self, refusal: &Refusal, told: &Told, system: Option<&str>) -> Response<Body> {
        self.pipeline.journal.refused("mcp", refusal);
        self.pipeline.metrics.refused(refusal);
        if let (Refusal::Held(held), Some(id)) = (refusal, &told.id)
            && let Some((status, body)) = self.prompted.answer(held, id, &told.method, &told.can)
        {
            return answer::json(status, body);
        }
        let url = crate::metadata::url_of(self.pipeline.identifier.resource(), system);
        answer::refused(refusal, told.id.as_ref(), &told.method, told.revision, &url)
    }
}

/// What is known of a message when it is refused.
struct Told {
    id: Option<RequestId>,
    method: String,
    revision: Revision,
    /// What its client can do for a call that waits.
    can: wait::Can,
}

async fn on_post(
    State(front): State<Arc<Front>>,
    system: Option<Path<String>>,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    front.post(system.map(|Path(name)| name), headers, body).await
}

async fn on_get(
    State(front): State<Arc<Front>>,
    system: Option<Path<String>>,
    headers: HeaderMap,
) -> Response<Body> {
    let system = system.map(|Path(name)| name);
    let told = Told {
        id: None,
        method: String::new(),
        revision: guessed_revision(&headers),
        can: wait::Can::default(),
    };
    match front.open_events(system.as_deref(), &headers).await {
        Ok(response) => response,
        Err(refusal) => front.refuse(&refusal, &told, system.as_deref()),
    }
}

async fn on_delete(
    State(front): State<Arc<Front>>,
    system: Option<Path<String>>,
    headers: HeaderMap,
) -> Response<Body> {
    let system = system.map(|Path(name)| name);
    let told = Told {
        id: None,
        method: String::new(),
        revision: guessed_revision(&headers),
        can: wait::Can::default(),
    };
    match front.inbound("DELETE", system.as_deref(), &headers).and_then(|inbound| front.session(&inbound)) {
        Ok(session) => {
            front.sessions.remove(&session.id);
            answer::empty(StatusCode::NO_CONTENT)
        }
        Err(refusal) => front.refuse(&refusal, &told, system.as_deref()),
    }
}

impl Front {
    /// The sender of a GET or DELETE.
    pub(super) fn inbound<'h>(
        &self,
        method: &str,
        system: Option<&str>,
        headers: &'h HeaderMap,
    ) -> Result<Inbound<'h>, Refusal> {
        self.hosts.check(headers)?;
        if guessed_revision(headers).era() == Era::Modern {
            let gone =
                RpcError::invalid_request("this revision has POST only; listen with `subscriptions/listen`");
            return Err(gone.with_status(405).into());
        }
        let (view, caller) = self.pipeline.admit(&asked(headers, method, &path_of(system), system))?;
        let system = system.map(|name| reachable(&view, &caller, name)).transpose()?;
        let (body, revision) = (Bytes::new(), guessed_revision(headers));
        let (can, uses) = (wait::Can::default(), Uses::Any);
        Ok(Inbound { view, caller, system, headers, body, revision, can, uses })
    }
}

/// The system of this name, if the caller's charter reaches it: what it does not reach, it is not told about.
pub(crate) fn reachable(view: &View, caller: &Caller, name: &str) -> Result<Arc<System>, Refusal> {
    let system = view
        .directory
        .systems
        .get(name)
        .filter(|system| caller.agent.charter.systems().contains(&system.name));
    system.cloned().ok_or_else(|| Refusal::UnknownSystem(name.chars().take(64).collect()))
}

fn path_of(system: Option<&str>) -> String {
    system.map_or_else(|| "/mcp".to_owned(), |system| format!("/mcp/{system}"))
}

fn asked<'a>(headers: &'a HeaderMap, method: &'a str, path: &'a str, system: Option<&'a str>) -> Asked<'a> {
    Asked { headers, method, path, system }
}

/// That header and body name the same revision comes before the question whether it is served.
fn agrees(message: &Message<'_>, header: Option<&str>) -> Result<(), RpcError> {
    let meta = message.params().and_then(|params| params.object("_meta"));
    let named = meta.and_then(|meta| meta.string(provost_mcp::era::META_PROTOCOL_VERSION));
    match (named, header) {
        (Some(named), Some(header)) if named != header => Err(RpcError::header_mismatch(
            "`MCP-Protocol-Version` and the request's `_meta` name different revisions",
        )),
        (_named, _header) => Ok(()),
    }
}

fn guessed_revision(headers: &HeaderMap) -> Revision {
    answer::header_text(headers, "mcp-protocol-version")
        .and_then(Revision::parse)
        .unwrap_or(Revision::V2025_06_18)
}
