-- A made-up db.sqlite; columns that nobody reads are left out.
CREATE TABLE session (id TEXT PRIMARY KEY, directory TEXT NOT NULL, path TEXT);
CREATE TABLE model_usage (id TEXT PRIMARY KEY, session_id TEXT NOT NULL, turn_id TEXT, model_id TEXT NOT NULL, started_at INTEGER NOT NULL, completed_at INTEGER, duration_ms INTEGER, input_tokens INTEGER NOT NULL DEFAULT 0, output_tokens INTEGER NOT NULL DEFAULT 0, reasoning_tokens INTEGER NOT NULL DEFAULT 0, cache_read_input_tokens INTEGER NOT NULL DEFAULT 0, cache_creation_input_tokens INTEGER NOT NULL DEFAULT 0, computed_total_tokens INTEGER, agent TEXT, mode TEXT);
INSERT INTO session VALUES ('zs1', '/home/kim/shop', '/home/kim/shop');
INSERT INTO model_usage VALUES ('zu1', 'zs1', 't1', 'GLM-5.2', 1795683600000, 1795683601000, 1000, 100, 20, 5, 7, 3, 120, 'zcode-agent', 'yolo');
INSERT INTO model_usage VALUES ('zu2', 'zs1', 't1', 'glm-5.2', 1795683602000, NULL, NULL, 0, 0, 0, 0, 0, 0, 'zcode-agent', 'yolo');
INSERT INTO model_usage VALUES ('zu3', 'zs1', 't1', 'claude-opus-5', 1795683603000, 1795683604000, 900, 500, 50, 0, 400, 0, 550, 'claude-code', NULL);
INSERT INTO model_usage VALUES ('zu4', 'zs2', 't2', 'glm-5-turbo', 1795683605000, 1795683606000, 800, 40, 8, 3, 60, 0, 111, 'zcode-agent', NULL);
UPDATE model_usage SET completed_at = 1795683607000, input_tokens = 200, output_tokens = 30, cache_read_input_tokens = 150, computed_total_tokens = 230 WHERE id = 'zu2';
