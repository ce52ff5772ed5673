//! `--once`: prints a single screen as text or SVG. Also used when standard output is not a terminal.

use std::sync::Arc;

use super::follow::follow;
use super::start::Source;
use super::{Context, Exit, Failure, tui_options};
use crate::app::catch_up::{self, LogSelection};
use crate::app::names::complete;
use crate::cli::LiveArgs;
use crate::config::Loaded;
use crate::domain::{Label, Record};
use crate::engine::{AnyLedger, EngineEvent};
use crate::ledger::{Batch, Ledger};
use crate::meter::{Meter, Snapshot};
use crate::theme::Depth;
use crate::tui::{self, App, Message};

/// Maximum number of rows in the layout for a narrow pane.
const COMPACT: u16 = 4;

/// Renders a single screen.
pub(super) fn run(
    context: &mut Context<'_>,
    loaded: &Loaded,
    args: &LiveArgs,
    source: Source,
) -> Result<Exit, Failure> {
    let mut rules = context.rules(args.filters.filter(
        context.now(),
        context.settings.zone,
        &context.settings.ticket,
        context.settings.week_start,
    ));
    let mut unread_files = 0;
    let (ledger, roots, played) = match source {
        Source::Logs(selection) => {
            let books = catch_up::open_and_catch_up(context, &selection, args.book)?;
            unread_files = books.health.unread_files();
            (books.ledger, catch_up::roots(context, &selection)?, None)
        }
        Source::Played { command, before, .. } => {
            let mut books = AnyLedger::memory(&context.prices());
            let records = before.into_iter().map(Record::Call).collect();
            books.post(&Batch { records, files: Vec::new() })?;
            (books, catch_up::roots(context, &LogSelection::Everything)?, Some(command))
        }
    };
    let unknown = complete(&ledger, &mut rules.view)?.unknown_in(&ledger, &rules.view)?;
    for sentence in &unknown {
        context.note(sentence);
    }
    let now = context.now();
    let snapshot = Snapshot::ask(&ledger, &rules, &follow(&ledger, args, &rules.view)?, now)?;
    let mut meter = Meter::open(rules, snapshot);
    meter.set_unread_files(unread_files);
    let mut options = tui_options::options(context, loaded, args, &roots)?;
    options.notes = unknown.iter().map(|sentence| Label::new(sentence)).collect();
    options.played = played;
    if args.svg {
        options.depth = Depth::True;
    }
    let is_colored = options.depth != Depth::None;
    let mut app = App::new(options, now).map_err(|error| Failure::new(Exit::Config, error.to_string()))?;
    app.update(Message::Summary(Arc::new(meter.summary(now))), now);
    // All logs have been read, and nothing is read after them.
    app.update(Message::Engine(EngineEvent::Progress(None)), now);
    app.update(Message::Engine(EngineEvent::Ended), now);
    let (columns, mut rows) = args.size.unwrap_or_else(|| size(context));
    if args.compact {
        rows = rows.min(COMPACT);
    }
    if args.svg {
        write!(context.out, "{}", tui::as_svg(&app, columns, rows))?;
    } else {
        let mut lines = tui::as_text(&app, columns, rows, is_colored);
        while args.compact && lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        for line in lines {
            writeln!(context.out, "{line}")?;
        }
    }
    Ok(Exit::Fine)
}

/// Screen size from the environment, or the default.
fn size(context: &Context<'_>) -> (u16, u16) {
    let number = |name| context.env.var(name).and_then(|text| text.parse().ok());
    (number("COLUMNS").unwrap_or(120), number("LINES").unwrap_or(36))
}
