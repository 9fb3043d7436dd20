//! Clients whose requests stand alone (2026-07-28).

use super::{
    answer,
    exchange::{Client, Exchange, Step},
    front::{Front, Inbound},
    open::Opened,
    tasks::EXTENSION,
};
use crate::refusal::Refusal;
use axum::{body::Body, http::Response};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use provost_connect::Upstream;
use provost_mcp::{
    Era, Limits, Message, Request, Revision, message::write_result, methods::of_client, translate::to_legacy,
};
use serde_json::{Value, json};
use std::sync::Arc;

impl Front {
    pub(super) async fn modern(
        self: &Arc<Self>,
        inbound: &Inbound<'_>,
        message: &Message<'_>,
    ) -> Result<Response<Body>, Refusal> {
        let method = of_client(message, inbound.revision)?;
        let Message::Request(request) = message else { return Ok(answer::accepted()) };
        if request.method == "server/discover" {
            let result = self.discover(inbound, request).await?;
            return Ok(answer::json(200, write_result(&request.id, &result)));
        }
        if request.method.starts_with("tasks/") {
            return self.task(inbound, request).await;
        }
        if request.method == "subscriptions/listen" {
            return self.listen(inbound, request).await;
        }
        if let Some(parked) = self.parked_for(inbound, request) {
            return self.run_modern(parked, inbound.body.clone(), request).await;
        }
        let exchange = self.open_exchange(inbound, request, method.treatment, Client::Modern).await?;
        match exchange {
            Opened::Answered(response) => Ok(response),
            Opened::Running(exchange) => Ok(self.stream_modern(exchange).await),
        }
    }

    async fn discover(&self, inbound: &Inbound<'_>, request: &Request<'_>) -> Result<Value, Refusal> {
        let Some(system) = &inbound.system else { return Ok(super::aggregate::discover_result()) };
        let profile = self.profile(request, &Client::Modern);
        let upstream = self.connections.open(system, &inbound.caller, &profile).await?;
        let mut result = discover_result(&upstream, self.upstream_limits());
        // Ours, for held calls; a system's own are not mediated and were left out.
        if let Some(Value::Object(capabilities)) = result.get_mut("capabilities") {
            capabilities.insert("extensions".to_owned(), json!({EXTENSION: {}}));
        }
        Ok(result)
    }

    fn parked_for(&self, inbound: &Inbound<'_>, request: &Request<'_>) -> Option<Box<Exchange>> {
        let state = request.params.as_ref()?.string("requestState")?;
        self.parked.take(&state, inbound.caller.task.id, request)
    }

    async fn run_modern(
        self: &Arc<Self>,
        mut exchange: Box<Exchange>,
        body: Bytes,
        request: &Request<'_>,
    ) -> Result<Response<Body>, Refusal> {
        exchange.resume(body, request.id.clone()).await?;
        Ok(self.stream_modern(exchange).await)
    }

    /// A modern client that hangs up has cancelled: the exchange lives in the response body and is dropped with it.
    pub(super) async fn stream_modern(self: &Arc<Self>, mut exchange: Box<Exchange>) -> Response<Body> {
        match exchange.step().await {
            Step::Last(status, body) => answer::json(status, body),
            Step::Park(message) => {
                self.park(exchange, &message);
                answer::json(200, message)
            }
            Step::Along(first) => {
                let front = Arc::clone(self);
                let rest =
                    stream::unfold(Some(exchange), move |exchange| next_of(Arc::clone(&front), exchange));
                answer::stream(stream::once(async { first }).chain(rest))
            }
        }
    }

    fn park(&self, exchange: Box<Exchange>, message: &str) {
        self.parked.put(exchange, message, self.limits());
    }
}

async fn next_of(
    front: Arc<Front>,
    exchange: Option<Box<Exchange>>,
) -> Option<(String, Option<Box<Exchange>>)> {
    let mut exchange = exchange?;
    match exchange.step().await {
        Step::Along(message) => Some((message, Some(exchange))),
        Step::Last(_status, message) => Some((message, None)),
        Step::Park(message) => {
            front.park(exchange, &message);
            Some((message, None))
        }
    }
}

fn discover_result(upstream: &Upstream, limits: &Limits) -> Value {
    let raw =
        upstream.handshake().result.as_ref().and_then(|raw| provost_mcp::strict::check(raw, limits).ok());
    let Some(result) = raw.and_then(|raw| raw.as_object()) else {
        return super::aggregate::discover_result();
    };
    let capabilities = result.object("capabilities");
    match upstream.handshake().era() {
        Era::Legacy => {
            let part =
                |key: &str| result.object(key).and_then(|o| o.raw().to_value().ok()).unwrap_or_default();
            let initialized = provost_mcp::handshake::Initialized {
                revision: upstream.handshake().revision,
                capabilities: part("capabilities"),
                server_info: part("serverInfo"),
                instructions: result.string("instructions").map(|text| text.into_owned()),
            };
            match capabilities {
                Some(capabilities) => to_legacy::discover_result(&initialized, &capabilities),
                None => super::aggregate::discover_result(),
            }
        }
        Era::Modern => {
            let mut value = result.raw().to_value().unwrap_or_default();
            if let Value::Object(members) = &mut value {
                let versions: Vec<&str> =
                    Revision::NEWEST_FIRST.iter().map(|revision| revision.as_str()).collect();
                members.insert("supportedVersions".to_owned(), Value::from(versions));
                let mediated = capabilities.map(|c| provost_mcp::translate::mediated_server_capabilities(&c));
                members.insert("capabilities".to_owned(), mediated.unwrap_or_default());
                members.insert("ttlMs".to_owned(), Value::from(0));
                members.insert("cacheScope".to_owned(), Value::from("private"));
            }
            value
        }
    }
}
