//! Tests of the live reader with a simulated clock and with events that are delivered, lost or refused.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use super::super::dir_watch::Scope;
use super::*;
use crate::ingest::{Entry, Fs, Handle, Options, OsFs, Roots, Stat};

mod described;

/// A watch that never sends events but records its attachments.
struct Deaf {
    attached: Sender<(PathBuf, Scope)>,
    answer: Result<(), PollReason>,
}

impl Watch for Deaf {
    fn attach(&mut self, _: &Path, folder: &Path, scope: Scope) -> Result<(), PollReason> {
        self.attached.send((folder.to_owned(), scope)).unwrap();
        self.answer.clone()
    }
}

/// The real file system, with counters for folder reads and metadata.
#[derive(Clone, Default)]
struct Counting {
    reads: Arc<AtomicU64>,
    stats: Arc<AtomicU64>,
}

impl Fs for Counting {
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.stats.fetch_add(1, Ordering::Relaxed);
        OsFs.stat(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        OsFs.list(folder)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Handle>> {
        OsFs.open(path)
    }
}

struct Scene {
    _keep: tempfile::TempDir,
    root: PathBuf,
    live: Live,
    attached: Receiver<(PathBuf, Scope)>,
    begun: Instant,
    now: Instant,
    next: Instant,
    lines: u64,
    health: Health,
    steps: u64,
    /// Number of folder reads.
    reads: Arc<AtomicU64>,
    /// Number of requests for metadata.
    stats: Arc<AtomicU64>,
}

impl Scene {
    fn new(answer: Result<(), PollReason>, prepare: impl FnOnce(&Path)) -> Self {
        Self::of(answer, |root| {
            prepare(root);
            Roots::only([root.to_owned()])
        })
    }

    fn of(answer: Result<(), PollReason>, prepare: impl FnOnce(&Path) -> Roots) -> Self {
        let keep = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(keep.path()).unwrap().join("logs");
        let roots = prepare(&root);
        let (tell, attached) = channel();
        let now = Instant::now();
        let disk = Counting::default();
        let (reads, stats) = (disk.reads.clone(), disk.stats.clone());
        let tails = Tails::on(Arc::new(disk), &roots, Options::default());
        let live = Live::new(tails, Ok(Box::new(Deaf { attached: tell, answer })), now);
        let health = Health::default();
        let (lines, steps) = (0, 0);
        let mut scene =
            Self { _keep: keep, root, live, attached, begun: now, now, next: now, lines, health, steps, reads, stats };
        let mut events = Vec::new();
        scene.live.begin(now, 1, &mut |event| events.push(event));
        assert!(matches!(events.last(), Some(Event::CaughtUp)));
        for event in events {
            scene.take(event);
        }
        scene
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::ReadBatches(batches) => {
                self.lines += batches.iter().map(|batch| batch.tallies.lines).sum::<u64>();
            }
            Event::Health(health) => self.health = *health,
            Event::Progress(_) | Event::CaughtUp => {}
        }
    }

    fn step(&mut self, hints: Vec<Hint>) -> &mut Self {
        let mut events = Vec::new();
        self.next = self.live.step(self.now, hints, &mut |event| events.push(event));
        for event in events {
            self.take(event);
        }
        self.steps += 1;
        self
    }

    /// Lets time pass, and calls the reader whenever it is due.
    fn pass(&mut self, time: Duration) -> &mut Self {
        let until = self.now + time;
        while self.next <= until {
            assert!(self.next > self.now || self.steps == 0, "the reader spins");
            self.now = self.next.max(self.now);
            self.step(Vec::new());
        }
        self.now = until;
        self
    }

    fn append(&self, name: &str) {
        let path = self.root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(b"{}\n").unwrap();
    }
}

fn with_a_log(root: &Path) {
    fs::create_dir_all(root).unwrap();
    fs::write(root.join("a.jsonl"), "{}\n").unwrap();
}

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[test]
fn a_hint_is_followed_at_once() {
    let mut scene = Scene::new(Ok(()), with_a_log);
    assert_eq!((scene.lines, &scene.health.roots[0].state), (1, &RootState::Live));
    scene.append("a.jsonl");
    scene.step(vec![Hint::Changed(scene.root.join("a.jsonl"))]);
    assert_eq!(scene.lines, 2);
    scene.append("new.jsonl");
    scene.step(vec![Hint::Changed(scene.root.join("new.jsonl"))]);
    assert_eq!(scene.lines, 3);
}

#[test]
fn with_every_event_lost_a_busy_file_is_read_within_a_quarter_second() {
    let mut scene = Scene::new(Ok(()), with_a_log);
    scene.append("a.jsonl");
    scene.pass(Duration::from_secs(3));
    assert_eq!(scene.lines, 2, "the newest files are looked at");
    for lines in 3..20 {
        scene.append("a.jsonl");
        scene.pass(ms(251));
        assert_eq!(scene.lines, lines);
    }
}

