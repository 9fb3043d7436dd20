//! Settings that hold for the whole organisation.

use crate::{DurationMs, Environment};
use serde::{Deserialize, Serialize};

/// Settings of the organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organisation {
    /// How it is written to people.
    pub display: String,
    /// The longest revocation time a production charter may reach (REQUIREMENTS.md C4); no bound, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub production_revocation_max: Option<DurationMs>,
}

impl Organisation {
    /// The bound on revocation time that this environment allows.
    #[must_use]
    pub fn revocation_max(&self, environment: Environment) -> Option<DurationMs> {
        self.production_revocation_max.filter(|_| environment == Environment::Production)
    }
}
