-- A made-up shelley.db; columns that nobody reads are left out.
CREATE TABLE conversations (conversation_id TEXT PRIMARY KEY, slug TEXT, user_initiated BOOLEAN NOT NULL DEFAULT TRUE, created_at DATETIME, updated_at DATETIME, cwd TEXT, parent_conversation_id TEXT, model TEXT);
CREATE TABLE messages (message_id TEXT PRIMARY KEY, conversation_id TEXT NOT NULL, sequence_id INTEGER NOT NULL, type TEXT NOT NULL, usage_data TEXT, created_at DATETIME, generation INTEGER NOT NULL DEFAULT 1);
INSERT INTO conversations VALUES ('sc1', 'shop', 1, '2026-11-20 10:00:00', '2026-11-20 10:09:00', '/home/kim/shop', NULL, 'claude-opus-5');
INSERT INTO conversations VALUES ('sc2', 'look', 0, '2026-11-20 10:01:00', '2026-11-20 10:02:00', '/home/kim/shop', 'sc1', 'claude-haiku-4-5');
INSERT INTO messages VALUES ('sm1', 'sc1', 1, 'user', '{"input_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 0, "cost_usd": 0, "model": ""}', '2026-11-20 10:00:00', 1);
INSERT INTO messages VALUES ('sm2', 'sc1', 2, 'agent', '{"input_tokens": 10, "cache_creation_input_tokens": 600, "cache_read_input_tokens": 4000, "output_tokens": 120, "cost_usd": 0.0125, "model": "claude-opus-5"}', '2026-11-20 10:00:05', 1);
INSERT INTO messages VALUES ('sm3', 'sc1', 3, 'tool', NULL, '2026-11-20 10:00:06', 1);
INSERT INTO messages VALUES ('sm4', 'sc2', 1, 'agent', '{"input_tokens": 200, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 20, "cost_usd": 0.001, "model": ""}', '2026-11-20 10:01:05', 1);
INSERT INTO messages VALUES ('sm5', 'sc1', 4, 'agent', '{"input_tokens": 5, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 4600, "output_tokens": 60, "cost_usd": 0.004, "model": "claude-opus-5"}', '2026-11-20 10:08:05', 1);
