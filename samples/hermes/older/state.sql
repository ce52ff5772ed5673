-- A made-up state.db from before costs, the cache and totals for each model.
CREATE TABLE sessions (id TEXT PRIMARY KEY, source TEXT NOT NULL, model TEXT, started_at REAL NOT NULL, ended_at REAL, input_tokens INTEGER DEFAULT 0, output_tokens INTEGER DEFAULT 0);
INSERT INTO sessions VALUES ('h0', 'cli', 'gpt-5.2', 1795500000.0, 1795500100.0, 700, 60);
