//! Approvals: what waits for people, what they say, and who may say it. The rules are `provost-lifecycle`'s; what a yes was
//! given to is checked again when it is used.

use crate::{
    Action, ControlError, Op, Operator,
    change::{Change, Draft},
    diff,
    page::page,
    plane::Plane,
};
use provost_api::{
    Page,
    approval::{
        ApprovalAnswer, ApprovalEdit, ApprovalQuery, ApprovalSummary, ApprovalView, AwaySet, EligibleView,
        EnvelopeGrant, EnvelopeView, MissingView, VoteView,
    },
    task::BalanceView,
};
use provost_domain::{
    Approval, Directory, Envelope, Kind, Name, Object, ObjectKey, TaskState, Timestamp, Verdict,
    approval::{ApprovalStatus, EnvelopeStatus, USE_WINDOW, Vote, approval_id},
    decision::tool_path,
    person::Away,
    task::TaskScope,
};
use provost_lifecycle::approval::{self as life, Ballot, VoteError, Wanted};
use provost_policy::{Link, Pdp, Question};
use provost_store::{Balance, WindowKey};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Approvals that something can still come of, in order of their ids.
///
/// # Errors
/// When the operator may not, or the cursor is not one of ours.
pub async fn list(op: &Op, query: ApprovalQuery) -> Result<Page<ApprovalSummary>, ControlError> {
    op.authorize(Action::ApprovalRead)?;
    // What an agent was told of a moment ago, its approver finds.
    op.plane.replica.catch_up().await?;
    let view = op.plane.replica.latest();
    let (directory, now) = (&view.directory, op.plane.now());
    let wanted = |row: &Approval| {
        let live = directory.tasks.get(&row.task).is_some_and(|task| task.is_live(now));
        live && life::expire(row, now).is_none()
            && query.agent.as_ref().is_none_or(|agent| row.agent == *agent)
            && query.status.as_ref().is_none_or(|status| row.status.as_str() == status)
            && query
                .person
                .as_ref()
                .is_none_or(|person| !life::standing(row, directory, person, now).gates.is_empty())
            && may_see(op, row, directory, now)
    };
    let rows = directory.approvals.iter().filter(|(_id, row)| wanted(row));
    let rows = rows.map(|(id, row)| (id.clone(), row)).collect();
    page(rows, query.cursor.as_deref(), query.limit, op.plane.limits.page_size_max, |row| summary(row))
}

/// One approval, over ones too.
///
/// # Errors
/// When the operator may not, or nobody knows it.
pub async fn show(op: &Op, id: &str) -> Result<ApprovalView, ControlError> {
    op.authorize(Action::ApprovalRead)?;
    let row = find(op, id).await?;
    view_of(op, &row).await
}

/// How a person stands to an approval, in words.
///
/// # Errors
/// When the operator may not, or nobody knows it.
pub async fn eligible(op: &Op, id: &str, person: &Name) -> Result<EligibleView, ControlError> {
    op.authorize(Action::ApprovalRead)?;
    let row = find(op, id).await?;
    let stands = life::standing(&row, &op.plane.replica.latest().directory, person, op.plane.now());
    Ok(EligibleView {
        person: person.clone(),
        gates: stands.gates.keys().cloned().collect(),
        on_behalf_of: stands.on_behalf_of(),
        why_not: stands.not,
    })
}

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
    let authorised = op.authorize(Action::ApprovalAnswer)?;
    let ballot = ballot(op, answer.person, answer.reason, yes, answer.break_glass)?;
    let word = if yes { "approved" } else { "refused" };
    let why = why(&ballot, word);
    let (_seq, row) = authorised
        .change(&[ObjectKey::approval(id)], &why, |seen| {
            let row = waiting(op, seen.directory, id)?;
            if answer.action.as_ref().is_some_and(|saw| *saw != row.action.to_string()) {
                return Err(ControlError::conflict(
                    "this approval is of another action than the one you saw",
                )
                .cure("show it again, then decide again"));
            }
            let voted = life::vote(&row, seen.directory, ballot.clone(), op.plane.now())?;
            let drafts = vec![Draft::Put(Object::Approval(Box::new(voted.clone())))];
            Ok(Change { drafts, what: format!("{id} {word}"), answer: voted })
        })
        .await?;
    view_of(op, &row).await
}

