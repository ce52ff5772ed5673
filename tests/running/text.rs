//! Input contains prompts and answers; nothing that the program writes does.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::Value;

use super::common::now;
use super::{Home, PATIENCE, USAGE_LOG, booked, connect, ended_within, program, signal, socket};

/// Represents the text of users and models.
const CANARY: &str = "XQZ-CANARY-7";

/// Answers, transcripts and telemetry, each with text wherever its format has room for some.
fn inputs() -> Vec<String> {
    let at = now();
    let text = format!("say {CANARY} \\\"twice\\\" \\u0026 more");
    [
        r#"{"id":"chatcmpl-0123456789abcdefghij","object":"chat.completion","model":"gpt-4o","prompt":"TEXT","choices":[{"message":{"role":"assistant","content":"TEXT","tool_calls":[{"function":{"arguments":"TEXT"}}]}}],"usage":{"prompt_tokens":5,"completion_tokens":7}}"#,
        r#"{"id":"resp_0123456789abcdefghij","object":"response","model":"gpt-5.2","instructions":"TEXT","output":[{"type":"message","content":[{"type":"output_text","text":"TEXT"}]}],"usage":{"input_tokens":5,"output_tokens":7,"total_tokens":12}}"#,
        r#"{"id":"msg_01canary","type":"message","role":"assistant","model":"claude-opus-5","content":[{"type":"text","text":"TEXT"}],"stop_reason":"end_turn","usage":{"input_tokens":5,"output_tokens":7}}"#,
        r#"{"type":"assistant","sessionId":"11111111-2222-3333-4444-555555555555","uuid":"u1","requestId":"req_01canary","timestamp":"AT","cwd":"/w","version":"2.1.9","message":{"id":"msg_02canary","type":"message","role":"assistant","model":"claude-opus-5","content":[{"type":"text","text":"TEXT"}],"usage":{"input_tokens":5,"output_tokens":7}},"toolUseResult":{"stdout":"TEXT"}}"#,
        r#"{"id":"n1","at":"AT","model":"gpt-4o","input_tokens":5,"output_tokens":7,"query":"TEXT","prompt":"TEXT","messages":[{"role":"user","content":"TEXT"}],"extra":{"TEXT":"TEXT"}}"#,
        r#"{"at":"AT","model":"gpt-4o","input_tokens":6,"output_tokens":7,"completion":"TEXT"}"#,
        r#"{"id":"l1","call_type":"acompletion","model":"gpt-4o","startTime":"AT","endTime":"AT","prompt_tokens":5,"completion_tokens":7,"total_tokens":12,"response_cost":0.001,"messages":[{"role":"user","content":"TEXT"}],"response":{"choices":[{"message":{"content":"TEXT"}}]}}"#,
        r#"{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","name":"chat gpt-4o","startTimeUnixNano":"1795200000000000000","endTimeUnixNano":"1795200001000000000","attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},{"key":"gen_ai.request.model","value":{"stringValue":"gpt-4o"}},{"key":"gen_ai.usage.input_tokens","value":{"intValue":"5"}},{"key":"gen_ai.usage.output_tokens","value":{"intValue":"7"}},{"key":"gen_ai.prompt","value":{"stringValue":"TEXT"}}]}"#,
    ]
    .map(|line| line.replace("TEXT", &text).replace("AT", &at))
    .to_vec()
}

/// Every file below a folder.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut all = BTreeSet::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.insert(path);
        }
    }
    all
}

/// Checks that neither the output nor any file not written by the test contains the text.
fn is_clean(home: &Home, given: &BTreeSet<PathBuf>, said: &[u8], way: &str) {
    let holds = |bytes: &[u8]| bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes());
    assert!(!holds(said), "{way}: {}", String::from_utf8_lossy(said));
    let written: Vec<PathBuf> = files(home.path()).difference(given).cloned().collect();
    for path in written {
        // Sockets cannot be read, and files that SQLite has just removed are empty.
        let Ok(bytes) = fs::read(&path) else { continue };
        assert!(!holds(&bytes), "{way}: {} holds the text", path.display());
    }
}

/// Runs the program with this input; returns its exit code and all its output.
fn run(home: &Home, words: &[&str], input: &str) -> (Option<i32>, Vec<u8>) {
    let mut child = program(home, words).stdin(Stdio::piped()).spawn().unwrap();
    let (mut into, input) = (child.stdin.take().unwrap(), input.to_owned());
    let writer = std::thread::spawn(move || drop(into.write_all(input.as_bytes())));
    let out = child.wait_with_output().unwrap();
    writer.join().unwrap();
    (out.status.code(), [out.stdout, out.stderr].concat())
}

