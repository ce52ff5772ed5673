//! Changes to log files and the expected counts: part A, and the tailer's rows of part B, of the fault matrix.

#![allow(clippy::unwrap_used, missing_docs, reason = "a panic fails the test")]

mod tail_common;

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tail_common::{Meter, append, folder, line, object};
use tokmeter::testing::domain::Label;
use tokmeter::testing::ingest::{Condition, Kind, Options, Owner, RootState, Roots, Tails};

fn root_state(meter: &Meter) -> RootState {
    meter.health().roots[0].state.clone()
}

#[test]
fn a1_a_folder_that_does_not_exist_is_waited_for() {
    let (_keep, home) = folder();
    let root = home.join(".claude/projects");
    let mut meter = Meter::over(&root);
    meter.rescan();
    assert_eq!((root_state(&meter), meter.health().notes), (RootState::Waiting, vec![]));
    fs::create_dir_all(root.join("p")).unwrap();
    append(&root.join("p/a.jsonl"), line("a"));
    meter.rescan();
    assert_eq!((meter.ids(), root_state(&meter)), (vec!["a".to_owned()], RootState::Found));
}

#[test]
fn a2_a_root_that_was_removed_is_attached_again_when_it_is_back() {
    let (_keep, home) = folder();
    let root = home.join("logs");
    let write = || {
        fs::create_dir(&root).unwrap();
        append(&root.join("a.jsonl"), line("a") + &line("b"));
    };
    write();
    let mut meter = Meter::over(&root);
    meter.rescan();
    fs::remove_dir_all(&root).unwrap();
    meter.rescan();
    assert_eq!(root_state(&meter), RootState::Gone);
    write();
    append(&root.join("a.jsonl"), line("c"));
    meter.rescan();
    assert_eq!((meter.ids().join(""), root_state(&meter)), ("abc".into(), RootState::Found));
    assert_eq!(meter.health().roots[0].reattached, 1);
}

#[test]
fn a2_a_folder_that_was_moved_away_and_back_is_not_told_of_any_more() {
    let (_keep, home) = folder();
    let (root, away) = (home.join("logs"), home.join("away"));
    fs::create_dir(&root).unwrap();
    let log = root.join("a.jsonl");
    append(&log, line("a"));
    let mut meter = Meter::over(&root);
    meter.rescan();
    fs::rename(&root, &away).unwrap();
    meter.rescan();
    assert_eq!((root_state(&meter), meter.says(&log)), (RootState::Gone, vec![Condition::Gone]));
    fs::rename(&away, &root).unwrap();
    append(&log, line("b"));
    meter.rescan();
    assert_eq!((meter.ids().join(""), meter.says(&log)), ("ab".into(), vec![]));
    assert!(meter.books.sightings.values().all(|times| *times == 1), "{:?}", meter.books.sightings);
}

#[test]
fn a3_a_rotated_file_and_its_successor_are_both_counted() {
    let (_keep, root) = folder();
    let (log, old) = (root.join("a.jsonl"), root.join("a.jsonl.1"));
    append(&log, line("a"));
    let mut meter = Meter::over(&root);
    meter.rescan();
    append(&log, line("b"));
    fs::rename(&log, &old).unwrap();
    append(&log, line("c"));
    meter.poll();
    assert_eq!(meter.ids().join(""), "abc");
    assert!(meter.books.sightings.values().all(|times| *times == 1), "{:?}", meter.books.sightings);
    assert_eq!(meter.says(&log), [Condition::Replaced]);
}

#[test]
fn a3_a_chain_of_rotations_between_two_looks_loses_nothing() {
    let (_keep, root) = folder();
    let log = root.join("a.jsonl");
    append(&log, line("a"));
    // No descriptors are kept: only the inodes tell where the files went.
    let mut meter = Meter::with(Roots::only([root.clone()]), Options { open_files: 0, ..Options::default() });
    meter.rescan();
    for (id, next) in [("b", "c"), ("d", "e"), ("f", "g")] {
        append(&log, line(id));
        for number in (1..5).rev() {
            let _ = fs::rename(root.join(format!("a.jsonl.{number}")), root.join(format!("a.jsonl.{}", number + 1)));
        }
        fs::rename(&log, root.join("a.jsonl.1")).unwrap();
        append(&log, line(next));
        if id != "b" {
            meter.poll();
        }
    }
    assert_eq!(meter.ids().join(""), "abcdefg");
    assert!(meter.books.sightings.values().all(|times| *times == 1), "{:?}", meter.books.sightings);
}

#[test]
fn a4_lines_written_to_a_renamed_file_are_counted() {
    let (keep, root) = folder();
    let elsewhere = folder();
    let log = root.join("a.jsonl");
    append(&log, line("a"));
    let mut writer = OpenOptions::new().append(true).open(&log).unwrap();
    let mut meter = Meter::over(&root);
    meter.rescan();
    for target in [root.join("kept.old"), elsewhere.1.join("a.jsonl")] {
        let _ = fs::rename(&log, &target).or_else(|_| fs::rename(root.join("kept.old"), &target));
        writer.write_all(line(&target.extension().unwrap().len().to_string()).as_bytes()).unwrap();
        meter.poll();
    }
    assert_eq!(meter.ids().join(""), "35a");
    drop(keep);
}

