//! What is usual for an agent, or for one kind of its tasks: learned from finished runs, slowly, and held against a frozen
//! reference ([`provost_domain::Usual`]).
//!
//! A baseline that follows what it sees can be led anywhere by small steps. So there are two counts: the **reference** of the
//! first runs, frozen after [`REFERENCE_RUNS`], and **recent** runs, of which at most [`RUNS_PER_PERIOD_MAX`] count in a period
//! ([`SAMPLE_PER_PERIOD_MAX`] once the reference is full) and which fade. Rarity is judged by the reference; a value counts as
//! usual if the reference saw it, or if a large part of recent runs did. How far the two have parted is a number
//! ([`Usual::shift`]) that somebody is told; the reference moves only when a person says so. A change of model or charter makes
//! a proposal, never a silent new start ([`Usual::changed`]): what runs do meanwhile, and runs that something was found about,
//! are put aside until a person agrees to them ([`Usual::agree`]).

use crate::run::{Ended, Run};
use provost_domain::{
    Timestamp,
    usual::{self, Counts, Usual, count},
};
use std::collections::BTreeSet;

/// Counts a finished run, unless the period has had its share. Says whether anything changed.
pub fn learn(usual: &mut Usual, run: &Run, now: Timestamp) -> bool {
    if usual.pending.is_some() {
        return put_aside(usual, run, now);
    }
    if !takes(usual, now) {
        return false;
    }
    if usual.reference.runs < REFERENCE_RUNS {
        add(&mut usual.reference, run);
    }
    add(&mut usual.recent, run);
    if usual.recent.runs >= RECENT_RUNS_MAX {
        usual.recent.halve();
    }
    true
}

/// Keeps a run apart: it makes nothing usual until a person says so. Says whether anything changed.
pub fn put_aside(usual: &mut Usual, run: &Run, now: Timestamp) -> bool {
    if usual.aside.runs >= REFERENCE_RUNS || !takes(usual, now) {
        return false;
    }
    add(&mut usual.aside, run);
    true
}

/// Whether one more run would count, or be put aside, now.
#[must_use]
pub fn has_room(usual: &Usual, now: Timestamp) -> bool {
    taken(usual, now).1 < places(usual)
}

/// Takes one of the places of the period, if one is left.
fn takes(usual: &mut Usual, now: Timestamp) -> bool {
    let (period, taken) = taken(usual, now);
    if taken >= places(usual) {
        return false;
    }
    usual.period = (period, taken.saturating_add(1));
    true
}

/// The period, and how many of its places are taken.
fn taken(usual: &Usual, now: Timestamp) -> (i64, u32) {
    let period = now.as_millis().div_euclid(PERIOD_MS);
    (period, if usual.period.0 == period { usual.period.1 } else { 0 })
}

fn places(usual: &Usual) -> u32 {
    if usual.reference.runs < REFERENCE_RUNS { RUNS_PER_PERIOD_MAX } else { SAMPLE_PER_PERIOD_MAX }
}

fn add(counts: &mut Counts, run: &Run) {
    counts.runs = counts.runs.saturating_add(1);
    // What was held or refused did not happen, and makes nothing usual.
    let happened = || run.steps.iter().filter(|step| matches!(step.ended, Ended::Done | Ended::Failed));
    let tools: BTreeSet<String> = happened().map(|step| step.tool.clone()).collect();
    let systems: BTreeSet<String> = happened().map(|step| step.system.clone()).collect();
    let marks: BTreeSet<_> = happened().flat_map(|step| step.marks.iter().copied()).collect();
    let labels: BTreeSet<_> = happened().flat_map(|step| step.labels.iter().cloned()).collect();
    let ended = |wanted: &[Ended]| run.steps.iter().filter(|step| wanted.contains(&step.ended)).count();
    let long = |count: usize| u64::try_from(count).unwrap_or(0);
    counts.failures = counts.failures.saturating_add(long(ended(&[Ended::Failed])));
    counts.refusals = counts.refusals.saturating_add(long(ended(&[Ended::Refused, Ended::Undeclared])));
    counts.calls = counts.calls.saturating_add(long(run.steps.len()));
    count(&mut counts.tools, tools, usual::TOOLS_MAX);
    count(&mut counts.systems, systems, usual::SYSTEMS_MAX);
    count(&mut counts.marks, marks, usual::MARKS_MAX);
    count(&mut counts.labels, labels, usual::LABELS_MAX);
    count(&mut counts.pairs, run.pairs(), usual::PAIRS_MAX);
    count(&mut counts.hours, [run.hour], usual::HOURS_MAX);
}

