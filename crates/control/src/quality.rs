//! How approvals are answered. Reckoned from the changes on record, which this node follows by itself.
//!
//! **Bounded.** Kept are the newest 5,000 approvals of 30 days, without their arguments, in memory: an aggregate on record would be a
//! second truth to keep true, and a look through all changes would grow with the plane. A node that starts reads back at most
//! [`READ_BACK_MAX`] changes, and what it shows says since when it is whole.

use crate::{Action, ControlError, Op, Operator, plane::Plane};
use provost_api::{
    Moment,
    quality::{ChecksView, MeasureView, NamedMeasure, PersonQuality, QualityQuery, QualityView},
};
use provost_domain::{
    Approval, DurationMs, Name, Object, Role, Seq, Timestamp, approval::ApprovalStatus, check::CheckOutcome,
};
use provost_lifecycle::{
    approval as life,
    quality::{Answers, Measure, Pace, Quality as Measured, Which, Window},
};
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::Mutex;

/// What this node has read of approvals.
#[derive(Debug, Default)]
pub struct Quality {
    read: Mutex<Read>,
}

#[derive(Debug, Default)]
struct Read {
    /// Up to which change; nothing was read yet, if absent.
    to: Option<Seq>,
    window: Window,
}

/// The quality of approvals.
///
/// # Errors
/// When the operator may not, or the store fails.
pub async fn show(op: &Op, query: QualityQuery) -> Result<QualityView, ControlError> {
    op.authorize(Action::ApprovalRead)?;
    let now = op.plane.now();
    let everybody = sees_everybody(&op.subject);
    if let (Operator::Person(me, _), Some(person)) = (&op.subject, &query.person)
        && !everybody
        && me != person
    {
        return Err(ControlError::refused(format!("{me} sees how they answer themselves"))
            .cure("operators and administrators see how everybody does"));
    }
    let wanted = query.since.map_or(now.minus(KEPT), |since| since.0.max(now.minus(KEPT)));
    let person = match (&op.subject, query.person) {
        // Who has no role sees what is theirs.
        (Operator::Person(me, roles), None) if roles.is_empty() => Some(me.clone()),
        (_, asked) => asked,
    };
    let which = Which { since: Some(wanted), person: person.clone(), tool: query.tool };
    let (measured, whole_since) = with(&op.plane, |window| (window.measure(&which), window.since())).await?;
    let since = whole_since.map_or(wanted, |whole| whole.max(wanted));
    let mut view = view_of(measured, since, whole_since.is_none_or(|whole| whole <= wanted));
    add_waiting(op, &mut view.people, person.as_ref());
    if !everybody {
        let Operator::Person(me, _) = &op.subject else { return Ok(view) };
        view.people.retain(|row| row.person == *me);
        view.checks = None;
    }
    Ok(view)
}

/// How fast a person has been lately.
///
/// # Errors
/// When the store fails.
pub(crate) async fn pace(plane: &Plane, person: &Name) -> Result<Pace, ControlError> {
    let now = plane.now();
    with(plane, |window| window.pace(person, now)).await
}

/// Looks at the window after all that is on record was taken in.
///
/// # Errors
/// When the store fails.
pub(crate) async fn with<T>(plane: &Plane, look: impl FnOnce(&Window) -> T) -> Result<T, ControlError> {
    let mut read = plane.quality.read.lock().await;
    read.on(plane).await?;
    Ok(look(&read.window))
}

impl Read {
    async fn on(&mut self, plane: &Plane) -> Result<(), ControlError> {
        let head = plane.store.head().await?;
        let mut to = self.to.unwrap_or_else(|| {
            let from = head.0.saturating_sub(READ_BACK_MAX);
            if from > 0 {
                self.window.begins_late();
            }
            Seq(from)
        });
        while to < head {
            let records = plane.store.tail(to, PAGE).await?;
            let Some(last) = records.last().map(|record| record.seq) else { break };
            for record in &records {
                if let Some(Object::Approval(row)) = &record.after {
                    self.window.put(row);
                }
            }
            to = last;
            self.to = Some(to);
        }
        self.to = Some(to);
        Ok(())
    }
}

fn sees_everybody(subject: &Operator) -> bool {
    match subject {
        Operator::LocalAdministrator | Operator::Plane => true,
        Operator::Person(_, roles) => roles.contains(&Role::Operator) || roles.contains(&Role::Administrator),
        Operator::Workload(_) | Operator::Agent(_) | Operator::Connector(_) => false,
    }
}

