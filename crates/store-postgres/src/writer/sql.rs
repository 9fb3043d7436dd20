//! The round trips of a group: everything it asks in one, everything it writes in the next. The statements of each are
//! sent together, and the server does them in order.

use super::{
    Void,
    plan::{Decided, Questions, Seen, Writes},
};
use crate::{
    error::{corrupt, signed, sixteen, unsigned},
    task::USED,
};
use deadpool_postgres::ClientWrapper;
use provost_domain::{TaskId, TaskState};
use provost_store::{
    StoreError,
    driver::{Draft, labels, labels_text},
};
use tokio_postgres::{Error, Row, Statement, types::ToSql};

/// Begins a transaction, locks, and reads what the group depends on.
pub(super) async fn ask(client: &ClientWrapper, asked: &Questions) -> Result<Seen, Void> {
    let locks: Vec<&str> = asked.locks.iter().map(String::as_str).collect();
    let tasks: Vec<&[u8]> = asked.tasks.iter().map(|task| task.as_bytes().as_slice()).collect();
    let keys: Vec<&str> = asked.windows.iter().map(|(key, _)| key.as_str()).collect();
    let after: Vec<i64> = asked.windows.iter().map(|(_, after)| *after).collect();
    let void = Void::new("read what a group of records depends on");
    let prepare = async |sql, params, wanted| Sent::new(client, sql, params, wanted).await.map_err(&void);
    let (lock_params, new, completed, states, windows): (Params<'_, 1>, Params<'_, 1>, Params<'_, 1>, _, _) =
        ([&locks], [&asked.new], [&asked.completed], [&tasks as Param<'_>], [&keys as Param<'_>, &after]);
    let lock = prepare(LOCK, &lock_params, !locks.is_empty()).await?;
    let stored = prepare(STORED, &new, !asked.new.is_empty()).await?;
    let decided = prepare(DECIDED, &completed, !asked.completed.is_empty()).await?;
    let states = prepare(STATES, &states, !tasks.is_empty()).await?;
    let used = prepare(USED, &windows, !keys.is_empty()).await?;
    // INVARIANT: sent in this order. Each is sent when it is first polled, which `futures::join!` does from the first to
    // the last, and nothing is left to prepare. Later statements see all that was committed before the locks were had.
    let (begun, locked, stored, decided, states, used) = futures::join!(
        client.batch_execute("BEGIN"),
        lock.rows(client),
        stored.rows(client),
        decided.rows(client),
        states.rows(client),
        used.rows(client),
    );
    begun.map_err(&void)?;
    locked.map_err(&void)?;
    let rows = [stored, decided, states, used].into_iter().collect::<Result<Vec<_>, _>>().map_err(&void)?;
    read(asked, &rows).map_err(Void::Spoiled)
}

/// Writes everything, in the transaction that was begun.
pub(super) async fn write(client: &ClientWrapper, writes: &Writes<'_>) -> Result<(), Void> {
    let decisions = Decisions::of(writes);
    let completions = Drafts::of(writes.completions.iter().map(|(draft, _)| *draft));
    let completed: Vec<i64> = writes.completions.iter().map(|(_, row)| *row).collect();
    let refused = Drafts::of(writes.refused.iter().copied());
    let charges = Charges::of(writes);
    let states = States::of(writes);
    let void = Void::new("write a group of records");
    let prepare = async |sql, params, wanted| Sent::new(client, sql, params, wanted).await.map_err(&void);
    let params = decisions.params();
    let decisions = prepare(PUT_DECISIONS, &params, !writes.decisions.is_empty()).await?;
    let params = completions.params_and(&completed);
    let completions = prepare(PUT_COMPLETIONS, &params, !completed.is_empty()).await?;
    let params = refused.params();
    let refused = prepare(PUT_REFUSED, &params, !writes.refused.is_empty()).await?;
    let params: Params<'_, 3> = [&charges.keys, &charges.slots, &charges.amounts];
    let charges = prepare(PUT_CHARGES, &params, !writes.charges.is_empty()).await?;
    let params: Params<'_, 3> = [&states.tasks, &states.versions, &states.labels];
    let states = prepare(PUT_STATES, &params, !writes.states.is_empty()).await?;
    let memories = Memories::of(writes);
    let params: Params<'_, 3> = [&memories.tasks, &memories.versions, &memories.chunks];
    let memories = prepare(PUT_MEMORIES, &params, !writes.memories.is_empty()).await?;
    let written = futures::join!(
        decisions.rows(client),
        completions.rows(client),
        refused.rows(client),
        charges.rows(client),
        states.rows(client),
        memories.rows(client),
    );
    let (decisions, completions, refused, charges, states, memories) = written;
    for done in [decisions, completions, refused, charges, states, memories] {
        done.map_err(&void)?;
    }
    Ok(())
}

type Param<'a> = &'a (dyn ToSql + Sync);
type Params<'a, const N: usize> = [Param<'a>; N];

