-- A made-up session-store.db as Copilot CLI 1.0.102 lays it out; columns that nobody reads are left out.
CREATE TABLE sessions (id TEXT PRIMARY KEY, cwd TEXT, repository TEXT, branch TEXT, created_at TEXT);
CREATE TABLE assistant_usage_events (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL, agent_id TEXT, model TEXT NOT NULL, copilot_usage_model TEXT, input_tokens INTEGER, output_tokens INTEGER, cache_read_tokens INTEGER, cache_write_tokens INTEGER, reasoning_tokens INTEGER, total_nano_aiu INTEGER, duration_ms INTEGER, initiator TEXT, created_at TEXT DEFAULT (datetime('now')));
INSERT INTO sessions VALUES ('0c0b1107-0000-4000-8000-000000000001', '/home/kim/shop', 'kim/shop', 'main', '2026-11-20 09:00:00');
INSERT INTO assistant_usage_events VALUES (1, '0c0b1107-0000-4000-8000-000000000001', NULL, 'gpt-5.4', NULL, 10805, 69, 9325, 0, 32, 40000000, 106, 'user', '2026-11-20T09:00:01.005Z');
INSERT INTO assistant_usage_events VALUES (2, '0c0b1107-0000-4000-8000-000000000001', 'b061b3e8', 'gpt-5.4', NULL, 58564, 62, 55643, 0, 5, 40000000, 106, 'sub-agent', '2026-11-20T09:00:02.004Z');
INSERT INTO assistant_usage_events VALUES (3, '0c0b1107-0000-4000-8000-000000000001', NULL, 'claude-opus-4-6', NULL, 8179, 782, 7560, 616, 0, 40000000, 106, 'agent', '2026-11-20T09:00:03.002Z');
INSERT INTO assistant_usage_events VALUES (4, '0c0b1107-0000-4000-8000-000000000001', NULL, 'gpt-5.4', NULL, 17469, 110, 9938, 0, NULL, NULL, 194, 'compaction', '2026-11-20T09:10:01.000Z');
INSERT INTO assistant_usage_events VALUES (5, '0c0b1107-0000-4000-8000-000000000002', NULL, 'gpt-5.4', 'gpt-5.4-2026-03-05', 1000, 40, NULL, NULL, NULL, NULL, NULL, 'user', '2026-11-20 10:00:00');
INSERT INTO assistant_usage_events VALUES (6, '0c0b1107-0000-4000-8000-000000000002', NULL, 'gpt-5.4', NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, 'user', '2026-11-20 10:01:00');
