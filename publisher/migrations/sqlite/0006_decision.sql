-- Why each feed of an intent was to be written: the rule that fired and, of a feed that keeps a market's hours, the
-- calendar with the Keccak-256 of its text, what the market did by it, and what that let the feed do. It explains a round
-- later; recovery does not read it, and a feed that joins a batch later has no row.

CREATE TABLE decision (
    account BLOB NOT NULL,
    nonce INTEGER NOT NULL,
    feed TEXT NOT NULL CHECK (feed <> ''),
    cause TEXT NOT NULL CHECK (cause <> ''),
    calendar TEXT,
    digest BLOB CHECK (length(digest) = 32),
    status TEXT,
    conduct TEXT,
    PRIMARY KEY (account, nonce, feed),
    FOREIGN KEY (account, nonce) REFERENCES intent (account, nonce),
    CHECK ((calendar IS NULL) = (digest IS NULL)),
    CHECK ((calendar IS NULL) = (status IS NULL)),
    CHECK ((calendar IS NULL) = (conduct IS NULL))
) STRICT;

CREATE TRIGGER decision_is_kept BEFORE DELETE ON decision
    BEGIN SELECT RAISE(ABORT, 'a decision is never deleted'); END;
CREATE TRIGGER decision_is_fixed BEFORE UPDATE ON decision
    BEGIN SELECT RAISE(ABORT, 'a decision is never changed'); END;
