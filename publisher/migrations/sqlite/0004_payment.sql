-- What an account has paid lately counts against what it may spend: a start reads the last day of a journal of years.
CREATE INDEX intent_closed ON intent (account, closed_at_ms) WHERE closed IS NOT NULL;
