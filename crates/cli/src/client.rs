//! Asking the plane: one place knows where it is, who asks, and how a refusal becomes a [`Failure`].

use crate::{Exit, Failure, failure::chain};
use provost_api::{Page, Problem};
use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use url::Url;

/// A plane over HTTP, and the token to ask it with.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: Url,
    token: Option<String>,
    /// Where a token was looked for, for the message when there is none.
    looked: PathBuf,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

impl Client {
    /// The plane at `url`. The token is `PROVOST_TOKEN`, or what the plane wrote into its data folder.
    ///
    /// # Errors
    /// When the address is none, or the token file can be seen but not read.
    pub fn find(url: &str, data: &Path) -> Result<Self, Failure> {
        let looked = data.join(TOKEN_FILE);
        let token = match std::env::var("PROVOST_TOKEN") {
            Ok(token) if !token.trim().is_empty() => Some(token.trim().to_owned()),
            _ => read_token(&looked)?,
        };
        Self::new(url, token, looked)
    }

    /// The plane at `url`, asked with this token.
    ///
    /// # Errors
    /// When the address is none.
    pub fn with_token(url: &str, token: String) -> Result<Self, Failure> {
        Self::new(url, Some(token), PathBuf::new())
    }

    fn new(url: &str, token: Option<String>, looked: PathBuf) -> Result<Self, Failure> {
        let wrong = |why: String| {
            Failure::usage(format!("`{url}` is not the address of a plane"))
                .because(why)
                .cure("write it as http://127.0.0.1:7070")
        };
        let mut url = Url::parse(url).map_err(|error| wrong(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(wrong("it has no http or https host".to_owned()));
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        // A redirect would carry the administrator's token elsewhere, and a proxy would see it.
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_MAX)
            .user_agent(concat!("provost/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Failure::new("no HTTP client can be made").because(chain(&error)))?;
        Ok(Self { http, url, token, looked })
    }

    /// Where the plane is, with a slash at its end.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The token it is asked with.
    #[must_use]
    pub fn dangerous_expose_token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Reads something of the administration interface.
    ///
    /// # Errors
    /// What the plane refused, or that it does not answer.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.ask(Method::GET, path, None::<&()>).await
    }

    /// The same with a query.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn get_with<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &impl Serialize,
    ) -> Result<T, Failure> {
        let url = with_query(self.api(path)?, query);
        self.send(self.request(Method::GET, url)).await
    }

    /// Reads a listing, page after page, `most` items at most.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &impl Serialize,
        most: usize,
    ) -> Result<Page<T>, Failure> {
        let base = with_query(self.api(path)?, query);
        let mut found = Page { items: Vec::new(), next: None };
        loop {
            let left = most.saturating_sub(found.items.len());
            let mut url = base.clone();
            url.query_pairs_mut().append_pair("limit", &left.min(PAGE_ITEMS_MAX).to_string());
            if let Some(cursor) = &found.next {
                url.query_pairs_mut().append_pair("cursor", cursor);
            }
            let page: Page<T> = self.send(self.request(Method::GET, url)).await?;
            found.items.extend(page.items);
            found.next = page.next;
            if found.next.is_none() || found.items.len() >= most {
                return Ok(found);
            }
        }
    }

