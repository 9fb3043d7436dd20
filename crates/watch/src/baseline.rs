//! What is usual for an agent, or for one kind of its tasks: learned from finished runs, slowly, and held against a frozen
//! reference.
//!
//! A baseline that follows what it sees can be led anywhere by small steps. So there are two counts: the **reference** of the
//! first runs, frozen after [`REFERENCE_RUNS`], and **recent** runs, of which at most [`RUNS_PER_PERIOD_MAX`] count in a period
//! and which fade. Rarity is judged by the reference; a value counts as usual if the reference saw it, or if a large part of
//! recent runs did. How far the two have parted is a number ([`Baseline::shift`]) that somebody is told; the reference moves only
//! when a person says so ([`Baseline::adopt`]). A change of model or charter makes a proposal, never a silent new start
//! ([`Baseline::changed`]).

use crate::run::{Ended, Mark, Run};
use provost_domain::{Label, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What is usual.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// The first runs, or those a person adopted.
    pub reference: Counts,
    /// Runs since, fading.
    pub recent: Counts,
    /// The period being counted, and how many of its runs count already.
    period: (i64, u32),
    /// Why somebody should look before this goes on counting as usual.
    pub pending: Option<String>,
}

/// In how many runs something occurred.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Runs counted.
    pub runs: u32,
    tools: BTreeMap<String, u32>,
    #[serde(with = "pairs")]
    pairs: BTreeMap<(String, String), u32>,
    marks: BTreeMap<Mark, u32>,
    labels: BTreeMap<Label, u32>,
    systems: BTreeMap<String, u32>,
    hours: BTreeMap<u8, u32>,
    /// Calls, failures and refusals of all runs together.
    calls: u64,
    failures: u64,
    refusals: u64,
}

impl Baseline {
    /// Counts a finished run, unless the period has had its share. Says whether it counted.
    pub fn learn(&mut self, run: &Run, now: Timestamp) -> bool {
        let period = now.as_millis().div_euclid(PERIOD_MS);
        if self.period.0 != period {
            self.period = (period, 0);
        }
        if self.period.1 >= RUNS_PER_PERIOD_MAX || self.pending.is_some() {
            return false;
        }
        self.period.1 += 1;
        if self.reference.runs < REFERENCE_RUNS {
            self.reference.add(run);
        }
        self.recent.add(run);
        if self.recent.runs >= RECENT_RUNS_MAX {
            self.recent.halve();
        }
        true
    }

    /// Whether a value at a place is usual.
    #[must_use]
    pub fn is_usual(&self, mark: Mark) -> bool {
        if self.reference.runs < USUAL_RUNS_MIN || self.pending.is_some() {
            return false;
        }
        let recent = self.recent.of(&self.recent.marks, &mark);
        self.reference.marks.contains_key(&mark)
            || recent >= USUAL_RUNS_MIN && recent.saturating_mul(RECENT_SHARE) >= self.recent.runs
    }

    /// How far recent runs have moved from the reference, from 0 to 1: the share of their use of tools that is elsewhere.
    #[must_use]
    pub fn shift(&self) -> f64 {
        let share = |counts: &Counts, tool: &String| -> f64 {
            let all: u32 = counts.tools.values().sum();
            f64::from(counts.of(&counts.tools, tool)) / f64::from(all.max(1))
        };
        let tools: BTreeSet<&String> = self.reference.tools.keys().chain(self.recent.tools.keys()).collect();
        let apart =
            tools.into_iter().map(|tool| (share(&self.reference, tool) - share(&self.recent, tool)).abs());
        apart.sum::<f64>() / 2.0
    }

    /// The model, prompt or charter changed: nothing counts as usual until a person has looked.
    pub fn changed(&mut self, what: impl Into<String>) {
        self.pending = Some(what.into());
    }

    /// A person looked: what recent runs did is the reference from now on; or, after a change, the old one goes on.
    pub fn adopt(&mut self, recent: bool) {
        if recent {
            self.reference = self.recent.clone();
        }
        self.pending = None;
    }
}

