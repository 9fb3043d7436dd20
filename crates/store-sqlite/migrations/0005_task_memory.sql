-- What each result brought into a task, under the version of the task's state that it made: fingerprints, no text.
CREATE TABLE task_memory (
    task    BLOB NOT NULL CHECK (length(task) = 16),
    version INTEGER NOT NULL CHECK (version > 0),
    chunk   BLOB NOT NULL,
    PRIMARY KEY (task, version)
) STRICT, WITHOUT ROWID;
