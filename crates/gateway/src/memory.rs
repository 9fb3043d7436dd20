//! What each task was given and has read, as this node knows it, and where the arguments of a call come from.
//!
//! The store has the truth: a chunk for each result, written in the transaction that records the outcome, before the
//! result is released, and under the version of the task's state that this makes. A decision is made on a version; so a node
//! that lacks a chunk finds that the task has moved, reads what it lacks, and decides again. Nothing of this is kept for
//! agents none of whose tools say what steers them.

use crate::{decide::Attempt, identify::Caller, outcome::Brought, pipeline::Pipeline, refusal::Refusal};
use moka::sync::Cache;
use provost_domain::{ArgsFrom, Completion, TaskId, TaskState};
use provost_watch::{Chunk, Content, Memory, memory::Received, trace};
use std::sync::Arc;

/// The memories of the tasks of a node.
pub(crate) struct Memories(Cache<TaskId, Known>);

/// What this node has of one task.
#[derive(Clone)]
struct Known {
    memory: Arc<Memory>,
    /// The version of the task's state up to which it has every chunk.
    version: u64,
}

impl Memories {
    pub(crate) fn new() -> Self {
        Self(Cache::builder().max_capacity(TASKS_REMEMBERED_MAX).build())
    }
}

impl Pipeline {
    /// Where the arguments of a call come from, for a task in this state, and how far its run is from what is usual.
    ///
    /// # Errors
    /// When what the task has read cannot be read: then nothing may be decided on it.
    pub(crate) async fn args_from(&self, attempt: &Attempt, version: u64) -> Result<ArgsFrom, Refusal> {
        let mut known = self.traced(attempt, version).await?;
        self.drift(attempt, &mut known).await?;
        Ok(known)
    }

    async fn traced(&self, attempt: &Attempt, version: u64) -> Result<ArgsFrom, Refusal> {
        let Some(tool) = attempt.tool.as_ref().filter(|_| is_traced(attempt)) else {
            return Ok(ArgsFrom::default());
        };
        // What only reads and says nothing of what steers it is judged by nothing that could be found.
        if tool.only_reads() && tool.steering.is_empty() && !tool.sends_out {
            return Ok(ArgsFrom::default());
        }
        let memory = self.memory(&attempt.caller, version).await?;
        Ok(trace::trace(&memory, tool, &attempt.args, &self.usual(attempt)))
    }

    /// What a result adds to the task's memory, before anybody sees it.
    ///
    /// # Errors
    /// As [`Pipeline::args_from`]: the result must then not be released.
    pub(crate) async fn chunk(&self, attempt: &Attempt, brought: &Brought) -> Result<Option<Chunk>, Refusal> {
        let Some(tool) = attempt.tool.as_ref().filter(|_| is_traced(attempt)) else { return Ok(None) };
        let version = self.task_state(attempt.caller.task.id).await?.version;
        let memory = self.memory(&attempt.caller, version).await?;
        let content = match brought {
            Brought::Structured(value) => Content::Structured(value),
            Brought::Text(text) => Content::Text(text),
            Brought::Error(text) => Content::Error(text),
            Brought::Unseen => Content::Unseen,
        };
        Ok(memory.chunk(&Received { tool, args: &attempt.args, content }))
    }

    /// Makes an outcome durable together with what its result brought, and remembers both.
    ///
    /// # Errors
    /// When it could not be made durable: the result must not be released.
    pub(crate) async fn complete(
        &self,
        caller: &Caller,
        completion: Completion,
        chunk: Option<Chunk>,
    ) -> Result<(), Refusal> {
        let task = caller.task.id;
        let Some(chunk) = chunk else {
            let state = self.journal.complete(completion, Some(task)).await?;
            self.remember(task, state);
            return Ok(());
        };
        let state = self.journal.complete_remembering(completion, task, chunk.to_bytes()).await?;
        self.keep(task, &state, chunk);
        self.remember(task, state);
        Ok(())
    }

    /// Keeps a chunk of this node's own, if nothing between is missing; otherwise it is read when it is needed.
    fn keep(&self, task: TaskId, state: &TaskState, chunk: Chunk) {
        let Some(known) = self.memories.0.get(&task) else { return };
        if known.version.checked_add(1) == Some(state.version) {
            let mut memory = known.memory.as_ref().clone();
            memory.add(state.version, chunk);
            self.memories.0.insert(task, Known { memory: Arc::new(memory), version: state.version });
        }
    }

    /// The memory of a task, with every chunk up to this version at least.
    async fn memory(&self, caller: &Caller, version: u64) -> Result<Arc<Memory>, Refusal> {
        let task = caller.task.id;
        let known = self.memories.0.get(&task);
        if let Some(known) = known.as_ref().filter(|known| known.version >= version) {
            return Ok(Arc::clone(&known.memory));
        }
        let after = known.as_ref().map_or(0, |known| known.version);
        let mut memory = known.map_or_else(|| begun(caller), |known| known.memory.as_ref().clone());
        let mut newest = version;
        for (at, bytes) in self.store.task_memory(task, after).await? {
            let chunk = Chunk::from_bytes(&bytes).map_err(|error| Refusal::internal(error.to_string()))?;
            memory.add(at, chunk);
            newest = newest.max(at);
        }
        let memory = Arc::new(memory);
        self.memories.0.insert(task, Known { memory: Arc::clone(&memory), version: newest });
        Ok(memory)
    }
}

/// The memory of a task that has read nothing. What a person asked for is the purpose of the first task of the chain;
/// the purpose that an agent gave to another is that agent's words.
fn begun(caller: &Caller) -> Memory {
    let first = caller.chain.last().map_or(&caller.task, |link| &link.task);
    let mut memory = Memory::new(&caller.task.id.to_string(), &first.purpose);
    first.given().for_each(|(name, text)| memory.given(name, &text));
    if !caller.chain.is_empty() {
        memory.handed_on(&caller.task.purpose);
    }
    memory
}

/// Whether any tool that the agent may call says what steers it.
pub(crate) fn is_traced(attempt: &Attempt) -> bool {
    let directory = &attempt.view.directory;
    attempt.tool.as_ref().is_some_and(|tool| !tool.steering.is_empty())
        || attempt.caller.agent.charter.grants.iter().any(|grant| {
            grant.tools.iter().any(|tool| {
                let found = directory.tools.get(&(grant.system.clone(), tool.clone()));
                found.is_some_and(|tool| !tool.steering.is_empty())
            })
        })
}

const TASKS_REMEMBERED_MAX: u64 = 10_000;
