//! One bounded exchange with somebody else's web server: a key set, metadata, a token endpoint. The same rules of where
//! the plane may go hold as for systems; redirects are not followed.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use std::{net::IpAddr, time::Duration};
use url::Url;

use crate::http::chain;
use crate::upstreams::Upstreams;

/// What is asked.
#[derive(Debug, Clone, Default)]
pub struct Ask<'a> {
    /// Headers that go along; mark secrets as sensitive.
    pub headers: HeaderMap,
    /// Fields of a form to post; a `GET`, if absent and there is no body either.
    pub form: Option<&'a [(&'a str, &'a str)]>,
    /// A body, and how it is sent; its media type stands in the headers.
    pub body: Option<(Method, Bytes)>,
}

/// What was answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: Bytes,
}

/// Why there is no answer. Never holds what was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{url}: {why}")]
pub struct FetchError {
    /// Where to, without query.
    pub url: String,
    /// Why, in a few words.
    pub why: String,
}

impl Upstreams {
    /// Asks for one document, and reads it whole.
    ///
    /// # Errors
    /// [`FetchError`] when the address is none this plane may go to, nobody answers within 10 seconds, or the answer is longer
    /// than `bytes_max`. Any status is an answer.
    pub async fn fetch(&self, url: &str, ask: Ask<'_>, bytes_max: usize) -> Result<Answer, FetchError> {
        let shown = url.split(['?', '#']).next().unwrap_or_default().chars().take(SHOWN_CHARS_MAX).collect();
        let failed = |why: String| FetchError { url: shown, why };
        match tokio::time::timeout(FETCH_MAX, self.fetch_within(url, ask, bytes_max)).await {
            Ok(answer) => answer.map_err(failed),
            Err(_late) => Err(failed(format!("no whole answer within {} seconds", FETCH_MAX.as_secs()))),
        }
    }

    async fn fetch_within(&self, url: &str, ask: Ask<'_>, bytes_max: usize) -> Result<Answer, String> {
        let (_config, client) = self.http();
        let parsed = self.checked(url)?;
        let mut headers = ask.headers;
        headers.entry(header::ACCEPT).or_insert(HeaderValue::from_static("application/json"));
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let request = match (ask.body, ask.form) {
            (Some((method, body)), _) => client.request(method, parsed).body(body),
            (None, None) => client.get(parsed),
            (None, Some(form)) => {
                headers.insert(
                    header::CONTENT_TYPE,
                    HeaderValue::from_static("application/x-www-form-urlencoded"),
                );
                let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
                client.post(parsed).body(body)
            }
        };
        let answered = request.headers(headers).send().await;
        let mut response = answered.map_err(|error| chain(&error.without_url()))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| chain(&error.without_url()))? {
            if body.len().saturating_add(chunk.len()) > bytes_max {
                return Err(format!("its answer is longer than {bytes_max} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body: body.into() })
    }

    /// An address that this plane may go to.
    fn checked(&self, url: &str) -> Result<Url, String> {
        let (config, _client) = self.http();
        let parsed = Url::parse(url).map_err(|error| format!("it is not a url: {error}"))?;
        let host = parsed.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let local = crate::http::is_this_machine(&host);
        match parsed.scheme() {
            "https" => {}
            "http" if local || config.hosts.private.contains(&host) => {}
            _ => {
                return Err("it must be https; http only to this machine or a listed private host".to_owned());
            }
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err("it holds a user or password".to_owned());
        }
        if config.hosts.only.as_ref().is_some_and(|only| !only.contains(&host)) {
            return Err(NOT_LISTED.to_owned());
        }
        // A host written as an address is never looked up, so it is judged here.
        if let Ok(literal) = host.parse() {
            config.hosts.judge(&host, literal).map_err(|refused| refused.to_string())?;
        }
        Ok(parsed)
    }

    /// The addresses of a host that is reached otherwise than over HTTP, by the same rules.
    ///
    /// # Errors
    /// When it has none, or this plane may not go there.
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, FetchError> {
        let (config, _client) = self.http();
        let failed = |why: String| FetchError { url: host.chars().take(SHOWN_CHARS_MAX).collect(), why };
        if config.hosts.only.as_ref().is_some_and(|only| !only.contains(host)) {
            return Err(failed(NOT_LISTED.to_owned()));
        }
        let found = match host.trim_matches(['[', ']']).parse() {
            Ok(literal) => vec![literal],
            Err(_a_name) => {
                let looked = tokio::time::timeout(FETCH_MAX, tokio::net::lookup_host((host, 0))).await;
                let looked = looked.map_err(|_late| failed("its name is not answered".to_owned()))?;
                looked.map_err(|error| failed(error.to_string()))?.map(|address| address.ip()).collect()
            }
        };
        for address in &found {
            config.hosts.judge(host, *address).map_err(|refused| failed(refused.to_string()))?;
        }
        if found.is_empty() { Err(failed("it has no address".to_owned())) } else { Ok(found) }
    }
}

const FETCH_MAX: Duration = Duration::from_secs(10);
const SHOWN_CHARS_MAX: usize = 200;
const NOT_LISTED: &str = "its host is not among those this plane may reach (`[systems] hosts`)";
