//! An SSF receiver made of easyssf-receiver: it finds the transmitter by its metadata, registers its stream, verifies what comes
//! and acknowledges it. `ISSUER`, `TOKEN`, `METHOD` (`push` or `poll`), `EVENTS` (aliases, comma-separated), and `ALGORITHM` if it
//! is to take another than RS256, which is all that the library takes unless told.
//!
//! Standard input: a command a line: `verify`, `status WORD`, `remove JSON`, `add JSON`, `delete`. Standard output: a JSON object a
//! line: `ready`, `event`, `done` with the command, `error`.

use async_trait::async_trait;
use easyssf_receiver::{
    BoxError, SsfReceiver,
    config::SsfReceiverConfig,
    event::SsfEventContext,
    http::{SsfHttpClient, SsfHttpRequest, SsfHttpResponse},
    push::SsfPushHandler,
};
use serde_json::{Map, Value, json};
use std::{env::var, time::Duration};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut config = format!(
        "transmitter-issuer = \"{}\"\ntransmitter-access-token = \"{}\"\ndelivery-method = \"{}\"\n",
        var("ISSUER")?,
        var("TOKEN")?,
        var("METHOD")?
    );
    let events: Vec<String> = var("EVENTS")?.split(',').map(|event| format!("\"{event}\"")).collect();
    config.push_str(&format!("[stream]\nmanagement = \"receiver\"\nevents-requested = [{}]\n", events.join(", ")));
    config.push_str(&format!(
        "[push]\nexpected-auth-header = \"Bearer s3cr3t\"\ndelivery-endpoint-url = \"http://{}/ssf/push\"\n",
        listener.local_addr()?
    ));
    config.push_str("[poll]\ninterval = \"200ms\"\n");
    if let Ok(algorithm) = var("ALGORITHM") {
        config.push_str(&format!("[set-validation]\naccepted-algorithms = [\"{algorithm}\"]\n"));
    }
    let config: SsfReceiverConfig = toml::from_str(&config)?;
    let receiver = SsfReceiver::builder(config).http_client(Http).handler(heard).build()?;
    let handler = receiver.push_handler();
    tokio::spawn(async move {
        while let Ok((socket, _from)) = listener.accept().await {
            let handler = handler.clone();
            tokio::spawn(async move { drop(pushed(socket, handler).await) });
        }
    });
    receiver.start();
    let transmitters = receiver.transmitters().clone();
    let transmitter = transmitters.primary().ok_or("no transmitter")?;
    let stream = loop {
        if let Some(stream) = transmitter.receiver_stream().configuration() {
            break stream;
        }
        if let Some(error) = transmitter.stream_registrar().and_then(|registrar| registrar.last_error()) {
            say(&json!({ "error": error }));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let id = stream.stream_id().unwrap_or_default().to_owned();
    say(&json!({ "ready": id, "audience": stream.audience(), "method": stream.delivery_method() }));
    let client = transmitter.stream_client().ok_or("no client")?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let subject = || serde_json::from_str::<Map<String, Value>>(rest);
        let done = match word {
            "verify" => match transmitter.stream_verification().request_verification(client, &id).await {
                Ok(_state) => {
                    while transmitter.stream_verification().is_pending() {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                    Ok(())
                }
                Err(error) => Err(error),
            },
            "status" => client.update_status(&id, rest, None).await.map(drop),
            "remove" => client.remove_subject(&id, &subject()?).await,
            "add" => client.add_subject(&id, &subject()?, true).await,
            "delete" => client.delete_stream(&id).await,
            _ => return Err(format!("no such command: {line}").into()),
        };
        match done {
            Ok(()) => say(&json!({ "done": word })),
            Err(error) => say(&json!({ "error": error.to_string(), "command": word })),
        }
    }
    receiver.shutdown().await;
    Ok(())
}

async fn heard(context: SsfEventContext) -> Result<(), BoxError> {
    for event in context.event_types() {
        say(&json!({
            "event": event, "data": context.event_for(&event), "id": context.idempotency_key(),
            "subject": context.event_token().subject_id(),
        }));
    }
    Ok(())
}

fn say(what: &Value) {
    println!("{what}");
}

/// One pushed event (RFC 8935).
async fn pushed(mut socket: TcpStream, handler: SsfPushHandler) -> Result<(), BoxError> {
    let (head, body) = message(&mut socket).await?;
    let authorization = header(&head, "authorization").map(str::to_owned);
    let answer = handler.handle(authorization.as_deref(), &body).await;
    let body = answer.body.unwrap_or_default();
    let text = format!(
        "HTTP/1.1 {} Said\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        answer.status,
        body.len()
    );
    socket.write_all(text.as_bytes()).await?;
    Ok(())
}

/// HTTP to this machine, without TLS and without anything else.
struct Http;

#[async_trait]
impl SsfHttpClient for Http {
    async fn execute(&self, request: SsfHttpRequest) -> Result<SsfHttpResponse, BoxError> {
        let host = request.url.host_str().ok_or("no host")?;
        let port = request.url.port_or_known_default().ok_or("no port")?;
        let mut socket = TcpStream::connect((host, port)).await?;
        let body = request.body.clone().unwrap_or_default();
        let path = match request.url.query() {
            Some(query) => format!("{}?{query}", request.url.path()),
            None => request.url.path().to_owned(),
        };
        let mut text = format!("{} {path} HTTP/1.0\r\nhost: {host}:{port}\r\n", request.method);
        for (name, value) in &request.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        socket.write_all(text.as_bytes()).await?;
        let (head, body) = message(&mut socket).await?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or("no status")?;
        let mut answer = SsfHttpResponse::new(status, String::from_utf8(body)?);
        for line in head.lines().skip(1) {
            if let Some((name, value)) = line.split_once(':') {
                answer = answer.with_header(name.trim(), value.trim());
            }
        }
        Ok(answer)
    }
}

/// The head and the body of a message whose body has a length, or ends with the connection.
async fn message(socket: &mut TcpStream) -> Result<(String, Vec<u8>), BoxError> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if socket.read_buf(&mut bytes).await? == 0 {
            return Err("it ended early".into());
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec())?;
    let mut body = bytes.split_off(end + 4);
    let length = header(&head, "content-length").and_then(|length| length.parse::<usize>().ok());
    while length.is_none_or(|length| body.len() < length) {
        if socket.read_buf(&mut body).await? == 0 {
            break;
        }
    }
    Ok((head, body))
}

fn header<'h>(head: &'h str, wanted: &str) -> Option<&'h str> {
    let mut lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    lines.find(|(name, _value)| name.trim().eq_ignore_ascii_case(wanted)).map(|(_name, value)| value.trim())
}
