//! Streams that only listen end when the plane is told to stop; calls under way go on. Without this, every client that
//! waits for news would hold the plane up for the whole drain.

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::Method,
    middleware::{Next, from_fn_with_state},
    response::Response,
};
use futures::StreamExt as _;
use tokio::sync::watch;

/// Ends the listening streams of a router once `stop` is told.
pub(crate) fn ends_with(router: Router, stop: watch::Receiver<bool>) -> Router {
    router.layer(from_fn_with_state(stop, pass))
}

async fn pass(State(mut stop): State<watch::Receiver<bool>>, request: Request, next: Next) -> Response {
    let listens = only_listens(&request);
    let response = next.run(request).await;
    if !listens {
        return response;
    }
    let (head, body) = response.into_parts();
    let told = async move {
        // An error means that nobody is left to tell: stop, too.
        let _told = stop.wait_for(|stop| *stop).await;
    };
    Response::from_parts(head, Body::from_stream(body.into_data_stream().take_until(Box::pin(told))))
}

/// The ways to listen: `/events` of the console, GET (MCP 2025-11-25, Streamable HTTP) and `subscriptions/listen` (MCP 2026-07-28), which
/// names its method in a header.
fn only_listens(request: &Request) -> bool {
    let is_mcp = request.uri().path().starts_with("/mcp");
    let method = request.headers().get("mcp-method").and_then(|value| value.to_str().ok());
    // The console's pages listen too.
    let is_page = request.uri().path() == "/events";
    is_page || is_mcp && (request.method() == Method::GET || method == Some("subscriptions/listen"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_not_taken_for_listening() {
        let table = [
            (Method::GET, "/mcp/bank", None, true),
            (Method::GET, "/mcp", None, true),
            (Method::GET, "/events", None, true),
            (Method::POST, "/mcp", Some("subscriptions/listen"), true),
            (Method::POST, "/mcp", Some("tools/call"), false),
            (Method::POST, "/mcp/bank", None, false),
            (Method::GET, "/api/v1/status", None, false),
        ];
        for (method, path, name, listens) in table {
            let request = Request::builder().method(method.clone()).uri(path);
            let request = match name {
                Some(name) => request.header("mcp-method", name),
                None => request,
            };
            assert_eq!(
                only_listens(&request.body(Body::empty()).unwrap()),
                listens,
                "{method} {path} {name:?}"
            );
        }
    }
}
