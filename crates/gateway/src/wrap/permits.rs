//! The account of permits that wrappers hold: each gets exactly one outcome, whatever becomes of its wrapper.

use crate::{act::Running, refusal::Refusal};
use bytes::Bytes;
use moka::sync::Cache;
use provost_domain::{Clock, DecisionId, Digest, DurationMs, Name, Outcome, TaskId, Timestamp};
use provost_mcp::RpcError;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};
use tokio::sync::oneshot;

/// Permits handed out, and those that were spent lately. Bounded by the places among the calls at once.
pub(super) struct Permits(Arc<Books>);

struct Books {
    open: Mutex<HashMap<DecisionId, Open>>,
    closed: Cache<DecisionId, Closed>,
}

/// A permit that a wrapper holds.
struct Open {
    task: TaskId,
    told: oneshot::Sender<(Told, oneshot::Sender<Result<(), Refusal>>)>,
}

/// A permit that was spent.
#[derive(Clone)]
struct Closed {
    task: TaskId,
    /// The answer whose release it covered; `None` when there was none to release.
    released: Option<Digest>,
    why: String,
}

/// What a wrapper says came of its call.
pub(super) enum Told {
    /// The server answered so.
    Answered(Bytes),
    /// It was written to the server, and there is no answer.
    Lost(String),
    /// It was not written.
    Unsent(String),
}

impl Default for Permits {
    fn default() -> Self {
        let closed = Cache::builder().max_capacity(CLOSED_MAX).build();
        Self(Arc::new(Books { open: Mutex::default(), closed }))
    }
}

impl Permits {
    /// Enters a permit that is about to be handed out.
    pub(super) fn keep(&self, running: Running, heard: &Heard) {
        let (told, hears) = oneshot::channel();
        let caller = &running.attempt().caller;
        let open = Open { task: caller.task.id, told };
        self.0.open().insert(running.decision(), open);
        let silence = heard.silence(caller.task.id, &running.attempt().system.name);
        tokio::spawn(attend(Arc::clone(&self.0), running, hears, silence));
    }

    /// Takes a wrapper's word for what came of its call; on return it is durable. The first word counts: the same
    /// answer again is `Ok`, so that a wrapper can ask again after a broken connection.
    ///
    /// # Errors
    /// When the decision is not one of this task's, or is closed already: the result must not be released.
    pub(super) async fn tell(&self, decision: DecisionId, task: TaskId, told: Told) -> Result<(), Refusal> {
        let open = {
            let mut books = self.0.open();
            match books.get(&decision) {
                Some(open) if open.task != task => return Err(another()),
                _ => books.remove(&decision),
            }
        };
        let Some(open) = open else { return self.again(decision, task, &told) };
        let (reply, heard) = oneshot::channel();
        let gone = || Refusal::internal("the account of this call was lost");
        open.told.send((told, reply)).map_err(|_attendant_gone| gone())?;
        heard.await.map_err(|_attendant_gone| gone())?
    }

    fn again(&self, decision: DecisionId, task: TaskId, told: &Told) -> Result<(), Refusal> {
        let Some(closed) = self.0.closed.get(&decision) else {
            return Err(RpcError::invalid_request(format!("{decision} is no open decision"))
                .with_status(404)
                .into());
        };
        match told {
            _ if closed.task != task => Err(another()),
            Told::Answered(response) if closed.released == Some(Digest::of(response)) => Ok(()),
            Told::Answered(_) => Err(Refusal::Cut(closed.why)),
            Told::Lost(_) | Told::Unsent(_) => Ok(()),
        }
    }
}

