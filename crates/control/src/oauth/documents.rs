//! Clients that nobody registered: a client's id is the address of its own metadata
//! (draft-ietf-oauth-client-id-metadata-document). Asked for only when a person who is signed in comes with it.

use crate::plane::Plane;
use http::header;
use provost_connect::Ask;
use provost_token::{OauthCode, OauthError, check_redirect};
use serde::Deserialize;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;
use url::Url;

/// What a client says of itself. Nothing of it is proved but where it comes from.
#[derive(Debug, Clone)]
pub(super) struct Document {
    /// Its name, shortened, for people to read.
    pub(super) name: String,
    /// Where answers may go.
    pub(super) redirect_uris: Vec<String>,
}

/// Documents read lately, on this node.
#[derive(Debug, Default)]
pub struct Documents(Mutex<HashMap<String, (Arc<Document>, Instant)>>);

#[derive(Deserialize)]
struct Wire {
    client_id: String,
    client_name: Option<String>,
    #[serde(default)]
    redirect_uris: Vec<String>,
    token_endpoint_auth_method: Option<String>,
    grant_types: Option<Vec<String>>,
    response_types: Option<Vec<String>>,
}

impl Documents {
    /// The document of a client.
    pub(super) async fn of(&self, plane: &Plane, client_id: &str) -> Result<Arc<Document>, OauthError> {
        check_client_id(client_id, &plane.issuer)?;
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(client_id).cloned();
        if let Some((document, until)) = known
            && Instant::now() < until
        {
            return Ok(document);
        }
        let answer = plane.upstreams.fetch(client_id, Ask::default(), DOCUMENT_BYTES_MAX).await;
        let answer =
            answer.map_err(|error| invalid(format!("the client's metadata could not be read: {error}")))?;
        if answer.status.as_u16() != 200 {
            return Err(invalid(format!(
                "the address of the client's metadata answered {}",
                answer.status.as_u16()
            )));
        }
        let document = Arc::new(read(client_id, &answer.body)?);
        let fresh =
            fresh_for(answer.headers.get(header::CACHE_CONTROL).and_then(|value| value.to_str().ok()));
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= DOCUMENTS_MAX {
            kept.clear();
        }
        kept.insert(client_id.to_owned(), (Arc::clone(&document), Instant::now() + fresh));
        Ok(document)
    }
}

fn read(client_id: &str, body: &[u8]) -> Result<Document, OauthError> {
    let wire: Wire = serde_json::from_slice(body)
        .map_err(|_error| invalid("the client's metadata cannot be read".to_owned()))?;
    if wire.client_id != client_id {
        return Err(invalid("the client's metadata is of another client".to_owned()));
    }
    // Whoever can read the document would know a secret in it.
    if wire.token_endpoint_auth_method.as_deref().is_some_and(|method| method != "none") {
        let text = "the client wants to prove itself; here clients of people are public, with PKCE and DPoP";
        return Err(invalid(text.to_owned()));
    }
    let offers = |list: &Option<Vec<String>>, word: &str| {
        list.as_ref().is_none_or(|list| list.iter().any(|own| own == word))
    };
    if !offers(&wire.grant_types, "authorization_code") || !offers(&wire.response_types, "code") {
        return Err(invalid("the client does not use authorization codes".to_owned()));
    }
    if !(1..=REDIRECTS_MAX).contains(&wire.redirect_uris.len()) {
        return Err(invalid(format!(
            "the client's metadata has no redirect_uris, or more than {REDIRECTS_MAX}"
        )));
    }
    wire.redirect_uris.iter().try_for_each(|uri| check_redirect(uri))?;
    let host =
        Url::parse(client_id).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    let name = wire.client_name.unwrap_or_default();
    let name: String = name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect();
    let name = if name.trim().is_empty() { host } else { name.trim().to_owned() };
    Ok(Document { name, redirect_uris: wire.redirect_uris })
}

