//! Faults people make in policies, charters and applications, each with its place and its cure.

use provost_domain::Name;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One thing that must be mended before the organisation counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyFault {
    /// Where it is.
    pub place: Place,
    /// What is wrong; lower case, no final period.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// Where a fault is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "in", rename_all = "lowercase")]
pub enum Place {
    /// The guardrails that ship with the product.
    Guardrails {
        /// The spot.
        at: Option<Spot>,
    },
    /// A file of organisation policies.
    Policy {
        /// The file's name.
        file: Name,
        /// The spot.
        at: Option<Spot>,
    },
    /// A charter.
    Charter {
        /// The agent.
        agent: Name,
        /// Path inside the charter: `grants[0].args.amount.max`.
        path: String,
    },
    /// An application.
    Application {
        /// Its name.
        application: Name,
        /// `schema`, `policies`, `entities[3]`, `request_properties`.
        part: String,
        /// The spot in the schema's or policies' text.
        at: Option<Spot>,
    },
    /// A tool whose arguments cannot be given to policies.
    Tool {
        /// `system/tool`.
        tool: String,
    },
}

/// A spot in a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spot {
    /// The policy's `@id`, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The line, and below it the spot underlined.
    pub excerpt: String,
}

/// A rule of a charter that cannot be expressed as a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CharterFault {
    /// Path inside the charter: `grants[0].args.amount.max`.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl fmt::Display for PolicyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)?;
        if let Some(excerpt) = self.place.spot().map(|spot| &spot.excerpt).filter(|text| !text.is_empty()) {
            write!(f, "\n{excerpt}")?;
        }
        self.help.iter().try_for_each(|help| write!(f, "\n  do: {help}"))
    }
}

impl Place {
    /// The spot in a text, where the fault has one.
    #[must_use]
    pub fn spot(&self) -> Option<&Spot> {
        match self {
            Self::Guardrails { at } | Self::Policy { at, .. } | Self::Application { at, .. } => at.as_ref(),
            Self::Charter { .. } | Self::Tool { .. } => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guardrails { .. } => write!(f, "guardrails")?,
            Self::Policy { file, .. } => write!(f, "policy file {file}")?,
            Self::Charter { agent, path } => write!(f, "charter of {agent}, {path}")?,
            Self::Application { application, part, .. } => write!(f, "application {application}, {part}")?,
            Self::Tool { tool } => write!(f, "tool {tool}")?,
        }
        let Some(spot) = self.spot() else { return Ok(()) };
        write!(f, ":{}:{}", spot.line, spot.column)?;
        spot.policy.iter().try_for_each(|policy| write!(f, " ({policy})"))
    }
}