#[test]
fn a5_copy_and_truncate_counts_nothing_twice() {
    let (_keep, root) = folder();
    let (log, copy) = (root.join("a.jsonl"), root.join("a.1.jsonl"));
    append(&log, line("a") + &line("b"));
    let mut meter = Meter::over(&root);
    meter.rescan();
    append(&log, line("c"));
    fs::copy(&log, &copy).unwrap();
    OpenOptions::new().write(true).open(&log).unwrap().set_len(0).unwrap();
    meter.rescan();
    append(&log, line("d"));
    meter.rescan();
    assert_eq!(meter.ids().join(""), "abcd");
    assert_eq!((meter.books.calls.len(), meter.books.tallies.bad), (4, 0));
}

#[test]
fn a6_truncate_then_regrow_past_the_old_offset_is_counted_fully() {
    let (_keep, root) = folder();
    let log = root.join("a.jsonl");
    append(&log, line("a"));
    let mut meter = Meter::over(&root);
    meter.rescan();
    let file = OpenOptions::new().write(true).open(&log).unwrap();
    file.set_len(0).unwrap();
    append(&log, line("b") + &line("c") + &line("d"));
    meter.poll();
    assert_eq!(meter.ids().join(""), "abcd");
    assert_eq!(meter.says(&log), [Condition::Rewritten]);
}

#[test]
fn a6_a_regrown_file_with_the_same_first_kilobyte_is_counted_fully() {
    let (_keep, root) = folder();
    let log = root.join("a.jsonl");
    let head = format!("{{\"note\":\"{}\"}}\n", "x".repeat(3000));
    append(&log, head.clone() + &line("a"));
    let mut meter = Meter::over(&root);
    meter.rescan();
    OpenOptions::new().write(true).open(&log).unwrap().set_len(0).unwrap();
    append(&log, head + &line("b") + &line("c"));
    meter.poll();
    assert_eq!(meter.ids().join(""), "abc");
}

#[test]
fn a7_a_file_rewritten_to_the_same_size_and_time_is_counted() {
    let (_keep, root) = folder();
    let log = root.join("a.jsonl");
    append(&log, line("a") + &line("b"));
    let mut meter = Meter::over(&root);
    meter.rescan();
    let before = fs::metadata(&log).unwrap();
    fs::write(&log, line("c") + &line("d")).unwrap();
    let times = fs::FileTimes::new().set_modified(before.modified().unwrap());
    File::options().write(true).open(&log).unwrap().set_times(times).unwrap();
    let after = fs::metadata(&log).unwrap();
    assert_eq!((after.len(), after.modified().unwrap()), (before.len(), before.modified().unwrap()));
    meter.poll();
    assert_eq!(meter.ids().join(""), "abcd");
}

#[test]
fn a8_a_file_that_is_replaced_whole_is_counted_and_its_predecessor_too() {
    let (_keep, root) = folder();
    let (log, new) = (root.join("a.jsonl"), root.join("a.tmp"));
    append(&log, line("a"));
    let mut meter = Meter::over(&root);
    meter.rescan();
    append(&log, line("b"));
    append(&new, line("a") + &line("c"));
    fs::rename(&new, &log).unwrap();
    meter.poll();
    assert_eq!(meter.ids().join(""), "abc");
    assert_eq!(meter.says(&log), [Condition::Replaced]);
}

#[cfg(unix)]
#[test]
fn a9_a_new_file_with_the_inode_of_a_deleted_one_is_counted_from_its_beginning() {
    use std::os::unix::fs::MetadataExt;
    let (_keep, root) = folder();
    let log = root.join("a.jsonl");
    append(&log, line("a"));
    let mut meter = Meter::with(Roots::only([root.clone()]), Options { open_files: 0, ..Options::default() });
    meter.rescan();
    let old = fs::metadata(&log).unwrap().ino();
    // Some file systems reuse the inode for the next file, some later, some never.
    let reused = (0..200).any(|_| {
        fs::remove_file(&log).unwrap();
        append(&log, line("b") + &line("c"));
        fs::metadata(&log).unwrap().ino() == old
    });
    meter.poll();
    assert_eq!(meter.ids().join(""), "abc", "inode reused: {reused}");
    fs::remove_file(&log).unwrap();
    append(&log, line("d") + &line("e"));
    meter.restart().rescan();
    assert_eq!(meter.ids().join(""), "abcde");
}

