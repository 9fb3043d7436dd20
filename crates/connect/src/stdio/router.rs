//! Whose message is this: sorts what a child says among the calls in flight. No I/O.
//!
//! Pipes carry everything in one stream. A response has its request's id and progress its token; what a listen stream
//! says carries the id of the request that opened it. Anything else goes to the call in flight if there is exactly one,
//! for then it can only be about that one, and otherwise to the listeners of the connection.

use bytes::Bytes;
use provost_mcp::era::META_SUBSCRIPTION_ID;
use provost_mcp::message::Message;
use provost_mcp::{RequestId, message::MessageError};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc;

use crate::call::{Call, token_key};
use crate::error::UpstreamError;

/// The calls in flight on one child.
#[derive(Debug, Default)]
pub(super) struct Router {
    calls: HashMap<RequestId, Route>,
    /// Progress token -> call.
    tokens: HashMap<String, RequestId>,
    /// Ids given up lately: their late answers are expected and dropped.
    given_up: VecDeque<RequestId>,
}

#[derive(Debug)]
struct Route {
    inbox: mpsc::UnboundedSender<(Inbound, usize)>,
    backlog_bytes: Arc<AtomicUsize>,
    token: Option<String>,
    listening: bool,
}

/// What a call receives.
#[derive(Debug)]
pub(super) enum Inbound {
    /// A message before the response.
    Along(Bytes),
    /// The response, or why there is none.
    Last(Result<Bytes, UpstreamError>),
}

/// Where a call receives it.
#[derive(Debug)]
pub(super) struct Inbox {
    messages: mpsc::UnboundedReceiver<(Inbound, usize)>,
    backlog_bytes: Arc<AtomicUsize>,
}

impl Inbox {
    pub(super) async fn next(&mut self) -> Option<Inbound> {
        let (message, bytes) = self.messages.recv().await?;
        self.backlog_bytes.fetch_sub(bytes, Ordering::Relaxed);
        Some(message)
    }
}

/// Where a message belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    /// To this call, before its response.
    Along(RequestId),
    /// To this call, as its response.
    Response(RequestId),
    /// To this call, which it answers under another id.
    WrongId(RequestId),
    /// To the listeners.
    Events,
    /// Nowhere: late, or about nothing.
    Nowhere,
}

impl Router {
    /// Enters a call. `None`: a call with this id is in flight.
    pub(super) fn enter(&mut self, call: &Call) -> Option<Inbox> {
        if self.calls.contains_key(&call.id) {
            return None;
        }
        let (inbox, messages) = mpsc::unbounded_channel();
        let backlog_bytes = Arc::new(AtomicUsize::new(0));
        if let Some(token) = &call.progress {
            self.tokens.insert(token.clone(), call.id.clone());
        }
        let route = Route {
            inbox,
            backlog_bytes: Arc::clone(&backlog_bytes),
            token: call.progress.clone(),
            listening: call.listening,
        };
        self.calls.insert(call.id.clone(), route);
        Some(Inbox { messages, backlog_bytes })
    }

    /// Takes a call out. `given_up`: its answer may still come.
    pub(super) fn leave(&mut self, id: &RequestId, given_up: bool) {
        let Some(route) = self.calls.remove(id) else { return };
        if let Some(token) = &route.token
            && self.tokens.get(token) == Some(id)
        {
            self.tokens.remove(token);
        }
        if given_up {
            self.given_up.push_back(id.clone());
            if self.given_up.len() > GIVEN_UP_MAX {
                self.given_up.pop_front();
            }
        }
    }

    /// Where a message belongs.
    pub(super) fn destination(&self, message: &Message<'_>) -> Destination {
        match message {
            Message::Response(response) => self.of_response(response.id.as_ref()),
            Message::Request(_) => self.only_call().map_or(Destination::Events, Destination::Along),
            Message::Notification(notification) => {
                let params = notification.params.as_ref();
                if notification.method == "notifications/progress" {
                    let token = params.and_then(|params| params.get("progressToken")).map(token_key);
                    let call = token.and_then(|token| self.tokens.get(&token)).cloned();
                    return call.map_or(Destination::Nowhere, Destination::Along);
                }
                let subscription = params
                    .and_then(|params| params.object("_meta"))
                    .and_then(|meta| meta.get(META_SUBSCRIPTION_ID))
                    .and_then(|id| {
                        id.as_i64().map(RequestId::Integer).or_else(|| Some(id.as_string()?.as_ref().into()))
                    });
                match subscription {
                    Some(id) if self.calls.contains_key(&id) => Destination::Along(id),
                    Some(_) => Destination::Nowhere,
                    None => self.only_call().map_or(Destination::Events, Destination::Along),
                }
            }
        }
    }

    /// Where a line that is no message belongs: to the call whose id it shows.
    pub(super) fn of_unreadable(&self, error: &MessageError) -> Option<RequestId> {
        error.id.clone().filter(|id| self.calls.contains_key(id)).or_else(|| self.only_call())
    }

