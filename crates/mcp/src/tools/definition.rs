//! One tool as its server defines it, and the pin that shows when the definition changes.

use provost_domain::Digest;
use serde_json::{Map, Value};

use crate::headers::{AnnotationError, ParamHeaders};
use crate::limits::Limits;
use crate::raw::{Kind, Object, Raw};
use crate::strict::shortened;

/// A tool definition, read from a list. Every text in it is by an untrusted party.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolDefinition {
    /// The definition as received.
    pub raw: String,
    /// Its name at the server.
    pub name: String,
    /// A name for people.
    pub title: Option<String>,
    /// What it says about itself.
    pub description: Option<String>,
    /// JSON Schema of the arguments. `$ref`s to elsewhere are never followed.
    pub input_schema: Value,
    /// JSON Schema of the structured result.
    pub output_schema: Option<Value>,
    /// Hints.
    pub annotations: Annotations,
    /// The arguments that modern clients mirror in headers.
    pub param_headers: ParamHeaders,
    /// See [`ToolDefinition::pin`].
    pin: Digest,
}

/// What a server hints about a tool (2026-07-28, `ToolAnnotations`), with the standard's defaults. A hint may
/// make a proposal, never a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Annotations {
    /// Changes nothing.
    pub read_only: bool,
    /// May destroy; means something only where `read_only` is false.
    pub destructive: bool,
    /// A second call with the same arguments changes nothing more.
    pub idempotent: bool,
    /// Deals with the world outside its own system.
    pub open_world: bool,
}

impl Default for Annotations {
    fn default() -> Annotations {
        Annotations { read_only: false, destructive: true, idempotent: false, open_world: true }
    }
}

