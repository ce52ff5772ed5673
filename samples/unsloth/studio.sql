-- A made-up studio.db; columns that nobody reads are left out.
CREATE TABLE chat_threads (id TEXT PRIMARY KEY, model_id TEXT);
CREATE TABLE chat_messages (id TEXT PRIMARY KEY, thread_id TEXT NOT NULL, role TEXT NOT NULL, metadata_json TEXT, created_at INTEGER NOT NULL);
CREATE TABLE api_usage_events (id TEXT PRIMARY KEY, subject TEXT NOT NULL, endpoint TEXT NOT NULL, model TEXT NOT NULL, status TEXT NOT NULL, prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, total_tokens INTEGER NOT NULL, created_at INTEGER NOT NULL);
INSERT INTO chat_threads VALUES ('ut1', 'unsloth/qwen3');
INSERT INTO chat_messages VALUES ('um0', 'ut1', 'user', '{"contextUsage": {"promptTokens": 5}}', 1795683590);
INSERT INTO chat_messages VALUES ('um1', 'ut1', 'assistant', '{"contextUsage": {"promptTokens": 100, "completionTokens": 40, "totalTokens": 140, "cachedTokens": 30, "cacheWriteTokens": 10, "reasoningTokens": 5, "modelId": "asked-for"}, "responseDetails": {"responseModelId": "claude-sonnet-4-6", "providerType": "anthropic"}}', 1795683600123);
INSERT INTO chat_messages VALUES ('um2', 'ut1', 'assistant', NULL, 1795683610000);
INSERT INTO chat_messages VALUES ('um3', 'ut1', 'assistant', '{"contextUsage": {"promptTokens": 20, "completionTokens": 4, "totalTokens": 24, "modelId": "unsloth/qwen3"}}', 1795683620);
INSERT INTO api_usage_events VALUES ('ue1', 'someone', '/v1/chat/completions', 'unsloth/qwen3', 'completed', 20, 7, 27, 1795683700);
