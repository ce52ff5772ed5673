//! Messages between the engine and its faces: events to a face, requests from it.

use chrono::Duration;

use crate::config::Settings;
use crate::domain::{Instant, Label, Usd};
use crate::ledger::{Change, Query, Report, Sums};
use crate::meter::{Alert, Follow, Rules, Snapshot};
use crate::pricing::Rates;
use crate::theme::Themes;

/// News for the screen.
#[derive(Debug)]
pub enum Feed {
    /// What was booked.
    Changes(Vec<Change>),
    /// The answer to a [`Request::Snapshot`], in its place among the changes.
    Snapshot(Box<Snapshot>),
    /// How far the first reading has come; `None` when it is done.
    Progress(Option<Progress>),
    /// How the sources, the books and the prices are.
    Health(Box<HealthView>),
    /// Something to say once.
    Note(Note),
    /// The config was changed while running.
    Settings(Box<NewSettings>),
    /// The answer to a [`Request::History`].
    Answer(Box<Report>),
    /// The answer to a [`Request::Models`].
    Models(Vec<ModelView>),
    /// Nothing more will come; the screen stays.
    Ended,
}

/// What the screen asks of the program around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// The meter wants to ask the books again; answered by [`Feed::Snapshot`].
    Snapshot {
        /// What it counts by.
        rules: Box<Rules>,
        /// What it follows.
        follow: Follow,
    },
    /// A question to the books; answered by [`Feed::Answer`].
    History(Query),
    /// Every model's spend, rates and what another would have cost; answered by [`Feed::Models`].
    Models,
    /// Write a limit into the config: the words of `tokmeter limits set SCOPE AMOUNT`.
    SetLimit {
        /// `day`, `user:alice:day`.
        scope: String,
        /// `25usd`, `500k`.
        amount: String,
    },
    /// Take a limit out of the config.
    UnsetLimit {
        /// As in [`Request::SetLimit`].
        scope: String,
    },
    /// A limit's threshold was reached: claim it in the books and, if no other process has, say it aloud.
    Alert(Box<Alert>),
    /// Play the demo.
    Demo,
    /// The theme was changed by key; the program may remember it.
    Theme(String),
}

/// How far the first reading has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Files read.
    pub files_done: u64,
    /// Files found.
    pub files: u64,
    /// Bytes read.
    pub bytes_done: u64,
    /// Bytes to read in all.
    pub bytes: u64,
    /// The time it will still take, when that can be told.
    pub left: Option<Duration>,
}

/// Something to say once, at the foot of the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What to say.
    pub text: Label,
    /// How it is meant.
    pub tone: Tone,
    /// True to ring the terminal's bell.
    pub bell: bool,
    /// What makes the terminal show a notification, as it is to be written: a whole sequence, made of labels only.
    pub popup: Option<Vec<u8>>,
}

/// How a note is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// For information.
    Plain,
    /// Something wants attention.
    Warning,
    /// Something is wrong.
    Danger,
}

impl Note {
    /// Something to say, on the screen only.
    pub fn new(tone: Tone, text: &str) -> Self {
        Self { text: Label::new(text), tone, bell: false, popup: None }
    }
}

/// What changed in the config while running.
#[derive(Clone, Debug)]
pub struct NewSettings {
    /// The settings now in force.
    pub settings: Box<Settings>,
    /// The themes there are.
    pub themes: Themes,
    /// What is counted and judged by from now on.
    pub rules: Rules,
}

/// A model in the Models view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelView {
    /// Its name.
    pub model: Option<Label>,
    /// All that was booked for it.
    pub sums: Sums,
    /// The rates in force now; `None` when no price is known.
    pub rates: Option<Rates>,
    /// What the same tokens would have cost on another model.
    pub elsewhere: Option<(Label, Usd)>,
}

/// How everything is that the numbers depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthView {
    /// How new data is noticed.
    pub watching: Watching,
    /// How many files are followed.
    pub files: u64,
    /// Every place that is watched, and every file about which there is something to say.
    pub sources: Vec<SourceView>,
    /// Lines that could not be counted, latest first; only so many are kept.
    pub bad_lines: Vec<BadLineView>,
    /// How many there were in all.
    pub bad_total: u64,
    /// Models without a price, and their tokens.
    pub unpriced: Vec<(Label, u64)>,
    /// How the books are.
    pub ledger: LedgerView,
    /// Which prices are in force and how old they are.
    pub prices: Option<Label>,
    /// Places where logs are expected, and where there is nothing yet.
    pub awaited: Vec<Label>,
    /// Anything else worth knowing: `3 sources gone, kept in the ledger`.
    pub notes: Vec<Label>,
}

/// How new data is noticed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Watching {
    /// The system tells.
    #[default]
    Live,
    /// By looking again and again.
    Polling,
    /// Not at all: a finished reading.
    Off,
}

/// A file or a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceView {
    /// Its path, or its name.
    pub path: Label,
    /// The log format, when it is known.
    pub format: Option<Label>,
    /// How it is watched.
    pub watching: Watching,
    /// Files followed in it.
    pub files: u64,
    /// Lines that could not be counted.
    pub bad: u64,
    /// When it last brought something.
    pub last: Option<Instant>,
    /// What is wrong with it: `permission denied`.
    pub trouble: Option<Label>,
}

/// A line that could not be counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLineView {
    /// The file.
    pub path: Label,
    /// The line, from 1.
    pub line: u64,
    /// Why.
    pub why: Label,
}

/// How the books are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LedgerView {
    /// Kept in memory only, as asked.
    #[default]
    Memory,
    /// Written.
    Open(Label),
    /// Read but not written, and why.
    ReadOnly(Label),
    /// Not written, and why; what is read is counted in memory with what is booked.
    Failed(Label),
}
