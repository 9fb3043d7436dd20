//! From what is on record to what baselines see.

use crate::{
    run::{Ended, Marker, Run, STEPS_MAX, Step},
    trace,
};
use provost_domain::{
    ArgsFrom, Charter, Completion, Decision, DecisionId, Digest, Directory, Origin, Outcome, Timestamp, Tool,
    ToolName, Verdict,
};
use serde::Deserialize as _;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// A run that is put together from its decisions, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    /// The run.
    pub run: Run,
    /// The decision behind each of its calls.
    pub decisions: Vec<DecisionId>,
    /// What each of them was about.
    actions: Vec<Digest>,
    /// Calls that were held and made again: should it turn out that something was done in between, they are calls of their own.
    replaced: Vec<Call>,
}

/// One call as it is on record.
#[derive(Debug, Clone)]
pub struct Call {
    /// The decision. Ids are made of the time, so they order calls of one run, whichever nodes decided them.
    pub decision: DecisionId,
    /// What it was about.
    pub action: Digest,
    /// The call as baselines see it.
    pub step: Step,
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
    pub fn push(&mut self, call: Call) -> bool {
        let again = self.actions.last() == Some(&call.action)
            && self.run.steps.last().is_some_and(|before| before.ended == Ended::Held);
        if again {
            let held = self.decisions.pop().zip(self.actions.pop()).zip(self.run.steps.pop());
            let held = held.map(|((decision, action), step)| Call { decision, action, step });
            self.replaced.extend(held.filter(|_| self.replaced.len() < STEPS_MAX));
        }
        let before = self.run.steps.len();
        self.run.push(call.step);
        if self.run.steps.len() > before {
            self.decisions.push(call.decision);
            self.actions.push(call.action);
        }
        again
    }

    /// Whether this decision is in it.
    #[must_use]
    pub fn has(&self, decision: DecisionId) -> bool {
        self.decisions.iter().rev().any(|known| *known == decision)
    }

    /// The call of this decision failed: says whether it is in the run, and was not known to have failed.
    pub fn failed(&mut self, decision: DecisionId) -> bool {
        let place = self.decisions.iter().rposition(|known| *known == decision);
        let step = place.and_then(|place| self.run.steps.get_mut(place));
        let done = step.filter(|step| step.ended == Ended::Done);
        done.map(|step| step.ended = Ended::Failed).is_some()
    }

    /// Takes in calls that others decided, each at its place in time; what is known of a call already gives way to what is on
    /// record. Says whether anything is otherwise than before.
    pub fn merge(&mut self, calls: impl IntoIterator<Item = Call>) -> bool {
        let before = self.run.steps.clone();
        let known = self.decisions.iter().zip(&self.actions).zip(std::mem::take(&mut self.run.steps));
        let known =
            known.map(|((decision, action), step)| Call { decision: *decision, action: *action, step });
        let known = known.chain(std::mem::take(&mut self.replaced));
        let mut all: BTreeMap<DecisionId, Call> = known.map(|call| (call.decision, call)).collect();
        all.extend(calls.into_iter().map(|call| (call.decision, call)));
        (self.decisions, self.actions) = (Vec::new(), Vec::new());
        for call in all.into_values() {
            self.push(call);
        }
        self.run.steps != before
    }

    /// As [`Recorded::push`], from a record.
    pub fn read(
        &mut self,
        what: (&Decision, Option<&Completion>),
        of: (&Directory, &Charter),
        marker: &Marker,
    ) {
        self.push(Call::read(what, of, marker));
    }
}

impl Call {
    /// From its record.
    #[must_use]
    pub fn read(
        (decision, completion): (&Decision, Option<&Completion>),
        (directory, charter): (&Directory, &Charter),
        marker: &Marker,
    ) -> Self {
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
        Self { decision: decision.id, action: decision.action, step }
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(at: i64) -> DecisionId {
        DecisionId::new(Timestamp::from_millis(at), [7; 10])
    }

    fn call(at: i64, tool: &str, ended: Ended) -> Call {
        let step = Step {
            system: "bank".to_owned(),
            tool: format!("bank/{tool}"),
            effectful: true,
            ended,
            steered: BTreeSet::new(),
            marks: BTreeSet::new(),
            labels: BTreeSet::new(),
        };
        Call { decision: id(at), action: Digest::of(tool.as_bytes()), step }
    }

    fn ended() -> impl Strategy<Value = Ended> {
        prop_oneof![Just(Ended::Done), Just(Ended::Failed), Just(Ended::Held), Just(Ended::Refused)]
    }

    proptest! {
        /// Whichever node decided a call, and whenever the others heard of it: it is the run that one node would have seen.
        #[test]
        fn a_run_over_several_nodes_is_the_run_that_one_would_have_seen(
            calls in prop::collection::vec((0_usize..3, ended(), any::<bool>(), any::<bool>()), 0..24),
        ) {
            let tools = ["read", "pay", "close"];
            let of = |(at, (tool, ended, ..)): (usize, &(usize, Ended, bool, bool))| {
                call(i64::try_from(at).unwrap() * 3, tools[*tool], *ended)
            };
            let mut one = Recorded::default();
            for row in calls.iter().enumerate() {
                one.push(of(row));
            }
            let (mut own, mut others) = (Recorded::default(), Vec::new());
            for (at, row) in calls.iter().enumerate() {
                match row.2 {
                    true => {
                        own.push(of((at, row)));
                    }
                    false => others.push(of((at, row))),
                }
                // Now and then it looks, again at what it has seen already.
                if row.3 {
                    own.merge(others.clone());
                }
            }
            own.merge(others.clone());
            prop_assert_eq!(&own.run, &one.run);
            prop_assert_eq!(&own.decisions, &one.decisions);
            prop_assert!(!own.merge(others), "nothing is new a second time");
        }
    }

    #[test]
    fn what_came_of_a_call_that_another_node_made_is_taken_over_from_its_record() {
        let mut run = Recorded::default();
        assert!(run.merge([call(1, "pay", Ended::Done)]));
        assert!(run.merge([call(1, "pay", Ended::Failed)]));
        assert_eq!(run.run.steps.iter().map(|step| step.ended).collect::<Vec<_>>(), [Ended::Failed]);
        assert!(!run.failed(id(1)), "that is known");
        run.push(call(2, "pay", Ended::Done));
        assert!(run.failed(id(2)) && !run.failed(id(2)) && !run.failed(id(9)));
    }
}
