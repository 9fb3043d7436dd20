//! What a person signs when they say yes to an approval: as it is, with other arguments, or to constraints ([`crate::sign`]).

use super::{answer, envelope, waiting};
use crate::{Action, ControlError, Op, sign};
use provost_api::passkey::{StatementAsk, StatementView};
use provost_domain::{Approval, Directory, Statement, approval::Vote};
use provost_lifecycle::approval::{self as life, VoteError};

/// What a person is asked to sign, for the answer they are about to give.
///
/// # Errors
/// As the answer itself; or when the person has no passkey that is good.
pub async fn statement(op: &Op, id: &str, ask: StatementAsk) -> Result<StatementView, ControlError> {
    op.authorize(Action::ApprovalAnswer)?;
    let asking = sign::Asking::begin(op).await?;
    let directory = op.plane.replica.latest().directory.clone();
    let made = match ask {
        StatementAsk { answer: Some(said), edit: None, envelope: None } => {
            let ballot = answer::ballot(op, said.person, said.reason, true, said.break_glass)?;
            let row = waiting(op, &directory, id)?;
            answer::check_seen(&row, said.action.as_deref())?;
            of_vote(&life::vote(&row, &directory, asking.show(ballot), op.plane.now())?)
        }
        StatementAsk { answer: None, edit: Some(wanted), envelope: None } => {
            let ballot = answer::ballot(op, wanted.person, wanted.reason, true, false)?;
            let edit = answer::Edit::read(op, id, wanted.args).await?;
            of_vote(&edit.made(op, &directory, id, asking.show(ballot))?.1)
        }
        StatementAsk { answer: None, edit: None, envelope: Some(wanted) } => {
            let reason = Some(wanted.reason.clone());
            let ballot = answer::ballot(op, wanted.person.clone(), reason, true, false)?;
            let (_over, made) =
                envelope::made(op, &directory, id, (&wanted, "envelope"), asking.show(ballot))?;
            of_envelope(&made)?
        }
        _ => {
            return Err(ControlError::caller("a statement is of one answer")
                .cure("send one of `answer`, `edit` and `envelope`"));
        }
    };
    asking.view(op, &directory, made)
}

/// The statement of an approval's last vote.
pub(super) fn of_vote(row: &Approval) -> Option<Statement> {
    row.votes.last().and_then(|vote: &Vote| Statement::of_vote(row.matter(), vote))
}

/// The statement of an envelope.
pub(super) fn of_envelope(row: &provost_domain::Envelope) -> Result<Option<Statement>, ControlError> {
    row.statement().map_err(sign::broken)
}

/// Why an answer does not count; of an unsigned one, with where to sign.
pub(super) fn missing(op: &Op, id: &str, error: VoteError) -> ControlError {
    sign::refused(op, &format!("/approvals/{id}"), error)
}

/// Whether a yes of whoever asks takes a signature.
pub(super) fn wanted(row: &Approval, directory: &Directory) -> bool {
    life::wants_signature(row, directory)
}
