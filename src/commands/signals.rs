//! `signals`: insights to act on, and the cost of the same tokens on another model.

use std::path::PathBuf;

use super::{Context, Exit, Failure, prices};
use crate::app::catch_up::{self, LogSelection};
use crate::app::names::complete;
use crate::cli::Filters;
use crate::domain::{Filter, Label};
use crate::ledger::{Ledger, Order};
use crate::meter::{Compared, SignalWatch};
use crate::output::{self};

/// Number of most expensive calls listed.
const DEAREST: usize = 10;

pub(super) fn run(
    context: &mut Context<'_>,
    json: bool,
    against: Option<&str>,
    filters: &Filters,
    paths: &[PathBuf],
) -> Result<Exit, Failure> {
    let mut filter =
        filters.filter(context.now(), context.settings.zone, &context.settings.ticket, context.settings.week_start);
    let selection = LogSelection::from_args(context, paths, false);
    let books = catch_up::open_and_catch_up(context, &selection, false)?;
    complete(&books.ledger, &mut filter)?;
    let unknown = |model: &str| {
        let (label, near) = (Label::new(model), prices::near_words(&books.prices, model));
        Failure::new(Exit::Usage, format!("no price for '{label}', so nothing can be compared{near}"))
    };
    let mut against =
        against.map(|model| Compared::new(&books.prices, model).ok_or_else(|| unknown(model))).transpose()?;
    let mut watch = SignalWatch::new(DEAREST);
    books.ledger.each(&filter, Order::Ascending, &mut |row| {
        watch.add(row);
        if let Some(against) = &mut against {
            against.add(row);
        }
        true
    })?;
    let against = against.map(Compared::finish);
    let calls = watch.calls();
    let signals = watch.finish();
    if json {
        output::to_line(&output::signals_document(calls, &signals, against.as_ref()), context.out)?;
    } else if calls == 0 {
        let selected = if filter == Filter::default() { " yet" } else { " in this selection" };
        writeln!(context.out, "No calls{selected}.")?;
    } else {
        output::signals_text(&signals, context.settings.zone, context.out)?;
        if let Some(against) = &against {
            output::comparison_text(context.out, against)?;
        }
    }
    Ok(Exit::Fine)
}
