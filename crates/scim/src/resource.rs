//! From what was sent to attributes: names as the schema writes them, types as they have to be, and nothing that is not of the
//! schema. What providers write otherwise is read as what it can only mean: `"True"` for `true`, one value for a list of one,
//! text for an object that has a `value`, `name.givenName` and `urn:…:User:department` as names.

use crate::{
    Attribute, Attributes, Fault, ResourceType,
    compare::{boolean, is_present, moment},
    fault::clip,
    path::{Named, Path, named},
    schema::{Kind, Mutability},
};
use serde_json::{Map, Value};

/// Reads a whole resource. What only the server says is passed over.
///
/// # Errors
/// `invalidSyntax` when it is no object, `invalidValue` when a value is of another type or something required is missing.
pub fn read(kind: &ResourceType, body: &Value) -> Result<Attributes, Fault> {
    let Some(body) = body.as_object() else { return Err(Fault::syntax("the body is no JSON object")) };
    let mut attributes = Attributes::new();
    for (name, value) in body {
        match named(kind, name) {
            Named::Path(path) => put(&mut attributes, path, value)?,
            Named::Schema(schema) => {
                let Some(members) = value.as_object() else { continue };
                for (name, value) in members {
                    if let Named::Path(path) = named(kind, &format!("{}:{name}", schema.id)) {
                        put(&mut attributes, path, value)?;
                    }
                }
            }
            Named::Unknown => {}
        }
    }
    check(kind, &attributes)?;
    Ok(attributes)
}

fn put(attributes: &mut Attributes, path: Path, value: &Value) -> Result<(), Fault> {
    let said =
        |attribute: &Attribute| attribute.mutability != Mutability::ReadOnly && attribute.name != SCHEMAS;
    if !said(path.attribute) || path.member.is_some_and(|member| !said(member)) {
        return Ok(());
    }
    let value = value_of(path.member.unwrap_or(path.attribute), value)?;
    inside(attributes, path, |object| match (path.member, value) {
        (None, Some(value)) => drop(object.insert(path.attribute.name.to_owned(), value)),
        (None, None) => drop(object.remove(path.attribute.name)),
        (Some(member), Some(value)) => {
            let around = object.entry(path.attribute.name).or_insert_with(|| match path.attribute.many {
                true => Value::Array(vec![Value::Object(Map::new())]),
                false => Value::Object(Map::new()),
            });
            let around = match around {
                Value::Array(all) => all.first_mut(),
                one => Some(one),
            };
            if let Some(around) = around.and_then(Value::as_object_mut) {
                around.insert(member.name.to_owned(), value);
            }
        }
        (Some(_member), None) => {}
    });
    Ok(())
}

/// Does something where an attribute stands: in the resource, or in the object of its extension.
pub(crate) fn inside<T>(
    attributes: &mut Attributes,
    path: Path,
    act: impl FnOnce(&mut Attributes) -> T,
) -> T {
    let Some(schema) = path.extension else { return act(attributes) };
    let mut object = match attributes.remove(schema.id) {
        Some(Value::Object(object)) => object,
        _ => Map::new(),
    };
    let done = act(&mut object);
    if !object.is_empty() {
        attributes.insert(schema.id.to_owned(), Value::Object(object));
    }
    done
}

/// Whether it is whole, and nothing in it is empty.
///
/// # Errors
/// `invalidValue`, with what is missing.
pub fn check(kind: &ResourceType, attributes: &Attributes) -> Result<(), Fault> {
    // Whether somebody is here is always said: by the server, where the client does not.
    let wanted = |attribute: &&Attribute| attribute.required && attribute.kind == Kind::Text;
    for attribute in kind.core.attributes.iter().filter(wanted) {
        let there = attributes
            .get(attribute.name)
            .and_then(Value::as_str)
            .is_some_and(|text| !text.trim().is_empty());
        if !there {
            return Err(Fault::value(format!("`{}` is required", attribute.name)));
        }
    }
    Ok(())
}

