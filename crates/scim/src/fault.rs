//! Why a request is not done, in the words of the protocol (RFC 7644 section 3.12).

use serde_json::{Value, json};

/// A refusal: status, keyword, and words for whoever reads the provider's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The HTTP status.
    pub status: u16,
    /// `invalidFilter`, `uniqueness` …; where the protocol has one.
    pub kind: Option<&'static str>,
    /// In words.
    pub detail: String,
}

impl Fault {
    /// A refusal without a keyword.
    pub fn new(status: u16, detail: impl Into<String>) -> Self {
        Self { status, kind: None, detail: detail.into() }
    }

    /// The filter cannot be read, or asks what there is not.
    pub fn filter(detail: impl Into<String>) -> Self {
        Self::bad("invalidFilter", detail)
    }

    /// The body is not built as it has to be.
    pub fn syntax(detail: impl Into<String>) -> Self {
        Self::bad("invalidSyntax", detail)
    }

    /// The path of an operation cannot be read.
    pub fn path(detail: impl Into<String>) -> Self {
        Self::bad("invalidPath", detail)
    }

    /// A value is missing, or of another type.
    pub fn value(detail: impl Into<String>) -> Self {
        Self::bad("invalidValue", detail)
    }

    /// A cursor is none of this server's (RFC 9865 section 2.1).
    pub fn cursor(detail: impl Into<String>) -> Self {
        Self::bad("invalidCursor", detail)
    }

    /// An operation is about nothing.
    pub fn no_target(detail: impl Into<String>) -> Self {
        Self::bad("noTarget", detail)
    }

    /// What only the server says, or what never changes.
    pub fn mutability(detail: impl Into<String>) -> Self {
        Self::bad("mutability", detail)
    }

    /// Somebody has it already.
    pub fn uniqueness(detail: impl Into<String>) -> Self {
        Self { status: 409, kind: Some("uniqueness"), detail: detail.into() }
    }

    /// There is no such resource.
    pub fn not_found(id: &str) -> Self {
        Self::new(404, format!("there is no resource {}", clip(id)))
    }

    fn bad(kind: &'static str, detail: impl Into<String>) -> Self {
        Self { status: 400, kind: Some(kind), detail: detail.into() }
    }

    /// The body of the answer; the status is a string (RFC 7644 section 3.12).
    #[must_use]
    pub fn body(&self) -> Value {
        let mut body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
            "status": self.status.to_string(),
            "detail": self.detail,
        });
        if let (Some(kind), Some(body)) = (self.kind, body.as_object_mut()) {
            body.insert("scimType".to_owned(), kind.into());
        }
        body
    }
}

/// The beginning of a text that somebody else wrote, to be named in an answer.
pub(crate) fn clip(text: &str) -> String {
    let clean = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
    let short: String = clean.take(CLIP_CHARS).collect();
    format!("`{short}`")
}

const CLIP_CHARS: usize = 80;
