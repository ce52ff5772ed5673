//! `doctor`: checks everything the numbers depend on, and reports what needs attention.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::audit::{self, Bad};
use super::ledger::LedgerFacts;
use super::{Context, Exit, Failure, tui_options};
use crate::app::catch_up::{self, Books, LogSelection};
use crate::config::{Loaded, SocketPath};
use crate::domain::Label;
#[cfg(unix)]
use crate::engine::health::socket::SocketJson;
use crate::engine::health::{OLD_PRICES, condition_words, prices_words, state_name, state_words};
use crate::ingest::RootState;
use crate::ledger::Ledger;
use crate::output;
use crate::text;
use crate::theme::Depth;

/// Files read again to list their bad lines.
const READ_AGAIN: usize = 5;
/// Bad lines listed in the text output.
const NAMED: usize = 8;
/// Notes about single files listed.
const NOTES: usize = 20;

pub(super) fn run(context: &mut Context<'_>, json: bool, loaded: &Loaded) -> Result<Exit, Failure> {
    let books = catch_up::open_and_catch_up(context, &LogSelection::Everything, false)?;
    let mut report = Report { schema: 1, version: env!("CARGO_PKG_VERSION"), attention: 0, ..Report::default() };
    report.say("version", State::Ok, format!("tokmeter {}", report.version));
    report.settings(context, loaded);
    report.ledger(context, &books);
    report.sources(&books);
    report.bad_lines(context, &books)?;
    report.prices(context, &books)?;
    report.socket(context);
    report.watches(&books)?;
    report.formats = crate::formats::names();
    report.say("formats", State::Ok, report.formats.join(", "));
    if json {
        output::to_line(&report, context.out)?;
    } else {
        report.write(context)?;
    }
    Ok(if report.attention == 0 { Exit::Fine } else { Exit::Attention })
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    #[default]
    Ok,
    Note,
    Attention,
}

#[derive(Serialize)]
struct Check {
    area: &'static str,
    state: State,
    text: Label,
}

#[derive(Serialize)]
struct Root {
    path: Label,
    state: &'static str,
    files: u64,
}

#[derive(Default, Serialize)]
struct Report {
    schema: u8,
    version: &'static str,
    attention: u64,
    checks: Vec<Check>,
    ledger: Option<LedgerFacts>,
    roots: Vec<Root>,
    bad_lines: u64,
    first_bad_lines: Vec<Bad>,
    unpriced: std::collections::BTreeMap<Label, u64>,
    formats: Vec<&'static str>,
    /// Counters of the socket, if a meter listens on it.
    #[cfg(unix)]
    #[serde(skip_serializing_if = "Option::is_none")]
    socket: Option<SocketJson>,
}

impl Report {
    fn say(&mut self, area: &'static str, state: State, words: impl AsRef<str>) {
        self.attention += u64::from(state == State::Attention);
        self.checks.push(Check { area, state, text: Label::new(words.as_ref()) });
    }

    fn settings(&mut self, context: &Context<'_>, loaded: &Loaded) {
        match &context.paths.config {
            None => self.say("config", State::Note, "no place for one: HOME is not set"),
            Some(path) => {
                let there = if path.exists() { "" } else { " (does not exist; the defaults are in force)" };
                self.say("config", State::Ok, format!("{}{there}", Label::from_path(path)));
            }
        }
        for problem in &loaded.problems {
            self.say("config", State::Attention, problem.to_string());
        }
        let themes = crate::config::themes(&context.paths);
        let (_, refused) = tui_options::check(loaded, &themes);
        for problem in refused.iter().chain(&tui_options::unused_themes(loaded, &themes)) {
            self.say("config", State::Attention, problem.to_string());
        }
        match &context.paths.data {
            None => self.say("data", State::Attention, context.paths.why_no_data()),
            Some(folder) => self.say("data", State::Ok, Label::from_path(folder)),
        }
        let zone = context.settings.zone;
        let now = context.now().with_timezone(&zone);
        self.say("time zone", State::Ok, format!("{zone}, where it is {}", now.format("%Y-%m-%d %H:%M")));
        let depth = match tui_options::depth(context, true) {
            Depth::None => "no colour",
            Depth::Sixteen => "16 colours",
            Depth::TwoFiftySix => "256 colours",
            Depth::True => "true colour",
        };
        let letters = if tui_options::ascii(context) { "ASCII only" } else { "UTF-8" };
        let term = context.env.var("TERM").unwrap_or("not set");
        self.say("terminal", State::Ok, format!("TERM {term}, {depth}, {letters}"));
        self.say("user", State::Ok, context.settings.user.as_str());
    }

