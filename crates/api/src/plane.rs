//! The plane itself: how it is, and its care.

use crate::{Moment, Span};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How the plane is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// The version of the program.
    pub version: String,
    /// This node.
    pub node: String,
    /// The name tokens are issued under.
    pub issuer: String,
    /// Position of the last change this node knows.
    pub seq: u64,
    /// How long ago the store confirmed that.
    pub age: Span,
    /// How old it may be before every call is refused.
    pub staleness_max: Span,
    /// Whether calls are decided now.
    pub deciding: bool,
    /// Agents by state.
    pub agents: std::collections::BTreeMap<String, usize>,
    /// Tasks that run.
    pub tasks: usize,
    /// Systems.
    pub systems: usize,
    /// Tools.
    pub tools: usize,
    /// People.
    pub people: usize,
    /// Leaves of the ledger.
    pub ledger_size: u64,
    /// Records still to be sequenced.
    pub ledger_waiting: u64,
    /// When it was asked.
    pub at: Moment,
}

/// Whether the node is ready to serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// Whether every check holds.
    pub ready: bool,
    /// The checks.
    pub checks: Vec<Check>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Check {
    /// What was looked at: `store`, `lease`, `sequencer`.
    pub name: String,
    /// Whether it holds.
    pub ok: bool,
    /// What was seen.
    pub detail: String,
}

/// What `fsck` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FsckReport {
    /// Whether nothing is wrong.
    pub sound: bool,
    /// Leaves whose hash was computed again from the journal.
    pub leaves: u64,
    /// Changes replayed against the tables.
    pub changes: u64,
    /// Everything wrong, at most 1,000.
    pub faults: Vec<FsckFault>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FsckFault {
    /// Which check found it.
    pub check: String,
    /// Which row, and in what way.
    pub detail: String,
}

/// A backup to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupRequest {
    /// The file's name, without folders; it is written into the folder `backups` of the plane's data.
    #[schema(example = "before-upgrade.db")]
    pub name: String,
}

/// A backup that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Backup {
    /// Where it is, on the plane's machine.
    pub path: String,
}
