//! The measuring: questions and a long wait at the plane's own faces, the order in the middle of them, and what came when.

use crate::{
    ControlError,
    access::Authorised,
    change::{Change, Draft},
    containment::{self, clean, prove},
    gone::{Door, DoorRequest},
    plane::Plane,
    task,
};
use provost_domain::{
    Agent, ArgsFrom, Drill, DurationMs, Name, Object, Restraint, Task, TaskState, Timestamp, Tool,
    containment::{Proof, Scope},
    drill::Measured,
};
use provost_lifecycle::task::Start;
use provost_policy::Question;
use serde_json::{Map, json};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinSet;

/// Orders, measures, proves.
///
/// # Errors
/// When it could not be carried out to its end.
pub(super) async fn measure(
    authorised: &Authorised<'_>,
    drill: &Drill,
    twin: &Agent,
) -> Result<Measured, ControlError> {
    let plane = &authorised.op.plane;
    let door = plane.door.get().cloned().ok_or_else(|| {
        ControlError::unavailable("this node does not listen, so nothing can be tried at its faces")
    })?;
    let task = begin(authorised, drill, twin).await?;
    let probe = harmless(plane, twin, &task)?;
    let token = task::issue(plane, &task, None)?.token;
    let stage = Arc::new(Stage {
        plane: Arc::clone(plane),
        door,
        question: json!({
            "subject": {"type": "agent", "id": twin.name},
            "action": {"name": probe.name},
            "resource": {"type": "system", "id": probe.system},
            "context": {"task": task.id},
        })
        .to_string(),
        token,
        over: AtomicBool::new(false),
        calls: Mutex::default(),
        listened_until: Mutex::default(),
    });
    let mut going: JoinSet<()> = JoinSet::new();
    for _caller in 0..CALLERS {
        going.spawn(Arc::clone(&stage).call());
    }
    going.spawn(Arc::clone(&stage).listen());
    let under_way = stage.until(|stage| stage.answered(true) >= CALLS_BEFORE).await;
    if !under_way {
        stage.end(going).await;
        return Err(ControlError::unavailable(
            "the canary was let through nowhere, so stopping it would show nothing",
        )
        .because(format!("it asked about {} before any order", probe.path())));
    }
    let ordering = plane.now();
    let scope = Scope { agent: Some(twin.name.clone()), ..Scope::default() };
    let why = format!("{}: this is a drill", drill.id);
    let order = containment::give(authorised, (scope, Restraint::Off), &why, (drill.by.clone(), true)).await;
    let acknowledged = plane.now();
    let seen =
        stage.until(|stage| stage.refused_after(acknowledged).is_some() && stage.listened().is_some()).await;
    stage.end(going).await;
    let order = order?;
    if !seen {
        return Err(ControlError::unavailable(format!(
            "nothing was refused, or what was in flight went on, for {GIVE_UP} after the order"
        )));
    }
    let systems = proven(plane, &order.id).await?;
    let calls = stage.calls.lock().unwrap_or_else(PoisonError::into_inner);
    let late = calls.iter().filter(|call| call.began > acknowledged && call.allowed).count();
    Ok(Measured {
        at: acknowledged,
        order: order.id,
        acknowledged: acknowledged.since(ordering),
        first_refused: stage_time(first_refused(&calls, ordering), acknowledged),
        last_ended: stage_time(stage.listened(), acknowledged),
        calls: u32::try_from(calls.len()).unwrap_or(u32::MAX),
        late: u32::try_from(late).unwrap_or(u32::MAX),
        systems,
    })
}

/// What asks, and what it heard.
struct Stage {
    plane: Arc<Plane>,
    door: Arc<Door>,
    question: String,
    token: String,
    over: AtomicBool,
    calls: Mutex<Vec<Call>>,
    listened_until: Mutex<Option<Timestamp>>,
}

#[derive(Debug, Clone, Copy)]
struct Call {
    began: Timestamp,
    ended: Timestamp,
    allowed: bool,
}

impl Stage {
    /// Asks the same harmless question again and again.
    async fn call(self: Arc<Self>) {
        while !self.over.load(Ordering::Relaxed) {
            let began = self.plane.now();
            let headers = vec![
                ("Authorization", format!("Bearer {}", self.door.token())),
                ("Content-Type", "application/json".to_owned()),
            ];
            let request = DoorRequest {
                method: "POST",
                path: "/access/v1/evaluation",
                host: self.plane.host(),
                headers,
                body: self.question.clone(),
            };
            let Ok(answer) = self.door.ask(&request).await else { continue };
            let allowed = answer.status == 200 && answer.text.contains("\"decision\":true");
            let ended = self.plane.now();
            self.heard(Call { began, ended, allowed });
            tokio::time::sleep(BREATH).await;
        }
    }

