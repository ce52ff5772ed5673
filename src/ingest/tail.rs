//! One log file: its checkpoint, its identity, and reading new data from it.

use std::cell::OnceCell;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustc_hash::FxHashMap;

use super::batch_builder::BatchBuilder;
use super::fingerprint::{Fingerprint, unsupported};
use super::fs::{FileId, FileKind, Fs, Handle, Stat, fill, read_at};
use super::line_splitter::LineSplitter;
use super::project::{Projects, describe};
use super::sidecars::Sidecars;
use super::unpack::is_packed;
use super::{Condition, Owner, ReadBatch, RootKind, Tallies};
use crate::domain::{CallKey, Instant, Label, Tokens, Usd};
use crate::formats::{Decoder, FormatId, Framing};
use crate::ledger::Checkpoint;

/// Records per batch.
pub(super) const RECORDS: usize = 1024;
/// Bytes per batch, so that progress is shown and offsets are written.
const BYTES: u64 = 16 * 1024 * 1024;
/// Bytes read from one file before others get their turn.
const TURN: u64 = 64 * 1024 * 1024;
/// A last line longer than this is not searched for its end from its beginning again.
const LONG: u64 = 256 * 1024;

/// Prefix of the decoder state in a checkpoint whose offset is inside an over-long line. The rest of that line must not
/// be read as a line.
const INSIDE_TOO_LONG: &str = "inside a line that is too long\n";

/// Marks the checkpoint of a compressed file.
pub(super) const PACKED: &str = "zstd";

/// The answers of a document that were passed on, with their values at that time.
pub(super) type HandedOn = FxHashMap<CallKey, (Tokens, Option<Label>, Option<Usd>)>;

/// A followed log file.
pub(crate) struct Tail {
    /// Its checkpoint.
    pub(crate) state: Checkpoint,
    label: OnceCell<Label>,
    /// Kind of the root in which it was found.
    pub(crate) layout: RootKind,
    /// Its format, if its place or name implies it.
    pub(super) format: Option<FormatId>,
    /// How records are laid out in it.
    pub(super) framing: Framing,
    /// The answers of a document that were passed on.
    pub(super) handed_on: HandedOn,
    /// Size and change time with which a database was last read, and when it was first read in that state.
    pub(super) first_read: Option<((u64, i64), std::time::Instant)>,
    /// Since when a writer has interfered with every read of a database without locks.
    pub(super) torn: Option<std::time::Instant>,
    /// Line counters since the start.
    pub(crate) tallies: Tallies,
    /// True when none of its first lines matches a known format.
    pub(crate) strange: bool,
    /// Offset of its last line, if that is incomplete.
    pub(crate) partial: Option<u64>,
    /// Its latest condition.
    pub(crate) news: Option<Condition>,
    /// Bytes that were read but not consumed.
    pub(crate) lag: u64,
    /// True when the ledger has exactly this `state`.
    pub(super) booked: bool,
    open: Option<(Box<dyn Handle>, Decoder)>,
    /// There is no line end between the offset and this position.
    pub(super) searched: u64,
    /// True when the offset is inside an over-long line.
    skipping: bool,
    /// Its sidecar files.
    pub(super) sidecars: Option<Box<Sidecars>>,
}

/// Resources for reading. Each thread has its own.
pub(crate) struct Tools {
    /// The file system.
    pub(crate) fs: Arc<dyn Fs>,
    /// Line splitter with its buffer.
    pub(crate) splitter: LineSplitter,
    /// Names of the formats to try; empty for all.
    pub(crate) only: Arc<[String]>,
    /// Default attribution.
    pub(crate) owner: Owner,
    /// Repositories of worktrees.
    pub(crate) projects: Arc<Projects>,
    /// Set to stop reading early.
    pub(crate) stop: Arc<AtomicBool>,
    /// How long to wait for a database's writer to pause.
    pub(super) patience: std::time::Duration,
    /// True if the caller tries again by itself, so there is no need to wait for a writer here.
    pub(super) is_live: bool,
}

