//! An approval: one exact action that waits for people, and what they said. It is one grant at most: what it is bound to is
//! written when it is asked for, and what uses it up is charged with the decision that uses it.

use crate::{
    DecisionId, Digest, DurationMs, Name, Reason, TaskId, Timestamp, ToolName,
    charter::{ArgRule, BudgetSum},
    check::Check,
    statement::Signature,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// One exact action that was held, and where its approval stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Names it for ever: `approval_` and the first digits of the action's digest, then `_2`, `_3` … when the same action is
    /// asked for again after the one before was used, refused or ran out ([`approval_id`]).
    pub id: String,
    /// Who wants to act.
    pub agent: Name,
    /// In which task.
    pub task: TaskId,
    /// What that task is for.
    pub purpose: String,
    /// The people who asked for the task, or for a task above it: none of them may say yes to it.
    pub askers: BTreeSet<Name>,
    /// On which system.
    pub system: Name,
    /// By which operation.
    pub tool: ToolName,
    /// Digest of exactly this action ([`crate::Action::digest`]).
    pub action: Digest,
    /// The arguments, whole, as they will run.
    pub args: Map<String, Value>,
    /// Who must agree: `owner`, or the names of groups.
    pub gates: BTreeSet<String>,
    /// The policies that ask, each with why.
    pub reasons: Vec<Reason>,
    /// What must still be so when it is used.
    pub bound: Bound,
    /// The decision that held the call.
    pub decision: DecisionId,
    /// When it was first asked for.
    pub asked: Timestamp,
    /// From this moment on no answer counts any more: silence is a no.
    pub expires: Timestamp,
    /// What people said, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub votes: Vec<Vote>,
    /// The approval whose action was edited into this one, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_from: Option<String>,
    /// Random; or, of a check, what its secret opens ([`crate::check`]). Tells nothing to who has not the plane's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<Digest>,
    /// That it was a check, once it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Box<Check>>,
    /// Where it stands.
    pub status: ApprovalStatus,
}

/// What an approval was given for, besides the action: if one of these has changed, it is given for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// Revision of the agent's charter.
    pub revision: u32,
    /// The reviewed definition of the tool.
    pub pin: Digest,
    /// Digest of the policies that held the call ([`crate::Decision::policies`]).
    pub policies: Digest,
}

/// What one person said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Who.
    pub person: Name,
    /// The gates it counts for; none for a no.
    pub gates: BTreeSet<String>,
    /// Yes or no.
    pub yes: bool,
    /// When.
    pub at: Timestamp,
    /// Why, in the person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// For whom the person stood in, who is away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<Name>,
    /// How the plane knows that it was this person: `local administrator for maria`.
    pub shown_by: String,
    /// Given against the rules of who may, by an administrator with a reason; to be reviewed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
    /// Given faster than what was shown can be read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hurried: bool,
    /// Given after a warning that this goes too fast.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub warned: bool,
    /// The person's passkey over a statement of all this, where the organisation wants one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Box<Signature>>,
}

/// Where an approval stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum ApprovalStatus {
    /// Nobody has said no, and not everybody who must has said yes.
    Waiting,
    /// The action may happen, once, until then.
    Granted {
        /// Since when.
        at: Timestamp,
        /// Until, not including, when.
        until: Timestamp,
    },
    /// An approver changed the arguments: what may happen instead stands under another approval.
    Edited {
        /// When.
        at: Timestamp,
        /// By whom.
        by: Name,
        /// The approval of the edited action.
        to: String,
    },
    /// Somebody said no.
    Refused {
        /// When.
        at: Timestamp,
    },
    /// Nobody used or answered it in time.
    Expired {
        /// When.
        at: Timestamp,
    },
    /// It was taken back, or what it is bound to has changed.
    Withdrawn {
        /// When.
        at: Timestamp,
        /// Why.
        why: String,
    },
    /// It was used up.
    Used {
        /// When.
        at: Timestamp,
        /// By this decision; unknown if the plane went down between the two, until it is found.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decision: Option<DecisionId>,
    },
}

