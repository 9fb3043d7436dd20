//! Flow labels: what a task has read and therefore carries (DESIGN.md section 5).

use crate::{Name, NameError};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A label on data. `untrusted` marks integrity (somebody outside could have written it), and so does `insider`; `confidential` and every
/// other word marks what the data is; organisations add their own (`payroll`, `personal`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Label(pub(crate) Name);

impl Label {
    /// The integrity label: content that somebody outside the organisation could have written.
    pub const UNTRUSTED: &'static str = "untrusted";
    /// The integrity label between: content that people of the organisation write. A stranger cannot, and nobody vouches
    /// for it.
    pub const INSIDER: &'static str = "insider";
    /// The confidentiality label that ships with the product.
    pub const CONFIDENTIAL: &'static str = "confidential";

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether it says something about who could have written the data rather than what the data is.
    #[must_use]
    pub fn is_integrity(&self) -> bool {
        self.is_untrusted() || self.as_str() == Self::INSIDER
    }

    /// Whether it marks content that a stranger could have written.
    #[must_use]
    pub fn is_untrusted(&self) -> bool {
        self.as_str() == Self::UNTRUSTED
    }
}

impl FromStr for Label {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        text.parse().map(Self)
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
