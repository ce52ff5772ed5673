//! Watches a few single files, such as the config, whether they exist yet or not.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, SystemTime};

use notify::event::ModifyKind;
use notify::{EventKind, RecursiveMode, Watcher};

use super::watcher::watcher;
use crate::ledger::is_network;

/// Pause after each write to one of the files. The ledger's own log is written page by page, up to thousands of times per
/// second, and meanwhile the system merges identical events. Nobody sees a change that is shown a few frames later.
const PAUSE: Duration = Duration::from_millis(50);

/// Pause between checks of files that cannot be watched.
const LOOK: Duration = Duration::from_secs(1);

/// Keeps the watch alive. Dropping it ends the watch.
#[derive(Debug)]
pub(crate) struct FileWatch {
    stop: Sender<Option<notify::Event>>,
}

impl Drop for FileWatch {
    fn drop(&mut self) {
        let _ = self.stop.send(None);
    }
}

/// Calls `tell` with one of these files whenever it may have changed: when it was written, created, replaced or
/// removed.
///
/// Watches the files' folders and also their parents, because a folder may be moved. If a folder does not exist,
/// watches the nearest existing one above it. Where the system allows no more watches, the files are checked every second.
/// `None` if it allows no thread.
pub(crate) fn watch_files(files: Vec<PathBuf>, tell: impl Fn(&Path) + Send + 'static) -> Option<FileWatch> {
    let (stop, events) = channel();
    let (say, files): (_, Arc<[PathBuf]>) = (stop.clone(), files.into());
    let ours = Arc::clone(&files);
    let watcher = watcher(move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return };
        if !matters(&event, &ours) {
            return;
        }
        let is_write = is_write(&event);
        let _ = say.send(Some(event));
        if is_write {
            thread::sleep(PAUSE);
        }
    });
    let seen = files.iter().map(|file| Seen { stamp: stamp(file), is_new: false }).collect();
    let mut places = Places { watcher: watcher.ok(), watched: Vec::new(), is_watched: false, seen, files };
    places.watch();
    thread::Builder::new().name("file-watch".into()).spawn(move || places.run(&events, &tell)).ok()?;
    Some(FileWatch { stop })
}

struct Places {
    /// `None` if the system allows none.
    watcher: Option<notify::RecommendedWatcher>,
    watched: Vec<PathBuf>,
    /// True if every change of the files is an event.
    is_watched: bool,
    /// The files when they were checked last.
    seen: Vec<Seen>,
    files: Arc<[PathBuf]>,
}

/// A file that was checked.
struct Seen {
    stamp: Option<Stamp>,
    /// It had changed, and may do so again within the same tick of its clock.
    is_new: bool,
}

/// Length, time of the last change, and identity.
type Stamp = (u64, Option<SystemTime>, u64);

fn stamp(file: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(file).ok()?;
    #[cfg(unix)]
    let identity = std::os::unix::fs::MetadataExt::ino(&metadata);
    #[cfg(not(unix))]
    let identity = 0;
    Some((metadata.len(), metadata.modified().ok(), identity))
}

fn is_write(event: &notify::Event) -> bool {
    matches!(event.kind, EventKind::Modify(ModifyKind::Data(_)))
}

/// False for reads, and for writes to other files in the folders: both are frequent, and neither changes one of the files
/// or creates a folder.
fn matters(event: &notify::Event, files: &[PathBuf]) -> bool {
    let is_ours = || event.paths.iter().any(|path| files.contains(path));
    !matches!(event.kind, EventKind::Access(_)) && (!is_write(event) || is_ours())
}

impl Places {
    fn run(mut self, events: &Receiver<Option<notify::Event>>, tell: &dyn Fn(&Path)) {
        loop {
            let event = if self.is_watched { events.recv().ok().flatten() } else { self.next(events, tell) };
            let Some(event) = event else { return };
            self.forget(&event);
            let deeper = !is_write(&event) && self.watch();
            for file in &*self.files {
                // A new folder may already have contained the file before it was watched.
                if event.paths.iter().any(|path| path == file) || (deeper && file.exists()) {
                    tell(file);
                }
            }
        }
    }

