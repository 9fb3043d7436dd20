//! The plane as the wrapper sees it: the task and its token, the questions, and the lease.

use super::{Settings, say};
use crate::{Client, Exit, Failure, client::part};
use provost_api::{
    Because,
    agent::AgentView,
    system::SystemSummary,
    task::{ScopePart, TaskStart, TaskStarted, TaskSummary, TokenRequest},
};
use provost_domain::{DecisionId, Name, TaskId};
use provost_mcp::{Request, Revision};
use reqwest::Method;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json, value::RawValue};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::watch, time::Instant};

/// The plane.
pub(super) struct Plane {
    settings: Settings,
    session: tokio::sync::Mutex<Known>,
    /// Whether no plane answered the last time one was needed to begin.
    began: Mutex<Option<Exit>>,
    pub(super) lease: Lease,
}

/// What is known of our task.
enum Known {
    Nothing,
    /// It could not be had, at that moment.
    Refused(Instant, Trouble),
    Session(Session),
}

/// Our task, and who to ask with its token.
#[derive(Clone)]
struct Session {
    client: Client,
    system: Name,
    /// `None`: the token was handed in.
    task: Option<TaskId>,
    /// How many tokens came before this one.
    renewed: u64,
}

/// Why the plane does not let us go on.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
    /// Never again: the agent or the task was stopped.
    Stopped(String),
    /// Not this time.
    Refused(String),
}

/// What the plane says to a request. One of them.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    Permit { decision: DecisionId, lease_ms: u64 },
    Pass { lease_ms: u64 },
    Refused(Box<RawValue>),
    Held { approval: String, open_ms: u64, message: String, refused: Box<RawValue> },
    ListFirst {},
}

/// Where a held call stands.
#[derive(Deserialize)]
pub(super) struct Stands {
    pub(super) status: String,
    pub(super) message: String,
}

/// What came of a call.
pub(super) enum Told<'a> {
    Answered(&'a str),
    Lost(&'a str),
    Unsent(&'a str),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Watched {
    LeaseMs(u64),
    Stopped(String),
}

#[derive(Serialize)]
struct Asked<'a> {
    revision: &'static str,
    request: &'a RawValue,
    listed: bool,
    holds: bool,
}

#[derive(Serialize)]
struct Listed<'a> {
    revision: &'static str,
    method: &'a str,
    result: &'a RawValue,
}

#[derive(Deserialize)]
struct Shown {
    result: Box<RawValue>,
}

impl Plane {
    pub(super) fn new(settings: Settings) -> Self {
        let session = tokio::sync::Mutex::new(Known::Nothing);
        Self { settings, session, began: Mutex::default(), lease: Lease::default() }
    }

    /// Returns once there is a task and the lease holds.
    pub(super) async fn ready(&self) -> Result<(), Trouble> {
        if self.lease.holds() {
            return Ok(());
        }
        self.watch(Duration::ZERO).await
    }

    /// Asks for a decision on a request.
    pub(super) async fn decide(
        &self,
        request: &Request<'_>,
        revision: Revision,
        listed: bool,
    ) -> Result<Answer, Trouble> {
        let raw: &RawValue = request.raw.read().map_err(unreadable)?;
        let asked = Asked { revision: revision.as_str(), request: raw, listed, holds: true };
        let (answer, sent) = self.ask::<Answer>(Method::POST, "decide", Some(&asked)).await?;
        if let Answer::Permit { lease_ms, .. } | Answer::Pass { lease_ms } = &answer {
            self.lease.extend(sent, *lease_ms);
        }
        Ok(answer)
    }

    /// Where a held call stands; waits a little, for the plane to have something new to say.
    pub(super) async fn stands(&self, approval: &str, patience: Duration) -> Result<Stands, Trouble> {
        let path = format!("/held/{}?wait_ms={}", part(approval), patience.as_millis());
        Ok(self.ask_at::<Stands>(Method::GET, |_session| path.clone(), None::<&()>).await?.0)
    }

