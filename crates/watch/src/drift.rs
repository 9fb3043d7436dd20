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
        if let Some((past, usual)) = against.past() {
            reasons.extend(self.around(&usual.reference, past));
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
        let more = number(self.troubles) - counts.usual_troubles();
        around.push(unusual(Class::Troubles, more.clamp(0.0, 10.0) * 0.01, self.troubles.to_string()));
        around
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
mod tests {
    use super::*;
    use crate::run::{Mark, Marker};
    use proptest::prelude::*;

    fn step() -> impl Strategy<Value = Step> {
        let ended = prop_oneof![
            Just(Ended::Done),
            Just(Ended::Failed),
            Just(Ended::Held),
            Just(Ended::Refused),
            Just(Ended::Undeclared)
        ];
        (0_usize..5, any::<bool>(), ended, 0_usize..9, 0_u64..4, "[ab]").prop_map(
            |(tool, effectful, ended, origin, mark, label)| Step {
                system: "bank".to_owned(),
                tool: format!("bank/t{tool}"),
                effectful,
                ended,
                steered: BTreeSet::from([*Origin::ALL.get(origin).unwrap()]),
                marks: BTreeSet::from([Mark(mark)]),
                labels: BTreeSet::from([label.parse().unwrap()]),
            },
        )
    }

    fn learned(runs: &[Vec<Step>]) -> Usual {
        let mut usual = Usual::default();
        for (day, steps) in runs.iter().enumerate() {
            let at = provost_domain::Timestamp::from_millis(i64::try_from(day).unwrap() * 86_400_000);
            crate::baseline::learn(&mut usual, &Run { steps: steps.clone(), hour: 9 }, at);
        }
        usual
    }

    proptest! {
        /// What is asked before a call is what is known after it, but for what only a whole run shows.
        #[test]
        fn a_call_weighs_before_it_is_made_what_it_weighs_afterwards(
            past in prop::collection::vec(prop::collection::vec(step(), 0..4), 0..6),
            steps in prop::collection::vec(step(), 1..6),
            of_kind in any::<bool>(),
        ) {
            let usual = learned(&past);
            let against = match of_kind {
                true => Against { kind: Some(&usual), ..Against::default() },
                false => Against { agent: Some(&usual), ..Against::default() },
            };
            let mut measure = Measure::begun(9, "");
            let around = |measure: &Measure| -> f64 {
                let of_whole = |unusual: &&Unusual| {
                    matches!(unusual.class, Class::Calls | Class::Orders | Class::Troubles | Class::Hour)
                };
                measure.drift(&against).reasons.iter().filter(of_whole).map(|unusual| unusual.weight).sum()
            };
            for step in &steps {
                let before = measure.score_with(step, &against) - around(&measure);
                measure.add(step, &against);
                let after = measure.drift(&against).score - around(&measure);
                prop_assert!((before - after).abs() < 1e-9, "{} {}", before, after);
            }
        }
    }

    #[test]
    fn what_the_charter_does_not_name_is_notable_at_once_with_no_past_at_all() {
        let marker = Marker::of("clerk");
        let step = Step {
            system: "bank".to_owned(),
            tool: "bank/close".to_owned(),
            effectful: true,
            ended: Ended::Undeclared,
            steered: BTreeSet::new(),
            marks: BTreeSet::from([marker.mark("bank/close", "to", "DE1")]),
            labels: BTreeSet::new(),
        };
        let found = drift(&Run { steps: vec![step], hour: 9 }, "", &Against::default());
        assert!(found.score >= NOTABLE && found.reasons.first().unwrap().class == Class::Undeclared);
    }

    #[test]
    fn what_the_purpose_does_not_speak_of_weighs_more_when_content_steered_it_and_little_otherwise() {
        let step = |ended, from| Step {
            system: "bank".to_owned(),
            tool: "bank/send_message".to_owned(),
            effectful: true,
            ended,
            steered: BTreeSet::from([from]),
            marks: BTreeSet::new(),
            labels: BTreeSet::new(),
        };
        let score = |purpose: &str, ended, from| {
            drift(&Run { steps: vec![step(ended, from)], hour: 9 }, purpose, &Against::default()).score
        };
        let table = [
            ("Send what I owe", Ended::Held, Origin::Untrusted, 3.0),
            ("Pay what I owe", Ended::Held, Origin::Untrusted, 4.5),
            ("Pay what I owe", Ended::Held, Origin::Requester, 0.8),
            ("Pay what I owe", Ended::Done, Origin::Trusted, 0.3),
            ("Messages for Bob", Ended::Done, Origin::Trusted, 0.0),
            ("", Ended::Done, Origin::Trusted, 0.0),
        ];
        for (purpose, ended, from, wanted) in table {
            let found = score(purpose, ended, from);
            assert!((found - wanted).abs() < 1e-9, "{purpose} {ended:?} {from}: {found}");
        }
    }
}