/// Why a read ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    /// The end of the file.
    End,
    /// Its turn is over, but there is more to read.
    More,
    /// A writer is active. Read it again after a pause.
    Busy,
    /// The path now leads to another file.
    Replaced(Stat),
}

impl Tail {
    /// A file found at a path, with its checkpoint if it has one.
    pub(crate) fn new(path: &Path, layout: RootKind, stat: &Stat, known: Option<Checkpoint>) -> Self {
        let booked = known.as_ref().is_some_and(|state| state.path.as_os_str() == path.as_os_str());
        let mut state = known.unwrap_or_else(|| Checkpoint::unread(PathBuf::new()));
        if !booked {
            path.clone_into(&mut state.path);
        }
        (state.device, state.inode) = (stat.id.device, stat.id.inode);
        let (format, framing) = layout.framing(path.file_name().unwrap_or_default());
        let sidecars = Sidecars::of(format, path, &mut state);
        Self {
            sidecars,
            label: OnceCell::new(),
            layout,
            format,
            framing,
            handed_on: HandedOn::default(),
            first_read: None,
            torn: None,
            tallies: Tallies::default(),
            strange: false,
            partial: None,
            news: None,
            lag: 0,
            booked,
            open: None,
            searched: state.offset,
            skipping: state.reader.starts_with(INSIDE_TOO_LONG),
            state,
        }
    }

    /// Its path for display.
    pub(crate) fn label(&self) -> &Label {
        self.label.get_or_init(|| Label::from_path(&self.state.path))
    }

    /// Records that the file has moved to another path.
    pub(crate) fn move_to(&mut self, path: PathBuf) {
        if self.state.path.as_os_str() != path.as_os_str() {
            self.label = OnceCell::new();
            self.sidecars = Sidecars::of(self.format, &path, &mut self.state);
            self.state.path = path;
            self.booked = false;
        }
    }

    pub(crate) fn id(&self) -> FileId {
        FileId { device: self.state.device, inode: self.state.inode }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.state.path
    }

    /// True when the file has not changed since it was read.
    pub(crate) fn is_read(&self, stat: &Stat) -> bool {
        self.id() == stat.id && self.state.size == stat.size && self.state.modified_ns == stat.changed_ns
    }

    /// True while its descriptor is open.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Closes the descriptor; the decoder's state is in the checkpoint.
    pub(crate) fn close(&mut self) {
        self.open = None;
    }

    /// Current metadata from the open descriptor, if there is one.
    pub(crate) fn held(&self) -> Option<io::Result<Stat>> {
        self.open.as_ref().map(|(handle, _)| handle.stat())
    }

    /// Reads new data and emits it.
    pub(crate) fn read(&mut self, tools: &mut Tools, hand: &mut dyn FnMut(ReadBatch)) -> io::Result<Reached> {
        if self.framing == Framing::Sqlite {
            return self.read_database(tools, hand);
        }
        let seen = self.sidecar_stamp(&*tools.fs);
        let (handle, mut lines, facts) = match self.open.take() {
            Some((handle, mut lines)) => {
                let facts = describe(self.format, self.path(), &mut lines, &*tools.fs);
                (handle, lines, facts)
            }
            None => {
                let mut lines = tools.decoder(self.format);
                let facts = describe(self.format, self.path(), &mut lines, &*tools.fs);
                let remembered = self.state.reader.as_str();
                lines.restore(remembered.strip_prefix(INSIDE_TOO_LONG).unwrap_or(remembered));
                (tools.fs.open(&self.state.path)?, lines, facts)
            }
        };
        let stat = handle.stat()?;
        if stat.id != self.id() || stat.sort != FileKind::File {
            return Ok(Reached::Replaced(stat));
        }
        self.learn(seen, &facts, &mut lines, tools);
        let modified = Instant::from_timestamp_nanos(stat.modified_ns);
        let builder = BatchBuilder::new(lines, self.label().clone(), modified, self.state.lines);
        let mut reading = Reading { tail: self, handle: &*handle, builder, stat, hand };
        let reached = match reading.tail.framing {
            Framing::Document => reading.read_document(tools)?,
            Framing::Lines | Framing::Sqlite => reading.run(tools)?,
        };
        let lines = reading.builder.into_lines();
        self.open = Some((handle, lines));
        Ok(reached)
    }