/// Why a definition cannot be used. The tool is left out; the others of its list stay.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// Not an object.
    #[error("a tool definition must be an object")]
    NotAnObject,
    /// No name, or not a string.
    #[error("a tool definition needs the string `name`")]
    NoName,
    /// A name outside 1 to 128 characters, with control characters, or beginning with `@`, as operations
    /// besides tools do (domain, `BuiltIn`): a grant of those must never reach a tool that a server called
    /// the same.
    #[error(
        "a tool name must have 1 to {tool_name_chars_max} characters, no control characters and no `@` in front"
    )]
    BadName { tool_name_chars_max: usize },
    /// Longer than `tool_bytes_max`.
    #[error("the definition has {bytes} bytes but at most {tool_bytes_max} are accepted")]
    TooLong { bytes: usize, tool_bytes_max: usize },
    /// The input schema is missing or not an object.
    #[error("a tool definition needs the object `inputSchema`")]
    NoInputSchema,
    /// Another member has the wrong shape.
    #[error("the member `{member}` must be {expected}")]
    BadMember { member: &'static str, expected: &'static str },
    /// A member that readers which ignore case would take for another.
    #[error("a member differs from `{0}` only in case")]
    Lookalike(&'static str),
    /// Header annotations that break the rules (2026-07-28, Schema Extension).
    #[error(transparent)]
    Headers(#[from] AnnotationError),
    /// It cannot be written canonically.
    #[error("the definition has no canonical form")]
    NotCanonical,
}

/// The members that a pin covers.
const PINNED: [&str; 5] = ["name", "description", "inputSchema", "outputSchema", "annotations"];

impl ToolDefinition {
    /// Reads one element of a list.
    pub fn read(raw: Raw<'_>, limits: &Limits) -> Result<ToolDefinition, DefinitionError> {
        let bytes = raw.as_str().len();
        if bytes > limits.tool_bytes_max {
            return Err(DefinitionError::TooLong { bytes, tool_bytes_max: limits.tool_bytes_max });
        }
        let object = raw.as_object().ok_or(DefinitionError::NotAnObject)?;
        if let Some(member) = object.lookalike(&PINNED) {
            return Err(DefinitionError::Lookalike(member));
        }
        let name = read_name(&object, limits)?;
        let input_schema = schema(&object, "inputSchema")?.ok_or(DefinitionError::NoInputSchema)?;
        Ok(ToolDefinition {
            raw: raw.as_str().to_owned(),
            name,
            title: optional_text(&object, "title")?,
            description: optional_text(&object, "description")?,
            output_schema: schema(&object, "outputSchema")?,
            annotations: read_annotations(&object)?,
            param_headers: ParamHeaders::from_schema(&input_schema)?,
            input_schema,
            pin: pin(&object)?,
        })
    }

    /// SHA-256 over the canonical JSON (RFC 8785) of name, description, input and output schema and
    /// annotations, as received; members that are absent stay absent. Two definitions that differ only in
    /// spacing, order or escapes have the same pin.
    pub fn pin(&self) -> Digest {
        self.pin
    }
}

fn read_name(object: &Object<'_>, limits: &Limits) -> Result<String, DefinitionError> {
    let name = object.string("name").ok_or(DefinitionError::NoName)?;
    let good = (1..=limits.tool_name_chars_max).contains(&name.chars().count())
        && !name.chars().any(char::is_control)
        && !name.starts_with('@');
    let fault = DefinitionError::BadName { tool_name_chars_max: limits.tool_name_chars_max };
    if good { Ok(name.into_owned()) } else { Err(fault) }
}

fn optional_text(object: &Object<'_>, member: &'static str) -> Result<Option<String>, DefinitionError> {
    let Some(raw) = object.get(member) else { return Ok(None) };
    let fault = DefinitionError::BadMember { member, expected: "a string" };
    raw.as_string().map(|text| Some(text.into_owned())).ok_or(fault)
}

fn schema(object: &Object<'_>, member: &'static str) -> Result<Option<Value>, DefinitionError> {
    let Some(raw) = object.get(member) else { return Ok(None) };
    let fault = DefinitionError::BadMember { member, expected: "an object" };
    if raw.kind() != Kind::Object {
        return Err(fault);
    }
    raw.to_value().map(Some).map_err(|_unreadable| fault)
}

fn read_annotations(object: &Object<'_>) -> Result<Annotations, DefinitionError> {
    let Some(raw) = object.get("annotations") else { return Ok(Annotations::default()) };
    let fault = DefinitionError::BadMember { member: "annotations", expected: "an object" };
    let hints = raw.as_object().ok_or(fault)?;
    let defaults = Annotations::default();
    let hint = |member: &str, default: bool| hints.get(member).and_then(|h| h.as_bool()).unwrap_or(default);
    Ok(Annotations {
        read_only: hint("readOnlyHint", defaults.read_only),
        destructive: hint("destructiveHint", defaults.destructive),
        idempotent: hint("idempotentHint", defaults.idempotent),
        open_world: hint("openWorldHint", defaults.open_world),
    })
}

fn pin(object: &Object<'_>) -> Result<Digest, DefinitionError> {
    let pinned: Map<String, Value> = PINNED
        .iter()
        .filter_map(|member| Some((member.to_string(), object.get(member)?.to_value().ok()?)))
        .collect();
    Digest::of_json(&pinned).map_err(|_no_form| DefinitionError::NotCanonical)
}

/// A name for an error, whatever the definition looks like.
pub(super) fn shown_name(raw: Raw<'_>) -> String {
    let name = raw.as_object().and_then(|object| object.string("name").map(|name| shortened(&name, 128)));
    name.unwrap_or_else(|| "(no name)".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strict;

    fn read(text: &str) -> Result<ToolDefinition, DefinitionError> {
        let limits = Limits { tool_bytes_max: 400, ..Limits::default() };
        ToolDefinition::read(strict::check(text.as_bytes(), &limits).unwrap(), &limits)
    }

    const PLAIN: &str = r#"{"name":"t","description":"d","inputSchema":{"type":"object","properties":{"a":{"maximum":1.0}}}}"#;

    #[test]
    fn a_pin_sees_meaning_and_not_spelling() {
        let pin = read(PLAIN).unwrap().pin();
        let same = [
            r#"{ "inputSchema" : {"properties":{"a":{"maximum":1}},"type":"object"}, "name":"\u0074", "description":"d" }"#,
            r#"{"name":"t","title":"other","description":"d","icons":[],"_meta":{"x":1},"inputSchema":{"type":"object","properties":{"a":{"maximum":1.0}}}}"#,
        ];
        for text in same {
            assert_eq!(read(text).unwrap().pin(), pin, "{text}");
        }
        let different = [
            PLAIN.replace("\"d\"", "\"D\""),
            PLAIN.replace("1.0", "1.5"),
            PLAIN.replace("\"name\":\"t\"", "\"name\":\"u\""),
            PLAIN.replace("\"description\":\"d\",", ""),
            PLAIN.replace("}}}}", "}}},\"outputSchema\":{}}"),
            PLAIN.replace("}}}}", "}}},\"annotations\":{\"readOnlyHint\":true}}"),
        ];
        for text in different {
            assert_ne!(read(&text).unwrap().pin(), pin, "{text}");
        }
    }

    #[test]
    fn the_pin_is_the_digest_that_anyone_can_compute() {
        // printf '%s' '{"description":"d","inputSchema":{"type":"object"},"name":"t"}' | sha256sum
        let tool = read(r#"{"name":"t","inputSchema":{"type":"object"},"description":"d"}"#).unwrap();
        let canonical = br#"{"description":"d","inputSchema":{"type":"object"},"name":"t"}"#;
        assert_eq!(tool.pin(), Digest::of(canonical));
    }

    /// 2026-07-28, `ToolAnnotations`.
    #[test]
    fn absent_hints_mean_the_worst_the_standard_says() {
        let rows = [
            ("", Annotations::default()),
            (r#","annotations":{}"#, Annotations::default()),
            (
                r#","annotations":{"readOnlyHint":true,"openWorldHint":false}"#,
                Annotations { read_only: true, open_world: false, ..Annotations::default() },
            ),
            (r#","annotations":{"readOnlyHint":"yes"}"#, Annotations::default()),
        ];
        for (more, expected) in rows {
            let tool = read(&format!(r#"{{"name":"t","inputSchema":{{}}{more}}}"#)).unwrap();
            assert_eq!(tool.annotations, expected, "{more}");
        }
    }

    #[test]
    fn a_definition_out_of_shape_is_named() {
        let long = format!(r#"{{"name":"t","inputSchema":{{}},"x":"{}"}}"#, "x".repeat(400));
        const BAD_NAME: &str =
            "a tool name must have 1 to 128 characters, no control characters and no `@` in front";
        let rows: [(&str, &str); 10] = [
            (r#"{"name":"@resources","inputSchema":{}}"#, BAD_NAME),
            ("[]", "a tool definition must be an object"),
            ("{}", "a tool definition needs the string `name`"),
            (r#"{"name":"","inputSchema":{}}"#, BAD_NAME),
            (r#"{"name":"a\n","inputSchema":{}}"#, BAD_NAME),
            (r#"{"name":"t"}"#, "a tool definition needs the object `inputSchema`"),
            (r#"{"name":"t","inputSchema":[]}"#, "the member `inputSchema` must be an object"),
            (r#"{"name":"t","inputSchema":{},"Name":"u"}"#, "a member differs from `name` only in case"),
            (
                r#"{"name":"t","inputSchema":{"properties":{"a":{"type":"number","x-mcp-header":"A"}}}}"#,
                "the x-mcp-header at `a` is not valid: only string, integer and boolean properties can be mirrored",
            ),
            (&long, "the definition has 436 bytes but at most 400 are accepted"),
        ];
        for (text, expected) in rows {
            assert_eq!(read(text).unwrap_err().to_string(), expected, "{text}");
        }
    }
}
