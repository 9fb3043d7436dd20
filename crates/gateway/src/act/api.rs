//! Acting on an HTTP API. The head of an answer says what came of it, so the outcome and the labels go on record before
//! the first byte is released; the body then streams, and is cut when a stop is ordered. For agents whose calls are traced, a
//! body that is text and not too long is read first, and what it brings goes into the task's memory (`look`).

use super::{Place, Running};
use crate::{
    decide::Attempt,
    memory,
    outcome::{Brought, Seen},
    pipeline::Pipeline,
    refusal::Refusal,
};
use bytes::Bytes;
use futures::StreamExt as _;
use provost_connect::{ApiAnswer, ApiBody, ApiRequest, Secret, UpstreamError};
use provost_domain::{Outcome, request::Method};
use provost_store::Permit;
use std::sync::Arc;

/// One request to one HTTP API, ready to be sent.
pub struct ApiWork {
    /// The request in its pieces.
    pub request: ApiRequest,
    /// The system's credential, if it wants one.
    pub secret: Option<Secret>,
    /// The caller's place among the calls at once, held until the last byte.
    pub place: Place,
}

/// Carries out a permitted request; spends the permit. Returns when the head of the answer is there and its outcome is
/// on record.
///
/// # Errors
/// [`Refusal::Cut`] when a stop was or is ordered, [`Refusal::Upstream`] and [`Refusal::Late`] when the system failed;
/// the outcome is then on record. Anything else: it could not be put on record, and the answer must not be released.
pub async fn ask_api(
    permit: Permit,
    attempt: Attempt,
    work: ApiWork,
    pipeline: &Arc<Pipeline>,
) -> Result<(Running, ApiAnswer), Refusal> {
    let mut running = Running::open(permit, attempt, work.place, pipeline);
    // A stop that was committed while the decision was being written binds here.
    running.check()?;
    running.account.sent = true;
    let (method, system) = (work.request.method, Arc::clone(&running.attempt.system));
    let asking = pipeline.upstreams.ask(&system, work.secret.as_ref(), work.request);
    let asked = tokio::select! {
        biased;
        why = running.watch.stopped() => Err(why),
        asked = asking => Ok(asked),
    };
    let answer = match asked {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => {
            let late = matches!(error, UpstreamError::TimedOut { .. });
            let text = running.failed(error).await.to_string();
            return Err(if late { Refusal::Late(text) } else { Refusal::Upstream(text) });
        }
        Err(why) => return Err(running.cut(why).await),
    };
    let (brought, answer) = match memory::is_traced(&running.attempt) {
        true => running.look_into(answer).await?,
        false => (Brought::Unseen, answer),
    };
    let seen = Seen::of_api(outcome(method, answer.status), &brought);
    running.put_on_record(&seen, &brought, None).await?;
    Ok((running, answer))
}

impl Running {
    /// The next bytes of an answer that is on record.
    ///
    /// # Errors
    /// When a stop is ordered, or the system ends its answer early; nothing more comes then.
    pub async fn chunk(&mut self, body: &mut ApiBody) -> Option<Result<Bytes, Refusal>> {
        tokio::select! {
            biased;
            why = self.watch.stopped() => Some(Err(self.cut(why).await)),
            chunk = body.next() => chunk.map(|chunk| chunk.map_err(|error| Refusal::Upstream(error.to_string()))),
        }
    }
}

/// What a status says about what was done (RFC 9110 section 15). Where it leaves open whether something was changed, so
/// does the record.
fn outcome(method: Method, status: u16) -> Outcome {
    let said = format!("the system answered with status {status}");
    match status {
        200..=299 | 303 | 304 => Outcome::Success,
        300..=399 | 500.. if !method.is_safe() => {
            Outcome::Unknown { error: format!("{said}, which does not say whether it acted") }
        }
        _ => Outcome::Failure { error: said },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_that_leaves_open_what_was_done_is_not_taken_for_an_answer() {
        for (method, status, wanted) in [
            (Method::Get, 200, "success"),
            (Method::Post, 201, "success"),
            (Method::Post, 303, "success"),
            (Method::Get, 304, "success"),
            (Method::Get, 302, "failure"),
            (Method::Post, 302, "unknown"),
            (Method::Post, 400, "failure"),
            (Method::Delete, 404, "failure"),
            (Method::Get, 500, "failure"),
            (Method::Post, 500, "unknown"),
            (Method::Put, 503, "unknown"),
        ] {
            assert_eq!(outcome(method, status).as_str(), wanted, "{method:?} {status}");
        }
    }
}
