//! How unusual a run is, and why: against the charter first, then against its own past, then against peers.

use crate::run::{Ended, Run};
use provost_domain::{Origin, Usual};

/// What a run is held against. Where there is nothing, it is not.
#[derive(Debug, Clone, Copy, Default)]
pub struct Against<'a> {
    /// Earlier runs of the same kind of task.
    pub kind: Option<&'a Usual>,
    /// Everything the agent did.
    pub agent: Option<&'a Usual>,
    /// What agents with the same purpose do.
    pub peers: Option<&'a Usual>,
}

/// How unusual a run is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Drift {
    /// From 0; see [`NOTABLE`].
    pub score: f64,
    /// What is unusual, worst first.
    pub reasons: Vec<Unusual>,
}

/// One thing that is unusual.
#[derive(Debug, Clone, PartialEq)]
pub struct Unusual {
    /// Its share of the score.
    pub weight: f64,
    /// In words.
    pub what: String,
    /// Which call, from 0, if it is one.
    pub step: Option<usize>,
}

/// How unusual a run is so far.
#[must_use]
pub fn drift(run: &Run, against: &Against<'_>) -> Drift {
    let mut drift = Drift::default();
    drift.add(charter(run));
    drift.add(steered(run));
    let own = against.kind.filter(|kind| kind.reference.runs >= KIND_RUNS_MIN);
    match (own, against.agent.or(against.peers)) {
        (Some(kind), _) => past(run, kind, &mut drift),
        (None, Some(wider)) => at_large(run, wider, &mut drift),
        (None, None) => {}
    }
    drift.reasons.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    drift
}

impl Drift {
    fn add(&mut self, unusual: Option<Unusual>) {
        if let Some(unusual) = unusual.filter(|unusual| unusual.weight > 0.0) {
            self.score += unusual.weight;
            self.reasons.push(unusual);
        }
    }
}

/// Something was tried that the charter does not name: no past makes that usual.
fn charter(run: &Run) -> Option<Unusual> {
    let at = run.steps.iter().position(|step| step.ended == Ended::Undeclared)?;
    let what = format!("it tried {}, which its charter does not name", run.steps.get(at)?.tool);
    Some(Unusual { weight: UNDECLARED, what, step: Some(at) })
}

/// A call was held, and what steered it is why. What policies let through steers nothing worth a word here.
fn steered(run: &Run) -> Option<Unusual> {
    let worth = |origin: &Origin| -> f64 {
        match origin {
            Origin::Untrusted => 3.0,
            Origin::Unknown => 2.0,
            Origin::Contested => 2.5,
            Origin::Insider | Origin::Named => 1.5,
            Origin::Requester | Origin::Trusted | Origin::Usual | Origin::Derived => 0.5,
        }
    };
    let held = run.steps.iter().enumerate().filter(|(_, step)| step.ended == Ended::Held);
    worst(held.filter_map(|(at, step)| {
        let origin = step.steered.iter().max_by(|a, b| worth(a).total_cmp(&worth(b)))?;
        let what = format!("{} was held, and a value that steered it was {origin}", step.tool);
        Some(Unusual { weight: worth(origin), what, step: Some(at) })
    }))
}

/// Against earlier runs of the same kind of task: the rarest tool, value and order.
fn past(run: &Run, kind: &Usual, drift: &mut Drift) {
    let counts = &kind.reference;
    let steps = || run.steps.iter().enumerate();
    let tools = steps().map(|(at, step)| {
        let weight = counts.surprise_of_tool(&step.tool) * if step.effectful { 0.5 } else { 0.25 };
        Unusual { weight, what: format!("runs of this kind seldom use {}", step.tool), step: Some(at) }
    });
    drift.add(worst(tools));
    let values = steps().flat_map(|(at, step)| step.marks.iter().map(move |mark| (at, step, *mark)));
    drift.add(worst(values.map(|(at, step, mark)| {
        let what = format!("runs of this kind seldom call {} with such a value", step.tool);
        Unusual { weight: counts.surprise_of_mark(mark) * 0.3, what, step: Some(at) }
    })));
    drift.add(worst(run.pairs().into_iter().map(|pair| {
        let what = format!("in runs of this kind {} seldom follows {}", pair.1, pair.0);
        Unusual { weight: counts.surprise_of_pair(&pair) * 0.1, what, step: None }
    })));
    let labels = steps().flat_map(|(at, step)| step.labels.iter().map(move |label| (at, label)));
    drift.add(worst(labels.map(|(at, label)| {
        let what = format!("runs of this kind seldom read {label} data");
        Unusual { weight: counts.surprise_of_label(label) * 0.1, what, step: Some(at) }
    })));
    around(run, kind, drift);
}

/// Against everything the agent, or its peers, did: less is known, so less is said.
fn at_large(run: &Run, wider: &Usual, drift: &mut Drift) {
    let counts = &wider.reference;
    let effectful = run.steps.iter().enumerate().filter(|(_, step)| step.effectful);
    drift.add(worst(effectful.map(|(at, step)| {
        let weight = counts.surprise_of_tool(&step.tool) * 0.1;
        Unusual { weight, what: format!("the agent seldom uses {}", step.tool), step: Some(at) }
    })));
    let pairs = run.pairs();
    let count = f64::from(u32::try_from(pairs.len().max(1)).unwrap_or(u32::MAX));
    let surprise: f64 = pairs.iter().map(|pair| counts.surprise_of_pair(pair)).sum();
    let what = "its calls follow each other in an order the agent seldom uses".to_owned();
    drift.add(Some(Unusual { weight: surprise / count * 0.03, what, step: None }));
    around(run, wider, drift);
}

/// Hour, number of calls, failures and refusals.
fn around(run: &Run, baseline: &Usual, drift: &mut Drift) {
    let counts = &baseline.reference;
    let times = counts.times_the_usual_calls(run.steps.len());
    let what = format!("it made {times:.1} times as many calls as usual");
    drift.add(Some(Unusual { weight: times.ln() * 0.05, what, step: None }));
    if counts.runs >= HOUR_RUNS_MIN {
        let weight = counts.surprise_of_hour(run.hour) * 0.05;
        drift.add(Some(Unusual { weight, what: "it ran at an unusual hour".to_owned(), step: None }));
    }
    let troubles =
        run.steps.iter().filter(|step| matches!(step.ended, Ended::Failed | Ended::Refused)).count();
    let more = f64::from(u32::try_from(troubles).unwrap_or(u32::MAX)) - counts.usual_troubles();
    let what = "more of its calls than usual failed or were refused".to_owned();
    drift.add(Some(Unusual { weight: more.clamp(0.0, 10.0) * 0.01, what, step: None }));
}

fn worst(candidates: impl IntoIterator<Item = Unusual>) -> Option<Unusual> {
    candidates.into_iter().max_by(|a, b| a.weight.total_cmp(&b.weight))
}

/// Runs of a kind of task from which on it is held against its own past.
const KIND_RUNS_MIN: u32 = 3;
const HOUR_RUNS_MIN: u32 = 20;
const UNDECLARED: f64 = 3.0;
/// From here on a person should look.
pub const NOTABLE: f64 = 2.0;