    /// Asks for something to be done.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        self.ask(Method::POST, path, Some(body)).await
    }

    /// Sends a form to an endpoint of OAuth's, which knows clients by their signature: no token goes along.
    ///
    /// # Errors
    /// What the endpoint said, or that the plane does not answer.
    pub async fn post_form<T: DeserializeOwned>(
        &self,
        endpoint: &str,
        form: &[(&str, String)],
    ) -> Result<T, Failure> {
        #[derive(serde::Deserialize)]
        struct Refused {
            error: String,
            #[serde(default)]
            error_description: String,
        }
        let mut body =
            Url::parse("form:").map_err(|error| Failure::new("no form can be made").because(error))?;
        body.query_pairs_mut().extend_pairs(form);
        let request = self
            .http
            .post(endpoint)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body.query().unwrap_or_default().to_owned());
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        let bytes = read(response).await?;
        if status.is_success() {
            return serde_json::from_slice(&bytes)
                .map_err(|error| Failure::new("the plane's answer cannot be read").because(error));
        }
        Err(match serde_json::from_slice::<Refused>(&bytes) {
            Ok(refused) => {
                Failure::new(format!("no token: {}", refused.error)).because(refused.error_description)
            }
            Err(_other) => Failure::new(format!("the plane answered {status}")),
        })
    }

    /// Puts something in its place.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        self.ask(Method::PUT, path, Some(body)).await
    }

    /// Removes something; why stands in the query.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn delete<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &impl Serialize,
    ) -> Result<T, Failure> {
        let url = with_query(self.api(path)?, query);
        self.send(self.request(Method::DELETE, url)).await
    }

    /// Any request, the body as JSON. Also for paths outside of the administration interface (`/…`).
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, Failure> {
        let mut request = self.request(method, self.api(path)?);
        if let Some(body) = body {
            let bytes = serde_json::to_vec(body)
                .map_err(|error| Failure::new("the request cannot be written as JSON").because(error))?;
            request = request.header(header::CONTENT_TYPE, "application/json").body(bytes);
        }
        self.send(request).await
    }

    fn api(&self, path: &str) -> Result<Url, Failure> {
        let full = match path.strip_prefix('/') {
            Some(path) => path.to_owned(),
            None => format!("api/v1/{path}"),
        };
        self.url.join(&full).map_err(|error| Failure::usage(format!("`{path}` is no path")).because(error))
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.http.request(method, url).header(header::ACCEPT, "application/json");
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Failure> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        let request =
            response.headers().get("x-request-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
        let bytes = read(response).await?;
        if !status.is_success() {
            let failure = self.refused(status, &bytes);
            return Err(
                match request.filter(|_| matches!(status.as_u16(), 500 | 503) && failure.because.is_none()) {
                    Some(id) => failure.because(format!(
                        "request {id} failed there; the plane's log says more under that id"
                    )),
                    None => failure,
                },
            );
        }
        let bytes: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
        serde_json::from_slice(bytes).map_err(|error| {
            Failure::new(format!("the answer of {} is not understood", self.url))
                .because(error)
                .cure("use the command line of the plane's own version")
        })
    }

    fn refused(&self, status: StatusCode, bytes: &[u8]) -> Failure {
        let mut failure = match serde_json::from_slice::<Problem>(bytes) {
            Ok(problem) => Failure::from(problem),
            Err(_not_a_problem) => Failure::new(format!("{} answered {status}", self.url))
                .because(String::from_utf8_lossy(bytes).chars().take(200).collect::<String>())
                .cure("make sure that a plane listens there, and not something else"),
        };
        if status == StatusCode::UNAUTHORIZED && self.token.is_none() {
            failure = failure
                .because(format!(
                    "no token was sent: PROVOST_TOKEN is not set, and there is no {}",
                    self.looked.display()
                ))
                .cure("point --data at the plane's data folder, or set PROVOST_TOKEN");
        }
        failure
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let what = format!("no plane answers at {}", self.url.as_str().trim_end_matches('/'));
        // The URL is said already, and reqwest's own sentence says it again.
        let why = std::error::Error::source(error).map_or_else(|| error.to_string(), chain);
        Failure::new(what)
            .exit(Exit::Unreachable)
            .because(why)
            .means("nothing was asked, and nothing was done")
            .cure("start one with `provost serve`, or say where it is with --url or PROVOST_URL")
    }
}

async fn read(mut response: Response) -> Result<Vec<u8>, Failure> {
    let broken = |error: reqwest::Error| {
        Failure::new("the plane's answer broke off")
            .exit(Exit::Unreachable)
            .because(chain(&error))
            .means("it is not known whether the plane did it")
            .cure("look before you try again")
    };
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(Failure::new(format!(
                "the plane's answer is over the limit answer_bytes_max, {ANSWER_BYTES_MAX}"
            )));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Adds the members of a flat value that are there.
fn with_query(mut url: Url, query: &impl Serialize) -> Url {
    let Ok(serde_json::Value::Object(members)) = serde_json::to_value(query) else { return url };
    if !members.is_empty() {
        let mut pairs = url.query_pairs_mut();
        for (name, value) in &members {
            match value {
                serde_json::Value::Null => {}
                serde_json::Value::String(text) => drop(pairs.append_pair(name, text)),
                other => drop(pairs.append_pair(name, &other.to_string())),
            }
        }
    }
    if url.query() == Some("") {
        url.set_query(None);
    }
    url
}

/// One part of a path, with everything quoted that could be another part.
#[must_use]
pub fn part(text: &str) -> String {
    let mut quoted = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                quoted.push(char::from(byte))
            }
            other => quoted.push_str(&format!("%{other:02X}")),
        }
    }
    if quoted == "." || quoted == ".." { quoted.replace('.', "%2E") } else { quoted }
}

fn read_token(path: &Path) -> Result<Option<String>, Failure> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim().to_owned()).filter(|token| !token.is_empty())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::new(format!("the token file {} cannot be read", path.display()))
            .because(error)
            .means("the plane would not know who you are")
            .cure("run this as the user who runs the plane, or set PROVOST_TOKEN")),
    }
}

/// The file in the data folder that holds the local administrator's token.
pub const TOKEN_FILE: &str = "admin-token";
const CONNECT_MAX: Duration = Duration::from_secs(5);
const ANSWER_BYTES_MAX: usize = 256 << 20;
const PAGE_ITEMS_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_path_stays_one_part() {
        for (text, quoted) in [("a-b", "a-b"), ("a/b", "a%2Fb"), ("..", "%2E%2E"), ("ü?", "%C3%BC%3F")] {
            assert_eq!(part(text), quoted);
        }
    }

    #[test]
    fn only_members_that_are_there_become_a_query() {
        let url = Url::parse("http://h/x").unwrap();
        let query = serde_json::json!({"agent": "a b", "limit": 3, "status": null});
        assert_eq!(with_query(url.clone(), &query).as_str(), "http://h/x?agent=a+b&limit=3");
        assert_eq!(with_query(url, &serde_json::json!({})).as_str(), "http://h/x");
    }

    #[test]
    fn an_address_that_is_none_is_a_usage_error() {
        for url in ["plane", "ftp://x/", "http:"] {
            assert_eq!(Client::with_token(url, String::new()).unwrap_err().exit, Exit::Usage, "{url}");
        }
    }
}
