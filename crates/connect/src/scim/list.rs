//! Which accounts a server has (RFC 7644 section 3.4.2), a page at a time and a bounded number of them.

use super::{ScimAccount, ScimFault, fault, read};
use crate::{Secret, Upstreams};
use http::{Method, StatusCode};
use serde_json::Value;

/// An account as a server lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScimListed {
    /// Its `userName`.
    pub user: String,
    /// Whether it may act: what does not say that it may not, may.
    pub active: bool,
}

impl Upstreams {
    /// The accounts whose `userName` begins so, without regard to case; and whether that were all of them.
    ///
    /// # Errors
    /// [`ScimFault`] when they cannot be listed.
    pub async fn accounts(
        &self,
        url: &str,
        token: Option<&Secret>,
        prefix: &str,
    ) -> Result<(Vec<ScimListed>, bool), ScimFault> {
        let base = url.trim_end_matches('/');
        let asks = ScimAccount { url, user: prefix, token };
        let mut found = Vec::new();
        let mut seen = 0_usize;
        for _page in 0..PAGES_MAX {
            let at = format!("{base}/Users?{}", query(prefix, seen.saturating_add(1)));
            let answer = self.scim(&asks, Method::GET, &at, None).await?;
            if answer.status != StatusCode::OK {
                return Err(fault("the list of accounts", answer.status));
            }
            let page = read(&answer)?;
            let rows = page.get("Resources").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            seen = seen.saturating_add(rows.len());
            found.extend(rows.iter().filter_map(|row| listed(row, prefix)));
            let all = page.get("totalResults").and_then(Value::as_u64);
            let more = all.is_some_and(|all| usize::try_from(all).is_ok_and(|all| seen < all));
            if rows.is_empty() || !more {
                return Ok((found, !more));
            }
        }
        Ok((found, false))
    }
}

fn query(prefix: &str, from: usize) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    if !prefix.is_empty() {
        let text = prefix.replace('\\', "\\\\").replace('"', "\\\"");
        query.append_pair("filter", &format!("userName sw \"{text}\""));
    }
    query.append_pair("startIndex", &from.to_string()).append_pair("count", &PAGE.to_string()).finish()
}

/// A server that does not know the filter lists everybody.
fn listed(row: &Value, prefix: &str) -> Option<ScimListed> {
    let user = row.get("userName").and_then(Value::as_str)?;
    let begins = user.get(..prefix.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(prefix));
    let active = row.get("active") != Some(&Value::Bool(false));
    begins.then(|| ScimListed { user: user.to_owned(), active })
}

const PAGE: usize = 100;
const PAGES_MAX: usize = 20;
