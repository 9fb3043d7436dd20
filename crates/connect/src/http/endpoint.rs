//! One address, with the credential that belongs to it.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use reqwest::{Client, Response, Url};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use super::accept_both;
use super::read::read_up_to;
use super::resolve::{Judged, bare, is_this_machine};
use crate::error::{NotSent, UpstreamError};
use crate::shared::Shared;
use crate::upstreams::{Config, ConfigError, HostPolicy};

/// The HTTP client of a pool: no redirects, no proxy of the environment, HTTP/1.1 kept alive.
pub(crate) fn client(config: &Config) -> Result<Client, ConfigError> {
    let builder = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .user_agent(concat!("provost/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(config.connect_max.to_std())
        .pool_idle_timeout(POOL_IDLE_MAX)
        .tcp_keepalive(TCP_KEEPALIVE)
        .tcp_nodelay(true);
    let proxy_host = config.proxy.as_deref().and_then(|proxy| Url::parse(proxy).ok());
    let proxy_host = proxy_host.and_then(|proxy| proxy.host_str().map(bare));
    let builder = builder.dns_resolver(Arc::new(Judged::new(&config.hosts, proxy_host)));
    let builder = match &config.proxy {
        None => builder,
        Some(proxy) => builder.proxy(reqwest::Proxy::all(proxy).map_err(|_| ConfigError::Proxy)?),
    };
    builder.build().map_err(|error| ConfigError::Client(chain(&error)))
}

/// One address, with the credential that belongs to it. The credential goes nowhere else: redirects are not followed.
pub(crate) struct Endpoint {
    pub(crate) shared: Arc<Shared>,
    client: Client,
    url: Url,
    credential: Option<(HeaderName, HeaderValue)>,
}

impl Endpoint {
    /// Errors: when the address or the way the credential would travel is not allowed.
    pub(crate) fn new(
        shared: &Arc<Shared>,
        client: &Client,
        hosts: &HostPolicy,
        url: &str,
    ) -> Result<Self, UpstreamError> {
        let address = |why: String| shared.not_sent(NotSent::Address(why));
        let url = Url::parse(url).map_err(|error| address(format!("its address is not a url: {error}")))?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        if !matches!(url.scheme(), "http" | "https") || host.is_empty() {
            return Err(address("its address must begin with https:// or http:// and name a host".into()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(address(
                "its address holds a credential; seal it and name it in `credential`".into(),
            ));
        }
        if hosts.only.as_ref().is_some_and(|only| !only.contains(&host)) {
            return Err(address(format!(
                "the host `{host}` is not among those this plane may reach (hosts.only)"
            )));
        }
        // A host written as an address is never looked up, so it is judged here.
        if let Ok(literal) = host.parse() {
            hosts.judge(&host, literal).map_err(|refused| address(refused.to_string()))?;
        }
        let credential = shared.credential.as_ref().map(|c| c.header(&shared.system)).transpose()?;
        if credential.is_some()
            && url.scheme() == "http"
            && !is_this_machine(&host)
            && !hosts.clear_text_credentials
        {
            let why = format!(
                "its credential would travel unencrypted to `{host}`; use https, or set hosts.clear_text_credentials"
            );
            return Err(shared.not_sent(NotSent::Credential(why)));
        }
        Ok(Self { shared: Arc::clone(shared), client: client.clone(), url, credential })
    }

    /// Posts one message and returns when the head of the answer is there.
    pub(super) async fn post(
        &self,
        message: Bytes,
        mut headers: HeaderMap,
    ) -> Result<Response, UpstreamError> {
        accept_both(&mut headers);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.send(Method::POST, headers, Some(message)).await
    }

    pub(super) async fn send(
        &self,
        method: Method,
        headers: HeaderMap,
        body: Option<Bytes>,
    ) -> Result<Response, UpstreamError> {
        self.send_to(self.url.clone(), method, headers, body).await
    }

    /// The address.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// Sends to a path below the address. INVARIANT: `url` has the scheme, host and port of [`Endpoint::url`], which
    /// were checked; the credential goes along.
    pub(crate) async fn send_to(
        &self,
        url: Url,
        method: Method,
        mut headers: HeaderMap,
        body: Option<Bytes>,
    ) -> Result<Response, UpstreamError> {
        if let Some((name, value)) = &self.credential {
            headers.insert(name, value.clone());
        }
        let mut request = self.client.request(method, url).headers(headers);
        if let Some(body) = body {
            request = request.body(body);
        }
        request.send().await.map_err(|error| self.not_answered(&error.without_url()))
    }

    /// The error for an answer that is no success and no JSON-RPC.
    pub(super) async fn refused(&self, response: Response) -> UpstreamError {
        let status = response.status().as_u16();
        let reading = read_up_to(response, REFUSAL_BYTES_MAX);
        let body = tokio::time::timeout(REFUSAL_READ_MAX, reading).await.unwrap_or_default();
        self.refused_with(status, &body)
    }

    pub(crate) fn refused_with(&self, status: u16, body: &[u8]) -> UpstreamError {
        let excerpt = match status {
            401 | 403 => String::new(),
            _ => self.shared.excerpt(String::from_utf8_lossy(body), EXCERPT_BYTES_MAX),
        };
        UpstreamError::Refused { system: self.shared.system.clone(), status, excerpt }
    }

    /// Only what failed before a connection stood is known not to have been sent.
    fn not_answered(&self, error: &reqwest::Error) -> UpstreamError {
        let why = self.shared.masked_text(chain(error));
        if error.is_connect() {
            return self.shared.not_sent(NotSent::Connect(why));
        }
        if error.is_builder() {
            return self.shared.misuse(why);
        }
        self.shared.lost(why)
    }
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

/// Bytes of a refusal's body that are read. More than the longest credential, so that one in it is seen whole.
pub(super) const REFUSAL_BYTES_MAX: usize = 65_536;
const REFUSAL_READ_MAX: Duration = Duration::from_secs(5);
const EXCERPT_BYTES_MAX: usize = 256;
/// Below the five seconds after which common servers close: a request must not meet a connection that is being closed, for
/// then nobody knows whether it was read.
const POOL_IDLE_MAX: Duration = Duration::from_secs(4);
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);
