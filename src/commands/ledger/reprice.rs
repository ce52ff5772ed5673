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
        let (before, after) = costs(&changed);
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

/// The booked cost of the changed calls and their new one, with marks: `≥` if some have no price, `?` if none has one.
pub(crate) fn costs(changed: &Repriced) -> (String, String) {
    let marked = |usd: Usd, has_price: fn(&(Option<Label>, Option<Label>)) -> bool| {
        let priced = changed.by_price.keys().filter(|change| has_price(change)).count();
        match priced {
            0 => "?".to_owned(),
            _ if priced < changed.by_price.len() => format!("≥ {}", text::usd(usd)),
            _ => text::usd(usd),
        }
    };
    (marked(changed.before, |(before, _)| before.is_some()), marked(changed.after, |(_, after)| after.is_some()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b14_what_has_no_price_is_not_nothing_in_the_sum_of_changes() {
        let (list, none) = (|| Some(Label::new("list")), || None::<Label>);
        for (changes, sums) in [
            (vec![((none(), list()), (0, 3))], ("?", "$3.00")),
            (vec![((list(), none()), (3, 0))], ("$3.00", "?")),
            (vec![((none(), list()), (0, 3)), ((list(), list()), (1, 2))], ("≥ $1.00", "$5.00")),
            (vec![((list(), none()), (3, 0)), ((list(), list()), (1, 2))], ("$4.00", "≥ $2.00")),
            (vec![((list(), list()), (0, 2))], ("$0.00", "$2.00")),
        ] {
            let mut changed = Repriced::default();
            for (prices, (before, after)) in changes {
                let change = changed.by_price.entry(prices).or_default();
                (change.calls, change.before, change.after) = (1, usd(before), usd(after));
                (changed.calls, changed.before, changed.after) =
                    (changed.calls + 1, changed.before + usd(before), changed.after + usd(after));
            }
            let (before, after) = costs(&changed);
            assert_eq!((before.as_str(), after.as_str()), sums);
        }
    }

    fn usd(whole: i64) -> Usd {
        Usd::from_micro(whole * 1_000_000)
    }
}