/// What may happen so often and so much without a person each time: constraints instead of one exact action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Names it for ever.
    pub id: String,
    /// Which agent may use it.
    pub agent: Name,
    /// In this task only; in all of its tasks, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// On which system.
    pub system: Name,
    /// For which operation.
    pub tool: ToolName,
    /// What the arguments must be, in the words of a charter.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub args: BTreeMap<String, ArgRule>,
    /// So many calls.
    pub count_max: u32,
    /// This sum of an argument.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<BudgetSum>,
    /// The gates it opens.
    pub gates: BTreeSet<String>,
    /// What must still be so when it is used.
    pub bound: Bound,
    /// Who granted it.
    pub by: Name,
    /// For whom that person stood in, who is away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<Name>,
    /// How the plane knows that it was this person.
    pub shown_by: String,
    /// That person's passkey over a statement of all this, where the organisation wants one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Box<Signature>>,
    /// Why, in that person's words.
    pub why: String,
    /// The approval it was granted on.
    pub approval: String,
    /// The mark of that approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<Digest>,
    /// When.
    pub granted: Timestamp,
    /// Until, not including, when.
    pub until: Timestamp,
    /// Where it stands.
    pub status: EnvelopeStatus,
}

/// Where an envelope stands. What is left of it, its charges say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum EnvelopeStatus {
    /// It may be used while something is left of it.
    Open,
    /// Somebody took it back.
    Revoked {
        /// When.
        at: Timestamp,
        /// Who.
        by: String,
        /// Why.
        why: String,
    },
    /// Its time is over.
    Expired {
        /// When.
        at: Timestamp,
    },
}

impl Approval {
    /// Whether nothing can come of it any more.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(
            self.status,
            ApprovalStatus::Refused { .. }
                | ApprovalStatus::Expired { .. }
                | ApprovalStatus::Withdrawn { .. }
                | ApprovalStatus::Used { .. }
        )
    }

    /// Whether the action may happen at `now`.
    #[must_use]
    pub fn is_granted(&self, now: Timestamp) -> bool {
        matches!(self.status, ApprovalStatus::Granted { until, .. } if now < until)
    }

    /// The key of the balance that its one use is taken from.
    #[must_use]
    pub fn charge_key(&self) -> String {
        format!("approval/{}", self.id)
    }
}

impl Envelope {
    /// Whether it may be used at `now`, if something is left of it.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.status == EnvelopeStatus::Open && now < self.until
    }

    /// The key of the balance of its calls.
    #[must_use]
    pub fn count_key(&self) -> String {
        format!("envelope/{}/count", self.id)
    }

    /// The key of the balance of its sum.
    #[must_use]
    pub fn sum_key(&self) -> String {
        format!("envelope/{}/sum", self.id)
    }
}

impl ApprovalStatus {
    /// The word used in records and answers.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Granted { .. } => "granted",
            Self::Edited { .. } => "edited",
            Self::Refused { .. } => "refused",
            Self::Expired { .. } => "expired",
            Self::Withdrawn { .. } => "withdrawn",
            Self::Used { .. } => "used",
        }
    }
}

impl EnvelopeStatus {
    /// The word used in records and answers.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Revoked { .. } => "revoked",
            Self::Expired { .. } => "expired",
        }
    }
}

/// The stable id under which an action can be asked for the `nth` time, from 0: the same however often it is tried until an
/// answer was used, given or missed.
#[must_use]
pub fn approval_id(action: &Digest, nth: u32) -> String {
    let digits: String = action.to_string().chars().skip("sha256:".len()).take(DIGITS).collect();
    match nth {
        0 => format!("{PREFIX}{digits}"),
        nth => format!("{PREFIX}{digits}_{}", nth.saturating_add(1)),
    }
}

/// How long a use is remembered: longer than any grant lives, and no longer than charges are kept.
pub const USE_WINDOW: DurationMs = DurationMs::from_mins(366 * 24 * 60);
/// The longest an envelope may live.
pub const ENVELOPE_LIFE_MAX: DurationMs = DurationMs::from_mins(90 * 24 * 60);

const PREFIX: &str = "approval_";
const DIGITS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_asked_for_again_has_an_id_of_its_own_beside_the_first() {
        let action = Digest::of(b"pay");
        let ids: Vec<String> = (0..3).map(|nth| approval_id(&action, nth)).collect();
        assert!(ids[0].starts_with("approval_") && ids[0].len() == "approval_".len() + 32);
        assert_eq!(ids[1], format!("{}_2", ids[0]));
        assert_eq!(ids[2], format!("{}_3", ids[0]));
        assert_ne!(approval_id(&Digest::of(b"other"), 0), ids[0]);
    }
}
