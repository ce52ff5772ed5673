//! The owner of a call that several sessions have a line about.

use rusqlite::Connection;
use tokmeter::testing::domain::{Attribution, Call, Claim, Dimension, Label, Place};
use tokmeter::testing::ledger::{Batch, Change, Checkpoint, Grain, Ledger, Note, Sqlite};

use super::common::{at, call, calls, file, query, rows, total};
use super::durable::{books, opened, to_schema_3};
use super::stores::every_store;

/// A line of this session about the one call, in a log of its own.
fn line(session: &str, claim: Claim) -> Call {
    let call = call("a", 10, 5);
    let place = Some(Place { path: Label::new(&format!("/{session}")), offset: 0 });
    let from = Attribution {
        session: Some(Label::new(session)),
        claim,
        place,
        ..Attribution::new(at(10), Label::new("claude-code"))
    };
    Call { from, ..call }
}

fn maker(books: &dyn Ledger) -> String {
    let rows = rows(books);
    assert_eq!((rows.len(), total(books).calls), (1, 1), "{rows:?}");
    let report = books.report(&query(Grain::Session, &[])).unwrap();
    let by_name = books.report(&query(Grain::Total, &[Dimension::Session])).unwrap();
    let session = rows[0].call.from.session.clone();
    let row_of: Vec<_> = report.rows.iter().map(|row| &row.session.as_ref().unwrap().session).collect();
    let named: Vec<_> = by_name.rows.iter().map(|row| &row.by[0]).collect();
    assert_eq!((row_of, named), (vec![&session], vec![&session]));
    session.unwrap().to_string()
}

fn sound(books: &Sqlite) {
    assert_eq!(books.verify().unwrap().problems, Vec::<String>::new());
}

#[test]
fn j29_the_surest_claim_has_the_call_whatever_is_read_first() {
    // In ascending order; the stronger the claim, the later the name in the alphabet.
    let lines: Vec<Call> =
        ["a", "b", "c", "d", "e"].into_iter().zip(Claim::ALL).map(|(name, claim)| line(name, claim)).collect();
    for (surest, maker_of) in [(5, "e"), (4, "d"), (3, "c"), (2, "b"), (1, "a")] {
        for turn in 0..surest {
            let mut told = lines[..surest].to_vec();
            told.rotate_left(turn);
            for backwards in [false, true] {
                if backwards {
                    told.reverse();
                }
                let (mut one_by_one, mut at_once, mut quietly) = (every_store(), every_store(), every_store());
                for books in &mut one_by_one {
                    for line in &told {
                        books.post(&calls([line.clone()])).unwrap();
                    }
                    books.sound().unwrap();
                }
                for books in &mut at_once {
                    books.post(&calls(told.clone())).unwrap();
                }
                for books in &mut quietly {
                    for line in &told {
                        books.absorb(&calls([line.clone()])).unwrap();
                    }
                    books.flush().unwrap();
                }
                for books in one_by_one.iter().chain(&at_once).chain(&quietly) {
                    assert_eq!(maker(&**books), maker_of, "{} {told:?}", books.name());
                }
            }
        }
    }
}

#[test]
fn j29_where_nothing_decides_what_is_booked_stays() {
    for claim in Claim::ALL {
        for [first, second] in [["z", "a"], ["a", "z"]] {
            for mut books in every_store() {
                books.post(&calls([line(first, claim)])).unwrap();
                let said = books.post(&calls([line(second, claim)])).unwrap();
                assert_eq!((said, maker(&*books).as_str()), (vec![Change::Repeat], first), "{claim:?}");
                books.restart();
                books.absorb(&calls([line(second, claim), line(first, claim)])).unwrap();
                books.flush().unwrap();
                assert_eq!(maker(&*books), first, "{claim:?}, after a restart");
                books.sound().unwrap();
            }
        }
    }
}

