-- What must be found again for a while: under which answer a repeated request stands, what came of a call that was waited for.
CREATE TABLE kept (
    word  BYTEA PRIMARY KEY CHECK (length(word) = 32),
    value BYTEA NOT NULL,
    upto  BIGINT NOT NULL
);
CREATE INDEX kept_upto ON kept (upto);