    fn heard(&self, call: Call) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.len() < CALLS_MAX {
            calls.push(call);
        }
    }

    /// Waits at the plane for a stop, as a supervisor does.
    async fn listen(self: Arc<Self>) {
        while !self.over.load(Ordering::Relaxed) {
            let request = DoorRequest {
                method: "GET",
                path: "/enforce/v1/lease?wait_ms=500",
                host: self.plane.host(),
                headers: vec![("Authorization", format!("Bearer {}", self.token))],
                body: String::new(),
            };
            let Ok(answer) = self.door.ask(&request).await else { continue };
            // Stopped while it waited, or its task was over before it asked again.
            if answer.text.contains("\"stopped\"") || answer.status == 401 {
                let mut until = self.listened_until.lock().unwrap_or_else(PoisonError::into_inner);
                *until = Some(self.plane.now());
                return;
            }
        }
    }

    async fn until(&self, holds: impl Fn(&Self) -> bool) -> bool {
        let began = self.plane.now();
        while self.plane.now().since(began) < GIVE_UP {
            if holds(self) {
                return true;
            }
            tokio::time::sleep(BREATH).await;
        }
        false
    }

    async fn end(&self, mut going: JoinSet<()>) {
        self.over.store(true, Ordering::Relaxed);
        let ending = async { while going.join_next().await.is_some() {} };
        let _in_time = tokio::time::timeout(GIVE_UP.to_std(), ending).await;
    }

    fn answered(&self, allowed: bool) -> usize {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.iter().filter(|call| call.allowed == allowed).count()
    }

    fn refused_after(&self, order: Timestamp) -> Option<Timestamp> {
        first_refused(&self.calls.lock().unwrap_or_else(PoisonError::into_inner), order)
    }

    fn listened(&self) -> Option<Timestamp> {
        *self.listened_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When the first call was refused that was answered after this moment.
fn first_refused(calls: &[Call], after: Timestamp) -> Option<Timestamp> {
    calls.iter().filter(|call| !call.allowed && call.ended >= after).map(|call| call.ended).min()
}

/// From the acknowledgement; nothing, if it came before.
fn stage_time(at: Option<Timestamp>, acknowledged: Timestamp) -> DurationMs {
    at.map_or(GIVE_UP, |at| at.since(acknowledged))
}

/// A task of the twin.
async fn begin(authorised: &Authorised<'_>, drill: &Drill, twin: &Agent) -> Result<Task, ControlError> {
    let plane = &authorised.op.plane;
    let start = Start {
        id: plane.new_task_id(),
        purpose: format!("{}: to be stopped", drill.id),
        requester: twin.charter.owner.clone(),
        inputs: Default::default(),
        duration: Some(TASK_LASTS.min(twin.charter.task_duration_max)),
        scope: None,
        parent: None,
        for_person: false,
        bill: None,
    };
    let task = provost_lifecycle::task::start(twin, start, plane.now())?;
    let (_seq, task) = authorised
        .change(&[], &drill.id, |_seen| {
            let drafts = vec![Draft::Put(Object::Task(task.clone()))];
            Ok(Change { drafts, what: format!("task of {} started", twin.name), answer: task.clone() })
        })
        .await?;
    Ok(task)
}

/// Something that the twin may ask about and that would only read, with no arguments.
fn harmless(plane: &Plane, twin: &Agent, task: &Task) -> Result<Arc<Tool>, ControlError> {
    let view = plane.replica.latest();
    let granted = |tool: &&Arc<Tool>| twin.charter.grants_tool(&tool.system, &tool.name) && tool.only_reads();
    let allowed = |tool: &&Arc<Tool>| {
        let Some(system) = view.directory.systems.get(&tool.system) else { return false };
        let question = Question {
            agent: twin,
            task,
            state: &TaskState::default(),
            system,
            tool,
            pinned: true,
            args: &Map::new(),
            args_from: &ArgsFrom::default(),
            approvals: &[],
            exhausted: &[],
            chain: &[],
            now: plane.now(),
        };
        view.pdp.decide(&question).verdict.is_allow()
    };
    let found = view.directory.tools.values().filter(granted).find(allowed).cloned();
    found.ok_or_else(|| {
        ControlError::refused(format!("there is nothing harmless that {} might ask about now", twin.name))
            .because("a drill asks about a granted operation that only reads and needs no arguments")
            .cure("grant one, or try within the hours of the charter")
    })
}

/// Waits until what is said of each system is known, and gives it.
async fn proven(plane: &Arc<Plane>, order: &str) -> Result<BTreeMap<Name, Proof>, ControlError> {
    let began = plane.now();
    loop {
        clean::once(plane).await?;
        prove::once(plane).await?;
        let view = plane.replica.latest();
        let row = view.directory.containments.get(order);
        let systems: BTreeMap<Name, Proof> = row
            .iter()
            .flat_map(|row| &row.systems)
            .map(|(name, known)| (name.clone(), known.proof))
            .collect();
        let known = systems.values().all(|proof| *proof != Proof::Unknown);
        if known || plane.now().since(began) > PROOF_MAX {
            return Ok(systems);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

const CALLERS: usize = 4;
const CALLS_BEFORE: usize = 8;
const CALLS_MAX: usize = 100_000;
const BREATH: Duration = Duration::from_millis(2);
const GIVE_UP: DurationMs = DurationMs::from_secs(15);
const PROOF_MAX: DurationMs = DurationMs::from_secs(30);
const TASK_LASTS: DurationMs = DurationMs::from_mins(5);
