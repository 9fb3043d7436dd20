//! Answers to proposals, and what the last yes does.

use super::{find, sign::of_vote, view, waiting};
use crate::{
    Action, ControlError, Op, Operator,
    approval::{answer_why, ballot},
    bound::Links,
    change::{Change, Draft, Seen},
    plan::{recheck, stamped},
    sign,
};
use provost_api::proposal::{ProposalAnswer, ProposalView};
use provost_domain::{
    AgentStatus, Directory, Name, Object, ObjectKey, Proposal,
    agent::{Revised, RevisedHow},
    proposal::ProposedWrite,
};
use provost_lifecycle::{
    approval::VoteError,
    proposal::{self as life, Answer, Answered},
};
use std::collections::BTreeSet;

/// What an answer came to.
enum Told {
    Stands(Box<Proposal>),
    /// It was found to be past saving, and is marked as that.
    Stale(ControlError),
}

/// One person's yes. The last one that is needed writes the rows.
///
/// # Errors
/// When the operator or the person may not, it does not wait any more, or a row has moved since it was made.
pub async fn approve(op: &Op, id: &str, answer: ProposalAnswer) -> Result<ProposalView, ControlError> {
    vote(op, id, answer, true).await
}

/// One person's no.
///
/// # Errors
/// As [`approve`].
pub async fn refuse(op: &Op, id: &str, answer: ProposalAnswer) -> Result<ProposalView, ControlError> {
    vote(op, id, answer, false).await
}

async fn vote(op: &Op, id: &str, said: ProposalAnswer, yes: bool) -> Result<ProposalView, ControlError> {
    let authorised = op.authorize(Action::ProposalAnswer)?;
    let ballot = ballot(op, said.person, said.reason, yes, said.break_glass)?;
    let ballot = sign::with(op, ballot, said.signed.filter(|_signed| yes)).await?;
    let why = answer_why(&ballot, if yes { "approved" } else { "refused" });
    let answer = Answer { ballot, by_token: op.subject == Operator::LocalAdministrator };
    let by = sign::by(&answer.ballot);
    let known = find(op, id).await?;
    let mut keys = keys(&known, &op.plane.replica.latest().directory);
    keys.extend(sign::key(by));
    let (_seq, told) = authorised
        .change(&keys, &why, |seen| {
            let row = waiting(op, seen.directory, id)?;
            check_seen(&row, said.digest.as_deref())?;
            let change = decide(op, seen, &row, answer.clone())?;
            match &change.answer {
                Told::Stands(voted) => sign::concluded(op, seen, (of_vote(voted)?, by), change),
                Told::Stale(_) => {
                    Ok(Change { drafts: change.drafts, what: change.what, answer: Ok(change.answer) })
                }
            }
        })
        .await?;
    match sign::told(op, by, told).await? {
        Told::Stale(error) => Err(error),
        Told::Stands(row) => view(op, &row).await,
    }
}

pub(super) fn check_seen(row: &Proposal, saw: Option<&str>) -> Result<(), ControlError> {
    let Some(saw) = saw else { return Ok(()) };
    let is = row.digest().map_err(|error| ControlError::us("a proposal has no digest", error))?;
    if saw == is.to_string() {
        return Ok(());
    }
    Err(ControlError::conflict("this is not the proposal you saw").cure("show it again, then decide again"))
}

/// What an answer makes of a proposal and of the rows, on rows and versions that are the newest.
fn decide(op: &Op, seen: &Seen<'_>, row: &Proposal, answer: Answer) -> Result<Change<Told>, ControlError> {
    let now = op.plane.now();
    let person = answer.ballot.person.clone();
    let answered = life::answer(row, seen.directory, |key| seen.version(key), answer, now);
    let (next, word, mut drafts) = match answered {
        Err(error @ VoteError::Moved { .. }) => return stale(op, row, error.to_string()),
        Err(error) => return Err(sign::refused(op, &format!("/proposals/{}", row.id), error)),
        Ok(Answered::Waits(next)) => (next, format!("{person} agrees"), Vec::new()),
        Ok(Answered::Refused(next)) => (next, format!("{person} refuses"), Vec::new()),
        Ok(Answered::Agreed(next)) => {
            let rows = rows(&next, seen.directory);
            if let Some(fault) = recheck(Links::of(&op.plane), seen.directory, &rows) {
                let why = format!("it can no longer be applied: {fault}");
                return stale(op, row, why);
            }
            let approvers: Vec<String> = approvers(&next).iter().map(ToString::to_string).collect();
            let word = match next.broken {
                Some(_) => "applied without those who must agree".to_owned(),
                None => format!("applied, agreed to by {}", approvers.join(", ")),
            };
            // A task that started since the versions were read finds its agent unable to act, and expires.
            let rows = rows.into_iter().filter(|draft| {
                draft.key().kind != provost_domain::Kind::Task || seen.versions.contains_key(&draft.key())
            });
            // What it was only decided on stands as it stood, or nothing is written.
            let reads = next.reads.iter().map(|read| Draft::Keep(read.key.clone()));
            let drafts = rows.chain(reads).collect();
            (next, word, drafts)
        }
    };
    drafts.extend(crate::review::of_proposal(&next, seen.directory, now));
    drafts.push(Draft::Put(Object::Proposal(Box::new(next.clone()))));
    let what = format!("{} {word}", row.id);
    Ok(Change { drafts, what, answer: Told::Stands(Box::new(next)) })
}

