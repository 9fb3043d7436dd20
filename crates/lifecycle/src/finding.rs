//! A finding's life: it is seen, seen again, and answered by people.
//!
//! ```text
//!            ┌────────────── seen worse ───────────────┐
//!            ▼                                         │
//!  seen ──▶ open ──▶ acknowledged ──▶ closed      suppressed until
//!            ▲  └──────────────────────▲ │  ◀──────────┤
//!            └──── seen again ───────────┘             │
//!            └──── its time is over ───────────────────┘
//! ```
//!
//! Whoever raises findings may be driven by an agent, so they are bounded: sightings close after one another are one, and of
//! too many open ones the least are folded away, closed with a word that says so.

use provost_domain::{
    Directory, DurationMs, Finding, Name, Sighting, Timestamp,
    finding::{BREAK_GLASS, FindingState, finding_id},
};

/// Who answers a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answerer {
    /// The person, if it is one.
    pub person: Option<Name>,
    /// How it is written: `person maria`, `local administrator for maria`.
    pub by: String,
    /// Whether findings are this person's to answer, whatever they are about.
    pub every: bool,
}

/// The finding after a sighting; `None` when that says nothing new. `before` is its row as the store has it, filed ones too.
#[must_use]
pub fn seen(
    before: Option<&Finding>,
    sighting: &Sighting,
    owner: Option<&Name>,
    now: Timestamp,
) -> Option<Finding> {
    let Some(before) = before else { return Some(first_seen(sighting, owner, now)) };
    let worse = sighting.severity > before.severity || sighting.response > before.response;
    let closed = matches!(before.state, FindingState::Closed { .. });
    let closed_by_person = matches!(&before.state, FindingState::Closed { by, .. } if by != PLANE);
    if !worse && !closed_by_person && now.since(before.last) < SAME_SIGHTING {
        return None;
    }
    let mut after = before.clone();
    after.last = now;
    after.count = after.count.saturating_add(1);
    after.by_another |= sighting.by_another;
    if sighting.severity >= before.severity {
        after.what = plain(&sighting.what, WHAT_BYTES_MAX);
    }
    after.severity = before.severity.max(sighting.severity);
    after.response = before.response.max(sighting.response);
    add_evidence(&mut after.evidence, &sighting.evidence);
    if worse || closed || matches!(before.state_at(now), FindingState::Open) {
        after.state = FindingState::Open;
    }
    if after.state == FindingState::Open && before.state != FindingState::Open {
        after.opened = now;
        after.owner = owner.cloned();
    }
    after.filed = false;
    Some(after)
}

/// The finding of a sighting that nobody had before.
#[must_use]
pub fn first_seen(sighting: &Sighting, owner: Option<&Name>, now: Timestamp) -> Finding {
    let kind = kind(&sighting.kind);
    let key = plain(&sighting.key, KEY_BYTES_MAX);
    let mut evidence = Vec::new();
    add_evidence(&mut evidence, &sighting.evidence);
    Finding {
        id: id(sighting),
        kind,
        key,
        severity: sighting.severity,
        about: sighting.about.clone(),
        what: plain(&sighting.what, WHAT_BYTES_MAX),
        evidence,
        response: sighting.response,
        by_another: sighting.by_another,
        owner: owner.cloned(),
        first: now,
        last: now,
        opened: now,
        count: 1,
        state: FindingState::Open,
        filed: false,
    }
}

/// The id of the finding that a sighting is of.
#[must_use]
pub fn id(sighting: &Sighting) -> String {
    // Of the whole key: two that differ far behind are two.
    finding_id(&kind(&sighting.kind), &sighting.key)
}

