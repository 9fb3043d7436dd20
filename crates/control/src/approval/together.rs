//! Several approvals that are alike: shown in one table where every difference stands, answered one by one or together.

use super::{
    answer::{ballot, said},
    is_wanted,
    pace::Given,
    view::view_of,
};
use crate::{Action, ControlError, Op};
use provost_api::{
    Page,
    approval::{
        AlikeRow, AlikeView, Answered, AnsweredView, ApprovalAnswers, ApprovalQuery, ApprovalsAnswered,
    },
};
use provost_domain::{Approval, approval::ApprovalStatus, decision::tool_path};
use provost_lifecycle::alike;
use serde_json::Value;
use std::collections::BTreeSet;

/// What waits, like with like, in the order they were asked for: of the first 500.
///
/// # Errors
/// When the operator may not.
pub async fn groups(op: &Op, query: ApprovalQuery) -> Result<Page<AlikeView>, ControlError> {
    op.authorize(Action::ApprovalRead)?;
    op.plane.replica.catch_up().await?;
    let view = op.plane.replica.latest();
    let (directory, now) = (&view.directory, op.plane.now());
    let waits =
        |row: &&Approval| row.status == ApprovalStatus::Waiting && is_wanted(op, &query, row, directory, now);
    let mut rows: Vec<&Approval> = directory.approvals.values().map(AsRef::as_ref).filter(waits).collect();
    rows.sort_by_key(|row| (row.asked, &row.id));
    rows.truncate(op.plane.limits.page_size_max);
    Ok(Page { items: alike::groups(rows).iter().filter_map(group_view).collect(), next: None })
}

/// Answers several in one confirmation. Each is a vote of its own on an action of its own, and what does not work of one stands
/// in no other's way.
///
/// # Errors
/// When the operator may not answer at all, or they are none, too many, or named twice.
pub async fn answer_all(op: &Op, wanted: ApprovalAnswers) -> Result<ApprovalsAnswered, ControlError> {
    op.authorize(Action::ApprovalAnswer)?;
    let distinct: BTreeSet<&str> = wanted.these.iter().map(|one| one.id.as_str()).collect();
    if distinct.len() != wanted.these.len() || !(1..=alike::ROWS_MAX).contains(&distinct.len()) {
        let text = format!("name from 1 to {} approvals, none of them twice", alike::ROWS_MAX);
        return Err(ControlError::caller(text));
    }
    let ballot = ballot(op, wanted.person, wanted.reason, wanted.yes, false)?;
    op.plane.replica.catch_up().await?;
    let view = op.plane.replica.latest();
    let known = distinct.iter().filter_map(|id| view.directory.approvals.get(*id).map(AsRef::as_ref));
    let rows: Vec<&Approval> = known.collect();
    let given = Given::now(op, &ballot.person, wanted.sure).await?;
    let given = match rows.iter().map(|row| row.asked).min() {
        Some(asked) => given.together(asked, alike::shown_chars(&rows)),
        None => given,
    };
    given.check(wanted.yes)?;
    let mut items = Vec::with_capacity(wanted.these.len());
    for Answered { id, action } in wanted.these {
        let told = match said(op, &id, Some(&action), ballot.clone(), &given).await {
            Ok(row) => view_of(op, &row).await,
            Err(error) => Err(error),
        };
        items.push(match told {
            Ok(approval) => AnsweredView { id, approval: Some(approval), fault: None },
            Err(error) => AnsweredView { id, approval: None, fault: Some(in_words(&error)) },
        });
    }
    Ok(ApprovalsAnswered { items })
}

fn in_words(error: &ControlError) -> String {
    let text = error.text();
    let parts = [Some(&text.what), text.because.as_ref(), text.cure.as_ref()];
    parts.into_iter().flatten().cloned().collect::<Vec<_>>().join("; ")
}

fn group_view(group: &alike::Group<'_>) -> Option<AlikeView> {
    let own = |row: &Approval| {
        let own = row.args.iter().filter(|(name, _value)| group.differing.contains(*name));
        own.map(|(name, value): (&String, &Value)| (name.clone(), value.clone())).collect()
    };
    let row = |row: &&Approval| AlikeRow {
        id: row.id.clone(),
        action: row.action.to_string(),
        task: row.task,
        purpose: row.purpose.clone(),
        asked: row.asked.into(),
        until: row.expires.into(),
        args: own(row),
    };
    let first = group.rows.first()?;
    Some(AlikeView {
        agent: first.agent.clone(),
        tool: tool_path(&first.system, &first.tool),
        gates: first.gates.iter().cloned().collect(),
        reasons: first.reasons.clone(),
        common: group.common.clone(),
        differing: group.differing.iter().cloned().collect(),
        rows: group.rows.iter().map(row).collect(),
    })
}