fn with_forty_logs(root: &Path) {
    with_a_log(root);
    for number in 0..40 {
        fs::write(root.join(format!("{number}.jsonl")), "{}\n").unwrap();
    }
}

#[test]
fn with_every_event_lost_whatever_happens_is_read_within_half_a_minute_while_something_happens() {
    let mut scene = Scene::new(Ok(()), with_forty_logs);
    assert_eq!(scene.lines, 41);
    scene.pass(Duration::from_secs(3600));
    scene.append("a.jsonl");
    scene.step(vec![Hint::Changed(scene.root.join("a.jsonl"))]);
    for lines in [83, 124] {
        for number in 0..40 {
            scene.append(&format!("{number}.jsonl"));
        }
        scene.append("born/deep/b.jsonl");
        scene.pass(Duration::from_secs(31));
        assert_eq!(scene.lines, lines);
    }
}

#[test]
fn after_an_idle_hour_a_lost_event_is_made_up_for_within_ten_minutes() {
    let mut scene = Scene::new(Ok(()), with_forty_logs);
    scene.pass(Duration::from_secs(3600));
    let (idle, looks) = (scene.stats.swap(0, Ordering::Relaxed), scene.steps);
    scene.pass(Duration::from_secs(3600));
    let looks = scene.steps - looks;
    assert!(looks <= 7 && scene.stats.load(Ordering::Relaxed) < 7 * 50, "{looks} looks in an idle hour");
    assert!(idle < 5_000, "{idle} in the first hour");
    scene.append("born/deep/b.jsonl");
    scene.pass(Duration::from_secs(601));
    assert_eq!(scene.lines, 42);
}

#[test]
fn a_place_that_is_listed_later_is_heard_of_and_watched() {
    let workspaces = |root: &Path| root.join(".config/Code/User/workspaceStorage");
    let mut scene = Scene::of(Ok(()), |root| {
        fs::create_dir_all(workspaces(root)).unwrap();
        let env = |name: &str| (name == "XDG_CONFIG_HOME").then(|| root.join(".config").into());
        Roots::discover(Some(root), env)
    });
    let folder = workspaces(&scene.root);
    assert!(scene.attached.try_iter().any(|attached| attached == (folder.clone(), Scope::Flat)), "the list is watched");
    scene.pass(Duration::from_secs(3600));
    let chats = folder.join("w1/chatSessions");
    fs::create_dir_all(&chats).unwrap();
    scene.step(vec![Hint::Changed(folder.join("w1"))]);
    assert!(scene.attached.try_iter().any(|attached| attached == (chats.clone(), Scope::Flat)), "and what it lists");
    fs::write(chats.join("s.jsonl"), "{}\n").unwrap();
    scene.step(vec![Hint::Changed(chats.join("s.jsonl"))]);
    assert_eq!(scene.lines, 1);
}

#[test]
#[cfg(unix)]
fn a_file_that_is_written_under_a_name_elsewhere_is_read_within_fifteen_seconds() {
    for is_link in [true, false] {
        let mut scene = Scene::new(Ok(()), |root| {
            fs::create_dir(root).unwrap();
            let (elsewhere, here) = (root.parent().unwrap().join("elsewhere"), root.join("a.jsonl"));
            fs::write(&elsewhere, "{}\n").unwrap();
            if is_link {
                std::os::unix::fs::symlink(elsewhere, here).unwrap();
            } else {
                fs::hard_link(elsewhere, here).unwrap();
            }
        });
        scene.pass(Duration::from_secs(800));
        scene.append("../elsewhere");
        scene.pass(Duration::from_secs(16));
        assert_eq!(scene.lines, 2, "{is_link}");
    }
}

#[test]
#[cfg(unix)]
fn a_file_that_was_moved_out_of_sight_is_read_within_fifteen_seconds_of_each_write() {
    let mut scene = Scene::new(Ok(()), with_a_log);
    scene.append("a.jsonl");
    scene.step(vec![Hint::Changed(scene.root.join("a.jsonl"))]);
    scene.pass(Duration::from_secs(60));
    fs::rename(scene.root.join("a.jsonl"), scene.root.join("../elsewhere")).unwrap();
    scene.step(vec![Hint::Changed(scene.root.join("a.jsonl"))]);
    for lines in 3..6 {
        scene.pass(Duration::from_secs(200));
        scene.append("../elsewhere");
        scene.pass(Duration::from_secs(16));
        assert_eq!(scene.lines, lines);
    }
}

#[test]
fn a12_a_file_that_raced_its_folder_is_found_soon() {
    let mut scene = Scene::new(Ok(()), with_a_log);
    fs::create_dir(scene.root.join("n1")).unwrap();
    scene.step(vec![Hint::Changed(scene.root.join("n1"))]);
    // The new folder is not watched yet, so this causes no event.
    scene.append("n1/n2/f.jsonl");
    scene.pass(ms(300));
    assert_eq!(scene.lines, 2);
    scene.append("n1/n2/g.jsonl");
    scene.pass(ms(1000));
    assert_eq!(scene.lines, 3);
}

