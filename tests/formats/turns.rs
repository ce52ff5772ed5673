//! Start and end of turns, as logs report them.

use std::path::Path;

use tokmeter::testing::domain::{Record, Status, Turn, TurnStatus};
use tokmeter::testing::formats::{Decoder, FormatId, Value};

use crate::origin;

/// The reports on turns among these records.
pub(crate) fn reported(records: Vec<Record>) -> Vec<TurnStatus> {
    let mut turns = Vec::new();
    for record in records {
        if let Record::Status(Status::Turn(status)) = record {
            turns.push(status);
        }
    }
    turns
}

/// The starts and ends of turns in these lines of one file of this format, each line read by itself.
fn turns(format: &str, path: &str, lines: &[&str]) -> Vec<(String, Turn)> {
    turns_of_threads(format, path, lines).into_iter().map(|(session, _, turn)| (session, turn)).collect()
}

/// The same with the sub-agent.
fn turns_of_threads(format: &str, path: &str, lines: &[&str]) -> Vec<(String, Option<String>, Turn)> {
    let file = Path::new(path);
    let (mut reader, mut out) = (Decoder::new(&[format]).of_one_program(), Vec::new());
    for (number, line) in lines.iter().enumerate() {
        reader.line(line.as_bytes(), &origin(file, number), &mut out);
        reader.statuses(&mut out);
    }
    let agent = |status: &TurnStatus| status.agent.as_ref().map(ToString::to_string);
    reported(out).into_iter().map(|status| (status.session.to_string(), agent(&status), status.turn)).collect()
}

