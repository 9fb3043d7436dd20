//! Decisions as they are read; the writer writes them.

use crate::{
    connection::Connections,
    error::{corrupt, failed, limit, unsigned},
};
use provost_domain::{DecisionId, DurationMs, NodeId, Timestamp};
use provost_store::{
    DecisionFilter, DecisionPage, StoreError, StoredDecision, Tally, TallyCount,
    driver::{Cursor, decode},
};
use tokio_postgres::{Row, types::ToSql};

/// Allowed decisions that nobody completed.
pub(crate) async fn unfinished(
    connections: &Connections,
    node: Option<NodeId>,
    before: Timestamp,
    max: usize,
) -> Result<Vec<DecisionId>, StoreError> {
    let doing = "look for unfinished decisions";
    let node = node.as_ref().map(|node| node.as_bytes().as_slice());
    let rows = connections.query(doing, UNFINISHED, &[&before.as_millis(), &node, &limit(max)]).await?;
    rows.iter()
        .map(|row| {
            let id: &str = row.try_get(0).map_err(failed(doing))?;
            id.parse().map_err(|why: provost_domain::ids::IdError| corrupt("decision", why.to_string()))
        })
        .collect()
}

/// One decision.
pub(crate) async fn one(
    connections: &Connections,
    id: DecisionId,
) -> Result<Option<StoredDecision>, StoreError> {
    let row = connections.query_opt("read a decision", ONE, &[&id.to_string()]).await?;
    row.map(|row| read(&row)).transpose()
}

/// A page of decisions.
pub(crate) async fn page(
    connections: &Connections,
    filter: &DecisionFilter,
) -> Result<DecisionPage, StoreError> {
    let doing = "read decisions";
    let max = filter.max.max(1);
    let (sql, params) = question(filter, max)?;
    let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|param| param.as_ref() as _).collect();
    let rows = connections.query(doing, &sql, &params).await?;
    let cursor = |row: &Row| -> Result<String, tokio_postgres::Error> {
        let (row, at) = (row.try_get(0)?, Timestamp::from_millis(row.try_get(1)?));
        Ok(Cursor { at, row }.to_string())
    };
    let last = rows.get(max.saturating_sub(1)).filter(|_| rows.len() > max);
    let next = last.map(cursor).transpose().map_err(failed(doing))?;
    let decisions = rows.iter().take(max).map(read).collect::<Result<_, _>>()?;
    Ok(DecisionPage { decisions, next })
}

/// Decisions counted by step and verdict.
pub(crate) async fn tally(
    connections: &Connections,
    since: Timestamp,
    step: DurationMs,
    max: usize,
) -> Result<Tally, StoreError> {
    let doing = "count decisions";
    let step = i64::try_from(step.0).unwrap_or(i64::MAX).max(1);
    let rows = connections.query(doing, TALLY, &[&since.as_millis(), &step, &limit(max)]).await?;
    let count = |row: &Row| -> Result<(TallyCount, i64), tokio_postgres::Error> {
        let (step, count): (i64, i64) = (row.try_get(0)?, row.try_get(2)?);
        let verdict = row.try_get(1)?;
        Ok((TallyCount { step: unsigned(step), verdict, count: unsigned(count) }, row.try_get(3)?))
    };
    let found = rows.iter().map(count).collect::<Result<Vec<_>, _>>().map_err(failed(doing))?;
    Ok(Tally::of(found, max))
}

type Param = Box<dyn ToSql + Sync + Send>;

/// The clauses a filter asks for, each with an index of its own behind it.
fn question(filter: &DecisionFilter, max: usize) -> Result<(String, Vec<Param>), StoreError> {
    let mut clauses: Vec<String> = Vec::new();
    let mut params: Vec<Param> = Vec::new();
    let mut ask = |clause: &str, mut values: Vec<Param>| {
        let (n, m) = (params.len() + 1, params.len() + 2);
        params.append(&mut values);
        clauses.push(clause.replace("$n", &format!("${n}")).replace("$m", &format!("${m}")));
    };
    if let Some(task) = &filter.task {
        ask("decision.task = $n", vec![Box::new(task.as_bytes().to_vec())]);
    }
    if let Some(agent) = &filter.agent {
        ask("decision.subject = $n", vec![Box::new(agent.as_str().to_owned())]);
    }
    if let Some(system) = &filter.system {
        ask("decision.system = $n", vec![Box::new(system.as_str().to_owned())]);
    }
    if let Some(node) = &filter.other_than {
        ask("decision.node <> $n", vec![Box::new(node.as_bytes().to_vec())]);
    }
    if let Some(since) = filter.since {
        ask("decision.at >= $n", vec![Box::new(since.as_millis())]);
    }
    if let Some(cursor) = &filter.cursor {
        let Cursor { at, row } = cursor.parse()?;
        ask("(decision.at, decision.row) < ($n, $m)", vec![Box::new(at.as_millis()), Box::new(row)]);
    }
    // Written out, since the index of refusals serves only words that the planner can see.
    match filter.verdict.as_deref() {
        None => {}
        Some("allow") => clauses.push("decision.verdict = 'allow'".to_owned()),
        Some("hold") => clauses.push("decision.verdict = 'hold'".to_owned()),
        Some("deny") => clauses.push("decision.verdict = 'deny'".to_owned()),
        Some(_) => return Err(StoreError::Unsupported("a verdict is `allow`, `hold` or `deny`")),
    }
    if clauses.is_empty() {
        clauses.push("TRUE".to_owned());
    }
    let clauses = clauses.join(" AND ");
    let one_more = limit(max).saturating_add(1);
    Ok((
        format!("{SELECT}\nWHERE {clauses}\nORDER BY decision.at DESC, decision.row DESC\nLIMIT {one_more}"),
        params,
    ))
}

fn read(row: &Row) -> Result<StoredDecision, StoreError> {
    let failed = failed("read a decision");
    let completion: Option<&str> = row.try_get(3).map_err(&failed)?;
    let leaf: Option<i64> = row.try_get(4).map_err(&failed)?;
    Ok(StoredDecision {
        decision: decode("decision", row.try_get(2).map_err(&failed)?)?,
        completion: completion.map(|text| decode("completion", text)).transpose()?,
        leaf: leaf.map(unsigned),
    })
}

const UNFINISHED: &str = "SELECT journal.id
FROM decision JOIN journal ON journal.row = decision.row
WHERE decision.verdict = 'allow' AND decision.completion IS NULL AND decision.face <> 'authzen'
    AND decision.at < $1 AND ($2::bytea IS NULL OR decision.node = $2)
ORDER BY decision.at, decision.row
LIMIT $3";

const SELECT: &str = "SELECT decision.row, decision.at, made.record, done.record, leaf.index
FROM decision
JOIN journal AS made ON made.row = decision.row
LEFT JOIN journal AS done ON done.row = decision.completion
LEFT JOIN leaf ON leaf.row = decision.row AND leaf.index < (SELECT size FROM ledger)";

const TALLY: &str = "SELECT (at - $1) / $2 AS step, verdict, COUNT(*), MIN(at)
FROM (SELECT at, verdict FROM decision WHERE at >= $1 ORDER BY at DESC LIMIT $3) AS newest
GROUP BY 1, 2
ORDER BY 1, 2";

const ONE: &str = "SELECT decision.row, decision.at, made.record, done.record, leaf.index
FROM journal AS made
JOIN decision ON decision.row = made.row
LEFT JOIN journal AS done ON done.row = decision.completion
LEFT JOIN leaf ON leaf.row = decision.row AND leaf.index < (SELECT size FROM ledger)
WHERE made.kind = 'decision' AND made.id = $1";
