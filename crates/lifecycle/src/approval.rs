//! An approval's life: it waits, people say yes or no, and it is used once or not at all.
//!
//! ```text
//!           ┌──▶ refused        one no
//!  waiting ─┼──▶ expired        silence is a no
//!           ├──▶ withdrawn      its task ended, what it is bound to changed, somebody took it back
//!           ├──▶ edited ──▶ …   what may happen instead stands under another approval
//!           └──▶ granted ─┬──▶ used
//!                         ├──▶ expired
//!                         └──▶ withdrawn
//! ```
//!
//! That a grant is used once is not this machine's to say alone: its use is charged in the transaction that records the
//! decision. The machine says what may be tried.

mod request;
mod stands;
mod voters;

pub use crate::voters::Standing;
pub use request::{ENDS, PENDING, request_aggregate, request_status};
pub use stands::{envelope_fallen, fallen};
pub use voters::{approvers, askers, needs, standing};

use provost_domain::{
    Action, Approval, DecisionId, Digest, Directory, DurationMs, Envelope, Name, Reason, Role, TaskId,
    Timestamp, ToolName,
    approval::{ApprovalStatus, Bound, ENVELOPE_LIFE_MAX, EnvelopeStatus, Vote, approval_id},
    canonical::CanonicalError,
    charter::{ArgRule, BudgetSum},
    organisation::ApprovalRules,
    statement::Signature,
};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The call, whole.
    pub action: Action,
    /// What its task is for.
    pub purpose: String,
    /// The people who asked for the task or for one above it.
    pub askers: BTreeSet<Name>,
    /// Who must agree.
    pub gates: BTreeSet<String>,
    /// The policies that ask.
    pub reasons: Vec<Reason>,
    /// What must still be so when it is used.
    pub bound: Bound,
    /// The decision that held the call.
    pub decision: DecisionId,
    /// When the task ends by itself: an approval does not outlive it.
    pub task_expires: Timestamp,
    /// Random, or the mark of a check.
    pub mark: Digest,
}

/// One answer of one person.
#[derive(Debug, Clone)]
pub struct Ballot {
    /// Who.
    pub person: Name,
    /// Yes or no.
    pub yes: bool,
    /// In the person's words.
    pub reason: Option<String>,
    /// How the plane knows that it is this person.
    pub shown_by: String,
    /// Against the rules of who may, as an administrator.
    pub break_glass: bool,
    /// The person's passkey over the statement of this answer; whoever hands it in has verified it.
    pub signature: Option<Box<Signature>>,
}

/// What an envelope is to allow.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Its id.
    pub id: String,
    /// In the task of the approval only, or in all of the agent's.
    pub in_task: bool,
    /// What the arguments must be.
    pub args: BTreeMap<String, ArgRule>,
    /// So many calls.
    pub count_max: u32,
    /// This sum of an argument.
    pub sum: Option<BudgetSum>,
    /// For how long.
    pub lasts: DurationMs,
}

/// The approval that this makes, for the `nth` time the action is asked for.
///
/// # Errors
/// Never for arguments that were parsed from JSON.
pub fn ask(ask: Ask, nth: u32, rules: ApprovalRules, now: Timestamp) -> Result<Approval, CanonicalError> {
    let digest = ask.action.digest()?;
    let Action { agent, task, system, tool, args } = ask.action;
    Ok(Approval {
        id: approval_id(&digest, nth),
        agent,
        task,
        purpose: ask.purpose,
        askers: ask.askers,
        system,
        tool,
        action: digest,
        args,
        gates: ask.gates,
        reasons: ask.reasons,
        bound: ask.bound,
        decision: ask.decision,
        asked: now,
        expires: now.plus(rules.wait).min(ask.task_expires),
        votes: Vec::new(),
        edited_from: None,
        mark: Some(ask.mark),
        check: None,
        status: ApprovalStatus::Waiting,
    })
}

/// Whether the action may be tried with this approval now. It is decided again all the same.
#[must_use]
pub fn is_usable(approval: &Approval, action: &Digest, bound: &Bound, now: Timestamp) -> bool {
    approval.is_granted(now) && approval.action == *action && approval.bound == *bound
}

/// Whether a call of this tool may be tried with this envelope now, as far as its arguments are not concerned.
#[must_use]
pub fn covers(
    envelope: &Envelope,
    task: TaskId,
    (system, tool): (&Name, &ToolName),
    bound: &Bound,
    now: Timestamp,
) -> bool {
    envelope.is_open(now)
        && envelope.task.is_none_or(|only| only == task)
        && envelope.system == *system
        && envelope.tool == *tool
        && envelope.bound == *bound
}

