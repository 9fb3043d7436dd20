//! How unusual a run is, and why: against the charter first, then against its own past, then against peers. Call by call
//! ([`Measure::add`]), so that it is known while the run goes on; the same for a whole run at once ([`drift`]).

use crate::{
    run::{Ended, Run, Step},
    unusual::{Asked, Class, Unusual},
};
use provost_domain::{Label, Origin, Usual, origin::DRIFT_NOTED, usual::Counts};
use std::collections::{BTreeMap, BTreeSet};

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

/// A run being measured: the worst of each class so far, so that a call costs the same however long the run is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measure {
    worst: BTreeMap<Class, Unusual>,
    last: Option<String>,
    pairs: BTreeSet<(String, String)>,
    surprise_of_pairs: f64,
    steps: usize,
    troubles: usize,
    hour: u8,
    asked: Asked,
}

impl Drift {
    /// The score as policies see it, in hundredths; 0 where that is no more than runs differ.
    #[must_use]
    pub fn hundredths(score: f64) -> u32 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
        let hundredths = (score * 100.0).floor().clamp(0.0, 1e6) as u32;
        if hundredths < DRIFT_NOTED { 0 } else { hundredths }
    }
}

/// How unusual a run is.
#[must_use]
pub fn drift(run: &Run, purpose: &str, against: &Against<'_>) -> Drift {
    let mut measure = Measure::begun(run.hour, purpose);
    run.steps.iter().for_each(|step| measure.add(step, against));
    measure.end(against);
    measure.drift(against)
}

impl Measure {
    /// Of a run that began at this hour, for this purpose.
    #[must_use]
    pub fn begun(hour: u8, purpose: &str) -> Self {
        Self { hour, asked: Asked::of(purpose), ..Self::default() }
    }

    /// Takes a call in.
    pub fn add(&mut self, step: &Step, against: &Against<'_>) {
        let at = Some(self.steps);
        for (class, weight) in self.weigh(step, against) {
            let subject = match class {
                Class::Order => format!("{} after {}", step.tool, self.before()),
                Class::Label => label(step, against),
                _ => step.tool.clone(),
            };
            self.note(class, weight, &subject, at);
        }
        if let Some((Past::Wider, usual)) = against.past() {
            self.pair(&step.tool, &usual.reference);
        }
        let troubled = matches!(step.ended, Ended::Failed | Ended::Refused);
        self.troubles = self.troubles.saturating_add(usize::from(troubled));
        self.steps = self.steps.saturating_add(1);
        self.last = Some(step.tool.clone());
    }

    /// A call that was taken in as done has failed.
    pub fn failed(&mut self) {
        self.troubles = self.troubles.saturating_add(1);
    }

    /// The score if this call were made now: what is asked before it is decided, so it costs no copy of what is known.
    #[must_use]
    pub fn score_with(&self, step: &Step, against: &Against<'_>) -> f64 {
        let mut score = self.drift(against).score;
        let mut counted: BTreeMap<Class, f64> = BTreeMap::new();
        for (class, weight) in self.weigh(step, against) {
            let place = class.place();
            let known = self.worst.get(&place).map_or(0.0, |known| known.weight);
            let more = counted.entry(place).or_insert(known);
            if weight > *more {
                score += weight - *more;
                *more = weight;
            }
        }
        score
    }

