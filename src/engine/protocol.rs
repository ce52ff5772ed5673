//! Messages between the engine and its faces: events to a face, requests from it.

use chrono::Duration;

use crate::config::Settings;
use crate::domain::{CallKey, Instant, Label, Status, Usd};
use crate::ledger::{Change, Query, Report, Sums};
use crate::meter::{Alert, Follow, Rules, Snapshot};
use crate::pricing::Rates;
use crate::theme::Themes;

/// Messages to the screen.
#[derive(Debug)]
pub enum Feed {
    /// Changes of the ledger.
    Changes(Vec<Change>),
    /// Answer to a [`Request::Snapshot`], in order with the changes.
    Snapshot(Box<Snapshot>),
    /// The latest statements of agents and providers.
    Statuses(Vec<Status>),
    /// Progress of the first reading; `None` when complete.
    Progress(Option<Progress>),
    /// State of sources, ledger and prices.
    Health(Box<HealthView>),
    /// A note to be shown once.
    Note(Note),
    /// The config has changed.
    Settings(Box<NewSettings>),
    /// Answer to a [`Request::History`].
    Answer(Box<Report>),
    /// Answer to a [`Request::Models`].
    Models(Vec<ModelView>),
    /// Answer to a [`Request::Explain`].
    Explained(Box<Explained>),
    /// No further messages; the screen stays open.
    Ended,
}

/// Requests from the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// The meter needs a new snapshot; answered by [`Feed::Snapshot`].
    Snapshot {
        /// The meter's rules.
        rules: Box<Rules>,
        /// The followed sessions.
        follow: Follow,
    },
    /// A ledger query; answered by [`Feed::Answer`].
    History(Query),
    /// Every model's spend, rates and cheaper alternative; answered by [`Feed::Models`].
    Models,
    /// The arithmetic of a call's cost and its log line; answered by [`Feed::Explained`].
    Explain(CallKey),
    /// Save a view with its filter in the config, under a name.
    SaveView {
        /// The name.
        name: String,
        /// The view and the filter: `sessions api-server`.
        view: String,
    },
    /// Write a limit to the config, with the arguments of `tokmeter limits set SCOPE AMOUNT`.
    SetLimit {
        /// `day`, `user:alice:day`.
        scope: String,
        /// `25usd`, `500k`.
        amount: String,
    },
    /// Remove a limit from the config.
    UnsetLimit {
        /// As in [`Request::SetLimit`].
        scope: String,
    },
    /// A limit reached a threshold: claim the alert in the ledger and, if no other process has, deliver it.
    Alert(Box<Alert>),
    /// Play the demo.
    Demo,
    /// The theme was changed by key; the program may save it.
    Theme(String),
}

/// Where the cost of a call comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The call.
    pub key: CallKey,
    /// Lines that `tokmeter explain` prints for it.
    pub lines: Vec<Label>,
}

/// Progress of the first reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Files read.
    pub files_done: u64,
    /// Files found.
    pub files: u64,
    /// Bytes read.
    pub bytes_done: u64,
    /// Total bytes to read.
    pub bytes: u64,
    /// Estimated remaining time, if known.
    pub left: Option<Duration>,
}

/// A note shown at the bottom of the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Text of the note.
    pub text: Label,
    /// Severity.
    pub tone: Tone,
    /// True to ring the terminal's bell.
    pub bell: bool,
    /// Escape sequence for a desktop notification by the terminal, made of labels only.
    pub popup: Option<Vec<u8>>,
    /// Name of the limit that it is about, which a banner may show already.
    pub limit: Option<Label>,
}

/// Severity of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// For information.
    Plain,
    /// Needs attention.
    Warning,
    /// Something is wrong.
    Danger,
}

impl Note {
    /// A note for the screen only.
    pub fn new(tone: Tone, text: &str) -> Self {
        Self { text: Label::new(text), tone, bell: false, popup: None, limit: None }
    }
}

/// Settings that changed while running.
#[derive(Clone, Debug)]
pub struct NewSettings {
    /// The settings now in force.
    pub settings: Box<Settings>,
    /// Available themes.
    pub themes: Themes,
    /// New rules.
    pub rules: Rules,
}

/// A model in the Models view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelView {
    /// Its name.
    pub model: Option<Label>,
    /// Its sums.
    pub sums: Sums,
    /// The rates in force now; `None` when no price is known.
    pub rates: Option<Rates>,
    /// Cost of the same tokens on another model.
    pub elsewhere: Option<(Label, Usd)>,
}

/// State of everything the numbers depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthView {
    /// How changes are detected.
    pub watching: Watching,
    /// Number of files followed.
    pub files: u64,
    /// Watched places, and files with conditions.
    pub sources: Vec<SourceView>,
    /// The latest bad lines, newest first.
    pub bad_lines: Vec<BadLineView>,
    /// Total number of bad lines.
    pub bad_total: u64,
    /// Models without a price, with their tokens.
    pub unpriced: Vec<(Label, u64)>,
    /// State of the ledger.
    pub ledger: LedgerView,
    /// The price list in use and its age.
    pub prices: Option<Label>,
    /// Named log locations that do not exist yet.
    pub awaited: Vec<Label>,
    /// Agents of which no log location exists.
    pub absent: Vec<&'static str>,
    /// Agents that were found, how exact their logs are, and what is not in them.
    pub found: Vec<(&'static str, String, &'static str)>,
    /// Time between the latest call of each log format and its arrival, of calls that came while this runs.
    pub lags: Vec<(Label, Duration)>,
    /// Other notes: `3 sources gone, kept in the ledger`.
    pub notes: Vec<Label>,
}

/// How changes are detected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Watching {
    /// By file system events.
    #[default]
    Live,
    /// By polling.
    Polling,
    /// Not at all, after a completed reading.
    Off,
}

/// A file or a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceView {
    /// Path or name.
    pub path: Label,
    /// Log format, if known.
    pub format: Option<Label>,
    /// How exact an agent's logs are: `E$` and the like; empty for other sources.
    pub fidelity: String,
    /// How changes are detected.
    pub watching: Watching,
    /// Number of files followed.
    pub files: u64,
    /// Number of bad lines.
    pub bad: u64,
    /// Time of the last data.
    pub last: Option<Instant>,
    /// Problem, such as `permission denied`.
    pub trouble: Option<Label>,
}

/// A line that could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLineView {
    /// The file.
    pub path: Label,
    /// Line number from 1.
    pub line: u64,
    /// The reason.
    pub why: Label,
}

/// State of the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LedgerView {
    /// In memory only, as requested.
    #[default]
    Memory,
    /// Open for writing.
    Open(Label),
    /// Read-only, with the reason.
    ReadOnly(Label),
    /// Cannot be written, with the reason; new calls are counted in memory.
    Failed(Label),
}
