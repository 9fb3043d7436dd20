//! What stands around resources: the service provider's description, lists, and what a list is asked with.

use crate::{
    Attributes, Fault, Filter, Projection, ResourceType, Schema,
    schema::{SCHEMAS, TYPES},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// What is asked of a list (RFC 7644 sections 3.4.2, 3.4.3).
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// Which resources.
    pub filter: Option<Filter>,
    /// From which on, counted from 1.
    pub start: usize,
    /// How many at most.
    pub count: usize,
    /// By a cursor instead: after which id, or from the first on (RFC 9865).
    pub cursor: Option<Option<String>>,
    /// What of them.
    pub projection: Projection,
}

/// The same as it was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// `filter`.
    pub filter: Option<String>,
    /// `startIndex`.
    pub start: Option<i64>,
    /// `count`.
    pub count: Option<i64>,
    /// `cursor`; empty for the first page.
    pub cursor: Option<String>,
    /// `attributes`.
    pub attributes: Option<Vec<String>>,
    /// `excludedAttributes`.
    pub excluded: Vec<String>,
}

impl Asked {
    /// Reads the parameters of an address; those nobody knows are passed over (`sortBy` is: nothing is sorted here).
    ///
    /// # Errors
    /// `invalidValue` when a number is none.
    pub fn from_pairs<'t>(pairs: impl IntoIterator<Item = (&'t str, &'t str)>) -> Result<Self, Fault> {
        let number = |name: &str, text: &str| {
            let text = text.trim();
            text.parse::<i64>().map_err(|_error| Fault::value(format!("`{name}` is no number")))
        };
        let names = |text: &str| text.split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>();
        let mut asked = Self::default();
        for (name, text) in pairs {
            match name {
                "filter" => asked.filter = Some(text.to_owned()),
                "startIndex" => asked.start = Some(number(name, text)?),
                "count" => asked.count = Some(number(name, text)?),
                "cursor" => asked.cursor = Some(text.to_owned()),
                "attributes" => asked.attributes = Some(names(text)),
                "excludedAttributes" => asked.excluded = names(text),
                _ => {}
            }
        }
        Ok(asked)
    }

    /// Reads a search request (RFC 7644 section 3.4.3).
    ///
    /// # Errors
    /// `invalidSyntax` when it is none.
    pub fn from_body(body: &Value) -> Result<Self, Fault> {
        let Some(body) = body.as_object() else { return Err(Fault::syntax("the body is no JSON object")) };
        let names = |name: &str| {
            let all = body.get(name)?.as_array()?;
            Some(all.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect::<Vec<_>>())
        };
        let number = |name: &str| match body.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_i64() {
                Some(number) => Ok(Some(number)),
                None => Err(Fault::value(format!("`{name}` is no number"))),
            },
        };
        Ok(Self {
            filter: body.get("filter").and_then(Value::as_str).map(str::to_owned),
            start: number("startIndex")?,
            count: number("count")?,
            cursor: body.get("cursor").and_then(Value::as_str).map(str::to_owned),
            attributes: names("attributes"),
            excluded: names("excludedAttributes").unwrap_or_default(),
        })
    }

    /// What that means for one kind of resource. A start before the first is the first; fewer than none are none.
    ///
    /// # Errors
    /// `invalidFilter`, `invalidCursor`.
    pub fn query(&self, kind: &ResourceType) -> Result<Query, Fault> {
        let filter = self.filter.as_deref().filter(|text| !text.trim().is_empty());
        let at_least = |number: i64, least: usize| usize::try_from(number).unwrap_or(least).max(least);
        Ok(Query {
            filter: filter.map(|text| Filter::parse(kind, text)).transpose()?,
            start: self.start.map_or(1, |start| at_least(start, 1)),
            count: self.count.map_or(COUNT_MAX, |count| at_least(count, 0)).min(COUNT_MAX),
            cursor: self.cursor.as_deref().map(read_cursor).transpose()?,
            projection: self.projection(kind),
        })
    }

    /// What of a resource is asked for.
    #[must_use]
    pub fn projection(&self, kind: &ResourceType) -> Projection {
        let only = self.attributes.as_ref().map(|names| names.iter().map(String::as_str));
        Projection::of(kind, only, self.excluded.iter().map(String::as_str))
    }
}

/// A list of resources (RFC 7644 section 3.4.2).
#[must_use]
pub fn list(total: usize, start: usize, resources: Vec<Value>) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": total,
        "startIndex": start,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    })
}