impl Counts {
    fn add(&mut self, run: &Run) {
        self.runs = self.runs.saturating_add(1);
        let mut seen = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for step in &run.steps {
            seen.0.insert(step.tool.clone());
            seen.1.insert(step.system.clone());
            // What was held or refused did not happen, and makes nothing usual.
            if matches!(step.ended, Ended::Done | Ended::Failed) {
                seen.2.extend(step.marks.iter().copied());
                seen.3.extend(step.labels.iter().cloned());
            }
            self.failures += u64::from(step.ended == Ended::Failed);
            self.refusals += u64::from(matches!(step.ended, Ended::Refused | Ended::Undeclared));
        }
        self.calls += u64::try_from(run.steps.len()).unwrap_or(0);
        count(&mut self.tools, seen.0);
        count(&mut self.systems, seen.1);
        count(&mut self.marks, seen.2);
        count(&mut self.labels, seen.3);
        count(&mut self.pairs, run.pairs());
        count(&mut self.hours, [run.hour]);
    }

    fn of<K: Ord>(&self, counts: &BTreeMap<K, u32>, key: &K) -> u32 {
        counts.get(key).copied().unwrap_or(0)
    }

    fn halve(&mut self) {
        self.runs /= 2;
        fade(&mut self.tools);
        fade(&mut self.pairs);
        fade(&mut self.marks);
        fade(&mut self.labels);
        fade(&mut self.systems);
        fade(&mut self.hours);
        (self.calls, self.failures, self.refusals) = (self.calls / 2, self.failures / 2, self.refusals / 2);
    }

    /// How surprising it is that a run uses this tool, in nats.
    #[must_use]
    pub fn surprise_of_tool(&self, tool: &str) -> f64 {
        self.surprise(self.tools.get(tool).copied().unwrap_or(0), 0.5)
    }

    /// … that this tool follows that one.
    #[must_use]
    pub fn surprise_of_pair(&self, pair: &(String, String)) -> f64 {
        self.surprise(self.of(&self.pairs, pair), 0.3)
    }

    /// … that a value stands at a place.
    #[must_use]
    pub fn surprise_of_mark(&self, mark: Mark) -> f64 {
        self.surprise(self.of(&self.marks, &mark), 0.5)
    }

    /// … that data with this label is read.
    #[must_use]
    pub fn surprise_of_label(&self, label: &Label) -> f64 {
        self.surprise(self.of(&self.labels, label), 0.5)
    }

    /// … that a run begins at this hour, an hour off counting half.
    #[must_use]
    pub fn surprise_of_hour(&self, hour: u8) -> f64 {
        let near = [(hour + 23) % 24, (hour + 1) % 24].map(|hour| self.of(&self.hours, &hour));
        self.surprise(self.of(&self.hours, &hour).saturating_add(near.iter().sum::<u32>() / 2), 1.0)
    }

    /// How many times the usual number of calls this is; 1 up to the usual.
    #[must_use]
    pub fn times_the_usual_calls(&self, calls: usize) -> f64 {
        let usual = number(self.calls) / f64::from(self.runs.max(1));
        (number(calls) / usual.max(1.0)).max(1.0)
    }

    /// Failures and refusals of a usual run.
    #[must_use]
    pub fn usual_troubles(&self) -> f64 {
        number(self.failures + self.refusals) / f64::from(self.runs.max(1))
    }

    fn surprise(&self, count: u32, prior: f64) -> f64 {
        -((f64::from(count) + prior) / (f64::from(self.runs) + 1.0)).min(1.0).ln()
    }
}

fn number(count: impl TryInto<u32>) -> f64 {
    f64::from(count.try_into().unwrap_or(u32::MAX))
}

fn count<K: Ord>(counts: &mut BTreeMap<K, u32>, keys: impl IntoIterator<Item = K>) {
    for key in keys {
        if counts.len() < KEYS_MAX || counts.contains_key(&key) {
            let count = counts.entry(key).or_default();
            *count = count.saturating_add(1);
        }
    }
}

fn fade<K: Ord>(counts: &mut BTreeMap<K, u32>) {
    counts.retain(|_, count| {
        *count /= 2;
        *count > 0
    });
}

