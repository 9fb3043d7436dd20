//! The names this plane is served under. A browser page from elsewhere that points a name of its own at this machine
//! (DNS rebinding) sends that name as `Host`, and its own address as `Origin`; both are refused.

use crate::refusal::Refusal;
use http::{HeaderMap, Uri, header};
use std::collections::BTreeSet;

/// The names, without ports.
#[derive(Debug, Clone)]
pub struct Hosts(BTreeSet<String>);

impl Hosts {
    /// `localhost`, the loopback addresses, and these.
    pub fn new(public: impl IntoIterator<Item = String>) -> Self {
        let local = ["localhost", "127.0.0.1", "[::1]"].into_iter().map(str::to_owned);
        Self(local.chain(public.into_iter().map(|name| name.to_ascii_lowercase())).collect())
    }

    /// Refuses a request that came under another name, or from a page of another.
    ///
    /// # Errors
    /// [`Refusal::Origin`] with the name.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        for (name, value) in [(header::HOST, false), (header::ORIGIN, true)] {
            let mut values = headers.get_all(&name).iter();
            let Some(value_text) = values.next() else { continue };
            let text = value_text.to_str().unwrap_or("?");
            if values.next().is_some() || !self.0.contains(&host_of(text, value)) {
                return Err(Refusal::Origin(text.chars().take(128).collect()));
            }
        }
        Ok(())
    }
}

/// The host of `name:port` or of an origin; the empty text, which is no host, when there is none.
fn host_of(text: &str, is_origin: bool) -> String {
    let uri = match (is_origin, text.contains("://")) {
        (true, false) => return String::new(),
        (true, true) => text.parse::<Uri>(),
        (false, _) => format!("http://{text}").parse::<Uri>(),
    };
    uri.ok().and_then(|uri| uri.host().map(str::to_ascii_lowercase)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_the_plane_is_served_under_pass() {
        let hosts = Hosts::new(["plane.example.com".to_owned()]);
        let table = [
            ("localhost:7070", None, true),
            ("127.0.0.1:7070", Some("http://127.0.0.1:7070"), true),
            ("[::1]:7070", None, true),
            ("Plane.Example.com", Some("https://plane.example.com"), true),
            ("evil.example.com:7070", None, false),
            ("localhost:7070", Some("https://evil.example.com"), false),
            ("localhost:7070", Some("null"), false),
            ("localhost.evil.com", None, false),
            ("127.0.0.1@evil.com", None, false),
        ];
        for (host, origin, passes) in table {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            assert_eq!(hosts.check(&headers).is_ok(), passes, "{host} {origin:?}");
        }
    }
}