/// Takes out what is empty.
pub(crate) fn tidy(attributes: &mut Attributes) {
    attributes.retain(|_name, value| match value {
        Value::Null => false,
        Value::Array(all) => !all.is_empty(),
        Value::Object(all) => !all.is_empty(),
        _ => true,
    });
}

/// A value as the attribute has it; nothing for nothing.
///
/// # Errors
/// `invalidValue` when it can be none.
pub(crate) fn value_of(attribute: &Attribute, value: &Value) -> Result<Option<Value>, Fault> {
    if !attribute.many {
        return one_of(attribute, value);
    }
    let given: Vec<&Value> = match value {
        Value::Array(all) => all.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    };
    let most = if attribute.name == MEMBERS { MEMBERS_MAX } else { VALUES_MAX };
    if given.len() > most {
        return Err(Fault::value(format!("`{}` has at most {most} values", attribute.name)));
    }
    let mut all = Vec::with_capacity(given.len());
    for value in given {
        all.extend(one_of(attribute, value)?.filter(is_present));
    }
    if let Some(first) = all.iter().position(is_primary) {
        all.iter_mut().skip(first.saturating_add(1)).for_each(not_primary);
    }
    Ok((!all.is_empty()).then_some(Value::Array(all)))
}

/// One value, of a list or alone.
fn one_of(attribute: &Attribute, value: &Value) -> Result<Option<Value>, Fault> {
    let wrong = |what: &str| Err(Fault::value(format!("`{}` {what}", attribute.name)));
    match (attribute.kind, value) {
        (_, Value::Null) => Ok(None),
        (Kind::Boolean, Value::Bool(value)) => Ok(Some(Value::Bool(*value))),
        (Kind::Boolean, Value::String(text)) => match boolean(text) {
            Some(value) => Ok(Some(Value::Bool(value))),
            None => wrong("is neither true nor false"),
        },
        (Kind::Boolean, _) => wrong("is neither true nor false"),
        (Kind::Moment, Value::String(text)) if moment(text).is_none() => wrong("is no moment"),
        (Kind::Text | Kind::Reference | Kind::Moment, Value::String(text)) => {
            if text.len() > TEXT_BYTES_MAX {
                return wrong(&format!("has at most {TEXT_BYTES_MAX} bytes"));
            }
            if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
                return wrong("has characters that are no text");
            }
            Ok(Some(Value::String(text.clone())))
        }
        (Kind::Text, Value::Number(number)) => Ok(Some(Value::String(number.to_string()))),
        (Kind::Text | Kind::Reference | Kind::Moment, _) => wrong("is no text"),
        (Kind::Complex, Value::Object(members)) => {
            let mut object = Map::new();
            for (name, value) in members {
                let Some(member) = attribute.member(name) else { continue };
                if member.mutability == Mutability::ReadOnly {
                    continue;
                }
                if let Some(value) = value_of(member, value)? {
                    object.insert(member.name.to_owned(), value);
                }
            }
            Ok((!object.is_empty()).then_some(Value::Object(object)))
        }
        // `"manager": "id"`, `"members": ["id"]`.
        (Kind::Complex, Value::String(text)) => match attribute.value_member() {
            Some(_member) if text.trim().is_empty() => Ok(None),
            Some(member) => {
                let value = one_of(member, value)?;
                Ok(value.map(|value| Value::Object([(member.name.to_owned(), value)].into_iter().collect())))
            }
            None => wrong(&format!("is an object, and not {}", clip(text))),
        },
        (Kind::Complex, _) => wrong("is no object"),
    }
}

pub(crate) fn is_primary(value: &Value) -> bool {
    value.get(PRIMARY) == Some(&Value::Bool(true))
}

pub(crate) fn not_primary(value: &mut Value) {
    if is_primary(value)
        && let Some(object) = value.as_object_mut()
    {
        object.insert(PRIMARY.to_owned(), Value::Bool(false));
    }
}

const SCHEMAS: &str = "schemas";
const PRIMARY: &str = "primary";
const MEMBERS: &str = "members";
/// People in one group.
pub const MEMBERS_MAX: usize = 50_000;
const VALUES_MAX: usize = 100;
const TEXT_BYTES_MAX: usize = 2_048;