#[test]
fn a1_a_missing_root_is_watched_for_from_above() {
    let mut scene = Scene::new(Ok(()), |_| {});
    let above = scene.root.parent().unwrap().to_owned();
    assert_eq!(scene.attached.try_iter().collect::<Vec<_>>(), [(above, Scope::Flat)]);
    assert_eq!(scene.health.roots[0].state, RootState::Waiting);
    with_a_log(&scene.root);
    scene.now += Duration::from_secs(5);
    scene.step(vec![Hint::Changed(scene.root.clone())]);
    assert_eq!((scene.lines, &scene.health.roots[0].state), (1, &RootState::Live));
    assert_eq!(scene.attached.try_iter().collect::<Vec<_>>(), [(scene.root.clone(), Scope::Deep)]);
}

#[test]
fn a2_a_root_that_came_back_is_watched_again() {
    let mut scene = Scene::new(Ok(()), with_a_log);
    scene.attached.try_iter().for_each(drop);
    fs::remove_dir_all(&scene.root).unwrap();
    scene.pass(Duration::from_secs(62));
    assert_eq!(scene.health.roots[0].state, RootState::Gone);
    // Use different content: the same bytes under the same inode would count as the same file.
    fs::create_dir_all(&scene.root).unwrap();
    fs::write(scene.root.join("a.jsonl"), "{ }\n").unwrap();
    fs::write(scene.root.join("b.jsonl"), "{  }\n").unwrap();
    scene.pass(Duration::from_secs(32));
    assert!(scene.attached.try_iter().any(|attached| attached == (scene.root.clone(), Scope::Deep)));
    let root = &scene.health.roots[0];
    assert_eq!((scene.lines, &root.state, root.reattached), (3, &RootState::Live, 1));
}

#[test]
fn h1_without_watches_everything_is_found_by_looking_and_that_is_said() {
    let mut scene = Scene::new(Err(PollReason::WatchLimit), with_a_log);
    let state = RootState::Polling(PollReason::WatchLimit);
    assert_eq!((&scene.health.roots[0].state, scene.health.is_polling()), (&state, true));
    assert_eq!(PollReason::WatchLimit.advice(), Some("raise fs.inotify.max_user_watches"));
    scene.append("new/b.jsonl");
    scene.append("a.jsonl");
    scene.pass(Duration::from_secs(5));
    assert_eq!(scene.lines, 3);
}

#[test]
fn h1_watches_that_run_out_later_are_said_too() {
    let mut scene = Scene::new(Ok(()), with_a_log);
    scene.now += Duration::from_secs(2);
    scene.step(vec![Hint::Broken(PollReason::WatchLimit), Hint::Rescan]);
    assert_eq!(scene.health.roots[0].state, RootState::Polling(PollReason::WatchLimit));
    scene.append("late/b.jsonl");
    scene.pass(Duration::from_secs(3));
    assert_eq!(scene.lines, 2);
}

#[test]
fn h3_after_an_overflow_everything_is_looked_at_but_not_more_than_once_a_second() {
    let mut scene = Scene::new(Ok(()), with_a_log);
    scene.pass(Duration::from_secs(5));
    scene.append("deep/b.jsonl");
    scene.step(vec![Hint::Rescan]);
    assert_eq!(scene.lines, 2);
    scene.append("deep/c.jsonl");
    scene.now += ms(10);
    scene.step(vec![Hint::Rescan; 100]);
    assert_eq!(scene.lines, 2);
    scene.pass(ms(1000));
    assert_eq!(scene.lines, 3);
}

#[test]
fn h8_an_idle_hour_takes_few_looks() {
    let mut scene = Scene::new(Ok(()), with_a_log);
    scene.pass(Duration::from_secs(3600));
    let steps = scene.steps;
    assert!(steps < 40, "{steps} looks in an hour");
    assert_eq!((scene.lines, scene.now - scene.begun), (1, Duration::from_secs(3600)));
}

#[test]
fn h8_folders_in_which_nothing_happens_are_read_twice_at_the_start_and_never_again() {
    let mut scene = Scene::new(Ok(()), |root| {
        with_a_log(root);
        fs::create_dir_all(root.join("p/q")).unwrap();
    });
    assert_eq!(scene.reads.load(Ordering::Relaxed), 3);
    scene.pass(Duration::from_secs(3));
    assert_eq!(scene.reads.load(Ordering::Relaxed), 6);
    scene.pass(Duration::from_secs(600));
    assert_eq!(scene.reads.load(Ordering::Relaxed), 6);
}

#[test]
fn b3_a_torn_last_line_is_said_without_anything_happening() {
    let mut scene = Scene::new(Ok(()), |root| {
        with_a_log(root);
        fs::write(root.join("torn.jsonl"), "{}\n{\"a").unwrap();
    });
    assert_eq!(scene.health.notes, []);
    scene.pass(Duration::from_secs(100));
    let notes: Vec<_> = scene.health.notes.iter().map(|note| &note.what).collect();
    assert_eq!(notes, [&crate::ingest::Condition::Partial { offset: 3 }]);
}
