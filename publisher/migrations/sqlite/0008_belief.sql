-- What was last believed of each source whose price moves slowly, a share of a vault or of a pool, so that a restart is
-- no way around the limits of its steps. A row is a memory and no fact: it is replaced by what is newer, by the time of
-- the blocks that showed it, or by what follows a newer word.

CREATE TABLE belief (
    source TEXT NOT NULL CHECK (source <> ''),
    -- Which contract that is, on which chain: another one under the same name is another share.
    contract TEXT NOT NULL CHECK (contract <> ''),
    price TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    -- What growth is measured from.
    base TEXT NOT NULL,
    base_at_ms INTEGER NOT NULL,
    -- The newest word that it follows; 0: none.
    word INTEGER NOT NULL CHECK (word >= 0),
    PRIMARY KEY (source, contract)
) STRICT;

-- An operator's word that a share is worth this, whatever was believed before. The table is the audit as well.
CREATE TABLE source_word (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL CHECK (source <> ''),
    contract TEXT NOT NULL CHECK (contract <> ''),
    price TEXT NOT NULL,
    said_at_ms INTEGER NOT NULL,
    operator TEXT NOT NULL CHECK (operator <> ''),
    reason TEXT NOT NULL CHECK (reason <> '')
) STRICT;

CREATE INDEX source_word_source ON source_word (source, contract, id);

CREATE TRIGGER source_word_is_kept BEFORE DELETE ON source_word
    BEGIN SELECT RAISE(ABORT, 'a word is never deleted'); END;
CREATE TRIGGER source_word_is_fixed BEFORE UPDATE ON source_word
    BEGIN SELECT RAISE(ABORT, 'a word is never changed'); END;
