//! One request, whole: `read → identify → decide → record → act → complete`, as every call.

use super::{FACE, answer, args, bad, body, build, headers, route, target};
use crate::{
    act::{self, ApiWork, Places},
    decide::Attempt,
    hosts::Hosts,
    identify::{Asked, Caller},
    mcp::reachable,
    pipeline::Pipeline,
    refusal::Refusal,
};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{Response, request::Parts},
    routing::any,
};
use provost_domain::{System, ToolName, request::Method, system::Connection};
use provost_replica::View;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The HTTP face of a node.
pub struct Proxy {
    pipeline: Arc<Pipeline>,
    places: Places,
    hosts: Arc<Hosts>,
}

/// What the face is built from.
pub struct ProxyParts {
    /// Decides, records, acts.
    pub pipeline: Arc<Pipeline>,
    /// The names this plane is served under.
    pub hosts: Arc<Hosts>,
}

/// A request with what is known about its sender.
struct Entered<'r> {
    view: Arc<View>,
    caller: Caller,
    system: Arc<System>,
    request: &'r Parts,
    target: target::Target,
}

impl Proxy {
    /// The face.
    #[must_use]
    pub fn new(parts: ProxyParts) -> Arc<Self> {
        Arc::new(Self {
            places: Places::new(&parts.pipeline.limits),
            hosts: parts.hosts,
            pipeline: parts.pipeline,
        })
    }

    /// The routes.
    pub fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .route("/proxy/{system}", any(on_request))
            .route("/proxy/{system}/", any(on_request))
            .route("/proxy/{system}/{*path}", any(on_request))
            .with_state(Arc::clone(self))
    }

    async fn serve(self: &Arc<Self>, request: Request) -> Response<Body> {
        let (request, body) = request.into_parts();
        // The path as it stands in the request: what a router made of it is not what is decided on.
        let path = request.uri.path().strip_prefix("/proxy/").unwrap_or_default();
        let (system, tail) = path.find('/').and_then(|at| path.split_at_checked(at)).unwrap_or((path, ""));
        match self.call(system, tail, &request, body).await {
            Ok(response) => response,
            Err(refusal) => {
                self.pipeline.journal.refused(FACE, &refusal);
                self.pipeline.metrics.refused(&refusal);
                answer::refused(&refusal, &self.pipeline, system)
            }
        }
    }

    async fn call(
        self: &Arc<Self>,
        system: &str,
        tail: &str,
        request: &Parts,
        body: Body,
    ) -> Result<Response<Body>, Refusal> {
        let entered = self.enter(system, tail, request)?;
        let passed = headers::towards_system(&request.headers)?;
        let Some(routed) = entered.route() else { return Err(self.denied(entered).await) };
        let read = body::read(&routed.rule, &request.headers, body, &self.pipeline.limits).await?;
        let args = args::read(&routed, &entered.target.query, &read)?;
        let attempt = entered.attempt(routed.tool.name.clone(), Some(Arc::clone(&routed.tool)), args);
        let place = self.places.take(attempt.caller.task.id)?;
        let shown = self.pipeline.shown(&attempt.system, &attempt.caller).await?;
        let secret = shown.and_then(|shown| shown.secret().cloned());
        let keeps_length = secret.is_none();
        let permit = self.pipeline.authorise(&attempt).await?; // decided and recorded: durable before anything happens
        let request =
            build::request(&routed.rule, &attempt.args, read, passed).map_err(|build::NoPlace(name)| {
                Refusal::internal(format!("the argument `{name}` cannot be sent"))
            })?;
        let system = attempt.system.name.clone();
        let work = ApiWork { request, secret, place };
        let (running, answer) = act::ask_api(permit, attempt, work, &self.pipeline).await?;
        Ok(answer::released(running, answer, &system, keeps_length))
    }

    /// Who asks, for what, on which system.
    fn enter<'r>(&self, system: &str, tail: &str, request: &'r Parts) -> Result<Entered<'r>, Refusal> {
        self.hosts.check(&request.headers)?;
        let (method, path) = (request.method.as_str(), request.uri.path());
        let asked = Asked { headers: &request.headers, method, path, system: Some(system) };
        let (view, caller) = self.pipeline.admit(&asked)?;
        let system = reachable(&view, &caller, system)?;
        if !matches!(system.connection, Connection::HttpApi { .. }) {
            return Err(bad(
                404,
                format!("{} is no HTTP API: it is an MCP server, at /mcp/{0}", system.name),
            ));
        }
        let target = target::read(tail, request.uri.query())?;
        Ok(Entered { view, caller, system, request, target })
    }

    /// A request that is no operation anybody reviewed: denied, on record, before any policy is asked.
    async fn denied(&self, entered: Entered<'_>) -> Refusal {
        let method = entered.request.method.as_str();
        let Some(name) = route::nameless(method, &entered.target) else {
            return bad(400, "the method is not one that an operation can have");
        };
        let path: String = entered.target.segments.iter().map(|segment| format!("/{segment}")).collect();
        let args = json!({"method": method, "path": path});
        let args = args.as_object().cloned().unwrap_or_default();
        match self.pipeline.authorise(&entered.attempt(name, None, args)).await {
            Err(refusal) => refusal,
            // It cannot be: what has no tool is denied.
            Ok(_permit) => Refusal::internal("an operation that nobody reviewed was allowed"),
        }
    }
}

impl Entered<'_> {
    fn route(&self) -> Option<route::Routed> {
        let method = Method::from_word(self.request.method.as_str())?;
        route::find(&self.view.directory, &self.system.name, method, &self.target)
    }

    fn attempt(
        &self,
        name: ToolName,
        tool: Option<Arc<provost_domain::Tool>>,
        args: Map<String, Value>,
    ) -> Attempt {
        Attempt {
            face: FACE,
            view: Arc::clone(&self.view),
            caller: self.caller.clone(),
            system: Arc::clone(&self.system),
            name,
            // The declaration is the definition: nobody else gives one that could differ.
            pinned: tool.is_some(),
            tool,
            args,
            uses: crate::approval::Uses::Any,
        }
    }
}

async fn on_request(State(proxy): State<Arc<Proxy>>, request: Request) -> Response<Body> {
    proxy.serve(request).await
}