#[test]
fn j29_in_one_first_reading_the_log_that_began_first_has_what_nothing_else_decides() {
    let began = |session: &str, second| {
        let mut line = line(session, Claim::Own);
        line.from.began = Some(at(second));
        line
    };
    for told in [[began("a", 7), began("z", 5)], [began("z", 5), began("a", 7)]] {
        for (mut at_once, mut quietly) in every_store().into_iter().zip(every_store()) {
            at_once.post(&calls(told.clone())).unwrap();
            quietly.absorb(&calls(told.clone())).unwrap();
            quietly.flush().unwrap();
            assert_eq!([maker(&*at_once), maker(&*quietly)], ["z", "z"]);
        }
    }
}

#[test]
fn j29_what_changes_its_session_is_taken_out_of_the_one_and_added_to_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = books(&folder);
    disk.post(&calls([line("fork", Claim::Copy)])).unwrap();
    let said = disk.post(&calls([line("parent", Claim::Own)])).unwrap();
    let [Change::Grown(change)] = &said[..] else { panic!("{said:?}") };
    let session = |row: &tokmeter::testing::ledger::Row| row.call.from.session.as_deref().map(str::to_owned);
    let before = change.before.as_deref().and_then(session);
    assert_eq!((before.as_deref(), session(&change.after).as_deref()), (Some("fork"), Some("parent")));
    assert_eq!(change.before.as_ref().unwrap().cost, change.after.cost);
    assert_eq!(disk.post(&calls([line("fork", Claim::Copy)])).unwrap(), [Change::Repeat]);
}

#[test]
fn j29_a_copy_from_another_machine_takes_no_call_from_its_maker() {
    for (mut of_fork, mut of_parent) in every_store().into_iter().zip(every_store()) {
        of_fork.post(&calls([line("a", Claim::Copy)])).unwrap();
        of_parent.post(&calls([line("z", Claim::Own)])).unwrap();
        let (copy, own) = (of_fork.exported(), of_parent.exported());
        of_parent.import_lines(&copy).unwrap();
        of_fork.import_lines(&own).unwrap();
        assert_eq!([maker(&*of_fork), maker(&*of_parent)], ["z", "z"]);
        of_fork.sound().unwrap();
    }
}

#[test]
fn j29_books_of_before_learn_who_made_their_calls_when_the_logs_are_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut old = books(&folder);
    // The fork's smaller id took the call; likewise a session whose log is gone.
    let mut other = call("other", 20, 7);
    other.from.session = Some(Label::new("gone"));
    other.from.source = Label::new("claude-code");
    let read_by = |path: &str, format: &str| Checkpoint {
        reader: format!(r#"{{"v":1,"on":"{format}","formats":{{"{format}":"s"}}}}"#),
        ..file(path, 9)
    };
    let files = vec![read_by("/a.jsonl", "claude-code"), read_by("/b.jsonl", "codex")];
    let records = calls([line("a", Claim::Own), other, call("of another format", 30, 1)]).records;
    old.post(&Batch { records, files }).unwrap();
    let before = total(&old);
    drop(old);
    Connection::open(&path).unwrap().execute_batch(&to_schema_3()).unwrap();
    let opened = opened(&path);
    assert_eq!(opened.notes, [Note::Migrated { from: 3, backup: folder.path().join("ledger.db.schema-3") }]);
    let mut disk = opened.books;
    let left: Vec<_> = disk.files().unwrap().into_iter().map(|file| file.path).collect();
    assert_eq!(left, [std::path::PathBuf::from("/b.jsonl")], "transcripts are read again, nothing else");
    let claims: Vec<Claim> = rows(&disk).iter().map(|row| row.call.from.claim).collect();
    assert_eq!(claims, [Claim::Unchecked, Claim::Unchecked, Claim::Own]);
    disk.post(&calls([line("a", Claim::Copy)])).unwrap();
    disk.post(&calls([line("z", Claim::Own)])).unwrap();
    let sessions: Vec<_> = rows(&disk).iter().map(|row| row.call.from.session.clone().unwrap().to_string()).collect();
    assert_eq!((sessions, total(&disk)), (vec!["z".to_owned(), "gone".to_owned(), "s".to_owned()], before));
    sound(&disk);
}
