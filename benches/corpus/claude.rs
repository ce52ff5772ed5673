//! Generated Claude Code transcripts: streamed answers, sub-agents, forks, asides.

use std::fmt::Write;

use super::draw::stamp;
use super::{Draw, Log, Truth};

const SOURCE: &str = "claude-code";
const MODELS: &[&str] = &[
    "claude-opus-4-5-20251101",
    "claude-opus-4-5-20251101",
    "claude-sonnet-4-5-20250929",
    "claude-haiku-4-5-20251001",
];
/// Versions that log all output; the second one mirrors sub-agents in their parent's transcript.
const VERSIONS: [&str; 3] = ["2.0.14", "2.1.71", "2.1.104"];

/// A session with its sub-agents, a fork, and an aside.
pub(super) fn family(draw: &mut Draw, truth: &mut Truth, goal: u64) -> Vec<Log> {
    let mut main = Thread::new(draw);
    let mut logs = Vec::new();
    let agents = if draw.chance(350) { draw.within(1, 4) } else { 0 };
    // A fork copies a part of the session; together they reach the goal.
    let forks = draw.chance(120);
    let own = goal / (1 + agents / 2 + u64::from(forks));
    while (main.text.len() as u64) < own {
        main.turn(draw, truth);
        if (logs.len() as u64) < agents && draw.chance(300) {
            logs.push(main.sub_agent(draw, truth, goal / 6));
        }
    }
    if forks {
        logs.push(main.fork(draw, truth, own));
    }
    if draw.chance(80) {
        logs.push(main.aside(draw, truth));
    }
    main.end(draw, truth);
    logs.push(main.into_log());
    logs
}

/// One file that is being written.
struct Thread {
    project: String,
    session: String,
    agent: Option<String>,
    version: &'static str,
    model: &'static str,
    /// Some gateways give no request ids.
    requests: bool,
    hour_cache: bool,
    at: i64,
    /// Size of the model's context so far.
    context: u64,
    /// The latest form of each answer in the file, for repetitions: time, request, message.
    answers: Vec<(i64, String, String)>,
    /// Where each line begins.
    lines: Vec<usize>,
    text: String,
}

impl Thread {
    fn new(draw: &mut Draw) -> Self {
        Self {
            project: draw.word().to_owned(),
            session: draw.uuid(),
            agent: None,
            version: draw.pick(&VERSIONS),
            model: draw.pick(MODELS),
            requests: !draw.chance(20),
            hour_cache: draw.chance(700),
            at: draw.beginning(),
            context: draw.within(12_000, 30_000),
            answers: Vec::new(),
            lines: Vec::new(),
            text: String::new(),
        }
    }

    fn path(&self) -> String {
        let folder = format!(".claude/projects/-home-kim-{}/{}", self.project, self.session);
        match &self.agent {
            None => format!("{folder}.jsonl"),
            Some(agent) => format!("{folder}/subagents/agent-{agent}.jsonl"),
        }
    }

    fn into_log(self) -> Log {
        Log { path: self.path(), text: self.text }
    }

    /// Begins a line of this kind, up to its own fields.
    fn begin(&mut self, draw: &mut Draw, kind: &str, at: i64) {
        self.lines.push(self.text.len());
        let side = self.agent.is_some();
        let _ = write!(
            self.text,
            "{{\"parentUuid\":\"{}\",\"isSidechain\":{side},\"userType\":\"external\",\"cwd\":\"/home/kim/{}\",\
             \"sessionId\":\"{}\",\"version\":\"{}\",\"gitBranch\":\"main\"",
            draw.uuid(),
            self.project,
            self.session,
            self.version
        );
        if let Some(agent) = &self.agent {
            let _ = write!(self.text, ",\"agentId\":\"{agent}\"");
        }
        let _ = write!(self.text, ",\"type\":\"{kind}\",\"uuid\":\"{}\",\"timestamp\":\"{}\"", draw.uuid(), stamp(at));
    }

    /// A prompt or a tool's output, and the answer to it.
    fn turn(&mut self, draw: &mut Draw, truth: &mut Truth) {
        self.at += draw.pause(40_000);
        self.tool_result(draw, truth);
        if draw.chance(8) {
            self.synthetic(draw, truth);
        } else {
            self.answer(draw, truth);
        }
    }