/// A statement that is ready to be sent, if it is wanted.
struct Sent<'a>(Option<(Statement, &'a [Param<'a>])>);

impl<'a> Sent<'a> {
    async fn new(
        client: &ClientWrapper,
        sql: &str,
        params: &'a [Param<'a>],
        wanted: bool,
    ) -> Result<Self, Error> {
        if !wanted {
            return Ok(Self(None));
        }
        Ok(Self(Some((client.prepare_cached(sql).await?, params))))
    }

    async fn rows(&self, client: &ClientWrapper) -> Result<Vec<Row>, Error> {
        match &self.0 {
            Some((statement, params)) => client.query(statement, params).await,
            None => Ok(Vec::new()),
        }
    }
}

fn read(asked: &Questions, rows: &[Vec<Row>]) -> Result<Seen, StoreError> {
    let [stored, decided, states, used] = rows else {
        return Err(corrupt("answer", "another number of answers than of questions"));
    };
    let mut seen = Seen::default();
    let failed = crate::error::failed("read what a group of records depends on");
    for row in stored {
        seen.stored.insert(row.try_get(0).map_err(&failed)?, row.try_get(1).map_err(&failed)?);
    }
    for row in decided {
        let found = Decided {
            row: row.try_get(1).map_err(&failed)?,
            allow: row.try_get(2).map_err(&failed)?,
            done: row.try_get(3).map_err(&failed)?,
        };
        seen.decided.insert(row.try_get(0).map_err(&failed)?, found);
    }
    for row in states {
        let task = TaskId::from_bytes(sixteen(row.try_get(0).map_err(&failed)?, "task state")?);
        let version = unsigned(row.try_get(1).map_err(&failed)?);
        let state = TaskState { version, labels: labels(row.try_get(2).map_err(&failed)?)? };
        seen.states.insert(task, state);
    }
    for (window, row) in asked.windows.iter().zip(used) {
        seen.used.insert(window.clone(), row.try_get(0).map_err(&failed)?);
    }
    Ok(seen)
}

/// Columns of journal rows.
#[derive(Default)]
struct Drafts<'a> {
    ids: Vec<&'a str>,
    ats: Vec<i64>,
    salts: Vec<&'a [u8]>,
    records: Vec<&'a str>,
}

impl<'a> Drafts<'a> {
    fn of(drafts: impl Iterator<Item = &'a Draft>) -> Self {
        let mut columns = Self::default();
        for draft in drafts {
            columns.ids.push(&draft.id);
            columns.ats.push(draft.at.as_millis());
            columns.salts.push(&draft.salt);
            columns.records.push(&draft.record);
        }
        columns
    }

    fn params(&self) -> Params<'_, 4> {
        [&self.ids, &self.ats, &self.salts, &self.records]
    }

    fn params_and<'b>(&'b self, more: &'b Vec<i64>) -> Params<'b, 5> {
        [&self.ids, &self.ats, &self.salts, &self.records, more]
    }
}

/// Columns of balances.
struct Charges<'a> {
    keys: Vec<&'a str>,
    slots: Vec<i64>,
    amounts: Vec<i64>,
}

impl<'a> Charges<'a> {
    fn of(writes: &'a Writes<'_>) -> Self {
        Self {
            keys: writes.charges.keys().map(|(key, _)| key.as_str()).collect(),
            slots: writes.charges.keys().map(|(_, slot)| slot.as_millis()).collect(),
            amounts: writes.charges.values().copied().collect(),
        }
    }
}

/// Columns of tasks' states.
struct States<'a> {
    tasks: Vec<&'a [u8]>,
    versions: Vec<i64>,
    labels: Vec<String>,
}

impl<'a> States<'a> {
    fn of(writes: &'a Writes<'_>) -> Self {
        Self {
            tasks: writes.states.keys().map(|task| task.as_bytes().as_slice()).collect(),
            versions: writes.states.values().map(|state| signed(state.version)).collect(),
            labels: writes.states.values().map(|state| labels_text(&state.labels)).collect(),
        }
    }
}

/// Columns of what tasks remember.
struct Memories<'a> {
    tasks: Vec<&'a [u8]>,
    versions: Vec<i64>,
    chunks: Vec<&'a [u8]>,
}

