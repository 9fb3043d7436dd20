//! A tool's JSON Schema becomes typed arguments, as far as policies can use types. What cannot be typed reaches
//! policies as canonical JSON text, so nothing is lost and nothing is guessed.

use provost_domain::tool::{ArgShape, ArgType};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Reads the `inputSchema` of a tool (JSON Schema; MCP 2026-07-28, Tools).
///
/// | schema | shape |
/// |---|---|
/// | `string`, or an `enum` or `const` of text | `String` |
/// | `integer` / `number` / `boolean` | `Long` / `Decimal` / `Bool` |
/// | `array` with scalar `items` | `Set` |
/// | `object` with `properties`, not open to others | `Record` |
/// | anything else: unions, `null`, open objects, deep nesting | `Json` |
///
/// `$ref` is followed only inside the same text (`#/$defs/…`, `#/definitions/…`) and only so often.
///
/// # Errors
/// When the schema is not an object schema, or is larger than the bounds.
pub fn args_from_json_schema(schema: &Value) -> Result<BTreeMap<String, ArgType>, SchemaFault> {
    args_in(schema, schema)
}

/// As [`args_from_json_schema`], for a schema that stands inside a larger document: references lead into that document,
/// also to `#/components/schemas/…` (OpenAPI 3.1.1, Components Object).
///
/// # Errors
/// As [`args_from_json_schema`].
pub fn args_in(document: &Value, schema: &Value) -> Result<BTreeMap<String, ArgType>, SchemaFault> {
    let top = schema.as_object().ok_or_else(|| SchemaFault::new("is not an object"))?;
    let reader = Reader { root: document };
    let (top, _) =
        reader.follow(top).ok_or_else(|| SchemaFault::new("points to a definition that is not in it"))?;
    match top.get("type") {
        None => {}
        Some(Value::String(kind)) if kind == "object" => {}
        Some(_) => return Err(SchemaFault::new("is not of type `object`, as MCP requires")),
    }
    if COMBINERS.iter().any(|word| top.contains_key(*word)) {
        return Err(SchemaFault::new(
            "combines alternatives at its top (allOf, anyOf, oneOf, if), so its arguments are not one list",
        ));
    }
    let Some(properties) = top.get("properties") else { return Ok(BTreeMap::new()) };
    let properties =
        properties.as_object().ok_or_else(|| SchemaFault::new("has `properties` that are no object"))?;
    if properties.len() > MEMBERS_MAX {
        return Err(SchemaFault::new(format!(
            "has {} arguments; arguments_max is {MEMBERS_MAX}",
            properties.len()
        )));
    }
    Ok(reader.members(properties, top.get("required"), 1))
}

/// The shape of one value whose schema stands inside a document; [`ArgShape::Json`] where there is no narrower one.
#[must_use]
pub fn shape_in(document: &Value, schema: &Value) -> ArgShape {
    Reader { root: document }.shape(schema, 1)
}

/// A JSON Schema that cannot describe the arguments of a tool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the input schema {problem}: write the tool's arguments by hand")]
pub struct SchemaFault {
    problem: String,
}

impl SchemaFault {
    fn new(problem: impl Into<String>) -> Self {
        Self { problem: problem.into() }
    }
}

struct Reader<'a> {
    root: &'a Value,
}

impl<'a> Reader<'a> {
    fn members(
        &self,
        properties: &'a Map<String, Value>,
        required: Option<&Value>,
        depth: usize,
    ) -> BTreeMap<String, ArgType> {
        let required: BTreeSet<&str> =
            required.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        properties
            .iter()
            .map(|(name, schema)| {
                let shape = self.shape(schema, depth);
                (name.clone(), ArgType { shape, required: required.contains(name.as_str()) })
            })
            .collect()
    }

    fn shape(&self, schema: &'a Value, depth: usize) -> ArgShape {
        self.typed(schema, depth).unwrap_or(ArgShape::Json)
    }

    /// A shape that every value of this schema has; nothing when there is none.
    fn typed(&self, schema: &'a Value, depth: usize) -> Option<ArgShape> {
        if depth > DEPTH_MAX {
            return None;
        }
        let (schema, _) = self.follow(schema.as_object()?)?;
        if COMBINERS.iter().any(|word| schema.contains_key(*word)) {
            return None;
        }
        // How OpenAPI 3.0 says `null`.
        if schema.get("nullable") == Some(&Value::Bool(true)) {
            return None;
        }
        let Some(kind) = schema.get("type") else { return listed(schema) };
        match kind.as_str()? {
            "string" => Some(ArgShape::String),
            "integer" => Some(ArgShape::Long),
            "number" => Some(ArgShape::Decimal),
            "boolean" => Some(ArgShape::Bool),
            "array" if !schema.contains_key("prefixItems") => {
                let of = self.typed(schema.get("items")?, depth + 1)?;
                matches!(of, ArgShape::String | ArgShape::Long | ArgShape::Decimal | ArgShape::Bool)
                    .then(|| ArgShape::Set { of: Box::new(of) })
            }
            "object" => self.record(schema, depth),
            _ => None,
        }
    }