    fn tool_result(&mut self, draw: &mut Draw, truth: &mut Truth) {
        self.begin(draw, "user", self.at);
        let tool = draw.name(22);
        let _ = write!(
            self.text,
            ",\"message\":{{\"role\":\"user\",\"content\":[{{\"tool_use_id\":\"toolu_01{tool}\",\"type\":\"tool_result\",\"content\":\""
        );
        let length = draw.output_length();
        draw.text(length, &mut self.text);
        if draw.chance(25) {
            truth.trap("usage quoted in a text");
            self.text.push_str(
                r#"{\"message\":{\"id\":\"msg_quoted\",\"model\":\"x\",\"usage\":{\"input_tokens\":9000000}}}"#,
            );
        }
        self.text.push_str("\"}]},\"toolUseResult\":{\"stdout\":\"");
        draw.text(120, &mut self.text);
        self.text.push_str("\",\"interrupted\":false}}\n");
    }

    /// An answer on one to four lines; only the last is sure to have the final count.
    fn answer(&mut self, draw: &mut Draw, truth: &mut Truth) {
        let id = format!("msg_01{}", draw.name(22));
        let request = format!("req_011C{}", draw.name(20));
        let (input, written, output) = (draw.within(1, 12), draw.within(100, 6_000), draw.within(20, 1_800));
        let (read, at) = (self.context, self.at + 1_000 + draw.pause(9_000));
        self.context = if self.context > 170_000 { draw.within(15_000, 30_000) } else { self.context + written };
        let (short, long) = if self.hour_cache { (0, written) } else { (written, 0) };
        let lines = draw.within(1, 5);
        let partial = lines > 1 && draw.chance(700);
        truth.call(at, SOURCE, self.model, [input, read, short, long, output, 0]);
        if lines > 1 {
            truth.trap(if partial { "streamed, counts grow" } else { "streamed, counts equal" });
        }
        self.at = at;
        for line in 1..=lines {
            let last = line == lines;
            let told = if partial && !last { draw.within(1, 9).min(output) } else { output };
            let mut message = format!(
                "{{\"model\":\"{}\",\"id\":\"{id}\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[",
                self.model
            );
            block(draw, if last { 2 } else { line % 3 }, &mut message);
            let _ = write!(
                message,
                "],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{{\"input_tokens\":{input},\
                 \"cache_creation_input_tokens\":{written},\"cache_read_input_tokens\":{read},\
                 \"cache_creation\":{{\"ephemeral_5m_input_tokens\":{short},\"ephemeral_1h_input_tokens\":{long}}},\
                 \"output_tokens\":{told},\"service_tier\":\"standard\",\"inference_geo\":\"not_available\",\
                 \"iterations\":[{{\"input_tokens\":{input},\"output_tokens\":{told},\"cache_read_input_tokens\":{read},\
                 \"cache_creation_input_tokens\":{written},\"type\":\"message\"}}],\"speed\":\"standard\"}}}}"
            );
            self.begin(draw, "assistant", self.at);
            if self.requests {
                let _ = write!(self.text, ",\"requestId\":\"{request}\"");
            }
            let _ = writeln!(self.text, ",\"message\":{message}}}");
            self.answers.push((self.at, request.clone(), message));
            self.at += draw.pause(2_500);
            if !last && draw.chance(250) {
                truth.trap("a tool's output between two lines of one answer");
                self.tool_result(draw, truth);
            }
        }
        if !self.requests {
            truth.trap("no request id");
        }
    }

    /// An error line in place of an answer.
    fn synthetic(&mut self, draw: &mut Draw, truth: &mut Truth) {
        truth.trap("synthetic answer");
        self.begin(draw, "assistant", self.at);
        let _ = writeln!(
            self.text,
            ",\"message\":{{\"id\":\"{}\",\"model\":\"<synthetic>\",\"role\":\"assistant\",\"content\":[{{\"type\":\"text\",\
             \"text\":\"The service is busy.\"}}],\"usage\":{{\"input_tokens\":0,\"output_tokens\":0,\
             \"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0}}}},\"isApiErrorMessage\":true}}",
            draw.uuid()
        );
    }

