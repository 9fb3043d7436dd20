//! Agents.

use crate::{Moment, Took, task::TaskSummary};
use provost_domain::{AgentStatus, Autonomy, Charter, Environment, Level, Name};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which agents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AgentQuery {
    /// With these letters somewhere in its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// In this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub status: Option<AgentStatus>,
    /// Owned by this person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub owner: Option<Name>,
    /// Living in this environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub environment: Option<Environment>,
    /// With a grant on this system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub system: Option<Name>,
    /// Where to go on: `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// At most so many; the limit `page_size_max` if absent or larger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// An agent in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentSummary {
    /// Its name.
    #[schema(value_type = String)]
    pub name: Name,
    /// Where it stands: `unmanaged`, `proposed`, `active`, `pending-reapproval`, `suspended`, `decommissioned`.
    #[schema(value_type = String)]
    pub status: AgentStatus,
    /// What containment leaves it: `normal`, `approvals-only`, `read-only`, `off`.
    #[schema(value_type = String)]
    pub level: Level,
    /// The accountable person.
    #[schema(value_type = String)]
    pub owner: Name,
    /// Where it runs: `sandbox`, `staging`, `production`.
    #[schema(value_type = String)]
    pub environment: Environment,
    /// How far it is trusted: `probation`, `supervised`, `bounded`.
    #[schema(value_type = String)]
    pub autonomy: Autonomy,
    /// Revision of the charter in force.
    pub revision: u32,
    /// What it is for.
    pub purpose: String,
    /// Its systems.
    #[schema(value_type = Vec<String>)]
    pub systems: Vec<Name>,
}

/// An agent, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentView {
    /// What the listing shows.
    #[serde(flatten)]
    pub summary: AgentSummary,
    /// Names it for ever, whatever its name.
    pub id: String,
    /// Its version; send it back as `version` to change exactly what was seen.
    pub version: u64,
    /// The charter in words, a sentence each.
    pub words: Vec<String>,
    /// The charter as the plane keeps it; moments and durations in milliseconds.
    #[schema(value_type = Object)]
    pub charter: Charter,
    /// What it may do next: `suspend`, `resume` and so on.
    pub moves: Vec<String>,
    /// Who asked that it be left more than nothing, while that waits for a second person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loosening: Option<LooseningView>,
    /// How far its charter would trust it, once it has earned that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub declared: Option<Autonomy>,
    /// Whether it could be promoted, if it has earned it ([`crate::autonomy`]).
    #[serde(default)]
    pub promotable: bool,
    /// How long, at worst, something of it works on after it was stopped.
    pub bound: RevocationBound,
    /// Its running tasks, newest first, at most 100.
    pub tasks: Vec<TaskSummary>,
    /// How it proves that it is itself.
    #[serde(default)]
    pub proofs: Vec<crate::proof::ProofView>,
    /// What it is made of, part by part.
    #[serde(default)]
    pub made_of: Vec<PartView>,
    /// What its life asks of people.
    #[serde(default)]
    pub upkeep: UpkeepView,
    /// What changed it, newest first, at most 100.
    pub history: Vec<ChangeView>,
    /// Who brought it in.
    pub created_by: String,
    /// When.
    pub created_at: Moment,
    /// From where.
    pub source: String,
    /// Where the charter in force came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revised: Option<RevisionView>,
}

/// What an agent's life asks of people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UpkeepView {
    /// When somebody last confirmed that it is wanted as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attested: Option<Moment>,
    /// Who did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attested_by: Option<String>,
    /// Until when its owner is asked to; it is suspended then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attest_until: Option<Moment>,
    /// Who is asked to answer for it, now that its owner has left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub heir: Option<Name>,
    /// When it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Moment>,
}

/// One part of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PartView {
    /// Which: `model`, `prompt`, `tools`, `image` or another.
    pub part: String,
    /// What is approved of it, if anything is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<String>,
    /// Where that is from: `charter`, or `presented` when a task started and approved since.
    pub from: String,
    /// What was presented instead, while it waits to be approved again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presented: Option<String>,
    /// Whether that is something else.
    #[serde(default)]
    pub differs: bool,
}

