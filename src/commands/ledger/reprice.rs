//! `ledger reprice`: applies today's prices to booked calls.

use std::io::{self, Write};

use super::{nothing_yet, open};
use crate::commands::{Context, Exit, Failure};
use crate::domain::{Label, Usd};
use crate::ledger::Repriced;
use crate::output::{self};
use crate::text;

pub(crate) fn reprice(context: &mut Context<'_>, yes: bool) -> Result<Exit, Failure> {
    let prices = context.prices();
    let Some(mut books) = open(context, &prices)? else { return nothing_yet(context) };
    let changed = if yes { books.reprice(context.now())? } else { books.price_changes(&*prices)? };
    if changed.calls == 0 {
        writeln!(context.out, "Every booked call costs what it would cost today. Nothing to do.")?;
    } else {
        write_changes(&changed, context.out)?;
        let calls = text::plural(changed.calls, "call");
        let (before, after) = (text::usd(changed.before), text::usd(changed.after));
        if yes {
            writeln!(context.out, "{calls} repriced: {before} is now {after}.")?;
        } else {
            writeln!(context.out, "{calls} would change from {before} to {after}. Nothing is written without --yes.")?;
        }
    }
    if let Some(backup) = &changed.backup {
        let kept = Label::from_path(backup);
        writeln!(context.out, "The previous ledger is kept as {kept}")?;
    }
    Ok(Exit::Fine)
}

/// Writes the table of changed prices and their effect on the cost.
pub(crate) fn write_changes(changed: &Repriced, out: &mut dyn Write) -> io::Result<()> {
    let heads = ["booked with", "today", "calls", "booked", "would cost"].map(str::to_owned);
    let price =
        |price: &Option<Label>| price.as_ref().map_or_else(|| "no price".to_owned(), |name| text::fit(name, 60));
    let cost = |price: &Option<Label>, usd: Usd| if price.is_none() { "?".to_owned() } else { text::usd(usd) };
    let rows: Vec<Vec<String>> = changed
        .by_price
        .iter()
        .map(|((before, after), change)| {
            let (was, is) = (cost(before, change.before), cost(after, change.after));
            vec![price(before), price(after), text::count(change.calls), was, is]
        })
        .collect();
    output::plain(&heads, 2, &rows, out)
}