/// Changes the arguments and says yes to those. The agent is told; nothing runs with arguments it did not send.
///
/// # Errors
/// As [`approve`]; or when the call with those arguments could not be allowed either.
pub async fn edit(op: &Op, id: &str, wanted: ApprovalEdit) -> Result<ApprovalView, ControlError> {
    let authorised = op.authorize(Action::ApprovalAnswer)?;
    let ballot = ballot(op, wanted.person, wanted.reason, true, false)?;
    let row = find(op, id).await?;
    let state = op.plane.store.task_state(row.task).await?;
    let action = provost_domain::Action {
        agent: row.agent.clone(),
        task: row.task,
        system: row.system.clone(),
        tool: row.tool.clone(),
        args: wanted.args.clone(),
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
    let keys = [ObjectKey::approval(id), ObjectKey::approval(&approval_id(&digest, nth))];
    let (_seq, edited) = authorised
        .change(&keys, &why(&ballot, "edited"), |seen| {
            let row = waiting(op, seen.directory, id)?;
            let gates = gates_of(op, &row, &wanted.args, &state)?;
            let (original, edited) = life::edit(
                &row,
                seen.directory,
                (wanted.args.clone(), gates),
                (ballot.clone(), nth),
                op.plane.now(),
            )?;
            let drafts = [original, edited.clone()].map(|row| Draft::Put(Object::Approval(Box::new(row))));
            let what = format!("{id} edited into {}", edited.id);
            Ok(Change { drafts: drafts.into(), what, answer: edited })
        })
        .await?;
    view_of(op, &edited).await
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
            let drafts = vec![Draft::Put(Object::Approval(Box::new(over.clone())))];
            Ok(Change { drafts, what: format!("{id} withdrawn"), answer: over })
        })
        .await?;
    view_of(op, &row).await
}

/// Grants constraints instead of the one action: so many calls like it, for so long.
///
/// # Errors
/// As [`approve`]; when the person alone cannot open every gate, or a limit cannot be used.
pub async fn grant_envelope(op: &Op, id: &str, wanted: EnvelopeGrant) -> Result<EnvelopeView, ControlError> {
    let authorised = op.authorize(Action::ApprovalAnswer)?;
    let ballot = ballot(op, wanted.person, Some(wanted.reason), true, false)?;
    let asked = find(op, id).await?;
    let envelope_id = format!("envelope_{}", hex::encode(op.plane.random::<12>()));
    let keys = [ObjectKey::approval(id), ObjectKey::envelope(&asked.agent, &envelope_id)];
    let (_seq, envelope) = authorised
        .change(&keys, &why(&ballot, "granted an envelope"), |seen| {
            let row = waiting(op, seen.directory, id)?;
            check_limits(&row, &wanted.args, seen.directory)?;
            if let Some(sum) = &wanted.sum
                && Pdp::amount(&row.args, &sum.arg).is_none()
            {
                return Err(ControlError::caller(format!("`{}` is no number that could be summed", sum.arg))
                    .cure("name a number argument of the call that was asked for"));
            }
            let limits = Wanted {
                id: envelope_id.clone(),
                in_task: !wanted.every_task,
                args: wanted.args.clone(),
                count_max: wanted.count,
                sum: wanted.sum.clone(),
                lasts: wanted.lasts.0,
            };
            let now = op.plane.now();
            let envelope = life::envelope(&row, seen.directory, limits, ballot.clone(), now)?;
            let over = life::withdraw(&row, &format!("answered with {envelope_id}"), now);
            let drafts = over.into_iter().map(|row| Draft::Put(Object::Approval(Box::new(row))));
            let drafts = drafts.chain([Draft::Put(Object::Envelope(Box::new(envelope.clone())))]).collect();
            Ok(Change { drafts, what: format!("{envelope_id} granted on {id}"), answer: envelope })
        })
        .await?;
    envelope_view(op, &envelope).await
}

