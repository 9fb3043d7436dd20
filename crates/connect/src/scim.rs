//! A client of other people's SCIM servers (RFC 7644), for two things: an account that may not act any more is made inactive, or
//! active again, and looked at afterwards; and accounts are listed (`list`), to find those that nobody answers for.

mod list;

pub use list::ScimListed;

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
    /// It was read back and is as wanted.
    AsWanted {
        /// Its id there.
        id: String,
        /// Whether it was so before.
        before: bool,
    },
    /// There is no such account.
    Absent,
}

/// Why it is not known to be as wanted.
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
    /// Makes an account active or inactive, and reads it back: what the server says it did is not believed.
    ///
    /// # Errors
    /// [`ScimFault`] when it is not seen to be so.
    pub async fn set_active(&self, account: &ScimAccount<'_>, active: bool) -> Result<ScimSeen, ScimFault> {
        let base = account.url.trim_end_matches('/');
        let Some((id, listed)) = self.find(base, account).await? else { return Ok(ScimSeen::Absent) };
        let at = format!("{base}/Users/{}", quoted(&id));
        let was = match listed {
            Some(was) => Some(was),
            None => self.is_active(account, (&at, &id)).await?,
        };
        let before = was == Some(active);
        let change = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{ "op": "replace", "path": "active", "value": active }],
        });
        let answer = self.scim(account, Method::PATCH, &at, Some(&change)).await?;
        match answer.status {
            StatusCode::NOT_FOUND => return self.gone(base, account).await,
            status if status.is_success() => {}
            status => return Err(fault("PATCH", status)),
        }
        match self.is_active(account, (&at, &id)).await? {
            Some(seen) if seen == active => Ok(ScimSeen::AsWanted { id, before }),
            Some(_other) => {
                let still = if active { "not active" } else { "active" };
                Err(ScimFault::Later(format!("it took the change, and the account is still {still}")))
            }
            None => self.gone(base, account).await,
        }
    }

    /// An account that was listed a moment ago and cannot be found where it was: it is gone if it is listed no more.
    async fn gone(&self, base: &str, account: &ScimAccount<'_>) -> Result<ScimSeen, ScimFault> {
        match self.find(base, account).await? {
            None => Ok(ScimSeen::Absent),
            Some(_there) => {
                Err(ScimFault::Later("the account is listed, and is not found where it is".to_owned()))
            }
        }
    }

    /// Whether an account is active, as it is read; `None` if there is none. What does not say so may act.
    async fn is_active(
        &self,
        account: &ScimAccount<'_>,
        (at, id): (&str, &str),
    ) -> Result<Option<bool>, ScimFault> {
        let answer = self.scim(account, Method::GET, at, None).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::OK => {
                let row = read(&answer)?;
                let same = row.get("id").and_then(Value::as_str) == Some(id)
                    && row.get("userName").and_then(Value::as_str).is_none_or(|name| is_user(name, account));
                if !same {
                    return Err(ScimFault::Later("what was read back is another account".to_owned()));
                }
                Ok(Some(row.get("active") != Some(&Value::Bool(false))))
            }
            status => Err(fault("GET", status)),
        }
    }

    /// The id of the one account of that name, and whether it is active, where the listing says so.
    async fn find(
        &self,
        base: &str,
        account: &ScimAccount<'_>,
    ) -> Result<Option<(String, Option<bool>)>, ScimFault> {
        let name = account.user.replace('\\', "\\\\").replace('"', "\\\"");
        let filter: String =
            url::form_urlencoded::byte_serialize(format!("userName eq \"{name}\"").as_bytes()).collect();
        let answer = self.scim(account, Method::GET, &format!("{base}/Users?filter={filter}"), None).await?;
        if answer.status != StatusCode::OK {
            return Err(fault("search", answer.status));
        }
        let listed = read(&answer)?;
        let rows = listed.get("Resources").and_then(Value::as_array).cloned().unwrap_or_default();
        // RFC 7644 section 3.4.2: how many there are, of which an answer may have a part.
        let all =
            listed.get("totalResults").and_then(Value::as_u64).and_then(|all| usize::try_from(all).ok());
        // A server that does not know the filter may list everybody.
        let is_it = |row: &&Value| {
            row.get("userName").and_then(Value::as_str).is_some_and(|name| is_user(name, account))
        };
        let mut found = rows.iter().filter(is_it);
        match (found.next(), found.next()) {
            (None, _) if all.is_some_and(|all| all <= rows.len()) => Ok(None),
            (None, _) => {
                Err(ScimFault::Later("its listing is not whole, and the account is not in it".to_owned()))
            }
            (Some(_), Some(_)) => Err(ScimFault::Never("several accounts have that name".to_owned())),
            (Some(row), None) => {
                let id = row.get("id").and_then(Value::as_str);
                let id = id.ok_or_else(|| ScimFault::Later("the account has no id".to_owned()))?;
                Ok(Some((id.to_owned(), row.get("active").and_then(Value::as_bool))))
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

fn is_user(name: &str, account: &ScimAccount<'_>) -> bool {
    name.eq_ignore_ascii_case(account.user)
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
