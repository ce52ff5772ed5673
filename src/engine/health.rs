//! Health of everything the numbers depend on: sources, bad lines, ledger, prices.

#[cfg(unix)]
pub(crate) mod socket;
mod sources;
mod words;

pub(crate) use words::{OLD_PRICES, condition_words, prices_words, state_name, state_words};

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use chrono::Duration;

#[cfg(unix)]
use self::socket::{SocketCounters, SocketJson};
use crate::domain::{Dimension, Instant, Label, Record, Zone};
use crate::engine::{BadLineView, HealthView, LedgerView, SourceView, Watching};
use crate::ingest::{Note, ReadBatch};
use crate::ledger::{Change, Checkpoint, Grain, Ledger, LedgerError, Query, Row};
use crate::pricing::{Cost, PriceBook};

/// Name of the source for calls from outside: the socket and the HTTP server.
const SOCKET: &str = "socket";
/// Stands for the model of calls whose log names none.
pub(crate) const NO_MODEL: &str = "(no model named)";
/// Number of bad lines kept with their text. All of them are counted.
const BAD_LINES: usize = 100;

/// Tokens per model without a price.
pub(crate) fn unpriced(books: &dyn Ledger) -> Result<BTreeMap<Label, u64>, LedgerError> {
    let query = Query { by: vec![Dimension::Model], ..Query::new(Grain::Total, Zone::UTC) };
    let rows = books.report(&query)?.rows.into_iter();
    Ok(rows
        .filter(|row| row.sums.unpriced_tokens > 0)
        .map(|row| {
            let model = row.by.into_iter().next().flatten();
            (model.unwrap_or_else(|| Label::new(NO_MODEL)), row.sums.unpriced_tokens)
        })
        .collect())
}

/// Those of these models that have a price now.
pub(crate) fn priced_now<'m>(
    models: impl Iterator<Item = &'m Label>,
    prices: &PriceBook,
    now: Instant,
) -> impl Iterator<Item = &'m Label> {
    models.filter(move |model| prices.rates(model, now).is_some())
}

/// Collects the data for the Health view.
pub(crate) struct HealthState {
    view: HealthView,
    bad: VecDeque<BadLineView>,
    unpriced: BTreeMap<Label, u64>,
    /// The ledger's state when nothing is wrong.
    ledger: LedgerView,
    /// Number of files that may contain more calls and are not read.
    unread_files: u64,
    /// Calls of a damaged ledger that could not be recovered.
    lost: Option<Note>,
    /// Counters for each watched place and feed.
    brought: BTreeMap<Label, Brought>,
    /// Time between the latest call of each log format and its arrival.
    lags: BTreeMap<Label, Duration>,
    /// Counters of the socket, once it is served.
    #[cfg(unix)]
    socket: SocketCounters,
}

#[derive(Clone, Debug, Default)]
struct Brought {
    formats: BTreeSet<Label>,
    bad: u64,
    last: Option<Instant>,
}

impl Brought {
    /// Names of its formats, if known.
    fn format(&self) -> Option<Label> {
        let names: Vec<&str> = self.formats.iter().map(Label::as_str).collect();
        (!names.is_empty()).then(|| Label::new(&names.join(", ")))
    }
}

impl HealthState {
    /// A healthy state for this ledger.
    pub(crate) fn new(ledger: LedgerView, unpriced: BTreeMap<Label, u64>) -> Self {
        Self {
            view: HealthView { ledger: ledger.clone(), ..HealthView::default() },
            bad: VecDeque::new(),
            unpriced,
            ledger,
            unread_files: 0,
            lost: None,
            brought: BTreeMap::new(),
            lags: BTreeMap::new(),
            #[cfg(unix)]
            socket: SocketCounters::default(),
        }
    }