/// The approval with one more answer. All of its gates open with the last yes that is needed; the first no closes it.
///
/// # Errors
/// When it does not wait any more, what it is about has changed, or the person may not answer it.
pub fn vote(
    approval: &Approval,
    directory: &Directory,
    ballot: Ballot,
    now: Timestamp,
) -> Result<Approval, VoteError> {
    waits(approval, directory, now)?;
    let reason = said(ballot.reason)?;
    let stands = standing(approval, directory, &ballot.person, now);
    let (gates, on_behalf_of) = match (ballot.yes, ballot.break_glass) {
        (false, _) => {
            let may = !stands.gates.is_empty()
                || approval.askers.contains(&ballot.person)
                || is_administrator(directory, &ballot.person);
            if !may {
                return Err(VoteError::NotEligible(stands.why_not()));
            }
            (BTreeSet::new(), None)
        }
        (true, true) => (break_glass(approval, directory, &ballot.person, reason.as_deref())?, None),
        (true, false) if stands.gates.is_empty() => return Err(VoteError::NotEligible(stands.why_not())),
        (true, false) if ballot.signature.is_none() && wants_signature(approval, directory) => {
            return Err(VoteError::SignatureMissing { id: approval.id.clone(), person: ballot.person });
        }
        (true, false) => (stands.gates.keys().cloned().collect(), stands.on_behalf_of()),
    };
    let mut next = approval.clone();
    next.votes.push(Vote {
        person: ballot.person,
        gates,
        yes: ballot.yes,
        at: now,
        reason,
        on_behalf_of,
        shown_by: ballot.shown_by,
        break_glass: ballot.yes && ballot.break_glass,
        hurried: false,
        warned: false,
        signature: ballot.signature.filter(|_signed| ballot.yes),
    });
    next.status = if !ballot.yes {
        ApprovalStatus::Refused { at: now }
    } else if missing(&next, directory).is_empty() {
        ApprovalStatus::Granted {
            at: now,
            until: now.plus(rules(directory).good_for).min(task_end(&next, directory)),
        }
    } else {
        ApprovalStatus::Waiting
    };
    Ok(next)
}

/// What somebody said, trimmed; nothing, if it was nothing.
pub(crate) fn said(reason: Option<String>) -> Result<Option<String>, VoteError> {
    let reason = reason.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    match &reason {
        Some(text) if text.len() > REASON_BYTES_MAX => Err(VoteError::ReasonTooLong),
        _ => Ok(reason),
    }
}

/// The gates that still want answers, with how many.
#[must_use]
pub fn missing(approval: &Approval, directory: &Directory) -> BTreeMap<String, u32> {
    let broken = approval.votes.iter().any(|vote| vote.yes && vote.break_glass);
    let left = |gate: &String| {
        let counts = |vote: &&Vote| {
            vote.yes
                && vote.gates.contains(gate)
                && stands::vote_fallen(vote, gate, approval, directory).is_none()
        };
        let given = approval.votes.iter().filter(counts).count();
        let wanted = voters::needs(directory, gate);
        let left = wanted.saturating_sub(u32::try_from(given).unwrap_or(u32::MAX));
        (left > 0).then(|| (gate.clone(), left))
    };
    if broken { BTreeMap::new() } else { approval.gates.iter().filter_map(left).collect() }
}

/// The original, pointing to its edited action, and the approval of that action, which has the editor's yes.
///
/// # Errors
/// As [`vote`]; or when nothing was edited.
pub fn edit(
    approval: &Approval,
    directory: &Directory,
    (args, gates): (Map<String, Value>, BTreeSet<String>),
    (ballot, nth): (Ballot, u32),
    now: Timestamp,
) -> Result<(Approval, Approval), VoteError> {
    waits(approval, directory, now)?;
    if args == approval.args {
        return Err(VoteError::NothingEdited);
    }
    let action = Action {
        agent: approval.agent.clone(),
        task: approval.task,
        system: approval.system.clone(),
        tool: approval.tool.clone(),
        args,
    };
    let digest = action.digest().map_err(|_never| VoteError::NothingEdited)?;
    let edited = Approval {
        id: approval_id(&digest, nth),
        action: digest,
        args: action.args,
        gates,
        asked: now,
        votes: Vec::new(),
        edited_from: Some(approval.id.clone()),
        mark: None,
        ..approval.clone()
    };
    let by = ballot.person.clone();
    let edited = vote(&edited, directory, Ballot { yes: true, ..ballot }, now)?;
    let status = ApprovalStatus::Edited { at: now, by, to: edited.id.clone() };
    Ok((Approval { status, ..approval.clone() }, edited))
}

