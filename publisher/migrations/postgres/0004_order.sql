-- What operators say about feeds, for a while; explained in the migrations of SQLite.
CREATE TABLE feed_order (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    feed TEXT NOT NULL CHECK (feed <> ''),
    kind TEXT NOT NULL CHECK (kind IN ('pause', 'pause_deviations', 'accept', 'heartbeat', 'resume')),
    heartbeat_ms BIGINT CHECK (heartbeat_ms > 0),
    said_at_ms BIGINT NOT NULL,
    until_ms BIGINT NOT NULL,
    operator TEXT NOT NULL CHECK (operator <> ''),
    reason TEXT NOT NULL CHECK (reason <> ''),
    CHECK ((kind = 'heartbeat') = (heartbeat_ms IS NOT NULL)),
    CHECK (until_ms > said_at_ms OR (kind = 'resume' AND until_ms = said_at_ms))
);

CREATE INDEX feed_order_feed ON feed_order (feed, id);
CREATE INDEX feed_order_until ON feed_order (until_ms);

CREATE TRIGGER feed_order_is_kept BEFORE DELETE OR UPDATE ON feed_order FOR EACH ROW EXECUTE FUNCTION is_kept();
