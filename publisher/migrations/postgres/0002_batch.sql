-- What each attempt of a batch says for which feed; explained in the migrations of SQLite.
CREATE TABLE entry (
    hash BYTEA NOT NULL REFERENCES attempt (hash),
    feed TEXT NOT NULL CHECK (feed <> ''),
    answer TEXT NOT NULL,
    observed_at_ms BIGINT NOT NULL,
    PRIMARY KEY (hash, feed)
);

CREATE INDEX entry_feed ON entry (feed, observed_at_ms);

CREATE TRIGGER entry_is_kept BEFORE DELETE OR UPDATE ON entry FOR EACH ROW EXECUTE FUNCTION is_kept();