    /// Tells what came of a call. `Ok` means that it is on record.
    pub(super) async fn complete(&self, decision: DecisionId, told: &Told<'_>) -> Result<(), Trouble> {
        let body = match told {
            Told::Answered(response) => {
                let response: Box<RawValue> =
                    RawValue::from_string((*response).to_owned()).map_err(unreadable)?;
                return self.told(&Answered { decision, response }).await;
            }
            Told::Lost(why) => json!({ "decision": decision, "lost": why }),
            Told::Unsent(why) => json!({ "decision": decision, "unsent": why }),
        };
        self.told(&body).await
    }

    async fn told(&self, body: &impl Serialize) -> Result<(), Trouble> {
        let (recorded, _sent) = self.ask::<Value>(Method::POST, "complete", Some(body)).await?;
        match recorded.get("recorded") {
            Some(Value::Bool(true)) => Ok(()),
            _ => Err(Trouble::Refused("the plane's answer is not understood".to_owned())),
        }
    }

    /// What of a list the client may see.
    pub(super) async fn list(
        &self,
        method: &str,
        result: &str,
        revision: Revision,
    ) -> Result<Box<RawValue>, Trouble> {
        let result: &RawValue = serde_json::from_str(result).map_err(unreadable)?;
        let listed = Listed { revision: revision.as_str(), method, result };
        Ok(self.ask::<Shown>(Method::POST, "list", Some(&listed)).await?.0.result)
    }

    /// Waits, `patience` at most, for a stop; otherwise the lease goes on.
    pub(super) async fn watch(&self, patience: Duration) -> Result<(), Trouble> {
        let what = format!("watch?wait_ms={}", patience.as_millis());
        match self.ask::<Watched>(Method::GET, &what, None::<&()>).await? {
            (Watched::Stopped(why), _) => Err(Trouble::Stopped(why)),
            (Watched::LeaseMs(lease_ms), sent) => {
                self.lease.extend(sent, lease_ms);
                Ok(())
            }
        }
    }

    /// Whether there is a task already.
    pub(super) async fn has_begun(&self) -> bool {
        matches!(*self.session.lock().await, Known::Session(_))
    }

    /// How the program is to end when it never had a task; `None` when it had one.
    pub(super) fn never_began(&self) -> Option<Exit> {
        *self.began.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the task, if we started it.
    pub(super) async fn end(&self, why: &str) {
        let Known::Session(Session { task: Some(task), .. }) = &*self.session.lock().await else { return };
        let Some(starter) = &self.settings.starter else { return };
        let (path, because) =
            (format!("tasks/{}/end", part(&task.to_string())), Because { reason: why.to_owned() });
        let ending = starter.post::<TaskSummary>(&path, &because);
        if !matches!(tokio::time::timeout(END_MAX, ending).await, Ok(Ok(_))) {
            say(&format!("the task {task} could not be ended; it ends by itself when its time is up"));
        }
    }

    /// Asks under our system's address; a token that has expired is renewed once.
    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        what: &str,
        body: Option<&impl Serialize>,
    ) -> Result<(T, Instant), Trouble> {
        let path = |session: &Session| format!("/enforce/v1/{}/{what}", part(session.system.as_str()));
        self.ask_at(method, path, body).await
    }

    async fn ask_at<T: DeserializeOwned>(
        &self,
        method: Method,
        path: impl Fn(&Session) -> String,
        body: Option<&impl Serialize>,
    ) -> Result<(T, Instant), Trouble> {
        let mut renewed = false;
        loop {
            let session = self.session().await?;
            let path = path(&session);
            let sent = Instant::now();
            let asking =
                tokio::time::timeout(ANSWER_MAX, session.client.ask::<T>(method.clone(), &path, body));
            match asking.await {
                Ok(Ok(answer)) => return Ok((answer, sent)),
                Ok(Err(failure)) if code(&failure) == "token-expired" && !renewed => {
                    renewed = true;
                    self.renew(&session).await?;
                }
                Ok(Err(failure)) => return Err(trouble(&failure)),
                Err(_elapsed) => {
                    let seconds = ANSWER_MAX.as_secs();
                    return Err(Trouble::Refused(format!(
                        "the plane at {} did not answer within {seconds} s",
                        self.settings.url
                    )));
                }
            }
        }
    }

