//! Organisation policies: Cedar text under a name.

use crate::Name;
use serde::{Deserialize, Serialize};

/// One file of organisation policies, in Cedar, with `@id`, `@reason` and perhaps `@gate` on each policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyFile {
    /// The file's stem.
    pub name: Name,
    /// The Cedar text.
    pub text: String,
}
