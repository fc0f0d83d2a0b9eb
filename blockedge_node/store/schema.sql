-- The journal, version 1. A later version adds a file of its own to MIGRATIONS in journal.py and changes nothing here.

-- Role machines as they were last committed. A retired one is kept for a while, so that finished jobs can be shown.
CREATE TABLE machines (
    key        TEXT PRIMARY KEY,
    row        BLOB NOT NULL,   -- wire/records.py
    changed_at INTEGER NOT NULL, -- unix ms of this node's clock, here and below
    retired_at INTEGER           -- NULL while it lives
) STRICT, WITHOUT ROWID;
CREATE INDEX machines_retired ON machines (retired_at) WHERE retired_at IS NOT NULL;

-- The story of each job, task and unit, line by line.
CREATE TABLE notes (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    subject BLOB NOT NULL,
    code    TEXT NOT NULL,
    fields  TEXT NOT NULL        -- JSON object
) STRICT;
CREATE INDEX notes_subject ON notes (subject, id);

-- Signed transactions, written before they are broadcast; a replacement for a higher fee has the same nonce.
CREATE TABLE outbox (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    nonce INTEGER NOT NULL,
    hash  BLOB NOT NULL,
    key   TEXT NOT NULL,         -- what it does: function:unit:digest of each of its calls
    call  TEXT NOT NULL,         -- the contract function
    raw   BLOB NOT NULL,
    state TEXT NOT NULL,
    UNIQUE (nonce, hash)
) STRICT;

-- What mined transactions cost us, one row for each unit they moved.
CREATE TABLE spending (
    tx    BLOB NOT NULL,
    unit  BLOB NOT NULL,
    call  TEXT NOT NULL,
    at    INTEGER NOT NULL,
    block INTEGER NOT NULL,
    gas   INTEGER NOT NULL,
    fee   TEXT NOT NULL,         -- wei, decimal: SQLite's integers end at 2^63
    PRIMARY KEY (tx, unit, call)
) STRICT, WITHOUT ROWID;
CREATE INDEX spending_unit ON spending (unit);

-- Small facts of the node itself, e.g. the deployment that this journal belongs to.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