    /// Checks the files until an event comes, or until their folders can be watched.
    fn next(&mut self, events: &Receiver<Option<notify::Event>>, tell: &dyn Fn(&Path)) -> Option<notify::Event> {
        loop {
            match events.recv_timeout(LOOK) {
                Ok(event) => return event,
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.watch();
            for (file, seen) in self.files.iter().zip(&mut self.seen) {
                let now = stamp(file);
                let is_new = now != seen.stamp;
                if is_new || seen.is_new {
                    tell(file);
                }
                *seen = Seen { stamp: now, is_new };
            }
        }
    }

    /// Drops watches on folders that were removed or moved away, even if other folders now have their names.
    fn forget(&mut self, event: &notify::Event) {
        if !matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))) {
            return;
        }
        let (gone, kept): (Vec<PathBuf>, _) = std::mem::take(&mut self.watched)
            .into_iter()
            .partition(|folder| event.paths.iter().any(|path| folder.starts_with(path)));
        self.watched = kept;
        for folder in gone {
            // Folders that no longer exist cannot be unwatched.
            let _ = self.watcher.as_mut().map(|watcher| watcher.unwatch(&folder));
        }
    }

    /// Watches the nearest existing folders above each file. Returns true if they have changed.
    ///
    /// A folder may appear between the check and the watch without an event, so this repeats until nothing is new.
    fn watch(&mut self) -> bool {
        let first = self.watched.len();
        let mut before = usize::MAX;
        while before != self.watched.len() {
            before = self.watched.len();
            self.watch_once();
        }
        before != first
    }

    fn watch_once(&mut self) {
        // Changes made on another machine are no events.
        self.is_watched = !self.files.iter().any(|file| is_network(file));
        for file in &*self.files {
            let nearest = file.ancestors().skip(1).skip_while(|folder| !folder.is_dir());
            // Folders further up see many unrelated changes.
            let count = if file.parent().is_some_and(Path::is_dir) { 2 } else { 1 };
            for (nth, folder) in nearest.take(count).enumerate() {
                let known = self.watched.iter().any(|watched| watched == folder);
                let mode = RecursiveMode::NonRecursive;
                if !known && self.watcher.as_mut().is_some_and(|watcher| watcher.watch(folder, mode).is_ok()) {
                    self.watched.push(folder.to_owned());
                } else if !known && nth == 0 {
                    self.is_watched = false;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::time::Duration;

    #[test]
    fn reads_and_writes_to_other_files_do_not_matter() {
        use notify::event::{AccessKind, AccessMode, CreateKind, DataChange};
        let files = [PathBuf::from("/data/ledger.db-wal")];
        let matters = |kind, path: &str| matters(&notify::Event::new(kind).add_path(path.into()), &files);
        let written = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        assert!(matters(written, "/data/ledger.db-wal"));
        assert!(!matters(written, "/data/spool.jsonl"));
        assert!(!matters(EventKind::Access(AccessKind::Close(AccessMode::Write)), "/data/ledger.db-wal"));
        assert!(matters(EventKind::Create(CreateKind::Folder), "/data"), "it may hold one of the files");
    }

    #[test]
    fn a_file_is_noticed_when_it_is_made_in_a_folder_that_did_not_exist_and_when_it_changes() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("config/tokmeter/config.toml");
        let (say, hear) = channel();
        let _notice = watch_files(vec![file.clone()], move |path| drop(say.send(path.to_owned()))).unwrap();
        let timeout = Duration::from_secs(20);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        // The two folders and the file appear faster than they can be watched.
        fs::write(&file, "one").unwrap();
        assert_eq!(hear.recv_timeout(timeout).unwrap(), file);
        fs::write(home.path().join("config/tokmeter/other"), "x").unwrap();
        fs::write(file.with_extension("new"), "two").unwrap();
        fs::rename(file.with_extension("new"), &file).unwrap();
        assert_eq!(hear.recv_timeout(timeout).unwrap(), file);
    }

    #[test]
    fn h2_files_that_cannot_be_watched_are_checked() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("config/config.toml");
        let (say, hear) = channel();
        let (stop, events) = channel();
        let seen = vec![Seen { stamp: None, is_new: false }];
        let files = Arc::from([file.clone()]);
        let mut places = Places { watcher: None, watched: Vec::new(), is_watched: false, seen, files };
        places.watch();
        let looks =
            thread::spawn(move || places.run(&events, &|path: &Path| drop(say.send(fs::read_to_string(path).ok()))));
        let wait_for = |text: Option<&str>| {
            while hear.recv_timeout(Duration::from_secs(20)).unwrap().as_deref() != text {}
        };
        fs::create_dir(file.parent().unwrap()).unwrap();
        fs::write(&file, "one").unwrap();
        wait_for(Some("one"));
        fs::write(&file, "two").unwrap();
        wait_for(Some("two"));
        fs::remove_file(&file).unwrap();
        wait_for(None);
        stop.send(None).unwrap();
        looks.join().unwrap();
        // Nothing changed after that, and nothing was reported more than once more.
        assert!(hear.try_iter().count() <= 1);
    }

    #[test]
    fn a2_a_folder_that_is_removed_and_made_again_is_watched_again() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("config/tokmeter");
        let file = folder.join("config.toml");
        fs::create_dir_all(&folder).unwrap();
        fs::write(&file, "0").unwrap();
        let (say, hear) = channel();
        let _notice =
            watch_files(vec![file.clone()], move |path| drop(say.send(fs::read_to_string(path).ok()))).unwrap();
        let wait_for = |text: &str| {
            while hear.recv_timeout(Duration::from_secs(20)).unwrap().as_deref() != Some(text) {}
        };
        for (nth, gone) in [folder.as_path(), folder.parent().unwrap(), folder.as_path()].into_iter().enumerate() {
            fs::remove_dir_all(gone).unwrap();
            fs::create_dir_all(&folder).unwrap();
            fs::write(&file, nth.to_string()).unwrap();
            wait_for(&nth.to_string());
            let moved = home.path().join(format!("moved-{nth}"));
            fs::rename(gone, moved).unwrap();
            fs::create_dir_all(&folder).unwrap();
            fs::write(&file, format!("after {nth}")).unwrap();
            wait_for(&format!("after {nth}"));
        }
    }

    #[test]
    fn a2_a_folder_that_moves_away_with_the_one_above_it_is_watched_again() {
        let home = tempfile::tempdir().unwrap();
        let above = home.path().join("config");
        let file = above.join("tokmeter/config.toml");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let (say, hear) = channel();
        let _notice =
            watch_files(vec![file.clone()], move |path| drop(say.send(fs::read_to_string(path).ok()))).unwrap();
        // Nothing happens below the moved folder, so only the move itself causes an event.
        fs::rename(&above, home.path().join("moved")).unwrap();
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "after").unwrap();
        while hear.recv_timeout(Duration::from_secs(20)).unwrap().as_deref() != Some("after") {}
    }
}
