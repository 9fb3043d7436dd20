//! Answers: a person's yes or no, a yes to other arguments, and taking an answer back.

use super::{
    answers_for, find,
    pace::Given,
    sign::{missing, of_vote},
    view::view_of,
    waiting,
};
use crate::{
    Action, ControlError, Op, Operator,
    change::{Change, Draft},
    check, sign,
};
use provost_api::approval::{ApprovalAnswer, ApprovalEdit, ApprovalView};
use provost_domain::{
    Approval, Digest, Directory, Name, Object, ObjectKey, TaskState, Verdict,
    approval::{Vote, approval_id},
};
use provost_lifecycle::{
    approval::{self as life, Ballot, VoteError},
    check as rules,
};
use provost_policy::{Link, Question};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// One person's yes.
///
/// # Errors
/// When the operator or the person may not, or it does not wait any more.
pub async fn approve(op: &Op, id: &str, answer: ApprovalAnswer) -> Result<ApprovalView, ControlError> {
    vote(op, id, answer, true).await
}

/// One person's no.
///
/// # Errors
/// As [`approve`].
pub async fn refuse(op: &Op, id: &str, answer: ApprovalAnswer) -> Result<ApprovalView, ControlError> {
    vote(op, id, answer, false).await
}

async fn vote(op: &Op, id: &str, answer: ApprovalAnswer, yes: bool) -> Result<ApprovalView, ControlError> {
    op.authorize(Action::ApprovalAnswer)?;
    let ballot = ballot(op, answer.person, answer.reason, yes, answer.break_glass)?;
    let ballot = sign::with(op, ballot, answer.signed.filter(|_signed| yes)).await?;
    let given = Given::now(op, &ballot.person, answer.sure).await?;
    let row = said(op, id, answer.action.as_deref(), ballot, &given).await?;
    view_of(op, &row).await
}

/// One answer of one person to one approval. Of a check comes nothing but that it was one.
pub(super) async fn said(
    op: &Op,
    id: &str,
    action: Option<&str>,
    ballot: Ballot,
    given: &Given,
) -> Result<Approval, ControlError> {
    let authorised = op.authorize(Action::ApprovalAnswer)?;
    let word = if ballot.yes { "approved" } else { "refused" };
    let why = why(&ballot, word);
    let keys: Vec<ObjectKey> =
        [ObjectKey::approval(id)].into_iter().chain(sign::key(sign::by(&ballot))).collect();
    let (_seq, row) = authorised
        .change(&keys, &why, |seen| {
            let row = waiting(op, seen.directory, id)?;
            check_seen(&row, action)?;
            let voted = life::vote(&row, seen.directory, ballot.clone(), given.at)
                .map_err(|error| missing(op, id, error))?;
            let voted = given.mark(voted, &row)?;
            let voted = match check::known(&op.plane, &row)? {
                Some(known) => rules::answered(voted, &known, ballot.yes, given.at),
                None => voted,
            };
            let mut drafts = vec![Draft::Put(Object::Approval(Box::new(voted.clone())))];
            if ballot.break_glass {
                drafts.extend(crate::review::of_approval(&voted, seen.directory, given.at));
            }
            let statement = of_vote(&voted);
            let change = Change { drafts, what: format!("{id} {word}"), answer: voted };
            sign::concluded(op, seen, (statement, sign::by(&ballot)), change)
        })
        .await?;
    let row = sign::told(op, sign::by(&ballot), row).await?;
    check::told(op, &row).await;
    Ok(row)
}

/// Changes the arguments and says yes to those. The agent is told; nothing runs with arguments it did not send.
///
/// # Errors
/// As [`approve`]; or when the call with those arguments could not be allowed either.
pub async fn edit(op: &Op, id: &str, wanted: ApprovalEdit) -> Result<ApprovalView, ControlError> {
    let authorised = op.authorize(Action::ApprovalAnswer)?;
    let ballot = ballot(op, wanted.person, wanted.reason, true, false)?;
    let ballot = sign::with(op, ballot, wanted.signed).await?;
    let edit = Edit::read(op, id, wanted.args).await?;
    let keys = [ObjectKey::approval(id), ObjectKey::approval(&approval_id(&edit.digest, edit.nth))];
    let keys: Vec<ObjectKey> = keys.into_iter().chain(sign::key(sign::by(&ballot))).collect();
    let (_seq, edited) = authorised
        .change(&keys, &why(&ballot, "edited"), |seen| {
            let (original, edited) = edit.made(op, seen.directory, id, ballot.clone())?;
            let row = waiting(op, seen.directory, id)?;
            if let Some(known) = check::known(&op.plane, &row)? {
                let missed = rules::is_still_flawed(known.flaw, &row.args, &edited.args);
                let answered = rules::answered(with_vote_of(row, &edited), &known, missed, op.plane.now());
                let drafts = vec![Draft::Put(Object::Approval(Box::new(answered.clone())))];
                let change = Change { drafts, what: format!("{id} edited"), answer: answered };
                return sign::concluded(op, seen, (of_vote(&edited), sign::by(&ballot)), change);
            }
            let drafts = [original, edited.clone()].map(|row| Draft::Put(Object::Approval(Box::new(row))));
            let what = format!("{id} edited into {}", edited.id);
            let statement = of_vote(&edited);
            let change = Change { drafts: drafts.into(), what, answer: edited };
            sign::concluded(op, seen, (statement, sign::by(&ballot)), change)
        })
        .await?;
    let edited = sign::told(op, sign::by(&ballot), edited).await?;
    check::told(op, &edited).await;
    view_of(op, &edited).await
}

