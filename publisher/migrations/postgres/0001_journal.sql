-- The journal: facts that are written before they are acted upon, and never changed afterwards. The same tables as on
-- SQLite, where each is explained; column types are BIGINT, TEXT and BYTEA alone, so that one SQL text serves both.
--
-- Amounts of wei are decimal text padded to 39 digits, compared bytewise (COLLATE "C").

CREATE TABLE chain (
    only_row BIGINT PRIMARY KEY CHECK (only_row = 1),
    chain_id BIGINT NOT NULL CHECK (chain_id >= 0),
    genesis BYTEA NOT NULL CHECK (length(genesis) = 32)
);

CREATE TABLE intent (
    account BYTEA NOT NULL CHECK (length(account) = 20),
    nonce BIGINT NOT NULL CHECK (nonce >= 0),
    planned_at_ms BIGINT NOT NULL,
    feed TEXT,
    aggregator BYTEA CHECK (length(aggregator) = 20),
    round BIGINT CHECK (round >= 0),
    step TEXT,
    recipient BYTEA CHECK (length(recipient) = 20),
    data BYTEA,
    closed TEXT CHECK (closed IN ('final', 'reverted', 'noop_filled', 'foreign')),
    closed_at_ms BIGINT,
    reopened BIGINT NOT NULL DEFAULT 0 CHECK (reopened IN (0, 1)),
    PRIMARY KEY (account, nonce),
    CHECK ((feed IS NULL) = (aggregator IS NULL) AND (feed IS NULL) = (round IS NULL)),
    CHECK ((step IS NULL) = (data IS NULL) AND (step IS NOT NULL OR recipient IS NULL)),
    CHECK ((feed IS NULL) <> (step IS NULL)),
    CHECK ((closed IS NULL) = (closed_at_ms IS NULL))
);

CREATE UNIQUE INDEX intent_round ON intent (aggregator, round, account)
    WHERE aggregator IS NOT NULL AND (closed IS NULL OR closed = 'final') AND reopened = 0;
CREATE INDEX intent_feed ON intent (feed, planned_at_ms) WHERE feed IS NOT NULL;
CREATE INDEX intent_open ON intent (account, nonce) WHERE closed IS NULL;

CREATE TABLE reopening (
    account BYTEA NOT NULL,
    nonce BIGINT NOT NULL,
    closed TEXT NOT NULL,
    closed_at_ms BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (account, nonce, at_ms),
    FOREIGN KEY (account, nonce) REFERENCES intent (account, nonce)
);

CREATE TABLE attempt (
    hash BYTEA PRIMARY KEY CHECK (length(hash) = 32),
    account BYTEA NOT NULL,
    nonce BIGINT NOT NULL,
    seq BIGINT NOT NULL CHECK (seq >= 0),
    raw BYTEA NOT NULL CHECK (length(raw) > 0),
    kind TEXT NOT NULL CHECK (kind IN ('legacy', 'eip1559')),
    tip_wei TEXT COLLATE "C" NOT NULL CHECK (tip_wei ~ '^[0-9]{39}$'),
    cap_wei TEXT COLLATE "C" NOT NULL CHECK (cap_wei ~ '^[0-9]{39}$'),
    gas_limit BIGINT NOT NULL CHECK (gas_limit >= 0),
    answer TEXT,
    observed_at_ms BIGINT,
    signed_at_ms BIGINT NOT NULL,
    UNIQUE (account, nonce, seq),
    FOREIGN KEY (account, nonce) REFERENCES intent (account, nonce),
    CHECK (tip_wei <= cap_wei)
);

CREATE TABLE sent (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash BYTEA NOT NULL REFERENCES attempt (hash),
    outcome TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    UNIQUE (hash, at_ms, outcome)
);

