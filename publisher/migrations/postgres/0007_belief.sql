-- What was last believed of shares, and what operators say of them; explained in the migrations of SQLite.
CREATE TABLE belief (
    source TEXT NOT NULL CHECK (source <> ''),
    contract TEXT NOT NULL CHECK (contract <> ''),
    price TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    base TEXT NOT NULL,
    base_at_ms BIGINT NOT NULL,
    word BIGINT NOT NULL CHECK (word >= 0),
    PRIMARY KEY (source, contract)
);

CREATE TABLE source_word (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source TEXT NOT NULL CHECK (source <> ''),
    contract TEXT NOT NULL CHECK (contract <> ''),
    price TEXT NOT NULL,
    said_at_ms BIGINT NOT NULL,
    operator TEXT NOT NULL CHECK (operator <> ''),
    reason TEXT NOT NULL CHECK (reason <> '')
);

CREATE INDEX source_word_source ON source_word (source, contract, id);

CREATE TRIGGER source_word_is_kept BEFORE DELETE OR UPDATE ON source_word FOR EACH ROW EXECUTE FUNCTION is_kept();
