//! `--once`: one screen as text or as a picture; also what is shown when standard output is no terminal.

use std::sync::Arc;

use super::books::{self, Reach};
use super::live::Source;
use super::shelf::Shelf;
use super::{Desk, Exit, Failure, screen};
use crate::cli::LiveArgs;
use crate::config::Loaded;
use crate::domain::Record;
use crate::ledger::{Ledger, Posting};
use crate::meter::{Meter, Opening};
use crate::tui::{self, App, Message};

/// Draws one screen and ends.
pub(super) fn run(desk: &mut Desk<'_>, loaded: &Loaded, args: &LiveArgs, source: Source) -> Result<Exit, Failure> {
    let rules = desk.rules(args.filters.filter(desk.now(), desk.settings.zone));
    let (ledger, roots) = match source {
        Source::Logs(reach) => (books::gather(desk, &reach, args.book)?.ledger, books::roots(desk, &reach)?),
        Source::Played { before, .. } => {
            let mut books = Shelf::memory(&desk.prices());
            let records = before.into_iter().map(|step| Record::Call(step.call)).collect();
            books.absorb(&Posting { records, files: Vec::new() })?;
            (books, books::roots(desk, &Reach::Everything)?)
        }
    };
    let now = desk.now();
    let opening = Opening::ask(&ledger, &rules, &super::live::follow(&ledger, args, &rules.view)?, now)?;
    let mut meter = Meter::open(rules, opening);
    let mut options = screen::options(desk, loaded, args, &roots)?;
    if args.svg {
        options.depth = crate::theme::Depth::True;
    }
    let mut app = App::new(options, now).map_err(|error| Failure::new(Exit::Config, error.to_string()))?;
    app.update(Message::Summary(Arc::new(meter.summary(now))), now);
    let (columns, rows) = args.size.unwrap_or_else(|| size(desk));
    if args.svg {
        write!(desk.out, "{}", tui::as_svg(&app, columns, rows))?;
    } else {
        for line in tui::as_text(&app, columns, rows) {
            writeln!(desk.out, "{line}")?;
        }
    }
    Ok(Exit::Fine)
}

/// The size the environment names, or a usual one.
fn size(desk: &Desk<'_>) -> (u16, u16) {
    let number = |name| desk.world.var(name).and_then(|text| text.parse().ok());
    (number("COLUMNS").unwrap_or(120), number("LINES").unwrap_or(36))
}
