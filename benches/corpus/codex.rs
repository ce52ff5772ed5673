//! Generated Codex rollouts: running totals, repeats, compaction, forks that replay, sub-agents that do not.

use std::fmt::Write;

use super::draw::stamp;
use super::{Draw, Log, Truth};

const SOURCE: &str = "codex";
const MODELS: &[&str] = &["gpt-5.2-codex", "gpt-5.2-codex", "gpt-5.1-codex-max"];
/// The letters of a line before its time, and those of the time.
const BEFORE_TIME: usize = "{\"timestamp\":\"".len();
const TIME: usize = "2026-11-21T20:00:00.000Z".len();

/// Input, cached, written, output, reasoning.
type Counts = [u64; 5];

/// A thread, perhaps a fork of it and a sub-agent.
pub(super) fn family(draw: &mut Draw, truth: &mut Truth, goal: u64) -> Vec<Log> {
    let mut main = Rollout::new(draw);
    main.meet(draw, "");
    let forks = draw.chance(200);
    let spawns = draw.chance(250);
    let own = goal / (1 + u64::from(forks) + u64::from(spawns) / 2);
    main.go_on(draw, truth, own);
    let mut logs = Vec::new();
    if forks {
        truth.trap("fork that replays under new times");
        let mut fork = main.fork(draw, truth);
        fork.go_on(draw, truth, own);
        logs.push(fork.into_log());
    }
    if spawns {
        truth.trap("sub-agent");
        let mut agent = Rollout { at: main.at, project: main.project.clone(), ..Rollout::new(draw) };
        let from = format!(
            ",\"source\":{{\"subagent\":{{\"thread_spawn\":{{\"parent_thread_id\":\"{}\",\"depth\":1,\
             \"agent_nickname\":\"Ada\",\"agent_role\":\"explorer\"}}}}}}",
            main.id
        );
        agent.meet(draw, &from);
        agent.go_on(draw, truth, own / 3);
        logs.push(agent.into_log());
    }
    logs.push(main.into_log());
    logs
}

/// One file that is being written.
struct Rollout {
    id: String,
    project: String,
    model: &'static str,
    began: i64,
    at: i64,
    total: Counts,
    context: u64,
    text: String,
}

impl Rollout {
    fn new(draw: &mut Draw) -> Self {
        let began = draw.beginning();
        Self {
            id: draw.uuid(),
            project: draw.word().to_owned(),
            model: draw.pick(MODELS),
            began,
            at: began,
            total: [0; 5],
            context: draw.within(9_000, 20_000),
            text: String::new(),
        }
    }

    fn into_log(self) -> Log {
        let day = stamp(self.began)[..10].replace('-', "/");
        let time = stamp(self.began)[..19].replace(':', "-");
        Log { path: format!(".codex/sessions/{day}/rollout-{time}-{}.jsonl", self.id), text: self.text }
    }

    fn line(&mut self, kind: &str, payload: &str) {
        let _ =
            writeln!(self.text, "{{\"timestamp\":\"{}\",\"type\":\"{kind}\",\"payload\":{payload}}}", stamp(self.at));
    }

    /// Writes the session's description.
    fn meet(&mut self, draw: &mut Draw, more: &str) {
        let mut about = format!(
            "{{\"id\":\"{}\",\"timestamp\":\"{}\",\"cwd\":\"/home/kim/{}\",\"originator\":\"codex_cli_rs\",\
             \"cli_version\":\"0.146.0\"{more},\"base_instructions\":{{\"text\":\"",
            self.id,
            stamp(self.at),
            self.project
        );
        draw.text(9_000, &mut about);
        about.push_str("\"}}");
        self.line("session_meta", &about);
        self.line("event_msg", "{\"type\":\"token_count\",\"info\":null,\"rate_limits\":null}");
    }

