//! Reading under refusals: errors, too few descriptors, no events; and a live reader with real events.

#![allow(clippy::unwrap_used, missing_docs, reason = "a panic fails the test")]
#![allow(clippy::disallowed_methods, reason = "a test may ask the machine")]
#![cfg(unix)]

#[path = "tail_common/script.rs"]
mod script;
mod tail_common;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use script::{Script, Step};
use tail_common::{Books, Meter, append, folder, line, object};
use tokmeter::testing::domain::Label;
use tokmeter::testing::ingest::{
    Condition, Event, Follower, Options, Owner, PollReason, ReadBatch, RootState, Roots, Tails, follow, read_stream,
};

const ESTALE: i32 = 116;
const EIO: i32 = 5;
const EINTR: i32 = 4;

fn scripted(root: &Path, options: Options) -> (Script, Meter) {
    let script = Script::default();
    let roots = Roots::only([root.to_owned()]);
    let mut meter = Meter::with(roots.clone(), options.clone());
    meter.tails = Tails::on(Arc::new(script.clone()), &roots, options);
    (script, meter)
}

#[test]
fn a18_a_file_that_may_not_be_read_is_named_and_read_once_it_may() {
    let (_keep, root) = folder();
    let log = root.join("a.jsonl");
    append(&log, line("a"));
    append(&root.join("b.jsonl"), line("b"));
    let (script, mut meter) = scripted(&root, Options::default());
    script.then(&log, &[Step::Open(io::ErrorKind::PermissionDenied); 2]);
    meter.rescan();
    assert_eq!((meter.ids().join(""), meter.says(&log)), ("b".into(), vec![Condition::PermissionDenied]));
    meter.poll();
    assert_eq!(script.left(), 1, "it is left alone for a second");
    // Changing the mode changes the file: no need to wait.
    fs::set_permissions(&log, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    meter.poll();
    assert_eq!((script.left(), meter.says(&log)), (0, vec![Condition::PermissionDenied]));
    meter.later(2).poll();
    assert_eq!((meter.ids().join(""), meter.says(&log)), ("ab".into(), vec![]));
}

#[test]
fn a18_a_folder_that_may_not_be_read_is_named_and_read_once_it_may() {
    let (_keep, root) = folder();
    let closed = root.join("closed");
    fs::create_dir(&closed).unwrap();
    append(&closed.join("a.jsonl"), line("a"));
    let mode = |mode| fs::set_permissions(&closed, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    mode(0);
    let mut meter = Meter::over(&root);
    meter.rescan();
    if fs::read_dir(&closed).is_ok() {
        // This user may read everything: then there is no condition, and the file is read.
        assert_eq!((meter.ids().join(""), meter.says(&closed)), ("a".into(), vec![]));
    } else {
        assert_eq!((meter.ids().join(""), meter.says(&closed)), (String::new(), vec![Condition::PermissionDenied]));
    }
    mode(0o700);
    meter.rescan();
    assert_eq!((meter.ids().join(""), meter.says(&closed)), ("a".into(), vec![]));
}

#[test]
fn a19_errors_while_reading_are_said_and_tried_again_after_a_second_then_less_often() {
    let (_keep, root) = folder();
    let log = root.join("a.jsonl");
    append(&log, line("a"));
    let (script, mut meter) = scripted(&root, Options::default());
    script.then(&log, &[Step::Errno(EINTR), Step::Errno(EINTR), Step::Errno(ESTALE), Step::Errno(EIO)]);
    meter.rescan();
    let Some(Condition::Failing(what)) = meter.says(&log).pop() else { panic!("{:?}", meter.says(&log)) };
    assert!(what.contains("tale"), "{what}");
    let opened = script.opened.load(Ordering::SeqCst);
    for _ in 0..100 {
        meter.poll();
    }
    assert_eq!(script.opened.load(Ordering::SeqCst), opened, "it does not spin");
    meter.later(1).poll();
    assert_eq!((script.left(), meter.ids().len()), (0, 0));
    meter.later(1).poll();
    assert_eq!(script.opened.load(Ordering::SeqCst), opened + 1, "the second time it waits longer");
    meter.later(1).poll();
    assert_eq!((meter.ids().join(""), meter.says(&log)), ("a".into(), vec![]));
    // Inside a file, too, nothing is lost or repeated.
    append(&log, line("b") + &line("c"));
    script.then(&log, &[Step::Short(1024), Step::Short(line("b").len() + 9), Step::Errno(EIO)]);
    meter.poll();
    assert!(matches!(meter.says(&log)[..], [Condition::Failing(_)]), "{:?}", meter.says(&log));
    meter.later(5).poll();
    assert_eq!(meter.ids().join(""), "abc");
    assert_eq!((script.left(), meter.books.tallies.lines, meter.books.tallies.bad), (0, 3, 0));
}

#[test]
fn a20_a_file_that_shrinks_while_it_is_read_gives_no_torn_call() {
    let (_keep, root) = folder();
    let log = root.join("a.jsonl");
    append(&log, line("a") + &line("b"));
    let (script, mut meter) = scripted(&root, Options::default());
    // The first bytes arrive, then the file is truncated before the next read.
    script.then(&log, &[Step::Short(8), Step::Short(line("a").len() + 30), Step::Short(0)]);
    meter.rescan();
    assert_eq!((meter.ids().join(""), meter.books.tallies.bad, script.left()), ("a".into(), 0, 0));
    let cut = fs::OpenOptions::new().write(true).open(&log).unwrap();
    cut.set_len(line("a").len() as u64 + 10).unwrap();
    meter.poll();
    assert_eq!((meter.ids().join(""), meter.books.tallies.bad), ("a".into(), 0));
    cut.set_len(5).unwrap();
    meter.poll();
    cut.set_len(0).unwrap();
    append(&log, line("c"));
    meter.poll();
    assert_eq!((meter.ids().join(""), meter.books.tallies.bad), ("ac".into(), 0));
}

#[test]
fn h4_with_few_descriptors_and_many_active_files_nothing_is_lost() {
    let (_keep, root) = folder();
    let (script, mut meter) = scripted(&root, Options { open_files: 100, ..Options::default() });
    script.allowed.store(20, Ordering::SeqCst);
    let count = 500;
    for round in 0..4 {
        for file in 0..count {
            append(&root.join(format!("{file}.jsonl")), line(&format!("{round}-{file}")));
        }
        meter.rescan();
        assert_eq!(meter.books.calls.len(), (round + 1) * count);
    }
    assert_eq!(meter.health().notes, vec![]);
    assert!(meter.books.sightings.values().all(|times| *times == 1));
    assert!(script.held.load(Ordering::SeqCst) <= 20);
    // With a low limit few are kept from the beginning.
    let (script, mut meter) = scripted(&root, Options { open_files: 7, ..Options::default() });
    meter.rescan();
    assert_eq!((meter.books.calls.len(), script.most_held.load(Ordering::SeqCst)), (4 * count, 8));
}

#[test]
fn b1_any_cut_of_the_bytes_into_writes_gives_the_same_calls() {
    let text = line("a") + &line("b").replace('\n', "\r\n") + "\n" + &line("c") + &object("d");
    let bytes = text.as_bytes();
    for cut in 0..=bytes.len() {
        let (_keep, root) = folder();
        let log = root.join("a.jsonl");
        append(&log, &bytes[..cut]);
        let mut meter = Meter::over(&root);
        meter.rescan();
        append(&log, &bytes[cut..]);
        if cut % 2 == 0 {
            meter.restart();
        }
        meter.rescan();
        assert_eq!(meter.ids().join(""), "abcd", "cut at {cut}");
        assert!(meter.books.sightings.values().all(|times| *times == 1), "cut at {cut}");
        assert_eq!((meter.books.tallies.bad, meter.books.files[&log].lines), (0, 5), "cut at {cut}");
    }
}

/// A reader that returns a few bytes per read.
struct Drip<'a>(&'a [u8], usize);

impl io::Read for Drip<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.1.min(self.0.len()).min(into.len());
        into[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

#[test]
fn a_feed_is_read_as_it_comes_and_its_torn_end_is_one_bad_line() {
    let text = line("a") + "{\"input_tokens\":\n" + &line("b") + &object("c") + "\n{\"input_tokens\": 1, ";
    for drip in [1, 7, 100, 10_000] {
        let mut books = Books::default();
        let mut after = Vec::new();
        let name = Label::new("-");
        let options =
            Options { owner: Owner { user: Some(Label::new("alice")), ..Owner::default() }, ..Options::default() };
        read_stream(
            &mut Drip(text.as_bytes(), drip),
            &name,
            &options,
            &|| chrono::DateTime::UNIX_EPOCH,
            &mut |batch| {
                assert!(batch.file.is_none() && &*batch.path == "-");
                books.book(batch);
                after.push(books.calls.len());
            },
        )
        .unwrap();
        assert_eq!(books.ids().into_iter().collect::<String>(), "abc");
        assert_eq!((books.tallies.lines, books.tallies.bad, books.tallies.bytes), (5, 2, text.len() as u64));
        assert_eq!(books.bad.iter().map(|note| note.line).collect::<Vec<_>>(), [2, 5]);
        assert!(drip > 1 || after[0] == 1, "the first call is handed on before the last one is read");
        assert!(books.calls.values().all(|call| call.from.user.as_deref() == Some("alice")));
    }
}

/// Follows folders for real, and merges the events.
struct Following {
    follower: Option<Follower>,
    events: tokio::sync::mpsc::Receiver<Event>,
    books: Books,
    health: tokmeter::testing::ingest::Health,
    caught_up: bool,
    progress: Vec<tokmeter::testing::ingest::Progress>,
}

impl Following {
    fn new(roots: &Roots, options: Options) -> Self {
        let (sender, events) = tokio::sync::mpsc::channel(16);
        let follower = follow(Tails::new(roots, options), 2, move |event| sender.blocking_send(event).is_ok()).unwrap();
        let mut new = Self {
            follower: Some(follower),
            events,
            books: Books::default(),
            health: tokmeter::testing::ingest::Health::default(),
            caught_up: false,
            progress: Vec::new(),
        };
        new.until(|it| it.caught_up);
        new
    }

    /// Handles events until the condition holds.
    fn until(&mut self, is_so: impl Fn(&Self) -> bool) -> &mut Self {
        let give_up = Instant::now() + Duration::from_secs(60);
        while !is_so(self) {
            assert!(Instant::now() < give_up, "{:?}, {:?}", self.books.ids(), self.health);
            match self.events.blocking_recv().expect("the reader goes on") {
                Event::ReadBatches(batches) => batches.into_iter().for_each(|batch| self.book(batch)),
                Event::Progress(progress) => self.progress.push(progress),
                Event::Health(health) => self.health = *health,
                Event::CaughtUp => self.caught_up = true,
            }
        }
        self
    }

    fn book(&mut self, batch: ReadBatch) {
        self.books.book(batch);
    }

    fn has(&self, id: &str) -> bool {
        self.books.sightings.contains_key(id)
    }

    fn end(mut self) {
        drop(self.events);
        self.follower.take().unwrap().join();
    }
}

#[test]
fn a_line_reaches_us_in_milliseconds_wherever_it_is_written() {
    let (_keep, home) = folder();
    let root = home.join("not/yet");
    let mut live = Following::new(&Roots::only([root.clone()]), Options::default());
    assert_eq!(live.health.roots[0].state, RootState::Waiting);
    fs::create_dir_all(root.join("deep/deeper")).unwrap();
    append(&root.join("deep/deeper/a.jsonl"), line("a"));
    live.until(|it| it.has("a") && it.health.roots[0].state == RootState::Live);
    let mut delays: Vec<Duration> = (0..40)
        .map(|number| {
            let id = format!("n{number}");
            let file = if number % 4 == 0 { format!("{number}.jsonl") } else { "deep/deeper/a.jsonl".to_owned() };
            append(&root.join(file), line(&id));
            let written = Instant::now();
            live.until(|it| it.has(&id));
            written.elapsed()
        })
        .collect();
    delays.sort_unstable();
    assert!(delays[20] < Duration::from_millis(100), "median {:?} of {delays:?}", delays[20]);
    assert!(live.books.sightings.values().all(|times| *times == 1));
    live.end();
}

#[test]
fn polling_alone_finds_everything_too() {
    let (_keep, root) = folder();
    append(&root.join("a.jsonl"), line("a"));
    let mut live = Following::new(&Roots::only([root.clone()]), Options { poll: true, ..Options::default() });
    live.until(|it| it.has("a") && it.health.roots[0].state == RootState::Polling(PollReason::Asked));
    append(&root.join("a.jsonl"), line("b"));
    live.until(|it| it.has("b"));
    append(&root.join("c.jsonl"), line("c"));
    live.until(|it| it.has("c"));
    live.end();
}

#[test]
fn the_reader_ends_when_nobody_listens_even_in_the_middle_of_much() {
    let (_keep, root) = folder();
    for file in 0..50 {
        append(&root.join(format!("{file}.jsonl")), line("a").repeat(5000));
    }
    let (sender, events) = std::sync::mpsc::channel();
    // Declines each.
    let emit = move |event| sender.send(event).is_err();
    let follower = follow(Tails::new(&Roots::only([root.clone()]), Options::default()), 2, emit).unwrap();
    events.recv().unwrap();
    // The reader ends by itself, and with it the way to here.
    let more = events.iter().count();
    assert!(more < 50, "read on for {more} events");
    follower.join();
}

#[test]
fn a21_progress_and_the_newest_files_come_before_the_end_of_a_long_reading() {
    let (_keep, root) = folder();
    for file in 0..300 {
        append(&root.join(format!("{file}.jsonl")), line(&format!("{file}")).repeat(50));
    }
    let live = Following::new(&Roots::only([root.clone()]), Options::default());
    assert!(live.progress[0].files == 300 && live.progress[0].files_done < 300, "{:?}", live.progress[0]);
    assert!(live.progress.is_sorted_by_key(|progress| progress.bytes_done));
    assert_eq!((live.books.calls.len(), live.health.files), (300, 300));
    live.end();
}

#[test]
fn h6_a_file_that_is_written_as_fast_as_can_be_is_followed_to_its_last_line() {
    let (_keep, root) = folder();
    let log = root.join("a.jsonl");
    append(&log, line("first"));
    let mut live = Following::new(&Roots::only([root.clone()]), Options::default());
    let writer = std::thread::spawn(move || {
        for round in 0..200 {
            append(&log, line(&format!("{round}")).repeat(200));
        }
        append(&log, line("last"));
    });
    live.until(|it| it.has("last"));
    writer.join().unwrap();
    assert_eq!((live.books.tallies.lines, live.books.tallies.bad), (200 * 200 + 2, 0));
    live.end();
}

#[test]
fn h3_more_events_than_the_system_keeps_lose_nothing() {
    let (_keep, root) = folder();
    let mut live = Following::new(&Roots::only([root.clone()]), Options::default());
    let (made, folders) = (root.clone(), 40);
    let writer = std::thread::spawn(move || {
        for number in 0..folders {
            let folder = made.join(format!("{number}/x/y"));
            fs::create_dir_all(&folder).unwrap();
            for file in 0..50 {
                append(&folder.join(format!("{file}.jsonl")), line(&format!("{number}-{file}")));
            }
        }
    });
    live.until(|it| it.books.calls.len() == folders * 50);
    writer.join().unwrap();
    live.end();
}

/// Runs a test of this file in a child process with the limit.
///
/// Where the system does not permit such a process, the limit is not tested here; the tests of the watch and of the
/// live reader cover its effects.
fn in_a_process_with(limit: &str, test: &str) -> bool {
    let script = format!("{limit} && exec \"$0\" --exact {test} --include-ignored --nocapture");
    let program: PathBuf = std::env::current_exe().unwrap();
    let probe = Command::new("unshare").args(["-Ur", "sh", "-c", limit]).output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        return false;
    }
    let run = Command::new("unshare").args(["-Ur", "sh", "-c", &script]).arg(program).output().unwrap();
    let said = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && said.contains("1 passed"), "{said}");
    true
}

