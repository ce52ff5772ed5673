//! Agents within an editor: files next to their logs, and folders that are created for each workspace.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tokmeter::testing::domain::Fidelity;
use tokmeter::testing::ingest::Roots;

use super::followed::Followed;
use super::tail_common::{Meter, append};
use super::{home, sample, write};

/// Milliseconds of 2026-01-01, when Roo Code and Kilo Code counted whole prompts, and of 2025-06-01, when they did not.
const AFTER: u64 = 1_767_225_600_000;
const BEFORE: u64 = 1_748_736_000_000;

/// Model, input, cache reads and writes, output and cost of each call, by time.
type Counts = (String, u64, u64, u64, u64, Option<String>);

fn counts(meter: &Meter) -> Vec<Counts> {
    let mut calls: Vec<_> = meter.books.calls.values().collect();
    calls.sort_by_key(|call| call.at());
    let of = |call: &&tokmeter::testing::domain::Call| {
        let (tokens, model) = (call.tokens, call.model.as_deref().unwrap_or("?").to_owned());
        let cost = call.quoted.map(|cost| cost.to_string());
        (model, tokens.input, tokens.cache_read, tokens.cache_write_5m, tokens.output, cost)
    };
    calls.iter().map(of).collect()
}

fn asked(at: u64, info: &str) -> String {
    format!(r#"{{"ts":{at},"type":"say","say":"api_req_started","text":"{}"}}"#, info.replace('"', "\\\""))
}

fn prompt(at: u64, model: &str) -> String {
    format!(
        r#"{{"role":"user","content":[{{"type":"text","text":"<environment_details>\n# Current Mode\n<slug>code</slug>\n<name>Code</name>\n<model>{model}</model>\n\n\n# Current Workspace Directory (/home/kim/shop) Files\na.rs\n</environment_details>"}}],"ts":{at}}}"#
    )
}

#[test]
fn h5_the_input_of_a_task_has_the_meaning_of_its_version_and_of_the_api_that_was_called() {
    let cases = [
        // The whole prompt, whatever the API.
        (AFTER, "anthropic", 51_000, 48_000, 2_000, 1_000),
        (AFTER, "openai", 50_000, 30_000, 0, 20_000),
        (AFTER, "anthropic", 5, 40_000, 0, 5),
        // As the API counts.
        (BEFORE, "anthropic", 60_000, 40_000, 0, 60_000),
        (BEFORE, "openai", 60_000, 40_000, 0, 20_000),
        (BEFORE, "anthropic", 12, 8_000, 12_000, 12),
    ];
    for (extension, name) in [("rooveterinaryinc.roo-cline", "roo-code"), ("kilocode.kilo-code", "kilo-code")] {
        for (at, api, input, reads, writes, expected) in cases {
            let (_keep, path, roots) = home();
            let task = path.join(".config/Code/User/globalStorage").join(extension).join("tasks/0a1b");
            let info = format!(
                r#"{{"apiProtocol":"{api}","tokensIn":{input},"tokensOut":300,"cacheReads":{reads},"cacheWrites":{writes},"cost":0.5}}"#
            );
            write(&task.join("ui_messages.json"), &format!("[{}]", asked(at, &info)));
            write(&task.join("api_conversation_history.json"), &format!("[{}]", prompt(at + 5, "claude-sonnet-4-5")));
            let mut meter = Meter::on(roots);
            meter.rescan();
            let found = (String::from("claude-sonnet-4-5"), expected, reads, writes, 300, Some("0.5".to_owned()));
            assert_eq!(counts(&meter), [found], "{name}, {api} at {at}");
            let call = meter.books.calls.values().next().unwrap();
            assert_eq!((call.from.source.as_str(), call.from.session.as_deref()), (name, Some("0a1b")));
            assert_eq!(call.from.project.as_deref(), Some("/home/kim/shop"));
        }
    }
}

#[test]
fn a_request_of_a_task_has_the_model_that_its_prompt_names_and_a_condensed_context_its_cost() {
    let (_keep, path, roots) = home();
    let task = path.join(".config/VSCodium/User/globalStorage/rooveterinaryinc.roo-cline/tasks/0a1b");
    let request = |at: u64| asked(at, r#"{"apiProtocol":"openai","tokensIn":1000,"tokensOut":5,"cost":0.25}"#);
    let condensed =
        format!(r#"{{"ts":{},"type":"say","say":"condense_context","contextCondense":{{"cost":0.01}}}}"#, AFTER + 25);
    let placeholder = asked(AFTER + 40, r#"{"apiProtocol":"openai"}"#);
    let said = [request(AFTER), request(AFTER + 10), request(AFTER + 20), condensed, request(AFTER + 30), placeholder];
    write(&task.join("ui_messages.json"), &format!("[{}]", said.join(",")));
    let prompts = [prompt(AFTER + 1, "gpt-5.5"), prompt(AFTER + 21, "glm-5"), prompt(AFTER + 31, "glm-5")];
    write(&task.join("api_conversation_history.json"), &format!("[{}]", prompts.join(",")));
    let mut meter = Meter::on(roots);
    meter.rescan();
    let of = |model: &str| (model.to_owned(), 1000, 0, 0, 5, Some("0.25".to_owned()));
    let summed_up = ("?".to_owned(), 0, 0, 0, 0, Some("0.01".to_owned()));
    assert_eq!(counts(&meter), [of("gpt-5.5"), of("gpt-5.5"), of("glm-5"), summed_up, of("glm-5")]);
    meter.restart().rescan();
    assert_eq!(counts(&meter).len(), 5);
}

#[test]
fn the_models_of_a_tasks_later_requests_are_guessed_where_its_prompts_are_too_long_to_be_read() {
    const MIB: usize = 1 << 20;
    let request = |at: u64| asked(at, r#"{"apiProtocol":"openai","tokensIn":1000,"tokensOut":5}"#);
    let (first, second) = (prompt(AFTER + 1, "gpt-5.5"), prompt(AFTER + 11, "glm-5"));
    // The text ends before, within or behind the second prompt's time, or is read whole.
    let with_filling = |filling: usize| format!("[{first},\"{}\",{second}]", "x".repeat(filling));
    let end = with_filling(0).len();
    let cases = [
        (MIB - end + 20, "gpt-5.5", true),
        (MIB - end + 4, "gpt-5.5", true),
        (MIB - end + 1, "glm-5", false),
        (0, "glm-5", false),
    ];
    for (filling, model, is_guessed) in cases {
        let (_keep, path, roots) = home();
        let task = path.join(".config/Code/User/globalStorage/rooveterinaryinc.roo-cline/tasks/0a1b");
        write(&task.join("ui_messages.json"), &format!("[{},{}]", request(AFTER), request(AFTER + 10)));
        write(&task.join("api_conversation_history.json"), &with_filling(filling));
        let mut meter = Meter::on(roots);
        meter.rescan();
        let mut calls: Vec<_> = meter.books.calls.values().collect();
        calls.sort_by_key(|call| call.at());
        let found: Vec<_> =
            calls.iter().map(|call| (call.model.as_deref().unwrap(), call.fidelity == Fidelity::Guessed)).collect();
        assert_eq!(found, [("gpt-5.5", false), (model, is_guessed)], "{filling}");
    }
}

#[test]
fn the_model_of_an_older_task_stands_in_its_metadata_and_the_total_of_an_interrupted_session_beside_it() {
    let (_keep, path, roots) = home();
    let task = path.join(".config/Code/User/globalStorage/saoudrizwan.claude-dev/tasks/0a1b");
    let request = |at: u64| asked(at, r#"{"tokensIn":500,"tokensOut":5,"cacheReads":400}"#);
    write(&task.join("ui_messages.json"), &format!("[{},{}]", request(AFTER), request(AFTER + 10)));
    let used = format!(
        r#"{{"model_usage":[{{"ts":{},"model_id":"claude-sonnet-4-5","model_provider_id":"anthropic"}},{{"ts":{},"model_id":"gpt-5.5","model_provider_id":"openai"}}]}}"#,
        AFTER - 100,
        AFTER + 15
    );
    write(&task.join("task_metadata.json"), &used);
    let session = path.join(".cline/data/sessions/1_ab");
    write(&session.join("1_ab.messages.json"), r#"{"sessionId":"1_ab","messages":[{"id":"u1","role":"user","ts":1}]}"#);
    write(
        &session.join("1_ab.json"),
        r#"{"session_id":"1_ab","model":"glm-5","cwd":"/home/kim/shop","metadata":{"usage":{"inputTokens":90,"outputTokens":7,"cacheReadTokens":50},"aggregateUsage":{"inputTokens":900,"outputTokens":17,"cacheReadTokens":50}}}"#,
    );
    let mut meter = Meter::on(roots);
    meter.rescan();
    let task = [("claude-sonnet-4-5".to_owned(), 500, 400, 0, 5, None), ("gpt-5.5".to_owned(), 100, 400, 0, 5, None)];
    assert_eq!(counts(&meter), task);
    let bills: Vec<_> = meter.books.bills.iter().flat_map(|bill| &bill.models).collect();
    let found: Vec<_> = bills
        .iter()
        .map(|billed| (billed.model.as_str(), billed.tokens.input, billed.tokens.cache_read, billed.tokens.output))
        .collect();
    // The usage of sub-agents whose logs are missing may be of any model.
    assert_eq!(found, [("glm-5", 40, 50, 7), ("unknown", 810, 0, 10)]);
}

#[test]
fn totals_of_a_session_keep_what_its_lead_used_beside_its_sub_agents() {
    let usage = |input: u64, output: u64| format!(r#"{{"inputTokens":{input},"outputTokens":{output}}}"#);
    let answer = |id: &str, at: u64, model: &str, metrics: &str| {
        format!(r#"{{"id":"{id}","role":"assistant","ts":{at},"modelInfo":{{"id":"{model}"}},"metrics":{metrics}}}"#)
    };
    let compacted = format!(r#"{{"id":"u1","role":"user","ts":1,"metadata":{{"usageBefore":{}}}}}"#, usage(500, 50));
    let after = [answer("a8", 8, "glm-5", &usage(40, 4)), answer("a9", 9, "gpt-5.5", &usage(60, 6))].join(",");
    let cases = [
        // Interrupted before any message had counts.
        (r#"{"id":"u1","role":"user","ts":1}"#.to_owned(), usage(90, 7), 90 + 800, 7 + 10),
        (format!("{compacted},{after}"), usage(600, 60), 600 + 800, 60 + 10),
        // Interrupted later: the sum contains what the messages lack.
        (after.clone(), usage(190, 17), 190 + 800, 17 + 10),
        (format!("{compacted},{after}"), usage(690, 67), 690 + 800, 67 + 10),
    ];
    let models = ["glm-5", "gpt-5.5", "kimi-k3"];
    let pairs = models.into_iter().flat_map(|first| models.map(|second| (first, second)));
    let runs = cases.iter().flat_map(|case| pairs.clone().map(move |pair| (case, pair)));
    for ((messages, lead, input, output), (first, second)) in runs {
        let (_keep, path, roots) = home();
        let session = path.join(".cline/data/sessions/1_ab");
        write(&session.join("1_ab.messages.json"), &format!(r#"{{"sessionId":"1_ab","messages":[{messages}]}}"#));
        let sums = format!(r#"{{"usage":{lead},"aggregateUsage":{}}}"#, usage(*input, *output));
        write(&session.join("1_ab.json"), &format!(r#"{{"model":"kimi-k3","metadata":{sums}}}"#));
        let agents = [answer("b1", 3, first, &usage(300, 4)), answer("b2", 4, second, &usage(500, 6))].join(",");
        let agents = format!(
            r#"{{"sessionId":"1_ab__b","agent":"subagent","origin":{{"parentThreadId":"1_ab"}},"messages":[{agents}]}}"#
        );
        write(&session.join("b.messages.json"), &agents);
        let mut followed = Followed::of(&roots);
        followed.poll();
        followed.assert_sums(*input, 0, *output);
        // Every call and every rest has a model.
        assert!(followed.models().iter().all(|(model, ..)| model.as_deref() != Some("unknown")), "{messages}");
    }
}

#[test]
fn requests_that_were_removed_from_a_task_of_several_models_are_a_part_of_its_total() {
    let (_keep, path, roots) = home();
    let task = path.join(".config/Code/User/globalStorage/saoudrizwan.claude-dev/tasks/0a1b");
    let request = |at: u64, model: &str| {
        let text = r#"{\"tokensIn\":500,\"tokensOut\":5}"#;
        format!(r#"{{"ts":{at},"say":"api_req_started","text":"{text}","modelInfo":{{"modelId":"{model}"}}}}"#)
    };
    let removed = r#"{"ts":1767225600020,"say":"deleted_api_reqs","text":"{\"tokensIn\":70,\"tokensOut\":7}"}"#;
    let said = [request(AFTER, "glm-5"), request(AFTER + 10, "gpt-5.5"), removed.to_owned()].join(",");
    write(&task.join("ui_messages.json"), &format!("[{said}]"));
    let mut followed = Followed::of(&roots);
    followed.poll();
    followed.assert_sums(1070, 0, 17);
}

#[test]
fn chats_of_a_workspace_that_begins_while_the_meter_runs_are_followed() {
    let (_keep, path, roots) = home();
    let user = path.join(".config/Code/User");
    fs::create_dir_all(user.join("workspaceStorage")).unwrap();
    let mut meter = Meter::on(roots);
    meter.rescan();
    let workspace = user.join("workspaceStorage/1f2e");
    write(&workspace.join("workspace.json"), r#"{"folder":"file:///home/kim/my%20shop"}"#);
    let text = sample("copilot-vscode/chatSessions/7b1d0c0e-0000-4000-8000-000000000001.jsonl");
    let log = workspace.join("chatSessions/7b1d0c0e-0000-4000-8000-000000000001.jsonl");
    fs::create_dir_all(log.parent().unwrap()).unwrap();
    for line in text.lines() {
        append(&log, format!("{line}\n"));
        meter.later(60).rescan();
    }
    let calls: BTreeMap<_, _> =
        counts(&meter).into_iter().map(|(model, input, .., output, _)| ((model, input), output)).collect();
    let turn = |model: &str, input: u64, output: u64| ((model.to_owned(), input), output);
    let expected = [
        turn("?", 0, 21),
        turn("gpt-5.5", 900, 11),
        turn("gpt-5.5", 1000, 12),
        turn("gpt-5.5-2026-09-01", 15_500, 310),
    ];
    assert_eq!(calls, expected.into());
    let call = meter.books.calls.values().next().unwrap();
    assert_eq!(
        (call.from.source.as_str(), call.from.project.as_deref()),
        ("copilot-vscode", Some("/home/kim/my shop"))
    );
    assert!(call.fidelity.is_lower_bound());
    let mut again = Meter::on(Roots::discover(Some(Path::new(&path)), |_| None));
    again.rescan();
    assert_eq!(counts(&again), counts(&meter));
}
