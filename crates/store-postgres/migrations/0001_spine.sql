-- Every record's text stands once, in journal; the other tables say where to find it.

CREATE TABLE journal (
    row    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind   TEXT NOT NULL CHECK (kind IN ('change', 'decision', 'completion', 'refused')),
    id     TEXT NOT NULL CHECK (id <> ''),
    at     BIGINT NOT NULL,
    salt   BYTEA NOT NULL CHECK (length(salt) = 16),
    record TEXT NOT NULL CHECK (record <> ''),
    UNIQUE (id, kind)
);

-- Rows of the journal that have no place in the tree yet. Their numbers say nothing about it: a row with a lower number
-- may be committed later. A row gets its place in leaf, once it is seen, under the lock of ledger, and keeps it.
CREATE TABLE waiting (
    row BIGINT PRIMARY KEY
);

CREATE TABLE leaf (
    index BIGINT PRIMARY KEY CHECK (index >= 0),
    row   BIGINT NOT NULL UNIQUE
);

-- The one row that whoever gives places or appends to the tree locks first. Leaves from size on have their place and wait.
CREATE TABLE ledger (
    one    BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (one),
    size   BIGINT NOT NULL CHECK (size >= 0),
    placed BIGINT NOT NULL,
    CHECK (size <= placed)
);
INSERT INTO ledger (size, placed) VALUES (0, 0);

-- The one row that every change locks first, so that numbers are given in the order of commits and none is skipped: a
-- sequence would let a reader pass by numbers that are committed later.
CREATE TABLE head (
    one BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (one),
    seq BIGINT NOT NULL CHECK (seq >= 0)
);
INSERT INTO head (seq) VALUES (0);

-- The strict order of changes.
CREATE TABLE change (
    seq     BIGINT PRIMARY KEY CHECK (seq > 0),
    kind    TEXT NOT NULL,
    key     TEXT NOT NULL,
    version BIGINT NOT NULL CHECK (version > 0),
    row     BIGINT NOT NULL REFERENCES journal (row),
    UNIQUE (kind, key, version)
);

-- The newest change of each row of the organisation. `ended` is a task that is over, `removed` a row that is gone.
CREATE TABLE object (
    kind    TEXT NOT NULL CHECK (kind IN ('organisation', 'person', 'workload', 'system', 'tool', 'policy',
                                          'application', 'agent', 'task')),
    key     TEXT NOT NULL CHECK (key <> ''),
    version BIGINT NOT NULL,
    state   TEXT NOT NULL CHECK (state IN ('live', 'ended', 'removed')),
    row     BIGINT NOT NULL REFERENCES journal (row),
    PRIMARY KEY (kind, key),
    CHECK (state <> 'ended' OR kind = 'task')
);
CREATE INDEX object_live ON object (kind, row) WHERE state = 'live';

-- Words that no two rows may hold, ever: kept when the row is removed.
CREATE TABLE claim (
    claim TEXT PRIMARY KEY,
    kind  TEXT NOT NULL,
    key   TEXT NOT NULL
);

-- A decision is found by these columns; what it says is in journal under the same row.
CREATE TABLE decision (
    row        BIGINT PRIMARY KEY REFERENCES journal (row),
    at         BIGINT NOT NULL,
    node       BYTEA NOT NULL CHECK (length(node) = 16),
    face       TEXT NOT NULL,
    subject    TEXT NOT NULL,
    task       BYTEA CHECK (task IS NULL OR length(task) = 16),
    system     TEXT NOT NULL,
    verdict    TEXT NOT NULL CHECK (verdict IN ('allow', 'hold', 'deny')),
    completion BIGINT REFERENCES journal (row),
    CHECK (completion IS NULL OR verdict = 'allow'),
    CHECK (completion IS NULL OR completion <> row)
);
CREATE INDEX decision_at ON decision (at, row);
CREATE INDEX decision_subject ON decision (subject, at, row);
CREATE INDEX decision_task ON decision (task, at, row) WHERE task IS NOT NULL;
CREATE INDEX decision_system ON decision (system, at, row);
CREATE INDEX decision_refused ON decision (verdict, at, row) WHERE verdict <> 'allow';
CREATE INDEX decision_open ON decision (at, row)
    WHERE verdict = 'allow' AND completion IS NULL AND face <> 'authzen';

-- What a task has read. `labels` is a JSON list.
CREATE TABLE task_state (
    task    BYTEA PRIMARY KEY CHECK (length(task) = 16),
    version BIGINT NOT NULL CHECK (version > 0),
    labels  TEXT NOT NULL
);

-- What calls took from budgets, by the end of the grain of time they fell into.
CREATE TABLE charge (
    key    TEXT COLLATE "C" NOT NULL,
    slot   BIGINT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (key, slot)
);
CREATE INDEX charge_slot ON charge (slot);

CREATE TABLE sealed (
    name  TEXT PRIMARY KEY,
    value BYTEA NOT NULL
);

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value BYTEA NOT NULL
);

-- Signed checkpoints; the newest is the head of the tree. Older ones are thinned out.
CREATE TABLE checkpoint (
    serial BIGINT PRIMARY KEY CHECK (serial > 0),
    size   BIGINT NOT NULL CHECK (size > 0),
    at     BIGINT NOT NULL,
    note   TEXT NOT NULL
);

CREATE TABLE tile (
    level INTEGER NOT NULL CHECK (level BETWEEN 0 AND 7),
    place BIGINT NOT NULL CHECK (place >= 0),
    bytes BYTEA NOT NULL CHECK (length(bytes) % 32 = 0 AND length(bytes) BETWEEN 32 AND 8192),
    PRIMARY KEY (level, place)
);
