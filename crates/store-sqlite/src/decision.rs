//! Decisions: written under their conditions, found by their columns.

use crate::{
    error::{corrupt, failed, limit, unsigned},
    ledger, task,
    writer::Tx,
};
use provost_domain::{DecisionId, DurationMs, NodeId, Timestamp};
use provost_store::{
    DecisionFilter, DecisionPage, JournalKind, RecordError, StoreError, StoredDecision, Tally, TallyCount,
    driver::{Cursor, DecisionDraft, decode, weigh},
};
use rusqlite::{Connection, OptionalExtension as _, Row, types::Value};

/// Records a decision: its conditions first, so that a refusal has written nothing.
pub(crate) fn record(tx: &mut Tx<'_>, draft: &DecisionDraft) -> Result<Result<(), RecordError>, StoreError> {
    if draft.is_conditional() {
        // A caller who was told that it failed may come again; what was taken the first time stays taken once.
        if let Some(stored) = ledger::stored_record(tx.db, JournalKind::Decision, &draft.draft.id)? {
            return Ok(same(&stored, draft));
        }
    }
    let taken = match conditions(tx, draft)? {
        Ok(taken) => taken,
        Err(refused) => return Ok(Err(refused)),
    };
    let Some(row) = ledger::journal_once(tx, &draft.draft)? else {
        let stored = ledger::stored_record(tx.db, JournalKind::Decision, &draft.draft.id)?;
        return Ok(same(&stored.unwrap_or_default(), draft));
    };
    tx.db
        .prepare_cached(INSERT)
        .and_then(|mut insert| {
            insert.execute((
                row,
                draft.draft.at.as_millis(),
                draft.node.as_bytes(),
                &draft.face,
                &draft.subject,
                draft.task.as_ref().map(|task| task.as_bytes()),
                &draft.system,
                draft.verdict,
            ))
        })
        .map_err(failed("write a decision"))?;
    for charge in &taken {
        tx.balances.take(tx.db, charge)?;
    }
    Ok(Ok(()))
}

fn conditions(
    tx: &mut Tx<'_>,
    draft: &DecisionDraft,
) -> Result<Result<Vec<provost_store::driver::Taken>, RecordError>, StoreError> {
    if let Some(expects) = draft.expects {
        let state = task::state(tx.db, expects.task)?;
        if state.version != expects.version {
            return Ok(Err(RecordError::TaskMoved(state)));
        }
    }
    let Tx { db, balances } = tx;
    match weigh(&draft.charges, draft.draft.at, |key, after| balances.used(db, key, after)) {
        Err(RecordError::Store(error)) => Err(error),
        weighed => Ok(weighed),
    }
}

fn same(stored: &str, draft: &DecisionDraft) -> Result<(), RecordError> {
    if stored == draft.draft.record {
        return Ok(());
    }
    Err(StoreError::Unsupported("another decision was already recorded under this id: make a new one").into())
}

/// Allowed decisions that nobody completed.
pub(crate) fn unfinished(
    db: &Connection,
    node: Option<NodeId>,
    before: Timestamp,
    max: usize,
) -> Result<Vec<DecisionId>, StoreError> {
    let failed = || failed("look for unfinished decisions");
    let mut statement = db.prepare_cached(UNFINISHED).map_err(failed())?;
    let node = node.as_ref().map(|node| node.as_bytes());
    let ids = statement
        .query_map((before.as_millis(), node, limit(max)), |row| row.get::<_, String>(0))
        .map_err(failed())?;
    ids.map(|id| {
        let id = id.map_err(failed())?;
        id.parse().map_err(|why: provost_domain::ids::IdError| corrupt("decision", why.to_string()))
    })
    .collect()
}

/// One decision.
pub(crate) fn one(db: &Connection, id: DecisionId) -> Result<Option<StoredDecision>, StoreError> {
    let size = ledger::size(db)?;
    let found = db
        .prepare_cached(ONE)
        .and_then(|mut read| read.query_row([id.to_string()], Found::from_row).optional())
        .map_err(failed("read a decision"))?;
    found.map(|found| found.read(size)).transpose()
}

/// A page of decisions.
pub(crate) fn page(db: &Connection, filter: &DecisionFilter) -> Result<DecisionPage, StoreError> {
    let failed = || failed("read decisions");
    let size = ledger::size(db)?;
    let max = filter.max.max(1);
    let (sql, params) = question(filter, max)?;
    let mut statement = db.prepare_cached(&sql).map_err(failed())?;
    let found = statement
        .query_map(rusqlite::params_from_iter(params), Found::from_row)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(failed())?;
    let more = found.len() > max;
    let next = found.get(max.saturating_sub(1)).filter(|_| more).map(|last| last.cursor().to_string());
    let decisions = found.into_iter().take(max).map(|found| found.read(size)).collect::<Result<_, _>>()?;
    Ok(DecisionPage { decisions, next })
}

