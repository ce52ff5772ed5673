//! Puts together how everything is that the numbers depend on: sources, bad lines, books, prices.

use std::collections::{BTreeMap, VecDeque};

use crate::domain::{Instant, Label};
use crate::ingest::{Batch, Condition, Health, Kind, RootState};
use crate::ledger::{BooksError, Posted, Row};
use crate::pricing::{Cost, PriceBook};
use crate::text;
use crate::tui::{BadLineView, HealthView, LedgerView, SourceView, Watching};

/// Bad lines that are kept by name; all are counted.
const BAD_LINES: usize = 100;
/// A price list is worth a word when it is older than this many days.
pub(super) const OLD_PRICES: i64 = 60;

/// What is known of how everything is.
pub(super) struct HealthDesk {
    view: HealthView,
    bad: VecDeque<BadLineView>,
    unpriced: BTreeMap<Label, u64>,
    /// How the books are when they are well.
    ledger: LedgerView,
}

impl HealthDesk {
    /// Everything is well, and these are the books.
    pub(super) fn new(ledger: LedgerView, unpriced: BTreeMap<Label, u64>) -> Self {
        Self {
            view: HealthView { ledger: ledger.clone(), ..HealthView::default() },
            bad: VecDeque::new(),
            unpriced,
            ledger,
        }
    }

    /// Takes in how the sources are.
    pub(super) fn sources(&mut self, health: &Health) {
        self.view.watching = if health.is_polling() { Watching::Polling } else { Watching::Live };
        // A place that is not there yet is no trouble.
        let there = health.roots.iter().filter(|root| root.state != RootState::Waiting);
        let roots = there.map(|root| SourceView {
            path: root.path.clone(),
            format: None,
            watching: match root.state {
                RootState::Live => Watching::Live,
                RootState::Polling(_) => Watching::Polling,
                RootState::Waiting
                | RootState::Found
                | RootState::Gone
                | RootState::PermissionDenied
                | RootState::Failing(_) => Watching::Off,
            },
            files: root.files,
            bad: 0,
            last: None,
            trouble: state_words(&root.state).map(|words| Label::new(&words)),
        });
        let files = health.notes.iter().map(|note| SourceView {
            path: note.path.clone(),
            format: None,
            watching: Watching::Live,
            files: 0,
            bad: 0,
            last: None,
            trouble: Some(Label::new(&condition_words(&note.what))),
        });
        self.view.sources = roots.chain(files).collect();
        self.view.files = health.files;
        self.view.bad_total = health.tallies.bad;
        let waiting = health.roots.iter().filter(|root| root.state == RootState::Waiting);
        self.view.awaited = waiting.map(|root| root.path.clone()).collect();
        self.view.notes = notes(health);
    }