#[test]
fn a10_lines_of_a_deleted_file_are_read_through_the_descriptor() {
    let (_keep, root) = folder();
    let log = root.join("a.jsonl");
    append(&log, line("a"));
    let mut writer = OpenOptions::new().append(true).open(&log).unwrap();
    let mut meter = Meter::over(&root);
    meter.rescan();
    writer.write_all(line("b").as_bytes()).unwrap();
    fs::remove_file(&log).unwrap();
    meter.poll();
    assert_eq!(meter.ids().join(""), "ab");
    writer.write_all(line("c").as_bytes()).unwrap();
    meter.later(10).poll();
    assert_eq!(meter.ids().join(""), "abc");
    assert_eq!(meter.health().gone, 0, "it is still written to");
    meter.later(61).poll();
    assert_eq!((meter.health().gone, meter.health().files), (1, 0));
}

#[test]
fn a11_files_that_were_swept_away_are_gone_and_stay_counted() {
    let (_keep, root) = folder();
    for id in ["a", "b", "c"] {
        append(&root.join(format!("{id}.jsonl")), line(id));
    }
    let mut meter = Meter::over(&root);
    meter.rescan();
    for id in ["a", "b"] {
        fs::remove_file(root.join(format!("{id}.jsonl"))).unwrap();
    }
    meter.restart().rescan();
    assert_eq!(meter.ids().join(""), "abc");
    let health = meter.health();
    assert_eq!((health.gone, health.files), (2, 1));
    assert!(meter.books.sightings.values().all(|times| *times == 1), "the one that is left is not read again");
}

#[test]
fn a12_a_file_in_folders_made_behind_our_back_is_found_by_the_next_rescan() {
    let (_keep, root) = folder();
    let mut meter = Meter::over(&root);
    meter.rescan();
    fs::create_dir_all(root.join("n1/n2/n3")).unwrap();
    append(&root.join("n1/n2/n3/f.jsonl"), line("a"));
    meter.rescan();
    assert_eq!(meter.ids().join(""), "a");
    // Folders that have not changed are not read again, but what appears in them changes them.
    meter.rescan().rescan();
    append(&root.join("n1/n2/g.jsonl"), line("b"));
    fs::create_dir(root.join("n1/m")).unwrap();
    append(&root.join("n1/m/h.jsonl"), line("c"));
    meter.rescan();
    assert_eq!(meter.ids().join(""), "abc");
}

#[test]
fn a13_a_folder_moved_in_with_its_files_is_counted() {
    let (_keep, home) = folder();
    let (root, other) = (home.join("root"), home.join("other"));
    fs::create_dir(&root).unwrap();
    fs::create_dir_all(other.join("deep")).unwrap();
    append(&other.join("a.jsonl"), line("a"));
    append(&other.join("deep/b.jsonl"), line("b"));
    let mut meter = Meter::over(&root);
    meter.rescan();
    fs::rename(&other, root.join("moved")).unwrap();
    meter.rescan();
    assert_eq!(meter.ids().join(""), "ab");
    // And moved on inside: nothing is read twice.
    fs::rename(root.join("moved"), root.join("again")).unwrap();
    append(&root.join("again/deep/b.jsonl"), line("c"));
    meter.rescan();
    assert_eq!(meter.ids().join(""), "abc");
    assert!(meter.books.sightings.values().all(|times| *times == 1), "{:?}", meter.books.sightings);
}

#[cfg(unix)]
#[test]
fn a14_links_are_followed_once_and_loops_are_cut() {
    use std::os::unix::fs::symlink;
    let (_keep, home) = folder();
    let (root, outside) = (home.join("root"), home.join("outside"));
    fs::create_dir_all(root.join("a")).unwrap();
    fs::create_dir(&outside).unwrap();
    append(&root.join("a/one.jsonl"), line("a"));
    append(&outside.join("two.jsonl"), line("b"));
    append(&home.join("three.jsonl"), line("c"));
    symlink(&root, root.join("a/up")).unwrap();
    symlink(&outside, root.join("out")).unwrap();
    symlink(&outside, root.join("out2")).unwrap();
    symlink(home.join("three.jsonl"), root.join("three.jsonl")).unwrap();
    symlink(home.join("nowhere.jsonl"), root.join("dangling.jsonl")).unwrap();
    symlink(root.join("self.jsonl"), root.join("self.jsonl")).unwrap();
    let mut meter = Meter::over(&root);
    meter.rescan();
    assert_eq!(meter.ids().join(""), "abc");
    assert!(meter.books.sightings.values().all(|times| *times == 1), "{:?}", meter.books.sightings);
    assert_eq!(meter.says(&root.join("a/up")), [Condition::SymlinkLoop]);
    assert_eq!(meter.says(&root.join("self.jsonl")), [Condition::SymlinkLoop]);
    assert_eq!(meter.says(&root.join("dangling.jsonl")), [Condition::DanglingLink]);
    // A link's target may appear later, which changes no folder here.
    append(&home.join("nowhere.jsonl"), line("d"));
    meter.rescan().rescan();
    assert_eq!(meter.ids().join(""), "abcd");
    assert_eq!(meter.says(&root.join("dangling.jsonl")), []);
}