/// How much waits for each person now; who has nothing else to be measured by is there, too.
fn add_waiting(op: &Op, people: &mut Vec<PersonQuality>, only: Option<&Name>) {
    let view = op.plane.replica.latest();
    let (directory, now) = (&view.directory, op.plane.now());
    let waits = |row: &&Approval| row.status == ApprovalStatus::Waiting && now < row.expires;
    let mut waiting: BTreeMap<Name, usize> = BTreeMap::new();
    for row in directory.approvals.values().map(AsRef::as_ref).filter(waits).take(WAITING_MAX) {
        let of_gate = |gate: &String| life::approvers(row, directory, gate, now);
        let who: BTreeSet<Name> = row.gates.iter().flat_map(of_gate).collect();
        for person in who {
            let count = waiting.entry(person).or_default();
            *count = count.saturating_add(1);
        }
    }
    for (person, count) in waiting {
        if only.is_some_and(|only| *only != person) {
            continue;
        }
        match people.iter_mut().find(|row| row.person == person) {
            Some(row) => row.waiting = count,
            None => people.push(PersonQuality { waiting: count, ..person_view(person, &Answers::default()) }),
        }
    }
}

fn view_of(measured: Measured, since: Timestamp, complete: bool) -> QualityView {
    let named = |rows: BTreeMap<String, Measure>| {
        let mut rows: Vec<NamedMeasure> = rows
            .into_iter()
            .map(|(name, measure)| NamedMeasure { name, measure: measure_view(&measure) })
            .collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.measure.asked));
        rows.truncate(SHOWN_MAX);
        rows
    };
    let mut people: Vec<PersonQuality> =
        measured.people.into_iter().map(|(person, answers)| person_view(person, &answers)).collect();
    people.sort_by_key(|row| std::cmp::Reverse(row.yes.saturating_add(row.no).saturating_add(row.edited)));
    people.truncate(SHOWN_MAX);
    let days = measured
        .days
        .into_iter()
        .map(|(day, measure)| NamedMeasure { name: day_name(day), measure: measure_view(&measure) });
    let checks = |outcome: CheckOutcome| measured.checks.get(&outcome).copied().unwrap_or_default();
    QualityView {
        since: since.into(),
        complete,
        all: measure_view(&measured.all),
        days: days.collect(),
        tools: named(measured.tools),
        agents: named(measured.agents.into_iter().map(|(name, row)| (name.to_string(), row)).collect()),
        people,
        checks: Some(ChecksView {
            refused: checks(CheckOutcome::Refused),
            approved: checks(CheckOutcome::Approved),
            unanswered: checks(CheckOutcome::Unanswered),
        }),
    }
}

fn measure_view(measure: &Measure) -> MeasureView {
    MeasureView {
        asked: measure.asked,
        granted: measure.granted,
        refused: measure.refused,
        edited: measure.edited,
        timed_out: measure.timed_out,
        withdrawn: measure.withdrawn,
        rate: measure.rate(),
        median: measure.times.median().map(Into::into),
        p90: measure.times.p90().map(Into::into),
    }
}

fn person_view(person: Name, answers: &Answers) -> PersonQuality {
    PersonQuality {
        person,
        waiting: 0,
        yes: answers.yes,
        no: answers.no,
        edited: answers.edited,
        rate: answers.rate(),
        median: answers.times.median().map(Into::into),
        p90: answers.times.p90().map(Into::into),
        per_day: answers.all().checked_div(answers.days).unwrap_or_default(),
        busiest_day: answers.busiest_day,
        hurried: answers.hurried,
        warned: answers.warned,
        checks_refused: answers.checks_refused,
        checks_approved: answers.checks_approved,
    }
}

/// `2026-11-30` of a number of days since 1970.
fn day_name(day: i64) -> String {
    let moment = Moment(Timestamp::from_millis(day.saturating_mul(DAY_MS))).to_string();
    moment.get(..10).unwrap_or(&moment).to_owned()
}

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
const KEPT: DurationMs = DurationMs::from_mins(30 * 24 * 60);
/// Changes that a node reads back when it looks first.
const READ_BACK_MAX: u64 = 50_000;
const PAGE: usize = 1_000;
/// Waiting approvals that are looked through for whom they wait.
const WAITING_MAX: usize = 2_000;
const SHOWN_MAX: usize = 200;
