//! `doctor`: checks everything that the numbers depend on, and reports problems that need attention.

mod double_counts;
mod limits;
mod outside;
mod setup;
mod sources;

use serde::Serialize;

use super::audit::Bad;
use super::ledger::LedgerFacts;
use super::{Context, Exit, Failure, tui_options};
use crate::app::catch_up::{self, LogSelection};
use crate::config::Loaded;
use crate::domain::Label;
#[cfg(unix)]
use crate::engine::health::socket::SocketJson;
use crate::output;

pub(super) fn run(context: &mut Context<'_>, json: bool, loaded: &Loaded) -> Result<Exit, Failure> {
    let books = catch_up::open_and_catch_up(context, &LogSelection::Everything, false)?;
    let mut report = Report { schema: 1, version: env!("CARGO_PKG_VERSION"), attention: 0, ..Report::default() };
    report.say("version", State::Ok, format!("tokmeter {}", report.version));
    report.settings(context, loaded);
    report.ledger(context, &books);
    report.sources(&books);
    report.bad_lines(context, &books)?;
    report.double_counts(context, &books)?;
    report.limits(context, &books)?;
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
    /// Number of agents whose logs were found.
    #[serde(skip)]
    found: usize,
    bad_lines: u64,
    first_bad_lines: Vec<Bad>,
    unpriced: std::collections::BTreeMap<Label, u64>,
    formats: Vec<&'static str>,
    /// Counters of the socket, if a meter is listening on it.
    #[cfg(unix)]
    #[serde(skip_serializing_if = "Option::is_none")]
    socket: Option<SocketJson>,
}

impl Report {
    pub(super) fn say(&mut self, area: &'static str, state: State, words: impl AsRef<str>) {
        self.attention += u64::from(state == State::Attention);
        self.checks.push(Check { area, state, text: Label::new(words.as_ref()) });
    }

    pub(super) fn write(&self, context: &mut Context<'_>) -> std::io::Result<()> {
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
        if self.found > 0 {
            let marks = crate::formats::Exactness::ALL.map(|part| format!("{} {}", part.mark(), part.meaning()));
            writeln!(context.out, "\nHow exact an agent's logs are: {}", marks.join(" · "))?;
        }
        let troubles = self.checks.iter().filter(|check| check.state == State::Attention);
        let mut areas: Vec<&str> = troubles.map(|check| check.area).collect();
        areas.dedup();
        let areas = areas.join(", ");
        match self.attention {
            0 => writeln!(context.out, "\nAll is well."),
            1 => writeln!(context.out, "\n1 thing needs attention, marked with !: {areas}"),
            things => writeln!(context.out, "\n{things} things need attention, marked with !: {areas}"),
        }
    }
}