    /// A decoder with the file's format and project, if those are known.
    pub(super) fn decoder(&self, tools: &Tools) -> Decoder {
        let mut decoder = tools.decoder(self.format);
        describe(self.format, self.path(), &mut decoder, &*tools.fs);
        decoder
    }

    /// Resets the checkpoint. The next read starts at the first byte.
    pub(super) fn restart(&mut self) {
        let Checkpoint { path, device, inode, .. } =
            std::mem::replace(&mut self.state, Checkpoint::unread(PathBuf::new()));
        self.state = Checkpoint { device, inode, ..Checkpoint::unread(path) };
        (self.searched, self.skipping, self.partial) = (0, false, None);
    }
}

/// Kind of content.
enum Content {
    Decoder,
    /// Lines, compressed.
    Packed,
    /// Unsupported. The condition has been noted.
    Unsupported,
}

/// One read of one file.
pub(super) struct Reading<'a> {
    pub(super) tail: &'a mut Tail,
    pub(super) handle: &'a dyn Handle,
    pub(super) builder: BatchBuilder,
    pub(super) stat: Stat,
    pub(super) hand: &'a mut dyn FnMut(ReadBatch),
}

impl Reading<'_> {
    fn run(&mut self, tools: &mut Tools) -> io::Result<Reached> {
        let mut fingerprint = self.identify(tools)?;
        if self.tail.state.offset == 0 || self.tail.state.reader == PACKED {
            match self.kind()? {
                Content::Decoder => {}
                Content::Packed => return self.read_packed(tools),
                Content::Unsupported => return Ok(Reached::End),
            }
        }
        if !self.has_news(tools)? {
            (self.tail.state.size, self.tail.state.modified_ns) = (self.tail.searched, self.stat.changed_ns);
            return Ok(Reached::End);
        }
        let begin = self.tail.state.offset;
        let longest = tools.splitter.longest();
        // The line end after an object that was consumed early is not another line.
        let mut inside = fingerprint.is_inside_a_line();
        tools.splitter.begin(begin, self.tail.skipping);
        let reached = loop {
            let count = tools.splitter.fill(|into, offset| read_at(self.handle, into, offset))?;
            while let Some(frame) = tools.splitter.next() {
                self.builder.piece(&frame, std::mem::take(&mut inside), longest);
                if self.builder.records.len() >= RECORDS {
                    tools.splitter.tell(&mut fingerprint);
                    self.flush(tools, &fingerprint, Reached::More);
                }
            }
            if count == 0 {
                break Reached::End;
            }
            tools.splitter.tell(&mut fingerprint);
            let consumed = tools.splitter.consumed();
            if consumed.saturating_sub(self.tail.state.offset) >= BYTES {
                self.flush(tools, &fingerprint, Reached::More);
            }
            if consumed.saturating_sub(begin) >= TURN || tools.is_stopping() {
                break Reached::More;
            }
        };
        if reached == Reached::End {
            if let Some(frame) = tools.splitter.whole_rest() {
                self.builder.piece(&frame, inside, longest);
            }
            tools.splitter.tell(&mut fingerprint);
            let (rest, offset) = tools.splitter.rest();
            self.tail.partial = (!rest.is_empty()).then_some(offset);
        }
        self.tail.skipping = tools.splitter.is_skipping();
        self.flush(tools, &fingerprint, reached);
        Ok(reached)
    }

    /// The fingerprint at the offset. Starts over if the file's content has changed.
    fn identify(&mut self, tools: &Tools) -> io::Result<Fingerprint> {
        if let Some(fingerprint) = Fingerprint::check(self.handle, &self.tail.state, self.stat.size)? {
            if self.stat.size <= self.tail.searched {
                // Nothing was appended, so data after the offset may have been overwritten.
                self.tail.searched = self.tail.state.offset;
            }
            return Ok(fingerprint);
        }
        let (size, offset) = (self.stat.size, self.tail.state.offset);
        let change = if size < offset { "file truncated" } else { "file rewritten" };
        tracing::info!(path = %self.tail.label(), size, offset, "{change}, read again from its beginning");
        self.tail.restart();
        self.tail.news = Some(Condition::Rewritten);
        self.builder.restart(self.tail.decoder(tools));
        Ok(Fingerprint::default())
    }

    /// Determines the kind of content from the first bytes.
    fn kind(&mut self) -> io::Result<Content> {
        let mut head = [0; 8];
        let count = fill(self.handle, &mut head, 0)?;
        if is_packed(&head[..count]) {
            return Ok(Content::Packed);
        }
        let Some(what) = unsupported(&head[..count]) else { return Ok(Content::Decoder) };
        self.tail.news = Some(Condition::Unsupported(what));
        (self.tail.state.size, self.tail.state.modified_ns) = (self.stat.size, self.stat.changed_ns);
        Ok(Content::Unsupported)
    }

    /// False when the last line is long and still has no end, so it need not be read again.
    fn has_news(&mut self, tools: &mut Tools) -> io::Result<bool> {
        let (offset, searched) = (self.tail.state.offset, self.tail.searched);
        if searched.saturating_sub(offset) < LONG || self.tail.skipping {
            return Ok(true);
        }
        tools.splitter.begin(searched, true);
        let mut last = 0;
        loop {
            let count = tools.splitter.fill(|into, offset| {
                let count = read_at(self.handle, into, offset)?;
                last = into[..count].iter().rfind(|byte| !byte.is_ascii_whitespace()).copied().unwrap_or(last);
                Ok(count)
            })?;
            if tools.splitter.next().is_some() {
                return Ok(true);
            }
            self.tail.searched = tools.splitter.seen();
            if count == 0 {
                // It may have become a complete object or an over-long line.
                let length = self.tail.searched.saturating_sub(offset);
                return Ok(last == b'}' || length > tools.splitter.longest() as u64);
            }
            tools.splitter.tell(&mut Fingerprint::default());
        }
    }

    /// Emits the batch with an updated checkpoint.
    fn flush(&mut self, tools: &Tools, fingerprint: &Fingerprint, reached: Reached) {
        let tail = &mut *self.tail;
        let offset = tools.splitter.consumed();
        let is_news = offset != tail.state.offset || self.builder.has_news() || !tail.booked;
        let bytes = offset.saturating_sub(tail.state.offset);
        let (batch, unknown) = self.builder.batch(bytes, &mut tail.tallies, &tools.owner, &tools.projects);
        tail.strange = unknown && (tail.layout == RootKind::Named || tail.tallies.bad > 0);
        if let Some(offset) = self.builder.too_long.take() {
            tail.news = Some(Condition::OverLong { lines: tail.tallies.over_long, offset });
        }
        let state = &mut tail.state;
        state.offset = offset;
        state.lines += batch.tallies.lines;
        state.bad_lines += batch.tallies.bad;
        fingerprint.seal(state);
        (tail.searched, state.modified_ns) = match reached {
            Reached::End => (tools.splitter.seen(), self.stat.changed_ns),
            // Prevents the file from looking fully read.
            Reached::More | Reached::Busy | Reached::Replaced(_) => (offset, 0),
        };
        state.size = tail.searched;
        tail.lag = self.stat.size.max(tail.searched).saturating_sub(offset);
        if is_news {
            let mark = if tools.splitter.is_skipping() { INSIDE_TOO_LONG } else { "" };
            state.reader = [mark, &self.builder.state()].concat();
            tail.booked = true;
            (self.hand)(ReadBatch { file: Some(tail.checkpoint()), ..batch });
        }
    }
}
