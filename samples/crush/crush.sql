-- A made-up crush.db; columns that nobody reads are left out.
CREATE TABLE sessions (id TEXT PRIMARY KEY, parent_session_id TEXT, title TEXT NOT NULL, message_count INTEGER NOT NULL DEFAULT 0, prompt_tokens INTEGER NOT NULL DEFAULT 0, completion_tokens INTEGER NOT NULL DEFAULT 0, cost REAL NOT NULL DEFAULT 0.0, updated_at INTEGER NOT NULL, created_at INTEGER NOT NULL);
INSERT INTO sessions VALUES ('c0000001', NULL, 'shop', 12, 48000, 700, 0.3125, 1795686000, 1795683600);
INSERT INTO sessions VALUES ('c0000001$$toolu_1', 'c0000001', 'look around', 4, 9000, 300, 0.0625, 1795684000, 1795683900);
INSERT INTO sessions VALUES ('c0000002', NULL, 'free', 2, 3000, 50, 0, 1795687000, 1795686900);
INSERT INTO sessions VALUES ('c0000003', NULL, 'till', 3, 100, 20, 0.000125, 1795688000, 1795687900);
