//! Gemini CLI's chats while they are written.

use std::fs;

use tokmeter::testing::domain::Fidelity;

use super::tail_common::{Meter, append};
use super::{home, write};

fn answer(id: u32, output: u32) -> String {
    let total = 100 + output;
    format!(
        r#"{{"id":"00000000-0000-4000-8000-{id:012}","timestamp":"2026-11-20T09:00:00.000Z","type":"gemini","tokens":{{"input":100,"output":{output},"cached":40,"thoughts":0,"tool":0,"total":{total}}},"model":"m-{id}"}}"#
    )
}

fn document(answers: &[String]) -> String {
    format!(
        "{{\n  \"sessionId\": \"s\",\n  \"projectHash\": \"h\",\n  \"messages\": [\n{}\n  ]\n}}\n",
        answers.join(",\n")
    )
}

fn outputs(meter: &Meter) -> Vec<u64> {
    meter.books.calls.values().map(|call| call.tokens.output).collect()
}

#[test]
fn lines_are_read_as_they_come_and_the_project_is_that_of_the_folder() {
    let (_keep, path, roots) = home();
    let chats = path.join(".gemini/tmp/shop/chats");
    let chat = chats.join("session-2026-11-20T09-00-5e550000.jsonl");
    write(&path.join(".gemini/tmp/shop/.project_root"), "/home/kim/shop\n");
    write(&chat, "{\"sessionId\":\"s\",\"projectHash\":\"h\",\"kind\":\"main\"}\n");
    write(&chats.parent().unwrap().join("logs.json"), "[{\"message\":\"a prompt\"}]");
    let mut meter = Meter::on(roots);
    assert_eq!(meter.rescan().ids(), [""; 0]);
    append(&chat, answer(1, 10) + "\n");
    append(
        &chat,
        answer(1, 10) + "\n" + &answer(2, 20) + "\n{\"$rewindTo\":\"00000000-0000-4000-8000-000000000001\"}\n",
    );
    assert_eq!(meter.poll().ids(), ["1", "2"]);
    append(&chat, answer(3, 30) + "\n");
    assert_eq!(meter.restart().rescan().ids(), ["1", "2", "3"]);
    for call in meter.books.calls.values() {
        assert_eq!(call.from.project.as_deref(), Some("/home/kim/shop"));
        assert_eq!(call.from.session.as_deref(), Some("s"), "after a restart too");
    }
    assert_eq!((meter.books.tallies.bad, meter.health().files), (0, 1));
}

#[test]
fn calls_may_be_missing_beside_those_of_a_session_while_the_settings_name_no_model() {
    let (_keep, path, roots) = home();
    let chat = path.join(".gemini/tmp/shop/chats/session-2026-11-20T09-00-5e550000.jsonl");
    write(&chat, "{\"sessionId\":\"s\",\"projectHash\":\"h\",\"kind\":\"main\"}\n");
    let mut meter = Meter::on(roots);
    meter.rescan();
    let settings = [None, Some(r#"{"model":{"name":"m-2"}}"#), Some(r#"{"model":{"name":"auto-gemini-3"}}"#)];
    for (id, text) in (1..).zip(settings) {
        if let Some(text) = text {
            write(&path.join(".gemini/settings.json"), text);
        }
        append(&chat, answer(id, 10) + "\n");
        meter.poll();
    }
    let mut calls: Vec<_> = meter.books.calls.values().map(|call| (call.model.clone(), call.fidelity)).collect();
    calls.sort();
    let calls: Vec<_> = calls.iter().map(|(model, fidelity)| (model.as_deref().unwrap(), *fidelity)).collect();
    assert_eq!(calls, [("m-1", Fidelity::Unlisted), ("m-2", Fidelity::Final), ("m-3", Fidelity::Unlisted)]);
}

#[test]
fn k1_a_document_that_is_rewritten_hands_on_what_is_new_in_it() {
    let (_keep, path, roots) = home();
    let chat = path.join(".gemini/tmp/shop/chats/session-2026-01-10T09-00-5e550000.json");
    write(&chat, &document(&[answer(1, 10)]));
    let mut meter = Meter::on(roots);
    meter.rescan();
    assert_eq!(outputs(&meter), [10]);
    write(&chat, &document(&[answer(1, 10), answer(2, 20)]));
    meter.poll();
    assert_eq!(meter.books.sightings, [("1".to_owned(), 1), ("2".to_owned(), 1)].into(), "the first is not said again");
    let batches = meter.books.batches;
    meter.poll();
    assert_eq!(meter.books.batches, batches, "nothing has changed");
    write(&chat, &document(&[answer(1, 10), answer(2, 25)]));
    meter.poll();
    assert_eq!(meter.books.calls.values().map(|call| call.tokens.output).sum::<u64>(), 35, "an answer has grown");
    meter.restart().rescan();
    assert_eq!(meter.books.sightings["2"], 2, "a restart reads nothing again that has not changed");
}

#[test]
fn k1_a_document_that_is_rewritten_shorter_takes_nothing_away() {
    let (_keep, path, roots) = home();
    let chat = path.join(".gemini/tmp/shop/chats/session-2026-01-10T09-00-5e550000.json");
    write(&chat, &document(&[answer(1, 10), answer(2, 20)]));
    let mut meter = Meter::on(roots);
    meter.rescan();
    write(&chat, &document(&[answer(3, 5)]));
    meter.poll();
    assert_eq!(meter.ids(), ["1", "2", "3"]);
    // By another file in its place, as most programs write.
    write(&chat.with_extension("new"), &document(&[answer(4, 5)]));
    fs::rename(chat.with_extension("new"), &chat).unwrap();
    assert_eq!(meter.poll().ids(), ["1", "2", "3", "4"]);
    fs::remove_file(&chat).unwrap();
    assert_eq!(meter.poll().later(120).rescan().ids(), ["1", "2", "3", "4"]);
}

#[test]
fn k1_a_document_that_is_half_written_waits_for_its_other_half() {
    let (_keep, path, roots) = home();
    let chat = path.join(".gemini/tmp/shop/chats/session-2026-01-10T09-00-5e550000.json");
    let whole = document(&[answer(1, 10), answer(2, 20)]);
    write(&chat, "");
    let mut meter = Meter::on(roots);
    meter.rescan();
    for cut in (1..whole.len() - 2).step_by(97) {
        write(&chat, &whole[..cut]);
        assert_eq!(meter.poll().ids(), [""; 0], "cut at {cut}");
        meter.restart().rescan();
    }
    write(&chat, &whole);
    assert_eq!(meter.poll().ids(), ["1", "2"]);
    assert_eq!(meter.books.tallies.bad, 0);
}