CREATE TABLE inclusion (
    hash BYTEA NOT NULL REFERENCES attempt (hash),
    block_hash BYTEA NOT NULL CHECK (length(block_hash) = 32),
    block_number BIGINT NOT NULL CHECK (block_number >= 0),
    account BYTEA NOT NULL,
    nonce BIGINT NOT NULL,
    success BIGINT NOT NULL CHECK (success IN (0, 1)),
    gas_used BIGINT NOT NULL CHECK (gas_used >= 0),
    gas_price_wei TEXT COLLATE "C" NOT NULL CHECK (gas_price_wei ~ '^[0-9]{39}$'),
    canonical BIGINT NOT NULL CHECK (canonical IN (0, 1)),
    PRIMARY KEY (hash, block_hash),
    FOREIGN KEY (account, nonce) REFERENCES intent (account, nonce)
);

CREATE UNIQUE INDEX inclusion_canonical ON inclusion (account, nonce) WHERE canonical = 1;
CREATE INDEX inclusion_height ON inclusion (block_number) WHERE canonical = 1;

CREATE TABLE halt (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scope TEXT NOT NULL,
    halted BIGINT NOT NULL CHECK (halted IN (0, 1)),
    reason TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    UNIQUE (scope, at_ms, halted, reason)
);

-- Who may write for an account: the replica that holds the lease, in the epoch in which it took it. Times are those of
-- this server's clock. `cluster` names the server's history (system identifier and timeline): after a fail-over, which
-- may have lost commits, no lease of before counts.
CREATE TABLE lease (
    account BYTEA PRIMARY KEY CHECK (length(account) = 20),
    holder TEXT NOT NULL,
    epoch BIGINT NOT NULL CHECK (epoch >= 1),
    expires_at_ms BIGINT NOT NULL,
    cluster TEXT NOT NULL
);

-- The replicas that beat, and the accounts that they could serve: 20 bytes each.
CREATE TABLE replica (
    id TEXT PRIMARY KEY,
    since_ms BIGINT NOT NULL,
    expires_at_ms BIGINT NOT NULL,
    wants BYTEA NOT NULL CHECK (length(wants) % 20 = 0)
);

-- Nothing is taken back, whoever asks.
CREATE FUNCTION is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is never deleted or changed', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE FUNCTION stays_closed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.closed IS NOT NULL AND (NEW.closed IS NOT NULL OR NEW.reopened = 0 OR NOT EXISTS (
        SELECT 1 FROM reopening WHERE account = OLD.account AND nonce = OLD.nonce
        AND closed = OLD.closed AND closed_at_ms = OLD.closed_at_ms))
    THEN
        RAISE EXCEPTION 'a closed intent is not reopened without a record of it'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.reopened < OLD.reopened THEN
        RAISE EXCEPTION 'what was reopened is not forgotten' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION epoch_rises() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.epoch < OLD.epoch THEN
        RAISE EXCEPTION 'an epoch never falls' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER intent_is_kept BEFORE DELETE ON intent FOR EACH ROW EXECUTE FUNCTION is_kept();
CREATE TRIGGER intent_is_fixed
    BEFORE UPDATE OF account, nonce, planned_at_ms, feed, aggregator, round, step, recipient, data ON intent
    FOR EACH ROW EXECUTE FUNCTION is_kept();
CREATE TRIGGER intent_stays_closed BEFORE UPDATE ON intent FOR EACH ROW EXECUTE FUNCTION stays_closed();
CREATE TRIGGER reopening_is_kept BEFORE DELETE OR UPDATE ON reopening FOR EACH ROW EXECUTE FUNCTION is_kept();
CREATE TRIGGER attempt_is_kept BEFORE DELETE OR UPDATE ON attempt FOR EACH ROW EXECUTE FUNCTION is_kept();
CREATE TRIGGER lease_is_kept BEFORE DELETE ON lease FOR EACH ROW EXECUTE FUNCTION is_kept();
CREATE TRIGGER lease_epoch_rises BEFORE UPDATE OF epoch ON lease FOR EACH ROW EXECUTE FUNCTION epoch_rises();
