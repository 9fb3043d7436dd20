//! One run, call by call, as a gateway sees it: the arguments are traced, the call is decided, and after the turn its results
//! go into the task's memory. A recorded call happened, whatever is decided now: what it answered is read all the same,
//! so later calls are judged with more in memory than they would meet.

use crate::{
    answer::{Answer, Answers},
    records::{Call, Run},
    world::{NOW, Suite, World},
};
use provost_domain::{Digest, Origin, TaskState, Tool, Usual, Verdict};
use provost_policy::Question;
use provost_watch::{
    Content, Memory,
    drift::{Against, Drift, Measure},
    memory::Received,
    run::{self, Ended, Marker, Step},
    trace,
};
use std::{collections::BTreeSet, sync::Arc};

/// What came of a run.
pub struct Replayed {
    /// Calls that were held or denied, with the reasons.
    pub stopped: Vec<Stopped>,
    /// The run as baselines see it.
    pub run: run::Run,
    /// Calls that do not fit the tool's own schema, or name no tool: refused here as they were refused there.
    pub malformed: usize,
}

pub struct Stopped {
    pub call: usize,
    pub tool: String,
    pub held: bool,
    pub why: Vec<String>,
}

/// Replays a run. With a baseline, values that are usual in its kind of task count as such.
pub fn replay(
    world: &World,
    suite: &Suite,
    answers: &Answers<'_>,
    run: &Run,
    usual: Option<&Usual>,
    past: &Against<'_>,
) -> Replayed {
    let words = run.prompt.as_deref().unwrap_or_default();
    let id = *Digest::of(run.id.as_bytes()).as_bytes().first_chunk().unwrap_or(&[0; 16]);
    let task = suite.task(id, words);
    let mut memory = Memory::new(&run.id, words);
    let marker = Marker::of(suite.agent.name.as_str());
    let mut state = TaskState::default();
    let mut replayed =
        Replayed { stopped: Vec::new(), run: run::Run { hour: 12, ..run::Run::default() }, malformed: 0 };
    let mut measure = Measure::begun(12, words);
    let mut turn: Vec<&Call> = Vec::new();
    for (at, call) in run.calls.iter().enumerate().filter(|(_, call)| call.executed) {
        if turn.last().is_some_and(|last| last.turn != call.turn) {
            turn.drain(..).for_each(|call| read(suite, answers, call, &mut memory, &mut state));
        }
        turn.push(call);
        let Some(tool) = suite.tools.get(&call.tool) else {
            replayed.malformed += 1;
            continue;
        };
        let path = tool.path();
        let mut known = trace::trace(&memory, tool, &call.args, &|arg, value| {
            usual.is_some_and(|known| known.is_usual(marker.mark(&path, arg, value)))
        });
        if !tool.only_reads() || tool.sends_out {
            let with = step(tool, call, &known.steered, &marker, Ended::Done);
            known.drift = Drift::hundredths(measure.score_with(&with, past));
        }
        let evaluation = world.pdp.decide(&Question {
            agent: &suite.agent,
            task: &task,
            state: &state,
            system: &suite.system,
            tool,
            pinned: true,
            args: &call.args,
            approvals: &[],
            exhausted: &[],
            args_from: &known,
            chain: &[],
            now: NOW,
        });
        let ended = match &evaluation.verdict {
            Verdict::Allow { .. } if call.error.is_some() => Ended::Failed,
            Verdict::Allow { .. } => Ended::Done,
            // What the schema refuses, the benchmark refused too.
            Verdict::Deny { .. } if call.error.is_some() => {
                replayed.malformed += 1;
                Ended::Failed
            }
            verdict => {
                let held = matches!(verdict, Verdict::Hold { .. });
                let mut why: Vec<String> = verdict.reasons().iter().map(|r| r.policy.clone()).collect();
                why.extend(known.why.iter().cloned());
                replayed.stopped.push(Stopped { call: at, tool: call.tool.clone(), held, why });
                Ended::Held
            }
        };
        let step = step(tool, call, &known.steered, &marker, ended);
        measure.add(&step, past);
        replayed.run.push(step);
    }
    replayed
}

/// Takes a result into the task.
fn read(suite: &Suite, answers: &Answers<'_>, call: &Call, memory: &mut Memory, state: &mut TaskState) {
    let Some(tool) = suite.tools.get(&call.tool) else { return };
    let answer = call.result.as_deref().and_then(|hash| answers.get(hash));
    let content = match (&call.error, &answer) {
        (Some(error), _) => Content::Error(error),
        (None, Some(Answer::Structured(value))) => Content::Structured(value),
        (None, Some(Answer::Text(text))) => Content::Text(text),
        (None, None) => return,
    };
    let chunk = memory.chunk(&Received { tool, args: &call.args, content });
    state.labels.extend(tool.labels().into_iter().cloned());
    state.version += 1;
    if let Some(chunk) = chunk {
        memory.add(state.version, chunk);
    }
}

/// A call as baselines see it, held or not: what was held counts in a history only where a person said yes.
fn step(tool: &Arc<Tool>, call: &Call, steered: &BTreeSet<Origin>, marker: &Marker, ended: Ended) -> Step {
    let path = tool.path();
    let marks = trace::steering_values(tool, &call.args);
    Step {
        system: tool.system.to_string(),
        effectful: !tool.only_reads() || tool.sends_out,
        ended,
        steered: steered.clone(),
        marks: marks.into_iter().map(|(arg, value)| marker.mark(&path, &arg, &value)).collect(),
        labels: tool.labels().into_iter().cloned().collect(),
        tool: path,
    }
}