/// Runs after which the reference is frozen.
pub const REFERENCE_RUNS: u32 = 200;
/// Runs of one period that count at most: nobody changes what is usual in a day.
pub const RUNS_PER_PERIOD_MAX: u32 = 20;
/// As many once the reference is full: then they are a sample, and only show where things go.
pub const SAMPLE_PER_PERIOD_MAX: u32 = 5;
const PERIOD_MS: i64 = 24 * 60 * 60 * 1_000;
const RECENT_RUNS_MAX: u32 = 800;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Mark, Marker, Step};

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
        let mut baseline = Usual::default();
        for n in 0..6 {
            assert!(n > 2 || !baseline.is_usual(known), "too few to say");
            learn(&mut baseline, &run(&["bank/pay"], known, Ended::Done), day(n));
            learn(&mut baseline, &run(&["bank/pay"], held, Ended::Held), day(n));
        }
        assert!(baseline.is_usual(known) && !baseline.is_usual(held));
    }

    #[test]
    fn a_flood_in_one_day_makes_nothing_usual() {
        let marker = Marker::of("clerk");
        let (known, poison) = (marker.mark("bank/pay", "to", "DE1"), marker.mark("bank/pay", "to", "DE2"));
        let mut baseline = Usual::default();
        for n in 0..400 {
            learn(&mut baseline, &run(&["bank/pay"], known, Ended::Done), day(n / 5));
        }
        for _ in 0..1_000 {
            learn(&mut baseline, &run(&["bank/pay", "bank/close"], poison, Ended::Done), day(90));
        }
        assert!(!baseline.is_usual(poison), "at most {RUNS_PER_PERIOD_MAX} of a day count");
        for n in 91..200 {
            for _ in 0..1_000 {
                learn(&mut baseline, &run(&["bank/pay", "bank/close"], poison, Ended::Done), day(n));
            }
        }
        assert!(baseline.shift() > 0.3, "slow poisoning is seen as a shift: {}", baseline.shift());
        assert!(baseline.reference.surprise_of_tool("bank/close") > 3.0, "and stays a surprise");
    }

    #[test]
    fn after_a_change_nothing_is_usual_until_a_person_looked() {
        let mark = Marker::of("clerk").mark("bank/pay", "to", "DE1");
        let mut baseline = Usual::default();
        for n in 0..9 {
            learn(&mut baseline, &run(&["bank/pay"], mark, Ended::Done), day(n));
        }
        baseline.changed("the model is another");
        assert!(learn(&mut baseline, &run(&["x"], mark, Ended::Done), day(9)), "it is put aside");
        assert!(!baseline.is_usual(mark) && baseline.reference.runs == 9 && baseline.aside.runs == 1);
        baseline.agree(false);
        assert!(baseline.is_usual(mark) && !baseline.reference.tools.contains_key("x"));
    }

    #[test]
    fn what_something_was_found_about_is_usual_only_when_a_person_says_so() {
        let mark = Marker::of("clerk").mark("bank/pay", "to", "DE2");
        let mut baseline = Usual::default();
        for n in 0..30 {
            put_aside(&mut baseline, &run(&["bank/pay"], mark, Ended::Done), day(n));
        }
        assert!(!baseline.is_usual(mark) && baseline.reference.is_empty());
        baseline.agree(true);
        assert!(baseline.is_usual(mark));
    }
}
