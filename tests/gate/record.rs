//! `record`: where calls are written, and what is refused.

use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use super::{Home, USAGE_LOG, json, run};

#[test]
fn a_call_from_flags_is_answered_kept_privately_and_counted() {
    let home = Home::new();
    home.config(super::PRICE);
    let told =
        run(&home, &["record", "--model", "dollar", "--input", "5", "--output", "2000000", "--session", "s9"], "");
    assert_eq!(told.code, 0, "{}", told.err);
    let answer = json(&told.out);
    assert_eq!((&answer["ok"], &answer["cost_usd"]), (&true.into(), &2.into()));
    assert_eq!(answer["key"].as_str().unwrap().len(), 32);
    let log = home.path().join(USAGE_LOG);
    assert_eq!(std::fs::metadata(&log).unwrap().mode() & 0o777, 0o600);
    let line = json(&std::fs::read_to_string(&log).unwrap());
    assert_eq!((&line["user"], &line["session"], &line["input_tokens"]), (&"alice".into(), &"s9".into(), &5.into()));
    let report = json(&run(&home, &["report", "total", "--json"], "").out);
    assert_eq!((&report["total"]["calls"], &report["total"]["cost_usd"]), (&1.into(), &2.into()));
}

#[test]
fn json_may_be_many_values_or_one_over_many_lines_in_any_known_format() {
    let home = Home::new();
    let text = "{\"id\":\"a\",\"model\":\"gpt-4o\",\"prompt_tokens\":5,\"completion_tokens\":7}\n{\n \"id\": \"b\",\n \"user\": \"bob\", \"usage\": {\"input_tokens\": 1,\n \"output_tokens\": 2}}\n";
    let told = run(&home, &["record"], text);
    assert_eq!((told.code, told.out.lines().count()), (0, 2), "{}", told.err);
    let log = std::fs::read_to_string(home.path().join(USAGE_LOG)).unwrap();
    assert_eq!(log.lines().count(), 2);
    assert!(log.lines().all(|line| json(line)["at"].is_string()));
    let users: Vec<_> = log.lines().map(|line| json(line)["user"].as_str().unwrap().to_owned()).collect();
    assert_eq!(users, ["alice", "bob"]);
    // The same call again is the same call, also behind a byte order mark.
    assert_eq!(run(&home, &["record"], text).code, 0);
    assert_eq!(run(&home, &["record"], &format!("\u{feff}{text}")).code, 0);
    assert_eq!(json(&run(&home, &["report", "total", "--json"], "").out)["total"]["calls"], 2);
}

#[test]
fn what_cannot_be_counted_is_refused_with_its_reason_and_nothing_is_kept() {
    let home = Home::new();
    let good = "{\"id\":\"a\",\"input_tokens\":5,\"output_tokens\":7}";
    let cases = [
        ("", "nothing on standard input"),
        ("{\"id\":\"a\"}", "value 1: no usage in it"),
        ("[1]", "value 1: not an object"),
        (&format!("{good}\n{{\"input_tokens\":-5,\"output_tokens\":1}}"), "value 2: input_tokens is -5"),
        (&format!("{good}\n{{\"input_tokens\":5,"), "value 2: not JSON"),
    ];
    for (text, why) in cases {
        let told = run(&home, &["record"], text);
        assert_eq!((told.code, told.out.as_str()), (65, ""), "{text}");
        assert!(told.err.contains(why), "{text}: {}", told.err);
    }
    for (words, why) in [
        (
            &["record", "--model", "gpt-4o"][..],
            "give --input and --output; flags cannot be combined with JSON on standard input",
        ),
        (&["record", "--input", "5", "--at", "yesterday-ish"], "is not a time"),
        (&["record", "--input", "5", "--cost", "cheap"], "not an amount of dollars"),
        (&["record", "--input", "many"], "invalid value"),
    ] {
        let told = run(&home, words, "");
        assert_eq!(told.code, 64, "{words:?}: {}", told.err);
        assert!(told.err.contains(why), "{words:?}: {}", told.err);
    }
    assert!(!home.path().join(USAGE_LOG).exists());
}

#[test]
fn c11_a_meter_that_stalls_delays_a_writer_briefly_and_the_call_waits_in_the_spool() {
    let home = Home::new();
    let socket = home.file("run/stalled.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    let began = Instant::now();
    let words = ["record", "--socket", socket.to_str().unwrap(), "--input", "5", "--output", "6"];
    let told = run(&home, &words, "");
    assert_eq!(told.code, 0, "{}", told.err);
    assert!(began.elapsed() < Duration::from_secs(20));
    assert!(told.err.contains("spool.jsonl") && json(&told.out)["ok"] == true, "{}", told.err);
    assert!(!home.path().join(USAGE_LOG).exists());
    // The next command that reads the ledger books it.
    assert_eq!(json(&run(&home, &["report", "total", "--json"], "").out)["total"]["total_tokens"], 11);
}

#[test]
fn a_meter_that_listens_is_told_and_its_answer_is_shown() {
    use std::io::{BufRead, BufReader, Write};
    let home = Home::new();
    let socket = home.file("run/meter.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let meter = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).unwrap();
        (&stream).write_all(b"{\"ok\":true,\"repeat\":true}\n").unwrap();
        line
    });
    let words = ["record", "--socket", socket.to_str().unwrap(), "--id", "x", "--input", "5", "--output", "6"];
    let told = run(&home, &words, "");
    assert_eq!((told.code, told.out.as_str()), (0, "{\"ok\":true,\"repeat\":true}\n"), "{}", told.err);
    assert_eq!(json(&meter.join().unwrap())["id"], "x");
    assert!(!home.path().join(USAGE_LOG).exists());
}
