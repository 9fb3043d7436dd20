//! A call of a client that listens, held open while people think: it says for whom it waits, and when they have answered it is
//! decided again and runs once, its result on the same stream. A client that is gone makes nothing run.

use super::{
    exchange::{Exchange, Source, Step, id_value},
    front::{Front, Inbound},
    replay::Track,
};
use crate::{
    act::Work,
    approval::{Heard, Held, Uses, Wait},
    identify,
    refusal::Refusal,
};
use axum::http::HeaderMap;
use provost_domain::approval::ApprovalStatus;
use provost_mcp::{Request, Revision, message::write_notification};
use serde_json::json;
use std::sync::Arc;

/// A call that waits for people, and what it takes to make it.
pub struct HeldOpen {
    wait: Wait,
    headers: HeaderMap,
    revision: Revision,
}

impl Front {
    /// Keeps a held call open, if its client listens and there is room; gives it back otherwise.
    pub(super) fn hold_open(
        &self,
        inbound: &Inbound<'_>,
        request: &Request<'_>,
        held: Box<Held>,
    ) -> Result<Box<HeldOpen>, Box<Held>> {
        let waits = held.approval.status == ApprovalStatus::Waiting;
        if !waits || !self.listens(inbound, &request.method, &held) {
            return Err(held);
        }
        let wait = Wait::open(&self.pipeline, &inbound.caller, held)?;
        Ok(Box::new(HeldOpen { wait, headers: inbound.headers.clone(), revision: inbound.revision }))
    }
}

impl Exchange {
    /// The next step of a call that waits for people; `None` when it was made.
    pub(super) async fn hear_people(&mut self) -> Option<Step> {
        let Source::Held(held) = &mut self.source else { return None };
        let heard = held.wait.next().await;
        let heard = match heard {
            Heard::Still(words) => return self.progress_of_hold(&words).map(Step::Along),
            Heard::Stopped(why) => Err(Refusal::Cut(why)),
            Heard::Enough => self.told_to_come_back().await,
            Heard::Moved => self.make_now().await,
        };
        let refusal = heard.err()?;
        self.front.pipeline.metrics.refused(&refusal);
        Some(self.refused(&refusal))
    }

    /// Decides again, and makes the call if that is an allow now; otherwise says why not, or goes on waiting.
    async fn make_now(&mut self) -> Result<(), Refusal> {
        let Source::Held(held) = &self.source else { return Ok(()) };
        let (wait, pipeline) = (&held.wait, Arc::clone(&self.front.pipeline));
        let stands = pipeline.standing(wait.held()).await?;
        if !matches!(stands.approval.status, ApprovalStatus::Granted { .. } | ApprovalStatus::Waiting) {
            return Err(Refusal::Held(Box::new(stands)));
        }
        if let Some(track) = &self.track
            && !somebody_listens(track, wait, &pipeline).await
        {
            return Err(Refusal::Held(Box::new(stands)));
        }
        match self.decide_again().await {
            Ok(()) => Ok(()),
            Err(Refusal::Held(again)) if again.approval.status == ApprovalStatus::Waiting => {
                if let Source::Held(held) = std::mem::replace(&mut self.source, Source::Ended) {
                    let HeldOpen { wait, headers, revision } = *held;
                    self.source =
                        Source::Held(Box::new(HeldOpen { wait: wait.on(again), headers, revision }));
                }
                Ok(())
            }
            Err(refusal) => Err(refusal),
        }
    }

    /// From the bytes that came in, on what is true now: caller, system, definition, policies, budgets.
    async fn decide_again(&mut self) -> Result<(), Refusal> {
        let Source::Held(held) = &self.source else { return Ok(()) };
        let (front, pipeline) = (Arc::clone(&self.front), Arc::clone(&self.front.pipeline));
        let view = pipeline.replica.fresh(pipeline.limits.staleness_max)?;
        let caller = identify::again(held.wait.caller(), &view, pipeline.now())?;
        let system = super::front::reachable(&view, &caller, self.upstream.system().as_str())?;
        let inbound = Inbound {
            view,
            caller,
            system: Some(Arc::clone(&system)),
            headers: &held.headers,
            body: self.body.clone(),
            revision: held.revision,
            can: super::wait::Can::default(),
            uses: Uses::Any,
        };
        let request = self.request(front.limits())?;
        let profile = front.profile(&request, &self.client);
        let upstream = front.connections.open(&system, &inbound.caller, &profile).await?;
        let place = front.places.take(inbound.caller.task.id)?;
        let (outgoing, mut headers) = front.outgoing(&request, &self.client, &upstream).await?;
        let (attempt, definition) = front.attempt(&inbound, &system, &upstream, &request).await?;
        headers.extend(front.mirrored(&inbound, definition.as_deref(), &attempt)?);
        let work =
            Work { upstream: Arc::clone(&upstream), request: outgoing, headers: headers.clone(), place };
        // Once begun it goes on by itself: what is on record as allowed gets its outcome although the client hangs up.
        let made = tokio::spawn(async move { pipeline.call(attempt, work).await }).await;
        let running = made.map_err(|error| Refusal::internal(error.to_string()))??;
        self.upstream = upstream;
        self.headers = headers;
        self.source = Source::Call(Box::new(running));
        Ok(())
    }

    /// The bound of holding open: what everybody else is told.
    async fn told_to_come_back(&self) -> Result<(), Refusal> {
        let Source::Held(held) = &self.source else { return Ok(()) };
        let stands = self.front.pipeline.standing(held.wait.held()).await?;
        Err(Refusal::Held(Box::new(stands)))
    }

    /// For whom it waits, as progress of the client's own request. It leaves room for the progress of the call itself, which
    /// must not go backwards.
    fn progress_of_hold(&mut self, words: &str) -> Option<String> {
        let token = self.progress_token()?;
        let progress = self.progressed.unwrap_or(0.0) + PROGRESS_STEP;
        self.progressed = Some(progress);
        let params = json!({"progressToken": id_value(&token), "progress": progress, "message": words});
        Some(write_notification("notifications/progress", &params))
    }
}

/// Waits until a client with a session reads its stream, or the bound is reached: nothing runs for nobody.
async fn somebody_listens(track: &Track, wait: &Wait, pipeline: &crate::pipeline::Pipeline) -> bool {
    let left = wait.until().since(pipeline.now()).to_std();
    tokio::time::timeout(left, track.listened()).await.is_ok()
}

/// Whether progress of the call itself says anything after that of the hold.
pub(super) fn goes_on(progressed: Option<f64>, reported: Option<f64>) -> bool {
    match (progressed, reported) {
        (Some(ours), Some(theirs)) => theirs > ours,
        _ => true,
    }
}

const PROGRESS_STEP: f64 = 0.001;
