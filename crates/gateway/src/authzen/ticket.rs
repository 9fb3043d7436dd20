//! What a request is known by: an unguessable handle, kept with whose it is and which approvals are behind it. It may be taken
//! up by any instance of the caller, is looked at again for each use, and outlives its approvals by a day, so that a late retry
//! finds it.

use super::{Answer, Asker, Authzen, access::problem, submit::Submission};
use crate::approval::when;
use provost_domain::{Approval, Digest, DurationMs, Timestamp};
use provost_lifecycle::approval as life;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// One request, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ticket {
    /// `request_` and 32 random digits.
    pub id: String,
    /// Whose it is.
    pub caller: String,
    /// What was asked for, in order.
    pub items: Vec<TicketItem>,
    /// Whether it was asked for as `items`.
    pub several: bool,
    /// From this moment on it is not shown any more.
    pub expires: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TicketItem {
    /// The plane's own approval.
    pub approval: String,
    /// As it was submitted.
    pub resource: Value,
    /// As it was submitted.
    pub action: Value,
    /// Until when the access was asked for, if that was said.
    pub until: Option<Timestamp>,
}

/// Under which handle a submission stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Submitted {
    body: Digest,
    ticket: String,
}

/// Where one item stands.
pub(super) struct Standing {
    pub status: &'static str,
    /// How its approval is used, once there was one.
    pub result: Option<Value>,
    pub row: Option<Approval>,
    /// Until when its approval is good, once there was one.
    pub until: Option<Timestamp>,
}

impl Ticket {
    pub(super) fn add(&mut self, approval: String, resource: Value, action: Value, until: Option<Timestamp>) {
        self.items.push(TicketItem { approval, resource, action, until });
    }

    /// Whether this asker may use it: every instance of the caller, and the administrator.
    pub(super) fn is_for(&self, asker: &Asker) -> bool {
        matches!(asker, Asker::Administrator) || asker.id() == self.caller
    }
}

impl Standing {
    pub(super) fn gone() -> Self {
        Self { status: "failed", result: None, row: None, until: None }
    }

    /// From the row and, if it was ever granted, from when until when.
    pub(super) fn of(
        row: Option<Approval>,
        granted: Option<(Timestamp, Timestamp)>,
        handle: &str,
        wanted: Option<Timestamp>,
        now: Timestamp,
    ) -> Self {
        let status = life::request_status(row.as_ref(), granted.is_some(), now);
        let until = granted.map(|(_at, until)| wanted.map_or(until, |wanted| until.min(wanted)));
        let result = granted.zip(until).map(|((at, _), until)| {
            let approval = json!({"id": handle, "approved_at": when(at), "approved_until": when(until)});
            json!({"mode": "reevaluate", "approval": approval})
        });
        Self { status, result, row, until }
    }
}

impl Authzen {
    /// The request that this submission made already, if it did. Another submission under its key is refused.
    pub(super) async fn known_submission(
        &self,
        caller: &str,
        key: Option<&str>,
        value: &Value,
    ) -> Result<Option<Ticket>, Answer> {
        let body = digest(value)?;
        let known: Option<Submitted> = self.kept(submission_word(caller, key, &body)).await?;
        let Some(known) = known else { return Ok(None) };
        if known.body != body {
            return Err(duplicate());
        }
        self.ticket(&known.ticket).await
    }

    /// A handle for a submission, the same one for all who bring the same at once.
    pub(super) async fn claim(
        &self,
        caller: &str,
        key: Option<&str>,
        value: &Value,
        submission: &Submission,
    ) -> Result<Ticket, Answer> {
        let (now, body) = (self.pipeline.now(), digest(value)?);
        let rules = life::rules(&self.pipeline.replica.latest().directory);
        let expires = now.plus(rules.wait).plus(rules.good_for).plus(KEPT_AFTERWARDS);
        let mine = Submitted { body, ticket: format!("request_{:032x}", rand::random::<u128>()) };
        let word = submission_word(caller, key, &body);
        let stands: Submitted = self.keep(word, &mine, expires.plus(KEPT_AFTERWARDS)).await?;
        if stands.body != body {
            return Err(duplicate());
        }
        let several = submission.several;
        Ok(Ticket { id: stands.ticket, caller: caller.to_owned(), items: Vec::new(), several, expires })
    }

    pub(super) async fn keep_ticket(&self, ticket: Ticket) -> Result<Ticket, Answer> {
        let until = ticket.expires.plus(KEPT_AFTERWARDS);
        self.keep(ticket_word(&ticket.id), &ticket, until).await
    }

    /// The request under a handle, whoever asks.
    pub(super) async fn ticket(&self, id: &str) -> Result<Option<Ticket>, Answer> {
        self.kept(ticket_word(id)).await
    }

    async fn kept<T: DeserializeOwned>(&self, word: Digest) -> Result<Option<T>, Answer> {
        let found = self.pipeline.store.kept(word, self.pipeline.now()).await;
        let found = found.map_err(|error| self.refused(&error.into()))?;
        Ok(found.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Keeps it unless another stands there; gives what stands.
    async fn keep<T: Serialize + DeserializeOwned>(
        &self,
        word: Digest,
        value: &T,
        until: Timestamp,
    ) -> Result<T, Answer> {
        let ours = |error: String| self.refused(&crate::Refusal::internal(error));
        let bytes = serde_json::to_vec(value).map_err(|error| ours(error.to_string()))?;
        let stands = self.pipeline.store.keep(word, &bytes, until, self.pipeline.now()).await;
        let stands = stands.map_err(|error| self.refused(&error.into()))?;
        serde_json::from_slice(&stands).map_err(|error| ours(error.to_string()))
    }
}

/// The opaque name of the approval of one item.
pub(super) fn handle(ticket: &str, index: usize) -> String {
    let digits = ticket.strip_prefix("request_").unwrap_or(ticket);
    format!("grant_{digits}_{index}")
}

/// The request and item that a handle is of.
pub(super) fn of_handle(handle: &str) -> Option<(String, usize)> {
    let (digits, index) = handle.strip_prefix("grant_")?.split_once('_')?;
    let good = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    good.then(|| Some((format!("request_{digits}"), index.parse().ok()?))).flatten()
}

fn duplicate() -> Answer {
    problem(409, "duplicate_request", "this idempotency key was used with another submission")
}

fn digest(value: &Value) -> Result<Digest, Answer> {
    Digest::of_json(value).map_err(|error| Answer::bad_request(error.to_string()))
}

/// A submission without a key stands under what it says.
fn submission_word(caller: &str, key: Option<&str>, body: &Digest) -> Digest {
    let what = key.map_or_else(|| format!("body {body}"), |key| format!("key {key}"));
    Digest::of(format!("arap-submission/{caller}/{what}").as_bytes())
}

fn ticket_word(id: &str) -> Digest {
    Digest::of(format!("arap-ticket/{id}").as_bytes())
}

/// How long a request is found after its approvals are over (profile: at least 24 hours), and then known to have expired.
const KEPT_AFTERWARDS: DurationMs = DurationMs::from_mins(25 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_names_its_request_and_item_and_nothing_else_does() {
        let ticket = format!("request_{}", "0a".repeat(16));
        for index in [0, 7, 12] {
            assert_eq!(of_handle(&handle(&ticket, index)), Some((ticket.clone(), index)));
        }
        for bad in
            ["", "grant_", "grant_1_0", "approval_1", "grant__0", &format!("grant_{}_x", "0a".repeat(16))]
        {
            assert_eq!(of_handle(bad), None, "{bad}");
        }
    }
}
