//! The plane's own door, from outside: one request over a real socket, and as much of the answer as says what came of it.

use std::{
    fmt::Write as _,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use zeroize::Zeroizing;

/// Where this node listens, and who may ask there.
pub struct Door {
    address: SocketAddr,
    /// The token of this node's own administrator, for the faces that answer nobody else about a token.
    token: Zeroizing<String>,
}

/// One request. Everything in it is the plane's own making.
pub(crate) struct Request<'a> {
    pub method: &'a str,
    /// With its query, if it has one.
    pub path: &'a str,
    /// `Host`: the name this plane is served under.
    pub host: &'a str,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub status: u16,
    /// Its head and the beginning of its body, as they came.
    pub text: String,
}

impl Door {
    /// The door of a node that listens here, and whose administrator has this token.
    #[must_use]
    pub fn new(listens: SocketAddr, token: Zeroizing<String>) -> Self {
        let mut address = listens;
        if address.ip().is_unspecified() {
            address.set_ip(match address.ip() {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        Self { address, token }
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Asks. An answer that does not end in time is as much of it as came.
    pub(crate) async fn ask(&self, request: &Request<'_>) -> io::Result<Answer> {
        let mut read = Vec::new();
        let asked = tokio::time::timeout(ANSWER_MAX, self.exchange(request, &mut read)).await;
        match (asked, parse(&read)) {
            (_, Some(answer)) => Ok(answer),
            (Ok(Err(error)), None) => Err(error),
            (Ok(Ok(())) | Err(_), None) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    async fn exchange(&self, request: &Request<'_>, read: &mut Vec<u8>) -> io::Result<()> {
        let mut stream = TcpStream::connect(self.address).await?;
        let mut head = format!(
            "{} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nUser-Agent: provost-gone\r\nContent-Length: {}\r\n",
            request.method,
            request.path,
            request.host,
            request.body.len()
        );
        for (name, value) in &request.headers {
            let _infallible = write!(head, "{name}: {value}\r\n");
        }
        head.push_str("\r\n");
        let bytes = Zeroizing::new(head + &request.body);
        stream.write_all(bytes.as_bytes()).await?;
        stream.take(ANSWER_BYTES_MAX).read_to_end(read).await?;
        Ok(())
    }
}

/// An answer whose head came whole.
fn parse(read: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(read).into_owned();
    let (head, _body) = text.split_once("\r\n\r\n")?;
    let mut first = head.lines().next()?.split(' ');
    let version = first.next()?;
    let status = first.next()?.parse().ok()?;
    version.starts_with("HTTP/1.").then_some(Answer { status, text })
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door").field("address", &self.address).finish_non_exhaustive()
    }
}

const ANSWER_MAX: Duration = Duration::from_secs(5);
const ANSWER_BYTES_MAX: u64 = 64 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_when_its_head_is_whole() {
        let answer = parse(b"HTTP/1.1 401 Unauthorized\r\nx: y\r\n\r\nhalf a bo").unwrap();
        assert_eq!((answer.status, answer.text.ends_with("half a bo")), (401, true));
        for none in
            [&b""[..], b"HTTP/1.1 401 Unauthorized\r\nx: y", b"SSH-2.0\r\n\r\n", b"HTTP/1.1 x\r\n\r\n"]
        {
            assert_eq!(parse(none), None);
        }
    }

    #[test]
    fn a_door_to_everywhere_is_knocked_at_on_this_machine() {
        for (listens, knocks) in
            [("0.0.0.0:7", "127.0.0.1:7"), ("[::]:7", "[::1]:7"), ("10.0.0.1:7", "10.0.0.1:7")]
        {
            let door = Door::new(listens.parse().unwrap(), Zeroizing::new("secret".to_owned()));
            assert_eq!(door.address, knocks.parse().unwrap());
            assert!(!format!("{door:?}").contains("secret"));
        }
    }
}
