//! Baselines: what is usual for an agent. Learned from tasks that ended (`learn`), read by people, who agree to what changed or
//! start it again. The rules are `provost-watch`'s.

mod learn;
mod tell;

pub use learn::{follow, once};

use crate::{
    Action, ControlError, Op,
    change::{Change, Draft},
    reason::reason,
};
use provost_api::baseline::{BaselineAgree, BaselineReset, BaselineView, CountsView, OftenView};
use provost_domain::{
    Baseline, BaselineOf, Directory, Name, Object, ObjectKey,
    baseline::Agreed,
    usual::{Counts, Usual},
};
use provost_watch::kind;
use std::collections::BTreeMap;

/// What is usual for an agent: everything it does first, then each kind of its tasks, then what all agents with its purpose do.
///
/// # Errors
/// When the operator may not, or nobody has that name.
pub fn list(op: &Op, agent: &Name) -> Result<Vec<BaselineView>, ControlError> {
    op.authorize_on(Action::AgentRead, agent)?;
    let view = op.plane.replica.latest();
    known(&view.directory, agent)?;
    let peers = of_peers(&view.directory, agent).and_then(|of| view.directory.baseline(&of));
    Ok(view.directory.baselines_of(agent).chain(peers).map(|row| show(row)).collect())
}

/// All agents with the same purpose, this one among them.
fn of_peers(directory: &Directory, agent: &Name) -> Option<BaselineOf> {
    let purpose = kind::of(&directory.agents.get(agent)?.charter.purpose)?;
    Some(BaselineOf::Purpose { purpose })
}

/// A person looked at what changed: it is usual from now on, or what was before goes on.
///
/// # Errors
/// When the operator may not, there is nothing to agree to, or no reason is given.
pub async fn agree(op: &Op, agent: &Name, wanted: BaselineAgree) -> Result<Vec<BaselineView>, ControlError> {
    let what = if wanted.new { "new" } else { "old" };
    decide(op, agent, (&Which::own(wanted.kind), &wanted.reason, what), |row| {
        row.is_proposed().then(|| row.usual.agree(wanted.new)).is_some()
    })
    .await
}

/// Forgets what is usual, to learn it again from the next task on.
///
/// # Errors
/// When the operator may not, nothing is known, or no reason is given. What others do too is no one owner's to forget.
pub async fn reset(op: &Op, agent: &Name, wanted: BaselineReset) -> Result<Vec<BaselineView>, ControlError> {
    let which = match (wanted.peers, wanted.kind) {
        (true, None) => {
            op.authorize(Action::BaselineAgree)?;
            Which::Peers
        }
        (true, Some(_)) => return Err(ControlError::caller("`peers` have no `kind`: say one of them")),
        (false, kind) => Which::own(kind),
    };
    decide(op, agent, (&which, &wanted.reason, "reset"), |row| {
        row.usual = Usual::default();
        row.since = op.plane.now();
        true
    })
    .await
}

/// The model, prompt or charter of an agent changed: what is usual for it waits for a person. Gives how many rows do.
///
/// # Errors
/// When the operator may not, or the store fails.
pub(crate) async fn changed(op: &Op, agent: &Name, what: &str) -> Result<usize, ControlError> {
    let authorised = op.authorize(Action::BaselineLearn)?;
    let keys = keys(&op.plane.replica.latest().directory, agent, &Which::All);
    let (_seq, count) = authorised
        .change(&keys, what, |seen| {
            let mut drafts = Vec::new();
            for row in seen.directory.baselines_of(agent).filter(|row| !row.usual.recent.is_empty()) {
                let mut row = row.as_ref().clone();
                row.usual.changed(what);
                drafts.push(Draft::Put(Object::Baseline(Box::new(row))));
            }
            let answer = drafts.len();
            Ok(Change { drafts, what: format!("what is usual for {agent} waits for a person"), answer })
        })
        .await?;
    Ok(count)
}

async fn decide(
    op: &Op,
    agent: &Name,
    (which, why, what): (&Which, &str, &str),
    act: impl Fn(&mut Baseline) -> bool,
) -> Result<Vec<BaselineView>, ControlError> {
    let authorised = op.authorize_on(Action::BaselineAgree, agent)?;
    let why = reason(why)?;
    known(&op.plane.replica.latest().directory, agent)?;
    let keys = keys(&op.plane.replica.latest().directory, agent, which);
    let (_seq, rows) = authorised
        .change(&keys, why, |seen| {
            let mut rows = Vec::new();
            for key in &keys {
                let Some(row) = seen.directory.baselines.get(&key.key) else { continue };
                let mut row = row.as_ref().clone();
                if act(&mut row) {
                    let by = op.subject.to_string();
                    let (what, why) = (what.to_owned(), why.to_owned());
                    row.agreed = Some(Agreed { at: op.plane.now(), by, what, why });
                    rows.push(row);
                }
            }
            let drafts = rows.iter().map(|row| Draft::Put(Object::Baseline(Box::new(row.clone()))));
            let drafts: Vec<Draft> = drafts.collect();
            Ok(Change { drafts, what: format!("what is usual for {agent}: {what}"), answer: rows })
        })
        .await?;
    if rows.is_empty() {
        let of = match which {
            Which::All => String::new(),
            Which::Kind(kind) => format!(" for tasks like {kind}"),
            Which::Peers => " and its peers".to_owned(),
        };
        return Err(ControlError::conflict(format!(
            "there is nothing about {agent}{of} to decide: nothing was learned, or nothing waits for a person"
        ))
        .cure("see `provost baseline show`"));
    }
    Ok(rows.iter().map(show).collect())
}