/// The approval after its time; `None` as long as it is in time, or over already.
#[must_use]
pub fn expire(approval: &Approval, now: Timestamp) -> Option<Approval> {
    let late = match approval.status {
        ApprovalStatus::Waiting | ApprovalStatus::Edited { .. } => now >= approval.expires,
        ApprovalStatus::Granted { until, .. } => now >= until,
        _ => false,
    };
    late.then(|| Approval { status: ApprovalStatus::Expired { at: now }, ..approval.clone() })
}

/// The approval, taken back; `None` when it is over already.
#[must_use]
pub fn withdraw(approval: &Approval, why: &str, now: Timestamp) -> Option<Approval> {
    let status = ApprovalStatus::Withdrawn { at: now, why: why.to_owned() };
    (!approval.is_over()).then(|| Approval { status, ..approval.clone() })
}

/// The approval without what somebody said who has left; what they had opened is shut. `None` when they said no yes to it, or it
/// is over already.
#[must_use]
pub fn left(approval: &Approval, person: &Name, now: Timestamp) -> Option<Approval> {
    let said = approval.votes.iter().any(|vote| is_theirs(vote, person));
    match approval.status {
        _ if !said => None,
        ApprovalStatus::Granted { .. } => {
            withdraw(approval, &format!("{person}, who said yes, has left"), now)
        }
        ApprovalStatus::Waiting => {
            let votes = approval.votes.iter().filter(|vote| !is_theirs(vote, person)).cloned().collect();
            Some(Approval { votes, ..approval.clone() })
        }
        _ => None,
    }
}

/// Whether it is a yes of this person, or in their place.
pub(crate) fn is_theirs(vote: &Vote, person: &Name) -> bool {
    vote.yes && (vote.person == *person || vote.on_behalf_of.as_ref() == Some(person))
}

/// The approval after its use; `None` when that is on record already, or it was never granted.
#[must_use]
pub fn used(approval: &Approval, decision: Option<DecisionId>, now: Timestamp) -> Option<Approval> {
    let granted = matches!(approval.status, ApprovalStatus::Granted { .. } | ApprovalStatus::Expired { .. });
    let status = ApprovalStatus::Used { at: now, decision };
    granted.then(|| Approval { status, ..approval.clone() })
}

/// The envelope that one person grants on an approval that waits, and the approval, which it answers.
///
/// # Errors
/// As [`vote`]; when the person cannot open every gate alone, or the envelope has no bounds.
pub fn envelope(
    approval: &Approval,
    directory: &Directory,
    wanted: Wanted,
    ballot: Ballot,
    now: Timestamp,
) -> Result<Envelope, VoteError> {
    let why = ballot.reason.clone().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let why = why.ok_or(VoteError::ReasonMissing)?;
    if wanted.count_max == 0 || wanted.lasts.0 == 0 || wanted.lasts > ENVELOPE_LIFE_MAX {
        return Err(VoteError::Unbounded);
    }
    let (by, shown_by) = (ballot.person.clone(), ballot.shown_by.clone());
    let signature = ballot.signature.clone();
    let on_behalf_of = standing(approval, directory, &by, now).on_behalf_of();
    let voted = vote(approval, directory, Ballot { yes: true, break_glass: false, ..ballot }, now)?;
    let left = missing(&voted, directory);
    if !left.is_empty() {
        let gates: Vec<String> = left.keys().cloned().collect();
        return Err(VoteError::NotAlone(gates.join(", ")));
    }
    Ok(Envelope {
        id: wanted.id,
        agent: approval.agent.clone(),
        task: wanted.in_task.then_some(approval.task),
        system: approval.system.clone(),
        tool: approval.tool.clone(),
        args: wanted.args,
        count_max: wanted.count_max,
        sum: wanted.sum,
        gates: approval.gates.clone(),
        bound: approval.bound,
        by,
        on_behalf_of,
        shown_by,
        signature,
        why,
        approval: approval.id.clone(),
        mark: approval.mark,
        granted: now,
        until: now.plus(wanted.lasts),
        status: EnvelopeStatus::Open,
    })
}

/// Whether a yes to this approval takes a signature of the person's passkey. An agent nobody knows acts in production.
#[must_use]
pub fn wants_signature(approval: &Approval, directory: &Directory) -> bool {
    stands::asks_signature(&approval.agent, directory)
}

