//! What is usual, as counts of runs: how often a tool, an order of two tools, a value, a label, a system or an hour occurred.
//! Nothing here holds a text that a task read or an argument that was given: values are marks.

use crate::Label;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::collections::{BTreeMap, BTreeSet};

/// What is usual: a **reference** that is frozen once it is full, and **recent** runs that fade.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usual {
    /// The first runs, or those a person agreed to.
    pub reference: Counts,
    /// Runs since, fading.
    pub recent: Counts,
    /// Runs that count for nothing until a person says so: after a change, or because something about them was found.
    #[serde(default, skip_serializing_if = "Counts::is_empty")]
    pub aside: Counts,
    /// The period being counted, and how many of its runs count already.
    pub period: (i64, u32),
    /// Why nothing counts as usual until a person has looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<String>,
}

/// In how many runs something occurred.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Runs counted.
    pub runs: u32,
    /// Tools, `system/tool`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tools: BTreeMap<String, u32>,
    /// A tool and the one after it; `^` and `$` are the ends of a run.
    #[serde(with = "listed", skip_serializing_if = "BTreeMap::is_empty")]
    pub pairs: BTreeMap<(String, String), u32>,
    /// Values that steered calls, at their places.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub marks: BTreeMap<Mark, u32>,
    /// Labels of data that was read.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<Label, u32>,
    /// Systems.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub systems: BTreeMap<String, u32>,
    /// Hours of the day at which runs began.
    #[serde(with = "listed", skip_serializing_if = "BTreeMap::is_empty")]
    pub hours: BTreeMap<u8, u32>,
    /// Calls of all runs together.
    pub calls: u64,
    /// Calls that failed.
    pub failures: u64,
    /// Calls that were refused.
    pub refusals: u64,
}

/// A value at a place (tool and argument), as a number: the same on every node, no text. Written as sixteen hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark(pub u64);

impl Usual {
    /// Whether a value at a place is usual.
    #[must_use]
    pub fn is_usual(&self, mark: Mark) -> bool {
        if self.reference.runs < USUAL_RUNS_MIN || self.pending.is_some() {
            return false;
        }
        let recent = of(&self.recent.marks, &mark);
        self.reference.marks.contains_key(&mark)
            || recent >= USUAL_RUNS_MIN && recent.saturating_mul(RECENT_SHARE) >= self.recent.runs
    }

    /// How far recent runs have moved from the reference, from 0 to 1.
    #[must_use]
    pub fn shift(&self) -> f64 {
        self.recent.apart(&self.reference)
    }

    /// The model, prompt or charter changed: nothing counts as usual until a person has looked. What runs do meanwhile is
    /// put aside.
    pub fn changed(&mut self, what: impl Into<String>) {
        if self.pending.is_none() {
            self.aside = Counts::default();
        }
        self.pending = Some(what.into());
    }

    /// A person looked. `new`: what was put aside is usual, after a change instead of what was, otherwise besides it. Or else
    /// what was usual before goes on, and what was put aside is forgotten.
    pub fn agree(&mut self, new: bool) {
        let aside = std::mem::take(&mut self.aside);
        let changed = self.pending.take().is_some();
        match (new, changed) {
            (true, true) => (self.reference, self.recent) = (aside.clone(), aside),
            (true, false) => {
                self.reference.merge(&aside);
                self.recent.merge(&aside);
            }
            (false, _) => {}
        }
    }

    /// Recent runs are the reference from now on.
    pub fn adopt(&mut self) {
        self.reference = self.recent.clone();
        self.pending = None;
    }
}

