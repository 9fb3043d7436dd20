//! Applications: anything that asks the decision point about its own types, with its own schema and policies
//! (AuthZEN 1.0). The plane only decides for them; it does not stand in their path.

use crate::Name;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// An application that the decision point serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// Unique; never `agent`, which is the plane's own.
    pub name: Name,
    /// Cedar schema without a namespace: entity types are AuthZEN subject and resource types, actions its actions.
    /// Attributes are the entities' properties; `context` is the request's context, with `action` as a record of
    /// the action's properties.
    pub schema: String,
    /// Cedar policies over that schema.
    pub policies: String,
    /// What the application stored about its entities.
    #[serde(default)]
    pub entities: Vec<StoredEntity>,
    /// Which properties may come with a request; the others count only as stored.
    #[serde(default)]
    pub request_properties: RequestProperties,
    /// Whether an answer may be given before its record is durable. At most `journal_buffered_max` records wait, and a
    /// crash may lose those: for questions whose answers move nothing by themselves.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub buffered: bool,
}

/// One entity the plane knows about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredEntity {
    /// AuthZEN type.
    #[serde(rename = "type")]
    pub kind: String,
    /// AuthZEN id.
    pub id: String,
    /// Its stored properties.
    #[serde(default)]
    pub properties: serde_json::Map<String, serde_json::Value>,
    /// Groups it belongs to, as (type, id).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<(String, String)>,
}

/// Which properties the asker may bring. A property never merges: it is either the asker's or the stored one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestProperties {
    /// Names the asker may bring, as `type.property`; they are absent when a request does not bring them.
    #[serde(default)]
    pub accepted: BTreeSet<String>,
}
