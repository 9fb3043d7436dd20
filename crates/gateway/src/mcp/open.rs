//! From a request to an exchange under way: which system, what is to be decided, what is sent.

use super::{
    exchange::{Client, Exchange, Source, id_value, read_meta, rewrite},
    front::{Front, Inbound},
    legacy::kept_here,
    list::Listing,
};
use crate::{
    act::{Work, ask},
    approval::Uses,
    decide::Attempt,
    refusal::Refusal,
    subject::{self, Named},
};
use axum::{body::Body, http::Response};
use bytes::Bytes;
use futures::StreamExt as _;
use http::{HeaderName, HeaderValue};
use provost_connect::{ClientProfile, Upstream};
use provost_domain::System;
use provost_mcp::{
    Era, Patch, Request, RpcError,
    headers::Headers,
    methods::Treatment,
    tools::{ListKind, ToolDefinition},
    translate::{mediated_client_capabilities, to_legacy, to_modern},
};
use serde_json::{Map, Value};
use std::{collections::VecDeque, sync::Arc};

/// What a request became.
pub(super) enum Opened {
    /// It is answered.
    Answered(Response<Body>),
    /// It is under way.
    Running(Box<Exchange>),
}

impl Front {
    /// Makes one request ready: answers it here, or asks for a permit and sends it on.
    pub(super) async fn open_exchange(
        self: &Arc<Self>,
        inbound: &Inbound<'_>,
        request: &Request<'_>,
        treatment: Treatment,
        client: Client,
    ) -> Result<Opened, Refusal> {
        if treatment == Treatment::Deny || request.method.starts_with("tasks/") {
            return Err(RpcError::method_not_found(&request.method, inbound.revision.era()).into());
        }
        let Some(system) = inbound.system.clone() else {
            return super::aggregate::open(self, inbound, request, treatment, client).await;
        };
        let profile = self.profile(request, &client);
        let upstream = self.connections.open(&system, &inbound.caller, &profile).await?;
        if let (Client::Legacy(session), Era::Modern) = (&client, upstream.handshake().era())
            && let Some(response) = kept_here(session, request)?
        {
            return Ok(Opened::Answered(response));
        }
        if let (Client::Legacy(session), "logging/setLevel") = (&client, request.method.as_ref())
            && let Ok(to_modern::LegacyRequest::SetLogLevel(level)) = to_modern::plan(request)
        {
            session.set_log_level(level);
        }
        let place = self.places.take(inbound.caller.task.id)?;
        let listing = match ListKind::of_method(&request.method) {
            Some(kind) => Some(self.listing(inbound, &system, kind).await?),
            None => None,
        };
        let (outgoing, mut headers) = self.outgoing(request, &client, &upstream).await?;
        let mut exchange = Exchange {
            front: Arc::clone(self),
            client,
            body: inbound.body.clone(),
            id: request.id.clone(),
            method: request.method.to_string(),
            upstream: Arc::clone(&upstream),
            headers: Vec::new(),
            source: Source::Ended,
            listing,
            ready: VecDeque::new(),
            waiting: super::ask::Waiting::No,
            track: None,
            progressed: None,
        };
        exchange.source = if treatment == Treatment::Decide {
            let (attempt, definition) = self.attempt(inbound, &system, &upstream, request).await?;
            headers.extend(self.mirrored(inbound, definition.as_deref(), &attempt)?);
            exchange.headers.clone_from(&headers);
            let work = Work { upstream, request: outgoing, headers, place };
            match self.pipeline.call(attempt, work).await {
                Ok(running) => Source::Call(Box::new(running)),
                Err(Refusal::Held(held)) => {
                    Source::Held(self.hold_open(inbound, request, held).map_err(Refusal::Held)?)
                }
                Err(refusal) => return Err(refusal),
            }
        } else {
            let watch = self.watched(&inbound.caller, &system.name)?;
            Source::Relay(ask(upstream, outgoing, headers), watch, place)
        };
        Ok(Opened::Running(Box::new(exchange)))
    }