#[test]
fn a15_a_file_with_two_names_or_under_two_roots_is_read_once() {
    let (_keep, root) = folder();
    append(&root.join("a.jsonl"), line("a"));
    fs::hard_link(root.join("a.jsonl"), root.join("b.jsonl")).unwrap();
    fs::create_dir(root.join("sub")).unwrap();
    append(&root.join("sub/c.jsonl"), line("c"));
    let mut meter = Meter::on(Roots::only([root.clone(), root.join("sub"), root.join("sub/c.jsonl")]));
    meter.rescan();
    assert_eq!(meter.ids().join(""), "ac");
    assert!(meter.books.sightings.values().all(|times| *times == 1), "{:?}", meter.books.sightings);
    // One name goes: the other leads to the same file.
    fs::remove_file(root.join("a.jsonl")).unwrap();
    append(&root.join("b.jsonl"), line("d"));
    meter.poll();
    fs::remove_file(root.join("b.jsonl")).unwrap_or(());
    assert_eq!(meter.ids().join(""), "acd");
    assert_eq!(meter.books.sightings["a"], 1);
}

#[cfg(unix)]
#[test]
fn a16_what_is_no_regular_file_is_skipped_with_its_reason_and_never_hangs() {
    let (_keep, root) = folder();
    let fifo = root.join("fifo.jsonl");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    let socket = root.join("socket.jsonl");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let inside = root.join("folder.jsonl");
    fs::create_dir(&inside).unwrap();
    let device = root.join("null.jsonl");
    std::os::unix::fs::symlink("/dev/null", &device).unwrap();
    append(&root.join("a.jsonl"), line("a"));
    let mut meter = Meter::on(Roots::only([root.clone(), fifo.clone()]));
    meter.rescan();
    assert_eq!(meter.ids().join(""), "a");
    assert_eq!(meter.says(&fifo), [Condition::Skipped(Kind::Fifo)]);
    assert_eq!(meter.says(&socket), [Condition::Skipped(Kind::Socket)]);
    assert_eq!(meter.says(&inside), [Condition::Skipped(Kind::Folder)]);
    assert_eq!(meter.says(&device), [Condition::Skipped(Kind::Device)]);
}

#[cfg(target_os = "linux")]
#[test]
fn a17_a_path_that_is_no_text_is_read_and_shown_escaped() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let (_keep, root) = folder();
    let log = root.join(OsStr::from_bytes(b"\xff\x1b]0;x.jsonl"));
    append(&log, line("a") + "{\"torn\n");
    let mut meter = Meter::over(&root);
    meter.rescan();
    assert_eq!(meter.ids().join(""), "a");
    let shown = meter.books.bad[0].path.to_string();
    assert!(shown.contains("\u{fffd}⎋]0;x.jsonl~"), "{shown}");
    append(&log, line("b"));
    meter.restart().rescan();
    assert_eq!(
        meter.books.sightings.iter().map(|(id, times)| (id.as_str(), *times)).collect::<Vec<_>>(),
        [("a", 1), ("b", 1)]
    );
}

#[test]
fn a21_many_files_are_read_with_progress_the_newest_first() {
    let (_keep, root) = folder();
    let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    for number in 0..1000_u64 {
        let path = root.join(format!("{number:04}.jsonl"));
        append(&path, line(&format!("{number:04}")));
        let time = long_ago + std::time::Duration::from_secs((number * 37) % 1000);
        File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    }
    let mut meter = Meter::over(&root);
    let (mut order, mut steps) = (Vec::new(), Vec::new());
    let (tails, books) = (&mut meter.tails, &mut meter.books);
    tails.catch_up(meter.now, 2, &mut |batch, progress| {
        order.push(batch.path.to_string());
        steps.push((progress.files_done, progress.bytes_done));
        assert_eq!(progress.files, 1000);
        books.book(batch);
    });
    assert_eq!(meter.books.calls.len(), 1000);
    assert!(steps.is_sorted() && steps[steps.len() - 1].0 >= 998, "{:?}", steps.last());
    let newest = (0..1000_u64).max_by_key(|number| (number * 37) % 1000).unwrap();
    assert!(order[..4].contains(&root.join(format!("{newest:04}.jsonl")).display().to_string()), "{:?}", &order[..4]);
}

#[test]
fn a22_compressed_files_of_unknown_kinds_are_listed_and_never_read_as_lines() {
    let (_keep, root) = folder();
    let (zipped, named) = (root.join("a.jsonl"), root.join("b.jsonl.xz"));
    append(&zipped, b"\x1f\x8b\x08\0\0\0\0\0\nrubbish\n{\"usage\"");
    append(&named, b"\xfd7zXZ\0\n\n");
    append(&root.join("other.gz"), b"\x1f\x8b");
    let mut meter = Meter::over(&root);
    meter.rescan();
    assert_eq!(meter.says(&zipped), [Condition::Unsupported("compressed with gzip")]);
    assert_eq!(meter.says(&named), [Condition::Unsupported("compressed with xz")]);
    assert_eq!((meter.health().notes.len(), meter.books.tallies.lines), (2, 0));
}

