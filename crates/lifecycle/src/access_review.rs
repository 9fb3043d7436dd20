//! Access reviews on behaviour (REQUIREMENTS.md H1): what is counted for each grant, what is proposed, and what an answer makes of the
//! charter. It only ever narrows.

use provost_domain::{
    AccessReview, Agent, Charter, Decimal, Decision, Name, Timestamp, ToolName, Verdict,
    access_review::{Choice, ReviewLine, ReviewStatus},
    charter::{ArgRule, Grant, Scalar},
    life::Taken,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What one tool was asked for, decision by decision.
#[derive(Debug, Clone, Default)]
pub struct Counted {
    /// Allowed.
    pub used: u64,
    /// Held for a person.
    pub held: u64,
    /// Refused.
    pub denied: u64,
    /// The first of them.
    pub first: Option<Timestamp>,
    /// The last.
    pub last: Option<Timestamp>,
    /// The newest tasks that used it, the newest first.
    pub tasks: Vec<provost_domain::TaskId>,
    seen: BTreeMap<String, Seen>,
}

/// The values of one argument in calls that were not refused.
#[derive(Debug, Clone, Default)]
struct Seen {
    calls: u64,
    most: Option<Decimal>,
    /// A number that no limit can speak of, or text among numbers: there is no limit then.
    odd: bool,
    texts: BTreeSet<String>,
}

impl Counted {
    /// Takes in one decision; decisions come newest first.
    pub fn take(&mut self, decision: &Decision) {
        let count = match decision.verdict {
            Verdict::Allow { .. } => &mut self.used,
            Verdict::Hold { .. } => &mut self.held,
            Verdict::Deny { .. } => &mut self.denied,
        };
        *count = count.saturating_add(1);
        self.first = Some(decision.at);
        self.last = self.last.or(Some(decision.at));
        if matches!(decision.verdict, Verdict::Deny { .. }) {
            return;
        }
        if let Some(task) = decision.subject.task
            && self.tasks.len() < TASKS_MAX
            && !self.tasks.contains(&task)
        {
            self.tasks.push(task);
        }
        let args = decision.input.get("args").and_then(Value::as_object);
        for (arg, value) in args.into_iter().flatten() {
            if self.seen.len() >= ARGS_MAX && !self.seen.contains_key(arg) {
                continue;
            }
            self.seen.entry(arg.clone()).or_default().take(value);
        }
    }

    /// Limits on arguments that every call kept: at most the most that was asked for, one of the few texts that were. None, where
    /// too little is known to say what is usual, or a limit that is there already says as much.
    #[must_use]
    pub fn limits(&self, granted: &[(&str, &ArgRule)]) -> BTreeMap<String, ArgRule> {
        let calls = self.used.saturating_add(self.held);
        if calls < USUAL_MIN {
            return BTreeMap::new();
        }
        let limit = |(arg, seen): (&String, &Seen)| {
            let was = granted.iter().find(|(known, _)| known == arg).map(|(_, rule)| *rule);
            Some((arg.clone(), seen.limit(calls, was)?))
        };
        self.seen.iter().filter_map(limit).collect()
    }
}

impl Seen {
    fn take(&mut self, value: &Value) {
        self.calls = self.calls.saturating_add(1);
        match value {
            Value::Number(number) => match number.to_string().parse::<Decimal>() {
                Ok(number) => self.most = self.most.max(Some(number)),
                Err(_unspeakable) => self.odd = true,
            },
            Value::String(text) if self.texts.len() <= TEXTS_MAX && text.len() <= TEXT_BYTES_MAX => {
                self.texts.insert(text.clone());
            }
            _ => self.odd = true,
        }
    }

    fn limit(&self, calls: u64, was: Option<&ArgRule>) -> Option<ArgRule> {
        let sometimes = self.calls < calls;
        let base = was.cloned().unwrap_or_default();
        if self.odd || sometimes || base.absent {
            return None;
        }
        match (self.most, self.texts.len()) {
            (Some(most), 0) => {
                let tighter = base.max.is_none_or(|max| most < max) && base.one_of.is_empty();
                tighter.then_some(ArgRule { max: Some(most), ..base })
            }
            (None, 1..=TEXTS_MAX) => {
                let few: Vec<Scalar> = self.texts.iter().cloned().map(Scalar::Text).collect();
                let tighter = base.one_of.is_empty() || few.len() < base.one_of.len();
                let inside = base.one_of.is_empty() || few.iter().all(|text| base.one_of.contains(text));
                (tighter && inside).then_some(ArgRule { one_of: few.into(), ..base })
            }
            _ => None,
        }
    }
}

/// What is done with a grant when nobody answers: what was never used goes; what was used stays.
#[must_use]
pub fn proposed(counted: &Counted) -> Choice {
    if counted.used == 0 && counted.held == 0 { Choice::Revoke } else { Choice::Keep }
}

/// A review with answers to some of its lines.
///
/// # Errors
/// When it is done, a tool is not one of its lines, or there is nothing to narrow one by.
pub fn answered(
    row: &AccessReview,
    answers: &BTreeMap<String, Choice>,
    rest: Option<Rest>,
) -> Result<AccessReview, AnswerError> {
    if !row.is_open() {
        return Err(AnswerError::Done(row.id.clone()));
    }
    let mut row = row.clone();
    for (path, choice) in answers {
        let line = row.lines.iter_mut().find(|line| line.path() == *path);
        let line = line.ok_or_else(|| AnswerError::NoLine(path.chars().take(200).collect()))?;
        if *choice == Choice::Narrow && line.limits.is_empty() {
            return Err(AnswerError::NoLimits(path.clone()));
        }
        line.answer = Some(*choice);
    }
    if let Some(rest) = rest {
        for line in row.lines.iter_mut().filter(|line| line.answer.is_none()) {
            line.answer = Some(match rest {
                Rest::Proposed => line.proposed,
                Rest::Keep => Choice::Keep,
            });
        }
    }
    Ok(row)
}

/// What is said of all lines that nothing else is said of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// As it is proposed.
    Proposed,
    /// As it is.
    Keep,
}

