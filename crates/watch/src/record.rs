//! From what is on record to what baselines see.

use crate::{
    run::{Ended, Marker, Run, Step},
    trace,
};
use provost_domain::{
    ArgsFrom, Charter, Completion, Decision, DecisionId, Digest, Directory, Origin, Outcome, Timestamp, Tool,
    ToolName, Verdict,
};
use serde::Deserialize as _;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// A run that is put together from its decisions, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    /// The run.
    pub run: Run,
    /// The decision behind each of its calls.
    pub decisions: Vec<DecisionId>,
    last: Option<Digest>,
}

/// What one decision was about.
#[derive(Debug, Clone, Copy)]
pub struct Decided<'a> {
    /// `system/tool`.
    pub path: &'a str,
    /// The operation as reviewed, if it was.
    pub tool: Option<&'a Tool>,
    /// Its arguments.
    pub args: &'a Map<String, Value>,
    /// Where those came from that steer it.
    pub steered: &'a BTreeSet<Origin>,
}

impl Recorded {
    /// Of a task that began then.
    #[must_use]
    pub fn begun(started: Timestamp) -> Self {
        Self { run: Run { hour: hour(started), ..Run::default() }, ..Self::default() }
    }

    /// Takes the next decision in. The same call made again after it was held is the same call, and takes its place: says whether
    /// it did.
    pub fn push(&mut self, step: Step, decision: DecisionId, action: Digest) -> bool {
        let again = self.last == Some(action)
            && self.run.steps.last().is_some_and(|before| before.ended == Ended::Held);
        if again {
            self.run.steps.pop();
            self.decisions.pop();
        }
        let before = self.run.steps.len();
        self.run.push(step);
        if self.run.steps.len() > before {
            self.decisions.push(decision);
        }
        self.last = Some(action);
        again
    }

    /// As [`Recorded::push`], from a record.
    pub fn read(
        &mut self,
        (decision, completion): (&Decision, Option<&Completion>),
        (directory, charter): (&Directory, &Charter),
        marker: &Marker,
    ) {
        let name = decision.tool.strip_prefix(&format!("{}/", decision.system)).unwrap_or(&decision.tool);
        let name: Option<ToolName> = name.parse().ok();
        let tool =
            name.as_ref().and_then(|name| directory.tools.get(&(decision.system.clone(), name.clone())));
        let declared = name.is_some_and(|name| charter.grants_tool(&decision.system, &name));
        let ended = ended(&decision.verdict, completion.map(|completion| &completion.outcome), declared);
        let empty = Map::new();
        let args = decision.input.get("args").and_then(Value::as_object).unwrap_or(&empty);
        let known = decision.input.get("args_from").and_then(|known| ArgsFrom::deserialize(known).ok());
        let known = known.unwrap_or_default();
        let decided =
            Decided { path: &decision.tool, tool: tool.map(|tool| &**tool), args, steered: &known.steered };
        let mut step = step(&decided, ended, marker);
        if let Some(completion) = completion {
            step.labels.clone_from(&completion.labels);
        }
        self.push(step, decision.id, decision.action);
    }
}

/// A call as baselines see it; the labels of what it returned come later.
#[must_use]
pub fn step(decided: &Decided<'_>, ended: Ended, marker: &Marker) -> Step {
    let Decided { path, tool, args, steered } = decided;
    let marks = tool.map(|tool| trace::steering_values(tool, args)).unwrap_or_default();
    Step {
        system: path.split_once('/').map_or(*path, |(system, _)| system).to_owned(),
        effectful: tool.is_some_and(|tool| !tool.only_reads() || tool.sends_out),
        ended,
        steered: (*steered).clone(),
        marks: marks.into_iter().map(|(arg, value)| marker.mark(path, &arg, &value)).collect(),
        labels: BTreeSet::new(),
        tool: (*path).to_owned(),
    }
}

/// What came of a call. One that was sent and of which nothing is known counts as done.
#[must_use]
pub fn ended(verdict: &Verdict, outcome: Option<&Outcome>, declared: bool) -> Ended {
    match (verdict, outcome) {
        (Verdict::Allow { .. }, Some(Outcome::Failure { .. } | Outcome::Unsent { .. })) => Ended::Failed,
        (Verdict::Allow { .. }, _) => Ended::Done,
        (Verdict::Hold { .. }, _) => Ended::Held,
        (Verdict::Deny { .. }, _) if declared => Ended::Refused,
        (Verdict::Deny { .. }, _) => Ended::Undeclared,
    }
}

/// The hour of the day, UTC.
#[must_use]
pub fn hour(at: Timestamp) -> u8 {
    u8::try_from(at.as_millis().div_euclid(3_600_000).rem_euclid(24)).unwrap_or(0)
}
