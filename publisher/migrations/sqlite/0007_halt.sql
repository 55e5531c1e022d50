-- An operator may say that a market is halted: for one feed, or for all that keep the hours of a calendar. `halt` begins it,
-- `market_resume` ends what was said of halts before, and of nothing else. `submit` asks for one round of a feed. SQLite
-- changes a check only with its table, so that it is made anew; every row keeps its number.

CREATE TABLE feed_order_anew (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    feed TEXT CHECK (feed <> ''),
    calendar TEXT CHECK (calendar <> ''),
    kind TEXT NOT NULL CHECK (
        kind IN ('pause', 'pause_deviations', 'accept', 'heartbeat', 'resume', 'halt', 'market_resume', 'submit')
    ),
    heartbeat_ms INTEGER CHECK (heartbeat_ms > 0),
    said_at_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    operator TEXT NOT NULL CHECK (operator <> ''),
    reason TEXT NOT NULL CHECK (reason <> ''),
    CHECK ((feed IS NULL) <> (calendar IS NULL)),
    CHECK (calendar IS NULL OR kind IN ('halt', 'market_resume')),
    CHECK ((kind = 'heartbeat') = (heartbeat_ms IS NOT NULL)),
    CHECK (until_ms > said_at_ms OR (kind IN ('resume', 'market_resume') AND until_ms = said_at_ms))
) STRICT;

INSERT INTO feed_order_anew (id, feed, kind, heartbeat_ms, said_at_ms, until_ms, operator, reason)
    SELECT id, feed, kind, heartbeat_ms, said_at_ms, until_ms, operator, reason FROM feed_order ORDER BY id;

DROP TABLE feed_order;
ALTER TABLE feed_order_anew RENAME TO feed_order;

CREATE INDEX feed_order_feed ON feed_order (feed, id);
CREATE INDEX feed_order_calendar ON feed_order (calendar, id);
CREATE INDEX feed_order_until ON feed_order (until_ms);

CREATE TRIGGER feed_order_is_kept BEFORE DELETE ON feed_order
    BEGIN SELECT RAISE(ABORT, 'an order is never deleted'); END;
CREATE TRIGGER feed_order_is_fixed BEFORE UPDATE ON feed_order
    BEGIN SELECT RAISE(ABORT, 'an order is never changed'); END;