/// Whether every line is answered, or their time is over.
#[must_use]
pub fn is_ripe(row: &AccessReview, now: Timestamp) -> bool {
    row.is_open() && (now >= row.due || row.lines.iter().all(|line| line.answer.is_some()))
}

/// The charter with what was answered, and proposed where nothing was: less than it is now, or the same. It is made of the charter as
/// it stands, which may be another one than was looked at.
#[must_use]
pub fn narrowed(charter: &Charter, row: &AccessReview) -> Charter {
    let mut grants: Vec<Grant> = Vec::new();
    for grant in charter.grants.iter() {
        let line =
            |tool: &ToolName| row.lines.iter().find(|line| line.system == grant.system && line.tool == *tool);
        let mut kept: Vec<ToolName> = Vec::new();
        for tool in grant.tools.iter() {
            match line(tool).map(|line| (AccessReview::choice(line), line)) {
                Some((Choice::Revoke, _)) => {}
                Some((Choice::Narrow, line)) => grants.push(with_limits(grant, line)),
                Some((Choice::Keep, _)) | None => kept.push(tool.clone()),
            }
        }
        if !kept.is_empty() {
            grants.push(Grant { tools: kept.into(), ..grant.clone() });
        }
    }
    Charter { grants: grants.into(), ..charter.clone() }
}

/// One tool of a grant, with its limits and what every call kept.
fn with_limits(grant: &Grant, line: &ReviewLine) -> Grant {
    let known = grant.args.iter().map(|(arg, rule)| (arg.to_owned(), rule.clone()));
    let tighter = line.limits.iter().filter_map(|(arg, limit)| {
        let rule = grant.args.get(arg).cloned().unwrap_or_default();
        Some((arg.clone(), tightened(&rule, limit)?))
    });
    let args: BTreeMap<String, ArgRule> = known.chain(tighter).collect();
    Grant {
        system: grant.system.clone(),
        tools: [line.tool.clone()].into(),
        args: args.into_iter().collect(),
    }
}

/// A rule that keeps both: what is in the charter by now may be tighter than what was proposed.
fn tightened(rule: &ArgRule, limit: &ArgRule) -> Option<ArgRule> {
    let max = match (rule.max, limit.max) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    let one_of = match (rule.one_of.is_empty(), limit.one_of.is_empty()) {
        (true, _) => limit.one_of.clone(),
        (false, true) => rule.one_of.clone(),
        (false, false) => rule.one_of.iter().filter(|value| limit.one_of.contains(value)).cloned().collect(),
    };
    let nothing_left = one_of.is_empty() && !(rule.one_of.is_empty() && limit.one_of.is_empty());
    (!nothing_left).then(|| ArgRule { max, one_of, ..rule.clone() })
}