#[test]
fn a_prompt_begins_a_turn() {
    let at = |second: u8| format!(r#""timestamp":"2026-11-10T09:00:{second:02}.000Z","sessionId":"s1""#);
    let user = |second, more: &str, content: &str| {
        let message = format!(r#""type":"user","message":{{"role":"user","content":{content}}}"#);
        format!(r#"{{"parentUuid":null,{more}{message},"uuid":"u{second}",{}}}"#, at(second))
    };
    let text = |text: &str| format!(r#"[{{"type":"text","text":"{text}"}}]"#);
    let usage = r#""usage":{"input_tokens":3,"output_tokens":4}"#;
    let answer = |second, model: &str, stop: &str| {
        let message = format!(r#""message":{{"id":"msg_{second}","model":"{model}",{usage},"stop_reason":"{stop}"}}"#);
        format!(r#"{{"type":"assistant",{message},{}}}"#, at(second))
    };
    let lines = [
        answer(0, "claude-opus-5", "end_turn"),
        user(1, "", r#""fix it""#),
        answer(2, "claude-opus-5", "tool_use"),
        user(3, "", r#"[{"tool_use_id":"t","type":"tool_result","content":"ok"}]"#),
        user(4, "", &text("[Request interrupted by user for tool use]")),
        user(5, r#""isMeta":true,"#, &text("a skill")),
        user(6, r#""isSidechain":true,"#, r#""explore""#),
        user(7, r#""isCompactSummary":true,"#, r#""This session is continued""#),
        user(8, "", r#""<command-name>/cost</command-name>""#),
        user(9, "", &text("and this")),
        answer(10, "<synthetic>", "stop_sequence"),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let of = |turns: &[Turn]| turns.iter().map(|turn| ("s1".to_owned(), *turn)).collect::<Vec<_>>();
    let expected = of(&[Turn::Begun, Turn::Ended, Turn::Begun, Turn::Ended]);
    assert_eq!(turns("claude-code", "s1.jsonl", &lines), expected);
    let kimi = [
        r#"{"type":"turn.prompt","agentId":"main","input":[],"turnId":1,"time":1795813372046}"#,
        r#"{"type":"usage.record","model":"m","usage":{"inputOther":1,"output":2},"time":1795813372110}"#,
        r#"{"type":"turn.ended","agentId":"main","turnId":1,"reason":"completed","time":1795813372116}"#,
    ];
    let wire = |agent: &str| format!("/home/u/.kimi-code/sessions/wd/s1/agents/{agent}/wire.jsonl");
    // Its format is known from its first line with counts.
    let kimi = [&kimi[1..2], &kimi].concat();
    assert_eq!(turns("kimi-code", &wire("main"), &kimi), of(&[Turn::Begun, Turn::Ended]));
    assert_eq!(turns("kimi-code", &wire("agent-0"), &kimi), []);
}

#[test]
fn an_answered_prompt_is_not_reported() {
    let prompt = r#"{"parentUuid":null,"type":"user","message":{"role":"user","content":"x"},"timestamp":"2026-11-10T09:00:01Z","sessionId":"s1"}"#;
    let answer = r#"{"type":"assistant","message":{"id":"msg_1","model":"m","usage":{"input_tokens":3},"stop_reason":"tool_use"},"timestamp":"2026-11-10T09:00:02Z","sessionId":"s1"}"#;
    let of_agent = answer.replace("\"timestamp\"", "\"isSidechain\":true,\"agentId\":\"a1\",\"timestamp\"");
    for (lines, reports) in
        [(vec![answer, prompt], 1), (vec![answer, prompt, answer], 0), (vec![answer, prompt, &of_agent], 1)]
    {
        let (mut reader, mut out) = (Decoder::new(&["claude-code"]).of_one_program(), Vec::new());
        for (number, line) in lines.iter().enumerate() {
            reader.line(line.as_bytes(), &origin(Path::new("s1.jsonl"), number), &mut out);
        }
        out.clear();
        reader.statuses(&mut out);
        assert_eq!(out.len(), reports);
    }
}

#[test]
fn a_run_that_answers_one_prompt_ends_with_its_turn() {
    let answer = |entrypoint: &str, second: u8, stop: &str| {
        let usage = r#""usage":{"input_tokens":3,"output_tokens":4}"#;
        let message = format!(r#""message":{{"id":"msg_{second}","model":"m",{usage},"stop_reason":"{stop}"}}"#);
        let at = format!(r#""timestamp":"2026-11-10T09:00:{second:02}.000Z","sessionId":"s1""#);
        format!(r#"{{"type":"assistant","entrypoint":"{entrypoint}",{message},{at}}}"#)
    };
    let of = |lines: &[String]| {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        turns("claude-code", "s1.jsonl", &lines).into_iter().map(|(_, turn)| turn).collect::<Vec<_>>()
    };
    let run = [answer("sdk-cli", 1, "tool_use"), answer("sdk-cli", 2, "end_turn")];
    assert_eq!(of(&run), [Turn::Closed]);
    assert_eq!(of(&run.clone().map(|line| line.replace("sdk-cli", "cli"))), []);
    assert_eq!(of(&run.map(|line| line.replace("\"entry", "\"isSidechain\":true,\"entry"))), []);
    let rollout_of = |originator: &str, agent: &str, turns: usize| {
        let at = r#""timestamp":"2026-11-10T09:00:01.000Z""#;
        let meta = format!(
            r#"{{{at},"type":"session_meta","payload":{{"id":"t1","originator":"{originator}","cwd":"/w"{agent}}}}}"#
        );
        let event = |kind: &str| format!(r#"{{{at},"type":"event_msg","payload":{{"type":"{kind}","turn_id":"1"}}}}"#);
        let mut lines = vec![meta];
        lines.extend((0..turns).flat_map(|_| [event("task_started"), event("task_complete")]));
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        turns_of_threads("codex", "rollout.jsonl", &lines)
    };
    let rollout = |originator: &str, agent: &str| rollout_of(originator, agent, 1);
    let of_main = |end| [Turn::Begun, end].map(|turn| ("t1".to_owned(), None, turn));
    assert_eq!(rollout("codex_exec", ""), of_main(Turn::Closed));
    assert_eq!(rollout("codex_cli_rs", ""), of_main(Turn::Ended));
    // Resumed, perhaps by a person.
    assert_eq!(rollout_of("codex_exec", "", 2).last(), of_main(Turn::Ended).last());
    // A sub-agent's turns are reported under its session.
    let of_agent = r#","session_id":"t0","agent_nickname":"Euclid""#;
    let expected = [Turn::Begun, Turn::Ended].map(|turn| ("t0".to_owned(), Some("Euclid".to_owned()), turn));
    assert_eq!(rollout("codex_cli_rs", of_agent), expected);
}

#[test]
fn opencode_works_from_a_prompt_until_its_answer_is_complete() {
    let rows = |session: &str, rows: &[&str], parent: Option<&str>| {
        let (mut reader, mut out) = (Decoder::of_format(FormatId::of_name("opencode").unwrap(), &[]), Vec::new());
        let parent = parent.map_or(Value::Null, Value::Text);
        for data in rows {
            let (number, session, data) = (Value::Integer(1), Value::Text(session), Value::Text(data));
            let row = [number, number, session, data, Value::Null, parent];
            reader.row(0, &row, &origin(Path::new("opencode.db"), 0), &mut out);
        }
        reader.statuses(&mut out);
        reported(out).first().map(|status| status.turn)
    };
    let row = |session: &str, data: &str, parent: Option<&str>| rows(session, &[data], parent);
    let prompt = r#"{"role":"user","time":{"created":1795813372046}}"#;
    let begun = r#"{"role":"assistant","modelID":"m","time":{"created":1795813372050}}"#;
    let aborted = r#"{"role":"assistant","modelID":"m","time":{"created":1795813372050,"completed":1795813372060},"tokens":{"input":0,"output":0},"error":{"name":"MessageAbortedError"}}"#;
    let complete = r#"{"role":"assistant","modelID":"m","time":{"created":1795813372050,"completed":1795813372060},"tokens":{"input":3,"output":4},"finish":"stop"}"#;
    assert_eq!(row("s1", prompt, None), Some(Turn::Begun));
    assert_eq!(row("s1", begun, None), Some(Turn::Begun));
    assert_eq!(row("s1", aborted, None), Some(Turn::Ended));
    assert_eq!(row("s1", complete, None), None);
    assert_eq!(row("s2", prompt, Some("s1")), None);
    // A prompt whose row has changed is read again.
    assert_eq!(rows("s1", &[prompt, aborted, prompt], None), Some(Turn::Ended));
}

#[test]
fn an_interrupted_answer_of_pi_ends_its_turn() {
    let answer = |stop: &str| {
        let message = format!(
            r#""message":{{"role":"assistant","model":"m","usage":{{"input":3,"output":4}},"stopReason":"{stop}"}}"#
        );
        let line = format!(r#"{{"type":"message","id":"a1","timestamp":"2026-11-10T09:00:01Z",{message}}}"#);
        let (mut reader, mut out) = (Decoder::new(&["pi"]), Vec::new());
        reader.line(line.as_bytes(), &origin(Path::new("s1.jsonl"), 0), &mut out);
        let Some(Record::Call(call)) = out.pop() else { panic!("{line}") };
        call.ends_turn
    };
    assert!(answer("stop") && answer("aborted"));
    assert!(!answer("toolUse"));
}

#[test]
fn copilot_waits_once_a_turn_has_ended_and_no_other_has_begun() {
    let event = |kind: &str, second: u8, agent: &str| {
        format!(
            r#"{{"type":"{kind}","data":{{"turnId":"0"}},"id":"e{second}","timestamp":"2026-11-10T09:00:{second:02}Z"{agent}}}"#
        )
    };
    let start = r#"{"type":"session.start","data":{"sessionId":"s1","context":{"cwd":"/work"}},"id":"e0"}"#.to_owned();
    let of_agent = r#","agentId":"a1""#;
    let metrics = r#""modelMetrics":{"m":{"usage":{"inputTokens":3,"outputTokens":4}}}"#;
    let lines = [
        start,
        event("user.message", 1, ""),
        event("assistant.turn_start", 2, ""),
        event("assistant.turn_end", 3, of_agent),
        event("assistant.turn_end", 4, ""),
        event("session.shutdown", 5, "").replace(r#""turnId":"0""#, metrics),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let seen = [Turn::Begun, Turn::Begun, Turn::Ended, Turn::Closed].map(|turn| ("s1".to_owned(), turn));
    assert_eq!(turns("copilot", "/home/u/.copilot/session-state/s1/events.jsonl", &lines), seen);
}

#[test]
fn an_answer_of_vibe_that_stops_ends_its_turn() {
    let answer = |finish: &str| {
        let result =
            format!(r#""result":{{"finish_reason":"{finish}","usage":{{"input_tokens":3,"output_tokens":4}}}}"#);
        let payload = format!(r#""payload":{{"action_id":"a1","result":{{"action_id":"a1",{result}}}}}"#);
        let kind = r#""type":"action_result","kind":"completion_succeeded","recovery_journal_record_version":1"#;
        let (mut reader, mut out) = (Decoder::new(&["vibe"]), Vec::new());
        let line = format!("{{{kind},{payload}}}");
        reader.line(line.as_bytes(), &origin(Path::new("/s1/journal/1.jsonl"), 0), &mut out);
        let Some(Record::Call(call)) = out.pop() else { panic!("{line}") };
        call.ends_turn
    };
    assert!(answer("stop"));
    assert!(!answer("tool_call"));
}

#[test]
fn qwen_code_works_from_a_prompt_until_an_answer_that_calls_no_tool() {
    let line = |second: u8, more: &str| {
        let at = format!(r#""sessionId":"s1","timestamp":"2026-11-10T09:00:{second:02}.000Z""#);
        format!(r#"{{"uuid":"u{second}","parentUuid":null,{at},{more},"cwd":"/work","version":"0.24.4"}}"#)
    };
    let said = |part: &str| format!(r#""message":{{"role":"user","parts":[{part}]}}"#);
    let text = said(r#"{"text":"the \"functionCall\":{} of it"}"#);
    let usage = r#""usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":4,"totalTokenCount":7}"#;
    let call = said(r#"{"text":"I look."},{"functionCall":{"id":"call_1","name":"read_file","args":{}}}"#);
    let lines = [
        line(1, &format!(r#""type":"user","provenance":"real_user",{text}"#)),
        line(2, &format!(r#""type":"assistant",{call},{usage}"#)),
        line(3, &format!(r#""type":"tool_result","provenance":"tool_result",{}"#, said(r#"{"functionResponse":{}}"#))),
        line(4, &format!(r#""type":"user","provenance":"system",{text}"#)),
        line(5, &format!(r#""type":"user","agentId":"a1","isSidechain":true,{text}"#)),
        line(6, &format!(r#""type":"assistant","agentId":"a1",{text},{usage}"#)),
        line(7, &format!(r#""type":"assistant",{text},{usage}"#)),
        line(8, &format!(r#""type":"user",{text}"#)),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    // Its format is known from its first line with counts.
    let lines = [&lines[1..2], &lines].concat();
    let turns: Vec<_> = turns("qwen-code", "/s1.jsonl", &lines).into_iter().map(|(_, turn)| turn).collect();
    assert_eq!(turns, [Turn::Begun, Turn::Ended, Turn::Begun]);
}

#[test]
fn droid_works_with_each_message_until_the_outcome_of_its_turn() {
    let message = |second: u8, role: &str| {
        let content = r#"[{"type":"text","text":"\"agent_turn_outcome\""}]"#;
        let message = format!(r#""message":{{"role":"{role}","content":{content}}}"#);
        format!(r#"{{"type":"message","id":"m{second}","timestamp":"2026-11-10T09:00:{second:02}.000Z",{message}}}"#)
    };
    let outcome = r#"{"type":"agent_turn_outcome","turnId":"m1","reason":"completed","resultKind":"text"}"#.to_owned();
    let start =
        r#"{"type":"session_start","id":"s1","title":"agent_turn_outcome","version":2,"cwd":"/work"}"#.to_owned();
    let lines = [start, outcome.clone(), message(1, "user"), message(2, "assistant"), outcome, message(3, "user")];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let expected = [Turn::Ended, Turn::Begun, Turn::Begun, Turn::Ended, Turn::Begun];
    assert_eq!(turns("droid", "/s1.jsonl", &lines), expected.map(|turn| ("s1".to_owned(), turn)));
    // Read at once, the order of the lines counts: an outcome has no time of its own.
    let (mut reader, mut out) = (Decoder::new(&["droid"]).of_one_program(), Vec::new());
    for (number, line) in lines.iter().enumerate() {
        reader.line(line.as_bytes(), &origin(Path::new("/s1.jsonl"), number), &mut out);
    }
    reader.statuses(&mut out);
    let last: Vec<Turn> = reported(out).into_iter().map(|status| status.turn).collect();
    assert_eq!(last, [Turn::Begun]);
}
