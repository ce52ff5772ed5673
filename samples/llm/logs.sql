-- A made-up logs.db as llm 0.36 lays it out; columns that nobody reads are left out.
CREATE TABLE "turns" ("id" TEXT PRIMARY KEY, "thread_id" TEXT, "model" TEXT, "resolved_model" TEXT, "input_tokens" INTEGER, "output_tokens" INTEGER, "token_details" TEXT, "duration_ms" INTEGER, "datetime_utc" TEXT, "response_json" TEXT);
CREATE TABLE "responses" ("id" TEXT PRIMARY KEY, "model" TEXT, "prompt" TEXT, "response" TEXT, "response_json" TEXT, "conversation_id" TEXT, "duration_ms" INTEGER, "datetime_utc" TEXT, "input_tokens" INTEGER, "output_tokens" INTEGER, "token_details" TEXT, "resolved_model" TEXT);
PRAGMA writable_schema = ON;
INSERT INTO sqlite_master VALUES ('table', 'turn_search_fts', 'turn_search_fts', 0, 'CREATE VIRTUAL TABLE "turn_search_fts" USING a_search_index ("prompt", "response")');
PRAGMA writable_schema = OFF;
INSERT INTO turns VALUES ('01m8a', '01m8t', 'mine', NULL, 10805, 69, '{"completion_tokens_details": {"reasoning_tokens": 32}, "prompt_tokens_details": {"cached_tokens": 9325}}', 522, '2026-11-20T09:00:00.161702+00:00', '{"content": "hello", "usage": {"prompt_tokens": 10805}, "id": "chatcmpl-llm0000000000001", "model": "gpt-5.5"}');
INSERT INTO turns VALUES ('01m8b', '01m8t', 'mine', 'gpt-5.5', 500, 40, NULL, NULL, '2026-11-20T09:01:00+00:00', NULL);
INSERT INTO turns VALUES ('01m8c', '01m8t', 'claude-opus-4.6', NULL, 120, 60, '{"cache_read_input_tokens": 4000, "cache_creation_input_tokens": 300}', 900, '2026-11-20T09:02:00+00:00', '{"id":"msg_llm00000000000000001","model":"claude-opus-4-6","usage":{}}');
INSERT INTO turns VALUES ('01m8d', '01m8t', 'mine', NULL, NULL, NULL, NULL, NULL, '2026-11-20T09:03:00+00:00', 'no JSON');
