//! A file system with scripted faults.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokmeter::testing::ingest::{Entry, Fs, Handle, OsFs, Stat};

/// The next result of reading a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The file cannot be opened.
    Open(io::ErrorKind),
    /// Reading fails with this errno.
    Errno(i32),
    /// A read returns at most this many bytes.
    Short(usize),
}

/// The real file system, with faults.
#[derive(Clone, Default)]
pub(crate) struct Script {
    steps: Arc<Mutex<HashMap<PathBuf, Vec<Step>>>>,
    pub(crate) opened: Arc<AtomicUsize>,
    pub(crate) held: Arc<AtomicUsize>,
    pub(crate) most_held: Arc<AtomicUsize>,
    /// Number of descriptors available; 0 for unlimited.
    pub(crate) allowed: Arc<AtomicUsize>,
}

impl Script {
    /// Schedules these results for a file, one per call.
    pub(crate) fn then(&self, path: &Path, steps: &[Step]) {
        self.steps.lock().unwrap().entry(path.to_owned()).or_default().extend(steps);
    }

    /// Results not used yet.
    pub(crate) fn left(&self) -> usize {
        self.steps.lock().unwrap().values().map(Vec::len).sum()
    }

    fn next(&self, path: &Path, wanted: impl Fn(Step) -> bool) -> Option<Step> {
        let mut steps = self.steps.lock().unwrap();
        let steps = steps.get_mut(path)?;
        (!steps.is_empty() && wanted(steps[0])).then(|| steps.remove(0))
    }
}

impl Fs for Script {
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        OsFs.stat(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        OsFs.list(folder)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Handle>> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        if let Some(Step::Open(kind)) = self.next(path, |step| matches!(step, Step::Open(_))) {
            return Err(kind.into());
        }
        let allowed = self.allowed.load(Ordering::SeqCst);
        let held = self.held.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_held.fetch_max(held, Ordering::SeqCst);
        let open = Open { file: None, script: self.clone(), path: path.to_owned() };
        if allowed > 0 && held > allowed {
            return Err(io::Error::from_raw_os_error(24));
        }
        Ok(Box::new(Open { file: Some(OsFs.open(path)?), script: self.clone(), path: open.keep() }))
    }
}

struct Open {
    file: Option<Box<dyn Handle>>,
    script: Script,
    path: PathBuf,
}

impl Open {
    /// Gives the place up without counting it as closed.
    fn keep(mut self) -> PathBuf {
        self.script.held.fetch_add(1, Ordering::SeqCst);
        std::mem::take(&mut self.path)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.script.held.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Handle for Open {
    fn stat(&self) -> io::Result<Stat> {
        self.file.as_ref().unwrap().stat()
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let file = self.file.as_ref().unwrap();
        match self.script.next(&self.path, |step| matches!(step, Step::Errno(_) | Step::Short(_))) {
            Some(Step::Errno(number)) => Err(io::Error::from_raw_os_error(number)),
            Some(Step::Short(count)) => {
                let count = count.min(into.len());
                file.read_at(&mut into[..count], offset)
            }
            _ => file.read_at(into, offset),
        }
    }
}