#[test]
fn b2_a_whole_object_without_a_line_end_is_counted_now_and_not_again() {
    let (_keep, root) = folder();
    let log = root.join("a.jsonl");
    append(&log, line("a") + &object("b"));
    let mut meter = Meter::over(&root);
    meter.rescan();
    assert_eq!(meter.ids().join(""), "ab");
    append(&log, "\n");
    meter.poll();
    append(&log, object("c") + "  ");
    meter.poll();
    meter.restart();
    append(&log, "\r\n".to_owned() + &line("d"));
    meter.rescan();
    assert_eq!(meter.ids().join(""), "abcd");
    assert!(meter.books.sightings.values().all(|times| *times == 1), "{:?}", meter.books.sightings);
    assert_eq!((meter.books.tallies.lines, meter.books.tallies.bad), (4, 0));
    assert_eq!(meter.books.files[&log].lines, 4);
}

#[test]
fn b2_a_last_line_without_an_end_is_mended_as_any_other() {
    let nul = "\0".repeat(9);
    for (text, ids) in [
        (object("a") + &object("b"), "ab"),
        ("\u{feff}".to_owned() + &object("a"), "a"),
        (object("a").replacen(':', &(nul + ":"), 1), "a"),
        (object("a") + &object("b")[..40], "a"),
        (object("b")[..40].to_owned() + &object("a"), ""),
    ] {
        let (_keep, root) = folder();
        let log = root.join("a.jsonl");
        append(&log, text.as_str());
        let mut meter = Meter::over(&root);
        meter.rescan();
        assert_eq!(meter.ids().join(""), ids, "{text}");
        append(&log, "\n".to_owned() + &line("z"));
        meter.restart();
        meter.rescan();
        assert!(meter.ids().join("").starts_with(ids) && meter.ids().join("").ends_with('z'), "{text}");
        assert!(meter.books.sightings.values().all(|times| *times == 1), "{text}: {:?}", meter.books.sightings);
    }
}

#[test]
fn b3_a_last_line_that_stays_torn_is_said_after_a_minute_and_once() {
    let (_keep, root) = folder();
    let log = root.join("a.jsonl");
    let whole = line("a");
    append(&log, whole.clone() + &object("b")[..40]);
    let mut meter = Meter::over(&root);
    meter.rescan();
    assert_eq!((meter.says(&log), meter.books.tallies.bad), (vec![], 0));
    for _ in 0..10 {
        meter.later(7).poll();
    }
    let offset = whole.len() as u64;
    assert_eq!(meter.says(&log), [Condition::Partial { offset }]);
    assert_eq!((meter.books.tallies.bad, meter.books.batches), (0, 1), "an unchanged file is not read again");
    append(&log, &object("b")[40..]);
    meter.poll();
    assert_eq!((meter.says(&log), meter.ids().join("")), (vec![], "ab".into()));
}

#[test]
fn b5_holes_of_nul_bytes_are_skipped_and_counted() {
    let (_keep, root) = folder();
    let log = root.join("a.jsonl");
    append(&log, line("a"));
    let mut meter = Meter::over(&root);
    meter.rescan();
    // A non-appending writer continues at its offset after the file was emptied.
    let mut writer = OpenOptions::new().write(true).open(&log).unwrap();
    writer.set_len(0).unwrap();
    writer.seek(std::io::SeekFrom::Start(300_000)).unwrap();
    writer.write_all(line("b").as_bytes()).unwrap();
    meter.poll();
    writer.write_all(b"\0\0").unwrap();
    meter.poll();
    writer.write_all((line("c") + &object("d") + "\0\0\0").as_bytes()).unwrap();
    meter.poll();
    writer.write_all(b"\n").unwrap();
    meter.poll();
    assert_eq!(meter.ids().join(""), "abcd");
    assert_eq!((meter.books.tallies.bad, meter.books.tallies.nuls), (0, 300_000 + 2 + 3));
    assert!(meter.says(&log).contains(&Condition::NulsSkipped { bytes: 300_005 }));
    let place = meter.books.calls.values().filter_map(|call| call.from.place.as_ref()).map(|place| place.offset).max();
    assert_eq!(place, Some(300_000 + 2 * line("b").len() as u64 + 2));
}

#[cfg(unix)]
#[test]
fn b5_lines_written_into_a_file_that_was_made_large_beforehand_are_counted() {
    use std::os::unix::fs::MetadataExt as _;
    let (_keep, root) = folder();
    let log = root.join("a.jsonl");
    append(&log, line("a"));
    let mut writer = OpenOptions::new().write(true).open(&log).unwrap();
    writer.set_len(1 << 20).unwrap();
    writer.seek(std::io::SeekFrom::Start(line("a").len() as u64)).unwrap();
    let mut meter = Meter::over(&root);
    meter.rescan();
    let changed = || fs::metadata(&log).map(|file| (file.ctime(), file.ctime_nsec())).unwrap();
    for id in ["b", "c"] {
        let before = changed();
        writer.write_all(line(id).as_bytes()).unwrap();
        // Only its time changes; the system's clock may tick slowly.
        while changed() == before {
            writer.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        }
        meter.poll();
    }
    assert_eq!(meter.ids().join(""), "abc");
    assert_eq!((meter.books.tallies.lines, meter.books.tallies.bad), (3, 0));
}

