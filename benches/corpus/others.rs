//! Generated logs of other agents: lines, documents and databases, as each of them writes a session.
//!
//! A session has a few dozen answers with texts of some kilobytes. The traps are in `samples/`; here the sizes are what counts.

use std::fmt::Write;

use super::draw::stamp;
use super::{Draw, Log, Truth};

/// Names of agents whose sessions are made, in turns.
const AGENTS: [fn(&mut Session<'_>) -> Log; 12] =
    [gemini, qwen, pi, kimi, copilot, openclaw, cline, roo, amp, droid, opencode, goose];

/// A session of the agent whose turn it is.
pub(super) fn session(draw: &mut Draw, truth: &mut Truth, goal: u64, turn: u64) -> Log {
    let (at, id) = (draw.beginning(), draw.uuid());
    let answers = (goal / 9_000).clamp(2, 60);
    let agent = usize::try_from(turn).unwrap_or_default() % AGENTS.len();
    AGENTS[agent](&mut Session { draw, truth, id, at, answers, prompt: 9_000 })
}

/// A session that is being written.
struct Session<'a> {
    draw: &'a mut Draw,
    truth: &'a mut Truth,
    id: String,
    at: i64,
    answers: u64,
    prompt: u64,
}

/// Milliseconds, and input, cache reads, output.
struct Answer {
    at: i64,
    input: u64,
    cached: u64,
    output: u64,
    /// The text of the user or a tool before, and the answer.
    said: String,
    text: String,
}

impl Answer {
    /// The time as text.
    fn stamp(&self) -> String {
        stamp(self.at)
    }
    fn whole(&self) -> u64 {
        self.input + self.cached
    }
    fn total(&self) -> u64 {
        self.whole() + self.output
    }
}

impl Session<'_> {
    /// The next answer, which counts for an agent and a model.
    fn answer(&mut self, agent: &str, model: &str) -> Answer {
        self.at += i64::try_from(self.draw.within(2_000, 60_000)).unwrap_or_default();
        let (input, output) = (self.draw.within(50, 4_000), self.draw.within(20, 1_500));
        let cached = self.prompt;
        self.prompt += input + output;
        self.truth.call(self.at, agent, model, [input, cached, 0, 0, output, 0]);
        let (mut said, mut text) = (String::new(), String::new());
        let (long, short) = (self.draw.within(500, 12_000), self.draw.within(100, 3_000));
        self.draw.text(long, &mut said);
        self.draw.text(short, &mut text);
        Answer { at: self.at, input, cached, output, said, text }
    }

    /// Lines, documents or statements of all answers.
    fn each(&mut self, agent: &str, model: &str, one: impl Fn(u64, &Answer, &mut String)) -> String {
        let mut text = String::new();
        for number in 0..self.answers {
            let answer = self.answer(agent, model);
            one(number, &answer, &mut text);
        }
        text
    }
}

fn log_of(path: String, text: String) -> Log {
    Log { path, text }
}

fn gemini(session: &mut Session<'_>) -> Log {
    let id = session.id.clone();
    let head = format!(
        "{{\"sessionId\":\"{id}\",\"projectHash\":\"ab\",\"startTime\":\"{}\",\"kind\":\"main\"}}\n",
        stamp(session.at)
    );
    let lines = session.each("gemini-cli", "gemini-3.1-pro-preview", |number, one, out| {
        let at = one.stamp();
        let _ = writeln!(out, "{{\"id\":\"{id}-u{number}\",\"timestamp\":\"{at}\",\"type\":\"user\",\"content\":[{{\"text\":\"{}\"}}]}}", one.said);
        for tools in ["", ",\"toolCalls\":[{\"name\":\"read_file\",\"status\":\"success\"}]"] {
            let _ = writeln!(
                out,
                "{{\"id\":\"{id}-{number}\",\"timestamp\":\"{at}\",\"type\":\"gemini\",\"content\":\"{}\",\"tokens\":{{\"input\":{},\"output\":{},\"cached\":{},\"thoughts\":0,\"tool\":0,\"total\":{}}},\"model\":\"gemini-3.1-pro-preview\"{tools}}}",
                one.text, one.whole(), one.output, one.cached, one.total()
            );
        }
    });
    log_of(format!(".gemini/tmp/shop/chats/session-2026-{}.jsonl", &session.id[..8]), head + &lines)
}

