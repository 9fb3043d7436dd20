-- What each result brought into a task, under the version of the task's state that it made: fingerprints, no text.
CREATE TABLE task_memory (
    task    BYTEA NOT NULL CHECK (length(task) = 16),
    version BIGINT NOT NULL CHECK (version > 0),
    chunk   BYTEA NOT NULL,
    PRIMARY KEY (task, version)
);
