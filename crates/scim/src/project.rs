//! Which attributes an answer has (RFC 7644 section 3.9): `attributes`, `excludedAttributes`.

use crate::{
    Attributes, Path, ResourceType,
    path::{Named, named},
};
use serde_json::{Map, Value};

/// What is asked for, and what is not wanted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Projection {
    only: Option<Vec<Path>>,
    without: Vec<Path>,
}

impl Projection {
    /// Reads the two lists of names; names of what there is not are passed over.
    #[must_use]
    pub fn of<'t>(
        kind: &ResourceType,
        only: Option<impl IntoIterator<Item = &'t str>>,
        without: impl IntoIterator<Item = &'t str>,
    ) -> Self {
        let paths = |names: &mut dyn Iterator<Item = &'t str>| -> Vec<Path> {
            names.take(NAMES_MAX).flat_map(|name| all(kind, name.trim())).collect()
        };
        Self {
            only: only.map(|names| paths(&mut names.into_iter())),
            without: paths(&mut without.into_iter()),
        }
    }

    /// Whether anything of an attribute is in the answer: what is large is not made for nothing.
    #[must_use]
    pub fn wants(&self, name: &str) -> bool {
        let named = |path: &Path| path.attribute.name == name;
        self.only.as_ref().is_none_or(|only| only.iter().any(named))
            && !self.without.iter().any(|path| named(path) && path.member.is_none())
    }

    /// The resource, with what is in the answer.
    #[must_use]
    pub fn apply(&self, resource: Attributes) -> Attributes {
        let mut resource = match &self.only {
            Some(only) => kept(&resource, only),
            None => resource,
        };
        for path in self.without.iter().filter(|path| path.attribute.returned != ALWAYS) {
            match path.extension {
                Some(schema) => {
                    if let Some(Value::Object(object)) = resource.get_mut(schema.id) {
                        drop_from(object, *path);
                        if object.is_empty() {
                            resource.remove(schema.id);
                        }
                    }
                }
                None => drop_from(&mut resource, *path),
            }
        }
        resource
    }
}

/// A name, or every attribute of the extension it is the URN of.
fn all(kind: &ResourceType, name: &str) -> Vec<Path> {
    match named(kind, name) {
        Named::Path(path) => vec![path],
        Named::Schema(schema) => {
            let extension = (schema.id != kind.core.id).then_some(schema);
            let attributes = schema.attributes.iter();
            attributes.map(|attribute| Path { extension, attribute, member: None }).collect()
        }
        Named::Unknown => Vec::new(),
    }
}

fn kept(resource: &Attributes, only: &[Path]) -> Attributes {
    let mut kept: Attributes = [ID, SCHEMAS]
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), resource.get(*name)?.clone())))
        .collect();
    for path in only {
        let Some(value) = path.find(resource) else { continue };
        let object = match path.extension {
            Some(schema) => {
                let object = kept.entry(schema.id).or_insert_with(|| Value::Object(Map::new()));
                let Some(object) = object.as_object_mut() else { continue };
                object
            }
            None => &mut kept,
        };
        let name = path.attribute.name;
        match path.member {
            None => drop(object.insert(name.to_owned(), value.clone())),
            Some(member) => {
                let part = match value {
                    Value::Array(all) => Value::Array(all.iter().map(|one| part(one, member.name)).collect()),
                    one => part(one, member.name),
                };
                let merged = match object.remove(name) {
                    Some(before) => merge(before, part),
                    None => part,
                };
                object.insert(name.to_owned(), merged);
            }
        }
    }
    kept
}

fn part(value: &Value, member: &str) -> Value {
    let found = value.get(member).map(|found| (member.to_owned(), found.clone()));
    Value::Object(found.into_iter().collect())
}

/// Two members of one attribute, each asked for by itself.
fn merge(before: Value, after: Value) -> Value {
    match (before, after) {
        (Value::Object(mut before), Value::Object(after)) => {
            before.extend(after);
            Value::Object(before)
        }
        (Value::Array(before), Value::Array(after)) => {
            Value::Array(before.into_iter().zip(after).map(|(before, after)| merge(before, after)).collect())
        }
        (before, _) => before,
    }
}

fn drop_from(object: &mut Attributes, path: Path) {
    let name = path.attribute.name;
    match (path.member, object.get_mut(name)) {
        (None, _) => drop(object.remove(name)),
        (Some(member), Some(Value::Array(all))) => {
            all.iter_mut().filter_map(Value::as_object_mut).for_each(|one| drop(one.remove(member.name)));
        }
        (Some(member), Some(Value::Object(one))) => drop(one.remove(member.name)),
        (Some(_), _) => {}
    }
}

const ALWAYS: &str = "always";
const ID: &str = "id";
const SCHEMAS: &str = "schemas";
const NAMES_MAX: usize = 100;
