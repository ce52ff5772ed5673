-- A made-up db.sqlite from before totals and the table of sessions.
CREATE TABLE model_usage (id TEXT PRIMARY KEY, session_id TEXT NOT NULL, model_id TEXT NOT NULL, started_at INTEGER NOT NULL, completed_at INTEGER, input_tokens INTEGER NOT NULL DEFAULT 0, output_tokens INTEGER NOT NULL DEFAULT 0, reasoning_tokens INTEGER NOT NULL DEFAULT 0, cache_read_input_tokens INTEGER NOT NULL DEFAULT 0, cache_creation_input_tokens INTEGER NOT NULL DEFAULT 0);
INSERT INTO model_usage VALUES ('zu0', 'zs0', 'glm-5', 1790000000000, 1790000001000, 90, 12, 4, 50, 10);