/// Makes room for a finding that has just been opened: the ones that are folded away for it, and itself, closed at once if it
/// is the least of all. Those of a broken glass are never folded away, whatever else is seen.
#[must_use]
pub fn make_room(directory: &Directory, fresh: Finding, now: Timestamp) -> (Finding, Vec<Finding>) {
    let others = || directory.findings.values().map(AsRef::as_ref).filter(|row| row.id != fresh.id);
    let open = || others().filter(|row| !matches!(row.state_at(now), FindingState::Closed { .. }));
    let alike = |row: &&Finding| row.kind == fresh.kind && subject(row) == subject(&fresh);
    let least = |rows: &mut dyn Iterator<Item = &Finding>| -> Option<Finding> {
        let free = rows.filter(|row| *row.state_at(now) == FindingState::Open && row.kind != BREAK_GLASS);
        free.min_by_key(|row| (row.severity, row.last, row.id.clone())).cloned()
    };
    let mut folded: Vec<Finding> = Vec::new();
    let bounds: [(usize, usize, Option<Finding>); 2] = [
        (open().filter(alike).count(), OF_ONE_SUBJECT_MAX, least(&mut open().filter(alike))),
        (open().count(), OPEN_MAX, least(&mut open())),
    ];
    for (count, max, least) in bounds {
        if count.saturating_sub(folded.len()) < max {
            continue;
        }
        match least.filter(|row| row.severity <= fresh.severity) {
            Some(row) => folded.push(fold(row, max, now)),
            // There are as many as there were broken glasses.
            None if fresh.kind == BREAK_GLASS => {}
            None => return (fold(fresh, max, now), folded),
        }
    }
    folded.dedup_by(|a, b| a.id == b.id);
    (fresh, folded)
}

fn fold(row: Finding, max: usize, now: Timestamp) -> Finding {
    let why = format!("folded away: {max} others are open, and this is the least of them");
    Finding { state: FindingState::Closed { at: now, by: PLANE.to_owned(), why }, ..row }
}

fn subject(row: &Finding) -> (Option<&Name>, Option<&Name>, Option<&Name>) {
    (row.about.agent.as_ref(), row.about.person.as_ref(), row.about.system.as_ref())
}

/// Somebody is at it.
///
/// # Errors
/// When it is closed, or the person may not answer it.
pub fn acknowledge(
    row: &Finding,
    directory: &Directory,
    who: &Answerer,
    now: Timestamp,
) -> Result<Finding, AnswerError> {
    may_answer(row, directory, who)?;
    let state = FindingState::Acknowledged { at: now, by: who.by.clone() };
    Ok(Finding { state, owner: who.person.clone().or_else(|| row.owner.clone()), ..row.clone() })
}

/// It is dealt with.
///
/// # Errors
/// As [`acknowledge`]; when no reason is given.
pub fn close(
    row: &Finding,
    directory: &Directory,
    who: &Answerer,
    why: &str,
    now: Timestamp,
) -> Result<Finding, AnswerError> {
    may_answer(row, directory, who)?;
    let state = FindingState::Closed { at: now, by: who.by.clone(), why: reason(why)? };
    Ok(Finding { state, ..row.clone() })
}

/// Nobody wants to hear of it for a while, unless it gets worse.
///
/// # Errors
/// As [`close`]; when the while is nothing, or too long.
pub fn suppress(
    row: &Finding,
    directory: &Directory,
    who: &Answerer,
    (why, lasts): (&str, DurationMs),
    now: Timestamp,
) -> Result<Finding, AnswerError> {
    may_answer(row, directory, who)?;
    if lasts.0 == 0 || lasts > SUPPRESSED_MAX {
        return Err(AnswerError::Unbounded);
    }
    let until = now.plus(lasts);
    let state = FindingState::Suppressed { at: now, by: who.by.clone(), why: reason(why)?, until };
    Ok(Finding { state, ..row.clone() })
}

/// Whether somebody may answer a finding: operators every one, others those of the agents they answer for and those that are
/// theirs already; nobody one that is about themselves, where it says so.
///
/// # Errors
/// Why not.
pub fn may_answer(row: &Finding, directory: &Directory, who: &Answerer) -> Result<(), AnswerError> {
    if matches!(row.state, FindingState::Closed { .. }) {
        return Err(AnswerError::Closed(row.id.clone()));
    }
    if row.by_another {
        let person = who.person.as_ref().ok_or(AnswerError::Nobody)?;
        if row.about.person.as_ref() == Some(person) {
            return Err(AnswerError::Own(person.clone()));
        }
    }
    let theirs = who.person.as_ref().is_some_and(|person| is_of(row, directory, person));
    if who.every || theirs { Ok(()) } else { Err(AnswerError::NotYours(who.by.clone())) }
}

/// Whether a finding is of an agent that the person answers for, or theirs to answer already.
#[must_use]
pub fn is_of(row: &Finding, directory: &Directory, person: &Name) -> bool {
    let agent = row.about.agent.as_ref().and_then(|name| directory.agents.get(name));
    row.owner.as_ref() == Some(person)
        || agent
            .is_some_and(|agent| agent.charter.owner == *person || agent.charter.deputies.contains(person))
}