/// Stays with a permit until there is an outcome.
async fn attend(
    books: Arc<Books>,
    mut running: Running,
    mut hears: oneshot::Receiver<(Told, oneshot::Sender<Result<(), Refusal>>)>,
    silence: Silence,
) {
    let (decision, task) = (running.decision(), running.attempt().caller.task.id);
    let call_duration_max = running.call_duration_max();
    let why = tokio::select! {
        biased;
        told = &mut hears => {
            if let Ok((told, reply)) = told {
                let outcome = close(&books, running, told).await;
                // A wrapper that hung up can ask again.
                let _hung_up = reply.send(outcome);
            }
            return;
        }
        why = running.stop_ordered() => why,
        () = tokio::time::sleep(call_duration_max.to_std()) => {
            format!("it lasted longer than `call_duration_max` ({call_duration_max})")
        }
        () = silence.kept() => format!("its wrapper was not heard of for {}", silence.most),
    };
    books.open().remove(&decision);
    books.closed.insert(decision, Closed { task, released: None, why: why.clone() });
    let refusal = running.cut(why).await;
    if let Ok((_too_late, reply)) = hears.try_recv() {
        let _hung_up = reply.send(Err(refusal));
    }
}

async fn close(books: &Books, running: Running, told: Told) -> Result<(), Refusal> {
    let (decision, task) = (running.decision(), running.attempt().caller.task.id);
    let closed = |released: Option<Digest>, why: &str| {
        books.closed.insert(decision, Closed { task, released, why: why.to_owned() });
    };
    match told {
        Told::Answered(response) => match running.finish_durably(&response).await {
            Ok(()) => {
                closed(Some(Digest::of(&response)), "another answer is on record for this call");
                Ok(())
            }
            Err(refusal) => {
                closed(None, "its outcome could not be recorded");
                Err(refusal)
            }
        },
        Told::Lost(why) => {
            running.close(Outcome::Unknown { error: shortened(&why) }).await;
            closed(None, &why);
            Ok(())
        }
        Told::Unsent(why) => {
            running.close(Outcome::Unsent { error: shortened(&why) }).await;
            closed(None, &why);
            Ok(())
        }
    }
}

/// When wrappers were last heard of, by task and system.
pub(super) struct Heard {
    at: Cache<(TaskId, Name), Arc<AtomicI64>>,
    clock: Arc<dyn Clock>,
    silence_max: DurationMs,
}

impl Heard {
    /// Of nobody yet. A wrapper asks several times within its lease; one that has been silent for some leases has cut
    /// its calls itself.
    pub(super) fn new(staleness_max: DurationMs, clock: Arc<dyn Clock>) -> Self {
        let silence_max = DurationMs(staleness_max.0.saturating_mul(SILENT_LEASES_MAX));
        Self { at: Cache::builder().max_capacity(TASKS_MAX).build(), clock, silence_max }
    }

    /// A wrapper of this task and system asked something.
    pub(super) fn touch(&self, task: TaskId, system: &Name) {
        let at = self.at.get_with((task, system.clone()), Arc::default);
        at.fetch_max(self.clock.now().as_millis(), Ordering::Relaxed);
    }

    fn silence(&self, task: TaskId, system: &Name) -> Silence {
        let at = self.at.get_with((task, system.clone()), Arc::default);
        Silence { at, clock: Arc::clone(&self.clock), most: self.silence_max }
    }
}

/// Waits for a wrapper to have been silent for too long.
struct Silence {
    at: Arc<AtomicI64>,
    clock: Arc<dyn Clock>,
    most: DurationMs,
}

impl Silence {
    async fn kept(&self) {
        loop {
            let heard = Timestamp::from_millis(self.at.load(Ordering::Relaxed));
            let silent = self.clock.now().since(heard);
            if silent > self.most {
                return;
            }
            tokio::time::sleep(DurationMs(self.most.0.saturating_sub(silent.0).max(LOOK_AGAIN_MS)).to_std())
                .await;
        }
    }
}

impl Books {
    fn open(&self) -> MutexGuard<'_, HashMap<DecisionId, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn another() -> Refusal {
    RpcError::invalid_request("this decision belongs to another task").with_status(403).into()
}

fn shortened(why: &str) -> String {
    why.chars().take(OUTCOME_ERROR_CHARS_MAX).collect()
}

const CLOSED_MAX: u64 = 100_000;
const TASKS_MAX: u64 = 100_000;
const LOOK_AGAIN_MS: u64 = 50;
const SILENT_LEASES_MAX: u64 = 3;
const OUTCOME_ERROR_CHARS_MAX: usize = 500;
