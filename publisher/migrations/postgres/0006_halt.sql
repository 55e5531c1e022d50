-- An operator may say that a market is halted; explained in the migrations of SQLite.
ALTER TABLE feed_order
    ALTER COLUMN feed DROP NOT NULL,
    ADD COLUMN calendar TEXT CHECK (calendar <> ''),
    DROP CONSTRAINT feed_order_kind_check,
    DROP CONSTRAINT feed_order_check1,
    ADD CONSTRAINT feed_order_kind_check CHECK (
        kind IN ('pause', 'pause_deviations', 'accept', 'heartbeat', 'resume', 'halt', 'market_resume', 'submit')
    ),
    ADD CONSTRAINT feed_order_subject_check CHECK ((feed IS NULL) <> (calendar IS NULL)),
    ADD CONSTRAINT feed_order_calendar_kind_check CHECK (
        calendar IS NULL OR kind IN ('halt', 'market_resume')
    ),
    ADD CONSTRAINT feed_order_until_check CHECK (
        until_ms > said_at_ms OR (kind IN ('resume', 'market_resume') AND until_ms = said_at_ms)
    );

CREATE INDEX feed_order_calendar ON feed_order (calendar, id);