#[test]
fn j4_what_record_keeps_is_the_call_and_no_text() {
    for input in inputs() {
        let home = Home::new();
        let _ = socket(&home);
        let given = files(home.path());
        let (code, said) = run(&home, &["record"], &input);
        assert_eq!(code, Some(0), "{input}: {}", String::from_utf8_lossy(&said));
        is_clean(&home, &given, &said, &input);
        let kept = fs::read_to_string(home.path().join(USAGE_LOG)).unwrap();
        let answer: Value = serde_json::from_slice(&said).unwrap();
        let line: Value = serde_json::from_str(&kept).unwrap();
        assert_eq!(line["tokmeter"]["key"], answer["key"], "{kept}");
        // The log of the same answer is the same call, and is not counted again.
        home.write("logs/a.jsonl", &format!("{input}\n"));
        if line["id"].is_string() && !input.contains("spanId") {
            let sums = |words: &[&str]| {
                let out = run(&home, words, "");
                let report: Value = serde_json::from_slice(&out.1).unwrap();
                report["total"].clone()
            };
            home.config(&format!("logs = [\"{}\"]\n", home.path().join("logs").display()));
            let both = sums(&["report", "total", "--json"]);
            fs::remove_file(home.path().join(".config/tokmeter/config.toml")).unwrap();
            let alone = sums(&["report", "total", "--json", "logs/a.jsonl"]);
            for field in ["calls", "total_tokens", "cost_usd"] {
                assert_eq!(both[field], alone[field], "{field} of {input}");
            }
        }
    }
}

#[test]
fn j4_what_waits_in_the_spool_is_the_call_and_no_text() {
    let home = Home::new();
    let given = files(home.path());
    let _stalled = UnixListener::bind(socket(&home)).unwrap();
    let (code, said) = run(&home, &["record"], &inputs().join("\n"));
    assert_eq!(code, Some(0), "{}", String::from_utf8_lossy(&said));
    assert!(home.path().join(".local/share/tokmeter/spool.jsonl").exists());
    is_clean(&home, &given, &said, "the spool");
    assert_eq!(booked(&home), inputs().len() as u64);
}

#[test]
fn j4_what_is_refused_is_not_repeated() {
    let home = Home::new();
    let _ = socket(&home);
    let given = files(home.path());
    for input in [
        format!("{{\"model\":\"gpt-4o\",\"prompt\":\"{CANARY}\"}}"),
        format!("{{\"input_tokens\":\"{CANARY}\",\"output_tokens\":1}}"),
        format!("{{\"input_tokens\":-5,\"output_tokens\":1,\"text\":\"{CANARY}\"}}"),
        format!("{{\"input_tokens\":5,\"output_tokens\":1,\"text\":\"{CANARY}"),
        CANARY.to_owned(),
        format!("[\"{CANARY}\"]"),
        format!("\"{CANARY}\""),
    ] {
        let (code, said) = run(&home, &["record"], &input);
        assert_eq!(code, Some(65), "{input}");
        is_clean(&home, &given, &said, &input);
        run(&home, &["report", "-"], &input);
        is_clean(&home, &given, &[], &input);
    }
}

#[test]
fn j4_a_meter_keeps_no_text_of_what_its_socket_and_its_input_are_given() {
    let home = Home::new();
    let given = files(home.path());
    let path = socket(&home);
    let words = ["--plain", "--socket", "--book", "-"];
    let mut child = program(&home, &words).stdin(Stdio::piped()).spawn().unwrap();
    let stream = connect(&path);
    let torn = format!("{{\"input_tokens\":5,\"text\":\"{CANARY}\n");
    let mut answers = BufReader::new(&stream).lines();
    for input in inputs().into_iter().chain([torn.trim_end().to_owned()]) {
        (&stream).write_all(format!("{input}\n").as_bytes()).unwrap();
        assert!(answers.next().unwrap().unwrap().contains("\"ok\":"));
        is_clean(&home, &given, &[], &input);
    }
    let mut into = child.stdin.take().unwrap();
    let others: Vec<String> =
        inputs().iter().map(|line| line.replace("7}", "9}").replace("\"n1\"", "\"n2\"")).collect();
    into.write_all(format!("{}\n{torn}", others.join("\n")).as_bytes()).unwrap();
    // Once the last call is printed, the others have been handled.
    into.write_all(b"{\"id\":\"last\",\"model\":\"gpt-4o\",\"input_tokens\":1,\"output_tokens\":1}\n").unwrap();
    drop(into);
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    let last = out.by_ref().map_while(Result::ok).find(|line| line.contains("in 1 cache 0 out 1"));
    assert!(last.is_some());
    signal(&child, Signal::TERM);
    let rest: Vec<String> = out.map_while(Result::ok).collect();
    assert_eq!(ended_within(&mut child, PATIENCE).code(), Some(143));
    is_clean(&home, &given, rest.join("\n").as_bytes(), "after the end");
}

