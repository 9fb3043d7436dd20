//! How approvals are answered: how long it takes, who says yes to what, and who says it faster than it can be read. Reckoned
//! from the rows alone, over a bounded window of the newest ones.

use provost_domain::{
    Approval, DurationMs, Name, TaskId, Timestamp,
    approval::{ApprovalStatus, Vote},
    check::CheckOutcome,
    decision::tool_path,
};
use std::collections::{BTreeMap, BTreeSet};

/// How long it takes to read what is shown of an approval, at twice the pace of a quick reader: nobody has read it faster.
#[must_use]
pub fn reading(chars: usize) -> DurationMs {
    let chars = u64::try_from(chars).unwrap_or(u64::MAX);
    let read = READING_LEAST.0.saturating_add(chars.saturating_mul(READING_CHAR_MS));
    DurationMs(read.min(READING_MOST.0))
}

/// The characters of what a person has to read of an approval.
#[must_use]
pub fn shown_chars(approval: &Approval) -> usize {
    let args = serde_json::to_string(&approval.args).unwrap_or_default();
    let reasons = approval.reasons.iter().map(|reason| reason.reason.as_str());
    let texts = [approval.purpose.as_str(), approval.tool.as_str(), args.as_str()].into_iter().chain(reasons);
    texts.map(|text| text.chars().count()).fold(0, usize::saturating_add)
}

/// The newest approvals, as far as they are measured. The oldest leave when there are too many.
#[derive(Debug, Clone, Default)]
pub struct Window {
    rows: BTreeMap<String, Told>,
    /// By the moment they were asked for.
    order: BTreeSet<(Timestamp, String)>,
    /// Whether some had to leave, or were there before the window began.
    cut: bool,
}

/// What is kept of an approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its id.
    pub id: String,
    /// Who wanted to act.
    pub agent: Name,
    /// In which task.
    pub task: TaskId,
    /// By which operation: `bank/transfer`.
    pub tool: String,
    /// When it was asked for.
    pub asked: Timestamp,
    /// How it ended, once it did.
    pub end: Option<(Timestamp, End)>,
    /// Who edited it, if somebody did.
    pub edited_by: Option<Name>,
    /// What people said.
    pub said: Vec<Said>,
    /// It was a check.
    pub check: Option<CheckOutcome>,
    /// Its action was made of another's by an edit: the yes to it is that edit.
    pub of_edit: bool,
}

/// What one person said, and how fast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Who.
    pub person: Name,
    /// When.
    pub at: Timestamp,
    /// Yes or no.
    pub yes: bool,
    /// Faster than it can be read.
    pub hurried: bool,
    /// After a warning.
    pub warned: bool,
}

/// How an approval ended for those who answer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Everybody who must said yes.
    Granted,
    /// Somebody said no.
    Refused,
    /// Somebody said yes to something else.
    Edited,
    /// Nobody answered in time.
    TimedOut,
    /// It was taken back, or its task ended.
    Withdrawn,
}

/// What is measured of approvals of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Measure {
    /// Asked for.
    pub asked: usize,
    /// Everybody who must said yes.
    pub granted: usize,
    /// Somebody said no.
    pub refused: usize,
    /// Somebody said yes to something else.
    pub edited: usize,
    /// Nobody answered in time.
    pub timed_out: usize,
    /// Taken back, or its task ended.
    pub withdrawn: usize,
    /// From asked to decided, of those that were decided.
    pub times: Times,
}

/// What is measured of one person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    /// Yes.
    pub yes: usize,
    /// No.
    pub no: usize,
    /// Yes to something else.
    pub edited: usize,
    /// Faster than it can be read.
    pub hurried: usize,
    /// After a warning.
    pub warned: usize,
    /// On the day with most, of days in UTC.
    pub busiest_day: usize,
    /// Days with an answer.
    pub days: usize,
    /// Checks this person refused.
    pub checks_refused: usize,
    /// Checks this person said yes to.
    pub checks_approved: usize,
    /// From asked to answered.
    pub times: Times,
}

/// Lengths of time, of which some are told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Times(Vec<DurationMs>);

/// Everything that is measured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quality {
    /// All of them.
    pub all: Measure,
    /// By operation.
    pub tools: BTreeMap<String, Measure>,
    /// By agent.
    pub agents: BTreeMap<Name, Measure>,
    /// By person.
    pub people: BTreeMap<Name, Answers>,
    /// By day in UTC, as days since 1970-01-01.
    pub days: BTreeMap<i64, Measure>,
    /// Checks by what became of them.
    pub checks: BTreeMap<CheckOutcome, usize>,
}

/// Which of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Which {
    /// Asked for at or after.
    pub since: Option<Timestamp>,
    /// Answered by this person.
    pub person: Option<Name>,
    /// Of this operation.
    pub tool: Option<String>,
}

/// How fast somebody has been lately.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pace {
    /// When they answered last.
    pub last: Option<Timestamp>,
    /// Yeses within a while, since the last warning or no.
    pub in_a_row: usize,
    /// Of those, how many were faster than they can be read.
    pub hurried: usize,
}