    fn record(&self, schema: &'a Map<String, Value>, depth: usize) -> Option<ArgShape> {
        let properties = schema.get("properties")?.as_object()?;
        let closed = match schema.get("additionalProperties") {
            None | Some(Value::Bool(false)) => !schema.contains_key("patternProperties"),
            Some(_) => false,
        };
        (closed && properties.len() <= MEMBERS_MAX).then(|| ArgShape::Record {
            members: self.members(properties, schema.get("required"), depth + 1),
        })
    }

    /// Follows local references.
    fn follow(&self, schema: &'a Map<String, Value>) -> Option<(&'a Map<String, Value>, usize)> {
        let mut schema = schema;
        for followed in 0..REFERENCES_MAX {
            let Some(reference) = schema.get("$ref") else { return Some((schema, followed)) };
            let pointer = reference.as_str()?.strip_prefix('#')?;
            if !DEFINITIONS.iter().any(|place| pointer.starts_with(place)) {
                return None;
            }
            schema = self.root.pointer(pointer)?.as_object()?;
        }
        None
    }
}

fn listed(schema: &Map<String, Value>) -> Option<ArgShape> {
    let one = schema.get("const").map(std::slice::from_ref);
    let values = one.or_else(|| schema.get("enum").and_then(Value::as_array).map(Vec::as_slice))?;
    (!values.is_empty() && values.iter().all(Value::is_string)).then_some(ArgShape::String)
}

const DEFINITIONS: [&str; 3] = ["/$defs/", "/definitions/", "/components/schemas/"];
const COMBINERS: [&str; 6] = ["allOf", "anyOf", "oneOf", "not", "if", "$dynamicRef"];
const DEPTH_MAX: usize = 6;
const MEMBERS_MAX: usize = 256;
const REFERENCES_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shape_of(schema: Value) -> ArgShape {
        let tool = json!({
            "type": "object", "properties": {"x": schema},
            "$defs": {"amount": {"type": "number"}, "loop": {"$ref": "#/$defs/loop"}},
        });
        args_from_json_schema(&tool).unwrap().remove("x").unwrap().shape
    }

    #[test]
    fn each_schema_gets_the_narrowest_shape_that_every_value_has() {
        let set = |of| ArgShape::Set { of: Box::new(of) };
        for (schema, shape) in [
            (json!({"type": "string", "format": "uri"}), ArgShape::String),
            (json!({"enum": ["a", "b"]}), ArgShape::String),
            (json!({"const": "a"}), ArgShape::String),
            (json!({"enum": ["a", 1]}), ArgShape::Json),
            (json!({"type": "integer"}), ArgShape::Long),
            (json!({"type": "number"}), ArgShape::Decimal),
            (json!({"type": "boolean"}), ArgShape::Bool),
            (json!({"type": ["string", "null"]}), ArgShape::Json),
            (json!({"type": "array", "items": {"type": "string"}}), set(ArgShape::String)),
            (json!({"type": "array", "items": {"type": "object"}}), ArgShape::Json),
            (json!({"type": "array"}), ArgShape::Json),
            (json!({"type": "object"}), ArgShape::Json),
            (json!({"type": "object", "properties": {}, "additionalProperties": true}), ArgShape::Json),
            (json!({"anyOf": [{"type": "string"}]}), ArgShape::Json),
            (json!({"$ref": "#/$defs/amount"}), ArgShape::Decimal),
            (json!({"$ref": "#/$defs/loop"}), ArgShape::Json),
            (json!({"$ref": "https://example.com/other.json"}), ArgShape::Json),
            (json!({"type": "string", "nullable": true}), ArgShape::Json),
            (json!(true), ArgShape::Json),
        ] {
            assert_eq!(shape_of(schema.clone()), shape, "{schema}");
        }
        let nested = shape_of(json!({
            "type": "object", "properties": {"iban": {"type": "string"}}, "required": ["iban"],
        }));
        let ArgShape::Record { members } = nested else { panic!("a closed object is a record") };
        assert!(members["iban"].required);
    }

    #[test]
    fn a_schema_that_is_no_list_of_arguments_is_refused() {
        for schema in
            [json!(1), json!({"type": "string"}), json!({"oneOf": []}), json!({"$ref": "#/$defs/no"})]
        {
            assert!(args_from_json_schema(&schema).is_err(), "{schema}");
        }
        assert!(args_from_json_schema(&json!({"type": "object"})).unwrap().is_empty());
    }

    #[test]
    fn a_schema_without_end_is_read_to_a_bounded_depth() {
        let schema = json!({
            "type": "object",
            "properties": {"tree": {"$ref": "#/$defs/node"}},
            "$defs": {"node": {"type": "object", "properties": {"child": {"$ref": "#/$defs/node"}}}},
        });
        assert!(args_from_json_schema(&schema).is_ok());
    }
}