fn qwen(session: &mut Session<'_>) -> Log {
    let id = session.id.clone();
    let lines = session.each("qwen-code", "qwen3-coder-plus", |number, one, out| {
        let at = one.stamp();
        let _ = writeln!(out, "{{\"uuid\":\"{id}-u{number}\",\"sessionId\":\"{id}\",\"timestamp\":\"{at}\",\"type\":\"user\",\"cwd\":\"/home/kim/shop\",\"message\":{{\"role\":\"user\",\"parts\":[{{\"text\":\"{}\"}}]}}}}", one.said);
        let _ = writeln!(
            out,
            "{{\"uuid\":\"{id}-t{number}\",\"sessionId\":\"{id}\",\"timestamp\":\"{at}\",\"type\":\"system\",\"subtype\":\"ui_telemetry\",\"cwd\":\"/home/kim/shop\",\"systemPayload\":{{\"uiEvent\":{{\"event.name\":\"qwen-code.api_response\",\"event.timestamp\":\"{at}\",\"response_id\":\"chatcmpl-{id}-{number}\",\"model\":\"qwen3-coder-plus\",\"duration_ms\":900,\"input_token_count\":{},\"output_token_count\":{},\"cached_content_token_count\":{},\"thoughts_token_count\":0,\"total_token_count\":{}}}}}}}",
            one.whole(), one.output, one.cached, one.total()
        );
        let _ = writeln!(
            out,
            "{{\"uuid\":\"{id}-a{number}\",\"sessionId\":\"{id}\",\"timestamp\":\"{at}\",\"type\":\"assistant\",\"cwd\":\"/home/kim/shop\",\"model\":\"qwen3-coder-plus\",\"message\":{{\"role\":\"model\",\"parts\":[{{\"text\":\"{}\"}}]}},\"usageMetadata\":{{\"promptTokenCount\":{},\"candidatesTokenCount\":{},\"cachedContentTokenCount\":{},\"totalTokenCount\":{}}}}}",
            one.text, one.whole(), one.output, one.cached, one.total()
        );
    });
    log_of(format!(".qwen/projects/-home-kim-shop/chats/{}.jsonl", session.id), lines)
}

/// The entries of pi and of what is written like it.
fn entries(session: &mut Session<'_>, agent: &str) -> String {
    let id = session.id.clone();
    let head = format!(
        "{{\"type\":\"session\",\"version\":3,\"id\":\"{id}\",\"timestamp\":\"{}\",\"cwd\":\"/home/kim/shop\"}}\n",
        stamp(session.at)
    );
    head + &session.each(agent, "gpt-5.5", |number, one, out| {
        let at = one.stamp();
        let _ = writeln!(out, "{{\"type\":\"message\",\"id\":\"u{number:07x}\",\"parentId\":\"0\",\"timestamp\":\"{at}\",\"message\":{{\"role\":\"user\",\"content\":[{{\"type\":\"text\",\"text\":\"{}\"}}]}}}}", one.said);
        let _ = writeln!(
            out,
            "{{\"type\":\"message\",\"id\":\"a{number:07x}\",\"parentId\":\"u{number:07x}\",\"timestamp\":\"{at}\",\"message\":{{\"role\":\"assistant\",\"content\":[{{\"type\":\"text\",\"text\":\"{}\"}}],\"api\":\"openai-responses\",\"provider\":\"openai\",\"model\":\"gpt-5.5\",\"usage\":{{\"input\":{},\"output\":{},\"cacheRead\":{},\"cacheWrite\":0,\"totalTokens\":{},\"cost\":{{\"total\":0.001}}}},\"stopReason\":\"stop\",\"responseId\":\"resp_{id}-{number}\"}}}}",
            one.text, one.input, one.output, one.cached, one.total()
        );
    })
}

fn pi(session: &mut Session<'_>) -> Log {
    let text = entries(session, "pi");
    log_of(format!(".pi/agent/sessions/--home-kim-shop--/{}.jsonl", session.id), text)
}

fn openclaw(session: &mut Session<'_>) -> Log {
    let text = entries(session, "openclaw");
    log_of(format!(".openclaw/agents/main/sessions/{}.jsonl", session.id), text)
}

fn kimi(session: &mut Session<'_>) -> Log {
    let lines = session.each("kimi-code", "kimi-k3", |number, one, out| {
        let at = one.at;
        let _ = writeln!(out, "{{\"type\":\"context.append_message\",\"message\":{{\"role\":\"user\",\"content\":\"{}\"}},\"time\":{at}}}", one.said);
        let _ = writeln!(out, "{{\"type\":\"llm.request\",\"model\":\"kimi-k3\",\"modelAlias\":\"k\",\"time\":{at}}}");
        let counts = format!("{{\"inputOther\":{},\"output\":{},\"inputCacheRead\":{},\"inputCacheCreation\":0}}", one.input, one.output, one.cached);
        let _ = writeln!(out, "{{\"type\":\"context.append_loop_event\",\"event\":{{\"type\":\"step.end\",\"step\":{number},\"text\":\"{}\",\"usage\":{counts}}},\"time\":{at}}}", one.text);
        let _ = writeln!(out, "{{\"type\":\"usage.record\",\"model\":\"k\",\"usage\":{counts},\"usageScope\":\"turn\",\"time\":{at}}}");
    });
    log_of(format!(".kimi-code/sessions/wd_shop/session_{}/agents/main/wire.jsonl", session.id), lines)
}

