-- Why each feed of an intent was to be written; explained in the migrations of SQLite.
CREATE TABLE decision (
    account BYTEA NOT NULL,
    nonce BIGINT NOT NULL,
    feed TEXT NOT NULL CHECK (feed <> ''),
    cause TEXT NOT NULL CHECK (cause <> ''),
    calendar TEXT,
    digest BYTEA CHECK (length(digest) = 32),
    status TEXT,
    conduct TEXT,
    PRIMARY KEY (account, nonce, feed),
    FOREIGN KEY (account, nonce) REFERENCES intent (account, nonce),
    CHECK ((calendar IS NULL) = (digest IS NULL)),
    CHECK ((calendar IS NULL) = (status IS NULL)),
    CHECK ((calendar IS NULL) = (conduct IS NULL))
);

CREATE TRIGGER decision_is_kept BEFORE DELETE OR UPDATE ON decision FOR EACH ROW EXECUTE FUNCTION is_kept();
