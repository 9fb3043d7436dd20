//! What a person signs when they say yes to a change: exactly its rows, on the versions they were made on ([`crate::sign`]).

use super::{answer::check_seen, settle::versions, waiting};
use crate::{Action, ControlError, Op, Operator, approval::ballot, sign};
use provost_api::{passkey::StatementView, proposal::ProposalAnswer};
use provost_domain::{Proposal, Statement};
use provost_lifecycle::proposal::{self as life, Answer, Answered};

/// What a person is asked to sign, for the yes they are about to give.
///
/// # Errors
/// As the yes itself; or when the person has no passkey that is good.
pub async fn statement(op: &Op, id: &str, said: ProposalAnswer) -> Result<StatementView, ControlError> {
    op.authorize(Action::ProposalAnswer)?;
    let asking = sign::Asking::begin(op).await?;
    let directory = op.plane.replica.latest().directory.clone();
    let ballot = asking.show(ballot(op, said.person, said.reason, true, said.break_glass)?);
    let row = waiting(op, &directory, id)?;
    check_seen(&row, said.digest.as_deref())?;
    let versions = versions(op, &row).await?;
    let version = |key: &provost_domain::ObjectKey| versions.get(key).copied().unwrap_or(0);
    let answer = Answer { ballot, by_token: op.subject == Operator::LocalAdministrator };
    let made = match life::answer(&row, &directory, version, answer, op.plane.now())? {
        Answered::Waits(next) | Answered::Agreed(next) | Answered::Refused(next) => of_vote(&next)?,
    };
    asking.view(op, &directory, made)
}

/// The statement of a proposal's last vote.
pub(super) fn of_vote(row: &Proposal) -> Result<Option<Statement>, ControlError> {
    let Some(vote) = row.votes.last() else { return Ok(None) };
    Ok(Statement::of_vote(row.matter().map_err(sign::broken)?, vote))
}
