//! One thing about a run that is unusual, and what people are told of it.

use crate::drift::Drift;
use provost_domain::{DecisionId, Name, Origin, Severity, Sighting, TaskId, ToolName, finding::About};
use std::{collections::BTreeSet, fmt};

/// One thing that is unusual.
#[derive(Debug, Clone, PartialEq)]
pub struct Unusual {
    /// Its share of the score.
    pub weight: f64,
    /// In what way.
    pub class: Class,
    /// What: a tool, a label, an order of tools, a number.
    pub subject: String,
    /// Which call, from 0, if it is one.
    pub step: Option<usize>,
}

/// In what way something is unusual, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// It tried what its charter does not name: no past makes that usual.
    Undeclared,
    /// A call was held, and a value that steered it came from there.
    Steered(Origin),
    /// Nothing in the purpose names what it does.
    Unasked,
    /// Runs of its kind seldom use the tool.
    Tool,
    /// … seldom call it with such a value.
    Value,
    /// … seldom use the one after the other.
    Order,
    /// … seldom read such data.
    Label,
    /// The agent, or its peers, seldom use the tool.
    Seldom,
    /// … in such an order.
    Orders,
    /// It ran at an unusual hour.
    Hour,
    /// It made more calls than usual.
    Calls,
    /// More of them than usual failed or were refused.
    Troubles,
}

impl Class {
    /// What is compared with one another: of calls that were held, the one that is worth most, wherever it was steered from.
    pub(crate) const fn place(self) -> Self {
        match self {
            Self::Steered(_) => Self::Steered(Origin::Untrusted),
            other => other,
        }
    }

    /// A word for keys.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Undeclared => "undeclared",
            Self::Steered(_) => "steered",
            Self::Unasked => "unasked",
            Self::Tool => "tool",
            Self::Value => "value",
            Self::Order => "order",
            Self::Label => "label",
            Self::Seldom => "seldom",
            Self::Orders => "orders",
            Self::Hour => "hour",
            Self::Calls => "calls",
            Self::Troubles => "troubles",
        }
    }
}

impl fmt::Display for Unusual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = &self.subject;
        match self.class {
            Class::Undeclared => write!(f, "it tried {subject}, which its charter does not name"),
            Class::Steered(from) => {
                write!(f, "{subject} was held, and a value that steered it was {from}")
            }
            Class::Unasked => write!(f, "nothing in its purpose speaks of {subject}"),
            Class::Tool => write!(f, "runs of this kind seldom use {subject}"),
            Class::Value => write!(f, "runs of this kind seldom call {subject} with such a value"),
            Class::Order => write!(f, "runs of this kind seldom use {subject}"),
            Class::Label => write!(f, "runs of this kind seldom read {subject} data"),
            Class::Seldom => write!(f, "the agent seldom uses {subject}"),
            Class::Orders => f.write_str("its calls follow each other in an order the agent seldom uses"),
            Class::Hour => write!(f, "it ran at an unusual hour ({subject} UTC)"),
            Class::Calls => write!(f, "it made {subject} times as many calls as usual"),
            Class::Troubles => write!(f, "{subject} of its calls failed or were refused, more than usual"),
        }
    }
}

/// What a purpose speaks of, as beginnings of its words: enough to tell whether it names what a tool is called after.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked(BTreeSet<String>);

impl Asked {
    /// Of this purpose.
    #[must_use]
    pub fn of(purpose: &str) -> Self {
        Self(stems(purpose).take(STEMS_MAX).collect())
    }

    /// Whether a word of the tool's name (`system/send_message`) is among them. A purpose without words speaks of anything.
    #[must_use]
    pub fn for_tool(&self, path: &str) -> bool {
        let name = path.split_once('/').map_or(path, |(_, name)| name);
        self.0.is_empty() || stems(name).any(|stem| self.0.contains(&stem))
    }
}

/// The beginnings of the words of a text, in small letters: `Transactions` and `transaction` begin alike.
fn stems(text: &str) -> impl Iterator<Item = String> + '_ {
    let words =
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().count() >= STEM_CHARS_MIN);
    words.map(|word| word.chars().take(STEM_CHARS).flat_map(char::to_lowercase).collect())
}

