//! Where something stands in a resource: `name.familyName`, `urn:…:User:department`, `emails[type eq "work"].value`.

use crate::{
    Attribute, Attributes, Fault, Filter, ResourceType, Schema,
    fault::clip,
    filter,
    lexer::Cursor,
    schema::{COMMON, find},
};
use serde_json::Value;

/// An attribute, and a member of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path {
    /// The extension it is of.
    pub extension: Option<&'static Schema>,
    /// The attribute.
    pub attribute: &'static Attribute,
    /// Its member.
    pub member: Option<&'static Attribute>,
}

/// What an operation of a patch is about.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// An extension, whole.
    Extension(&'static Schema),
    /// An attribute; of a list only what fits the filter, if there is one.
    Attribute {
        /// Which.
        path: Path,
        /// Which of its values.
        filter: Option<Filter>,
    },
    /// The resource, by the URN of its own schema.
    Resource,
    /// What there is not; it is ignored.
    Unknown,
}

/// What a name stands for.
pub(crate) enum Named {
    Path(Path),
    Schema(&'static Schema),
    Unknown,
}

impl Path {
    /// Reads `attribute` or `attribute.member`, with a URN before it or without.
    #[must_use]
    pub fn of(kind: &ResourceType, name: &str) -> Option<Self> {
        match named(kind, name) {
            Named::Path(path) => Some(path),
            Named::Schema(_) | Named::Unknown => None,
        }
    }

    /// The value of its attribute in a resource.
    #[must_use]
    pub fn find<'a>(&self, attributes: &'a Attributes) -> Option<&'a Value> {
        let object = match self.extension {
            Some(schema) => attributes.get(schema.id)?.as_object()?,
            None => attributes,
        };
        object.get(self.attribute.name)
    }

    /// What is compared: its values, each of a list, and of objects their member or `value`.
    #[must_use]
    pub fn values<'a>(&self, attributes: &'a Attributes) -> Vec<&'a Value> {
        let found = match self.find(attributes) {
            Some(Value::Array(all)) => all.iter().collect(),
            Some(one) => vec![one],
            None => Vec::new(),
        };
        let member = self.member.or_else(|| self.attribute.value_member());
        match member {
            Some(member) => found.into_iter().filter_map(|value| value.get(member.name)).collect(),
            None => found,
        }
    }

    /// What is compared: the member, or what stands for the attribute.
    #[must_use]
    pub fn last(&self) -> &'static Attribute {
        self.member.or_else(|| self.attribute.value_member()).unwrap_or(self.attribute)
    }
}

impl Target {
    /// Reads the path of an operation.
    ///
    /// # Errors
    /// `invalidPath` when it is none, `invalidFilter` when its filter is none.
    pub fn parse(kind: &ResourceType, text: &str) -> Result<Self, Fault> {
        if text.len() > filter::BYTES_MAX {
            return Err(Fault::path(format!("a path has at most {} bytes", filter::BYTES_MAX)));
        }
        let mut cursor = Cursor::new(text);
        let Some(name) = cursor.name() else {
            return Err(Fault::path(format!("{} is no path", clip(text))));
        };
        let path = match named(kind, name) {
            Named::Path(path) => path,
            Named::Schema(schema) if cursor.is_done() => {
                return Ok(if schema.id == kind.core.id { Self::Resource } else { Self::Extension(schema) });
            }
            Named::Schema(_) => return Err(Fault::path(format!("{} is no path", clip(text)))),
            // Its filter, if there is one, is about what there is not.
            Named::Unknown if cursor.is_done() || cursor.take_at_once('[') => return Ok(Self::Unknown),
            Named::Unknown => return Err(Fault::path(format!("{} is no path", clip(text)))),
        };
        let (mut path, mut filter) = (path, None);
        if cursor.take_at_once('[') {
            if path.member.is_some() || path.attribute.sub.is_empty() {
                return Err(Fault::path(format!("{} has nothing to choose from", clip(name))));
            }
            filter = Some(filter::inside(&mut cursor, path.attribute)?);
            if cursor.take_at_once('.') {
                let member = cursor.name().and_then(|name| path.attribute.member(name));
                let Some(member) = member else { return Ok(Self::Unknown) };
                path.member = Some(member);
            }
        }
        if !cursor.is_done() {
            return Err(Fault::path(format!("{} goes on after its end", clip(text))));
        }
        Ok(Self::Attribute { path, filter })
    }
}

pub(crate) fn named(kind: &ResourceType, name: &str) -> Named {
    let schemas = std::iter::once(kind.core).chain(kind.extensions.iter().copied());
    if name.get(..4).is_some_and(|urn| urn.eq_ignore_ascii_case("urn:")) {
        for schema in schemas {
            let Some((head, tail)) = name.split_at_checked(schema.id.len()) else { continue };
            if !head.eq_ignore_ascii_case(schema.id) {
                continue;
            }
            if tail.is_empty() {
                return Named::Schema(schema);
            }
            let Some(rest) = tail.strip_prefix(':') else { continue };
            let extension = (schema.id != kind.core.id).then_some(schema);
            return member_of(rest, |name| find(schema.attributes, name), extension);
        }
        return Named::Unknown;
    }
    let known = |name: &str| find(COMMON, name).or_else(|| find(kind.core.attributes, name));
    member_of(name, known, None)
}

fn member_of(
    name: &str,
    known: impl Fn(&str) -> Option<&'static Attribute>,
    extension: Option<&'static Schema>,
) -> Named {
    let (first, member) = match name.split_once('.') {
        Some((first, member)) => (first, Some(member)),
        None => (name, None),
    };
    let Some(attribute) = known(first) else { return Named::Unknown };
    let path = Path { extension, attribute, member: None };
    match member {
        None => Named::Path(path),
        Some(member) => match attribute.member(member) {
            Some(member) => Named::Path(Path { member: Some(member), ..path }),
            None => Named::Unknown,
        },
    }
}
