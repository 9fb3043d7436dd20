//! The bank over streamable HTTP at `/mcp`, with or without a key that every request must carry.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::bank::Bank;
use crate::handler::BankServer;

/// Why the bank could not be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The listener has no address any more.
    #[error("the listener cannot be used")]
    Listener(#[from] std::io::Error),
    /// Only this machine may reach the bank.
    #[error("refusing to listen on {0}: the example bank serves 127.0.0.1 only")]
    NotLoopback(SocketAddr),
}

/// A running bank. Dropping it stops the server at once; [`Server::shutdown`] ends it in order.
#[derive(Debug)]
pub struct Server {
    addr: SocketAddr,
    bank: Bank,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The MCP endpoint: `http://127.0.0.1:PORT/mcp`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.addr)
    }

    /// The bank behind it, to look into the books.
    #[must_use]
    pub fn bank(&self) -> &Bank {
        &self.bank
    }

    /// Ends sessions and open streams, then the server; waits two seconds at most.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        if tokio::time::timeout(SHUTDOWN_MAX, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
        self.task.abort();
    }
}

/// Serves `bank` on a listener bound to 127.0.0.1. With `require_key`, a request without
/// `Authorization: Bearer <key>` is answered 401, whatever it asks.
///
/// # Errors
/// [`ServeError`] when the listener is broken or reachable from outside of this machine.
pub async fn serve(
    listener: TcpListener,
    bank: Bank,
    require_key: Option<String>,
) -> Result<Server, ServeError> {
    let addr = listener.local_addr()?;
    if !addr.ip().is_loopback() {
        return Err(ServeError::NotLoopback(addr));
    }
    let stop = CancellationToken::new();
    let face = BankServer::new(bank.clone());
    let config = StreamableHttpServerConfig::default().with_cancellation_token(stop.child_token());
    let mcp: StreamableHttpService<BankServer, LocalSessionManager> =
        StreamableHttpService::new(move || Ok(face.clone()), std::sync::Arc::default(), config);
    let router = axum::Router::new().nest_service("/mcp", mcp).layer(from_fn_with_state(require_key, keyed));
    let stopped = stop.clone().cancelled_owned();
    let task = tokio::spawn(async move {
        // An I/O error here ends the server; callers see connections refused.
        let _ended = axum::serve(listener, router).with_graceful_shutdown(stopped).await;
    });
    Ok(Server { addr, bank, stop, task })
}

/// Lets a request pass that carries the key, or any request when no key is required.
async fn keyed(State(key): State<Option<String>>, request: Request, next: Next) -> Response {
    let Some(key) = key else {
        return next.run(request).await;
    };
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if given.and_then(|value| value.strip_prefix("Bearer ")) == Some(key.as_str()) {
        return next.run(request).await;
    }
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer realm=\"provost-bank\"")]).into_response()
}

const SHUTDOWN_MAX: Duration = Duration::from_secs(2);