impl Pace {
    /// Whether the next yes needs a word that it is meant.
    #[must_use]
    pub const fn wants_warning(&self) -> bool {
        self.hurried >= HURRIED_MAX || self.in_a_row >= IN_A_ROW_MAX
    }

    /// Whether a yes at `now` is faster than `chars` asked for at `asked` can be read: a person reads one thing at a time, and
    /// nothing before it is there.
    #[must_use]
    pub fn is_hurried(&self, asked: Timestamp, chars: usize, now: Timestamp) -> bool {
        let free = self.last.map_or(asked, |last| last.max(asked));
        now.since(free) < reading(chars)
    }
}

impl Window {
    /// Takes in a row as it stands now; rows come in the order of their changes.
    pub fn put(&mut self, row: &Approval) {
        let mut told = told(row);
        if let Some(before) = self.rows.get(&told.id) {
            // A yes that was used or ran out afterwards was a yes.
            if matches!(before.end, Some((_at, End::Granted))) && told.end.is_some() && told.check.is_none() {
                told.end = before.end;
            }
        }
        self.order.insert((told.asked, told.id.clone()));
        self.rows.insert(told.id.clone(), told);
        while self.rows.len() > ROWS_MAX {
            let Some((_asked, id)) = self.order.pop_first() else { break };
            self.rows.remove(&id);
            self.cut = true;
        }
    }

    /// States that there were changes before the window that it has not seen.
    pub fn begins_late(&mut self) {
        self.cut = true;
    }

    /// The moment since when everything is in it; all there ever was, if absent.
    #[must_use]
    pub fn since(&self) -> Option<Timestamp> {
        self.order.first().filter(|_first| self.cut).map(|(asked, _id)| *asked)
    }

    /// The newest first.
    pub fn newest(&self) -> impl Iterator<Item = &Told> {
        self.order.iter().rev().filter_map(|(_asked, id)| self.rows.get(id))
    }

    /// How fast a person has been lately.
    #[must_use]
    pub fn pace(&self, person: &Name, now: Timestamp) -> Pace {
        let all = self.rows.values().flat_map(|told| &told.said).filter(|said| said.person == *person);
        let mut lately: Vec<&Said> = all.filter(|said| now.since(said.at) < LATELY).collect();
        lately.sort_by_key(|said| said.at);
        let mut pace = Pace { last: lately.last().map(|said| said.at), ..Pace::default() };
        // What was answered together, in one confirmation, is one answer.
        lately.dedup_by_key(|said| (said.at, said.yes));
        for said in lately.iter().rev().take_while(|said| said.yes) {
            pace.in_a_row = pace.in_a_row.saturating_add(1);
            pace.hurried = pace.hurried.saturating_add(usize::from(said.hurried));
            if said.warned {
                // The one that was meant after a warning does not count again.
                pace.in_a_row = pace.in_a_row.saturating_sub(1);
                pace.hurried = pace.hurried.saturating_sub(usize::from(said.hurried));
                break;
            }
        }
        pace
    }

    /// Measures.
    #[must_use]
    pub fn measure(&self, which: &Which) -> Quality {
        let mut quality = Quality::default();
        let mut days: BTreeMap<&Name, BTreeMap<i64, usize>> = BTreeMap::new();
        let wanted = |told: &&Told| {
            which.since.is_none_or(|since| told.asked >= since)
                && which.tool.as_ref().is_none_or(|tool| told.tool == *tool)
                && which.person.as_ref().is_none_or(|person| told.answered_by(person))
        };
        for told in self.rows.values().filter(wanted) {
            if let Some(outcome) = told.check {
                check(&mut quality, told, outcome);
                continue;
            }
            if told.of_edit {
                continue;
            }
            let measures = [
                &mut quality.all,
                quality.tools.entry(told.tool.clone()).or_default(),
                quality.agents.entry(told.agent.clone()).or_default(),
                quality.days.entry(day(told.asked)).or_default(),
            ];
            for measure in measures {
                measure.add(told);
            }
            for said in &told.said {
                let answers = quality.people.entry(said.person.clone()).or_default();
                count(if said.yes { &mut answers.yes } else { &mut answers.no });
                answers.hurried = answers.hurried.saturating_add(usize::from(said.hurried));
                answers.warned = answers.warned.saturating_add(usize::from(said.warned));
                answers.times.0.push(said.at.since(told.asked));
                count(days.entry(&said.person).or_default().entry(day(said.at)).or_default());
            }
            if let (Some(person), Some((at, _end))) = (&told.edited_by, told.end) {
                let answers = quality.people.entry(person.clone()).or_default();
                count(&mut answers.edited);
                answers.times.0.push(at.since(told.asked));
                count(days.entry(person).or_default().entry(day(at)).or_default());
            }
        }
        for (person, days) in days {
            if let Some(answers) = quality.people.get_mut(person) {
                answers.busiest_day = days.values().copied().max().unwrap_or_default();
                answers.days = days.len();
            }
        }
        if let Some(person) = &which.person {
            quality.people.retain(|name, _answers| name == person);
        }
        quality
    }
}