    /// A sub-agent's own file; its parent repeats some of it, and its last request.
    fn sub_agent(&mut self, draw: &mut Draw, truth: &mut Truth, goal: u64) -> Log {
        truth.trap("sub-agent");
        let mut agent = Self {
            session: self.session.clone(),
            project: self.project.clone(),
            agent: Some(draw.name(12).to_lowercase()),
            version: self.version,
            requests: self.requests,
            at: self.at,
            ..Self::new(draw)
        };
        while agent.answers.is_empty() || (agent.text.len() as u64) < goal {
            agent.turn(draw, truth);
        }
        let name = agent.agent.clone().unwrap_or_default();
        if self.version == VERSIONS[1] {
            for (at, request, message) in &agent.answers {
                truth.trap("sub-agent's line again in its parent's file");
                self.begin(draw, "progress", *at);
                let request = if self.requests { format!(",\"requestId\":\"{request}\"") } else { String::new() };
                let told = format!(
                    "{{\"type\":\"assistant\",\"message\":{message}{request},\"uuid\":\"{}\",\"timestamp\":\"{}\"}}",
                    draw.uuid(),
                    stamp(*at)
                );
                let _ = writeln!(
                    self.text,
                    ",\"data\":{{\"type\":\"agent_progress\",\"agentId\":\"{name}\",\"message\":{told},\
                     \"normalizedMessages\":[{told}]}}}}"
                );
            }
        }
        truth.trap("a sub-agent's last request again in a tool's result");
        self.at = agent.at;
        self.begin(draw, "user", self.at);
        let _ = writeln!(
            self.text,
            ",\"message\":{{\"role\":\"user\",\"content\":\"done\"}},\"toolUseResult\":{{\"status\":\"completed\",\
             \"agentId\":\"{name}\",\"totalTokens\":250000,\"usage\":{{\"input_tokens\":5,\
             \"cache_read_input_tokens\":240000,\"output_tokens\":900}}}}}}"
        );
        agent.end(draw, truth);
        agent.into_log()
    }

    /// A session that begins with a copy of this one's first lines under its own name, and goes on.
    fn fork(&self, draw: &mut Draw, truth: &mut Truth, goal: u64) -> Log {
        let kept = self.lines[self.lines.len() / 2];
        let mut fork = Self { project: self.project.clone(), at: self.at, ..Self::new(draw) };
        fork.text = self.text[..kept].replace(&self.session, &fork.session);
        truth.trap("fork that begins with a copy");
        while (fork.text.len() as u64) < goal {
            fork.turn(draw, truth);
        }
        fork.end(draw, truth);
        fork.into_log()
    }

    /// A side question in a file of its own: answers of this session again, under other request ids.
    fn aside(&self, draw: &mut Draw, truth: &mut Truth) -> Log {
        let mut aside = Self { project: self.project.clone(), at: self.at, ..Self::new(draw) };
        for (_, _, message) in self.answers.iter().rev().take(6) {
            truth.trap("aside that replays an answer under another request id");
            aside.begin(draw, "assistant", self.at);
            let request = draw.name(20);
            let _ = writeln!(aside.text, ",\"requestId\":\"req_011C{request}\",\"message\":{message}}}");
        }
        aside.into_log()
    }

    /// Half of all files lack the last line end; some writers died in the middle of a line.
    fn end(&mut self, draw: &mut Draw, truth: &mut Truth) {
        if draw.chance(30) {
            truth.trap("torn last line");
            self.begin(draw, "user", self.at);
            self.text.push_str(",\"message\":{\"role\":\"user\",\"content\":\"and then the");
        } else if draw.chance(500) {
            truth.trap("last line without an end");
            self.text.truncate(self.text.trim_end().len());
        }
    }
}

/// A part of an answer: thinking, text, or a tool's name and input.
fn block(draw: &mut Draw, kind: u64, into: &mut String) {
    let length = draw.within(60, 900);
    match kind {
        0 => {
            into.push_str("{\"type\":\"thinking\",\"thinking\":\"");
            draw.text(length, into);
            let _ = write!(into, "\",\"signature\":\"{}\"}}", draw.name(180));
        }
        1 => {
            into.push_str("{\"type\":\"text\",\"text\":\"");
            draw.text(length, into);
            into.push_str("\"}");
        }
        _ => {
            let (id, word) = (draw.name(22), draw.word());
            let _ = write!(
                into,
                "{{\"type\":\"tool_use\",\"id\":\"toolu_01{id}\",\"name\":\"Bash\",\"input\":{{\"command\":\"grep -rn {word} src\",\"description\":\""
            );
            draw.text(length / 3, into);
            into.push_str("\"}}");
        }
    }
}
