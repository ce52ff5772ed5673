-- A made-up state.vscdb.
CREATE TABLE ItemTable (key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB);
CREATE TABLE cursorDiskKV (key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB);
INSERT INTO ItemTable VALUES ('cursorAuth/accessToken', 'not-a-token');
INSERT INTO cursorDiskKV VALUES ('bubbleId:chat-1:m1', '{"type": 1, "text": "hello", "createdAt": "2026-11-20T10:00:00.000Z"}');
INSERT INTO cursorDiskKV VALUES ('bubbleId:chat-1:m2', '{"type": 2, "text": "hi", "tokenCount": {"inputTokens": 0, "outputTokens": 0}, "createdAt": "2026-11-20T10:00:05.000Z"}');
INSERT INTO cursorDiskKV VALUES ('composerData:chat-1', '{"tokenCount":{"inputTokens":9999,"outputTokens":9999}}');
INSERT INTO cursorDiskKV VALUES ('bubbleId:chat-1:m2', '{"type": 2, "text": "hi", "tokenCount": {"inputTokens": 5200, "outputTokens": 310}, "modelInfo": {"modelName": "claude-4.5-sonnet"}, "createdAt": "2026-11-20T10:00:05.000Z"}');
INSERT INTO cursorDiskKV VALUES ('bubbleId:chat-1:m3', '{"type": 2, "text": "v3", "tokenCount": {"inputTokens": 0, "outputTokens": 0}, "createdAt": "2026-11-20T10:01:00.000Z"}');
INSERT INTO cursorDiskKV VALUES ('bubbleId:chat-2:m4', '{"type": 2, "text": "auto", "tokenCount": {"inputTokens": 100, "outputTokens": 20}, "modelInfo": {"modelName": "default"}, "createdAt": 1795170000000}');
INSERT INTO cursorDiskKV VALUES ('bubbleId:chat-2:m5', '{"tokenCount": torn');
INSERT INTO cursorDiskKV VALUES ('composerData:chat-3', '{"createdAt": 1795000000000}');
INSERT INTO cursorDiskKV VALUES ('bubbleId:chat-3:m6', '{"type": 2, "text": "old", "tokenCount": {"inputTokens": 50, "outputTokens": 5}, "modelInfo": {"modelName": "claude-4.5-sonnet"}}');
