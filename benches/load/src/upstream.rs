//! A minimal MCP server (2026-07-28, streamable HTTP) that answers every call at once, so that what is left is the
//! gateway.

use crate::client::{end_of_head, length};
use anyhow::{Context as _, bail};
use clap::Args;
use provost_domain::Digest;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// `provost-load upstream`.
#[derive(Debug, Args)]
pub(crate) struct UpstreamArgs {
    /// Where to listen
    #[arg(long)]
    listen: SocketAddr,
    /// Payments above this are not answered
    #[arg(long)]
    hang_over: Option<f64>,
}

/// Serves until it is ended.
///
/// # Errors
/// When it cannot listen.
pub(crate) async fn run(args: UpstreamArgs) -> anyhow::Result<()> {
    let listener = TcpListener::bind(args.listen).await?;
    loop {
        let (stream, _peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            if let Err(error) = serve(stream, args.hang_over).await {
                eprintln!("upstream: {error:#}");
            }
        });
    }
}

/// The definition of its one tool.
pub(crate) fn definition() -> Value {
    let text = || json!({"type": "string"});
    json!({
        "name": crate::rows::TOOL, "description": "Pays an invoice",
        "inputSchema": {
            "type": "object", "required": ["account", "payee", "amount"],
            "properties": {
                "account": text(), "payee": text(), "amount": {"type": "number"}, "memo": text(),
                "urgent": {"type": "boolean"},
            },
        },
    })
}

/// The digest under which a person would have reviewed it.
///
/// # Errors
/// When it is no definition.
pub(crate) fn pin() -> anyhow::Result<Digest> {
    let text = definition().to_string();
    let raw = provost_mcp::Raw::trusted(&text);
    let read = provost_mcp::tools::ToolDefinition::read(raw, &provost_mcp::Limits::default());
    Ok(read.context("the tool's definition cannot be read")?.pin())
}

/// What a call is answered.
pub(crate) const PAID: &str = "paid";

async fn serve(mut stream: TcpStream, hang_over: Option<f64>) -> anyhow::Result<()> {
    let mut buffer = Vec::with_capacity(16 << 10);
    let listing =
        json!({"tools": [definition()], "resultType": "complete", "ttlMs": 60_000, "cacheScope": "public"});
    let listing = listing.to_string();
    loop {
        let Some(body) = read(&mut stream, &mut buffer).await? else { return Ok(()) };
        let asked: Asked<'_> = serde_json::from_slice(buffer.get(body..).unwrap_or_default())?;
        let amount = asked.params.and_then(|params| params.arguments).and_then(|args| args.amount);
        if amount.zip(hang_over).is_some_and(|(amount, most)| amount > most) {
            std::future::pending::<()>().await;
        }
        let result = match asked.method {
            "tools/call" => CALLED,
            "tools/list" => &listing,
            "server/discover" => DISCOVERED,
            other => bail!("nobody taught it {other}"),
        };
        let text = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, asked.id.get());
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{text}",
            text.len()
        );
        stream.write_all(head.as_bytes()).await?;
        buffer.clear();
    }
}

/// Reads one request; gives where its body begins, or nothing at the end of the connection.
async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> anyhow::Result<Option<usize>> {
    loop {
        if let Some(head) = end_of_head(buffer) {
            let length =
                length(buffer.get(..head).unwrap_or_default()).context("a request without a length")?;
            if buffer.len() >= head.saturating_add(length) {
                return Ok(Some(head));
            }
        }
        if buffer.len() > REQUEST_BYTES_MAX {
            bail!("a request has more than {REQUEST_BYTES_MAX} bytes");
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

#[derive(Deserialize)]
struct Asked<'a> {
    method: &'a str,
    #[serde(borrow)]
    id: &'a RawValue,
    params: Option<Params>,
}

#[derive(Deserialize)]
struct Params {
    arguments: Option<Arguments>,
}

#[derive(Deserialize)]
struct Arguments {
    amount: Option<f64>,
}

const CALLED: &str = r#"{"content":[{"type":"text","text":"paid"}],"resultType":"complete"}"#;
const DISCOVERED: &str =
    r#"{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"resultType":"complete"}"#;
const REQUEST_BYTES_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_answers_can_be_read() {
        pin().unwrap();
        let called: Value = serde_json::from_str(CALLED).unwrap();
        assert_eq!(called["content"][0]["text"], PAID);
        serde_json::from_str::<Value>(DISCOVERED).unwrap();
    }
}
