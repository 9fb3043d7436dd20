-- What may be presented once only, as a digest, for as long as it could be presented again.
CREATE TABLE remembered (
    word BLOB PRIMARY KEY CHECK (length(word) = 32),
    upto INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX remembered_upto ON remembered (upto);