impl Counts {
    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs == 0
    }

    /// How far the use of tools is from another's, from 0 to 1: the share of it that is elsewhere.
    #[must_use]
    pub fn apart(&self, other: &Self) -> f64 {
        let all = |counts: &Self| f64::from(counts.tools.values().sum::<u32>().max(1));
        let (own, others) = (all(self), all(other));
        let share = |counts: &Self, tool: &String, all: f64| f64::from(of(&counts.tools, tool)) / all;
        let tools: BTreeSet<&String> = self.tools.keys().chain(other.tools.keys()).collect();
        let apart = tools.into_iter().map(|tool| (share(self, tool, own) - share(other, tool, others)).abs());
        apart.sum::<f64>() / 2.0
    }

    /// The tool whose use is furthest from another's, with how many of a hundred runs use it here and there.
    #[must_use]
    pub fn most_apart<'a>(&'a self, other: &'a Self) -> Option<(&'a str, u32, u32)> {
        let of_100 =
            |counts: &Self, tool: &String| of(&counts.tools, tool).saturating_mul(100) / counts.runs.max(1);
        let both = |tool| (of_100(self, tool), of_100(other, tool));
        let tools: BTreeSet<&String> = self.tools.keys().chain(other.tools.keys()).collect();
        let most = tools.into_iter().max_by_key(|tool| both(tool).0.abs_diff(both(tool).1))?;
        Some((most.as_str(), both(most).0, both(most).1))
    }

    /// Adds what another counted.
    pub fn merge(&mut self, other: &Self) {
        self.runs = self.runs.saturating_add(other.runs);
        merge(&mut self.tools, &other.tools, TOOLS_MAX);
        merge(&mut self.pairs, &other.pairs, PAIRS_MAX);
        merge(&mut self.marks, &other.marks, MARKS_MAX);
        merge(&mut self.labels, &other.labels, LABELS_MAX);
        merge(&mut self.systems, &other.systems, SYSTEMS_MAX);
        merge(&mut self.hours, &other.hours, HOURS_MAX);
        self.calls = self.calls.saturating_add(other.calls);
        self.failures = self.failures.saturating_add(other.failures);
        self.refusals = self.refusals.saturating_add(other.refusals);
    }

    /// Counts half.
    pub fn halve(&mut self) {
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
        self.surprise(of(&self.pairs, pair), 0.3)
    }

    /// … that a value stands at a place.
    #[must_use]
    pub fn surprise_of_mark(&self, mark: Mark) -> f64 {
        self.surprise(of(&self.marks, &mark), 0.5)
    }

    /// … that data with this label is read.
    #[must_use]
    pub fn surprise_of_label(&self, label: &Label) -> f64 {
        self.surprise(of(&self.labels, label), 0.5)
    }

    /// … that a run begins at this hour, an hour off counting half.
    #[must_use]
    pub fn surprise_of_hour(&self, hour: u8) -> f64 {
        let near = [(hour + 23) % 24, (hour + 1) % 24].map(|hour| of(&self.hours, &hour));
        self.surprise(of(&self.hours, &hour).saturating_add(near.iter().sum::<u32>() / 2), 1.0)
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
        number(self.failures.saturating_add(self.refusals)) / f64::from(self.runs.max(1))
    }

    fn surprise(&self, count: u32, prior: f64) -> f64 {
        -((f64::from(count) + prior) / (f64::from(self.runs) + 1.0)).min(1.0).ln()
    }
}

/// Counts each of these once, of a kind of which at most so many different ones are remembered.
pub fn count<K: Ord>(counts: &mut BTreeMap<K, u32>, keys: impl IntoIterator<Item = K>, max: usize) {
    for key in keys {
        if counts.len() < max || counts.contains_key(&key) {
            let count = counts.entry(key).or_default();
            *count = count.saturating_add(1);
        }
    }
}

fn of<K: Ord>(counts: &BTreeMap<K, u32>, key: &K) -> u32 {
    counts.get(key).copied().unwrap_or(0)
}

fn merge<K: Ord + Clone>(counts: &mut BTreeMap<K, u32>, other: &BTreeMap<K, u32>, max: usize) {
    for (key, more) in other {
        if counts.len() < max || counts.contains_key(key) {
            let count = counts.entry(key.clone()).or_default();
            *count = count.saturating_add(*more);
        }
    }
}

fn fade<K: Ord>(counts: &mut BTreeMap<K, u32>) {
    counts.retain(|_, count| {
        *count /= 2;
        *count > 0
    });
}

fn number(count: impl TryInto<u32>) -> f64 {
    f64::from(count.try_into().unwrap_or(u32::MAX))
}