/// How long, at worst, an agent's power outlives the order to stop it, and what sets that time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevocationBound {
    /// The worst case: the sum of the links.
    pub worst: Took,
    /// The link that sets most of it.
    pub set_by: String,
    /// Every link.
    pub links: Vec<RevocationLink>,
    /// The bound the organisation sets for this environment, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Took>,
}

/// One link of the chain from the order to the last refused call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevocationLink {
    /// `enforcement points`, `task tokens`, or `system <name>`.
    pub link: String,
    /// How long it may take.
    pub at_most: Took,
    /// Whether it counts towards the worst case; a link beside a slower one does not.
    pub counts: bool,
    /// What it means.
    pub meaning: String,
}

/// One change of one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangeView {
    /// Its place in the order of changes.
    pub seq: u64,
    /// When.
    pub at: Moment,
    /// Who.
    pub actor: String,
    /// Why.
    pub why: String,
    /// The row's kind.
    pub kind: String,
    /// The row's key.
    pub key: String,
    /// The row's version afterwards.
    pub version: u64,
    /// What became of it, in words.
    pub summary: Vec<String>,
    /// Who wrote the charter that came with it, and who agreed; for agents, where it was another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revised: Option<RevisionView>,
}

/// Where a revision of a charter came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevisionView {
    /// Which one.
    pub revision: u32,
    /// Who wrote it, as records say.
    pub by: String,
    /// When it came into force.
    pub at: Moment,
    /// `first` (the first apply of the plane), `narrower` (it gains nothing), `direct` (the organisation asks nobody there),
    /// `approved`, or `break-glass`.
    pub how: String,
    /// Why, in the author's words.
    pub why: String,
    /// Who agreed to it.
    #[schema(value_type = Vec<String>)]
    pub approvers: Vec<Name>,
    /// The proposal it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<String>,
}

/// A new agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentCreate {
    /// Its name, for ever.
    #[schema(value_type = String)]
    pub name: Name,
    /// What a file says under `[agent.<name>]`, in JSON: `purpose`, `owner`, `environment`, `autonomy`,
    /// `task_duration_max`, `grant`, `budget` and so on. Checked exactly like the file.
    #[schema(value_type = Object)]
    pub agent: serde_json::Map<String, serde_json::Value>,
    /// Why, for the record.
    pub reason: String,
    /// Whose word it is, where the local administrator passes it on: this person cannot agree to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub person: Option<Name>,
    /// At once, without those who must agree; recorded as such and reviewed by somebody else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
}

/// A new charter for an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentUpdate {
    /// As in [`AgentCreate::agent`]; the whole of it.
    #[schema(value_type = Object)]
    pub agent: serde_json::Map<String, serde_json::Value>,
    /// Why, for the record.
    pub reason: String,
    /// The version that was seen, to change nothing that somebody else changed meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// As in [`AgentCreate::person`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub person: Option<Name>,
    /// As in [`AgentCreate::break_glass`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
}

/// A move of an agent through its life.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentStep {
    /// Why, for the record.
    pub reason: String,
    /// As in [`AgentCreate::person`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub person: Option<Name>,
    /// As in [`AgentCreate::break_glass`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
}

/// What containment leaves an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Restrict {
    /// `normal`, `approvals-only`, `read-only` or `off`.
    #[schema(value_type = String, example = "read-only")]
    pub level: Level,
    /// Why, for the record.
    pub reason: String,
    /// Who, where the local administrator passes it on; whoever signed in, if absent. From `off` to more it takes two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub person: Option<Name>,
}

/// Somebody's word that an agent at level `off` be left more; another person has to say so too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LooseningView {
    /// What it is to be left.
    #[schema(value_type = String)]
    pub to: Level,
    /// Who asked.
    pub by: String,
    /// When.
    pub at: Moment,
    /// Until when another person may agree.
    pub until: Moment,
    /// The order that stands instead, which another person lifts with their signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
}

/// Less trust in an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Demote {
    /// `probation` or `supervised`; less than it has.
    #[schema(value_type = String, example = "probation")]
    pub autonomy: Autonomy,
    /// Why, for the record.
    pub reason: String,
}
