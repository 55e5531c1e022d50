-- The journal: facts that are written before they are acted upon, and never changed afterwards.
--
-- Amounts of wei exceed 64 bits: they are decimal text padded to 39 digits (2^128 has 39), so that comparing the
-- text compares the numbers. Times are milliseconds since the Unix epoch. Hashes and addresses are raw bytes.

PRAGMA application_id = 0x4f70756a;

-- The one chain this journal belongs to.
CREATE TABLE chain (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    chain_id INTEGER NOT NULL CHECK (chain_id >= 0),
    genesis BLOB NOT NULL CHECK (length(genesis) = 32)
) STRICT;

-- A piece of work that owns a nonce for ever: a round of a feed, or a named step of a rollout.
CREATE TABLE intent (
    account BLOB NOT NULL CHECK (length(account) = 20),
    nonce INTEGER NOT NULL CHECK (nonce >= 0),
    planned_at_ms INTEGER NOT NULL,
    feed TEXT,
    aggregator BLOB CHECK (length(aggregator) = 20),
    round INTEGER CHECK (round >= 0),
    step TEXT,
    recipient BLOB CHECK (length(recipient) = 20),
    data BLOB,
    closed TEXT CHECK (closed IN ('final', 'reverted', 'noop_filled', 'foreign')),
    closed_at_ms INTEGER,
    reopened INTEGER NOT NULL DEFAULT 0 CHECK (reopened IN (0, 1)),
    PRIMARY KEY (account, nonce),
    CHECK ((feed IS NULL) = (aggregator IS NULL) AND (feed IS NULL) = (round IS NULL)),
    CHECK ((step IS NULL) = (data IS NULL) AND (step IS NOT NULL OR recipient IS NULL)),
    CHECK ((feed IS NULL) <> (step IS NULL)),
    CHECK ((closed IS NULL) = (closed_at_ms IS NULL))
) STRICT;

-- A round may be planned again only after the earlier attempt at it ended without reaching the chain. Rounds are
-- counted by the aggregator: a feed that moves to a new one begins again at 1. Intents that broken finality reopened
-- may be several for one round, because each owns a nonce that the chain may want again.
CREATE UNIQUE INDEX intent_round ON intent (aggregator, round, account)
    WHERE aggregator IS NOT NULL AND (closed IS NULL OR closed = 'final') AND reopened = 0;
CREATE INDEX intent_feed ON intent (feed, planned_at_ms) WHERE feed IS NOT NULL;
CREATE INDEX intent_open ON intent (account, nonce) WHERE closed IS NULL;

-- Ends that the chain took back although they had counted as final, as an operator has acknowledged.
CREATE TABLE reopening (
    account BLOB NOT NULL,
    nonce INTEGER NOT NULL,
    closed TEXT NOT NULL,
    closed_at_ms INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (account, nonce, at_ms),
    FOREIGN KEY (account, nonce) REFERENCES intent (account, nonce)
) STRICT;

-- Signed bytes that may leave the process.
CREATE TABLE attempt (
    hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
    account BLOB NOT NULL,
    nonce INTEGER NOT NULL,
    seq INTEGER NOT NULL CHECK (seq >= 0),
    raw BLOB NOT NULL CHECK (length(raw) > 0),
    kind TEXT NOT NULL CHECK (kind IN ('legacy', 'eip1559')),
    tip_wei TEXT NOT NULL CHECK (length(tip_wei) = 39 AND tip_wei NOT GLOB '*[^0-9]*'),
    cap_wei TEXT NOT NULL CHECK (length(cap_wei) = 39 AND cap_wei NOT GLOB '*[^0-9]*'),
    gas_limit INTEGER NOT NULL CHECK (gas_limit >= 0),
    answer TEXT,
    observed_at_ms INTEGER,
    signed_at_ms INTEGER NOT NULL,
    UNIQUE (account, nonce, seq),
    FOREIGN KEY (account, nonce) REFERENCES intent (account, nonce),
    CHECK (tip_wei <= cap_wei)
) STRICT;

-- What the nodes said to an attempt; the newest row counts.
CREATE TABLE sent (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL REFERENCES attempt (hash),
    outcome TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    UNIQUE (hash, at_ms, outcome)
) STRICT;

-- The blocks that included an attempt. At most one of a nonce is held to be canonical.
CREATE TABLE inclusion (
    hash BLOB NOT NULL REFERENCES attempt (hash),
    block_hash BLOB NOT NULL CHECK (length(block_hash) = 32),
    block_number INTEGER NOT NULL CHECK (block_number >= 0),
    account BLOB NOT NULL,
    nonce INTEGER NOT NULL,
    success INTEGER NOT NULL CHECK (success IN (0, 1)),
    gas_used INTEGER NOT NULL CHECK (gas_used >= 0),
    gas_price_wei TEXT NOT NULL CHECK (length(gas_price_wei) = 39 AND gas_price_wei NOT GLOB '*[^0-9]*'),
    canonical INTEGER NOT NULL CHECK (canonical IN (0, 1)),
    PRIMARY KEY (hash, block_hash),
    FOREIGN KEY (account, nonce) REFERENCES intent (account, nonce)
) STRICT;

CREATE UNIQUE INDEX inclusion_canonical ON inclusion (account, nonce) WHERE canonical = 1;
CREATE INDEX inclusion_height ON inclusion (block_number) WHERE canonical = 1;

-- What was halted and what an operator let go on. A scope stands still if its newest row is a halt.
CREATE TABLE halt (
    id INTEGER PRIMARY KEY,
    scope TEXT NOT NULL,
    halted INTEGER NOT NULL CHECK (halted IN (0, 1)),
    reason TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    UNIQUE (scope, at_ms, halted, reason)
) STRICT;

-- Nothing is taken back, whoever asks.
CREATE TRIGGER intent_is_kept BEFORE DELETE ON intent
    BEGIN SELECT RAISE(ABORT, 'an intent is never deleted'); END;
CREATE TRIGGER intent_is_fixed
    BEFORE UPDATE OF account, nonce, planned_at_ms, feed, aggregator, round, step, recipient, data ON intent
    BEGIN SELECT RAISE(ABORT, 'an intent is never changed'); END;
CREATE TRIGGER intent_stays_closed BEFORE UPDATE OF closed, closed_at_ms ON intent
    WHEN OLD.closed IS NOT NULL AND (NEW.closed IS NOT NULL OR NEW.reopened = 0 OR NOT EXISTS (
        SELECT 1 FROM reopening WHERE account = OLD.account AND nonce = OLD.nonce
        AND closed = OLD.closed AND closed_at_ms = OLD.closed_at_ms))
    BEGIN SELECT RAISE(ABORT, 'a closed intent is not reopened without a record of it'); END;
CREATE TRIGGER intent_stays_reopened BEFORE UPDATE OF reopened ON intent WHEN NEW.reopened < OLD.reopened
    BEGIN SELECT RAISE(ABORT, 'what was reopened is not forgotten'); END;
CREATE TRIGGER reopening_is_kept BEFORE DELETE ON reopening
    BEGIN SELECT RAISE(ABORT, 'a reopening is never deleted'); END;
CREATE TRIGGER reopening_is_fixed BEFORE UPDATE ON reopening
    BEGIN SELECT RAISE(ABORT, 'a reopening is never changed'); END;
CREATE TRIGGER attempt_is_kept BEFORE DELETE ON attempt
    BEGIN SELECT RAISE(ABORT, 'an attempt is never deleted'); END;
CREATE TRIGGER attempt_is_fixed BEFORE UPDATE ON attempt
    BEGIN SELECT RAISE(ABORT, 'an attempt is never changed'); END;