/// The row with the answer that was given to what was made of it. What was signed was that, which does not come to be.
fn with_vote_of(mut row: Approval, edited: &Approval) -> Approval {
    let vote = edited.votes.last().cloned();
    row.votes.extend(vote.map(|vote| Vote { signature: None, ..vote }));
    row
}

/// Other arguments for an approval's action.
pub(super) struct Edit {
    args: Map<String, Value>,
    state: TaskState,
    digest: Digest,
    nth: u32,
}

impl Edit {
    /// What has to be known of the store before the rows are changed.
    pub(super) async fn read(op: &Op, id: &str, args: Map<String, Value>) -> Result<Self, ControlError> {
        let row = find(op, id).await?;
        let state = op.plane.store.task_state(row.task).await?;
        let action = provost_domain::Action {
            agent: row.agent.clone(),
            task: row.task,
            system: row.system.clone(),
            tool: row.tool.clone(),
            args: args.clone(),
        };
        let digest = action.digest().map_err(|error| ControlError::caller(error.to_string()))?;
        let newest = provost_store::newest_approval(op.plane.store.as_ref(), &digest).await?;
        let nth = match &newest {
            Some(newest) if !newest.row.is_over() => {
                return Err(ControlError::conflict(format!("that call waits already, as {}", newest.row.id))
                    .cure("answer that one, and refuse this one"));
            }
            Some(newest) => newest.nth.saturating_add(1),
            None => 0,
        };
        Ok(Self { args, state, digest, nth })
    }

    /// The original, and the approval of the edited action.
    pub(super) fn made(
        &self,
        op: &Op,
        directory: &Directory,
        id: &str,
        ballot: Ballot,
    ) -> Result<(Approval, Approval), ControlError> {
        let row = waiting(op, directory, id)?;
        let gates = gates_of(op, &row, &self.args, &self.state)?;
        life::edit(&row, directory, (self.args.clone(), gates), (ballot, self.nth), op.plane.now())
            .map_err(|error| missing(op, id, error))
    }
}

/// Refuses an answer to another action than the one that was seen.
pub(super) fn check_seen(row: &Approval, saw: Option<&str>) -> Result<(), ControlError> {
    if saw.is_none_or(|saw| saw == row.action.to_string()) {
        return Ok(());
    }
    Err(ControlError::conflict("this approval is of another action than the one you saw")
        .cure("show it again, then decide again"))
}

/// Takes a yes back, or a question that nobody needs to answer any more.
///
/// # Errors
/// When the operator may not, or it is over already.
pub async fn withdraw(op: &Op, id: &str, why: &str) -> Result<ApprovalView, ControlError> {
    let authorised = op.authorize(Action::ApprovalAnswer)?;
    let (_seq, row) = authorised
        .change(&[ObjectKey::approval(id)], why, |seen| {
            let row = waiting(op, seen.directory, id)?;
            check_say(op, &row, seen.directory)?;
            let over = life::withdraw(&row, why, op.plane.now());
            let over = over.ok_or_else(|| ControlError::conflict(format!("{id} is over already")))?;
            let over = check::missed(&op.plane, over)?;
            let drafts = vec![Draft::Put(Object::Approval(Box::new(over.clone())))];
            Ok(Change { drafts, what: format!("{id} withdrawn"), answer: over })
        })
        .await?;
    view_of(op, &row).await
}

