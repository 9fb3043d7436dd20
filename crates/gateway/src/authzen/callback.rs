//! Where whoever asks wants to be told how it ended (ARAP, callback profile). The address has to be one that the caller's row
//! names; being told is owed from the moment the task is known, as a row like everything else that is owed, and paid by whoever
//! keeps those (`control/src/outbox/callback.rs`). It is a notification: what counts is read at the status endpoint.

use super::{
    Answer, Asker, Authzen,
    submit::{bad, ours},
    ticket::Ticket,
};
use provost_domain::{
    Delivery, DurationMs, Object, ObjectKey, Timestamp,
    callback::{KIND, Owed, lane},
    delivery::{DeliveryState, delivery_id},
};
use provost_lifecycle::{approval::ENDS, delivery::AGE_MAX};
use provost_store::{Attribution, ChangeSet, CommitError, Write};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// What was said of it.
pub(super) struct Callback {
    endpoint: String,
    state: Option<String>,
    events: BTreeSet<String>,
}

/// Reads it.
pub(super) fn read(asked: &Map<String, Value>) -> Result<Callback, Answer> {
    let endpoint = asked.get("endpoint").and_then(Value::as_str);
    let endpoint = endpoint.ok_or_else(|| bad("`callback` needs the string `endpoint`"))?.to_owned();
    let state = match asked.get("state") {
        None => None,
        Some(Value::String(state)) if state.len() <= STATE_BYTES_MAX => Some(state.clone()),
        Some(_) => {
            return Err(bad(&format!(
                "`callback.state` must be a string of at most {STATE_BYTES_MAX} bytes"
            )));
        }
    };
    let known = |event: &Value| event.as_str().filter(|event| ENDS.contains(event)).map(str::to_owned);
    let events = match asked.get("events") {
        None => Some(BTreeSet::new()),
        Some(Value::Array(events)) if events.len() <= EVENTS_MAX => events.iter().map(known).collect(),
        Some(_) => None,
    };
    let events = events.ok_or_else(|| bad(&format!("`callback.events` takes {}", ENDS.join(", "))))?;
    Ok(Callback { endpoint, state, events })
}

impl Callback {
    /// Refuses an address that the caller's row does not name.
    pub(super) fn check(&self, asker: &Asker) -> Result<(), Answer> {
        match asker {
            Asker::Workload(workload) if workload.is_told_at(&self.endpoint) => Ok(()),
            _ => Err(unregistered()),
        }
    }
}

impl Authzen {
    /// Puts on record that the caller is owed word of how a task ended. When `last` has passed it has, at the latest.
    pub(super) async fn owe_callback(
        &self,
        asker: &Asker,
        ticket: &Ticket,
        callback: &Callback,
        last: Timestamp,
    ) -> Result<(), Answer> {
        let Asker::Workload(workload) = asker else { return Err(unregistered()) };
        let now = self.pipeline.now();
        let owed = Owed {
            title: format!("{} is told how {} ended", workload.name, ticket.id),
            task: ticket.id.clone(),
            status_endpoint: format!("{}/access/v1/requests/{}", self.public_url, ticket.id),
            endpoint: callback.endpoint.clone(),
            state: callback.state.clone(),
            events: callback.events.clone(),
            approvals: ticket.items.iter().map(|item| item.approval.clone()).collect(),
        };
        let ours = |why: &str| self.refused(&crate::Refusal::internal(why.to_owned()));
        let payload = owed.payload().ok_or_else(|| ours("what is owed has no text"))?;
        let lane = lane(&workload.name, &ticket.id);
        let row = Delivery {
            id: delivery_id(KIND, &lane),
            lane,
            order: 0,
            kind: KIND.to_owned(),
            about: ticket.items.first().map(|item| ObjectKey::approval(&item.approval)),
            payload,
            only_while_waiting: false,
            followed: false,
            created: now,
            until: last.plus(AGE_MAX),
            attempts: 0,
            last: None,
            state: DeliveryState::Due { next: last.plus(A_MOMENT) },
        };
        let why = format!("{} asks to be told how {} ends", ticket.caller, ticket.id);
        let by = Attribution { actor: "plane".to_owned(), why };
        let writes = vec![Write::Put { object: Object::Delivery(Box::new(row)), expected: 0 }];
        match self.pipeline.store.commit(ChangeSet { by, at: now, writes }).await {
            // It is owed already: the same submission once more.
            Ok(_) | Err(CommitError::Conflict { .. }) => Ok(()),
            Err(CommitError::Store(error)) => Err(self.refused(&error.into())),
            Err(other) => Err(ours(&other.to_string())),
        }
    }
}

/// The profile has no word for it; it is ours.
fn unregistered() -> Answer {
    let detail = "this callback endpoint is not registered for this caller: name one that its row does, or leave `callback` out";
    ours(400, "callback-unregistered", "The callback endpoint is not registered", detail)
}

const STATE_BYTES_MAX: usize = 1_024;
const EVENTS_MAX: usize = 16;
/// After an approval ran out, so that nobody is told that it waits.
const A_MOMENT: DurationMs = DurationMs::from_secs(1);