#[test]
fn j4_logs_hooks_status_lines_and_alerts_leave_no_text_behind() {
    let home = Home::new();
    let said = home.path().join("said.txt");
    home.config(&format!(
        "[limits]\nday = \"10 tokens\"\n[alerts]\ncommand = [\"/bin/sh\", \"-c\", 'echo \"$0\" >> {}', \"{{title}} {{body}}\"]\n",
        said.display()
    ));
    // Transcripts that begin, grow, are truncated and contain invalid lines.
    let log = |name: &str, text: &str| home.write(name, text);
    let session = "11111111-2222-3333-4444-555555555555";
    let transcript = format!(".claude/projects/p/{session}.jsonl");
    let lines = inputs();
    log(
        &transcript,
        &format!(
            "{}\n{{\"type\":\"user\",\"message\":{{\"content\":\"{CANARY}\"}}}}\n{{\"type\":\"assistant\",\"torn\":\"{CANARY}",
            lines[3]
        ),
    );
    log(
        ".codex/sessions/2026/11/26/rollout-2026-11-26T10-00-00-0199a213-81c0-7800-8aa1-bbab2a035a53.jsonl",
        &format!(
            "{{\"timestamp\":\"{0}\",\"type\":\"session_meta\",\"payload\":{{\"id\":\"0199a213-81c0-7800-8aa1-bbab2a035a53\",\"cwd\":\"/w\",\"instructions\":\"{CANARY}\"}}}}\n\
             {{\"timestamp\":\"{0}\",\"type\":\"turn_context\",\"payload\":{{\"model\":\"gpt-5.2\",\"user_instructions\":\"{CANARY}\"}}}}\n\
             {{\"timestamp\":\"{0}\",\"type\":\"event_msg\",\"payload\":{{\"type\":\"user_message\",\"message\":\"{CANARY}\"}}}}\n\
             {{\"timestamp\":\"{0}\",\"type\":\"event_msg\",\"payload\":{{\"type\":\"token_count\",\"info\":{{\"total_token_usage\":{{\"input_tokens\":50,\"output_tokens\":7,\"total_tokens\":57}},\"last_token_usage\":{{\"input_tokens\":50,\"output_tokens\":7,\"total_tokens\":57}}}}}}}}\n",
            now()
        ),
    );
    log(USAGE_LOG, &lines.join("\n"));
    let given = files(home.path());
    let path = home.path().join(&transcript).display().to_string();
    let event = |name: &str| {
        format!(
            "{{\"session_id\":\"{session}\",\"transcript_path\":\"{path}\",\"cwd\":\"/w\",\"hook_event_name\":\"{name}\",\"prompt\":\"{CANARY}\",\"tool_input\":{{\"command\":\"{CANARY}\"}},\"last_assistant_message\":\"{CANARY}\"}}"
        )
    };
    let agent =
        format!("echo '{}' >> .claude/projects/p/other.jsonl", lines[3].replace("msg_02", "msg_03").replace('\'', ""));
    let ways: Vec<(Vec<&str>, String)> = ["SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolBatch", "Stop", "SessionEnd"]
        .into_iter()
        .map(|name| (vec!["gate", "--hook", "claude"], event(name)))
        .chain([
            (vec!["statusline"], format!("{{\"session_id\":\"{session}\",\"transcript_path\":\"{path}\",\"model\":{{\"id\":\"claude-opus-5\"}},\"last\":\"{CANARY}\"}}")),
            (vec!["report"], String::new()),
            (vec!["report", "call", "--json"], String::new()),
            (vec!["audit", "--json"], String::new()),
            (vec!["doctor", "--json"], String::new()),
            (vec!["metrics"], String::new()),
            (vec!["summary"], String::new()),
            (vec!["ledger", "export"], String::new()),
            (vec!["report", "--book", "-"], lines.join("\n")),
            (vec!["replay", "--once", path.as_str()], String::new()),
            (vec!["--once"], String::new()),
            (vec!["run", "--", "/bin/sh", "-c", agent.as_str()], String::new()),
        ])
        .collect();
    let mut given = given;
    for (words, input) in ways {
        let (_, told) = run(&home, &words, &input);
        given.insert(home.path().join(".claude/projects/p/other.jsonl"));
        is_clean(&home, &given, &told, &words.join(" "));
    }
    // The program run by an alert gets no text.
    let mut child = program(&home, &["--plain"]).spawn().unwrap();
    super::eventually("an alert", || said.exists().then_some(()));
    signal(&child, Signal::TERM);
    assert_eq!(ended_within(&mut child, PATIENCE).code(), Some(143));
    is_clean(&home, &given, &[], "an alert");
}