fn copilot(session: &mut Session<'_>) -> Log {
    let id = session.id.clone();
    let head = format!(
        "{{\"type\":\"session.start\",\"data\":{{\"sessionId\":\"{id}\",\"context\":{{\"cwd\":\"/home/kim/shop\"}}}},\"id\":\"0\",\"timestamp\":\"{}\"}}\n",
        stamp(session.at)
    );
    let lines = session.each("copilot", "gpt-5.4", |number, one, out| {
        let at = one.stamp();
        let _ = writeln!(out, "{{\"type\":\"user.message\",\"data\":{{\"content\":\"{}\"}},\"id\":\"u{number}\",\"timestamp\":\"{at}\"}}", one.said);
        let _ = writeln!(out, "{{\"type\":\"assistant.message\",\"data\":{{\"content\":\"{}\",\"outputTokens\":{},\"model\":\"gpt-5.4\",\"apiCallId\":\"chatcmpl-{id}-{number}\"}},\"id\":\"a{number}\",\"timestamp\":\"{at}\"}}", one.text, one.output);
        let _ = writeln!(
            out,
            "{{\"type\":\"session.usage_record\",\"data\":{{\"usage\":{{\"model\":\"gpt-5.4\",\"inputTokens\":{},\"outputTokens\":{},\"cacheReadTokens\":{},\"cacheWriteTokens\":0,\"duration\":900,\"apiCallId\":\"chatcmpl-{id}-{number}\"}}}},\"id\":\"r{number}\",\"timestamp\":\"{at}\"}}",
            one.whole(), one.output, one.cached
        );
    });
    log_of(format!(".copilot/session-state/{}/events.jsonl", session.id), head + &lines)
}

fn cline(session: &mut Session<'_>) -> Log {
    let messages = session.each("cline", "gpt-5.5", |number, one, out| {
        let comma = if number == 0 { "" } else { "," };
        let _ = write!(
            out,
            "{comma}{{\"id\":\"u{number}\",\"role\":\"user\",\"ts\":{at},\"content\":\"{}\"}},{{\"id\":\"a{number}\",\"role\":\"assistant\",\"ts\":{at},\"content\":\"{}\",\"modelInfo\":{{\"id\":\"gpt-5.5\",\"provider\":\"openai\"}},\"metrics\":{{\"inputTokens\":{},\"outputTokens\":{},\"cacheReadTokens\":{},\"cacheWriteTokens\":0}}}}",
            one.said, one.text, one.whole(), one.output, one.cached, at = one.at
        );
    });
    let id = &session.id;
    let text = format!("{{\"version\":1,\"agent\":\"lead\",\"sessionId\":\"{id}\",\"messages\":[{messages}]}}");
    log_of(format!(".cline/data/sessions/{id}/{id}.messages.json"), text)
}

fn roo(session: &mut Session<'_>) -> Log {
    let said = session.each("roo-code", "", |number, one, out| {
        let comma = if number == 0 { "" } else { "," };
        let _ = write!(
            out,
            "{comma}{{\"ts\":{},\"type\":\"say\",\"say\":\"text\",\"text\":\"{}\"}},{{\"ts\":{},\"type\":\"say\",\"say\":\"api_req_started\",\"text\":\"{{\\\"apiProtocol\\\":\\\"openai\\\",\\\"tokensIn\\\":{},\\\"tokensOut\\\":{},\\\"cacheReads\\\":{},\\\"cacheWrites\\\":0}}\"}}",
            one.at - 1, one.said, one.at, one.whole(), one.output, one.cached
        );
    });
    let folder = ".config/Code/User/globalStorage/rooveterinaryinc.roo-cline/tasks";
    log_of(format!("{folder}/{}/ui_messages.json", session.id), format!("[{said}]"))
}

fn amp(session: &mut Session<'_>) -> Log {
    let messages = session.each("amp", "claude-opus-4-6", |number, one, out| {
        let comma = if number == 0 { "" } else { "," };
        let _ = write!(
            out,
            "{comma}{{\"role\":\"user\",\"messageId\":{},\"content\":\"{}\"}},{{\"role\":\"assistant\",\"messageId\":{},\"content\":\"{}\",\"usage\":{{\"model\":\"claude-opus-4-6\",\"timestamp\":\"{}\",\"inputTokens\":{},\"outputTokens\":{},\"cacheReadInputTokens\":{},\"cacheCreationInputTokens\":0}}}}",
            2 * number, one.said, 2 * number + 1, one.text, one.stamp(), one.input, one.output, one.cached
        );
    });
    let id = format!("T-{}", session.id);
    let text = format!("{{\"v\":9,\"id\":\"{id}\",\"created\":{},\"messages\":[{messages}]}}", session.at);
    log_of(format!(".local/share/amp/threads/{id}.json"), text)
}

