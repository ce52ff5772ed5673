//! Messages between the engine and its interfaces: events to an interface, requests from it.

use chrono::Duration;

use crate::config::Settings;
use crate::domain::{CallKey, Instant, Label, Status, Usd};
use crate::ledger::{Change, Query, Report, Sums};
use crate::meter::{Alert, Follow, Rules, Snapshot};
use crate::pricing::Rates;
use crate::theme::Themes;

/// Messages to the screen.
#[derive(Debug)]
pub enum EngineEvent {
    /// Changes of the ledger.
    Changes(Vec<Change>),
    /// Answer to a [`Request::Snapshot`], in the right order among the changes.
    Snapshot(Box<Snapshot>),
    /// The latest status reports of agents and providers.
    Statuses(Vec<Status>),
    /// Progress of the first read; `None` when it is complete.
    Progress(Option<Progress>),
    /// State of sources, ledger and prices.
    Health(Box<HealthView>),
    /// A note to show once.
    Note(Note),
    /// The config has changed.
    Settings(Box<NewSettings>),
    /// Answer to a [`Request::History`].
    Answer(Box<Report>),
    /// Answer to a [`Request::Models`].
    Models(Vec<ModelView>),
    /// Answer to a [`Request::Explain`].
    Explained(Box<Explained>),
    /// There will be no further messages, but the screen stays open.
    Ended,
}

/// Requests from the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Request for a new snapshot for the meter, which follows these sessions. Answered by [`EngineEvent::Snapshot`],
    /// by the rules of the latest [`EngineEvent::Settings`].
    Snapshot(Follow),
    /// A ledger query. Answered by [`EngineEvent::Answer`].
    History(Query),
    /// Every model's spending, rates and cheapest alternative. Answered by [`EngineEvent::Models`].
    Models,
    /// How a call's cost is computed, and its log line. Answered by [`EngineEvent::Explained`].
    Explain(CallKey),
    /// Save a view and its filter in the config under a name.
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
        /// The same as in [`Request::SetLimit`].
        scope: String,
    },
    /// A limit has reached a threshold. Claim the alert in the ledger and deliver it, unless another process has done
    /// so.
    Alert(Box<Alert>),
    /// Play the demo.
    Demo,
    /// Time between two frames of the interface: new lines need not be read more often.
    Pace(std::time::Duration),
    /// The theme was changed with a key. The program may save it.
    Theme(String),
}

/// How the cost of a call is computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The call.
    pub key: CallKey,
    /// The lines that `tokmeter explain` prints for it.
    pub lines: Vec<Label>,
}

/// Progress of the first read.
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
    /// How serious it is.
    pub tone: Tone,
    /// True to ring the terminal's bell.
    pub bell: bool,
    /// Escape sequence that makes the terminal show a desktop notification. Contains only labels.
    pub popup: Option<Vec<u8>>,
    /// Name of the limit that it is about, because a banner may already show it.
    pub limit: Option<Label>,
}

/// How serious a note is.
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
    /// A note that is only shown on the screen.
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
    /// The rates in force now; `None` if no price is known.
    pub rates: Option<Rates>,
    /// Another model, and the cost of the same tokens on it.
    pub elsewhere: Option<(Label, Usd)>,
}

/// State of everything the numbers depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthView {
    /// How changes are detected.
    pub watching: Watching,
    /// Number of files followed.
    pub files: u64,
    /// Watched places, and files that have conditions.
    pub sources: Vec<SourceView>,
    /// The latest bad lines, newest first.
    pub bad_lines: Vec<BadLineView>,
    /// Total number of bad lines.
    pub bad_total: u64,
    /// Number of files that may contain more calls and could not be read.
    pub unread_files: u64,
    /// Models without a price, with their tokens.
    pub unpriced: Vec<(Label, u64)>,
    /// Those of these models that have a price by now. Their calls get it when the ledger is priced again.
    pub priced_now: Vec<Label>,
    /// State of the ledger.
    pub ledger: LedgerView,
    /// The first error in the config file, if the settings from before its last change still apply.
    pub config_trouble: Option<Label>,
    /// The price list in use and its age.
    pub prices: Option<Label>,
    /// Log locations given by the user that do not exist yet.
    pub awaited: Vec<Label>,
    /// Agents that have no log location on this machine.
    pub absent: Vec<&'static str>,
    /// Agents that were found, with how exact their logs are and what they leave out.
    pub found: Vec<(&'static str, String, &'static str)>,
    /// Time between the latest call of each log format and its arrival, for calls that arrived during this run.
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
    /// Not at all: reading is complete.
    Off,
}

/// A file or a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceView {
    /// Path or name.
    pub path: Label,
    /// Log format, if known.
    pub format: Option<Label>,
    /// How exact an agent's logs are, such as `E$`; empty for other sources.
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
    /// Cannot be written, with the reason. New calls are counted in memory.
    Failed(Label),
}
