-- A made-up opencode.db with messages of 2025, which take several steps, and one of an OpenCode that was killed.
CREATE TABLE `session` (`id` text PRIMARY KEY, `parent_id` text, `directory` text NOT NULL, `time_created` integer NOT NULL);
CREATE TABLE `message` (`id` text PRIMARY KEY, `session_id` text NOT NULL, `time_created` integer NOT NULL, `time_updated` integer NOT NULL, `data` text NOT NULL);
CREATE TABLE `part` (`id` text PRIMARY KEY, `message_id` text NOT NULL, `data` text NOT NULL);
INSERT INTO session VALUES ('ses_s', NULL, '/home/kim/shop', 1795719300000);
INSERT INTO part VALUES ('prt_1', 'msg_s1', '{"type":"text","text":"{\"type\":\"step-finish\",\"tokens\":{\"input\":88888}}"}');
INSERT INTO part VALUES ('prt_2', 'msg_s1', '{"type":"step-finish","cost":0.02,"tokens":{"input":1000,"output":100,"reasoning":0,"cache":{"read":0,"write":500}}}');
INSERT INTO part VALUES ('prt_3', 'msg_s1', '{"type":"step-finish","cost":0.03,"tokens":{"input":30,"output":200,"reasoning":0,"cache":{"read":1500,"write":40}}}');
INSERT INTO message VALUES ('msg_s1', 'ses_s', 1795719301000, 1795719309000, '{"role":"assistant","mode":"build","path":{"cwd":"/home/kim/shop","root":"/home/kim/shop"},"cost":0.05,"tokens":{"input":30,"output":200,"reasoning":0,"cache":{"read":1500,"write":40}},"modelID":"claude-sonnet-4-5","providerID":"anthropic","time":{"created":1795719301000,"completed":1795719309000}}');
INSERT INTO part VALUES ('prt_4', 'msg_s2', '{"type":"step-finish","cost":0.01,"tokens":{"input":7,"output":8,"reasoning":1,"cache":{"read":90,"write":0},"total":106}}');
INSERT INTO message VALUES ('msg_s2', 'ses_s', 1795719320000, 1795719321000, '{"role":"assistant","mode":"build","path":{"cwd":"/home/kim/shop","root":"/home/kim/shop"},"cost":0.01,"tokens":{"input":7,"output":8,"reasoning":1,"cache":{"read":90,"write":0},"total":106},"modelID":"gpt-5.5","providerID":"openai","time":{"created":1795719320000},"finish":"tool-calls"}');
