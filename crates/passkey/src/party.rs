//! Which host passkeys of a plane are for. Browsers make passkeys for names only, and only on pages that nobody could have
//! changed on the way: `https`, or `localhost` on the person's own machine (5.1.3, 5.1.4; Secure Contexts section 3.1).

use sha2::{Digest as _, Sha256};
use url::{Host, Url};

/// The relying party of a plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// The RP ID: a host name.
    pub id: String,
    /// The one origin whose pages may ask.
    pub origin: String,
}

/// Why a plane can have no passkeys at its address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PartyFault {
    /// The public address is a number.
    #[error("passkeys are for names, and {0} is a number")]
    Number(String),
    /// The public address is in the clear.
    #[error("browsers allow passkeys over https only, and {0} is in the clear")]
    Clear(String),
    /// No address at all.
    #[error("{0} is no address of a plane")]
    NoAddress(String),
}

impl Party {
    /// Of a plane with this public address. One on this machine (`http://127.0.0.1:7070`) is met under `localhost`: a browser
    /// makes no passkey for the number.
    ///
    /// # Errors
    /// [`PartyFault`].
    pub fn of(plane: &str) -> Result<Self, PartyFault> {
        let url = Url::parse(plane).map_err(|_other| PartyFault::NoAddress(plane.to_owned()))?;
        let host = url.host().ok_or_else(|| PartyFault::NoAddress(plane.to_owned()))?;
        match (url.scheme(), host) {
            ("https", Host::Domain(name)) => {
                Ok(Self { id: name.to_owned(), origin: url.origin().ascii_serialization() })
            }
            ("https", number) => Err(PartyFault::Number(number.to_string())),
            ("http", host) if is_here(&host) => {
                let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
                Ok(Self { id: LOCALHOST.to_owned(), origin: format!("http://{LOCALHOST}{port}") })
            }
            ("http", Host::Domain(name)) => Err(PartyFault::Clear(name.to_owned())),
            ("http", number) => Err(PartyFault::Number(number.to_string())),
            _ => Err(PartyFault::NoAddress(plane.to_owned())),
        }
    }

    pub(crate) fn id_hash(&self) -> [u8; 32] {
        Sha256::digest(self.id.as_bytes()).into()
    }
}

impl PartyFault {
    /// What to do about it.
    #[must_use]
    pub const fn cure(&self) -> &'static str {
        "give the plane a name and put TLS in front of it: `public_url = \"https://provost.example.com\"` in provost.toml"
    }
}

fn is_here(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == LOCALHOST,
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

const LOCALHOST: &str = "localhost";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passkeys_are_for_names_over_https_and_for_this_machine() {
        for (plane, id, origin) in [
            ("https://provost.example.com", "provost.example.com", "https://provost.example.com"),
            ("https://Provost.Example.com:8443/a", "provost.example.com", "https://provost.example.com:8443"),
            ("http://127.0.0.1:7070", "localhost", "http://localhost:7070"),
            ("http://[::1]:7070", "localhost", "http://localhost:7070"),
            ("http://localhost", "localhost", "http://localhost"),
        ] {
            assert_eq!(Party::of(plane).unwrap(), Party { id: id.into(), origin: origin.into() }, "{plane}");
        }
        for plane in
            ["http://provost.example.com", "https://10.1.2.3", "http://10.1.2.3:7070", "ftp://a", "a", ""]
        {
            assert!(Party::of(plane).is_err(), "{plane}");
        }
    }
}
