//! Request and response types of the HTTP API (`/api/v1`). The OpenAPI document comes from these types and from the
//! handlers in `provost-web`; the command line speaks them too.
//!
//! ```text
//! a listing    Page<T>: items, next            ?cursor=<next>&limit=<n>
//! a refusal    Problem (RFC 9457)              type, title, status, detail, because, do, faults
//! a moment     Moment: RFC 3339 in UTC         "2026-11-22T05:54:29.123Z"
//! a duration   Span: number and unit           "90s", "15m", "24h", "7d"
//! ```
//!
//! Requests refuse members they do not know. Responses may gain members; a client ignores those it does not know.
//!
//! **Invariant:** pure. No tokio, no SQL, no clock, no randomness.

pub mod access_review;
pub mod agent;
pub mod approval;
pub mod autonomy;
pub mod baseline;
pub mod channel;
pub mod connector;
pub mod containment;
pub mod credential;
pub mod decision;
pub mod delivery;
pub mod drill;
pub mod finding;
pub mod identity;
pub mod issuer;
pub mod ledger;
pub mod oauth;
pub mod page;
pub mod passkey;
pub mod plan;
pub mod plane;
pub mod policy;
pub mod problem;
pub mod proof;
pub mod proposal;
pub mod quality;
pub mod rule;
pub mod search;
pub mod system;
pub mod task;
pub mod upkeep;
pub mod when;

pub use page::{Page, PageQuery};
pub use problem::Problem;
pub use when::{Moment, Span, Took};

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Why a change is made. It goes into the record, for whoever asks later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Because {
    /// In words, 1 to 1,000 bytes.
    #[schema(example = "the owner asked for it in the weekly review")]
    pub reason: String,
}

/// Where a change stands in the plane's order of changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Changed {
    /// Position of the last change made. It binds on this node already.
    pub seq: u64,
}