/// An https address with a path, written in one way only; http to this machine where the plane itself is there.
fn check_client_id(client_id: &str, issuer: &str) -> Result<(), OauthError> {
    let local = |url: &Url| matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    let here = Url::parse(issuer).is_ok_and(|issuer| local(&issuer));
    let good = Url::parse(client_id).is_ok_and(|url| {
        (url.scheme() == "https" || url.scheme() == "http" && here && local(&url))
            && url.path() != "/"
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
            // What parsing changes was written another way: dot segments, capitals, a default port.
            && url.as_str() == client_id
    });
    if good && client_id.len() <= CLIENT_ID_BYTES_MAX {
        return Ok(());
    }
    Err(invalid("client_id must be the https address of the client's metadata, with a path".to_owned()))
}

fn fresh_for(cache_control: Option<&str>) -> Duration {
    let words = cache_control.unwrap_or_default().split(',').map(|word| word.trim().to_ascii_lowercase());
    let words: Vec<String> = words.collect();
    if words.iter().any(|word| word == "no-store" || word == "no-cache") {
        return Duration::ZERO;
    }
    let age = words.iter().find_map(|word| word.strip_prefix("max-age=")?.parse().ok());
    age.map_or(FRESH_DEFAULT, Duration::from_secs).min(FRESH_MAX)
}

fn invalid(text: String) -> OauthError {
    OauthError::new(OauthCode::InvalidClient, text)
}

const DOCUMENTS_MAX: usize = 1_000;
/// The draft's advice for what a person waits for.
const DOCUMENT_BYTES_MAX: usize = 5_120;
const CLIENT_ID_BYTES_MAX: usize = 2_048;
const REDIRECTS_MAX: usize = 20;
const NAME_CHARS_MAX: usize = 80;
const FRESH_DEFAULT: Duration = Duration::from_secs(300);
const FRESH_MAX: Duration = Duration::from_secs(3_600);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_client_id_is_an_https_address_with_a_path_written_in_one_way() {
        let plane = "https://provost.example";
        assert!(check_client_id("https://app.example/oauth/client.json", plane).is_ok());
        assert!(check_client_id("http://127.0.0.1:9/c", "http://127.0.0.1:7070").is_ok());
        for bad in [
            "https://app.example",
            "https://app.example/",
            "https://app.example/a#b",
            "https://user@app.example/a",
            "https://app.example/a/../b",
            "https://APP.example/a",
            "https://app.example:443/a",
            "http://app.example/a",
            "http://127.0.0.1:9/c",
            "javascript:alert(1)",
            "clerk",
        ] {
            assert!(check_client_id(bad, plane).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_document_that_is_not_safe_to_follow_is_refused() {
        let id = "https://app.example/c";
        let good = json!({"client_id": id, "client_name": "App", "redirect_uris": ["http://127.0.0.1/cb"]});
        assert_eq!(read(id, good.to_string().as_bytes()).unwrap().name, "App");
        for (member, value) in [
            ("client_id", json!("https://other.example/c")),
            ("redirect_uris", json!([])),
            ("redirect_uris", json!(["http://app.example/cb"])),
            ("redirect_uris", json!(["https://app.example/cb#x"])),
            ("redirect_uris", json!(["javascript:alert(1)"])),
            ("token_endpoint_auth_method", json!("client_secret_basic")),
            ("grant_types", json!(["implicit"])),
        ] {
            let mut bad = good.clone();
            bad[member] = value;
            assert!(read(id, bad.to_string().as_bytes()).is_err(), "{bad}");
        }
        let nameless =
            json!({"client_id": id, "client_name": " \u{7}", "redirect_uris": ["https://app.example/cb"]});
        assert_eq!(read(id, nameless.to_string().as_bytes()).unwrap().name, "app.example");
    }

    #[test]
    fn a_document_is_kept_as_long_as_its_server_says_and_never_long() {
        for (header, seconds) in [
            (None, 300),
            (Some("max-age=60"), 60),
            (Some("public, max-age=999999"), 3_600),
            (Some("no-store"), 0),
        ] {
            assert_eq!(fresh_for(header).as_secs(), seconds, "{header:?}");
        }
    }
}
