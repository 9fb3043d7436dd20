//! One message after the other, either way. What becomes of each is in the table of `provost_mcp::methods`.

mod hold;
mod upward;

use super::{
    child::{Child, NoAnswer},
    plane::{Answer, Plane, Told, Trouble},
    say,
};
use crate::Exit;
use provost_domain::DecisionId;
use provost_mcp::{
    Era, Limits, Message, Notification, Patch, Raw, Request, RequestId, Response, Revision, RpcError,
    era::{META_CLIENT_CAPABILITIES, META_PROTOCOL_VERSION, Spoken, spoken},
    handshake::read_initialized,
    message::{Outcome, write_notification, write_raw_result, write_request},
    methods::{Treatment, of_client},
    strict,
    translate::{mediated_client_capabilities, mediated_server_capabilities},
};
use serde_json::{Map, Value, json};
use std::{
    collections::{HashMap, HashSet},
    ffi::OsString,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};
use tokio::sync::{OnceCell, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Between one client and its server.
pub(super) struct Relay {
    plane: Arc<Plane>,
    command: Vec<OsString>,
    hidden: Vec<String>,
    client: mpsc::Sender<String>,
    /// Started for the first request that the plane lets begin.
    child: OnceCell<Result<Arc<Child>, String>>,
    /// What the client speaks; a legacy session's from its `initialize` on.
    revision: Mutex<Option<Revision>>,
    /// The client's requests under way.
    flights: Mutex<HashMap<RequestId, CancellationToken>>,
    /// The server's requests that the client has not answered.
    asked: Mutex<HashSet<RequestId>>,
    /// The server said that its tools changed, and they were not listed since.
    tools_changed: AtomicBool,
    /// One listing of our own at a time.
    listing: tokio::sync::Mutex<()>,
    own_ids: OwnIds,
    /// Set when the plane stopped the agent or the task.
    stopped: OnceLock<String>,
    stop: CancellationToken,
    tasks: TaskTracker,
    limits: Limits,
}

/// Why a request gets no answer of the server's.
enum NoGo {
    /// The plane, or we in its place, say no.
    Refused(String),
    /// The message is not one we let through.
    Protocol(RpcError),
    /// The server failed.
    Server(String),
    /// The client does not want an answer any more.
    Cancelled,
}

/// Leave to write one request to the server.
enum Leave {
    /// An outcome is owed.
    Permit(DecisionId),
    Pass,
}

impl Relay {
    pub(super) fn new(
        plane: Arc<Plane>,
        command: Vec<OsString>,
        hidden: Vec<String>,
        client: mpsc::Sender<String>,
    ) -> Arc<Self> {
        Arc::new(Self {
            plane,
            command,
            hidden,
            client,
            child: OnceCell::new(),
            revision: Mutex::default(),
            flights: Mutex::default(),
            asked: Mutex::default(),
            tools_changed: AtomicBool::new(false),
            listing: tokio::sync::Mutex::default(),
            own_ids: OwnIds::new(),
            stopped: OnceLock::new(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            limits: Limits { message_bytes_max: MESSAGE_BYTES_MAX, ..Limits::default() },
        })
    }

    /// One line of the client's.
    pub(super) async fn from_client(self: &Arc<Self>, line: Vec<u8>) {
        match Message::parse(&line, &self.limits) {
            Ok(Message::Request(request)) => match self.take_off(&request.id) {
                Ok(cancelled) => {
                    let relay = Arc::clone(self);
                    self.tasks.spawn(async move { relay.serve(line, cancelled).await });
                }
                Err(why) => self.tell_client(RpcError::invalid_request(why).write(Some(&request.id))).await,
            },
            Ok(Message::Notification(notification)) => self.note(&notification).await,
            Ok(Message::Response(response)) => self.hear(&response).await,
            Err(error) => self.tell_client(error.to_rpc().write(error.id.as_ref())).await,
        }
    }

    pub(super) async fn tell_client(&self, message: String) {
        // A client that is gone is noticed where it is read.
        let _gone = self.client.send(message).await;
    }

    /// Keeps the lease for as long as there is a task, and hears of stops at once.
    pub(super) async fn watch(self: Arc<Self>) {
        let mut silent = false;
        while !self.stop.is_cancelled() {
            if !self.plane.has_begun().await {
                tokio::time::sleep(WATCH_AGAIN_AFTER).await;
                continue;
            }
            match self.plane.watch(WATCH_PATIENCE).await {
                Ok(()) => {
                    if std::mem::replace(&mut silent, false) {
                        say("the plane is heard of again");
                    }
                }
                Err(Trouble::Stopped(why)) => return self.stop_for(why),
                Err(Trouble::Refused(why)) => {
                    if !std::mem::replace(&mut silent, true) {
                        say(&format!("nothing is let through until the plane answers: {why}"));
                    }
                    tokio::time::sleep(WATCH_AGAIN_AFTER).await;
                }
            }
        }
    }

    /// Returns when the server has ended by itself. Never, after a stop: the client is still told why.
    pub(super) async fn server_gone(&self) {
        loop {
            if let Some(Ok(child)) = self.child.get() {
                let ended = child.gone().await;
                if self.stopped.get().is_none() {
                    return say(&format!("the server ended ({})", ended.how));
                }
                return std::future::pending().await;
            }
            tokio::time::sleep(WATCH_AGAIN_AFTER).await;
        }
    }

    /// Lets requests under way come to their end.
    pub(super) async fn drain(&self, patience: Duration) {
        self.tasks.close();
        let _elapsed = tokio::time::timeout(patience, self.tasks.wait()).await;
    }

    /// Ends the server, the calls and the task, and says how the program is to end.
    pub(super) async fn finish(self: &Arc<Self>) -> Exit {
        let stopped = self.stopped.get().is_some();
        self.stop.cancel();
        self.tasks.close();
        let ended = async {
            match self.child.get() {
                Some(Ok(child)) => {
                    let by_itself = child.has_ended();
                    child.end().await;
                    Some((by_itself, child.gone().await))
                }
                Some(Err(_)) | None => None,
            }
        };
        let (ended, _elapsed) = tokio::join!(ended, tokio::time::timeout(CLOSING_MAX, self.tasks.wait()));
        self.plane.end("its client closed the connection").await;
        let failed = matches!(self.child.get(), Some(Err(_)));
        match ended {
            _ if stopped || failed => Exit::Refused,
            Some((true, ended)) if !ended.well => Exit::Refused,
            _ => self.plane.never_began().unwrap_or(Exit::Ok),
        }
    }

    /// One request of the client's, to its answer.
    async fn serve(self: Arc<Self>, line: Vec<u8>, cancelled: CancellationToken) {
        let Ok(Message::Request(request)) = Message::parse(&line, &self.limits) else { return };
        let carried = self.carry(&request, &cancelled).await;
        lock(&self.flights).remove(&request.id);
        let era = lock(&self.revision).map_or(Era::Legacy, Revision::era);
        let refused = |text: String| {
            let error = RpcError::internal(era, format!("Provost refused this: {text}"));
            error.with_data(json!({"dev.provost/code": "wrap"})).write(Some(&request.id))
        };
        let answer = match carried {
            Ok(answer) => answer,
            Err(NoGo::Cancelled) => return,
            Err(NoGo::Protocol(error)) => error.write(Some(&request.id)),
            Err(NoGo::Server(why)) => RpcError::upstream(era, why).write(Some(&request.id)),
            Err(NoGo::Refused(why)) => refused(why),
        };
        self.tell_client(answer).await;
    }

    /// The life of a request: what it speaks, what its method is, leave of the plane, the server, the record.
    async fn carry(
        self: &Arc<Self>,
        request: &Request<'_>,
        cancelled: &CancellationToken,
    ) -> Result<String, NoGo> {
        if let Some(why) = self.stopped.get() {
            return Err(NoGo::Refused(why.clone()));
        }
        self.plane.ready().await.map_err(|trouble| self.refused(trouble))?;
        let child = self.child().await?;
        let (revision, message) = self.spoken(request)?;
        let Ok(Message::Request(outgoing)) = Message::parse(message.as_bytes(), &self.limits) else {
            return Err(NoGo::Protocol(RpcError::invalid_request("this request cannot be read")));
        };
        let row = of_client(&Message::Request(outgoing.clone()), revision)?;
        if row.treatment == Treatment::Deny || outgoing.method.starts_with("tasks/") {
            return Err(RpcError::method_not_found(&outgoing.method, revision.era()).into());
        }
        let leave = match row.treatment {
            Treatment::Decide => match self.decided(&outgoing, revision, &child, cancelled).await? {
                Ok(leave) => leave,
                Err(refused) => return Ok(refused),
            },
            Treatment::Answer | Treatment::Pass | Treatment::Filter | Treatment::Deny => Leave::Pass,
        };
        let answer = self.forward(&child, &outgoing, &leave, cancelled).await?;
        if let Leave::Permit(decision) = leave {
            self.on_record(decision, &answer).await?;
        }
        self.shown(&outgoing, answer, revision, row.treatment).await
    }

    /// The revision a request is in, and the request as the server is to see it: capabilities that nobody mediates are
    /// not announced, and everything else keeps its bytes.
    fn spoken(&self, request: &Request<'_>) -> Result<(Revision, String), NoGo> {
        let patch = |patch: Patch| patch.apply(request.raw).map_err(|error| NoGo::Refused(error.to_string()));
        match spoken(&Message::Request(request.clone()), None)? {
            Spoken::Initialize { revision, .. } => {
                let offered = request.params.as_ref().and_then(|params| params.object("capabilities"));
                let mediated =
                    offered.map_or_else(|| json!({}), |offered| mediated_client_capabilities(&offered));
                let announced = Patch::new()
                    .set(&["params", "protocolVersion"], &Value::from(revision.as_str()))
                    .set(&["params", "capabilities"], &mediated);
                Ok((revision, patch(announced)?))
            }
            Spoken::Modern(meta) => {
                lock(&self.revision).get_or_insert(meta.revision);
                let mediated = mediated_client_capabilities(&meta.capabilities);
                Ok((meta.revision, patch(Patch::new().meta(META_CLIENT_CAPABILITIES, &mediated))?))
            }
            Spoken::ModernBare(revision) => Ok((revision, request.raw.as_str().to_owned())),
            Spoken::Legacy(_) => {
                let known = *lock(&self.revision);
                let unknown = || RpcError::invalid_request("send `initialize` first");
                let revision = known.filter(|revision| revision.era() == Era::Legacy).ok_or_else(unknown)?;
                Ok((revision, request.raw.as_str().to_owned()))
            }
        }
    }

    /// Asks the plane. The inner error is its refusal, whole.
    async fn decided(
        &self,
        request: &Request<'_>,
        revision: Revision,
        child: &Child,
        cancelled: &CancellationToken,
    ) -> Result<Result<Leave, String>, NoGo> {
        let (mut listed, mut hold) = (false, hold::Hold::default());
        if request.method == "tools/call" && self.tools_changed.swap(false, Ordering::AcqRel) {
            self.list_tools(child, revision).await?;
            listed = true;
        }
        loop {
            let answer = self
                .plane
                .decide(request, revision, listed)
                .await
                .map_err(|trouble| self.refused(trouble))?;
            match answer {
                Answer::Permit { decision, .. } => return Ok(Ok(Leave::Permit(decision))),
                Answer::Pass { .. } => return Ok(Ok(Leave::Pass)),
                Answer::Refused(response) => return Ok(Err(self.answer_to(request, response.get())?)),
                Answer::Held { approval, open_ms, message, refused } => {
                    let open = Duration::from_millis(open_ms);
                    if !self.hear_people(request, &mut hold, (&approval, open, message), cancelled).await? {
                        return Ok(Err(self.answer_to(request, refused.get())?));
                    }
                    // Its definition may have changed while people were thinking.
                    listed = false;
                }
                Answer::ListFirst {} if !listed => {
                    self.list_tools(child, revision).await?;
                    listed = true;
                }
                Answer::ListFirst {} => return Err(nonsense()),
            }
        }
    }

    /// Writes a request to the server and waits for its answer, unless the client, a stop or the end of the lease comes
    /// first. If there is no answer, the outcome is told.
    async fn forward(
        self: &Arc<Self>,
        child: &Arc<Child>,
        request: &Request<'_>,
        leave: &Leave,
        cancelled: &CancellationToken,
    ) -> Result<String, NoGo> {
        let lost =
            |why: &str| (NoAnswer::Lost(why.to_owned()), NoGo::Refused(format!("the call was cut: {why}")));
        let (no_answer, no_go) = tokio::select! {
            biased;
            () = self.stop.cancelled() => lost(self.stopped.get().map_or("the wrapper is ending", String::as_str)),
            () = cancelled.cancelled() => (NoAnswer::Lost("cancelled by the client".to_owned()), NoGo::Cancelled),
            answer = child.ask(&request.id, request.raw.as_str()) => match answer {
                Ok(answer) => return Ok(answer),
                Err(NoAnswer::Unsent(why)) => {
                    let no_go = NoGo::Refused(format!("the call was not made: {why}"));
                    (NoAnswer::Unsent(why), no_go)
                }
                Err(NoAnswer::Lost(why)) => {
                    let no_go = NoGo::Server(why.clone());
                    (NoAnswer::Lost(why), no_go)
                }
            },
            () = self.plane.lease.lost() => lost("the plane was not heard of for longer than its lease"),
        };
        if matches!((&no_answer, &no_go), (NoAnswer::Lost(_), NoGo::Refused(_))) {
            let params = json!({"requestId": serde_json::to_value(&request.id).unwrap_or_default()});
            child.call_off(&write_notification("notifications/cancelled", &params));
        }
        if let Leave::Permit(decision) = leave {
            self.settle(*decision, no_answer);
        }
        Err(no_go)
    }

    /// Tells the plane that there is no answer; goes on by itself, for the client need not wait for it. If the plane
    /// does not hear it, it finds out by itself.
    fn settle(self: &Arc<Self>, decision: DecisionId, no_answer: NoAnswer) {
        let plane = Arc::clone(&self.plane);
        self.tasks.spawn(async move {
            let told = match &no_answer {
                NoAnswer::Lost(why) => Told::Lost(why),
                NoAnswer::Unsent(why) => Told::Unsent(why),
            };
            if plane.complete(decision, &told).await.is_err() {
                say(&format!(
                    "the plane could not be told that {decision} has no answer; it records it as unknown"
                ));
            }
        });
    }

    /// Puts an answer on record. Until the plane says that it is, nobody sees it.
    async fn on_record(&self, decision: DecisionId, answer: &str) -> Result<(), NoGo> {
        let told = Told::Answered(answer);
        let mut recorded = self.plane.complete(decision, &told).await;
        if let (Err(Trouble::Refused(_)), true) = (&recorded, self.plane.lease.holds()) {
            // Perhaps only the connection broke; asking again is harmless.
            recorded = self.plane.complete(decision, &told).await;
        }
        recorded.map_err(|trouble| match self.refused(trouble) {
            NoGo::Refused(why) => NoGo::Refused(format!(
                "the call was made, but its result is withheld because its outcome could not be put on record: {why} ({decision})"
            )),
            other => other,
        })
    }

    /// The answer as the client is to see it.
    async fn shown(
        &self,
        request: &Request<'_>,
        answer: String,
        revision: Revision,
        treatment: Treatment,
    ) -> Result<String, NoGo> {
        let Ok(Message::Response(response)) = Message::parse(answer.as_bytes(), &self.limits) else {
            return Err(NoGo::Server("the server's answer cannot be read".to_owned()));
        };
        let Outcome::Result(result) = &response.outcome else { return Ok(answer) };
        match (request.method.as_ref(), treatment) {
            ("initialize", _) => self.initialized(&response),
            ("server/discover", _) => {
                let offered = result.object("capabilities");
                let mediated =
                    offered.map_or_else(|| json!({}), |offered| mediated_server_capabilities(&offered));
                let patch = Patch::new().set(&["result", "capabilities"], &mediated);
                patch.apply(response.raw).map_err(|error| NoGo::Server(error.to_string()))
            }
            (method, Treatment::Filter) => {
                let shown = self.plane.list(method, result.raw().as_str(), revision).await;
                let shown = shown.map_err(|trouble| self.refused(trouble))?;
                let raw =
                    strict::check(shown.get().as_bytes(), &self.limits).map_err(|_unreadable| nonsense())?;
                raw.as_object().ok_or_else(nonsense)?;
                Ok(write_raw_result(&request.id, raw))
            }
            _ => Ok(answer),
        }
    }

    /// A legacy session begins, in the revision the server chose.
    fn initialized(&self, response: &Response<'_>) -> Result<String, NoGo> {
        let read = read_initialized(200, response.raw.as_str().as_bytes(), &self.limits);
        let read = read.map_err(|error| NoGo::Server(error.to_string()))?;
        *lock(&self.revision) = Some(read.revision);
        let Outcome::Result(result) = &response.outcome else { return Err(nonsense()) };
        let offered = result.object("capabilities");
        let mediated = offered.map_or_else(|| json!({}), |offered| mediated_server_capabilities(&offered));
        let patch = Patch::new().set(&["result", "capabilities"], &mediated);
        patch.apply(response.raw).map_err(|error| NoGo::Server(error.to_string()))
    }

    /// Lists the server's tools for the plane, which compares their definitions with the reviewed ones.
    async fn list_tools(&self, child: &Child, revision: Revision) -> Result<(), NoGo> {
        let _one_at_a_time = self.listing.lock().await;
        let mut cursor: Option<String> = None;
        for _page in 0..self.limits.pages_max {
            let id = self.own_ids.next();
            let request = list_request(&id, cursor.as_deref(), revision);
            let asking = tokio::time::timeout(LISTING_MAX, child.ask(&id, &request));
            let answer = tokio::select! {
                () = self.stop.cancelled() => return Err(NoGo::Refused("the wrapper is ending".to_owned())),
                answer = asking => answer.map_err(|_elapsed| NoGo::Server("the server does not list its tools".to_owned()))?,
            };
            let answer = answer.map_err(|(NoAnswer::Unsent(why) | NoAnswer::Lost(why))| NoGo::Server(why))?;
            let Ok(Message::Response(response)) = Message::parse(answer.as_bytes(), &self.limits) else {
                return Err(NoGo::Server("the server's list of tools cannot be read".to_owned()));
            };
            let Outcome::Result(result) = response.outcome else {
                return Err(NoGo::Server("the server does not list its tools".to_owned()));
            };
            let listed = self.plane.list("tools/list", result.raw().as_str(), revision).await;
            let _shown_to_nobody = listed.map_err(|trouble| self.refused(trouble))?;
            cursor = result.string("nextCursor").map(|cursor| cursor.into_owned());
            if cursor.is_none() {
                return Ok(());
            }
        }
        Err(NoGo::Server("the server's list of tools has no end".to_owned()))
    }

    /// A notification of the client's.
    async fn note(&self, notification: &Notification<'_>) {
        let revision = lock(&self.revision).unwrap_or(Revision::NEWEST_LEGACY);
        let Ok(row) = of_client(&Message::Notification(notification.clone()), revision) else { return };
        if !matches!(row.treatment, Treatment::Pass | Treatment::Answer) {
            return;
        }
        if notification.method == "notifications/cancelled" {
            let id =
                notification.params.as_ref().and_then(|params| params.get("requestId")).and_then(request_id);
            let flight = id.and_then(|id| lock(&self.flights).get(&id).cloned());
            let Some(flight) = flight else { return };
            flight.cancel();
        }
        if let (Some(Ok(child)), None) = (self.child.get(), self.stopped.get()) {
            let _not_heard = child.tell(notification.raw.as_str()).await;
        }
    }

    /// The client's answer to a question of the server's.
    async fn hear(&self, response: &Response<'_>) {
        let asked = response.id.as_ref().is_some_and(|id| lock(&self.asked).remove(id));
        if let (true, Some(Ok(child)), None) = (asked, self.child.get(), self.stopped.get()) {
            let _not_heard = child.tell(response.raw.as_str()).await;
        }
    }

    async fn child(self: &Arc<Self>) -> Result<Arc<Child>, NoGo> {
        let started = self.child.get_or_init(|| async {
            let (said, lines) = mpsc::channel(LINES_WAITING_MAX);
            let child = Child::start(&self.command, &self.hidden, Arc::clone(&self.plane), said)
                .inspect_err(|why| say(why))?;
            tokio::spawn(Arc::clone(self).hear_server(Arc::clone(&child), lines));
            Ok(child)
        });
        started.await.clone().map_err(NoGo::Server)
    }

    /// Enters a request of the client's; the error says why it cannot be.
    fn take_off(&self, id: &RequestId) -> Result<CancellationToken, &'static str> {
        let mut flights = lock(&self.flights);
        if flights.len() >= REQUESTS_MAX {
            return Err("too many requests are under way; wait for some to be answered");
        }
        if flights.contains_key(id) {
            return Err("a request with this id is under way; use another id");
        }
        let cancelled = CancellationToken::new();
        flights.insert(id.clone(), cancelled.clone());
        Ok(cancelled)
    }

    /// The plane's whole answer for the client, if it is an answer to this request.
    fn answer_to(&self, request: &Request<'_>, text: &str) -> Result<String, NoGo> {
        match Message::parse(text.as_bytes(), &self.limits) {
            Ok(Message::Response(response)) if response.id.as_ref() == Some(&request.id) => {
                Ok(text.to_owned())
            }
            _ => Err(nonsense()),
        }
    }

    fn refused(&self, trouble: Trouble) -> NoGo {
        match trouble {
            Trouble::Refused(why) => NoGo::Refused(why),
            Trouble::Stopped(why) => {
                self.stop_for(why);
                NoGo::Refused(self.stopped.get().cloned().unwrap_or_default())
            }
        }
    }

    /// Ends all of it, for good: calls under way are cut, the server is ended, and every request is told why.
    fn stop_for(&self, why: String) {
        let told = format!("{why}; restart this MCP server in your client once that is settled");
        if self.stopped.set(told).is_err() {
            return;
        }
        say(&format!("stopped: {why}"));
        self.plane.lease.revoke();
        self.stop.cancel();
        if let Some(Ok(child)) = self.child.get() {
            child.stop();
        }
    }
}

impl From<RpcError> for NoGo {
    fn from(error: RpcError) -> Self {
        Self::Protocol(error)
    }
}

/// Ids of our own requests, which no client's are like by chance.
struct OwnIds {
    prefix: String,
    next: AtomicI64,
}

impl OwnIds {
    fn new() -> Self {
        Self { prefix: format!("provost-{:016x}", rand::random::<u64>()), next: AtomicI64::new(1) }
    }

    fn next(&self) -> RequestId {
        RequestId::String(format!("{}-{}", self.prefix, self.next.fetch_add(1, Ordering::Relaxed)))
    }
}

fn list_request(id: &RequestId, cursor: Option<&str>, revision: Revision) -> String {
    let meta = json!({
        META_PROTOCOL_VERSION: revision.as_str(),
        META_CLIENT_CAPABILITIES: {},
    });
    let cursor = cursor.map(|cursor| ("cursor".to_owned(), Value::from(cursor)));
    let meta = (revision.era() == Era::Modern).then(|| ("_meta".to_owned(), meta));
    let params: Map<String, Value> = cursor.into_iter().chain(meta).collect();
    write_request(id, "tools/list", &Value::Object(params))
}

fn request_id(raw: Raw<'_>) -> Option<RequestId> {
    raw.as_i64()
        .map(RequestId::Integer)
        .or_else(|| raw.as_string().map(|text| RequestId::String(text.into_owned())))
}

fn nonsense() -> NoGo {
    NoGo::Refused(
        "the plane's answer is not understood; use the command line of the plane's own version".to_owned(),
    )
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const MESSAGE_BYTES_MAX: usize = 16 << 20;
const REQUESTS_MAX: usize = 64;
const QUESTIONS_OPEN_MAX: usize = 64;
const LINES_WAITING_MAX: usize = 16;
/// The plane answers sooner: after a quarter of its lease.
const WATCH_PATIENCE: Duration = Duration::from_secs(1);
const WATCH_AGAIN_AFTER: Duration = Duration::from_millis(100);
const LISTING_MAX: Duration = Duration::from_secs(30);
const CLOSING_MAX: Duration = Duration::from_secs(2);
