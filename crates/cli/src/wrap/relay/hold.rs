//! A held call of a client that listens stays open while people think: it hears for whom it waits, and after their answer the
//! plane is asked again. A client that cancels makes nothing run.

use super::{NoGo, Relay};
use crate::wrap::plane::Trouble;
use provost_mcp::{Request, message::write_notification};
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How one call has been held so far.
#[derive(Default)]
pub(super) struct Hold {
    /// Until when it stays open, once it was held.
    until: Option<Instant>,
    steps: u32,
    said: Option<(String, Instant)>,
}

impl Relay {
    /// Waits for people: `true` when something moved, so that the plane is to be asked again; `false` when it was held open for
    /// as long as it may be.
    pub(super) async fn hear_people(
        &self,
        request: &Request<'_>,
        hold: &mut Hold,
        (approval, open, message): (&str, Duration, String),
        cancelled: &CancellationToken,
    ) -> Result<bool, NoGo> {
        let until = *hold.until.get_or_insert_with(|| Instant::now() + open);
        let mut message = message;
        loop {
            self.say_progress(request, hold, &message).await;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            let asking = self.plane.stands(approval, left.min(PATIENCE));
            let stands = tokio::select! {
                biased;
                () = self.stop.cancelled() => {
                    let why = self.stopped.get().cloned();
                    return Err(NoGo::Refused(why.unwrap_or_else(|| "the wrapper is ending".to_owned())));
                }
                () = cancelled.cancelled() => return Err(NoGo::Cancelled),
                stands = asking => stands,
            };
            match stands {
                Ok(stands) if stands.status != "waiting" => return Ok(true),
                Ok(stands) => message = stands.message,
                Err(Trouble::Refused(_)) => tokio::time::sleep(left.min(AGAIN_AFTER)).await,
                Err(stopped) => return Err(self.refused(stopped)),
            }
        }
    }

    /// For whom it waits, when that is new or was not said for a while; it leaves room for the progress of the call itself.
    async fn say_progress(&self, request: &Request<'_>, hold: &mut Hold, message: &str) {
        let silent = |at: &Instant| at.elapsed() >= SPEAK_EVERY;
        if hold.said.as_ref().is_some_and(|(said, at)| said == message && !silent(at)) {
            return;
        }
        hold.said = Some((message.to_owned(), Instant::now()));
        hold.steps = hold.steps.saturating_add(1);
        let token =
            request.meta().and_then(|meta| meta.get("progressToken")).and_then(|raw| raw.to_value().ok());
        let progress = f64::from(hold.steps) * PROGRESS_STEP;
        let params = json!({"progressToken": token, "progress": progress, "message": message});
        self.tell_client(write_notification("notifications/progress", &params)).await;
    }
}

const PROGRESS_STEP: f64 = 0.001;
/// The plane answers by then whatever happens, and well within the time a question may take.
const PATIENCE: Duration = Duration::from_secs(5);
const AGAIN_AFTER: Duration = Duration::from_secs(1);
const SPEAK_EVERY: Duration = Duration::from_secs(15);
