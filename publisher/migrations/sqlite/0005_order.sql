-- What operators say about feeds, for a while: pauses, a word for a step, a shorter heartbeat. Whoever has the journal
-- may write here, also while a daemon runs; a `resume` ends all that was said before about its feed. The table is the
-- audit as well: who, what, when and why.

CREATE TABLE feed_order (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    feed TEXT NOT NULL CHECK (feed <> ''),
    kind TEXT NOT NULL CHECK (kind IN ('pause', 'pause_deviations', 'accept', 'heartbeat', 'resume')),
    heartbeat_ms INTEGER CHECK (heartbeat_ms > 0),
    said_at_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    operator TEXT NOT NULL CHECK (operator <> ''),
    reason TEXT NOT NULL CHECK (reason <> ''),
    CHECK ((kind = 'heartbeat') = (heartbeat_ms IS NOT NULL)),
    CHECK (until_ms > said_at_ms OR (kind = 'resume' AND until_ms = said_at_ms))
) STRICT;

CREATE INDEX feed_order_feed ON feed_order (feed, id);
CREATE INDEX feed_order_until ON feed_order (until_ms);

CREATE TRIGGER feed_order_is_kept BEFORE DELETE ON feed_order
    BEGIN SELECT RAISE(ABORT, 'an order is never deleted'); END;
CREATE TRIGGER feed_order_is_fixed BEFORE UPDATE ON feed_order
    BEGIN SELECT RAISE(ABORT, 'an order is never changed'); END;
