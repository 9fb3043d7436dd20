//! Questions of a system in the middle of a call, put to the client in the client's era. A modern client answers by
//! coming back; until then the call is parked here, with its permit, and times out.

use super::{
    exchange::{Client, Exchange, Step, id_value, read_meta, rewrite},
    session::{Reply, Session, lock},
};
use crate::refusal::Refusal;
use moka::sync::Cache;
use provost_connect::Upstream;
use provost_domain::{Digest, TaskId};
use provost_mcp::{
    Message, Patch, Request, RequestId, RpcError,
    message::write_raw_result,
    translate::{Asked, to_legacy, to_modern},
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::{Notify, oneshot};

/// What a call waits for.
#[derive(Default)]
pub enum Waiting {
    /// Nothing.
    #[default]
    No,
    /// A legacy client's responses, after which the call is sent again to its modern system.
    ForClient(Questions),
    /// A modern client's return with answers to these requests of its legacy system, by key.
    ForReturn(Vec<(String, RequestId)>),
    /// A modern client's return, after which the call is sent again to its legacy system.
    ToSendAgain,
}

/// Questions put to a legacy client.
pub struct Questions {
    asked: Vec<(Asked, oneshot::Receiver<String>)>,
    request_state: Option<String>,
}

/// A legacy system's question for a legacy client, under an id of the session's.
pub async fn pass_on(
    session: &Arc<Session>,
    upstream: &Arc<Upstream>,
    question: &Request<'_>,
) -> Option<String> {
    if let Some(id) = session.ask(Reply::System(Arc::clone(upstream), question.id.clone())) {
        return Patch::new().id(&id).apply(question.raw).ok();
    }
    let full = RpcError::invalid_request("too many questions wait for this client");
    if let Err(error) = upstream.respond(full.write(Some(&question.id)).into()).await {
        tracing::debug!(%error, "a question could not be refused");
    }
    None
}

impl Exchange {
    /// Puts a modern system's questions to a legacy client, on the stream of the request they belong to.
    pub(super) async fn ask_client(&mut self, input: to_modern::InputRequired) -> Result<(), Refusal> {
        let Client::Legacy(session) = self.client.clone() else {
            return Err(Refusal::internal("only a legacy client is asked"));
        };
        let mut questions = Questions { asked: Vec::new(), request_state: input.request_state };
        for asked in input.asked {
            let (tx, rx) = oneshot::channel();
            let id = session.ask(Reply::Exchange(tx));
            let id =
                id.ok_or_else(|| Refusal::Upstream("the system asks too many questions at once".to_owned()))?;
            let elicitation = format!("{}-{}", session.id, id_value(&id));
            self.ready
                .push_back(to_modern::ask(&id, &asked, &elicitation, &session.client()).map_err(rewrite)?);
            questions.asked.push((asked, rx));
        }
        self.waiting = Waiting::ForClient(questions);
        Ok(())
    }

    /// Waits for a legacy client's answers, then sends the call again with them.
    pub(super) async fn hear_answers(&mut self) -> Result<(), Refusal> {
        let Waiting::ForClient(questions) = std::mem::take(&mut self.waiting) else { return Ok(()) };
        let Client::Legacy(session) = self.client.clone() else { return Ok(()) };
        let limits = self.front.limits().clone();
        let patience = self.front.pipeline.limits.call_duration_max.to_std();
        let mut answers = Vec::new();
        for (asked, rx) in questions.asked {
            let heard = tokio::time::timeout(patience, rx).await;
            let Ok(Ok(text)) = heard else {
                return Err(Refusal::Cut("the client did not answer what the system asked".to_owned()));
            };
            let Ok(Message::Response(response)) = Message::parse(text.as_bytes(), &limits) else {
                return Err(Refusal::internal("an answer that was read before cannot be read again"));
            };
            answers.push((asked.key.clone(), to_modern::answer(&asked, &response)?));
        }
        let (id, state) = (self.upstream.fresh_id(), questions.request_state);
        let original = self.request(&limits)?;
        let retry = to_modern::retry(&original, &id, &session.client(), &answers, state.as_deref())
            .map_err(rewrite)?;
        self.send(retry)
    }

    /// A legacy system's question for a modern client: the call waits for the client to come back.
    pub(super) async fn park_for(&mut self, question: &Request<'_>) -> Option<Step> {
        let limits = self.front.limits().clone();
        let key = format!("question-{}", id_value(&question.id));
        let asked = {
            let request = self.request(&limits).ok()?;
            let meta = read_meta(&request).ok()?;
            to_legacy::asked(question, &meta, &key)
        };
        match asked {
            Ok(asked) => {
                self.waiting = Waiting::ForReturn(vec![(key, question.id.clone())]);
                Some(self.input_required(&[asked]))
            }
            Err(cannot) => {
                if let Err(error) = self.upstream.respond(cannot.answer(question).into()).await {
                    tracing::debug!(%error, "a question could not be refused");
                }
                None
            }
        }
    }

    /// A legacy system wants pages opened before it is called again.
    pub(super) fn park(&mut self, asked: &[Asked]) -> Step {
        self.waiting = Waiting::ToSendAgain;
        self.input_required(asked)
    }

    fn input_required(&self, asked: &[Asked]) -> Step {
        // The state is a name and no more: what it stands for stays here, bound to the task and the very call.
        let state = format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
        let result = to_legacy::input_required(asked, &state);
        Step::Park(write_raw_result(&self.id, provost_mcp::Raw::trusted(&result)))
    }

    /// Goes on with a parked call: its client came back with this request.
    pub(super) async fn resume(&mut self, body: bytes::Bytes, id: RequestId) -> Result<(), Refusal> {
        (self.body, self.id) = (body, id);
        let limits = self.front.limits().clone();
        match std::mem::take(&mut self.waiting) {
            Waiting::ForReturn(open) => {
                let answers = {
                    let request = self.request(&limits)?;
                    let responses =
                        request.params.as_ref().and_then(|params| params.object("inputResponses"));
                    to_legacy::answers(responses.as_ref(), &open)
                };
                if let Some(missing) = answers.missing.first() {
                    let text = format!("`inputResponses` lacks the answer to `{missing}`");
                    return Err(Refusal::Protocol(RpcError::invalid_params(self.revision().era(), text)));
                }
                for response in answers.responses {
                    let sent = self.upstream.respond(response.into()).await;
                    sent.map_err(|error| Refusal::Upstream(error.to_string()))?;
                }
                Ok(())
            }
            Waiting::ToSendAgain => {
                let again = {
                    let request = self.request(&limits)?;
                    to_legacy::request(&request, &self.upstream.fresh_id()).map_err(rewrite)?
                };
                self.send(again)
            }
            Waiting::No | Waiting::ForClient(_) => Err(Refusal::internal("the call waits for nobody")),
        }
    }
}

/// Calls that wait for their client to come back. One that nobody comes back for is cancelled at the system, and
/// `unknown` on record.
pub struct Parked(Cache<String, Arc<Entry>>);

struct Entry {
    task: TaskId,
    call: Digest,
    exchange: Mutex<Option<Box<Exchange>>>,
    taken: Notify,
}

impl Parked {
    /// None waiting.
    #[must_use]
    pub fn new() -> Self {
        Self(Cache::builder().max_capacity(PARKED_MAX).time_to_live(PARKED_FOR_MAX).build())
    }

    /// Parks an exchange whose last step was this message. A stop ends it here as anywhere, and so does a client that
    /// does not come back.
    pub(super) fn put(&self, exchange: Box<Exchange>, message: &str, limits: &provost_mcp::Limits) {
        let call = exchange.request(limits).ok().and_then(|request| call_digest(&request));
        let (Some(state), Some(call)) = (state_of(message, limits), call) else { return };
        let Some((mut watch, task)) = exchange.watch() else { return };
        let entry =
            Arc::new(Entry { task, call, exchange: Mutex::new(Some(exchange)), taken: Notify::new() });
        self.0.insert(state, Arc::clone(&entry));
        tokio::spawn(async move {
            let why = tokio::select! {
                () = entry.taken.notified() => return,
                why = watch.stopped() => why,
                () = tokio::time::sleep(PARKED_FOR_MAX) => "the client did not come back with an answer".to_owned(),
            };
            let left = lock(&entry.exchange).take();
            if let Some(mut exchange) = left {
                exchange.cut(why).await;
            }
        });
    }

    /// The exchange that this request comes back to: once, by the same task, with the same call.
    pub(super) fn take(&self, state: &str, task: TaskId, request: &Request<'_>) -> Option<Box<Exchange>> {
        let entry = self
            .0
            .get(state)
            .filter(|entry| entry.task == task && Some(entry.call) == call_digest(request))?;
        self.0.invalidate(state);
        entry.taken.notify_one();
        lock(&entry.exchange).take()
    }
}

fn state_of(message: &str, limits: &provost_mcp::Limits) -> Option<String> {
    let Ok(Message::Response(response)) = Message::parse(message.as_bytes(), limits) else { return None };
    let provost_mcp::message::Outcome::Result(result) = response.outcome else { return None };
    result.string("requestState").map(|state| state.into_owned())
}

/// What makes two rounds the same call: method, name or uri, arguments.
fn call_digest(request: &Request<'_>) -> Option<Digest> {
    let params = request.params.as_ref();
    let part = |key: &str| params.and_then(|params| params.get(key)).and_then(|raw| raw.to_value().ok());
    let call = (request.method.as_ref(), part("name"), part("uri"), part("arguments"));
    Digest::of_json(&call).ok()
}

const PARKED_MAX: u64 = 1_000;
const PARKED_FOR_MAX: Duration = Duration::from_secs(600);
