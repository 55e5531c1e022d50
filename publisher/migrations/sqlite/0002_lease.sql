-- Which process may write for which account. SQLite has one writer, which the lock file makes sure of; the tables are
-- those of the shared journal, so that every write is checked in the same way.
CREATE TABLE lease (
    account BLOB PRIMARY KEY CHECK (length(account) = 20),
    holder TEXT NOT NULL,
    epoch INTEGER NOT NULL CHECK (epoch >= 1),
    expires_at_ms INTEGER NOT NULL,
    cluster TEXT NOT NULL
) STRICT;

CREATE TABLE replica (
    id TEXT PRIMARY KEY,
    since_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    wants BLOB NOT NULL CHECK (length(wants) % 20 = 0)
) STRICT;

CREATE TRIGGER lease_epoch_rises BEFORE UPDATE OF epoch ON lease WHEN NEW.epoch < OLD.epoch
    BEGIN SELECT RAISE(ABORT, 'an epoch never falls'); END;
CREATE TRIGGER lease_is_kept BEFORE DELETE ON lease
    BEGIN SELECT RAISE(ABORT, 'a lease is never deleted'); END;
