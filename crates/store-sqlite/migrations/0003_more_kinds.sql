-- Which kinds of row there are is the domain's to say; and more of them than tasks are over one day.
CREATE TABLE object_next (
    kind    TEXT NOT NULL CHECK (kind <> ''),
    key     TEXT NOT NULL CHECK (key <> ''),
    version INTEGER NOT NULL,
    state   TEXT NOT NULL CHECK (state IN ('live', 'ended', 'removed')),
    row     INTEGER NOT NULL REFERENCES journal (row),
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
INSERT INTO object_next SELECT kind, key, version, state, row FROM object;
DROP TABLE object;
ALTER TABLE object_next RENAME TO object;
CREATE INDEX object_live ON object (kind, row) WHERE state = 'live';