    /// What this call weighs, class by class.
    fn weigh(&self, step: &Step, against: &Against<'_>) -> Vec<(Class, f64)> {
        let mut weights = Vec::new();
        match step.ended {
            Ended::Undeclared => {
                weights
                    .push((Class::Undeclared, if step.effectful { UNDECLARED } else { UNDECLARED_READING }));
            }
            Ended::Held => {
                weights.extend(step.steered.iter().map(|from| (Class::Steered(*from), worth(*from))))
            }
            Ended::Done | Ended::Failed | Ended::Refused => {}
        }
        let known = against.kind.filter(|usual| usual.reference.runs >= KIND_RUNS_MIN).is_some();
        // Where the kind of task is known, what it uses says more than its words.
        if !known && step.effectful && !self.asked.for_tool(&step.tool) {
            // A call that waits for other reasons than what steered it says nothing of the purpose.
            let turned =
                step.ended == Ended::Held && step.steered.iter().any(|from| worth(*from) > WORTH_LITTLE);
            let weight = if turned { UNASKED_HELD } else { UNASKED };
            weights.push((Class::Unasked, weight));
        }
        match against.past() {
            // Against earlier runs of the same kind of task: the rarest tool, value, label and order.
            Some((Past::Kind, usual)) => {
                let counts = &usual.reference;
                let tool = counts.surprise_of_tool(&step.tool) * if step.effectful { 0.5 } else { 0.25 };
                weights.push((Class::Tool, tool));
                let values = step.marks.iter().map(|mark| counts.surprise_of_mark(*mark) * 0.3);
                weights.extend(values.map(|weight| (Class::Value, weight)));
                let labels = step.labels.iter().map(|label| counts.surprise_of_label(label) * 0.1);
                weights.extend(labels.map(|weight| (Class::Label, weight)));
                let pair = (self.before(), step.tool.clone());
                weights.push((Class::Order, counts.surprise_of_pair(&pair) * 0.1));
            }
            // Against everything the agent, or its peers, did: less is known, so less is said.
            Some((Past::Wider, usual)) if step.effectful => {
                weights.push((Class::Seldom, usual.reference.surprise_of_tool(&step.tool) * 0.1));
            }
            Some((Past::Wider, _)) | None => {}
        }
        weights
    }

    fn before(&self) -> String {
        self.last.clone().unwrap_or_else(|| "^".to_owned())
    }

    /// The run is over: nothing follows its last call.
    pub fn end(&mut self, against: &Against<'_>) {
        match against.past() {
            Some((Past::Kind, usual)) => {
                let pair = (self.before(), "$".to_owned());
                let weight = usual.reference.surprise_of_pair(&pair) * 0.1;
                self.note(Class::Order, weight, &format!("nothing after {}", pair.0), None);
            }
            Some((Past::Wider, usual)) => self.pair("$", &usual.reference),
            None => {}
        }
    }

    /// How unusual it is so far.
    #[must_use]
    pub fn drift(&self, against: &Against<'_>) -> Drift {
        let mut reasons: Vec<Unusual> = self.worst.values().cloned().collect();
        match against.past() {
            Some((past, usual)) => reasons.extend(self.around(&usual.reference, past)),
            // With no past at all some trouble is nothing, and a heap of it is something.
            None => reasons.extend(self.troubled(0.0).filter(|_| number(self.troubles) > TROUBLES_MANY)),
        }
        reasons.retain(|unusual| unusual.weight > 0.0);
        reasons.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        Drift { score: reasons.iter().map(|unusual| unusual.weight).sum(), reasons }
    }

    /// This tool comes after the last one.
    fn pair(&mut self, next: &str, counts: &Counts) {
        let pair = (self.before(), next.to_owned());
        let surprise = counts.surprise_of_pair(&pair);
        if self.pairs.len() < PAIRS_MAX && self.pairs.insert(pair) {
            self.surprise_of_pairs += surprise;
        }
    }

    /// Hour, number of calls, failures and refusals; and the order, where only the whole of it says something.
    fn around(&self, counts: &Counts, past: Past) -> Vec<Unusual> {
        let unusual = |class, weight, what: String| Unusual { weight, class, subject: what, step: None };
        let times = counts.times_the_usual_calls(self.steps);
        let mut around = vec![unusual(Class::Calls, times.ln() * 0.05, format!("{times:.1}"))];
        if past == Past::Wider {
            let mean = self.surprise_of_pairs / number(self.pairs.len().max(1));
            around.push(unusual(Class::Orders, mean * 0.03, String::new()));
        }
        if counts.runs >= HOUR_RUNS_MIN {
            let weight = counts.surprise_of_hour(self.hour) * 0.05;
            around.push(unusual(Class::Hour, weight, format!("{}:00", self.hour)));
        }
        around.extend(self.troubled(counts.usual_troubles()));
        around
    }