/// The rules in force.
#[must_use]
pub fn rules(directory: &Directory) -> ApprovalRules {
    directory.organisation.as_ref().map(|row| row.approvals).unwrap_or_default()
}

/// Why an answer does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VoteError {
    /// It was answered, used or missed.
    #[error("{id} does not wait for an answer any more: it is {status}")]
    NotWaiting {
        /// Which approval.
        id: String,
        /// Where it stands.
        status: &'static str,
    },
    /// Its time is over.
    #[error("{0} has expired: nobody answered in time, and silence is a no; the agent has to ask again")]
    Late(String),
    /// The task is over.
    #[error("the task {0} has ended, so there is nothing to approve any more")]
    TaskEnded(TaskId),
    /// The agent's charter is another one.
    #[error(
        "the charter of {0} has changed since this was asked: the agent has to ask again under the new one"
    )]
    CharterChanged(Name),
    /// The person may not.
    #[error("{0}")]
    NotEligible(String),
    /// Breaking the glass is for administrators.
    #[error("only an administrator may break the glass, and {0} is none")]
    NotAdministrator(Name),
    /// Somebody who asked for it.
    #[error(
        "{0} asked for this task, or for one above it, and nobody approves what they asked for themselves"
    )]
    OwnRequest(Name),
    /// A word alone does not do.
    #[error("a yes to {id} takes {person}'s passkey: a fresh signature over exactly what is agreed to")]
    SignatureMissing {
        /// Which approval.
        id: String,
        /// Whose passkey.
        person: Name,
    },
    /// A reason is wanted.
    #[error("this needs a reason in words, for those who review it")]
    ReasonMissing,
    /// The reason is a book.
    #[error("the reason may have {REASON_BYTES_MAX} bytes at most")]
    ReasonTooLong,
    /// The edited arguments are the same.
    #[error("the arguments are the same as those that were asked for: approve it as it is")]
    NothingEdited,
    /// An envelope without bounds.
    #[error("an envelope needs a number of calls, and a time of at most 90 days")]
    Unbounded,
    /// A proposal waited for too long.
    #[error(
        "{0} has expired: not everybody answered in time, and silence is a no; it has to be proposed again"
    )]
    TooLate(String),
    /// What a proposal was made on is not so any more.
    #[error("{id} was made on what {what} was before; that has changed, so it has to be proposed again")]
    Moved {
        /// Which proposal.
        id: String,
        /// The row.
        what: String,
    },
    /// The token of the machine agrees to no change, in whosever name.
    #[error(
        "a yes that is handed in with the token of the machine is nobody's own: whoever holds the token can give any name"
    )]
    SameHand,
    /// More than one person must agree.
    #[error("an envelope is granted by one person, and this needs more: {0}")]
    NotAlone(String),
}

fn waits(approval: &Approval, directory: &Directory, now: Timestamp) -> Result<(), VoteError> {
    if approval.status != ApprovalStatus::Waiting {
        return Err(VoteError::NotWaiting { id: approval.id.clone(), status: approval.status.as_str() });
    }
    if now >= approval.expires {
        return Err(VoteError::Late(approval.id.clone()));
    }
    if !directory.tasks.get(&approval.task).is_some_and(|task| task.is_live(now)) {
        return Err(VoteError::TaskEnded(approval.task));
    }
    match directory.agents.get(&approval.agent) {
        Some(agent) if agent.revision == approval.bound.revision => Ok(()),
        _ => Err(VoteError::CharterChanged(approval.agent.clone())),
    }
}

fn break_glass(
    approval: &Approval,
    directory: &Directory,
    person: &Name,
    reason: Option<&str>,
) -> Result<BTreeSet<String>, VoteError> {
    if !is_administrator(directory, person) {
        return Err(VoteError::NotAdministrator(person.clone()));
    }
    if voters::all_askers(approval, directory).contains(person) {
        return Err(VoteError::OwnRequest(person.clone()));
    }
    reason.ok_or(VoteError::ReasonMissing)?;
    Ok(approval.gates.clone())
}

fn is_administrator(directory: &Directory, person: &Name) -> bool {
    let row = directory.people.get(person);
    row.is_some_and(|row| row.active && directory.roles_of(row).contains(&Role::Administrator))
}

fn task_end(approval: &Approval, directory: &Directory) -> Timestamp {
    directory.tasks.get(&approval.task).map_or(approval.expires, |task| task.expires)
}

const REASON_BYTES_MAX: usize = 2_000;

#[cfg(test)]
mod tests;