/// Whose run it is that drifts.
#[derive(Debug, Clone, Copy)]
pub struct Whose<'a> {
    /// The agent.
    pub agent: &'a Name,
    /// Its task.
    pub task: TaskId,
    /// What kind of task that is, if it is known.
    pub kind: Option<&'a str>,
    /// Runs that it was held against.
    pub runs: u32,
}

/// What people are told of a run that drifts: what, since which call, how unusual, what shows it and what to do. The same
/// thing of the same agent is one finding, in whichever task and however often.
#[must_use]
pub fn sighting(whose: Whose<'_>, drift: &Drift, decisions: &[DecisionId]) -> Option<Sighting> {
    let worst = drift.reasons.first()?;
    let agent = whose.agent;
    let others = drift.reasons.iter().skip(1).filter(|unusual| unusual.weight >= WORTH_A_WORD);
    let also: Vec<String> = others.take(WORDS_MAX).map(ToString::to_string).collect();
    let also = if also.is_empty() { String::new() } else { format!("; also {}", also.join(", ")) };
    let since = worst.step.map(|step| format!(" at call {}", step.saturating_add(1))).unwrap_or_default();
    let of = match (whose.kind, whose.runs) {
        (_, 0) => String::new(),
        (Some(kind), runs) => format!(", held against {runs} earlier runs ({kind})"),
        (None, runs) => format!(", held against {runs} earlier runs"),
    };
    let what = format!(
        "{agent} drifts: {worst}{since}{also}. {:.1} where {:.1} is worth a look{of}. {}",
        drift.score,
        crate::drift::NOTABLE,
        to_do(worst.class),
    );
    // A number says how far it has come, and is no other thing than the number before.
    let of = match worst.class {
        Class::Hour | Class::Calls | Class::Troubles | Class::Orders => "run",
        _ => worst.subject.as_str(),
    };
    let key = format!("{agent}/{}/{of}", worst.class.as_str());
    let (system, tool) = worst.subject.split_once('/').unwrap_or_default();
    let about = About {
        agent: Some(agent.clone()),
        task: Some(whose.task),
        system: system.parse().ok(),
        tool: tool.parse::<ToolName>().ok(),
        person: None,
    };
    let shown: Vec<String> = decisions.iter().map(ToString::to_string).collect();
    Some(Sighting::new(KIND, key, severity(drift), what).about(about).evidence(shown))
}

/// The decisions behind what is unusual, worst first; behind what only the whole run shows, its last one.
#[must_use]
pub fn evidence(drift: &Drift, decisions: &[DecisionId]) -> Vec<DecisionId> {
    let mut shown: Vec<DecisionId> = Vec::new();
    for unusual in drift.reasons.iter().filter(|unusual| unusual.weight >= WORTH_A_WORD) {
        let decision = unusual.step.map_or_else(|| decisions.last(), |step| decisions.get(step));
        shown.extend(decision.filter(|id| !shown.contains(id)));
    }
    shown.truncate(WORDS_MAX);
    shown
}

/// How bad it is, by its score.
fn severity(drift: &Drift) -> Severity {
    if drift.score >= HIGH { Severity::High } else { Severity::Medium }
}

const fn to_do(class: Class) -> &'static str {
    match class {
        Class::Undeclared => {
            "Look at the decision (provost why); if the agent is to do this, its charter must say so; if not, find out what made it try"
        }
        Class::Steered(_) | Class::Unasked => {
            "Look at what the task read before it (provost why), and end the task if it was turned"
        }
        Class::Tool | Class::Value | Class::Order | Class::Label | Class::Seldom | Class::Orders => {
            "Look at the task; if this is how it is to be from now on, agree to it (provost baseline approve)"
        }
        Class::Hour | Class::Calls | Class::Troubles => "Look at the task, and end it if nobody wants it",
    }
}

/// What these findings are called.
pub const KIND: &str = "drift";
const HIGH: f64 = 3.0;
const STEM_CHARS_MIN: usize = 3;
const STEM_CHARS: usize = 4;
const STEMS_MAX: usize = 512;
const WORTH_A_WORD: f64 = 0.3;
const WORDS_MAX: usize = 3;