impl<'a> Memories<'a> {
    fn of(writes: &'a Writes<'_>) -> Self {
        Self {
            tasks: writes.memories.iter().map(|(task, ..)| task.as_bytes().as_slice()).collect(),
            versions: writes.memories.iter().map(|(_, version, _)| signed(*version)).collect(),
            chunks: writes.memories.iter().map(|(.., chunk)| *chunk).collect(),
        }
    }
}

/// Columns of decisions.
struct Decisions<'a> {
    drafts: Drafts<'a>,
    nodes: Vec<&'a [u8]>,
    faces: Vec<&'a str>,
    subjects: Vec<&'a str>,
    tasks: Vec<Option<&'a [u8]>>,
    systems: Vec<&'a str>,
    verdicts: Vec<&'a str>,
}

impl<'a> Decisions<'a> {
    fn of(writes: &Writes<'a>) -> Self {
        let decisions = &writes.decisions;
        Self {
            drafts: Drafts::of(decisions.iter().map(|decision| &decision.draft)),
            nodes: decisions.iter().map(|decision| decision.node.as_bytes().as_slice()).collect(),
            faces: decisions.iter().map(|decision| decision.face.as_str()).collect(),
            subjects: decisions.iter().map(|decision| decision.subject.as_str()).collect(),
            tasks: decisions
                .iter()
                .map(|decision| decision.task.as_ref().map(|task| task.as_bytes().as_slice()))
                .collect(),
            systems: decisions.iter().map(|decision| decision.system.as_str()).collect(),
            verdicts: decisions.iter().map(|decision| decision.verdict).collect(),
        }
    }

    fn params(&self) -> Params<'_, 10> {
        let [ids, ats, salts, records] = self.drafts.params();
        let Self { nodes, faces, subjects, tasks, systems, verdicts, .. } = self;
        [ids, ats, salts, records, nodes, faces, subjects, tasks, systems, verdicts]
    }
}

// In one order everywhere, so that two nodes never wait for each other.
const LOCK: &str = "SELECT pg_advisory_xact_lock(word)
FROM (SELECT DISTINCT hashtextextended(word, 0) AS word FROM unnest($1::text[]) AS word ORDER BY 1) AS words";

const STORED: &str = "SELECT id, record
FROM journal
WHERE kind = 'decision' AND id = ANY($1)";

const DECIDED: &str =
    "SELECT journal.id, decision.row, decision.verdict = 'allow', decision.completion IS NOT NULL
FROM journal JOIN decision ON decision.row = journal.row
WHERE journal.kind = 'decision' AND journal.id = ANY($1)";

const STATES: &str = "SELECT task, version, labels
FROM task_state
WHERE task = ANY($1)";

const PUT_DECISIONS: &str = "WITH made AS (
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::bytea[], $4::text[], $5::bytea[], $6::text[], $7::text[],
        $8::bytea[], $9::text[], $10::text[])
        AS made (id, at, salt, record, node, face, subject, task, system, verdict)
), kept AS (
    INSERT INTO journal (kind, id, at, salt, record)
    SELECT 'decision', id, at, salt, record FROM made
    RETURNING row, id
), waits AS (
    INSERT INTO waiting (row) SELECT row FROM kept
)
INSERT INTO decision (row, at, node, face, subject, task, system, verdict)
SELECT kept.row, made.at, made.node, made.face, made.subject, made.task, made.system, made.verdict
FROM made JOIN kept USING (id)";

const PUT_COMPLETIONS: &str = "WITH made AS (
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::bytea[], $4::text[], $5::bigint[])
        AS made (id, at, salt, record, decision)
), kept AS (
    INSERT INTO journal (kind, id, at, salt, record)
    SELECT 'completion', id, at, salt, record FROM made
    RETURNING row, id
), waits AS (
    INSERT INTO waiting (row) SELECT row FROM kept
)
UPDATE decision SET completion = kept.row
FROM made JOIN kept USING (id)
WHERE decision.row = made.decision";

const PUT_REFUSED: &str = "WITH kept AS (
    INSERT INTO journal (kind, id, at, salt, record)
    SELECT 'refused', id, at, salt, record
    FROM unnest($1::text[], $2::bigint[], $3::bytea[], $4::text[]) AS made (id, at, salt, record)
    RETURNING row
)
INSERT INTO waiting (row) SELECT row FROM kept";

const PUT_CHARGES: &str = "INSERT INTO charge (key, slot, amount)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[])
ON CONFLICT (key, slot) DO UPDATE SET amount = charge.amount + excluded.amount";

const PUT_STATES: &str = "INSERT INTO task_state (task, version, labels)
SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::text[])
ON CONFLICT (task) DO UPDATE SET version = excluded.version, labels = excluded.labels";

const PUT_MEMORIES: &str = "INSERT INTO task_memory (task, version, chunk)
SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bytea[])";
