//! The tailer against a model: for any changes to the files in any order, every line present at a check is counted
//! once, and nothing else is.

#![allow(clippy::unwrap_used, missing_docs, reason = "a panic fails the test")]
#![allow(dead_code, reason = "the tests of the tailer share one set of tools, and each uses a part")]

mod tail_common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tail_common::{Meter, append, folder};
use tokmeter::testing::domain::CallKey;
use tokmeter::testing::ingest::{Options, Roots};
use tokmeter::testing::ledger::Checkpoint;

/// Possible actions. Files are identified by a small number.
#[derive(Clone, Debug)]
enum Action {
    /// Whole lines are added.
    Append {
        file: usize,
        lines: usize,
    },
    /// The beginning of a line is added.
    Begin {
        file: usize,
        cut: usize,
    },
    /// Completes a begun line, with or without its line end.
    End {
        file: usize,
        newline: bool,
    },
    /// A writer that has long had the file open adds a line, wherever the file is now.
    Held {
        file: usize,
    },
    /// A writer opens the file, for later.
    Hold {
        file: usize,
    },
    /// The file becomes `.1`, what was that becomes `.2`, and so on; a new one is begun.
    Rotate {
        file: usize,
    },
    /// It is copied to a second log, then emptied.
    CopyTruncate {
        file: usize,
    },
    /// It is replaced by a new file with some of its lines and new ones.
    Replace {
        file: usize,
    },
    /// It is cut short.
    Truncate {
        file: usize,
        keep: usize,
    },
    /// It is emptied and refilled beyond its old size.
    Regrow {
        file: usize,
    },
    /// A writer that does not append writes behind a hole.
    Hole {
        file: usize,
        nuls: u16,
    },
    Delete {
        file: usize,
    },
    /// A file appears in folders made for it.
    Deep {
        file: usize,
    },
    /// The folder is moved away and comes back with all its files.
    Swap,
    /// The tailer looks at the files it knows.
    Poll,
    /// The tailer looks everywhere.
    Rescan,
    /// The tailer ends and begins again with what is booked.
    Restart,
    /// Calls booked since the last `Keep` are lost with the tailer: a crash.
    Crash,
    /// Booked calls survive a crash from now on.
    Keep,
}

fn action() -> impl Strategy<Value = Action> {
    let file = || 0..3_usize;
    prop_oneof![
        6 => (file(), 1..4_usize).prop_map(|(file, lines)| Action::Append { file, lines }),
        3 => (file(), 1..100_usize).prop_map(|(file, cut)| Action::Begin { file, cut }),
        3 => (file(), any::<bool>()).prop_map(|(file, newline)| Action::End { file, newline }),
        1 => file().prop_map(|file| Action::Hold { file }),
        2 => file().prop_map(|file| Action::Held { file }),
        2 => file().prop_map(|file| Action::Rotate { file }),
        1 => file().prop_map(|file| Action::CopyTruncate { file }),
        1 => file().prop_map(|file| Action::Replace { file }),
        1 => (file(), 0..400_usize).prop_map(|(file, keep)| Action::Truncate { file, keep }),
        1 => file().prop_map(|file| Action::Regrow { file }),
        1 => (file(), any::<u16>()).prop_map(|(file, nuls)| Action::Hole { file, nuls }),
        2 => file().prop_map(|file| Action::Delete { file }),
        1 => file().prop_map(|file| Action::Deep { file }),
        1 => Just(Action::Swap),
        5 => Just(Action::Poll),
        4 => Just(Action::Rescan),
        1 => Just(Action::Restart),
        1 => Just(Action::Crash),
        2 => Just(Action::Keep),
    ]
}

/// The content of the files according to the model.
struct World {
    root: PathBuf,
    next: u64,
    /// Every object ever begun, by its text.
    objects: BTreeMap<String, u64>,
    /// Objects written completely.
    whole: BTreeSet<u64>,
    /// Incomplete objects per file.
    begun: BTreeMap<usize, (u64, String)>,
    held: BTreeMap<usize, File>,
}

