//! Who acts, for whom, by whose hands: the `act` claim (RFC 8693 section 4.1) and `may_act` (section 4.4).

use provost_domain::Name;
use serde::{Deserialize, Serialize};

/// An actor and, inside it, the actors before it. Only the outermost counts for access control; the others are history
/// (RFC 8693 section 4.1). `S` is how subjects are named: our own by [`Name`], foreign ones by any text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(deserialize = "S: Deserialize<'de>"))]
pub struct Actor<S = Name> {
    /// Who acts.
    pub sub: S,
    /// Who named it so; this plane, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// The actor before it, who handed the work on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Box<Self>>,
}

/// The one who may become the actor of a token (RFC 8693 section 4.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MayAct {
    /// Its name.
    pub sub: Name,
    /// Who named it so; this plane, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
}

impl<S> Actor<S> {
    /// An actor without history.
    #[must_use]
    pub const fn new(sub: S) -> Self {
        Self { sub, iss: None, act: None }
    }

    /// This actor and those before it, outermost first.
    pub fn links(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |actor| actor.act.as_deref())
    }

    /// How many there are; at least 1.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.links().count()
    }
}

/// Most actors in one chain, ours or foreign.
pub const CHAIN_DEPTH_MAX: usize = 16;
