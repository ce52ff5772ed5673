-- A made-up logs.db as llm 0.20 lays it out.
CREATE TABLE "responses" ("id" TEXT PRIMARY KEY, "model" TEXT, "prompt" TEXT, "response" TEXT, "response_json" TEXT, "conversation_id" TEXT, "duration_ms" INTEGER, "datetime_utc" TEXT, "input_tokens" INTEGER, "output_tokens" INTEGER, "token_details" TEXT);
INSERT INTO responses VALUES ('01ja', 'gpt-4o', 'hello', 'hello', '{"id": "chatcmpl-llm0000000000002", "model": "gpt-4o-2024-08-06"}', '01jc', 800, '2025-11-20T09:00:00', 1000, 50, '{"completion_tokens_details": {"reasoning_tokens": 0}, "prompt_tokens_details": {"cached_tokens": 600}}');