fn droid(session: &mut Session<'_>) -> Log {
    let one = session.answer("droid", "gpt-5.5");
    let text = format!(
        "{{\"model\":\"custom:gpt-5.5\",\"providerLockTimestamp\":\"{}\",\"notes\":\"{}\",\"tokenUsage\":{{\"inputTokens\":{},\"outputTokens\":{},\"cacheCreationTokens\":0,\"cacheReadTokens\":{},\"thinkingTokens\":0}}}}",
        one.stamp(),
        one.said,
        one.input,
        one.output,
        one.cached
    );
    log_of(format!(".factory/sessions/-home-kim-shop/{}.settings.json", session.id), text)
}

fn opencode(session: &mut Session<'_>) -> Log {
    let id = session.id.clone();
    let mut text = String::from(
        "CREATE TABLE IF NOT EXISTS session (id TEXT PRIMARY KEY, parent_id TEXT, directory TEXT, time_created INTEGER);\n\
         CREATE TABLE IF NOT EXISTS message (id TEXT PRIMARY KEY, session_id TEXT, time_created INTEGER, time_updated INTEGER, data TEXT);\n\
         CREATE TABLE IF NOT EXISTS part (id TEXT PRIMARY KEY, message_id TEXT, data TEXT);\n\
         CREATE INDEX IF NOT EXISTS part_of ON part (message_id);\n",
    );
    let _ = writeln!(text, "INSERT INTO session VALUES ('ses_{id}', NULL, '/home/kim/shop', {});", session.at);
    let rows = session.each("opencode", "gpt-5.5", |number, one, out| {
        let at = one.at;
        let _ = writeln!(out, "INSERT INTO part VALUES ('prt_{id}{number}u', 'msg_{id}{number}u', '{{\"type\":\"text\",\"text\":\"{}\"}}');", one.said);
        let _ = writeln!(out, "INSERT INTO part VALUES ('prt_{id}{number}', 'msg_{id}{number}', '{{\"type\":\"text\",\"text\":\"{}\"}}');", one.text);
        let _ = writeln!(
            out,
            "INSERT INTO message VALUES ('msg_{id}{number}', 'ses_{id}', {at}, {at}, '{{\"role\":\"assistant\",\"agent\":\"build\",\"path\":{{\"cwd\":\"/home/kim/shop\"}},\"cost\":0,\"tokens\":{{\"input\":{},\"output\":{},\"reasoning\":0,\"cache\":{{\"read\":{},\"write\":0}},\"total\":{}}},\"modelID\":\"gpt-5.5\",\"providerID\":\"openai\",\"time\":{{\"created\":{at},\"completed\":{at}}},\"finish\":\"stop\"}}');",
            one.input, one.output, one.cached, one.total()
        );
    });
    log_of(".local/share/opencode/opencode.db".to_owned(), text + &rows)
}

fn goose(session: &mut Session<'_>) -> Log {
    let id = session.id.clone();
    let mut text = String::from(
        "CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, created_at TEXT, working_dir TEXT, model_config_json TEXT);\n\
         CREATE TABLE IF NOT EXISTS messages (session_id TEXT, content_json TEXT);\n\
         CREATE TABLE IF NOT EXISTS usage_ledger (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT, created_timestamp INTEGER, model TEXT, input_tokens INTEGER, output_tokens INTEGER, total_tokens INTEGER, cache_read_tokens INTEGER, cache_write_tokens INTEGER, cost REAL, cost_source TEXT, is_compaction INTEGER);\n",
    );
    let _ = writeln!(text, "INSERT INTO sessions VALUES ('{id}', '2026-11-20 09:00:00', '/home/kim/shop', NULL);");
    let rows = session.each("goose", "gpt-5.5", |_, one, out| {
        let _ = writeln!(out, "INSERT INTO messages VALUES ('{id}', '{}{}');", one.said, one.text);
        let _ = writeln!(
            out,
            "INSERT INTO usage_ledger (session_id, created_timestamp, model, input_tokens, output_tokens, total_tokens, cache_read_tokens, cache_write_tokens, is_compaction) VALUES ('{id}', {}, 'gpt-5.5', {}, {}, {}, {}, 0, 0);",
            one.at / 1000, one.whole(), one.output, one.total(), one.cached
        );
    });
    log_of(".local/share/goose/sessions/sessions.db".to_owned(), text + &rows)
}