#[test]
fn files_are_read_newest_first_or_oldest_first() {
    let (_keep, root) = folder();
    for (id, age) in [("b", 20), ("a", 30), ("c", 10)] {
        append(&root.join(format!("{id}.jsonl")), line(id));
        let file = OpenOptions::new().write(true).open(root.join(format!("{id}.jsonl"))).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000 - age)).unwrap();
    }
    for (oldest_first, order) in [(false, "cba"), (true, "abc")] {
        let options = Options { oldest_first, ..Options::default() };
        let (mut tails, mut met) = (Tails::new(&Roots::only([root.clone()]), options), String::new());
        tails.catch_up(Instant::now(), 1, &mut |batch, _| {
            met.push_str(batch.file.unwrap().path.file_stem().unwrap().to_str().unwrap());
        });
        assert_eq!(met, order);
    }
}

#[test]
fn b9_a_line_as_long_as_may_be_is_read_and_one_byte_more_is_too_long() {
    let (_keep, root) = folder();
    let log = root.join("a.jsonl");
    let long = |id, more| object(id).replace("\"session\"", &format!("\"text\":\"{}\",\"session\"", "x".repeat(more)));
    let longest_line = long("a", 2_000).len();
    append(&log, format!("{}\n{}\n{}", long("a", 2_000), long("b", 2_001), line("c")));
    let mut meter = Meter::with(Roots::only([root]), Options { longest_line, ..Options::default() });
    meter.rescan();
    assert_eq!(meter.ids().join(""), "ac");
    assert_eq!((meter.books.tallies.over_long, meter.books.tallies.bad), (1, 1));
}

#[test]
fn b9_a_line_that_is_too_long_is_bad_even_where_no_format_is_known() {
    let (_keep, root) = folder();
    let (long, plain) = ("x".repeat(3_000) + "\n", "plain words\n".repeat(200));
    append(&root.join("first.jsonl"), format!("{long}{plain}"));
    append(&root.join("last.jsonl"), format!("{plain}{long}"));
    let mut meter = Meter::with(Roots::only([root]), Options { longest_line: 2_000, ..Options::default() });
    meter.rescan();
    assert_eq!((meter.books.tallies.over_long, meter.books.tallies.bad), (2, 2));
    let mut lines: Vec<u64> = meter.books.bad.iter().map(|note| note.line).collect();
    lines.sort_unstable();
    assert_eq!(lines, [1, 201], "each is named, wherever it is");
}

#[test]
fn b9_a_line_that_is_too_long_is_passed_over_in_little_memory() {
    let (_keep, root) = folder();
    let log = root.join("a.jsonl");
    let mut meter = Meter::with(Roots::only([root.clone()]), Options { longest_line: 1 << 20, ..Options::default() });
    append(&log, line("a"));
    append(&log, format!("{{\"id\":\"long\",\"text\":\"{}", "x".repeat(3 << 20)));
    meter.rescan();
    let offset = line("a").len() as u64;
    assert!(meter.says(&log).contains(&Condition::OverLong { lines: 1, offset }), "{:?}", meter.says(&log));
    for _ in 0..3 {
        append(&log, "y".repeat(2 << 20));
        meter.poll();
    }
    append(&log, format!("\"}}\n{}", line("b")));
    meter.poll();
    assert_eq!(meter.ids().join(""), "ab");
    assert_eq!((meter.books.tallies.over_long, meter.books.tallies.bad, meter.books.bad.len()), (1, 1, 1));
    assert_eq!((meter.books.bad[0].line, meter.books.bad[0].offset), (2, offset));
    assert_eq!(meter.books.bad[0].why.to_string(), "longer than 1048576 bytes");
    assert_eq!(meter.books.files[&log].lines, 3);
}

#[test]
fn j24_the_rest_of_a_line_that_was_too_long_is_no_line_for_the_next_process() {
    let (_keep, root) = folder();
    let log = root.join("a.jsonl");
    // The text after the cut looks like a call, with and without more of the line before it.
    for rest in [object("z"), format!("yyy{}", object("z")), format!("\"}}{}", object("z"))] {
        let _ = fs::remove_file(&log);
        let mut meter =
            Meter::with(Roots::only([root.clone()]), Options { longest_line: 1 << 20, ..Options::default() });
        append(&log, format!("{}{{\"id\":\"long\",\"text\":\"{}", line("a"), "x".repeat(3 << 20)));
        meter.rescan();
        for _ in 0..2 {
            meter.restart().rescan();
            append(&log, "y".repeat(1 << 20));
        }
        append(&log, format!("{rest}\n{}", line("b")));
        meter.restart().rescan();
        assert_eq!(meter.ids().join(""), "ab", "{rest}");
        assert_eq!((meter.books.tallies.over_long, meter.books.tallies.bad), (1, 1), "{rest}");
        assert_eq!((meter.books.files[&log].lines, meter.books.files[&log].bad_lines), (3, 1));
    }
}

