//! What an attribute is (RFC 7643 sections 2 and 7), and where it is found.

use serde_json::{Value, json};

/// An attribute and its characteristics.
#[derive(Debug, PartialEq, Eq)]
pub struct Attribute {
    /// The name, as it is written.
    pub name: &'static str,
    /// What a value is.
    pub kind: Kind,
    /// Whether it is a list.
    pub many: bool,
    /// Whether a resource must have it.
    pub required: bool,
    /// Whether the case of a text counts.
    pub case_exact: bool,
    /// Who says it.
    pub mutability: Mutability,
    /// When it is returned: `always` or `default`.
    pub returned: &'static str,
    /// `none` or `server`.
    pub uniqueness: &'static str,
    /// Members of a complex value.
    pub sub: &'static [Attribute],
    /// Usual values.
    pub canonical: &'static [&'static str],
    /// What a reference leads to.
    pub references: &'static [&'static str],
    /// In a sentence.
    pub description: &'static str,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// `true` or `false`.
    Boolean,
    /// A moment (RFC 3339).
    Moment,
    /// An address.
    Reference,
    /// An object.
    Complex,
}

/// Who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutability {
    /// Either side.
    ReadWrite,
    /// The server only.
    ReadOnly,
    /// The client, once.
    Immutable,
}

/// A set of attributes under a URN.
#[derive(Debug, PartialEq, Eq)]
pub struct Schema {
    /// The URN.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// In a sentence.
    pub description: &'static str,
    /// Its attributes.
    pub attributes: &'static [Attribute],
}

/// A kind of resource.
#[derive(Debug, PartialEq, Eq)]
pub struct ResourceType {
    /// `User`.
    pub name: &'static str,
    /// `/Users`.
    pub endpoint: &'static str,
    /// In a sentence.
    pub description: &'static str,
    /// Its own attributes.
    pub core: &'static Schema,
    /// More of them.
    pub extensions: &'static [&'static Schema],
}

pub use crate::schemas::{COMMON, ENTERPRISE, GROUP, GROUPS, USER, USERS};

/// Every kind of resource here.
pub const TYPES: [&ResourceType; 2] = [&USERS, &GROUPS];
/// Every schema here.
pub const SCHEMAS: [&Schema; 3] = [&USER, &ENTERPRISE, &GROUP];

impl Attribute {
    /// The member of a complex attribute, whatever the case (RFC 7643 section 2.1).
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&'static Attribute> {
        find(self.sub, name)
    }

    /// What one value of it is compared by, if it is an object and no member is named: its `value`.
    #[must_use]
    pub fn value_member(&self) -> Option<&'static Attribute> {
        self.member("value")
    }

    fn document(&self) -> Value {
        let mut said = json!({
            "name": self.name,
            "type": self.kind.as_str(),
            "multiValued": self.many,
            "description": self.description,
            "required": self.required,
            "mutability": self.mutability.as_str(),
            "returned": self.returned,
        });
        let Some(more) = said.as_object_mut() else { return said };
        if self.kind == Kind::Complex {
            let sub: Vec<Value> = self.sub.iter().map(Self::document).collect();
            more.insert("subAttributes".to_owned(), sub.into());
        } else {
            more.insert("caseExact".to_owned(), self.case_exact.into());
            more.insert("uniqueness".to_owned(), self.uniqueness.into());
        }
        if !self.canonical.is_empty() {
            more.insert("canonicalValues".to_owned(), json!(self.canonical));
        }
        if self.kind == Kind::Reference {
            more.insert("referenceTypes".to_owned(), json!(self.references));
        }
        said
    }
}

/// An attribute by its name, whatever the case.
#[must_use]
pub fn find(attributes: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

impl Kind {
    /// The word of the schema.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Boolean => "boolean",
            Self::Moment => "dateTime",
            Self::Reference => "reference",
            Self::Complex => "complex",
        }
    }
}

impl Mutability {
    const fn as_str(self) -> &'static str {
        match self {
            Self::ReadWrite => "readWrite",
            Self::ReadOnly => "readOnly",
            Self::Immutable => "immutable",
        }
    }
}

impl Schema {
    /// Its document (RFC 7643 section 7); `at` is the address all others are under.
    #[must_use]
    pub fn document(&self, at: &str) -> Value {
        let attributes: Vec<Value> = self.attributes.iter().map(Attribute::document).collect();
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "attributes": attributes,
            "meta": { "resourceType": "Schema", "location": format!("{at}/Schemas/{}", self.id) },
        })
    }
}

impl ResourceType {
    /// Its document (RFC 7643 section 6).
    #[must_use]
    pub fn document(&self, at: &str) -> Value {
        let extensions: Vec<Value> =
            self.extensions.iter().map(|schema| json!({ "schema": schema.id, "required": false })).collect();
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
            "id": self.name,
            "name": self.name,
            "endpoint": self.endpoint,
            "description": self.description,
            "schema": self.core.id,
            "schemaExtensions": extensions,
            "meta": { "resourceType": "ResourceType", "location": format!("{at}/ResourceTypes/{}", self.name) },
        })
    }
}
