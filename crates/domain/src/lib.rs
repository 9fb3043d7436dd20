//! The nouns of Provost, always good once made: a name that exists is well formed, an id has its kind in its
//! type, a limit can be expressed. Everything else in the workspace speaks in these words.
//!
//! **Invariant:** this crate is pure. It knows neither tokio, nor SQL, nor the clock, nor randomness.

pub mod access_review;
pub mod account;
pub mod action;
pub mod agent;
pub mod application;
pub mod approval;
pub mod autonomy;
pub mod baseline;
pub mod bill;
pub mod callback;
pub mod canonical;
pub mod channel;
pub mod charter;
pub mod check;
pub mod claim_rule;
pub mod connector;
pub mod containment;
pub mod credential;
pub mod decimal;
pub mod decision;
pub mod delivery;
pub mod digest;
pub mod directory;
pub mod drill;
pub mod effect;
pub mod finding;
pub mod ids;
pub mod issuer;
pub mod label;
pub mod life;
pub mod limits;
pub mod minted;
pub mod name;
pub mod object;
pub mod organisation;
pub mod origin;
mod parsed;
pub mod passkey;
pub mod pattern;
pub mod person;
pub mod policy_file;
pub mod pool;
pub mod proof;
pub mod proposal;
pub mod request;
pub mod rule;
pub mod session;
pub mod statement;
pub mod stream;
pub mod system;
pub mod task;
pub mod text_map;
pub mod time;
pub mod tool;
mod touched;
pub mod upkeep;
pub mod usual;
pub mod verdict;
pub mod workload;

pub use access_review::AccessReview;
pub use account::Account;
pub use action::Action;
pub use agent::{Agent, AgentStatus, Level};
pub use approval::{Approval, Envelope};
pub use baseline::{Baseline, BaselineOf};
pub use bill::Bill;
pub use channel::Channel;
pub use charter::{Autonomy, Charter, Environment};
pub use claim_rule::{ClaimRule, ClaimTest};
pub use connector::{Connector, Provisioned, Roster};
pub use containment::{Containment, Restraint, Restriction};
pub use credential::CredentialSource;
pub use decimal::Decimal;
pub use decision::{Completion, Decision, Outcome};
pub use delivery::Delivery;
pub use digest::Digest;
pub use directory::Directory;
pub use drill::Drill;
pub use effect::Effect;
pub use finding::{Finding, Severity, Sighting};
pub use ids::{ChangeId, DecisionId, NodeId, TaskId};
pub use issuer::Issuer;
pub use label::Label;
pub use life::Life;
pub use minted::Minted;
pub use name::{Name, NameError, ToolName};
pub use object::{Kind, Object, ObjectKey};
pub use origin::{ArgsFrom, Origin};
pub use passkey::{Invite, Passkey};
pub use person::{Person, Role};
pub use pool::Pool;
pub use proof::Proof;
pub use proposal::Proposal;
pub use request::{RequestLine, RequestRule};
pub use session::Session;
pub use statement::{Matter, MatterKind, Signature, Stamp, Statement};
pub use stream::Stream;
pub use system::System;
pub use task::{Task, TaskState};
pub use text_map::TextMap;
pub use time::{Clock, DurationMs, Timestamp};
pub use tool::Tool;
pub use usual::Usual;
pub use verdict::{Reason, Verdict};
pub use workload::{Callbacks, Workload};

/// Position of a change in the plane's strict order of changes; the first change is 1, an empty plane is at 0.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl std::fmt::Display for Seq {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