/// What housekeeping writes: suppressions whose time is over, and closed ones that leave the directory, at most so many.
#[must_use]
pub fn settle(directory: &Directory, max: usize, now: Timestamp) -> Vec<Finding> {
    let closed = |row: &Finding| match row.state {
        FindingState::Closed { at, .. } => Some(at),
        _ => None,
    };
    let mut kept: Vec<(Timestamp, &Finding)> =
        directory.findings.values().filter_map(|row| Some((closed(row)?, row.as_ref()))).collect();
    kept.sort_by_key(|(at, row)| (std::cmp::Reverse(*at), &row.id));
    let old = kept
        .iter()
        .enumerate()
        .filter(|(place, (at, _row))| *place >= CLOSED_KEPT_MAX || now.since(*at) > CLOSED_KEPT);
    let filed = old.map(|(_place, (_at, row))| Finding { filed: true, ..(*row).clone() });
    let over = directory.findings.values().filter(|row| {
        matches!(row.state, FindingState::Suppressed { .. }) && *row.state_at(now) == FindingState::Open
    });
    let over = over.map(|row| Finding { state: FindingState::Open, opened: now, ..row.as_ref().clone() });
    over.chain(filed).take(max).collect()
}

/// Why an answer does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// It was answered.
    #[error("{0} is closed; if it is seen again it opens again")]
    Closed(String),
    /// It is about whoever answers.
    #[error("this is about {0}, and somebody else has to answer it")]
    Own(Name),
    /// It is about a person, and who answers is not known.
    #[error("say who answers: the person it is about may not")]
    Nobody,
    /// It is somebody else's.
    #[error("{0} answers neither for the agent that this is about nor for every finding")]
    NotYours(String),
    /// A reason is wanted.
    #[error("this needs a reason in words, of at most {REASON_BYTES_MAX} bytes")]
    Reason,
    /// For ever.
    #[error("a finding is suppressed for a time of at most 90 days")]
    Unbounded,
}

fn reason(text: &str) -> Result<String, AnswerError> {
    let text = text.trim();
    let fits = (1..=REASON_BYTES_MAX).contains(&text.len());
    if fits { Ok(plain(text, REASON_BYTES_MAX)) } else { Err(AnswerError::Reason) }
}

/// The first stays: it shows how it began. Of the others the newest.
fn add_evidence(all: &mut Vec<String>, new: &[String]) {
    for text in new {
        let text = plain(text, EVIDENCE_BYTES_MAX);
        all.retain(|known| *known != text);
        all.push(text);
        if all.len() > EVIDENCE_MAX {
            all.remove(1);
        }
    }
}

/// Text of others as one line that repaints no terminal, so long.
fn plain(text: &str, bytes_max: usize) -> String {
    let mut plain = String::new();
    for c in text.trim().chars() {
        let c = if c.is_control() { '\u{fffd}' } else { c };
        if plain.len().saturating_add(c.len_utf8()) > bytes_max.saturating_sub('…'.len_utf8()) {
            plain.push('…');
            break;
        }
        plain.push(c);
    }
    plain
}

/// A kebab word, whatever it was.
fn kind(text: &str) -> String {
    let kebab = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    text.chars().take(KIND_BYTES_MAX).map(kebab).collect()
}

const PLANE: &str = "plane";
/// Sightings closer than this to the one before are the same, unless they are worse.
const SAME_SIGHTING: DurationMs = DurationMs::from_mins(1);
/// Open findings of one kind about one agent, person or system.
const OF_ONE_SUBJECT_MAX: usize = 50;
/// Open findings in all.
const OPEN_MAX: usize = 2_000;
/// Closed findings that are still listed.
const CLOSED_KEPT_MAX: usize = 1_000;
/// For so long.
const CLOSED_KEPT: DurationMs = DurationMs::from_mins(30 * 24 * 60);
/// The longest suppression.
const SUPPRESSED_MAX: DurationMs = DurationMs::from_mins(90 * 24 * 60);
const EVIDENCE_MAX: usize = 20;
const EVIDENCE_BYTES_MAX: usize = 400;
const WHAT_BYTES_MAX: usize = 600;
const KEY_BYTES_MAX: usize = 300;
const KIND_BYTES_MAX: usize = 64;
const REASON_BYTES_MAX: usize = 1_000;

#[cfg(test)]
mod tests;