/// A map with pairs for keys, as a list.
mod pairs {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};
    use std::collections::BTreeMap;

    type Pairs = BTreeMap<(String, String), u32>;

    pub(super) fn serialize<S: Serializer>(pairs: &Pairs, to: S) -> Result<S::Ok, S::Error> {
        pairs.iter().collect::<Vec<_>>().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Pairs, D::Error> {
        Ok(Vec::<((String, String), u32)>::deserialize(from)?.into_iter().collect())
    }
}

/// Runs after which the reference is frozen.
pub const REFERENCE_RUNS: u32 = 200;
/// Runs of one period that count at most: nobody changes what is usual in a day.
pub const RUNS_PER_PERIOD_MAX: u32 = 20;
const PERIOD_MS: i64 = 24 * 60 * 60 * 1_000;
/// Runs from which on anything is usual.
pub const USUAL_RUNS_MIN: u32 = 5;
/// A value that only recent runs use is usual when one in so many of them does.
const RECENT_SHARE: u32 = 4;
const RECENT_RUNS_MAX: u32 = 800;
/// Different things remembered of one kind.
const KEYS_MAX: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Marker, Step};

    fn run(tools: &[&str], mark: Mark, ended: Ended) -> Run {
        let step = |tool: &&str| Step {
            system: "bank".to_owned(),
            tool: (*tool).to_owned(),
            effectful: true,
            ended,
            steered: BTreeSet::new(),
            marks: BTreeSet::from([mark]),
            labels: BTreeSet::new(),
        };
        Run { steps: tools.iter().map(step).collect(), hour: 9 }
    }

    fn day(day: i64) -> Timestamp {
        Timestamp::from_millis(day * PERIOD_MS)
    }

    #[test]
    fn what_the_first_runs_did_is_usual_and_what_was_held_is_not() {
        let marker = Marker::of("clerk");
        let (known, held) = (marker.mark("bank/pay", "to", "DE1"), marker.mark("bank/pay", "to", "DE2"));
        let mut baseline = Baseline::default();
        for n in 0..6 {
            assert!(n > 2 || !baseline.is_usual(known), "too few to say");
            baseline.learn(&run(&["bank/pay"], known, Ended::Done), day(n));
            baseline.learn(&run(&["bank/pay"], held, Ended::Held), day(n));
        }
        assert!(baseline.is_usual(known) && !baseline.is_usual(held));
    }

    #[test]
    fn a_flood_in_one_day_makes_nothing_usual() {
        let marker = Marker::of("clerk");
        let (known, poison) = (marker.mark("bank/pay", "to", "DE1"), marker.mark("bank/pay", "to", "DE2"));
        let mut baseline = Baseline::default();
        for n in 0..400 {
            baseline.learn(&run(&["bank/pay"], known, Ended::Done), day(n / 5));
        }
        for _ in 0..1_000 {
            baseline.learn(&run(&["bank/pay", "bank/close"], poison, Ended::Done), day(90));
        }
        assert!(!baseline.is_usual(poison), "at most {RUNS_PER_PERIOD_MAX} of a day count");
        for n in 91..200 {
            for _ in 0..1_000 {
                baseline.learn(&run(&["bank/pay", "bank/close"], poison, Ended::Done), day(n));
            }
        }
        assert!(baseline.shift() > 0.3, "slow poisoning is seen as a shift: {}", baseline.shift());
        assert!(baseline.reference.surprise_of_tool("bank/close") > 3.0, "and stays a surprise");
    }

    #[test]
    fn after_a_change_nothing_is_usual_until_a_person_looked() {
        let mark = Marker::of("clerk").mark("bank/pay", "to", "DE1");
        let mut baseline = Baseline::default();
        for n in 0..9 {
            baseline.learn(&run(&["bank/pay"], mark, Ended::Done), day(n));
        }
        baseline.changed("the model is another");
        assert!(!baseline.is_usual(mark) && !baseline.learn(&run(&["x"], mark, Ended::Done), day(9)));
        baseline.adopt(false);
        assert!(baseline.is_usual(mark));
    }
}