    /// The request in the system's era, under ids of this connection.
    pub(super) async fn outgoing(
        &self,
        request: &Request<'_>,
        client: &Client,
        upstream: &Arc<Upstream>,
    ) -> Result<(Bytes, Vec<(HeaderName, HeaderValue)>), Refusal> {
        let id = upstream.fresh_id();
        let text = match (client, upstream.handshake().era()) {
            (Client::Modern, Era::Legacy) => {
                if let Some(level) = read_meta(request)?.log_level {
                    self.set_level(upstream, &level).await;
                }
                to_legacy::request(request, &id).map_err(rewrite)?
            }
            (Client::Legacy(session), Era::Modern) => {
                to_modern::request(request, &id, &session.client()).map_err(rewrite)?
            }
            (Client::Legacy(_), Era::Legacy) => Patch::new().id(&id).apply(request.raw).map_err(rewrite)?,
            (Client::Modern, Era::Modern) => {
                // Only what this gateway mediates is announced: a system must not count on the rest.
                let meta = read_meta(request)?;
                let mediated = mediated_client_capabilities(&meta.capabilities);
                let patch = Patch::new().id(&id).meta(provost_mcp::era::META_CLIENT_CAPABILITIES, &mediated);
                patch.apply(request.raw).map_err(rewrite)?
            }
        };
        let has_token = request.meta().is_some_and(|meta| meta.get("progressToken").is_some());
        if !has_token {
            return Ok((text.into(), Vec::new()));
        }
        // Two clients of one task may use the same token on what is one connection to the system.
        let raw = provost_mcp::Raw::trusted(&text);
        let text = Patch::new().meta("progressToken", &id_value(&id)).apply(raw).map_err(rewrite)?;
        Ok((text.into(), Vec::new()))
    }

    async fn set_level(&self, upstream: &Upstream, level: &str) {
        let request = to_legacy::set_level(&upstream.fresh_id(), level);
        if let Ok(mut replies) = upstream.request(request.into(), Vec::new()).await {
            while let Some(Ok(_message)) = replies.next().await {}
        }
    }

    /// What the policies are asked about.
    pub(super) async fn attempt(
        &self,
        inbound: &Inbound<'_>,
        system: &Arc<System>,
        upstream: &Arc<Upstream>,
        request: &Request<'_>,
    ) -> Result<(Attempt, Option<Arc<ToolDefinition>>), Refusal> {
        let Named { name, tool, args, is_defined } =
            subject::read(&inbound.view, system, request, inbound.revision, self.limits())?;
        let (pinned, definition) = match &tool {
            Some(tool) if is_defined => self.connections.pinned(upstream, name.as_str(), tool.pin).await?,
            known => (known.is_some(), None),
        };
        let attempt = Attempt {
            face: "mcp",
            view: Arc::clone(&inbound.view),
            caller: inbound.caller.clone(),
            system: Arc::clone(system),
            name,
            tool,
            pinned,
            args,
            uses: inbound.uses.clone(),
        };
        Ok((attempt, definition))
    }

    /// The `Mcp-Param-*` headers: those of a modern client once they agree with the arguments, made here for a
    /// legacy one.
    pub(super) fn mirrored(
        &self,
        inbound: &Inbound<'_>,
        definition: Option<&ToolDefinition>,
        attempt: &Attempt,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, Refusal> {
        let header = |name: &[u8], value: &[u8]| {
            Some((HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?))
        };
        if inbound.revision.era() == Era::Legacy || matches!(inbound.uses, Uses::Only(_)) {
            let made = definition.map(|d| d.param_headers.for_arguments(&attempt.args)).unwrap_or_default();
            return Ok(made
                .iter()
                .filter_map(|(name, value)| header(name.as_bytes(), value.as_bytes()))
                .collect());
        }
        let pairs: Headers<'_> =
            inbound.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        if let Some(definition) = definition {
            definition.param_headers.check(&attempt.args, &pairs)?;
        }
        Ok(pairs.params().filter_map(|(name, value)| header(name.as_bytes(), value)).collect())
    }

    pub(super) async fn listing(
        &self,
        inbound: &Inbound<'_>,
        system: &Arc<System>,
        kind: ListKind,
    ) -> Result<Listing, Refusal> {
        Ok(Listing {
            kind,
            view: Arc::clone(&inbound.view),
            caller: inbound.caller.clone(),
            state: self.pipeline.task_state(inbound.caller.task.id).await?,
            system: Arc::clone(system),
            now: self.pipeline.now(),
        })
    }

    pub(super) fn profile(&self, request: &Request<'_>, client: &Client) -> ClientProfile {
        match client {
            Client::Legacy(session) => session.profile(),
            Client::Modern => {
                let meta = read_meta(request).ok();
                let info =
                    meta.as_ref().and_then(|meta| meta.client_info).and_then(|info| info.to_value().ok());
                ClientProfile {
                    capabilities: meta.map_or_else(
                        || Value::Object(Map::new()),
                        |meta| mediated_client_capabilities(&meta.capabilities),
                    ),
                    client_info: info.unwrap_or_else(
                        || serde_json::json!({"name": "provost", "version": env!("CARGO_PKG_VERSION")}),
                    ),
                }
            }
        }
    }
}