fn object(number: u64) -> String {
    // Different lengths, and a number unique to the object.
    let pad = "x".repeat(usize::try_from(number * 37 % 500).unwrap());
    format!(
        r#"{{"id":"{number}","at":"2026-11-22T10:00:00Z","model":"m-{number}","input_tokens":{},"output_tokens":{},"note":"{pad}"}}"#,
        1000 + number,
        7 * number + 1
    )
}

impl World {
    fn new(root: PathBuf) -> Self {
        let (objects, whole) = (BTreeMap::new(), BTreeSet::new());
        Self { root, next: 1, objects, whole, begun: BTreeMap::new(), held: BTreeMap::new() }
    }

    fn path(&self, file: usize) -> PathBuf {
        self.root.join(format!("f{file}.jsonl"))
    }

    fn object(&mut self) -> String {
        let (text, number) = (object(self.next), self.next);
        self.next += 1;
        self.objects.insert(text.clone(), number);
        text
    }

    fn lines(&mut self, count: usize) -> String {
        let first = self.next;
        let text = (0..count).map(|_| self.object() + "\n").collect();
        self.whole.extend(first..self.next);
        text
    }

    fn act(&mut self, action: &Action) {
        match *action {
            Action::Append { file, lines } => {
                let text = self.lines(lines);
                append(&self.path(file), text);
                // An object begun before stays truncated.
                self.begun.remove(&file);
            }
            Action::Begin { file, cut } => {
                let text = self.object();
                let (head, tail) = text.split_at(cut.min(text.len() - 1));
                append(&self.path(file), head);
                self.begun.insert(file, (self.next - 1, tail.to_owned()));
            }
            Action::End { file, newline } => {
                if let Some((number, rest)) = self.begun.remove(&file) {
                    self.whole.insert(number);
                    append(&self.path(file), rest + if newline { "\n" } else { "" });
                }
            }
            Action::Hold { file } => {
                let open = OpenOptions::new().append(true).create(true).open(self.path(file)).unwrap();
                self.held.insert(file, open);
            }
            Action::Held { file } => {
                let text = self.lines(1);
                if let Some(open) = self.held.get_mut(&file) {
                    open.write_all(text.as_bytes()).unwrap();
                    self.begun.remove(&file);
                }
            }
            Action::Rotate { file } => {
                let name = |number: usize| self.root.join(format!("f{file}.jsonl.{number}"));
                for number in (1..3).rev() {
                    let _ = fs::rename(name(number), name(number + 1));
                }
                let _ = fs::rename(self.path(file), name(1));
                self.begun.remove(&file);
                let text = self.lines(1);
                append(&self.path(file), text);
            }
            Action::CopyTruncate { file } => {
                if fs::copy(self.path(file), self.root.join(format!("f{file}.copy.jsonl"))).is_ok() {
                    OpenOptions::new().write(true).open(self.path(file)).unwrap().set_len(0).unwrap();
                }
                self.begun.remove(&file);
            }
            Action::Replace { file } => {
                let old = fs::read_to_string(self.path(file)).unwrap_or_default();
                let kept = old.lines().next().map(|line| line.to_owned() + "\n").unwrap_or_default();
                let text = kept + &self.lines(2);
                let new = self.root.join("new.tmp");
                fs::write(&new, text).unwrap();
                fs::rename(new, self.path(file)).unwrap();
                self.begun.remove(&file);
            }
            Action::Truncate { file, keep } => {
                if let Ok(open) = OpenOptions::new().write(true).open(self.path(file)) {
                    let size = open.metadata().unwrap().len();
                    open.set_len(size.min(keep as u64)).unwrap();
                }
                self.begun.remove(&file);
            }
            Action::Regrow { file } => {
                let size = fs::metadata(self.path(file)).map_or(0, |found| found.len());
                let mut text = self.lines(1);
                while (text.len() as u64) <= size {
                    text += &self.lines(1);
                }
                let open = OpenOptions::new().write(true).create(true).truncate(true).open(self.path(file)).unwrap();
                (&open).write_all(text.as_bytes()).unwrap();
                self.begun.remove(&file);
            }
            Action::Hole { file, nuls } => {
                let text = self.lines(1);
                if let Ok(mut open) = OpenOptions::new().write(true).open(self.path(file)) {
                    open.seek(SeekFrom::End(i64::from(nuls))).unwrap();
                    open.write_all(text.as_bytes()).unwrap();
                }
                self.begun.remove(&file);
            }
            Action::Delete { file } => {
                let _ = fs::remove_file(self.path(file));
                self.begun.remove(&file);
            }
            Action::Deep { file } => {
                let folder = self.root.join(format!("deep{file}/er"));
                fs::create_dir_all(&folder).unwrap();
                let text = self.lines(1);
                append(&folder.join("d.jsonl"), text);
            }
            Action::Swap => {
                let away = self.root.with_extension("away");
                fs::rename(&self.root, &away).unwrap();
                fs::rename(&away, &self.root).unwrap();
            }
            Action::Poll | Action::Rescan | Action::Restart | Action::Crash | Action::Keep => {}
        }
    }

