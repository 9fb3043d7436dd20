-- Every record's text stands once, in journal; the other tables say where to find it.

-- Rows are numbered 1, 2, 3, ... by the only writer, without gaps and without an end: row n is leaf n - 1 of the tree.
CREATE TABLE journal (
    row    INTEGER PRIMARY KEY,
    kind   TEXT NOT NULL CHECK (kind IN ('change', 'decision', 'completion', 'refused')),
    id     TEXT NOT NULL CHECK (id <> ''),
    at     INTEGER NOT NULL,
    salt   BLOB NOT NULL CHECK (length(salt) = 16),
    record TEXT NOT NULL CHECK (record <> '')
) STRICT;
CREATE UNIQUE INDEX journal_id ON journal (id, kind);

-- The strict order of changes.
CREATE TABLE change (
    seq     INTEGER PRIMARY KEY CHECK (seq > 0),
    kind    TEXT NOT NULL,
    key     TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version > 0),
    row     INTEGER NOT NULL REFERENCES journal (row)
) STRICT;
CREATE UNIQUE INDEX change_of ON change (kind, key, version);

-- The newest change of each row of the organisation. `ended` is a task that is over, `removed` a row that is gone.
CREATE TABLE object (
    kind    TEXT NOT NULL CHECK (kind IN ('organisation', 'person', 'workload', 'system', 'tool', 'policy',
                                          'application', 'agent', 'task')),
    key     TEXT NOT NULL CHECK (key <> ''),
    version INTEGER NOT NULL,
    state   TEXT NOT NULL CHECK (state IN ('live', 'ended', 'removed')),
    row     INTEGER NOT NULL REFERENCES journal (row),
    PRIMARY KEY (kind, key),
    CHECK (state <> 'ended' OR kind = 'task')
) STRICT, WITHOUT ROWID;
CREATE INDEX object_live ON object (kind, row) WHERE state = 'live';

-- Words that no two rows may hold, ever: kept when the row is removed.
CREATE TABLE claim (
    claim TEXT PRIMARY KEY,
    kind  TEXT NOT NULL,
    key   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- A decision is found by these columns; what it says is in journal under the same row.
CREATE TABLE decision (
    row        INTEGER PRIMARY KEY REFERENCES journal (row),
    at         INTEGER NOT NULL,
    node       BLOB NOT NULL CHECK (length(node) = 16),
    face       TEXT NOT NULL,
    subject    TEXT NOT NULL,
    task       BLOB CHECK (task IS NULL OR length(task) = 16),
    system     TEXT NOT NULL,
    verdict    TEXT NOT NULL CHECK (verdict IN ('allow', 'hold', 'deny')),
    completion INTEGER REFERENCES journal (row),
    CHECK (completion IS NULL OR verdict = 'allow'),
    CHECK (completion IS NULL OR completion > row)
) STRICT;
CREATE INDEX decision_at ON decision (at);
CREATE INDEX decision_subject ON decision (subject, at);
CREATE INDEX decision_task ON decision (task, at) WHERE task IS NOT NULL;
CREATE INDEX decision_system ON decision (system, at);
CREATE INDEX decision_refused ON decision (verdict, at) WHERE verdict <> 'allow';
CREATE INDEX decision_open ON decision (at) WHERE verdict = 'allow' AND completion IS NULL AND face <> 'authzen';

-- What a task has read. `labels` is a JSON list.
CREATE TABLE task_state (
    task    BLOB PRIMARY KEY CHECK (length(task) = 16),
    version INTEGER NOT NULL CHECK (version > 0),
    labels  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What calls took from budgets, by the end of the grain of time they fell into.
CREATE TABLE charge (
    key    TEXT NOT NULL,
    slot   INTEGER NOT NULL,
    amount INTEGER NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (key, slot)
) STRICT, WITHOUT ROWID;
CREATE INDEX charge_slot ON charge (slot);

CREATE TABLE sealed (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Signed checkpoints; the newest is the head of the tree. Older ones are thinned out.
CREATE TABLE checkpoint (
    serial INTEGER PRIMARY KEY CHECK (serial > 0),
    size   INTEGER NOT NULL CHECK (size > 0),
    at     INTEGER NOT NULL,
    note   TEXT NOT NULL
) STRICT;

CREATE TABLE tile (
    level INTEGER NOT NULL CHECK (level BETWEEN 0 AND 7),
    place INTEGER NOT NULL CHECK (place >= 0),
    bytes BLOB NOT NULL CHECK (length(bytes) % 32 = 0 AND length(bytes) BETWEEN 32 AND 8192),
    PRIMARY KEY (level, place)
) STRICT, WITHOUT ROWID;