/// The agent after a review: a new revision, if that changes anything, which remembers what was taken.
#[must_use]
pub fn carried_out(agent: &Agent, row: &AccessReview, now: Timestamp) -> Option<Agent> {
    let charter = narrowed(&agent.charter, row);
    // Never more than before, whatever the rows say.
    let narrower = crate::narrower::charter(&agent.charter, &charter);
    if charter == agent.charter || !narrower {
        return None;
    }
    let tools = row.lines.iter().filter(|line| AccessReview::choice(line) != Choice::Keep);
    let taken = Taken { review: row.id.clone(), at: now, tools: tools.map(ReviewLine::path).collect() };
    let next = Agent { charter, revision: agent.revision.saturating_add(1), ..agent.clone() };
    Some(next.living(|life| {
        life.taken.push(taken);
        let most = life.taken.len().saturating_sub(TAKEN_MAX);
        life.taken.drain(..most);
    }))
}

/// What a charter would give back of what reviews took from an agent, review by review.
#[must_use]
pub fn given_back(agent: &Agent, charter: &Charter) -> Vec<Taken> {
    let taken = agent.life.as_ref().map(|life| life.taken.as_slice()).unwrap_or_default();
    let back = |path: &&String| {
        let (now, then) = (alone(&agent.charter, &agent.charter, path), alone(&agent.charter, charter, path));
        !crate::narrower::charter(&now, &then)
    };
    let of_one = |one: &Taken| {
        let tools: Vec<String> = one.tools.iter().filter(back).cloned().collect();
        (!tools.is_empty()).then(|| Taken { tools, ..one.clone() })
    };
    taken.iter().filter_map(of_one).collect()
}

/// The agent after it was given back: reviews that took it later say so again.
#[must_use]
pub fn forgotten(agent: Agent, back: &[Taken]) -> Agent {
    if back.is_empty() {
        return agent;
    }
    agent.living(|life| {
        let gone = |path: &String| back.iter().any(|one| one.tools.contains(path));
        life.taken.iter_mut().for_each(|one| one.tools.retain(|path| !gone(path)));
        life.taken.retain(|one| !one.tools.is_empty());
    })
}

/// A charter with nothing but what another grants of one tool, so that only that is compared.
fn alone(rest: &Charter, of: &Charter, path: &str) -> Charter {
    let of_tool = |grant: &Grant| {
        let tools: Vec<ToolName> = grant
            .tools
            .iter()
            .filter(|tool| provost_domain::decision::tool_path(&grant.system, tool) == *path)
            .cloned()
            .collect();
        (!tools.is_empty()).then(|| Grant { tools: tools.into(), ..grant.clone() })
    };
    let grants: Vec<Grant> = of.grants.iter().filter_map(of_tool).collect();
    Charter { grants: grants.into(), ..rest.clone() }
}

/// A review that was carried out.
#[must_use]
pub fn done(row: &AccessReview, by: &str, revision: u32, now: Timestamp) -> AccessReview {
    let lapsed = row.lines.iter().any(|line| line.answer.is_none());
    let status = ReviewStatus::Done { at: now, by: by.to_owned(), lapsed, revision, verified: None };
    AccessReview { status, ..row.clone() }
}

/// Tools that a review takes away.
pub fn revoked(row: &AccessReview) -> impl Iterator<Item = (&Name, &ToolName)> {
    let gone = row.lines.iter().filter(|line| AccessReview::choice(line) == Choice::Revoke);
    gone.map(|line| (&line.system, &line.tool))
}

/// Why an answer does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// It was answered.
    #[error("{0} is done")]
    Done(String),
    /// It is no line.
    #[error("`{0}` is none of the tools of this review")]
    NoLine(String),
    /// Nothing is usual.
    #[error("{0} has too few or too different calls to say which limits they all kept")]
    NoLimits(String),
}

/// So many calls say what is usual.
const USUAL_MIN: u64 = 10;
const TEXTS_MAX: usize = 8;
const TEXT_BYTES_MAX: usize = 200;
const ARGS_MAX: usize = 32;
const TASKS_MAX: usize = 5;
/// Reviews whose takings an agent's row remembers.
const TAKEN_MAX: usize = 16;

#[cfg(test)]
mod tests;