    fn go_on(&mut self, draw: &mut Draw, truth: &mut Truth, goal: u64) {
        let until = self.text.len() as u64 + goal;
        while (self.text.len() as u64) < until {
            if draw.chance(150) {
                let turn = format!(
                    "{{\"cwd\":\"/home/kim/{}\",\"approval_policy\":\"on-request\",\"model\":\"{}\",\"effort\":\"high\"}}",
                    self.project, self.model
                );
                self.line("turn_context", &turn);
            } else if self.total == [0; 5] {
                let turn = format!("{{\"cwd\":\"/home/kim/{}\",\"model\":\"{}\"}}", self.project, self.model);
                self.line("turn_context", &turn);
            }
            self.step(draw, truth);
        }
    }

    /// A tool's output, some thinking, and the count.
    fn step(&mut self, draw: &mut Draw, truth: &mut Truth) {
        self.at += 1_000 + draw.pause(25_000);
        let mut output =
            format!("{{\"type\":\"function_call_output\",\"call_id\":\"call_{}\",\"output\":\"", draw.name(20));
        let length = draw.output_length();
        draw.text(length, &mut output);
        output.push_str("\"}");
        self.line("response_item", &output);
        let mut thought = String::from("{\"type\":\"reasoning\",\"summary\":[],\"encrypted_content\":\"");
        let length = draw.within(400, 2_500);
        draw.text(length, &mut thought);
        thought.push_str("\"}");
        self.line("response_item", &thought);

        let fresh = draw.within(200, 5_000);
        let output = draw.within(20, 1_500);
        let last = [self.context + fresh, self.context, fresh / 4, output, draw.below(output)];
        self.context = if self.context > 180_000 { draw.within(15_000, 30_000) } else { self.context + fresh };
        if self.total[0] > 3_000_000 && draw.chance(60) {
            truth.trap("totals that fall after compaction");
            self.total = [0; 5];
            self.line("compacted", "{\"message\":\"So far, so good.\"}");
        }
        for (sum, more) in self.total.iter_mut().zip(last) {
            *sum += more;
        }
        let [input, cached, written, output, reasoning] = last;
        truth.call(self.at, SOURCE, self.model, [input - cached - written, cached, written, 0, output, reasoning]);
        let count = format!(
            "{{\"type\":\"token_count\",\"info\":{{\"total_token_usage\":{},\"last_token_usage\":{},\
             \"model_context_window\":258400}},\"rate_limits\":{{\"primary\":{{\"used_percent\":{}.0}}}}}}",
            usage(self.total),
            usage(last),
            draw.below(100)
        );
        self.line("event_msg", &count);
        if draw.chance(200) {
            truth.trap("the same totals again");
            self.at += 40;
            self.line("event_msg", &count);
        }
    }

    /// A thread that replays this one under new times, and then goes its own way.
    fn fork(&self, draw: &mut Draw, truth: &mut Truth) -> Self {
        let mut fork = Self {
            project: self.project.clone(),
            model: self.model,
            began: self.at,
            at: self.at,
            total: self.total,
            context: self.context,
            ..Self::new(draw)
        };
        let from = format!(",\"forked_from_id\":\"{}\"", self.id);
        fork.meet(draw, &from);
        for line in self.text.lines() {
            if line.contains("\"token_count\"") {
                truth.trap("replayed totals");
            }
            fork.text.push_str(&line[..BEFORE_TIME]);
            fork.text.push_str(&stamp(fork.at));
            fork.text.push_str(&line[BEFORE_TIME + TIME..]);
            fork.text.push('\n');
        }
        fork
    }
}

fn usage(counts: Counts) -> String {
    let [input, cached, written, output, reasoning] = counts;
    format!(
        "{{\"input_tokens\":{input},\"cached_input_tokens\":{cached},\"cache_write_input_tokens\":{written},\
         \"output_tokens\":{output},\"reasoning_output_tokens\":{reasoning},\"total_tokens\":{}}}",
        input + output
    )
}
