//! MCP over the pipes of a child process, both eras: newline-delimited JSON, one child for each caller.

mod child;
mod router;

pub(crate) use child::StdioLink;

use bytes::Bytes;
use provost_mcp::handshake::{
    Probe, discover_request, initialize_request, read_initialized, read_stdio_probe,
};
use provost_mcp::message::write_notification;
use provost_mcp::{Era, RequestId};
use std::sync::Arc;
use tokio::sync::oneshot;

use crate::call::{Call, Ending, Pen, Silence, cancellation, drive, result_of};
use crate::error::{NotSent, UpstreamError};
use crate::upstream::Handshake;
use crate::upstreams::ClientProfile;
use router::{Inbound, Inbox};

/// Drives one call to its end and tells the child if nobody waits for it any more.
pub(crate) async fn run(link: Arc<StdioLink>, call: Call, mut pen: Pen) {
    let mut inbox = match link.register(&call) {
        Ok(inbox) => inbox,
        Err(error) => return pen.finish(Err(error)).await,
    };
    let ending = drive(&mut pen, &call, async |pen| converse(&link, &call, &mut inbox, pen).await).await;
    let answered = matches!(&ending, Ending::Answered(Ok(_)));
    link.unregister(&call, !answered);
    link.shared.forget_asked(&call.id);
    match ending {
        Ending::Cancelled => link.send_aside(&cancellation(&call, "the client went away")),
        Ending::Answered(last) => {
            if last.as_ref().is_err_and(UpstreamError::may_have_acted) {
                link.send_aside(&cancellation(&call, "the answer is no longer waited for"));
            }
            pen.finish(last).await;
        }
    }
}

async fn converse(
    link: &StdioLink,
    call: &Call,
    inbox: &mut Inbox,
    pen: &mut Pen,
) -> Result<Bytes, UpstreamError> {
    let mut silence = Silence::new(&link.shared, call);
    silence.within(link.write(&call.bytes)).await??;
    pen.ready();
    loop {
        match silence.within(inbox.next()).await? {
            Some(Inbound::Along(message)) => {
                pen.along(message).await;
                silence.broken();
            }
            Some(Inbound::Last(last)) => return last,
            None => return Err(link.shared.lost(link.epitaph())),
        }
    }
}

/// Opens the conversation: `server/discover` first, unless the system is known to be legacy (2026-07-28, stdio).
pub(crate) async fn open(
    link: &Arc<StdioLink>,
    profile: &ClientProfile,
    known: Option<Era>,
) -> Result<Handshake, UpstreamError> {
    match greet(link, profile, known).await {
        // It ended before it was spoken to: how it ended says more.
        Err(UpstreamError::NotSent { why: NotSent::ChildEnded, .. }) => {
            let _ = tokio::time::timeout(link.shared.bounds.grace_max.to_std(), link.ended()).await;
            Err(link.shared.lost(link.epitaph()))
        }
        greeted => greeted,
    }
}

async fn greet(
    link: &Arc<StdioLink>,
    profile: &ClientProfile,
    known: Option<Era>,
) -> Result<Handshake, UpstreamError> {
    if known != Some(Era::Legacy)
        && let Some(handshake) = probe(link, profile).await?
    {
        return Ok(handshake);
    }
    match (initialize(link, profile).await, known) {
        (Err(UpstreamError::NotSent { why: NotSent::Handshake(error), .. }), Some(Era::Legacy)) => {
            let found = probe(link, profile).await?;
            found.ok_or_else(|| link.shared.not_sent(NotSent::Handshake(error)))
        }
        (initialized, _) => initialized,
    }
}

/// `None`: it is not modern.
async fn probe(link: &Arc<StdioLink>, profile: &ClientProfile) -> Result<Option<Handshake>, UpstreamError> {
    let shared = &link.shared;
    let id = shared.fresh_id();
    let asking = ask(link, &id, discover_request(&id, &profile.client_info));
    let answer = match tokio::time::timeout(shared.bounds.probe_max.to_std(), asking).await {
        Ok(answer) => Some(answer?),
        Err(_) => None,
    };
    match read_stdio_probe(answer.as_deref(), &shared.bounds.message) {
        Probe::Modern { revision, .. } => {
            link.is_modern();
            let result = answer.and_then(|answer| result_of(shared, &answer));
            Ok(Some(Handshake { revision, result }))
        }
        Probe::NoCommonRevision { supported } => Err(shared.no_common_revision(supported)),
        Probe::TryInitialize | Probe::Challenged { .. } | Probe::Unavailable { .. } => Ok(None),
    }
}

async fn initialize(link: &Arc<StdioLink>, profile: &ClientProfile) -> Result<Handshake, UpstreamError> {
    let shared = &link.shared;
    let id = shared.fresh_id();
    let request = initialize_request(&id, &profile.capabilities, &profile.client_info);
    let answer = ask(link, &id, request).await?;
    let initialized =
        read_initialized(200, &answer, &shared.bounds.message).map_err(|error| shared.unfit(error))?;
    let done = Bytes::from(write_notification("notifications/initialized", &serde_json::Value::Null));
    link.write(&done).await?;
    Ok(Handshake { revision: initialized.revision, result: result_of(shared, &answer) })
}

/// One request of the opening conversation: only its response matters.
async fn ask(link: &Arc<StdioLink>, id: &RequestId, request: String) -> Result<Bytes, UpstreamError> {
    let call = Call::read(&link.shared, Bytes::from(request))?;
    debug_assert_eq!(call.id, *id);
    let mut inbox = link.register(&call)?;
    let _registered = Registered { link, call: &call };
    link.write(&call.bytes).await?;
    loop {
        match inbox.next().await {
            Some(Inbound::Along(_)) => {}
            Some(Inbound::Last(last)) => return last,
            None => return Err(link.shared.lost(link.epitaph())),
        }
    }
}

/// Takes a call of the opening conversation out of the books, however it ends.
struct Registered<'a> {
    link: &'a StdioLink,
    call: &'a Call,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.link.unregister(self.call, true);
    }
}

/// A line to write, and where to say how far it got.
type Writing = (Vec<u8>, oneshot::Sender<Written>);

/// How far a line got.
enum Written {
    Whole,
    /// The pipe broke; some of it may have been read.
    Partly,
    Nothing,
}