#[test]
fn j6_a_reading_that_is_told_to_stop_looks_at_no_further_folder_or_file() {
    let (_keep, root) = folder();
    for number in 0..20 {
        fs::create_dir(root.join(format!("p{number}"))).unwrap();
        append(&root.join(format!("p{number}/a.jsonl")), line(&format!("{number:02}")));
    }
    for threads in [1, 2] {
        let mut tails = Tails::new(&Roots::only([root.clone()]), Options::default());
        let stop = tails.stopper();
        let mut read = 0;
        tails.catch_up(Instant::now(), threads, &mut |_, _| {
            read += 1;
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        assert_eq!(read, 1);
        let mut tails = Tails::new(&Roots::only([root.clone()]), Options::default());
        tails.stopper().store(true, std::sync::atomic::Ordering::Relaxed);
        tails.catch_up(Instant::now(), threads, &mut |_, _| panic!("something was read"));
        assert_eq!(tails.health(Instant::now()).files, 0, "no folder was looked into");
    }
}

#[test]
fn b9_a_long_line_that_grows_slowly_is_read_when_it_ends() {
    let (_keep, root) = folder();
    let log = root.join("a.jsonl");
    let text = object("a").replace("\"session\"", &format!("\"text\":\"{}\",\"session\"", "}".repeat(2_000_000)));
    let mut meter = Meter::over(&root);
    for piece in text.as_bytes().chunks(300_000) {
        append(&log, piece);
        meter.rescan();
    }
    assert_eq!(meter.ids().join(""), "a");
    append(&log, "\n".to_owned() + &line("b"));
    meter.poll();
    assert_eq!((meter.ids().join(""), meter.books.tallies.lines, meter.books.tallies.bad), ("ab".into(), 2, 0));
}

#[test]
fn b19_a_binary_file_is_one_note_and_no_flood() {
    let (_keep, root) = folder();
    let log = root.join("a.jsonl");
    let mut seed = 7_u64;
    let noise: Vec<u8> = (0..1 << 20)
        .map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 56) as u8
        })
        .collect();
    append(&log, &noise);
    let mut meter = Meter::over(&root);
    meter.rescan();
    let notes = meter.health().notes;
    assert_eq!(notes.iter().filter(|note| note.what == Condition::NotRecognised).count(), 1, "{notes:?}");
    assert!(notes.len() <= 2 && meter.books.bad.len() <= 100, "{notes:?}");
}

#[test]
fn b20_a_flood_of_bad_lines_is_counted_and_only_the_first_are_named() {
    let (_keep, root) = folder();
    let log = root.join("a.jsonl");
    append(&log, line("a") + &"{\"input_tokens\":1,\n".repeat(100_000) + &line("b"));
    let mut meter = Meter::over(&root);
    meter.rescan();
    assert_eq!((meter.ids().join(""), meter.books.tallies.bad), ("ab".into(), 100_000));
    assert!(meter.books.bad.len() <= 64, "{}", meter.books.bad.len());
    assert_eq!((meter.books.bad[0].line, meter.books.bad[1].line), (2, 3));
    assert_eq!(meter.health().tallies.bad, 100_000);
}

#[test]
fn a_call_without_a_user_is_the_users_own() {
    let (_keep, root) = folder();
    append(&root.join("a.jsonl"), line("a") + &line("b").replace("\"id\"", "\"user\":\"bob\",\"id\""));
    let options =
        Options { owner: Owner { user: Some(Label::new("alice")), ..Owner::default() }, ..Options::default() };
    let mut meter = Meter::with(Roots::only([root.clone()]), options);
    meter.rescan();
    let users: Vec<_> = meter.books.calls.values().filter_map(|call| call.from.user.clone()).collect();
    assert!(users.contains(&Label::new("alice")) && users.contains(&Label::new("bob")), "{users:?}");
}

/// The real file system, in which no file can be opened.
struct Sealed;

impl tokmeter::testing::ingest::Fs for Sealed {
    fn stat(&self, path: &Path) -> std::io::Result<tokmeter::testing::ingest::Stat> {
        tokmeter::testing::ingest::OsFs.stat(path)
    }
    fn list(&self, path: &Path) -> std::io::Result<Vec<tokmeter::testing::ingest::Entry>> {
        tokmeter::testing::ingest::OsFs.list(path)
    }
    fn open(&self, _path: &Path) -> std::io::Result<Box<dyn tokmeter::testing::ingest::Handle>> {
        Err(std::io::Error::other("opened"))
    }
}