    async fn session(&self) -> Result<Session, Trouble> {
        let mut known = self.session.lock().await;
        match &*known {
            Known::Session(session) => return Ok(session.clone()),
            Known::Refused(at, trouble) if at.elapsed() < BEGIN_AGAIN_AFTER => return Err(trouble.clone()),
            Known::Refused(..) | Known::Nothing => {}
        }
        let begun = tokio::time::timeout(ANSWER_MAX, self.begin()).await;
        let begun = begun.unwrap_or_else(|_elapsed| {
            Err(Failure::new(format!("the plane at {} does not answer", self.settings.url))
                .exit(Exit::Unreachable))
        });
        let mut began = self.began.lock().unwrap_or_else(PoisonError::into_inner);
        match begun {
            Ok(session) => {
                *began = None;
                *known = Known::Session(session.clone());
                Ok(session)
            }
            Err(failure) => {
                *began = Some(failure.exit);
                let trouble = Trouble::Refused(words(&failure));
                *known = Known::Refused(Instant::now(), trouble.clone());
                Err(trouble)
            }
        }
    }

    /// Starts the task, for this system alone.
    async fn begin(&self) -> Result<Session, Failure> {
        let wanted = &self.settings;
        let (Some(starter), None) = (&wanted.starter, &wanted.token) else {
            let (Some(token), Some(system)) = (&wanted.token, &wanted.system) else {
                return Err(Failure::usage("a task token that is handed in is for one system")
                    .cure("name it with --system"));
            };
            let client = Client::with_token(&wanted.url, token.clone())?;
            return Ok(Session { client, system: system.clone(), task: None, renewed: 0 });
        };
        let system = match &wanted.system {
            Some(system) => system.clone(),
            None => only_local_system(starter, &wanted.agent).await?,
        };
        let of_program = ("server", wanted.command.as_slice());
        let bill = wanted.made_of.bill(starter, &wanted.agent, of_program).await?;
        let start = TaskStart {
            bill,
            agent: wanted.agent.clone(),
            purpose: wanted.purpose.clone(),
            requester: None,
            inputs: Default::default(),
            duration: wanted.duration,
            scope: Some(vec![ScopePart {
                system: system.clone(),
                tools: Vec::new(),
                args: Default::default(),
            }]),
            system: Some(system.clone()),
        };
        let started: TaskStarted = starter.post("tasks", &start).await?;
        let task = started.task.id;
        say(&format!(
            "started {task} of {}: every call on {system} is decided by {}",
            wanted.agent, wanted.url
        ));
        Ok(Session {
            client: Client::with_token(&wanted.url, started.token)?,
            system,
            task: Some(task),
            renewed: 0,
        })
    }

    async fn renew(&self, old: &Session) -> Result<(), Trouble> {
        let mut known = self.session.lock().await;
        let Known::Session(session) = &mut *known else { return Ok(()) };
        if session.renewed != old.renewed {
            return Ok(()); // somebody was faster
        }
        let (Some(task), Some(starter)) = (session.task, &self.settings.starter) else {
            let text = "the task token that was handed in has expired: hand in another one and restart this MCP server";
            return Err(Trouble::Stopped(text.to_owned()));
        };
        let path = format!("tasks/{}/token", part(&task.to_string()));
        let request = TokenRequest { system: Some(session.system.clone()) };
        let asking = tokio::time::timeout(ANSWER_MAX, starter.post::<TaskStarted>(&path, &request)).await;
        let late = |_elapsed| Trouble::Refused("the plane did not renew the task's token in time".to_owned());
        let started = asking.map_err(late)?.map_err(|failure| trouble(&failure))?;
        session.client =
            Client::with_token(&self.settings.url, started.token).map_err(|failure| trouble(&failure))?;
        session.renewed = session.renewed.saturating_add(1);
        Ok(())
    }
}

#[derive(Serialize)]
struct Answered {
    decision: DecisionId,
    response: Box<RawValue>,
}

/// How long the wrapper may act on what the plane said last.
pub(super) struct Lease(watch::Sender<Option<Instant>>);

impl Default for Lease {
    fn default() -> Self {
        Self(watch::channel(None).0)
    }
}

