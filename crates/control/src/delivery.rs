//! Deliveries, to look at and to try again.

use crate::{Action, ControlError, Op, diff, outbox::put, page::page, reason::reason};
use provost_api::{
    Page,
    delivery::{DeliveryQuery, DeliverySummary, DeliveryView},
};
use provost_domain::{Delivery, Object, ObjectKey, delivery::DeliveryState};
use provost_lifecycle::delivery as life;
use std::{collections::BTreeMap, sync::Arc};

/// What is due, and what is over as far back as this node remembers, newest first.
///
/// # Errors
/// When the operator may not, or the cursor is not one of ours.
pub async fn list(op: &Op, query: DeliveryQuery) -> Result<Page<DeliverySummary>, ControlError> {
    op.authorize(Action::DeliveryRead)?;
    let view = op.plane.replica.latest();
    let mut rows: BTreeMap<String, Arc<Delivery>> =
        op.plane.outbox.all().into_iter().map(|row| (row.id.clone(), row)).collect();
    rows.extend(view.directory.deliveries.iter().map(|(id, row)| (id.clone(), Arc::clone(row))));
    let wanted = |row: &Delivery| {
        query.state.as_ref().is_none_or(|state| row.state.as_str() == state)
            && query.lane.as_ref().is_none_or(|lane| row.lane.starts_with(lane.as_str()))
            && query
                .about
                .as_ref()
                .is_none_or(|about| row.about.as_ref().is_some_and(|key| key.key == *about))
    };
    // What came to be owed last stands first.
    let key =
        |row: &Delivery| format!("{:016x} {}", i64::MAX.saturating_sub(row.created.as_millis()), row.id);
    let rows = rows.into_values().filter(|row| wanted(row)).map(|row| (key(&row), row)).collect();
    page(rows, query.cursor.as_deref(), query.limit, op.plane.limits.page_size_max, |row| summary(&row))
}

/// One delivery, over ones too.
///
/// # Errors
/// When the operator may not, nobody knows it, or the store fails.
pub async fn show(op: &Op, id: &str) -> Result<DeliveryView, ControlError> {
    op.authorize(Action::DeliveryRead)?;
    find(op, id).await
}

/// Tries once more what was given up.
///
/// # Errors
/// When the operator may not, nobody knows it, or it was not given up.
pub async fn retry(op: &Op, id: &str, why: &str) -> Result<DeliveryView, ControlError> {
    let authorised = op.authorize(Action::DeliveryRetry)?;
    let why = reason(why)?;
    let key = ObjectKey::delivery(id);
    // The version first: a row that moves in between is newer than its version, and conflicts.
    let versions = authorised.versions(std::slice::from_ref(&key)).await?;
    let row = stored(op, id).await?;
    let again = life::again(&row, op.plane.now());
    let again = again.ok_or_else(|| {
        ControlError::conflict(format!("{id} was not given up: it is {}", row.state.as_str()))
    })?;
    let seq = authorised.commit(vec![put(again)], &versions, &format!("{id} is tried again"), why).await?;
    authorised.bind(seq).await?;
    find(op, id).await
}

pub(crate) async fn find(op: &Op, id: &str) -> Result<DeliveryView, ControlError> {
    let row = stored(op, id).await?;
    let history = op.plane.store.history(&ObjectKey::delivery(id), HISTORY_MAX).await?;
    Ok(DeliveryView {
        summary: summary(&row),
        until: row.until.into(),
        payload: row.payload.clone(),
        history: diff::history(history),
    })
}

async fn stored(op: &Op, id: &str) -> Result<Delivery, ControlError> {
    let newest = op.plane.store.history(&ObjectKey::delivery(id), 1).await?.pop();
    match newest.and_then(|record| record.after) {
        Some(Object::Delivery(row)) => Ok(*row),
        _ => Err(ControlError::unknown("delivery", id)),
    }
}

fn summary(row: &Delivery) -> DeliverySummary {
    let (next, over, said) = match &row.state {
        DeliveryState::Due { next } => (Some(*next), None, row.last.clone()),
        DeliveryState::Delivered { at, receipt } => (None, Some(*at), Some(receipt.clone())),
        DeliveryState::GivenUp { at, why } | DeliveryState::Withdrawn { at, why } => {
            (None, Some(*at), Some(why.clone()))
        }
    };
    DeliverySummary {
        id: row.id.clone(),
        lane: row.lane.clone(),
        kind: row.kind.clone(),
        title: row.payload.get("title").and_then(|title| title.as_str()).unwrap_or_default().to_owned(),
        about: row.about.as_ref().map(ToString::to_string),
        state: row.state.as_str().to_owned(),
        created: row.created.into(),
        attempts: row.attempts,
        next: next.map(Into::into),
        over: over.map(Into::into),
        said,
    }
}

const HISTORY_MAX: usize = 100;
