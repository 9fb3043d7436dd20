//! One kept-alive HTTP/1.1 connection, by hand: the load must cost far less than what it measures.

use anyhow::{Context as _, bail};
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// One connection; one request at a time.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer, whole.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

impl Connection {
    /// # Errors
    /// When nobody listens there.
    pub(crate) async fn open(addr: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(addr).await.with_context(|| format!("nobody answers at {addr}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 << 10) })
    }

    /// Sends one whole request and waits for its whole answer.
    ///
    /// # Errors
    /// When there is none, or one without a length.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> anyhow::Result<Answer<'_>> {
        timeout(ANSWER_MAX, self.exchange(request)).await.context("no answer came in time")?
    }

    async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<Answer<'_>> {
        self.buffer.clear();
        self.stream.write_all(request).await?;
        let head = loop {
            if let Some(at) = end_of_head(&self.buffer) {
                break at;
            }
            self.read_more().await?;
        };
        let (status, length) = read_head(self.buffer.get(..head).unwrap_or_default())?;
        while self.buffer.len() < head.saturating_add(length) {
            self.read_more().await?;
        }
        let body = self.buffer.get(head..).unwrap_or_default();
        if body.len() != length {
            bail!("the server sent {} bytes more than it announced", body.len().saturating_sub(length));
        }
        Ok(Answer { status, body })
    }

    async fn read_more(&mut self) -> anyhow::Result<()> {
        if self.buffer.len() > ANSWER_BYTES_MAX {
            bail!("an answer has more than {ANSWER_BYTES_MAX} bytes");
        }
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => bail!("the server closed the connection before it answered"),
            _ => Ok(()),
        }
    }
}

/// Appends a POST of a JSON body; `headers` are whole lines.
pub(crate) fn post(into: &mut Vec<u8>, addr: SocketAddr, path: &str, headers: &str, body: &[u8]) {
    post_as("application/json", into, addr, path, headers, body);
}

/// Appends a POST of a form.
pub(crate) fn post_form(into: &mut Vec<u8>, addr: SocketAddr, path: &str, body: &[u8]) {
    post_as("application/x-www-form-urlencoded", into, addr, path, "", body);
}

fn post_as(kind: &str, into: &mut Vec<u8>, addr: SocketAddr, path: &str, headers: &str, body: &[u8]) {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {addr}\r\ncontent-type: {kind}\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    into.extend_from_slice(head.as_bytes());
    into.extend_from_slice(body);
}

/// Where the body begins.
pub(crate) fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at.saturating_add(4))
}

/// The value of `content-length`, if there is one.
pub(crate) fn length(head: &[u8]) -> Option<usize> {
    head.split(|byte| *byte == b'\n').find_map(|line| {
        let (name, value) = line.split_at_checked(LENGTH.len())?;
        if !name.eq_ignore_ascii_case(LENGTH) {
            return None;
        }
        std::str::from_utf8(value).ok()?.trim().parse().ok()
    })
}

fn read_head(head: &[u8]) -> anyhow::Result<(u16, usize)> {
    let status = head.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    let status = status.context("what came is not HTTP")?;
    let length = length(head).with_context(|| format!("an answer with status {status} has no length"))?;
    Ok((status, length))
}

const LENGTH: &[u8] = b"content-length:";
const ANSWER_MAX: std::time::Duration = std::time::Duration::from_secs(60);
const ANSWER_BYTES_MAX: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_says_its_status_and_length_in_any_case() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-LENGTH: 17\r\n\r\n";
        assert_eq!(end_of_head(head), Some(head.len()));
        assert_eq!(read_head(head).unwrap(), (200, 17));
        assert!(read_head(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }
}