/// Checks are measured for themselves: a no to one is no slow or strict approver.
fn check(quality: &mut Quality, told: &Told, outcome: CheckOutcome) {
    count(quality.checks.entry(outcome).or_default());
    for said in &told.said {
        let answers = quality.people.entry(said.person.clone()).or_default();
        count(if said.yes { &mut answers.checks_approved } else { &mut answers.checks_refused });
    }
}

impl Told {
    /// Whether a person said something to it.
    #[must_use]
    pub fn answered_by(&self, person: &Name) -> bool {
        self.edited_by.as_ref() == Some(person) || self.said.iter().any(|said| said.person == *person)
    }
}

impl Measure {
    fn add(&mut self, told: &Told) {
        count(&mut self.asked);
        let Some((at, end)) = told.end else { return };
        match end {
            End::Granted => count(&mut self.granted),
            End::Refused => count(&mut self.refused),
            End::Edited => count(&mut self.edited),
            End::TimedOut => count(&mut self.timed_out),
            End::Withdrawn => count(&mut self.withdrawn),
        }
        if matches!(end, End::Granted | End::Refused | End::Edited) {
            self.times.0.push(at.since(told.asked));
        }
    }

    /// Of a hundred that were decided, how many were granted as they were asked for.
    #[must_use]
    pub fn rate(&self) -> Option<u32> {
        let decided = self.granted.saturating_add(self.refused).saturating_add(self.edited);
        percent(self.granted, decided)
    }
}

impl Answers {
    /// Everything this person said.
    #[must_use]
    pub fn all(&self) -> usize {
        self.yes.saturating_add(self.no).saturating_add(self.edited)
    }

    /// Of a hundred answers, how many were yes as it was asked for.
    #[must_use]
    pub fn rate(&self) -> Option<u32> {
        percent(self.yes, self.all())
    }
}

impl Times {
    /// Half of them took no longer.
    #[must_use]
    pub fn median(&self) -> Option<DurationMs> {
        self.at(50)
    }

    /// Nine of ten took no longer.
    #[must_use]
    pub fn p90(&self) -> Option<DurationMs> {
        self.at(90)
    }

    /// The nearest rank: the least of them that so many of a hundred do not exceed.
    fn at(&self, percent: usize) -> Option<DurationMs> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = sorted.len().saturating_mul(percent).div_ceil(100);
        sorted.get(rank.saturating_sub(1)).copied()
    }
}

fn told(row: &Approval) -> Told {
    let last_yes = row.votes.iter().rfind(|vote| vote.yes).map(|vote| vote.at);
    let (end, edited_by) = match &row.status {
        ApprovalStatus::Waiting => (None, None),
        ApprovalStatus::Granted { at, .. } => (Some((*at, End::Granted)), None),
        ApprovalStatus::Used { at, .. } => (Some((last_yes.unwrap_or(*at), End::Granted)), None),
        ApprovalStatus::Refused { at } => (Some((*at, End::Refused)), None),
        ApprovalStatus::Edited { at, by, .. } => (Some((*at, End::Edited)), Some(by.clone())),
        ApprovalStatus::Expired { at } => (Some((*at, End::TimedOut)), None),
        ApprovalStatus::Withdrawn { at, .. } => (Some((*at, End::Withdrawn)), None),
    };
    Told {
        id: row.id.clone(),
        agent: row.agent.clone(),
        task: row.task,
        tool: tool_path(&row.system, &row.tool),
        asked: row.asked,
        end,
        edited_by,
        said: row.votes.iter().map(said).collect(),
        check: row.check.as_ref().map(|check| check.outcome),
        of_edit: row.edited_from.is_some(),
    }
}

fn said(vote: &Vote) -> Said {
    Said {
        person: vote.person.clone(),
        at: vote.at,
        yes: vote.yes,
        hurried: vote.hurried,
        warned: vote.warned,
    }
}

fn count(of: &mut usize) {
    *of = of.saturating_add(1);
}

fn percent(part: usize, whole: usize) -> Option<u32> {
    let hundredfold = part.saturating_mul(100).saturating_add(whole / 2);
    hundredfold.checked_div(whole).and_then(|rate| u32::try_from(rate).ok())
}

fn day(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(24 * 60 * 60 * 1_000)
}

const READING_LEAST: DurationMs = DurationMs(1_500);
/// Forty characters a second.
const READING_CHAR_MS: u64 = 25;
const READING_MOST: DurationMs = DurationMs::from_secs(60);
/// Approvals that are measured.
const ROWS_MAX: usize = 5_000;
const LATELY: DurationMs = DurationMs::from_mins(10);
const HURRIED_MAX: usize = 4;
const IN_A_ROW_MAX: usize = 12;

#[cfg(test)]
mod tests;