    fn ledger(&mut self, context: &Context<'_>, books: &Books) {
        let facts = LedgerFacts::gather(context, &books.prices);
        let place = facts.path.as_ref().map_or_else(|| "no place for one".to_owned(), ToString::to_string);
        let state = match facts.state {
            "writable" => State::Ok,
            "none" => State::Note,
            _ => State::Attention,
        };
        let schema = facts.ledger_schema.map_or_else(String::new, |schema| format!(", schema {schema}"));
        let words = match facts.state {
            "none" => format!("{place}: none yet"),
            word => {
                format!("{place}: {word}, {}{schema}, {}", text::bytes(facts.bytes), text::plural(facts.calls, "call"))
            }
        };
        self.say("ledger", state, words);
        if let Some(note) = &facts.note {
            self.say("ledger", if state == State::Ok { State::Note } else { State::Attention }, note.as_str());
        }
        if let Some(trouble) = books.warning() {
            self.say("ledger", State::Attention, trouble);
        }
        if facts.future_calls > 0 {
            let calls = text::plural(facts.future_calls, "call");
            self.say("clock", State::Attention, format!("{calls} dated in the future: a clock is wrong"));
        }
        self.ledger = Some(facts);
    }

    fn sources(&mut self, books: &Books) {
        let absent = books.health.absent();
        for root in &books.health.roots {
            // Agents that are not there are named on one line, below.
            if root.agent.is_some() && root.state == RootState::Waiting {
                continue;
            }
            let state = match &root.state {
                RootState::Found | RootState::Live | RootState::Polling(_) => State::Ok,
                RootState::Waiting | RootState::Gone => State::Note,
                RootState::PermissionDenied | RootState::Failing(_) => State::Attention,
            };
            let words = state_words(&root.state).unwrap_or_else(|| text::plural(root.files, "file"));
            self.say("logs", state, format!("{}: {words}", root.path));
            self.roots.push(Root { path: root.path.clone(), state: state_name(&root.state), files: root.files });
        }
        if !absent.is_empty() {
            self.say("agents", State::Ok, text::absent(&absent));
        }
        for note in books.health.notes.iter().take(NOTES) {
            let state = if note.what.unread().is_some() { State::Attention } else { State::Note };
            self.say("file", state, format!("{}: {}", note.path, condition_words(&note.what)));
        }
        if books.health.gone > 0 {
            let gone = text::plural(books.health.gone, "log");
            self.say("logs", State::Note, format!("{gone} read before and now gone; the ledger keeps their calls"));
        }
    }

    /// The ledger holds only their number; files that still exist are read again to list them.
    fn bad_lines(&mut self, context: &mut Context<'_>, books: &Books) -> Result<(), Failure> {
        let files: Vec<_> = books.ledger.files()?.into_iter().filter(|file| file.bad_lines > 0).collect();
        self.bad_lines = files.iter().map(|file| file.bad_lines).sum();
        if self.bad_lines == 0 {
            self.say("lines", State::Ok, "every line of a known format was counted");
            return Ok(());
        }
        let there = files.iter().map(|file| &file.path).filter(|path| path.is_file());
        let again: Vec<PathBuf> = there.take(READ_AGAIN).cloned().collect();
        if !again.is_empty() {
            let read = audit::read(context, &LogSelection::Paths(again))?;
            self.first_bad_lines = read.bad.iter().map(Bad::from_note).collect();
        }
        let files = text::plural(u64::try_from(files.len()).unwrap_or(u64::MAX), "file");
        let lines = text::plural(self.bad_lines, "line");
        self.say("lines", State::Attention, format!("{lines} in {files} quarantined, not counted"));
        let named: Vec<String> = self.first_bad_lines.iter().take(NAMED).map(ToString::to_string).collect();
        for line in named {
            self.say("lines", State::Note, line);
        }
        Ok(())
    }