fn polls_because(reason: &PollReason) {
    let (_keep, root) = folder();
    for number in 0..30 {
        fs::create_dir(root.join(format!("d{number}"))).unwrap();
    }
    append(&root.join("d7/a.jsonl"), line("a"));
    let mut live = Following::new(&Roots::only([root.clone()]), Options::default());
    live.until(|it| it.has("a") && it.health.roots[0].state == RootState::Polling(reason.clone()));
    append(&root.join("d7/a.jsonl"), line("b"));
    append(&root.join("d9/new.jsonl"), line("c"));
    live.until(|it| it.has("b") && it.has("c"));
    live.end();
}

#[test]
#[ignore = "run by h1, in a process where few watches are allowed"]
fn few_watches() {
    polls_because(&PollReason::WatchLimit);
}

#[test]
#[ignore = "run by h2, in a process where no watcher is allowed"]
fn no_watcher() {
    polls_because(&PollReason::InstanceLimit);
}

#[test]
fn h1_at_the_limit_of_watches_we_poll_say_so_and_count_everything() {
    let tested = in_a_process_with("echo 10 > /proc/sys/user/max_inotify_watches", "few_watches");
    assert_eq!(PollReason::WatchLimit.advice(), Some("raise fs.inotify.max_user_watches"), "tested: {tested}");
}