impl Serialize for Mark {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&format!("{:016x}", self.0))
    }
}

impl<'de> Deserialize<'de> for Mark {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        u64::from_str_radix(&text, 16).map(Self).map_err(de::Error::custom)
    }
}

/// A map whose keys are no texts, as a list.
mod listed {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::collections::BTreeMap;

    pub(super) fn serialize<K: Serialize, S: Serializer>(
        counts: &BTreeMap<K, u32>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        counts.iter().collect::<Vec<_>>().serialize(to)
    }

    pub(super) fn deserialize<'de, K: Deserialize<'de> + Ord, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<K, u32>, D::Error> {
        Ok(Vec::<(K, u32)>::deserialize(from)?.into_iter().collect())
    }
}

/// Runs from which on anything is usual.
pub const USUAL_RUNS_MIN: u32 = 5;
/// A value that only recent runs use is usual when one in so many of them does.
const RECENT_SHARE: u32 = 4;
/// Different tools remembered.
pub const TOOLS_MAX: usize = 128;
/// Different pairs of tools remembered.
pub const PAIRS_MAX: usize = 512;
/// Different values remembered.
pub const MARKS_MAX: usize = 512;
/// Different labels remembered.
pub const LABELS_MAX: usize = 64;
/// Different systems remembered.
pub const SYSTEMS_MAX: usize = 64;
/// Hours of a day.
pub const HOURS_MAX: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_usual_reads_as_it_was_written() {
        let mut usual = Usual::default();
        usual.reference.runs = 7;
        usual.reference.marks.insert(Mark(u64::MAX), 3);
        usual.reference.pairs.insert(("^".to_owned(), "bank/pay".to_owned()), 2);
        usual.reference.hours.insert(9, 7);
        usual.aside.runs = 1;
        let text = serde_json::to_string(&usual).unwrap();
        assert!(text.contains("ffffffffffffffff"), "no number that is too large for JSON: {text}");
        assert_eq!(serde_json::from_str::<Usual>(&text).unwrap(), usual);
        // As a row of the plane, too, whose kind is read before what is in it.
        let of = crate::BaselineOf::Agent { agent: "clerk".parse().unwrap() };
        let row = crate::Baseline { usual, ..crate::Baseline::begun(of, crate::Timestamp::from_millis(1)) };
        let row = crate::Object::Baseline(Box::new(row));
        let text = serde_json::to_string(&row).unwrap();
        assert_eq!(serde_json::from_str::<crate::Object>(&text).unwrap(), row);
    }

    #[test]
    fn how_far_two_uses_of_tools_are_apart_is_a_share_of_them() {
        let counts = |runs, tools: &[(&str, u32)]| Counts {
            runs,
            tools: tools.iter().map(|(tool, count)| ((*tool).to_owned(), *count)).collect(),
            ..Counts::default()
        };
        let (a, b) = (counts(10, &[("read", 10), ("pay", 10)]), counts(50, &[("read", 50), ("close", 50)]));
        assert!((a.apart(&b) - 0.5).abs() < 1e-9 && a.apart(&a) < 1e-9);
        assert!((a.apart(&counts(9, &[("other", 9)])) - 1.0).abs() < 1e-9);
        assert_eq!(a.most_apart(&b), Some(("pay", 100, 0)));
        assert_eq!(Counts::default().most_apart(&Counts::default()), None);
    }

    #[test]
    fn what_a_person_agreed_to_counts_instead_of_the_old_after_a_change_and_besides_it_otherwise() {
        let of = |runs| Counts { runs, ..Counts::default() };
        let before = Usual { reference: of(10), recent: of(10), aside: of(2), ..Usual::default() };
        // Changed, agreed to the new; runs of the reference then.
        for (changed, new, wanted) in
            [(false, true, 12), (false, false, 10), (true, true, 3), (true, false, 10)]
        {
            let mut usual = before.clone();
            if changed {
                usual.changed("the model is another");
                usual.aside = of(3);
            }
            usual.agree(new);
            assert_eq!(usual.reference.runs, wanted, "{changed} {new}");
            assert!(usual.pending.is_none() && usual.aside.is_empty());
        }
    }
}
