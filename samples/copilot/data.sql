-- A made-up data.db of the desktop program.
CREATE TABLE sessions (id TEXT PRIMARY KEY, title TEXT, model TEXT, total_input_tokens INTEGER, total_output_tokens INTEGER, total_cached_tokens INTEGER, total_reasoning_tokens INTEGER, total_nano_aiu INTEGER, created_at TEXT);
INSERT INTO sessions VALUES ('0c0b1107-0000-4000-8000-000000000009', 'hello', 'gpt-5.5', 5000, 200, 4000, 30, 900, '2026-11-20T12:00:00Z');
INSERT INTO sessions VALUES ('0c0b1107-0000-4000-8000-000000000001', 'hello', 'auto', 99999, 999, 9999, 99, 900, '2026-11-20T09:00:00Z');
INSERT INTO sessions VALUES ('0c0b1107-0000-4000-8000-000000000010', 'hello', 'gpt-5.5', 0, 0, 0, 0, 0, '2026-11-20T12:30:00Z');
INSERT INTO sessions VALUES ('0c0b1107-0000-4000-8000-000000000011', 'hello', 'gpt-5.5', 800, NULL, NULL, NULL, 0, '2026-11-20T12:40:00Z');