    /// Objects complete on lines of their own, anywhere under the root.
    fn visible(&self) -> BTreeSet<u64> {
        let mut seen = BTreeSet::new();
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = fs::read(path).unwrap();
                let lines = text.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
                seen.extend(lines.filter_map(|line| self.objects.get(line.trim_matches('\0'))));
            }
        }
        seen
    }
}

/// State that survives a crash.
type Kept = (BTreeMap<CallKey, tokmeter::testing::domain::Call>, BTreeMap<PathBuf, Checkpoint>, BTreeSet<u64>);

fn counted(meter: &Meter) -> BTreeSet<u64> {
    meter.books.ids().iter().map(|id| id.parse().unwrap()).collect()
}

fn check(meter: &Meter, world: &World, seen: &BTreeSet<u64>) -> Result<(), TestCaseError> {
    let counted = counted(meter);
    prop_assert!(seen.is_subset(&counted), "seen and not counted: {:?}", seen.difference(&counted).collect::<Vec<_>>());
    for call in meter.books.calls.values() {
        let number: u64 = call.model.as_ref().unwrap()[2..].parse().unwrap();
        prop_assert!(world.whole.contains(&number), "counted and never written: {}", number);
        prop_assert_eq!((call.tokens.input, call.tokens.output), (1000 + number, 7 * number + 1), "a torn record");
    }
    prop_assert_eq!(meter.books.calls.len(), counted.len(), "one call under two keys");
    Ok(())
}

fn run(actions: &[Action], open_files: usize) -> Result<(), TestCaseError> {
    let (_keep, home) = folder();
    let root = home.join("logs");
    fs::create_dir(&root).unwrap();
    let mut world = World::new(root.clone());
    let mut meter = Meter::with(Roots::only([root]), Options { open_files, ..Options::default() });
    let mut seen = BTreeSet::new();
    let mut kept: Kept = Kept::default();
    for action in actions {
        world.act(action);
        meter.later(1);
        if matches!(action, Action::Poll) {
            meter.poll();
        } else if matches!(action, Action::Rescan) {
            meter.rescan();
            seen.extend(world.visible());
        } else if matches!(action, Action::Restart) {
            meter.restart();
        } else if matches!(action, Action::Crash) {
            (meter.books.calls, meter.books.files, seen) = kept.clone();
            meter.restart();
        } else if matches!(action, Action::Keep) {
            kept = (meter.books.calls.clone(), meter.books.files.clone(), seen.clone());
        }
        check(&meter, &world, &seen)?;
    }
    meter.rescan();
    seen.extend(world.visible());
    check(&meter, &world, &seen)
}

/// True unless the action may destroy unread lines, or repeat lines in a second file.
fn is_gentle(action: &Action) -> bool {
    !matches!(
        action,
        Action::CopyTruncate { .. }
            | Action::Replace { .. }
            | Action::Truncate { .. }
            | Action::Regrow { .. }
            | Action::Delete { .. }
            | Action::Crash
            | Action::Rotate { .. }
    )
}