    /// More failures and refusals than usual: a few weigh next to nothing, since models mistype; a heap of them is somebody who
    /// tries what works.
    fn troubled(&self, usual: f64) -> Option<Unusual> {
        let more = number(self.troubles) - usual;
        let heap = (more - TROUBLES_MANY).clamp(0.0, TROUBLES_HEAP);
        let weight = more.clamp(0.0, TROUBLES_MANY) * 0.01 + heap * 0.1;
        (weight > 0.0).then(|| Unusual {
            weight,
            class: Class::Troubles,
            subject: self.troubles.to_string(),
            step: None,
        })
    }

    /// Keeps it if it is the worst of its class.
    fn note(&mut self, class: Class, weight: f64, subject: &str, step: Option<usize>) {
        let place = class.place();
        if self.worst.get(&place).is_none_or(|known| weight > known.weight) {
            let unusual = Unusual { weight, class, subject: subject.to_owned(), step };
            self.worst.insert(place, unusual);
        }
    }
}

/// What the past of a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Past {
    Kind,
    Wider,
}

impl<'a> Against<'a> {
    /// How many runs there are to hold it against; nothing when there are too few of any.
    #[must_use]
    pub fn runs(&self) -> Option<u32> {
        self.past().map(|(_, usual)| usual.reference.runs)
    }

    /// Its own kind of task if that is known well enough; otherwise everything the agent did; otherwise its peers.
    fn past(&self) -> Option<(Past, &'a Usual)> {
        let known = |usual: &&'a Usual| usual.reference.runs >= KIND_RUNS_MIN;
        let wider = || self.agent.filter(known).or_else(|| self.peers.filter(known));
        self.kind
            .filter(known)
            .map(|usual| (Past::Kind, usual))
            .or_else(|| wider().map(|usual| (Past::Wider, usual)))
    }
}

/// A call was held, and what steered it is why. What policies let through steers nothing worth a word here.
const fn worth(origin: Origin) -> f64 {
    match origin {
        Origin::Untrusted => 3.0,
        Origin::Unknown => 2.0,
        Origin::Contested => 2.5,
        Origin::Insider | Origin::Named => 1.5,
        Origin::Requester | Origin::Trusted | Origin::Usual | Origin::Derived => WORTH_LITTLE,
    }
}

/// The label that is rarest.
fn label(step: &Step, against: &Against<'_>) -> String {
    let Some((_, usual)) = against.past() else { return String::new() };
    let surprise = |label: &&Label| usual.reference.surprise_of_label(label);
    let rarest = step.labels.iter().max_by(|a, b| surprise(a).total_cmp(&surprise(b)));
    rarest.map(ToString::to_string).unwrap_or_default()
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Runs of a kind of task from which on it is held against its own past.
const KIND_RUNS_MIN: u32 = 3;
const HOUR_RUNS_MIN: u32 = 20;
const PAIRS_MAX: usize = 1_024;
/// So many failures and refusals more than usual are what runs have that differ from each other at all …
const TROUBLES_MANY: f64 = 10.0;
/// … and so many more than that are as bad as it gets: notable after 29.
const TROUBLES_HEAP: f64 = 25.0;
/// Nothing in the purpose names what an effectful call does: little by itself, since people say one thing in many words.
const UNASKED: f64 = 0.3;
/// … and the call was held because of what steered it.
const UNASKED_HELD: f64 = 1.5;
const WORTH_LITTLE: f64 = 0.5;
const UNDECLARED: f64 = 3.0;
const UNDECLARED_READING: f64 = 2.5;
/// From here on a person should look.
pub const NOTABLE: f64 = 2.0;

#[cfg(test)]
mod tests;