fn stale(op: &Op, row: &Proposal, why: String) -> Result<Change<Told>, ControlError> {
    let error = ControlError::conflict(why.clone()).cure("plan it again, look, and propose it again");
    let Some(next) = life::stale(row, &why, op.plane.now()) else { return Err(error) };
    let drafts = vec![Draft::Put(Object::Proposal(Box::new(next)))];
    Ok(Change { drafts, what: format!("{} is stale", row.id), answer: Told::Stale(error) })
}

/// Exactly the rows that were agreed to. A charter says where it came from; an agent that ends takes its tasks along.
pub(super) fn rows(row: &Proposal, directory: &Directory) -> Vec<Draft> {
    let revised = Revised {
        by: row.author.as_str().into(),
        at: match row.status {
            provost_domain::proposal::ProposalStatus::Applied { at } => at,
            _ => row.made,
        },
        how: if row.broken.is_some() { RevisedHow::BreakGlass } else { RevisedHow::Approved },
        why: row.reason.as_str().into(),
        approvers: approvers(row),
        proposal: Some(row.id.as_str().into()),
    };
    let draft = |write: &ProposedWrite| match write {
        ProposedWrite::Put { object, .. } => Draft::Put(object.as_ref().clone()),
        ProposedWrite::Remove { key, .. } => Draft::Remove(key.clone()),
    };
    let mut drafts = Vec::new();
    for write in &row.writes {
        if let Some(Object::Agent(agent)) = write.after()
            && agent.status == AgentStatus::Decommissioned
        {
            drafts.extend(crate::agent::ended_tasks(directory, &agent.name));
        }
        drafts.push(draft(write));
    }
    stamped(drafts, directory, &revised)
}

/// Those whose yes opened a gate, in order.
fn approvers(row: &Proposal) -> Vec<Name> {
    let yes = row.votes.iter().filter(|vote| vote.yes && !vote.gates.is_empty());
    let names: BTreeSet<&Name> = yes.map(|vote| &vote.person).collect();
    names.into_iter().cloned().collect()
}

/// Every row whose version matters.
fn keys(row: &Proposal, directory: &Directory) -> Vec<ObjectKey> {
    let mut keys: BTreeSet<ObjectKey> = row.bases().map(|(key, _base)| key).collect();
    keys.insert(ObjectKey::proposal(&row.id));
    keys.extend(rows(row, directory).iter().map(Draft::key));
    keys.into_iter().collect()
}

/// Takes a proposal back. Whoever wrote it may, and administrators.
///
/// # Errors
/// When the operator may not, or it is over already.
pub async fn withdraw(op: &Op, id: &str, why: &str) -> Result<ProposalView, ControlError> {
    let authorised = op.authorize(Action::ProposalAnswer)?;
    let (_seq, row) = authorised
        .change(&[ObjectKey::proposal(id)], why, |seen| {
            let row = waiting(op, seen.directory, id)?;
            let now = op.plane.now();
            if let Operator::Person(person, _) = &op.subject
                && row.person.as_ref() != Some(person)
                && !life::is_administrator(seen.directory, person, now)
            {
                return Err(ControlError::refused(format!("{person} did not propose {id}"))
                    .cure("say no to it, if you are one of those who must agree"));
            }
            let over = life::withdraw(&row, &op.subject.to_string(), why, now);
            let over = over.ok_or_else(|| ControlError::conflict(format!("{id} is over already")))?;
            let drafts = vec![Draft::Put(Object::Proposal(Box::new(over.clone())))];
            Ok(Change { drafts, what: format!("{id} withdrawn"), answer: over })
        })
        .await?;
    view(op, &row).await
}