/// Open envelopes, in order of agent and id.
///
/// # Errors
/// When the operator may not, or the cursor is not one of ours.
pub async fn envelopes(op: &Op, query: ApprovalQuery) -> Result<Page<EnvelopeView>, ControlError> {
    op.authorize(Action::ApprovalRead)?;
    let view = op.plane.replica.latest();
    let wanted = |row: &Envelope| query.agent.as_ref().is_none_or(|agent| row.agent == *agent);
    let rows = view.directory.envelopes.values().filter(|row| wanted(row));
    let rows = rows.map(|row| (format!("{}/{}", row.agent, row.id), row)).collect();
    let most = op.plane.limits.page_size_max;
    let page = page(rows, query.cursor.as_deref(), query.limit, most, |row| row)?;
    let mut items = Vec::with_capacity(page.items.len());
    for row in page.items {
        items.push(envelope_view(op, row).await?);
    }
    Ok(Page { items, next: page.next })
}

/// Takes an envelope back: what is left of it is gone.
///
/// # Errors
/// When the operator may not, or nobody knows the envelope, or it is over.
pub async fn revoke_envelope(op: &Op, id: &str, why: &str) -> Result<EnvelopeView, ControlError> {
    let authorised = op.authorize(Action::EnvelopeRevoke)?;
    let open = |directory: &Directory| {
        directory.envelopes.values().find(|row| row.id == id).map(|row| row.as_ref().clone())
    };
    let unknown = || ControlError::unknown("open envelope", id);
    let known = open(&op.plane.replica.latest().directory).ok_or_else(unknown)?;
    let (_seq, row) = authorised
        .change(&[ObjectKey::envelope(&known.agent, id)], why, |seen| {
            let row = open(seen.directory).ok_or_else(unknown)?;
            if let Operator::Person(person, _) = &op.subject
                && row.by != *person
                && !answers_for(person, &row.agent, seen.directory)
            {
                return Err(ControlError::refused(format!(
                    "{person} neither granted {id} nor answers for it"
                )));
            }
            let (at, by) = (op.plane.now(), op.subject.to_string());
            let row = Envelope { status: EnvelopeStatus::Revoked { at, by, why: why.to_owned() }, ..row };
            let drafts = vec![Draft::Put(Object::Envelope(Box::new(row.clone())))];
            Ok(Change { drafts, what: format!("{id} revoked"), answer: row })
        })
        .await?;
    envelope_view(op, &row).await
}

/// Says who stands in for a person, and until when; or that nobody does any more.
///
/// # Errors
/// When the operator may not, or one of the two is nobody who is here.
pub async fn away(op: &Op, name: &Name, wanted: AwaySet) -> Result<(), ControlError> {
    let authorised = op.authorize(Action::PersonAway)?;
    if let Operator::Person(person, _) = &op.subject
        && person != name
    {
        return Err(ControlError::refused(format!("{person} says who stands in for themselves only")));
    }
    let key = ObjectKey::new(Kind::Person, name.as_str());
    authorised
        .change(&[key], &wanted.reason, |seen| {
            let here = |name: &Name| seen.directory.people.get(name).filter(|person| person.active);
            let person = here(name).ok_or_else(|| ControlError::unknown("person", name.as_str()))?;
            let away = match (&wanted.to, wanted.lasts) {
                (None, _) => None,
                (Some(_), None) => {
                    return Err(ControlError::caller("say for how long, such as 5d"));
                }
                (Some(to), Some(lasts)) => {
                    here(to).ok_or_else(|| ControlError::unknown("person", to.as_str()))?;
                    if to == name {
                        return Err(ControlError::caller("nobody stands in for themselves"));
                    }
                    Some(Away { until: op.plane.now().plus(lasts.0), to: to.clone() })
                }
            };
            let what = match &away {
                Some(away) => format!("{} stands in for {name}", away.to),
                None => format!("{name} is back"),
            };
            let mut person = person.as_ref().clone();
            person.away = away;
            Ok(Change { drafts: vec![Draft::Put(Object::Person(person))], what, answer: () })
        })
        .await
        .map(drop)
}