/// Decisions counted by step and verdict.
pub(crate) fn tally(
    db: &Connection,
    since: Timestamp,
    step: DurationMs,
    max: usize,
) -> Result<Tally, StoreError> {
    let failed = || failed("count decisions");
    let step = i64::try_from(step.0).unwrap_or(i64::MAX).max(1);
    let mut statement = db.prepare_cached(TALLY).map_err(failed())?;
    let count = |row: &Row<'_>| {
        let (step, count): (i64, i64) = (row.get(0)?, row.get(2)?);
        Ok((
            TallyCount { step: unsigned(step), verdict: row.get(1)?, count: unsigned(count) },
            row.get::<_, i64>(3)?,
        ))
    };
    let found = statement
        .query_map((since.as_millis(), step, limit(max)), count)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(failed())?;
    Ok(Tally::of(found, max))
}

/// The clauses a filter asks for, each with an index of its own behind it.
fn question(filter: &DecisionFilter, max: usize) -> Result<(String, Vec<Value>), StoreError> {
    let mut clauses = Vec::new();
    let mut params = Vec::new();
    let mut ask = |clause: &'static str, values: &mut Vec<Value>| {
        clauses.push(clause);
        params.append(values);
    };
    if let Some(task) = &filter.task {
        ask("decision.task = ?", &mut vec![Value::Blob(task.as_bytes().to_vec())]);
    }
    if let Some(agent) = &filter.agent {
        ask("decision.subject = ?", &mut vec![Value::Text(agent.as_str().to_owned())]);
    }
    if let Some(system) = &filter.system {
        ask("decision.system = ?", &mut vec![Value::Text(system.as_str().to_owned())]);
    }
    // Written out, since the index of refusals serves only words that the planner can see.
    match filter.verdict.as_deref() {
        None => {}
        Some("allow") => ask("decision.verdict = 'allow'", &mut vec![]),
        Some("hold") => ask("decision.verdict = 'hold'", &mut vec![]),
        Some("deny") => ask("decision.verdict = 'deny'", &mut vec![]),
        Some(_) => return Err(StoreError::Unsupported("a verdict is `allow`, `hold` or `deny`")),
    }
    if let Some(node) = &filter.other_than {
        ask("decision.node <> ?", &mut vec![Value::Blob(node.as_bytes().to_vec())]);
    }
    if let Some(since) = filter.since {
        ask("decision.at >= ?", &mut vec![Value::Integer(since.as_millis())]);
    }
    if let Some(cursor) = &filter.cursor {
        let Cursor { at, row } = cursor.parse()?;
        let values = &mut vec![Value::Integer(at.as_millis()), Value::Integer(row)];
        ask("(decision.at, decision.row) < (?, ?)", values);
    }
    let clauses = if clauses.is_empty() { "TRUE".to_owned() } else { clauses.join(" AND ") };
    let one_more = limit(max).saturating_add(1);
    Ok((
        format!("{SELECT}\nWHERE {clauses}\nORDER BY decision.at DESC, decision.row DESC\nLIMIT {one_more}"),
        params,
    ))
}

/// A decision as the tables hold it.
struct Found {
    row: i64,
    at: i64,
    decision: String,
    completion: Option<String>,
}

impl Found {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { row: row.get(0)?, at: row.get(1)?, decision: row.get(2)?, completion: row.get(3)? })
    }

    fn cursor(&self) -> Cursor {
        Cursor { at: Timestamp::from_millis(self.at), row: self.row }
    }

    fn read(&self, size: u64) -> Result<StoredDecision, StoreError> {
        let leaf = unsigned(self.row.saturating_sub(1));
        Ok(StoredDecision {
            decision: decode("decision", &self.decision)?,
            completion: self.completion.as_deref().map(|text| decode("completion", text)).transpose()?,
            leaf: (leaf < size).then_some(leaf),
        })
    }
}

const INSERT: &str = "INSERT INTO decision (row, at, node, face, subject, task, system, verdict)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

const UNFINISHED: &str = "SELECT journal.id
FROM decision JOIN journal ON journal.row = decision.row
WHERE decision.verdict = 'allow' AND decision.completion IS NULL AND decision.face <> 'authzen'
    AND decision.at < ?1 AND (?2 IS NULL OR decision.node = ?2)
ORDER BY decision.at, decision.row
LIMIT ?3";

const SELECT: &str = "SELECT decision.row, decision.at, made.record, done.record
FROM decision
JOIN journal AS made ON made.row = decision.row
LEFT JOIN journal AS done ON done.row = decision.completion";

const TALLY: &str = "SELECT (at - ?1) / ?2 AS step, verdict, COUNT(*), MIN(at)
FROM (SELECT at, verdict FROM decision WHERE at >= ?1 ORDER BY at DESC LIMIT ?3)
GROUP BY 1, 2
ORDER BY 1, 2";

const ONE: &str = "SELECT decision.row, decision.at, made.record, done.record
FROM journal AS made
JOIN decision ON decision.row = made.row
LEFT JOIN journal AS done ON done.row = decision.completion
WHERE made.kind = 'decision' AND made.id = ?1";