/// Without destruction every line is read exactly once, whenever and however often it is looked for.
fn run_gently(actions: &[Action], open_files: usize) -> Result<(), TestCaseError> {
    let (_keep, home) = folder();
    let root = home.join("logs");
    fs::create_dir(&root).unwrap();
    let mut world = World::new(root.clone());
    let mut meter = Meter::with(Roots::only([root]), Options { open_files, ..Options::default() });
    for action in actions.iter().filter(|action| is_gentle(action)) {
        world.act(action);
        if matches!(action, Action::Poll) {
            meter.poll();
        } else if matches!(action, Action::Rescan) {
            meter.rescan();
        } else if matches!(action, Action::Restart) {
            meter.restart();
        }
    }
    meter.rescan();
    let visible = world.visible();
    prop_assert!(visible.is_subset(&counted(&meter)));
    for (id, times) in &meter.books.sightings {
        prop_assert_eq!(*times, 1, "{} was read more than once", id);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, max_shrink_iters: 4000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_what_was_there_is_counted(
        actions in prop::collection::vec(action(), 1..40),
        open_files in prop::sample::select(vec![0_usize, 1, 64]),
    ) {
        run(&actions, open_files)?;
    }

    #[test]
    fn without_destruction_every_line_is_read_exactly_once(
        actions in prop::collection::vec(action(), 1..40),
        open_files in prop::sample::select(vec![0_usize, 1, 64]),
    ) {
        run_gently(&actions, open_files)?;
    }

    #[test]
    fn any_cut_of_the_bytes_into_writes_gives_the_same_calls_places_and_states(
        pieces in prop::collection::vec(prop_oneof![
            4 => (0_u64..400).prop_map(|number| object(number) + "\n"),
            1 => Just("\n".to_owned()),
            1 => Just("\r\n".to_owned()),
            1 => Just("{\"torn\":\n".to_owned()),
            1 => Just("{\"input_tokens\":-4,\"model\":\"m\"}\n".to_owned()),
            1 => Just("\0\0\0".to_owned()),
            1 => Just("plain words\n".to_owned()),
        ], 1..12),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        restart in any::<bool>(),
    ) {
        let text: String = pieces.concat();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.index(text.len() + 1)).collect();
        cuts.push(text.len());
        cuts.sort_unstable();
        let whole = read_in_pieces(&text, &[text.len()], false);
        let cut = read_in_pieces(&text, &cuts, restart);
        prop_assert_eq!(whole, cut);
    }
}

type Told = (Vec<tokmeter::testing::domain::Call>, u64, u64, u64, [u64; 4]);

fn read_in_pieces(text: &str, cuts: &[usize], restart: bool) -> Told {
    // One folder for all, so that the paths are comparable.
    let (_keep, root) = folder();
    let log = root.join("a.jsonl");
    append(&log, "");
    let mut meter = Meter::over(&root);
    let mut from = 0;
    for cut in cuts {
        append(&log, &text[from..*cut]);
        from = *cut;
        meter.rescan();
        if restart {
            meter.restart();
        }
    }
    let name = |path: &Path| path.file_name().unwrap().to_owned();
    assert!(meter.books.files.keys().all(|path| name(path) == "a.jsonl"));
    let tallies = meter.books.tallies;
    let calls = meter.books.calls.values().cloned().map(|mut call| {
        call.from.place = call.from.place.map(|place| tokmeter::testing::domain::Place { path: "a".into(), ..place });
        call.from.at = call.from.at.max(chrono::DateTime::UNIX_EPOCH);
        call
    });
    let (calls, state) = (calls.collect(), meter.books.files.get(&log));
    let (offset, lines, bad) = state.map_or((0, 0, 0), |state| (state.offset, state.lines, state.bad_lines));
    (calls, offset, lines, bad, [tallies.lines, tallies.read, tallies.bad, tallies.bytes])
}
