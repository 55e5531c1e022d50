-- What each attempt of a batch says for which feed: a replacement may say something else, and of more or fewer feeds.
--
-- The intent of a batch has the empty text for a feed, because it is for many; its aggregator is the store, and its
-- round the sequence, so that `intent_round` keeps a sequence from being given away twice as it does a round.

CREATE TABLE entry (
    hash BLOB NOT NULL REFERENCES attempt (hash),
    feed TEXT NOT NULL CHECK (feed <> ''),
    answer TEXT NOT NULL,
    observed_at_ms INTEGER NOT NULL,
    PRIMARY KEY (hash, feed)
) STRICT;

CREATE INDEX entry_feed ON entry (feed, observed_at_ms);

CREATE TRIGGER entry_is_kept BEFORE DELETE ON entry
    BEGIN SELECT RAISE(ABORT, 'an entry is never deleted'); END;
CREATE TRIGGER entry_is_fixed BEFORE UPDATE ON entry
    BEGIN SELECT RAISE(ABORT, 'an entry is never changed'); END;