    /// Takes in what a batch met; true when there is something new to say.
    pub(super) fn batch(&mut self, batch: &Batch) -> bool {
        self.view.bad_total = self.view.bad_total.saturating_add(batch.tallies.bad);
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

    /// Takes in what was booked; true when a model turned out to have no price.
    pub(super) fn booked(&mut self, posted: &[Posted]) -> bool {
        let before = self.unpriced.len();
        for posted in posted {
            let (taken, added) = posted.rows();
            for row in taken.into_iter().filter(|row| row.cost == Cost::Unpriced) {
                let tokens = self.tokens_of(row);
                *tokens = tokens.saturating_sub(row.call.tokens.total());
            }
            for row in added.into_iter().filter(|row| row.cost == Cost::Unpriced) {
                let tokens = self.tokens_of(row);
                *tokens = tokens.saturating_add(row.call.tokens.total());
            }
        }
        self.unpriced.retain(|_, tokens| *tokens > 0);
        self.unpriced.len() != before
    }

    fn tokens_of(&mut self, row: &Row) -> &mut u64 {
        let model = row.call.model.clone().unwrap_or_else(|| Label::new("(no model named)"));
        self.unpriced.entry(model).or_default()
    }

    /// These models have no price, and so many tokens each: as the books say it.
    pub(super) fn unpriced(&mut self, models: BTreeMap<Label, u64>) {
        self.unpriced = models;
    }

    /// The books failed; true when that is news.
    pub(super) fn ledger_failed(&mut self, error: &BooksError) -> bool {
        let words = Label::new(&error.to_string());
        let failed = LedgerView::Failed(words);
        let news = self.view.ledger != failed;
        self.view.ledger = failed;
        news
    }

    /// Why the books are not written, when they are not.
    pub(super) fn not_booked(&self) -> Option<&Label> {
        match &self.view.ledger {
            LedgerView::Failed(why) => Some(why),
            LedgerView::Memory | LedgerView::Open(_) | LedgerView::ReadOnly(_) => None,
        }
    }

    /// Other books took the place of these.
    pub(super) fn ledger_is(&mut self, ledger: LedgerView) {
        self.ledger = ledger.clone();
        self.view.ledger = ledger;
    }

    /// How everything is now.
    pub(super) fn view(&self, prices: &PriceBook, now: Instant) -> HealthView {
        HealthView {
            bad_lines: self.bad.iter().cloned().collect(),
            unpriced: self.unpriced.iter().map(|(model, tokens)| (model.clone(), *tokens)).collect(),
            prices: Some(Label::new(&prices_words(prices, now))),
            ..self.view.clone()
        }
    }
}

/// Which prices are in force, and how old they are.
pub(super) fn prices_words(prices: &PriceBook, now: Instant) -> String {
    let age = (now.date_naive() - prices.as_of()).num_days();
    let old = if age > OLD_PRICES { "; `tokmeter prices update FILE` takes in a newer list" } else { "" };
    format!("list of {}{old}", prices.as_of())
}

fn notes(health: &Health) -> Vec<Label> {
    let mut notes = Vec::new();
    if health.gone > 0 {
        notes.push(Label::new(&format!("{} gone, kept in the ledger", text::plural(health.gone, "source"))));
    }
    if health.more_notes > 0 {
        notes.push(Label::new(&format!("{} more", text::plural(health.more_notes, "note"))));
    }
    notes
}

/// What there is to say about a root; nothing when it is simply there.
pub(super) fn state_words(state: &RootState) -> Option<String> {
    match state {
        RootState::Found | RootState::Live => None,
        RootState::Waiting => Some("not there yet; read as soon as it is".into()),
        RootState::Gone => Some("gone; what it held is kept".into()),
        RootState::PermissionDenied => Some("permission denied; tried again".into()),
        RootState::Failing(why) => Some(format!("{why}; tried again")),
        RootState::Polling(reason) => Some(match reason.advice() {
            Some(advice) => format!("live by polling; {advice}"),
            None => "live by polling".into(),
        }),
    }
}

/// What there is to say about a file.
pub(super) fn condition_words(what: &Condition) -> String {
    match what {
        Condition::Replaced => "replaced; following the new file".into(),
        Condition::Rewritten => "cut short or rewritten; read again".into(),
        Condition::Gone => "gone; what it said is kept".into(),
        Condition::PermissionDenied => "permission denied; tried again".into(),
        Condition::Failing(why) => format!("{why}; tried again"),
        Condition::Unsupported(what) => format!("{what} is not read"),
        Condition::Skipped(kind) => match kind {
            Kind::Fifo => "a named pipe; skipped".into(),
            Kind::Socket => "a socket; skipped".into(),
            Kind::Device => "a device; skipped".into(),
            Kind::Folder => "a folder; skipped".into(),
            Kind::Unknown => "no regular file; skipped".into(),
        },
        Condition::SymlinkLoop => "a link that leads in a circle; skipped".into(),
        Condition::DanglingLink => "a link that leads nowhere".into(),
        Condition::Partial { offset } => format!("1 partial line at byte {offset}"),
        Condition::NotRecognised => "format not recognised".into(),
        Condition::OverLong { lines, offset } => {
            format!("{} over-long, the last at byte {offset}", text::plural(*lines, "line"))
        }
        Condition::NulsSkipped { bytes } => format!("{bytes} NULs skipped"),
    }
}
