-- What may be presented once only, as a digest, for as long as it could be presented again.
CREATE TABLE remembered (
    word BYTEA PRIMARY KEY CHECK (octet_length(word) = 32),
    upto BIGINT NOT NULL
);
CREATE INDEX remembered_upto ON remembered (upto);
