//! Containment orders: stop, see what is proven, start again.

use crate::{Moment, Took, agent::ChangeView, passkey::Signed};
use provost_domain::{DecisionId, Effect, Environment, Name, ToolName};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which orders; those in force, if nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ContainmentQuery {
    /// That are about this agent, whether they name it or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub agent: Option<Name>,
    /// Those of decommissioned agents of which everything is known, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// `in-force` (also while somebody asks that it be lifted), `lifted` or `all`; `in-force` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Where to go on: `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// At most so many; the limit `page_size_max` if absent or larger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Whom and what an order is to be about, what it leaves, and why. Everything that is said must hold of a call for the order
/// to match it; what appears later is matched like what is there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContainmentOrder {
    /// This agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub agent: Option<Name>,
    /// Agents of this owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub owner: Option<Name>,
    /// Agents whose owner is in this group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub group: Option<Name>,
    /// Agents whose name fits this pattern: `invoice-*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub like: Option<String>,
    /// Agents made with a model that fits this pattern.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Agents of this environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub environment: Option<Environment>,
    /// Calls of this system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub system: Option<Name>,
    /// Calls of this operation of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub tool: Option<ToolName>,
    /// Everything: has to be said in so many words, and nothing else with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub everything: bool,
    /// `observe`, `without` (then say `effects`), `approvals-only`, `read-only` or `off`; `off` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// The effects that are withheld, at level `without`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub effects: Vec<Effect>,
    /// Why, for the record and for whoever is refused.
    #[serde(default)]
    pub reason: String,
    /// Who orders it, where the local administrator passes the order on; whoever signed in, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub person: Option<Name>,
}

/// What somebody says about an order in force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContainmentAnswer {
    /// Who, where the local administrator passes it on; whoever signed in, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub person: Option<Name>,
    /// Why.
    pub reason: String,
    /// What the person's passkey made of the statement that `POST /containments/{id}/statement` gave; the second person's word
    /// takes it where production was stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<Signed>,
}

/// What became of a call that was cut half-way, as a person found out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContainmentSettle {
    /// Who looked, where the local administrator passes it on; whoever signed in, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub person: Option<Name>,
    /// The call.
    #[schema(value_type = String)]
    pub decision: DecisionId,
    /// What they found: whether it happened.
    pub found: String,
}

/// An order in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ContainmentSummary {
    /// Names it for ever.
    pub id: String,
    /// Whom and what it is about, in words.
    pub scope: String,
    /// What it leaves.
    pub level: String,
    /// Why.
    pub reason: String,
    /// Who ordered it.
    pub by: String,
    /// When.
    pub at: Moment,
    /// `in-force`, `lift-asked` or `lifted`.
    pub status: String,
    /// `contained`, `partial` or `unknown`: the least that may be said of any system. Only of orders at level `off`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
}

/// An order, whole, as it stands now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ContainmentView {
    /// What the listing shows.
    #[serde(flatten)]
    pub summary: ContainmentSummary,
    /// Whom and what it is about, as the plane keeps it.
    #[schema(value_type = Object)]
    pub about: provost_domain::containment::Scope,
    /// How the plane knows who ordered it.
    pub shown_by: String,
    /// Who asked that it be lifted, and why, while that waits for a second person; or who lifted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lift: Option<LiftView>,
    /// What was ended because of it so far.
    pub ended: EndedView,
    /// What it hits now; of an order in force, what is still to be ended.
    pub hits: ContainmentHits,
    /// System by system, what is proven.
    pub systems: Vec<ContainedSystem>,
    /// Who outside is told of it: receivers of signals and channels, and how far that has got.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<ToldView>,
    /// Calls that it cut half-way: they may have happened.
    pub unknown: Vec<UnknownCall>,
    /// Who changed it, newest first.
    pub history: Vec<ChangeView>,
}

/// How far something got that is owed to somebody outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ToldView {
    /// To whom: `workload siem`, `channel ops`; or `accounts`.
    pub to: String,
    /// So much is owed.
    pub owed: u64,
    /// So much was acknowledged; an account was read back and is not active.
    pub done: u64,
    /// So much was given up: refused, or not taken in time.
    pub given_up: u64,
}