#[test]
fn h2_at_the_limit_of_watchers_we_poll_say_so_and_count_everything() {
    let tested = in_a_process_with("echo 0 > /proc/sys/user/max_inotify_instances", "no_watcher");
    assert_eq!(PollReason::InstanceLimit.advice(), Some("raise fs.inotify.max_user_instances"), "tested: {tested}");
}

#[test]
#[ignore = "run by h4, in a process where few files may be open"]
fn few_descriptors() {
    let (_keep, root) = folder();
    for file in 0..500 {
        append(&root.join(format!("{file}.jsonl")), line(&format!("a{file}")));
    }
    // Agents write in processes of their own: here, the reader may hold every descriptor at the moment of a write.
    let text = line("b@");
    let (before, after) = text.split_once('@').unwrap();
    let script = r#"read -r go && for file in $(seq 0 499); do printf '%s' "$1$file$2" >> "$file.jsonl"; done"#;
    let mut writer = Command::new("sh")
        .args(["-c", script, "sh", before, after])
        .current_dir(&root)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut live = Following::new(&Roots::only([root.clone()]), Options { open_files: 400, ..Options::default() });
    writer.stdin.take().unwrap().write_all(b"go\n").unwrap();
    live.until(|it| it.books.calls.len() == 1000);
    assert!(writer.wait().unwrap().success());
    live.end();
}

#[test]
fn h4_sixty_four_descriptors_are_enough_for_five_hundred_active_files() {
    assert!(in_a_process_with("ulimit -n 64", "few_descriptors") || cfg!(not(target_os = "linux")) || !may_unshare());
}

fn may_unshare() -> bool {
    Command::new("unshare").args(["-Ur", "true"]).output().is_ok_and(|probe| probe.status.success())
}