    /// Adds the watched places with their agents, and the files read by earlier runs.
    #[must_use]
    pub(crate) fn watching<'p>(
        mut self,
        roots: impl Iterator<Item = (&'p Path, Option<&'static str>)>,
        files: &[Checkpoint],
    ) -> Self {
        let brought = |agent: Option<&str>| Brought {
            formats: agent.map(Label::new).into_iter().collect(),
            ..Brought::default()
        };
        self.brought = roots.map(|(root, agent)| (label(root), brought(agent))).collect();
        for file in files {
            let Some(brought) = self.root_of(&label(&file.path)).and_then(|root| self.brought.get_mut(&root)) else {
                continue;
            };
            brought.bad = brought.bad.saturating_add(file.bad_lines);
            let changed = Instant::from_timestamp_nanos(file.modified_ns);
            brought.last = brought.last.max(Some(changed));
        }
        self
    }

    /// Slot for the counters of the socket.
    #[cfg(unix)]
    pub(crate) fn socket(&self) -> SocketCounters {
        std::sync::Arc::clone(&self.socket)
    }

    /// The watched place that contains a file. If there are several, the innermost.
    fn root_of(&self, path: &Label) -> Option<Label> {
        let lies_in = |root: &&Label| {
            path.strip_prefix(root.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '\\']))
        };
        self.brought.keys().filter(lies_in).max_by_key(|root| root.len()).cloned()
    }

    /// Counts a source's records and bad lines.
    fn bring(&mut self, source: &Label, records: &[Record], bad: u64) {
        let source = self.root_of(source).unwrap_or_else(|| source.clone());
        let brought = self.brought.entry(source).or_default();
        brought.bad = brought.bad.saturating_add(bad);
        for record in records {
            if let Record::Call(call) = record {
                if !brought.formats.contains(&call.from.source) {
                    brought.formats.insert(call.from.source.clone());
                }
                brought.last = brought.last.max(Some(call.at()));
            }
        }
    }

    /// Number of files that may contain more calls and are not read.
    pub(crate) fn unread_files(&self) -> u64 {
        self.unread_files + u64::from(self.lost.is_some())
    }

    /// Counts records from the socket.
    pub(crate) fn delivered(&mut self, records: &[Record]) {
        self.bring(&Label::new(SOCKET), records, 0);
    }

    /// Answers `{"query":"socket"}` with the counters of the socket, as JSON.
    #[cfg(unix)]
    pub(crate) fn answer(&self, question: &str) -> Option<String> {
        #[derive(serde::Deserialize)]
        struct Question {
            query: String,
        }
        let asked: Question = serde_json::from_str(question).ok()?;
        let (path, tally) = self.socket.get().filter(|_| asked.query == "socket")?;
        serde_json::to_string(&SocketJson::from_tally(path, tally)).ok()
    }

    /// Adds the results of a batch. Returns true if the view has changed.
    pub(crate) fn batch(&mut self, batch: &ReadBatch) -> bool {
        self.view.bad_total = self.view.bad_total.saturating_add(batch.tallies.bad);
        self.bring(&batch.path, &batch.records, batch.tallies.bad);
        for note in &batch.bad {
            self.bad.push_front(BadLineView {
                path: note.path.clone(),
                line: note.line,
                why: Label::new(&note.why.to_string()),
            });
        }
        self.bad.truncate(BAD_LINES);
        batch.tallies.bad > 0
    }

    /// Records models without a price, and how long the latest new call of each source took to arrive. Returns true if
    /// calls without a price came or went.
    pub(crate) fn booked(&mut self, changes: &[Change], now: Instant) -> bool {
        self.note_lags(changes, now);
        let mut is_news = false;
        for change in changes {
            let (taken, added) = change.rows();
            for row in taken.into_iter().filter(|row| row.cost == Cost::Unpriced) {
                let tokens = self.tokens_of(row);
                *tokens = tokens.saturating_sub(row.call.tokens.total());
                is_news = true;
            }
            for row in added.into_iter().filter(|row| row.cost == Cost::Unpriced) {
                let tokens = self.tokens_of(row);
                *tokens = tokens.saturating_add(row.call.tokens.total());
                is_news = true;
            }
        }
        self.unpriced.retain(|_, tokens| *tokens > 0);
        is_news
    }

    fn note_lags(&mut self, changes: &[Change], now: Instant) {
        let mut latest: BTreeMap<&Label, Instant> = BTreeMap::new();
        for change in changes {
            if let Change::New(change) = change {
                let call = &change.after.call;
                let at = latest.entry(&call.from.source).or_insert(call.at());
                *at = call.at().max(*at);
            }
        }
        for (source, at) in latest {
            self.lags.insert(source.clone(), (now - at).max(Duration::zero()));
        }
    }

    fn tokens_of(&mut self, row: &Row) -> &mut u64 {
        let model = row.call.model.clone().unwrap_or_else(|| Label::new(NO_MODEL));
        self.unpriced.entry(model).or_default()
    }

    /// Replaces the models without a price, and their tokens, with the ledger's answer.
    pub(crate) fn unpriced(&mut self, models: BTreeMap<Label, u64>) -> bool {
        let is_news = self.unpriced != models;
        self.unpriced = models;
        is_news
    }

    /// Records a ledger error. Returns true if it is new.
    pub(crate) fn ledger_failed(&mut self, error: &LedgerError) -> bool {
        let words = Label::new(&error.to_string());
        let failed = LedgerView::Failed(words);
        let news = self.view.ledger != failed;
        self.view.ledger = failed;
        news
    }

    /// Why an answer may be too low, if there is a reason.
    pub(crate) fn doubt(&self) -> Option<String> {
        let unread = || {
            let files = crate::text::plural(self.unread_files(), "file");
            (self.unread_files() > 0).then(|| format!("{files} could not be read; the numbers may be higher"))
        };
        self.not_booked().map(Label::to_string).or_else(unread)
    }

    /// Why the ledger is not being written, if it is not.
    pub(crate) fn not_booked(&self) -> Option<&Label> {
        match &self.view.ledger {
            LedgerView::Failed(why) => Some(why),
            LedgerView::Memory | LedgerView::Open(_) | LedgerView::ReadOnly(_) => None,
        }
    }

    /// Records what is wrong with the config file, or that nothing is. Returns true if the view has changed.
    pub(crate) fn config_is(&mut self, trouble: Option<Label>) -> bool {
        let is_news = self.view.config_trouble != trouble;
        self.view.config_trouble = trouble;
        is_news
    }

    /// Replaces the ledger's state.
    pub(crate) fn ledger_is(&mut self, ledger: LedgerView) {
        self.ledger = ledger.clone();
        self.view.ledger = ledger;
    }

    /// Updates the ledger's state. Returns true if it was displayed differently before, such as read-only.
    pub(crate) fn ledger_became(&mut self, now: &LedgerView) -> bool {
        let changed = self.view.ledger != *now;
        if changed {
            self.ledger_is(now.clone());
        }
        changed
    }

    /// The current view.
    pub(crate) fn view(&self, prices: &PriceBook, now: Instant) -> HealthView {
        let mut view = self.view.clone();
        // The readers report on sources only now and then, but the counters are exact.
        for source in &mut view.sources {
            if let Some(brought) = self.brought.get(&source.path) {
                (source.format, source.bad, source.last) = (brought.format(), brought.bad, brought.last);
            }
        }
        let mut bad_lines: Vec<BadLineView> = self.bad.iter().cloned().collect();
        #[cfg(unix)]
        self.show_socket(&mut view, &mut bad_lines);
        bad_lines.truncate(BAD_LINES);
        HealthView {
            bad_lines,
            unpriced: self.unpriced.iter().map(|(model, tokens)| (model.clone(), *tokens)).collect(),
            priced_now: priced_now(self.unpriced.keys(), prices, now).cloned().collect(),
            unread_files: self.unread_files(),
            prices: Some(Label::new(&prices_words(prices, now))),
            lags: self.lags.iter().map(|(source, lag)| (source.clone(), *lag)).collect(),
            ..view
        }
    }

    /// Adds the socket to the sources and its bad lines to the list.
    #[cfg(unix)]
    fn show_socket(&self, view: &mut HealthView, bad_lines: &mut Vec<BadLineView>) {
        let Some((path, tally)) = self.socket.get() else { return };
        let counters = SocketJson::from_tally(path, tally);
        let brought = self.brought.get(SOCKET).cloned().unwrap_or_default();
        view.bad_total = view.bad_total.saturating_add(counters.bad_lines);
        let first = counters.bad_lines.saturating_sub(counters.reasons.len() as u64);
        let lines = (first + 1..).zip(&counters.reasons);
        let mut lines: Vec<BadLineView> =
            lines.map(|(line, why)| BadLineView { path: Label::new(SOCKET), line, why: Label::new(why) }).collect();
        lines.reverse();
        bad_lines.extend(lines);
        view.notes.extend(counters.words());
        view.sources.push(SourceView {
            path: path.clone(),
            format: brought.format(),
            fidelity: String::new(),
            watching: Watching::Live,
            files: 0,
            bad: counters.bad_lines,
            last: brought.last,
            trouble: None,
        });
    }
}

fn label(path: &Path) -> Label {
    Label::from_path(path)
}

#[cfg(unix)]
#[cfg(test)]
mod tests;