/// Somebody's word that an order be lifted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LiftView {
    /// Who.
    pub by: String,
    /// When.
    pub at: Moment,
    /// Why.
    pub reason: String,
    /// Who had asked for it, where two were needed and both have said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// Until when a second person may agree, while that is waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
    /// Digest of what that person signs with their passkey; nothing, if their word is enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// What an order ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EndedView {
    /// Tasks, and with them their tokens, refresh tokens and children.
    pub tasks: u64,
    /// Approvals that waited or were not used.
    pub approvals: u64,
    /// Envelopes.
    pub envelopes: u64,
    /// When nothing was left to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<Moment>,
}

/// What an order hits, or would hit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ContainmentHits {
    /// How many agents.
    pub agents: usize,
    /// Their names, the first 100.
    #[schema(value_type = Vec<String>)]
    pub names: Vec<Name>,
    /// Their tasks that run.
    pub tasks: usize,
    /// Calls that are under way, as far as they are on record; at most 1,000 are looked at.
    pub calls: usize,
    /// Calls that wait for a person, or may be made once because one agreed.
    pub held: usize,
    /// Envelopes that are open.
    pub envelopes: usize,
    /// Credentials that the plane made at systems for them and has not taken back.
    pub minted: usize,
    /// The systems they reach, each with how long its part takes at worst.
    pub systems: Vec<HitSystem>,
    /// The people it concerns: owners and those who asked for what runs, the first 100.
    #[schema(value_type = Vec<String>)]
    pub people: Vec<Name>,
    /// How long, at worst, until nothing of theirs works anywhere.
    pub worst: Took,
}

/// A system that would be hit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HitSystem {
    /// Which.
    #[schema(value_type = String)]
    pub system: Name,
    /// How long it honours what was taken back, at worst.
    pub at_most: Took,
    /// Why.
    pub because: String,
}

/// What is known of one system under an order at level `off`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ContainedSystem {
    /// Which.
    #[schema(value_type = String)]
    pub system: Name,
    /// `contained`, `partial` or `unknown`.
    pub proof: String,
    /// `ordered`, `delivered`, `confirmed` or `probed`.
    pub stage: String,
    /// Why that may be said, or what is missing.
    pub because: String,
    /// When it was looked at last.
    pub at: Moment,
    /// When it was confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Moment>,
    /// The last call that was let through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_accepted: Option<SeenCall>,
    /// The first call after the order that was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_refused: Option<SeenCall>,
    /// The accounts of its agents there, over SCIM; absent where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts: Option<ToldView>,
    /// How often it was looked at.
    pub rounds: u32,
}

/// A decision, and when it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SeenCall {
    /// Which.
    #[schema(value_type = String)]
    pub decision: DecisionId,
    /// When.
    pub at: Moment,
}

/// A call that was cut half-way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnknownCall {
    /// The decision it stood on.
    #[schema(value_type = String)]
    pub decision: DecisionId,
    /// Whose.
    pub agent: String,
    /// By which operation.
    pub tool: String,
    /// When it was cut.
    pub cut: Moment,
    /// What was seen last.
    pub seen: String,
    /// What a person found out, if one has looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// Who looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// An order, and every record that what is said of it rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ContainmentEvidence {
    /// The order.
    pub order: ContainmentView,
    /// The records, those of the order itself first.
    pub records: Vec<EvidenceRecord>,
    /// The key to verify their receipts with. Take it from a place you trust.
    pub vkey: String,
}

/// One record, and the proof that it is in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EvidenceRecord {
    /// `change`, `decision` or `completion`.
    pub kind: String,
    /// The id of the record.
    pub id: String,
    /// What it is evidence of.
    pub about: String,
    /// When it was made.
    pub at: Moment,
    /// Its leaf.
    pub index: u64,
    /// The receipt: a `.tlog-proof` file (C2SP tlog-proof) with record and salt in its extra line.
    pub receipt: String,
}
