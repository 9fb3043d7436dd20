//! One search across everything that has a name or an id.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// What to look for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SearchQuery {
    /// Letters of a name, of what something is for, or an id; at most 200 bytes. Case does not matter.
    pub q: String,
}

/// What was found, kind by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SearchView {
    /// Kinds in which something was found.
    pub found: Vec<FoundView>,
}

/// What was found of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FoundView {
    /// `agent`, `task`, `approval`, `decision`, `system`, `tool`, `person`, `workload`, `issuer` or `policy`.
    pub kind: String,
    /// The best first, at most 10.
    pub hits: Vec<HitView>,
    /// Whether there are more.
    pub more: bool,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HitView {
    /// Its name or id; of a tool, `system/tool`.
    pub key: String,
    /// What it is, in its own words.
    pub about: String,
    /// Where it stands: a state, a verdict; empty, if it has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub state: String,
}