#[test]
fn a_warm_start_with_nothing_new_opens_no_file() {
    let (_keep, root) = folder();
    for number in 0..20 {
        append(&root.join(format!("{number}.jsonl")), line(&number.to_string()) + "{\"torn");
    }
    let mut meter = Meter::over(&root);
    meter.rescan();
    let batches = meter.books.batches;
    let roots = Roots::only([root.clone()]);
    meter.tails = tokmeter::testing::ingest::Tails::on(std::sync::Arc::new(Sealed), &roots, Options::default());
    meter.tails.resume(meter.books.files.values().cloned().collect::<Vec<_>>());
    meter.rescan();
    assert_eq!((meter.health().notes, meter.books.batches), (vec![], batches));
    append(&root.join("3.jsonl"), "x");
    meter.poll();
    assert_eq!(meter.says(&root.join("3.jsonl")), [Condition::Failing(Label::new("opened"))]);
}

#[test]
fn only_logs_are_read_in_a_folder_and_any_file_that_is_named() {
    let (_keep, root) = folder();
    let names = ["a.jsonl", "b.ndjson", "c.log", "d.jsonl.1", "e.log.27", "f.json", "g.txt", "h.jsonl.bak", "i.md"];
    for name in names {
        append(&root.join(name), line(&name[..1]));
    }
    let read = |roots: Roots| {
        let mut meter = Meter::on(roots);
        meter.rescan();
        meter.ids().join("")
    };
    assert_eq!(read(Roots::only([root.clone()])), "abcde");
    assert_eq!(read(Roots::of_agent("codex", [root.clone()])), "a");
    assert_eq!(read(Roots::only([root.join("g.txt"), root.join("f.json")])), "fg");
}

#[test]
fn other_programs_lines_are_looked_for_wherever_an_agent_is_not_alone() {
    let (_keep, root) = folder();
    let ours = r#"{"type":"assistant","sessionId":"s","message":{"id":"msg_1","usage":{"output_tokens":1}}}"#;
    let other = r#"{"type":"thread.started","thread_id":"t"}"#;
    append(&root.join("a.jsonl"), format!("{ours}\n{other}\n{ours}\n"));
    let read = |roots: Roots| {
        let mut meter = Meter::on(roots);
        meter.rescan();
        meter.books.tallies.read
    };
    let agent = Roots::of_agent("claude-code", [root.clone()]);
    assert_eq!(read(agent.clone()), 2);
    assert_eq!(read(Roots { native: vec![root.clone()], ..Roots::default() }), 3);
    assert_eq!(read(Roots::only([root.clone()])), 3);
    assert_eq!(read(Roots { extra: vec![root.clone()], ..agent }), 3, "a place that is named is anybody's");
}

#[test]
fn a_transcript_is_read_with_its_sub_agents_alone() {
    let (_keep, root) = folder();
    let transcript = root.join("s1.jsonl");
    fs::create_dir_all(root.join("s1/subagents/workflows/w")).unwrap();
    append(&transcript, line("a"));
    append(&root.join("s1/subagents/agent-1.jsonl"), line("b"));
    append(&root.join("s1/subagents/workflows/w/agent-2.jsonl"), line("c"));
    append(&root.join("s2.jsonl"), line("d"));
    let mut meter = Meter::on(Roots::session(&transcript));
    meter.rescan();
    assert_eq!(meter.ids().join(""), "abc");
}

#[test]
fn a_file_read_by_one_thread_or_many_gives_the_same() {
    let (_keep, root) = folder();
    for file in 0..20 {
        let lines: String = (0..2000).map(|number| line(&format!("{file:02}-{number:04}"))).collect();
        append(&root.join(format!("{file}.jsonl")), lines + &object(&format!("{file}-last")));
    }
    let read = |threads| {
        let mut meter = Meter::over(&root);
        let (tails, books) = (&mut meter.tails, &mut meter.books);
        tails.catch_up(meter.now, threads, &mut |batch, _| books.book(batch));
        let files: Vec<(PathBuf, u64)> =
            meter.books.files.iter().map(|(path, state)| (path.clone(), state.offset)).collect();
        (meter.ids(), files, meter.books.tallies)
    };
    let (one, many) = (read(1), read(3));
    assert_eq!((one.0.len(), one.2.lines), (20 * 2001, 20 * 2001));
    assert_eq!(one, many);
}

#[test]
fn d1_a_crash_between_two_batches_of_a_file_loses_and_repeats_nothing() {
    let (_keep, root) = folder();
    let log = root.join("a.jsonl");
    append(&log, (0..5000).map(|number| line(&format!("{number:04}"))).collect::<String>() + "{\"torn");
    for booked in 0..6 {
        let mut meter = Meter::over(&root);
        let (tails, books, mut left) = (&mut meter.tails, &mut meter.books, booked);
        tails.rescan(meter.now);
        tails.poll_once(meter.now, &mut |batch| {
            if left > 0 {
                left -= 1;
                books.book(batch);
            }
        });
        assert_eq!(meter.books.batches, booked.min(5), "5000 calls are more than one batch");
        meter.restart().rescan();
        assert_eq!((meter.books.calls.len(), meter.books.tallies.lines), (5000, 5000), "after {booked} batches");
        assert!(meter.books.sightings.values().all(|times| *times == 1), "after {booked} batches");
        assert_eq!(meter.books.files[&log].lines, 5000);
    }
}