/// Which of the rows that say what is usual.
enum Which {
    /// All of the agent's.
    All,
    /// Of one kind of its tasks.
    Kind(String),
    /// Of all agents with its purpose.
    Peers,
}

impl Which {
    fn own(kind: Option<String>) -> Self {
        kind.map_or(Self::All, Self::Kind)
    }
}

fn keys(directory: &Directory, agent: &Name, which: &Which) -> Vec<ObjectKey> {
    let key = |of: &BaselineOf| ObjectKey::new(provost_domain::Kind::Baseline, of.key());
    let wanted = |row: &Baseline| match (&row.of, which) {
        (BaselineOf::Kind { kind: of, .. }, Which::Kind(kind)) => of == kind,
        (_, which) => matches!(which, Which::All),
    };
    match which {
        Which::Peers => of_peers(directory, agent).iter().map(key).collect(),
        _ => directory.baselines_of(agent).filter(|row| wanted(row)).map(|row| key(&row.of)).collect(),
    }
}

fn known(directory: &Directory, agent: &Name) -> Result<(), ControlError> {
    let found = directory.agents.contains_key(agent);
    if found { Ok(()) } else { Err(ControlError::unknown("agent", agent.as_str())) }
}

/// A baseline as people read it.
#[must_use]
pub fn show(row: &Baseline) -> BaselineView {
    let usual = &row.usual;
    let kind = match &row.of {
        BaselineOf::Kind { kind, .. } => Some(kind.clone()),
        BaselineOf::Agent { .. } | BaselineOf::Purpose { .. } => None,
    };
    BaselineView {
        of: row.of.to_string(),
        agent: row.of.agent().cloned(),
        kind,
        since: row.since.into(),
        last: row.last.into(),
        waits: usual.pending.clone(),
        shift_percent: percent(usual.shift()),
        reference: counts(&usual.reference, None),
        recent_runs: usual.recent.runs,
        aside: counts(&usual.aside, Some(&usual.reference)),
        agreed_by: row.agreed.as_ref().map(|agreed| agreed.by.clone()),
        agreed_at: row.agreed.as_ref().map(|agreed| agreed.at.into()),
        agreed_to: row.agreed.as_ref().map(|agreed| agreed.what.clone()),
        agreed_why: row.agreed.as_ref().map(|agreed| agreed.why.clone()),
    }
}

/// Counts, the commonest first; of what was put aside, only what is not usual already.
fn counts(counts: &Counts, known: Option<&Counts>) -> CountsView {
    fn often<K: Ord + ToString>(
        counts: &BTreeMap<K, u32>,
        known: Option<&BTreeMap<K, u32>>,
    ) -> Vec<OftenView> {
        let news = counts.iter().filter(|(key, _)| known.is_none_or(|known| !known.contains_key(key)));
        let mut often: Vec<OftenView> =
            news.map(|(key, runs)| OftenView { what: key.to_string(), runs: *runs }).collect();
        often.sort_by(|a, b| b.runs.cmp(&a.runs).then_with(|| a.what.cmp(&b.what)));
        often.truncate(SHOWN_MAX);
        often
    }
    let news = counts.marks.keys().filter(|mark| known.is_none_or(|known| !known.marks.contains_key(mark)));
    CountsView {
        runs: counts.runs,
        tools: often(&counts.tools, known.map(|known| &known.tools)),
        systems: often(&counts.systems, known.map(|known| &known.systems)),
        labels: often(&counts.labels, known.map(|known| &known.labels)),
        hours: often(&counts.hours, known.map(|known| &known.hours)),
        values: news.count(),
        calls: counts.calls,
        failures: counts.failures,
        refusals: counts.refusals,
    }
}

fn percent(share: f64) -> u8 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to what fits, and no sum hangs on it"
    )]
    let percent = (share * 100.0).round().clamp(0.0, 100.0) as u8;
    percent
}

/// Of each sort, so many are shown.
const SHOWN_MAX: usize = 40;
