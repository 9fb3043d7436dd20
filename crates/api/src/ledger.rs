//! The ledger: heads, proofs and the pieces of an export.

use crate::Moment;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// The tree as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LedgerView {
    /// Leaves under the signed checkpoint.
    pub size: u64,
    /// Root hash in base64.
    pub root: String,
    /// Records still to be sequenced.
    pub waiting: u64,
    /// The signed checkpoint (C2SP tlog-checkpoint).
    pub checkpoint: String,
    /// The key that signs it (C2SP signed-note verifier key).
    pub vkey: String,
}

/// The proof that a record is in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProofView {
    /// What the record is: `change`, `decision`, `completion` or `refused`.
    pub kind: String,
    /// The id of the record.
    pub id: String,
    /// Its leaf.
    pub index: u64,
    /// When it was made.
    pub at: Moment,
    /// The receipt: a `.tlog-proof` file (C2SP tlog-proof) with record and salt in its extra line.
    pub receipt: String,
    /// The record, canonical JSON, as it was hashed.
    pub record: String,
    /// The salt, in hexadecimal.
    pub salt: String,
    /// The key to verify the checkpoint with.
    pub vkey: String,
}

/// Where in an export.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    /// `next` of the page before; the head of the export, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Files of an export, to write below one folder, in any order. All pages of one export are of one checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExportPage {
    /// Leaves of the whole export.
    pub size: u64,
    /// Leaves in the pages up to this one.
    pub done: u64,
    /// The files of this page.
    pub pieces: Vec<ExportPiece>,
    /// The cursor of the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One file of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExportPiece {
    /// Where it belongs, relative, with `/`.
    pub path: String,
    /// What is in it, base64 (RFC 4648 section 4).
    pub base64: String,
}
