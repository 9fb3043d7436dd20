//! What was done without those who must agree, before somebody else: a finding of the kind `break-glass` for each, written in
//! the transaction that did it. Whoever did it cannot close it, nor can the token that did it; the longer nobody does, the
//! worse it gets.

use crate::{ControlError, Op, Operator, change::Draft};
use provost_domain::{
    Approval, Directory, Finding, Name, Object, ObjectKey, Proposal, Severity, Sighting, Timestamp,
    approval::Vote,
    finding::{About, BREAK_GLASS},
};
use provost_lifecycle::finding as life;

/// The finding of a change that was applied without those who must agree.
pub(crate) fn of_proposal(row: &Proposal, directory: &Directory, now: Timestamp) -> Option<Draft> {
    let broken = row.broken.as_ref()?;
    let gates: Vec<&str> = row.gates.keys().map(String::as_str).collect();
    let what = format!(
        "{} changed the organisation without the yes of {}: {}",
        broken.by,
        gates.join(", "),
        broken.reason
    );
    let agent = row.steps.iter().find(|step| step.key.kind == provost_domain::Kind::Agent);
    let agent = agent.and_then(|step| step.key.key.parse().ok());
    Some(seen(&row.id, what, (agent, broken.person.clone()), directory, now))
}

/// The finding of an approval that was given by breaking the glass.
pub(crate) fn of_approval(row: &Approval, directory: &Directory, now: Timestamp) -> Option<Draft> {
    let vote: &Vote = row.votes.iter().find(|vote| vote.break_glass)?;
    let what = format!(
        "{} approved {}/{} of {} in place of those who may: {}",
        vote.person,
        row.system,
        row.tool,
        row.agent,
        vote.reason.as_deref().unwrap_or_default()
    );
    Some(seen(&row.id, what, (Some(row.agent.clone()), Some(vote.person.clone())), directory, now))
}

fn seen(
    id: &str,
    what: String,
    (agent, person): (Option<Name>, Option<Name>),
    directory: &Directory,
    now: Timestamp,
) -> Draft {
    let owner =
        agent.as_ref().and_then(|name| directory.agents.get(name)).map(|row| row.charter.owner.clone());
    let owner = owner.filter(|owner| person.as_ref() != Some(owner));
    let sighting = Sighting::new(BREAK_GLASS, id, Severity::High, what)
        .about(About { agent, person, ..About::default() })
        .evidence([id])
        .by_another();
    Draft::Put(Object::Finding(Box::new(life::first_seen(&sighting, owner.as_ref(), now))))
}

/// Refuses an answer by the hand that did it: the token of the machine closes nothing that was done with it, in whosever name.
///
/// # Errors
/// When it is that hand, or the store fails.
pub(crate) async fn check_answer(op: &Op, row: &Finding) -> Result<(), ControlError> {
    if row.kind != BREAK_GLASS
        || op.subject != Operator::LocalAdministrator
        || !by_token(op, &row.key).await?
    {
        return Ok(());
    }
    Err(ControlError::refused("this was done with the token of the machine, which does not review itself")
        .because("whoever holds the token can give any name")
        .cure("somebody else signs in and closes it, with a reason, at /console/findings"))
}

async fn by_token(op: &Op, id: &str) -> Result<bool, ControlError> {
    for key in [ObjectKey::proposal(id), ObjectKey::approval(id)] {
        let history = op.plane.store.history(&key, 1).await?;
        let of_token = |by: &str| by.starts_with(&Operator::LocalAdministrator.to_string());
        let by_token = history.into_iter().find_map(|record| match record.after {
            Some(Object::Proposal(row)) => Some(row.broken.is_some_and(|broken| of_token(&broken.by))),
            Some(Object::Approval(row)) => {
                Some(row.votes.iter().any(|vote| vote.break_glass && of_token(&vote.shown_by)))
            }
            _ => None,
        });
        if let Some(by_token) = by_token {
            return Ok(by_token);
        }
    }
    Ok(false)
}

/// What housekeeping does: what nobody reviewed in time is as bad as it gets, and is told again.
pub(crate) async fn escalate(op: &Op) -> Result<(), ControlError> {
    let view = op.plane.replica.latest();
    let (directory, now) = (&view.directory, op.plane.now());
    let most = provost_lifecycle::proposal::rules(directory).review;
    let late = directory.findings.values().filter(|row| {
        row.kind == BREAK_GLASS
            && row.severity < Severity::Critical
            && row.is_unanswered(now)
            && now.since(row.opened) >= most
    });
    for row in late {
        let what = format!("nobody reviewed it within {most}: {}", row.what);
        let sighting =
            Sighting::new(BREAK_GLASS, row.key.clone(), Severity::Critical, what).about(row.about.clone());
        crate::finding::raise(op, &sighting.by_another()).await?;
    }
    Ok(())
}