/// What housekeeping does: approvals whose time or task is over, and those whose use a crash left unmarked. Nothing here is
/// needed for a refusal.
pub(crate) async fn settle(op: &Op) -> Result<(), ControlError> {
    let authorised = op.authorize(Action::ApprovalSettle)?;
    let (view, plane) = (op.plane.replica.latest(), &op.plane);
    let now = plane.now();
    for row in view.directory.approvals.values() {
        let Some((next, why)) = settled(plane, row, &view.directory, now).await? else { continue };
        let id = row.id.as_str();
        authorised
            .change(&[ObjectKey::approval(id)], why, |seen| {
                let same = seen.directory.approvals.get(id).is_some_and(|known| known == row);
                let draft = same.then(|| Draft::Put(Object::Approval(Box::new(next.clone()))));
                Ok(Change { drafts: draft.into_iter().collect(), what: format!("{id} settled"), answer: () })
            })
            .await?;
    }
    for row in view.directory.envelopes.values().filter(|row| now >= row.until) {
        let over = Envelope { status: EnvelopeStatus::Expired { at: now }, ..row.as_ref().clone() };
        authorised
            .change(&[ObjectKey::envelope(&row.agent, &row.id)], "its time is over", |seen| {
                let key = (row.agent.clone(), row.id.clone());
                let same = seen.directory.envelopes.get(&key).is_some_and(|known| known == row);
                let draft = same.then(|| Draft::Put(Object::Envelope(Box::new(over.clone()))));
                Ok(Change { drafts: draft.into_iter().collect(), what: "expired".to_owned(), answer: () })
            })
            .await?;
    }
    Ok(())
}

