//! A new ledger, built in a temporary file: complete or absent.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use tokmeter::testing::ledger::{FactKind, KeyValue, Ledger, LedgerError, Memory, Options, Sqlite, open};

use super::common::{a_telling_and_a_retelling, at, batch_of, call, calls, key, prices, rows, total};
use super::durable::{assert_alike, books};
use super::faults::{child, in_memory, life, lived, names_in, run, sound, told};

fn draft() -> Options {
    Options { as_draft: true, together: 4, ..Options::new(at(0)) }
}

fn begin_first_fill(path: &Path) -> Sqlite {
    open(path, draft(), prices()).unwrap().books
}

/// Names in a folder.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn new_books_are_seen_once_they_are_whole_and_leave_nothing_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/ledger.db");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let step = {
        let (path, seen) = (path.clone(), Arc::clone(&seen));
        move |_: &'static str| {
            let modes: Vec<u32> = fs::read_dir(path.parent().unwrap())
                .unwrap()
                .map(|entry| entry.unwrap().metadata().unwrap().permissions().mode() & 0o777)
                .collect();
            seen.lock().unwrap().push((path.exists(), modes));
        }
    };
    let mut disk = open(&path, Options { step: Some(Arc::new(step)), ..draft() }, prices()).unwrap().books;
    for (part, (_, records)) in life().iter().enumerate() {
        disk.absorb(&told(part, records)).unwrap();
    }
    assert!(!path.exists());
    disk.flush().unwrap();
    assert_eq!(rows(&disk), in_memory(life().len()));
    sound(&disk);
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    let before = seen.iter().take_while(|(there, _)| !there).count();
    assert!(before > 8, "written before it is seen: {seen:?}");
    assert!(seen.iter().flat_map(|(_, modes)| modes).all(|mode| *mode == 0o600), "for this user alone: {seen:?}");
    // From here on it is a ledger like any other.
    disk.post(&calls([call("more", 5, 5)])).unwrap();
    drop(disk);
    let made_in_place = tempfile::tempdir().unwrap();
    assert_eq!(names_in(&path), names_in(&lived(&made_in_place)), "no table and no index is missing");
    assert_eq!(names(path.parent().unwrap()), ["ledger.db"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn rows_that_were_drafted_become_what_later_lines_tell((told, retold) in a_telling_and_a_retelling(), together in 1_usize..9) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let mut memory = Memory::new(prices());
        memory.post(&batch_of(told)).unwrap();
        let mut disk = open(&path, Options { together, ..draft() }, prices()).unwrap().books;
        for batch in &retold {
            disk.absorb(batch).unwrap();
        }
        disk.flush().unwrap();
        assert_alike(&memory, &disk)?;
        prop_assert_eq!(disk.verify().unwrap().problems, Vec::<String>::new());
        // From here on it is a ledger like any other.
        for batch in &retold {
            disk.post(batch).unwrap();
        }
        assert_alike(&memory, &disk)?;
        prop_assert_eq!(disk.verify().unwrap().problems, Vec::<String>::new());
    }
}

#[test]
fn a_draft_is_written_while_more_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let steps = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&steps);
    let step = Arc::new(move |name| noted.lock().unwrap().push(name));
    let mut disk = open(&path, Options { step: Some(step), ..draft() }, prices()).unwrap().books;
    for part in 0..5 {
        disk.absorb(&calls((0..3).map(|number| call(&format!("{part} {number}"), number, 1)))).unwrap();
    }
    let drafted = steps.lock().unwrap().iter().filter(|step| **step == "draft rows").count();
    assert_eq!(drafted, 2, "after six calls each");
    disk.flush().unwrap();
    assert_eq!(total(&disk).calls, 15);
}

#[test]
fn d1_a_first_fill_that_is_killed_leaves_no_books_or_whole_ones() {
    for stop in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let status = run("cold", &path, stop);
        let was_there = path.exists();
        let mut disk = begin_first_fill(&path);
        assert_eq!(rows(&disk), in_memory(if was_there { life().len() } else { 0 }), "killed at step {stop}");
        sound(&disk);
        for (part, (_, records)) in life().iter().enumerate() {
            disk.absorb(&told(part, records)).unwrap();
        }
        disk.flush().unwrap();
        assert_eq!(rows(&disk), in_memory(life().len()), "killed at step {stop}, then begun anew");
        sound(&disk);
        drop(disk);
        assert!(was_there || names(folder.path()) == ["ledger.db"], "killed at step {stop}: what it left is removed");
        if status.success() {
            assert!(stop > 10 && was_there, "only {stop} steps were tried");
            break;
        }
    }
}