/// The gates that a call of an approval's tool with other arguments would meet, in front of the same policies.
fn gates_of(
    op: &Op,
    row: &Approval,
    args: &Map<String, Value>,
    state: &TaskState,
) -> Result<BTreeSet<String>, ControlError> {
    let view = op.plane.replica.latest();
    let directory = &view.directory;
    let gone = || ControlError::conflict("the agent, task, system or tool of this approval is gone");
    let agent = directory.agents.get(&row.agent).ok_or_else(gone)?;
    let task = directory.tasks.get(&row.task).ok_or_else(gone)?;
    let system = directory.systems.get(&row.system).ok_or_else(gone)?;
    let tool = directory.tools.get(&(row.system.clone(), row.tool.clone())).ok_or_else(gone)?;
    let mut links = Vec::new();
    let mut next = task.parent;
    while let Some(above) = next.and_then(|id| directory.tasks.get(&id)) {
        links.push(Link { agent: directory.agents.get(&above.agent).ok_or_else(gone)?, task: above });
        next = above.parent;
    }
    let question = Question {
        agent,
        task,
        state,
        system,
        tool,
        pinned: true,
        args,
        approvals: &[],
        exhausted: &[],
        args_from: &provost_domain::origin::NOTHING,
        chain: &links,
        now: op.plane.now(),
    };
    match view.pdp.decide(&question).verdict {
        Verdict::Hold { approvers, .. } => Ok(approvers.into_iter().collect()),
        Verdict::Allow { .. } => Ok(row.gates.clone()),
        Verdict::Deny { reasons, .. } => {
            let reasons: Vec<String> = reasons.into_iter().map(|reason| reason.reason).collect();
            Err(ControlError::refused("the call with these arguments would be denied, approved or not")
                .because(reasons.join("; "))
                .cure("change the arguments so that the charter and the policies allow them"))
        }
    }
}

/// Who answers, and how the plane knows.
pub(crate) fn ballot(
    op: &Op,
    person: Option<Name>,
    reason: Option<String>,
    yes: bool,
    break_glass: bool,
) -> Result<Ballot, ControlError> {
    let (person, shown_by) = match (&op.subject, person) {
        (Operator::Person(signed_in, _), None) => (signed_in.clone(), format!("{signed_in}, signed in")),
        (Operator::Person(signed_in, _), Some(named)) if named == *signed_in => {
            (named, format!("{signed_in}, signed in"))
        }
        (Operator::LocalAdministrator, Some(person)) => {
            let shown_by = format!("local administrator for {person}");
            (person, shown_by)
        }
        (Operator::LocalAdministrator, None) => {
            return Err(ControlError::caller("say who answers: an approval is one person's word")
                .cure("name the person: --as PERSON, or `person` in the request"));
        }
        (other, _) => {
            return Err(ControlError::refused(format!("{other} answers in nobody's name")));
        }
    };
    Ok(Ballot { person, yes, reason, shown_by, break_glass, signature: None })
}

pub(crate) fn why(ballot: &Ballot, word: &str) -> String {
    let reason = ballot.reason.as_deref().map(str::trim).filter(|text| !text.is_empty());
    let reason: String = reason.unwrap_or("no reason was given").chars().take(WHY_CHARS_MAX).collect();
    format!("{word} by {} ({}): {reason}", ballot.person, ballot.shown_by)
}

fn check_say(op: &Op, row: &Approval, directory: &Directory) -> Result<(), ControlError> {
    let Operator::Person(person, _) = &op.subject else { return Ok(()) };
    let voted = row.votes.iter().any(|vote| vote.person == *person);
    if voted || row.askers.contains(person) || answers_for(person, &row.agent, directory) {
        return Ok(());
    }
    Err(ControlError::refused(format!("{person} neither approved nor asked for {}", row.id)))
}

impl From<VoteError> for ControlError {
    fn from(error: VoteError) -> Self {
        let text = error.to_string();
        match error {
            VoteError::NotWaiting { .. }
            | VoteError::Late(_)
            | VoteError::TooLate(_)
            | VoteError::Moved { .. }
            | VoteError::TaskEnded(_)
            | VoteError::CharterChanged(_) => Self::conflict(text),
            VoteError::NotEligible(_)
            | VoteError::NotAdministrator(_)
            | VoteError::OwnRequest(_)
            | VoteError::SignatureMissing { .. }
            | VoteError::NotAlone(_) => Self::refused(text).cure("`show` names those who may"),
            VoteError::SameHand => Self::refused(text).cure(
                "the person signs in and agrees themselves; what cannot wait is applied with --break-glass",
            ),
            VoteError::ReasonMissing
            | VoteError::ReasonTooLong
            | VoteError::NothingEdited
            | VoteError::Unbounded => Self::caller(text),
        }
    }
}

const WHY_CHARS_MAX: usize = 240;