impl Lease {
    /// The plane's word counts from the moment it was asked for, which is before it was given.
    fn extend(&self, asked: Instant, lease_ms: u64) {
        let until = asked.checked_add(Duration::from_millis(lease_ms.min(LEASE_MS_MAX)));
        self.0.send_if_modified(|known| {
            let later = until > *known;
            if later {
                *known = until;
            }
            later
        });
    }

    /// Whether something may be forwarded now.
    pub(super) fn holds(&self) -> bool {
        self.0.borrow().is_some_and(|until| Instant::now() < until)
    }

    /// Nothing holds any more.
    pub(super) fn revoke(&self) {
        self.0.send_replace(None);
    }

    /// Returns when it does not hold.
    pub(super) async fn lost(&self) {
        let mut moves = self.0.subscribe();
        loop {
            let until = *moves.borrow_and_update();
            let Some(until) = until.filter(|until| Instant::now() < *until) else { return };
            tokio::select! {
                () = tokio::time::sleep_until(until) => {}
                _moved = moves.changed() => {}
            }
        }
    }
}

async fn only_local_system(starter: &Client, agent: &Name) -> Result<Name, Failure> {
    let seen: AgentView = starter.get(&format!("agents/{}", part(agent.as_str()))).await?;
    let reached = seen.charter.systems();
    let systems = starter.list::<SystemSummary>("systems", &json!({}), SYSTEMS_MAX).await?;
    let local = systems.items.into_iter().filter(|system| system.connection == "mcp-local");
    let mut found: Vec<Name> =
        local.map(|system| system.name).filter(|name| reached.contains(name)).collect();
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        (Some(last), false) => {
            found.push(last);
            let names: Vec<String> = found.iter().map(ToString::to_string).collect();
            Err(Failure::usage(format!(
                "the charter of {agent} reaches several local systems: {}",
                names.join(", ")
            ))
            .cure("name the one that this server is with --system"))
        }
        (None, _) => Err(Failure::usage(format!("the charter of {agent} reaches no local system"))
            .because("a system is local when its file says `local = true`")
            .cure("declare this server as one, grant it to the agent, and apply")),
    }
}

fn trouble(failure: &Failure) -> Trouble {
    match code(failure) {
        "task-ended" | "agent-unknown" | "cut" => Trouble::Stopped(words(failure)),
        _ => Trouble::Refused(words(failure)),
    }
}

fn code(failure: &Failure) -> &str {
    let kind = failure.problem.as_ref().map(|problem| problem.kind.as_str());
    kind.and_then(|kind| kind.strip_prefix("urn:provost:problem:")).unwrap_or_default()
}

/// A failure in one line.
fn words(failure: &Failure) -> String {
    let because = failure.because.as_ref().map(|because| format!(" ({because})")).unwrap_or_default();
    let cure = failure.cure.as_ref().map(|cure| format!("; {cure}")).unwrap_or_default();
    format!("{}{because}{cure}", failure.error)
}

fn unreadable(error: serde_json::Error) -> Trouble {
    Trouble::Refused(format!("the message cannot be handed to the plane: {error}"))
}

/// How long a question may take altogether. A permit that comes later finds its lease gone.
const ANSWER_MAX: Duration = Duration::from_secs(10);
const END_MAX: Duration = Duration::from_secs(3);
/// A plane that could not be had is not asked again for this long.
const BEGIN_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// No plane gives more; one that says so is not believed.
const LEASE_MS_MAX: u64 = 60_000;
const SYSTEMS_MAX: usize = 10_000;

/// Shared with whoever writes to the server.
pub(super) type Shared = Arc<Plane>;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lease_counts_from_the_question_and_never_gets_shorter_by_an_older_answer() {
        let lease = Lease::default();
        assert!(!lease.holds());
        lease.lost().await;
        let now = Instant::now();
        lease.extend(now, 60);
        assert!(lease.holds());
        lease.extend(now - Duration::from_millis(50), 60);
        assert!(lease.holds());
        lease.lost().await;
        assert!(now.elapsed() >= Duration::from_millis(60) && !lease.holds());
        lease.extend(Instant::now(), u64::MAX);
        let forever = lease.0.borrow().unwrap() - Instant::now();
        assert!(forever <= Duration::from_millis(LEASE_MS_MAX));
        lease.revoke();
        lease.lost().await;
    }
}
