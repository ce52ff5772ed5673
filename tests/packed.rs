//! Logs compressed with zstd: read completely, counted once, and never partially without a note.

#![allow(clippy::unwrap_used, missing_docs, reason = "a panic fails the test")]

mod tail_common;

use std::fs;
use std::path::Path;

use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use tail_common::{Meter, append, folder, line};
use tokmeter::testing::formats::BadLine;
use tokmeter::testing::ingest::{Condition, Options, Roots};

fn packed(text: &str) -> Vec<u8> {
    compress_to_vec(text.as_bytes(), CompressionLevel::Fastest)
}

fn lines(ids: &[&str]) -> String {
    ids.iter().map(|id| line(id)).collect()
}

fn is_unread(meter: &Meter, path: &Path) -> bool {
    matches!(&meter.says(path)[..], [Condition::Unsupported(_)])
}

#[test]
fn a_compressed_log_is_read_once_and_again_when_it_changes() {
    let (_keep, root) = folder();
    let log = root.join("a.jsonl.zst");
    append(&log, packed(&lines(&["a", "b"])));
    let mut meter = Meter::over(&root);
    meter.rescan();
    assert_eq!((meter.ids().join(""), meter.says(&log)), ("ab".into(), vec![]));
    let size = fs::metadata(&log).unwrap().len();
    assert_eq!(meter.books.files[&log].offset, size, "an offset is one of the compressed bytes");
    meter.restart().rescan().later(60).poll();
    assert_eq!(meter.books.sightings["a"], 1, "what has not changed is not read again");
    append(&log, packed(&lines(&["c"])));
    meter.rescan();
    assert_eq!(meter.ids().join(""), "abc", "a second frame");
    fs::write(&log, packed(&lines(&["a", "d"]))).unwrap();
    meter.restart().rescan();
    assert_eq!(meter.ids().join(""), "abcd");
    assert_eq!((meter.books.tallies.bad, meter.says(&log)), (0, vec![]));
}

#[test]
fn a_log_that_is_compressed_while_it_is_followed_counts_once_and_loses_nothing() {
    for restarts in [false, true] {
        let (_keep, root) = folder();
        let (plain, log) = (root.join("a.jsonl"), root.join("a.jsonl.zst"));
        append(&plain, lines(&["a", "b"]));
        let mut meter = Meter::on(Roots::of_agent("codex", [root.clone()]));
        meter.rescan();
        append(&plain, line("c"));
        fs::write(&log, packed(&lines(&["a", "b", "c"]))).unwrap();
        if restarts {
            meter.restart();
        }
        meter.rescan();
        fs::remove_file(&plain).unwrap();
        if restarts {
            meter.restart();
        }
        meter.rescan();
        assert_eq!((meter.books.calls.len(), meter.ids().join("")), (3, "abc".into()));
    }
}

#[test]
fn every_name_of_a_log_may_be_that_of_a_compressed_one() {
    let (_keep, root) = folder();
    for (id, name) in ["a.jsonl.zst", "b.ndjson.zst", "c.log.zst", "d.jsonl.1.zst", "e.txt.zst"].iter().enumerate() {
        append(&root.join(name), packed(&line(&id.to_string())));
    }
    append(&root.join("f.jsonl"), packed(&line("5")));
    let mut meter = Meter::over(&root);
    meter.rescan();
    assert_eq!(meter.ids().join(""), "01235", "by its name or by its first bytes");
    let mut meter = Meter::over(&root.join("e.txt.zst"));
    meter.rescan();
    assert_eq!(meter.ids().join(""), "4", "whatever is named itself");
}

#[test]
fn a_damaged_compressed_log_is_counted_as_far_as_it_goes_and_said_every_time() {
    let (whole, text) = (packed(&lines(&["a"])), packed(&lines(&["b"])));
    let mut checksum = [whole.clone(), text.clone()].concat();
    let last = checksum.len() - 1;
    checksum[last] ^= 1;
    let cases = [
        ("cut short", [&whole[..], &text[..text.len() - 9]].concat(), "a"),
        ("cut in a frame's head", [&whole[..], &text[..5]].concat(), "a"),
        ("followed by rubbish", [&whole[..], b"rubbish that is no frame"].concat(), "a"),
        ("with a wrong checksum", checksum, "ab"),
        ("nothing but a head", text[..6].to_vec(), ""),
    ];
    for (what, bytes, ids) in cases {
        let (_keep, root) = folder();
        let log = root.join("a.jsonl.zst");
        append(&log, bytes);
        let mut meter = Meter::over(&root);
        meter.rescan();
        assert_eq!((meter.ids().join(""), is_unread(&meter, &log)), (ids.into(), true), "{what}");
        assert_eq!(meter.books.tallies.bad, 1, "{what}");
        assert!(matches!(meter.books.bad[0].why, BadLine::Packed(_)), "{what}: {:?}", meter.books.bad);
        meter.restart().rescan();
        assert!(is_unread(&meter, &log), "{what}, to the next run");
        fs::write(&log, packed(&lines(&["a", "b"]))).unwrap();
        meter.later(60).rescan();
        assert_eq!((meter.ids().join(""), meter.says(&log)), ("ab".into(), vec![]), "{what}, and written again");
    }
}

#[test]
fn frames_that_hold_no_data_are_passed_over() {
    let (_keep, root) = folder();
    let note = b"\x53\x2a\x4d\x18\x05\0\0\0notes";
    append(&root.join("a.jsonl.zst"), [note, &packed(&line("a"))[..], note, &packed("")[..], note].concat());
    append(&root.join("b.jsonl.zst"), packed(""));
    let mut meter = Meter::over(&root);
    meter.rescan();
    assert_eq!((meter.ids().join(""), meter.health().notes), ("a".into(), vec![]));
}

#[test]
fn a_line_without_an_end_is_counted_if_it_is_whole_and_bad_if_it_is_torn() {
    let (_keep, root) = folder();
    append(&root.join("a.jsonl.zst"), packed(line("a").trim_end()));
    append(&root.join("b.jsonl.zst"), packed(&(line("b") + &line("c")[..60])));
    let mut meter = Meter::over(&root);
    meter.rescan();
    assert_eq!((meter.ids().join(""), meter.books.tallies.bad), ("ab".into(), 1));
}

#[test]
fn a_compressed_flood_is_read_in_bounded_memory_and_a_line_of_it_may_be_too_long() {
    let (_keep, root) = folder();
    let long = "x".repeat(3 << 20);
    append(&root.join("a.jsonl.zst"), packed(&format!("{}{long}\n{}", line("a"), line("b"))));
    append(&root.join("b.jsonl.zst"), packed(&(0..5000).map(|id| line(&id.to_string())).collect::<String>()));
    let options = Options { longest_line: 1 << 20, ..Options::default() };
    let mut meter = Meter::with(Roots::only([root.clone()]), options);
    meter.rescan();
    assert_eq!((meter.books.calls.len(), meter.books.tallies.over_long, meter.books.tallies.bad), (5002, 1, 1));
    assert!(meter.books.batches > 4, "handed on in pieces");
    assert_eq!(meter.books.tallies.lines, 5003);
}

#[test]
fn archives_in_an_agents_own_folder_are_said_and_those_elsewhere_are_nobodys_business() {
    let (_keep, root) = folder();
    for name in ["old.zip", "old.tgz", "a.jsonl.gz"] {
        append(&root.join(name), "-");
    }
    let notes = |roots| Meter::on(roots).rescan().health().unread().len();
    assert_eq!(notes(Roots::of_agent("codex", [root.clone()])), 3);
    assert_eq!(notes(Roots::only([root])), 1);
}
