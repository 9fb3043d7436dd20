-- What must be found again for a while: under which answer a repeated request stands, what came of a call that was waited for.
CREATE TABLE kept (
    word  BLOB PRIMARY KEY CHECK (length(word) = 32),
    value BLOB NOT NULL,
    upto  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX kept_upto ON kept (upto);