async fn settled(
    plane: &Plane,
    row: &Approval,
    directory: &Directory,
    now: Timestamp,
) -> Result<Option<(Approval, &'static str)>, ControlError> {
    if matches!(row.status, ApprovalStatus::Granted { .. }) {
        let key = WindowKey { key: row.charge_key(), window: USE_WINDOW, max: 1 };
        let balances = plane.store.balances(&[key], now).await?;
        if balances.iter().any(|balance| balance.used > 0) {
            let by = provost_store::approval_used_by(plane.store.as_ref(), row).await?;
            return Ok(life::used(row, by, now).map(|row| (row, "its use is on record")));
        }
    }
    if !directory.tasks.get(&row.task).is_some_and(|task| task.is_live(now)) {
        return Ok(life::withdraw(row, "its task has ended", now).map(|row| (row, "its task has ended")));
    }
    Ok(life::expire(row, now).map(|row| (row, "nobody answered or used it in time")))
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

fn check_limits(
    row: &Approval,
    args: &std::collections::BTreeMap<String, provost_domain::charter::ArgRule>,
    directory: &Directory,
) -> Result<(), ControlError> {
    let part = TaskScope {
        system: row.system.clone(),
        tools: std::sync::Arc::new([row.tool.clone()]),
        args: args.clone(),
    };
    let faults = provost_policy::check_scope(directory, &[part]);
    let Some(first) = faults.first() else { return Ok(()) };
    let cure = first.help.clone().unwrap_or_else(|| "change or leave out the limit".to_owned());
    Err(ControlError::caller(format!("{}: {}", first.path, first.message)).cure(cure))
}

/// Who answers, and how the plane knows.
fn ballot(
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
    Ok(Ballot { person, yes, reason, shown_by, break_glass })
}

fn why(ballot: &Ballot, word: &str) -> String {
    let reason = ballot.reason.as_deref().map(str::trim).filter(|text| !text.is_empty());
    let reason: String = reason.unwrap_or("no reason was given").chars().take(WHY_CHARS_MAX).collect();
    format!("{word} by {} ({}): {reason}", ballot.person, ballot.shown_by)
}

/// An approval that something can still come of, that the operator may know of.
fn waiting(op: &Op, directory: &Directory, id: &str) -> Result<Approval, ControlError> {
    let row = directory.approvals.get(id).filter(|row| may_see(op, row, directory, op.plane.now()));
    row.map(|row| row.as_ref().clone()).ok_or_else(|| {
        ControlError::conflict(format!("{id} does not wait for an answer"))
            .because("it was answered, used or missed, or there is no such approval")
            .cure(format!("look at it with `provost approvals show {id}`"))
    })
}

/// An approval, over ones too.
async fn find(op: &Op, id: &str) -> Result<Approval, ControlError> {
    let unknown = || ControlError::unknown("approval", id);
    let found = provost_store::approval(op.plane.store.as_ref(), id).await?;
    let (_version, row) = found.ok_or_else(unknown)?;
    let view = op.plane.replica.latest();
    if may_see(op, &row, &view.directory, op.plane.now()) { Ok(row) } else { Err(unknown()) }
}

/// People see what they may answer, what they asked for, what they answer for, and what their roles show them.
fn may_see(op: &Op, row: &Approval, directory: &Directory, now: Timestamp) -> bool {
    let Operator::Person(person, roles) = &op.subject else { return true };
    !roles.is_empty()
        || row.askers.contains(person)
        || answers_for(person, &row.agent, directory)
        || !life::standing(row, directory, person, now).gates.is_empty()
}

fn check_say(op: &Op, row: &Approval, directory: &Directory) -> Result<(), ControlError> {
    let Operator::Person(person, _) = &op.subject else { return Ok(()) };
    let voted = row.votes.iter().any(|vote| vote.person == *person);
    if voted || row.askers.contains(person) || answers_for(person, &row.agent, directory) {
        return Ok(());
    }
    Err(ControlError::refused(format!("{person} neither approved nor asked for {}", row.id)))
}

fn answers_for(person: &Name, agent: &Name, directory: &Directory) -> bool {
    directory
        .agents
        .get(agent)
        .is_some_and(|agent| agent.charter.owner == *person || agent.charter.deputies.contains(person))
}

fn summary(row: &Approval) -> ApprovalSummary {
    let until = match row.status {
        ApprovalStatus::Granted { until, .. } => until,
        _ => row.expires,
    };
    ApprovalSummary {
        id: row.id.clone(),
        agent: row.agent.clone(),
        task: row.task,
        purpose: row.purpose.clone(),
        tool: tool_path(&row.system, &row.tool),
        args: row.args.clone(),
        gates: row.gates.iter().cloned().collect(),
        status: row.status.as_str().to_owned(),
        asked: row.asked.into(),
        until: until.into(),
    }
}

async fn view_of(op: &Op, row: &Approval) -> Result<ApprovalView, ControlError> {
    let plane = &op.plane;
    let (view, now) = (plane.replica.latest(), plane.now());
    let waits = row.status == ApprovalStatus::Waiting;
    let missing = life::missing(row, &view.directory).into_iter().filter(|_gate| waits);
    let missing = missing.map(|(gate, more)| {
        let approvers = life::approvers(row, &view.directory, &gate, now);
        MissingView { gate, more, approvers }
    });
    let (used_by, edited_to) = match &row.status {
        ApprovalStatus::Used { decision, .. } => (*decision, None),
        ApprovalStatus::Edited { to, .. } => (None, Some(to.clone())),
        _ => (None, None),
    };
    let key = ObjectKey::approval(&row.id);
    Ok(ApprovalView {
        summary: summary(row),
        action: row.action.to_string(),
        reasons: row.reasons.clone(),
        revision: row.bound.revision,
        pin: row.bound.pin.to_string(),
        policies: row.bound.policies.to_string(),
        decision: row.decision,
        used_by,
        askers: row.askers.iter().cloned().collect(),
        votes: row.votes.iter().map(vote_view).collect(),
        missing: missing.collect(),
        edited_from: row.edited_from.clone(),
        edited_to,
        before: before(op, row).await?,
        history: diff::history(plane.store.history(&key, HISTORY_MAX).await?),
    })
}

/// What became of the same action before: an approver should see that it was done already.
async fn before(op: &Op, row: &Approval) -> Result<Vec<String>, ControlError> {
    let mut before = Vec::new();
    for nth in 0..BEFORE_MAX {
        let id = approval_id(&row.action, nth);
        if id == row.id {
            break;
        }
        let Some((_version, earlier)) = provost_store::approval(op.plane.store.as_ref(), &id).await? else {
            break;
        };
        before.push(format!("{id} {}", earlier.status.as_str()));
    }
    Ok(before)
}

fn vote_view(vote: &Vote) -> VoteView {
    VoteView {
        person: vote.person.clone(),
        yes: vote.yes,
        gates: vote.gates.iter().cloned().collect(),
        at: vote.at.into(),
        reason: vote.reason.clone(),
        on_behalf_of: vote.on_behalf_of.clone(),
        shown_by: vote.shown_by.clone(),
        break_glass: vote.break_glass,
    }
}

async fn envelope_view(op: &Op, row: &Envelope) -> Result<EnvelopeView, ControlError> {
    let window = |key: String, max: i64| WindowKey { key, window: USE_WINDOW, max };
    let count = window(row.count_key(), i64::from(row.count_max));
    let sum = row.sum.as_ref().map(|sum| window(row.sum_key(), sum.max.units()));
    let keys: Vec<WindowKey> = [count].into_iter().chain(sum).collect();
    let balances = op.plane.store.balances(&keys, op.plane.now()).await?;
    Ok(EnvelopeView {
        id: row.id.clone(),
        agent: row.agent.clone(),
        task: row.task,
        tool: tool_path(&row.system, &row.tool),
        args: row.args.clone(),
        balances: balances.iter().map(|balance| balance_view(row, balance)).collect(),
        gates: row.gates.iter().cloned().collect(),
        by: row.by.clone(),
        why: row.why.clone(),
        approval: row.approval.clone(),
        granted: row.granted.into(),
        until: row.until.into(),
        status: row.status.as_str().to_owned(),
    })
}

fn balance_view(row: &Envelope, balance: &Balance) -> BalanceView {
    let view = crate::task::balance(balance);
    let budget = match &row.sum {
        Some(sum) if balance.window.key == row.sum_key() => format!("sum of {}", sum.arg),
        _ => "calls".to_owned(),
    };
    BalanceView { budget, window: row.until.since(row.granted).into(), ..view }
}

impl From<VoteError> for ControlError {
    fn from(error: VoteError) -> Self {
        let text = error.to_string();
        match error {
            VoteError::NotWaiting { .. }
            | VoteError::Late(_)
            | VoteError::TaskEnded(_)
            | VoteError::CharterChanged(_) => Self::conflict(text),
            VoteError::NotEligible(_)
            | VoteError::NotAdministrator(_)
            | VoteError::OwnRequest(_)
            | VoteError::NotAlone(_) => {
                Self::refused(text).cure("`provost approvals show` names those who may")
            }
            VoteError::ReasonMissing
            | VoteError::ReasonTooLong
            | VoteError::NothingEdited
            | VoteError::Unbounded => Self::caller(text),
        }
    }
}

const HISTORY_MAX: usize = 100;
const WHY_CHARS_MAX: usize = 240;
const BEFORE_MAX: u32 = 20;