#[test]
fn d3_a_first_fill_that_met_a_full_disk_is_kept_and_may_be_tried_again() {
    // Met while drafting, or in the final write.
    for together in [1_000, 10_000] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let mut disk = open(&path, Options { max_pages: Some(60), together, ..draft() }, prices()).unwrap().books;
        for part in 0..4 {
            disk.absorb(&calls((0..1000).map(|number| call(&format!("{part} {number}"), number * 60, 1)))).unwrap();
        }
        for _ in 0..2 {
            assert!(matches!(disk.flush(), Err(LedgerError::Full { .. })));
            assert_eq!(total(&disk).calls, 4_000, "what waits is counted");
        }
        let roomy = open(&path, draft(), prices()).unwrap().books;
        assert_eq!(total(&roomy).calls, 0, "nothing is half booked");
        sound(&roomy);
    }
}

#[test]
fn d12_of_several_first_fills_at_once_one_is_put_in_place_and_the_others_join_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut both = [begin_first_fill(&path), begin_first_fill(&path)];
    for (number, disk) in both.iter_mut().enumerate() {
        disk.absorb(&calls([call("everyone's", 1, 1), call(&format!("own {number}"), 2, 1)])).unwrap();
    }
    for disk in &mut both {
        disk.flush().unwrap();
    }
    assert!(both.iter().all(|disk| total(disk).calls == 3));
    drop(both);
    let children: Vec<_> = (1000..1008).map(|number| child("cold crowd", &path, number).spawn().unwrap()).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    fs::remove_file(&path).unwrap();
    let children: Vec<_> = (1000..1008).map(|number| child("cold crowd", &path, number).spawn().unwrap()).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let disk = books(&folder);
    assert_eq!(total(&disk).calls, 25 + 8 * 25);
    sound(&disk);
    assert!(names(folder.path()).iter().all(|name| !name.contains("new-")));
}

#[test]
fn d7_a_first_fill_whose_file_is_removed_is_booked_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut disk = begin_first_fill(&path);
    disk.absorb(&calls([call("a", 1, 1)])).unwrap();
    for name in names(folder.path()) {
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    disk.flush().unwrap();
    assert_eq!(total(&disk).calls, 1);
    drop(disk);
    assert_eq!(total(&books(&folder)).calls, 1);
}

#[test]
fn d8_a_log_that_an_older_ledger_left_is_not_taken_for_that_of_a_new_one() {
    for late in [false, true] {
        let (folder, old) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (path, log) = (folder.path().join("ledger.db"), folder.path().join("ledger.db-wal"));
        let mut before = books(&old);
        before.post(&calls([call("old", 1, 1)])).unwrap();
        let leave = || fs::copy(old.path().join("ledger.db-wal"), &log).unwrap();
        if !late {
            leave();
        }
        let mut disk = begin_first_fill(&path);
        if late {
            leave();
        }
        disk.absorb(&calls([call("new", 2, 1)])).unwrap();
        disk.flush().unwrap();
        assert_eq!(rows(&disk).iter().map(|row| row.call.key).collect::<Vec<_>>(), [key("new")]);
        sound(&disk);
    }
}

#[test]
fn whoever_writes_before_the_first_flush_writes_where_others_see_it() {
    let folder = tempfile::tempdir().unwrap();
    let (mut one, mut other) =
        (begin_first_fill(&folder.path().join("ledger.db")), begin_first_fill(&folder.path().join("ledger.db")));
    other.absorb(&calls([call("a", 1, 1)])).unwrap();
    let claim = |books: &mut Sqlite| books.claim(FactKind::Alert, "day", at(0)).unwrap();
    assert_eq!((claim(&mut one), claim(&mut other)), (true, false));
    other.flush().unwrap();
    assert_eq!((total(&one).calls, total(&other).calls), (1, 1));
}

#[test]
fn books_that_were_never_filled_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    drop(begin_first_fill(&folder.path().join("ledger.db")));
    assert_eq!(names(folder.path()), Vec::<String>::new());
    let mut empty = begin_first_fill(&folder.path().join("ledger.db"));
    empty.flush().unwrap();
    drop(empty);
    assert_eq!(names(folder.path()), ["ledger.db"], "who has read every log and found nothing has books too");
}