    /// Delivers. `false`: its reader is further behind than `backlog_bytes_max`.
    pub(super) fn deliver(&self, id: &RequestId, message: Inbound, backlog_bytes_max: usize) -> bool {
        let Some(route) = self.calls.get(id) else { return true };
        let bytes = match &message {
            Inbound::Along(message) => message.len(),
            Inbound::Last(_) => 0,
        };
        let waiting = route.backlog_bytes.fetch_add(bytes, Ordering::Relaxed);
        if bytes > 0 && waiting > 0 && waiting.saturating_add(bytes) > backlog_bytes_max {
            return false;
        }
        // A reader that is gone leaves by itself.
        let _ = route.inbox.send((message, bytes));
        true
    }

    /// The calls in flight.
    pub(super) fn in_flight(&self) -> Vec<RequestId> {
        self.calls.keys().cloned().collect()
    }

    fn of_response(&self, id: Option<&RequestId>) -> Destination {
        match id {
            Some(id) if self.calls.contains_key(id) => Destination::Response(id.clone()),
            Some(id) if self.given_up.contains(id) => Destination::Nowhere,
            _ => self.only_call().map_or(Destination::Nowhere, Destination::WrongId),
        }
    }

    /// The call in flight if there is exactly one, streams that stay open by design not counted.
    fn only_call(&self) -> Option<RequestId> {
        let mut calls = self.calls.iter().filter(|(_, route)| !route.listening);
        let (id, _) = calls.next()?;
        calls.next().is_none().then(|| id.clone())
    }
}

/// Ids remembered after they were given up.
const GIVEN_UP_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use provost_mcp::Limits;

    fn call(id: i64, token: Option<&str>, listening: bool) -> Call {
        Call { bytes: Bytes::new(), id: id.into(), progress: token.map(str::to_owned), listening }
    }

    fn destination(router: &Router, message: &str) -> Destination {
        router.destination(&Message::parse(message.as_bytes(), &Limits::default()).unwrap())
    }

    const LOG: &str = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info"}}"#;
    const ASK: &str = r#"{"jsonrpc":"2.0","id":"s1","method":"elicitation/create"}"#;

    fn progress(token: &str) -> String {
        format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":1}}}}"#
        )
    }

    fn response(id: &str) -> String {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#)
    }

    #[test]
    fn what_names_its_call_goes_there_and_the_rest_to_the_only_call_or_the_listeners() {
        use Destination::*;
        let one = RequestId::Integer(1);
        let mut router = Router::default();
        assert_eq!(destination(&router, LOG), Events);
        assert_eq!(destination(&router, &response("1")), Nowhere);
        let _first = router.enter(&call(1, Some("5"), false)).unwrap();
        assert_eq!(destination(&router, LOG), Along(one.clone()));
        assert_eq!(destination(&router, ASK), Along(one.clone()));
        assert_eq!(destination(&router, &response("7")), WrongId(one.clone()));
        let _listen = router.enter(&call(3, None, true)).unwrap();
        assert_eq!(destination(&router, LOG), Along(one.clone()), "a listen stream does not count");
        let of_listen =
            LOG.replace(r#""level":"info""#, r#""_meta":{"io.modelcontextprotocol/subscriptionId":3}"#);
        assert_eq!(destination(&router, &of_listen), Along(3.into()));
        assert_eq!(destination(&router, &of_listen.replace(":3", ":4")), Nowhere);
        let _second = router.enter(&call(2, Some("\"5"), false)).unwrap();
        assert!(router.enter(&call(2, None, false)).is_none(), "an id in flight is taken");
        assert_eq!(destination(&router, LOG), Events);
        assert_eq!(destination(&router, ASK), Events);
        assert_eq!(destination(&router, &response("7")), Nowhere);
        assert_eq!(destination(&router, &progress("5")), Along(one.clone()));
        assert_eq!(destination(&router, &progress("\"5\"")), Along(2.into()), "a string is not a number");
        assert_eq!(destination(&router, &progress("6")), Nowhere);
        assert_eq!(destination(&router, &response("2")), Response(2.into()));
        router.leave(&2.into(), true);
        assert_eq!(destination(&router, &response("2")), Nowhere, "a late answer is no lie");
        assert_eq!(destination(&router, &progress("\"5\"")), Nowhere);
    }

    #[tokio::test]
    async fn a_reader_too_far_behind_is_named() {
        let mut router = Router::default();
        let mut inbox = router.enter(&call(1, None, false)).unwrap();
        let along = || Inbound::Along(Bytes::from_static(b"123456"));
        assert!(router.deliver(&1.into(), along(), 10));
        assert!(!router.deliver(&1.into(), along(), 10));
        assert!(matches!(inbox.next().await, Some(Inbound::Along(_))));
    }
}
