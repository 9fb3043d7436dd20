//! A client of other people's SCIM servers (RFC 7644), for one thing: an account that may not act any more is made inactive, and
//! looked at afterwards.

use crate::{Answer, Ask, Secret, Upstreams};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};

/// Which account, and how the plane asks.
#[derive(Debug, Clone, Copy)]
pub struct ScimAccount<'a> {
    /// The server: `https://host/scim/v2`.
    pub url: &'a str,
    /// `userName` of the account, compared without case (RFC 7643 section 4.1.1).
    pub user: &'a str,
    /// The bearer token, if it wants one.
    pub token: Option<&'a Secret>,
}

/// What was seen afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScimSeen {
    /// It was read back and is not active.
    Inactive {
        /// Its id there.
        id: String,
    },
    /// There is no such account.
    Absent,
}

/// Why it is not known to be inactive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScimFault {
    /// It may work later.
    #[error("{0}")]
    Later(String),
    /// It will not.
    #[error("{0}")]
    Never(String),
}

impl Upstreams {
    /// Makes an account inactive, and reads it back: what the server says it did is not believed.
    ///
    /// # Errors
    /// [`ScimFault`] when it is not seen to be inactive.
    pub async fn deactivate(&self, account: &ScimAccount<'_>) -> Result<ScimSeen, ScimFault> {
        let base = account.url.trim_end_matches('/');
        let Some(id) = self.find(base, account).await? else { return Ok(ScimSeen::Absent) };
        let at = format!("{base}/Users/{}", quoted(&id));
        let change = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{ "op": "replace", "path": "active", "value": false }],
        });
        let answer = self.scim(account, Method::PATCH, &at, Some(&change)).await?;
        match answer.status {
            StatusCode::NOT_FOUND => return Ok(ScimSeen::Absent),
            status if status.is_success() => {}
            status => return Err(fault("PATCH", status)),
        }
        let answer = self.scim(account, Method::GET, &at, None).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(ScimSeen::Absent),
            StatusCode::OK => match read(&answer)?.get("active") {
                Some(Value::Bool(false)) => Ok(ScimSeen::Inactive { id }),
                _ => Err(ScimFault::Later("it took the change, and the account is still active".to_owned())),
            },
            status => Err(fault("GET", status)),
        }
    }

    /// The id of the one account of that name.
    async fn find(&self, base: &str, account: &ScimAccount<'_>) -> Result<Option<String>, ScimFault> {
        let name = account.user.replace('\\', "\\\\").replace('"', "\\\"");
        let filter: String =
            url::form_urlencoded::byte_serialize(format!("userName eq \"{name}\"").as_bytes()).collect();
        let answer = self.scim(account, Method::GET, &format!("{base}/Users?filter={filter}"), None).await?;
        if answer.status != StatusCode::OK {
            return Err(fault("search", answer.status));
        }
        let listed = read(&answer)?;
        let found = listed.get("Resources").and_then(Value::as_array).cloned().unwrap_or_default();
        // A server that does not know the filter may list everybody.
        let is_it = |row: &&Value| {
            row.get("userName")
                .and_then(Value::as_str)
                .is_some_and(|name| name.eq_ignore_ascii_case(account.user))
        };
        let mut found = found.iter().filter(is_it);
        match (found.next(), found.next()) {
            (None, _) => Ok(None),
            (Some(_), Some(_)) => Err(ScimFault::Never("several accounts have that name".to_owned())),
            (Some(row), None) => {
                let id = row.get("id").and_then(Value::as_str);
                let id = id.ok_or_else(|| ScimFault::Later("the account has no id".to_owned()))?;
                Ok(Some(id.to_owned()))
            }
        }
    }

    async fn scim(
        &self,
        account: &ScimAccount<'_>,
        method: Method,
        url: &str,
        body: Option<&Value>,
    ) -> Result<Answer, ScimFault> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(token) = account.token {
            let text = [b"Bearer ".as_slice(), token.dangerous_expose()].concat();
            let mut value = HeaderValue::from_bytes(&text)
                .map_err(|_binary| ScimFault::Never("its token is no header value".to_owned()))?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        let ask = Ask { headers, body: Some((method, body)), ..Ask::default() };
        self.fetch(url, ask, ANSWER_BYTES_MAX).await.map_err(|error| ScimFault::Later(error.why))
    }
}

fn fault(what: &str, status: StatusCode) -> ScimFault {
    ScimFault::Later(format!("{what} was answered with {status}"))
}

fn read(answer: &Answer) -> Result<Value, ScimFault> {
    serde_json::from_slice(&answer.body)
        .map_err(|_other| ScimFault::Later("its answer is no JSON".to_owned()))
}

/// One part of a path.
fn quoted(id: &str) -> String {
    id.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

const MEDIA_TYPE: &str = "application/scim+json";
const ANSWER_BYTES_MAX: usize = 1 << 20;