/// The page that is asked for of resources in order of their ids, with whatever is beside it. A cursor is the last id shown, so
/// that resources which come and go meanwhile neither repeat nor hide others, and it never runs out.
#[must_use]
pub fn page<T>(found: Vec<T>, query: &Query, id: impl Fn(&T) -> &str, show: impl Fn(&T) -> Value) -> Value {
    let total = found.len();
    let Some(cursor) = &query.cursor else {
        let shown = found.iter().skip(query.start.saturating_sub(1)).take(query.count);
        return list(total, query.start, shown.map(show).collect());
    };
    let after = |resource: &&T| cursor.as_deref().is_none_or(|cursor| id(resource) > cursor);
    let left: Vec<&T> = found.iter().filter(after).collect();
    let shown: Vec<&&T> = left.iter().take(query.count).collect();
    let next = shown.last().filter(|_last| left.len() > shown.len()).map(|last| hex::encode(id(last)));
    let mut page = list(total, 1, shown.into_iter().map(|resource| show(resource)).collect());
    if let Some(page) = page.as_object_mut() {
        page.remove("startIndex");
        if let Some(next) = next {
            page.insert("nextCursor".to_owned(), next.into());
        }
    }
    page
}

fn read_cursor(text: &str) -> Result<Option<String>, Fault> {
    if text.is_empty() {
        return Ok(None);
    }
    let read = hex::decode(text.get(..text.len().min(CURSOR_BYTES_MAX)).unwrap_or_default());
    let read = read.ok().and_then(|bytes| String::from_utf8(bytes).ok());
    read.filter(|_| text.len() <= CURSOR_BYTES_MAX).map(Some).ok_or_else(|| {
        Fault::cursor("take `cursor` from `nextCursor` of the page before, or begin with an empty one")
    })
}

/// A resource, whole: its schemas, and `meta` with a version that is the same as long as nothing of it changes.
#[must_use]
pub fn resource(kind: &ResourceType, mut attributes: Attributes, meta: Meta<'_>) -> Attributes {
    let extensions = kind.extensions.iter().filter(|schema| attributes.contains_key(schema.id));
    let schemas: Vec<&str> =
        std::iter::once(kind.core.id).chain(extensions.map(|schema: &&Schema| schema.id)).collect();
    attributes.insert("schemas".to_owned(), json!(schemas));
    attributes.insert("id".to_owned(), meta.id.into());
    attributes.insert(
        "meta".to_owned(),
        json!({
            "resourceType": kind.name,
            "created": meta.created,
            "lastModified": meta.changed,
            "location": format!("{}{}/{}", meta.at, kind.endpoint, meta.id),
            "version": meta.version,
        }),
    );
    attributes
}

/// What the server says of a resource.
#[derive(Debug, Clone, Copy)]
pub struct Meta<'a> {
    /// Its id.
    pub id: &'a str,
    /// RFC 3339.
    pub created: &'a str,
    /// RFC 3339.
    pub changed: &'a str,
    /// The address that all are under.
    pub at: &'a str,
    /// Its ETag ([`version`]).
    pub version: &'a str,
}

/// A weak ETag of what a resource is (RFC 9110 section 8.8.3).
#[must_use]
pub fn version<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    let digest = hex::encode(hash.finalize());
    format!("W/\"{}\"", digest.get(..VERSION_DIGITS).unwrap_or(&digest))
}

/// Whether a version is among those of `If-Match` or `If-None-Match`; weakly compared, since all of ours are weak.
#[must_use]
pub fn is_among(version: &str, header: &str) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let ours = bare(version);
    header.trim() == "*" || header.split(',').any(|tag| bare(tag) == ours)
}

/// What this server can (RFC 7643 section 5).
#[must_use]
pub fn service_provider(at: &str, documentation: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "documentationUri": documentation,
        "patch": { "supported": true },
        "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
        "filter": { "supported": true, "maxResults": COUNT_MAX },
        "changePassword": { "supported": false },
        "sort": { "supported": false },
        "etag": { "supported": true },
        "pagination": {
            "cursor": true,
            "index": true,
            "defaultPaginationMethod": "index",
            "defaultPageSize": COUNT_MAX,
            "maxPageSize": COUNT_MAX,
        },
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "A token of the connector, shown once when it is issued",
            "specUri": "https://www.rfc-editor.org/info/rfc6750",
            "primary": true,
        }],
        "meta": { "resourceType": "ServiceProviderConfig", "location": format!("{at}/ServiceProviderConfig") },
    })
}

/// Every kind of resource.
#[must_use]
pub fn resource_types(at: &str) -> Value {
    list(TYPES.len(), 1, TYPES.iter().map(|kind| kind.document(at)).collect())
}

/// Every schema.
#[must_use]
pub fn schemas(at: &str) -> Value {
    list(SCHEMAS.len(), 1, SCHEMAS.iter().map(|schema| schema.document(at)).collect())
}

/// Resources in one answer.
pub const COUNT_MAX: usize = 200;
const CURSOR_BYTES_MAX: usize = 256;
const VERSION_DIGITS: usize = 24;