    fn prices(&mut self, context: &Context<'_>, books: &Books) -> Result<(), Failure> {
        let now = context.now();
        let old = (now.date_naive() - books.prices.as_of()).num_days() > OLD_PRICES;
        let state = if old { State::Attention } else { State::Ok };
        self.say("prices", state, prices_words(&books.prices, now));
        self.unpriced = crate::engine::health::unpriced(&books.ledger)?;
        let unpriced: Vec<String> = self
            .unpriced
            .iter()
            .map(|(model, tokens)| format!("{model}: {} tokens without a price", text::count(*tokens)))
            .collect();
        for words in unpriced {
            self.say("prices", State::Attention, words);
        }
        Ok(())
    }

    fn socket(&mut self, context: &Context<'_>) {
        match SocketPath::resolve(&context.env, &context.overrides) {
            Err(why) => self.say("socket", State::Note, why),
            Ok(socket) => {
                let listening = if listens(&socket.path) { "a meter listens" } else { "no meter listens" };
                self.say("socket", State::Ok, format!("{}: {listening}", Label::from_path(&socket.path)));
                #[cfg(unix)]
                self.counters(&socket.path);
                if let Some(note) = &socket.note {
                    self.say("socket", State::Note, note);
                }
            }
        }
    }

    /// Asks the meter that listens on the socket for its counters.
    #[cfg(unix)]
    fn counters(&mut self, path: &Path) {
        use crate::ingest::socket::{WRITE_PATIENCE, ask};
        let Ok(answer) = ask(path, "{\"query\":\"socket\"}", WRITE_PATIENCE) else { return };
        // Older versions answer with an error.
        if !answer.contains("\"ok\":true") {
            return;
        }
        let Ok(counters) = serde_json::from_str::<SocketJson>(&answer) else { return };
        let lines = text::plural(counters.bad_lines, "line");
        if let Some(why) = counters.last_reason() {
            self.say("socket", State::Attention, format!("{lines} could not be counted, the last: {why}"));
        }
        if let Some(words) = counters.words() {
            self.say("socket", State::Note, words);
        }
        self.socket = Some(counters);
    }

    /// Compares the number of log folders with the system's limit on file watches.
    fn watches(&mut self, books: &Books) -> Result<(), Failure> {
        let limit = |name: &str| -> Option<u64> {
            std::fs::read_to_string(format!("/proc/sys/fs/inotify/{name}")).ok()?.trim().parse().ok()
        };
        let Some(most) = limit("max_user_watches") else { return Ok(()) };
        let files = books.ledger.files()?;
        let folders: std::collections::BTreeSet<&Path> = files.iter().filter_map(|file| file.path.parent()).collect();
        let folders = u64::try_from(folders.len()).unwrap_or(u64::MAX);
        let (state, near) = if folders.saturating_mul(10) >= most.saturating_mul(8) {
            (State::Attention, "; raise fs.inotify.max_user_watches, or changes are found by polling")
        } else {
            (State::Ok, "")
        };
        let folders = text::plural(folders, "folder");
        self.say("watching", state, format!("{folders} to watch, the system allows {}{near}", text::count(most)));
        if limit("max_user_instances").is_some_and(|instances| instances < 8) {
            self.say("watching", State::Note, "few watchers allowed; raise fs.inotify.max_user_instances");
        }
        Ok(())
    }

    fn write(&self, context: &mut Context<'_>) -> std::io::Result<()> {
        let ascii = tui_options::ascii(context);
        for check in &self.checks {
            let mark = match (check.state, ascii) {
                (State::Ok, false) => "✓",
                (State::Ok, true) => "+",
                (State::Note, false) => "·",
                (State::Note, true) => ".",
                (State::Attention, _) => "!",
            };
            writeln!(context.out, "{mark} {:<10} {}", check.area, check.text)?;
        }
        match self.attention {
            0 => writeln!(context.out, "\nAll is well."),
            1 => writeln!(context.out, "\n1 thing needs attention."),
            things => writeln!(context.out, "\n{things} things need attention."),
        }
    }
}

#[cfg(unix)]
fn listens(path: &Path) -> bool {
    std::os::unix::net::UnixStream::connect(path).is_ok()
}

#[cfg(not(unix))]
fn listens(_: &Path) -> bool {
    false
}
