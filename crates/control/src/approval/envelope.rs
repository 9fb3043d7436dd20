//! Envelopes: constraints instead of one exact action, that burn down and can be taken back.

use super::{
    answer::{ballot, why},
    answers_for, find,
    sign::{missing, of_envelope},
    waiting,
};
use crate::{
    Action, ControlError, Op, Operator,
    change::{Change, Draft},
    check,
    page::page,
    sign,
};
use provost_api::{
    Page,
    approval::{ApprovalQuery, EnvelopeGrant, EnvelopeView},
    task::BalanceView,
};
use provost_domain::{
    Approval, Directory, Envelope, Object, ObjectKey,
    approval::{EnvelopeStatus, USE_WINDOW},
    decision::tool_path,
    task::TaskScope,
};
use provost_lifecycle::{
    approval::{self as life, Ballot, Wanted},
    check as rules,
};
use provost_policy::Pdp;
use provost_store::{Balance, WindowKey};

/// Grants constraints instead of the one action: so many calls like it, for so long.
///
/// # Errors
/// As [`approve`]; when the person alone cannot open every gate, or a limit cannot be used.
pub async fn grant(op: &Op, id: &str, mut wanted: EnvelopeGrant) -> Result<EnvelopeView, ControlError> {
    let authorised = op.authorize(Action::ApprovalAnswer)?;
    let ballot = ballot(op, wanted.person.clone(), Some(wanted.reason.clone()), true, false)?;
    let ballot = sign::with(op, ballot, wanted.signed.take()).await?;
    let asked = find(op, id).await?;
    let envelope_id = format!("envelope_{}", hex::encode(op.plane.random::<12>()));
    let keys = [ObjectKey::approval(id), ObjectKey::envelope(&asked.agent, &envelope_id)];
    let keys: Vec<ObjectKey> = keys.into_iter().chain(sign::key(sign::by(&ballot))).collect();
    let (_seq, envelope) = authorised
        .change(&keys, &why(&ballot, "granted an envelope"), |seen| {
            let (over, envelope) = made(op, seen.directory, id, (&wanted, &envelope_id), ballot.clone())?;
            let statement = of_envelope(&envelope)?;
            let row = waiting(op, seen.directory, id)?;
            if let Some(known) = check::known(&op.plane, &row)? {
                let mut voted = life::vote(&row, seen.directory, ballot.clone(), op.plane.now())
                    .map_err(|error| missing(op, id, error))?;
                // What was signed was the envelope, which does not come to be.
                voted.votes.iter_mut().rev().take(1).for_each(|vote| vote.signature = None);
                let answered = rules::answered(voted, &known, true, op.plane.now());
                let drafts = vec![Draft::Put(Object::Approval(Box::new(answered.clone())))];
                let change = Change { drafts, what: format!("{id} answered"), answer: Err(answered) };
                return sign::concluded(op, seen, (statement, sign::by(&ballot)), change);
            }
            let drafts = over.into_iter().map(|row| Draft::Put(Object::Approval(Box::new(row))));
            let drafts = drafts.chain([Draft::Put(Object::Envelope(Box::new(envelope.clone())))]).collect();
            let change =
                Change { drafts, what: format!("{envelope_id} granted on {id}"), answer: Ok(envelope) };
            sign::concluded(op, seen, (statement, sign::by(&ballot)), change)
        })
        .await?;
    match sign::told(op, sign::by(&ballot), envelope).await? {
        Ok(envelope) => envelope_view(op, &envelope).await,
        Err(answered) => {
            check::told(op, &answered).await;
            let flaw = answered.check.as_ref().map_or("", |check| check.flaw.words());
            let what = "this was a check of the plane, and had to be refused: nothing was granted";
            Err(ControlError::refused(what)
                .because(format!("what a careful person sees: {flaw}"))
                .cure("read what would run before you say yes to it and to others like it"))
        }
    }
}

/// The approval, answered, and the envelope.
pub(super) fn made(
    op: &Op,
    directory: &Directory,
    id: &str,
    (wanted, envelope_id): (&EnvelopeGrant, &str),
    ballot: Ballot,
) -> Result<(Option<Approval>, Envelope), ControlError> {
    let row = waiting(op, directory, id)?;
    check_limits(&row, &wanted.args, directory)?;
    if let Some(sum) = &wanted.sum
        && Pdp::amount(&row.args, &sum.arg).is_none()
    {
        return Err(ControlError::caller(format!("`{}` is no number that could be summed", sum.arg))
            .cure("name a number argument of the call that was asked for"));
    }
    let limits = Wanted {
        id: envelope_id.to_owned(),
        in_task: !wanted.every_task,
        args: wanted.args.clone(),
        count_max: wanted.count,
        sum: wanted.sum.clone(),
        lasts: wanted.lasts.0,
    };
    let now = op.plane.now();
    let envelope =
        life::envelope(&row, directory, limits, ballot, now).map_err(|error| missing(op, id, error))?;
    let over = life::withdraw(&row, &format!("answered with {envelope_id}"), now);
    Ok((over, envelope))
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
pub async fn revoke(op: &Op, id: &str, why: &str) -> Result<EnvelopeView, ControlError> {
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
