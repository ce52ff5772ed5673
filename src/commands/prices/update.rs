//! `prices update` and `prices check`: imports a newer list, and shows its effect on booked calls.

use std::io;
use std::path::Path;

use crate::commands::ledger;
use crate::commands::{Context, Exit, Failure};
use crate::config::PRICE_LIST;
use crate::config::regular_file;
use crate::config::replace_file::replace;
use crate::domain::Label;
use crate::output;
use crate::pricing::{Difference, Tariff};
use crate::text;

/// Maximum number of changed prices listed. The rest are counted.
const SHOWN: usize = 40;
/// Maximum size of a list in bytes. The public one has about 2 MB.
const LARGEST: u64 = 64 << 20;

/// Imports a newer list.
pub(super) fn update(context: &mut Context<'_>, from: &Path) -> Result<Exit, Failure> {
    let shown = Label::from_path(from);
    let text = read(&context.absolute(from), from)
        .map_err(|error| Failure::new(Exit::NoInput, format!("{shown} {}", regular_file::why(&error))))?;
    let book = context.prices();
    let update = book
        .update(&text, context.now().date_naive())
        .map_err(|error| Failure::new(Exit::NoInput, format!("{shown}: {error}")))?;
    let folder = context.paths.make_data_folder().map_err(|message| Failure::new(Exit::Io, message))?;
    let target = folder.join(PRICE_LIST);
    replace(&target, |file| file.write_all(update.text.as_bytes()))
        .map_err(|error| Failure::new(Exit::Io, format!("{}: {error}", target.display())))?;
    if update.rounded > 0 {
        let numbers = text::plural(update.rounded, "number");
        context.note(&format!(
            "{shown}: {numbers} with unusually many digits, rounded to the nearest pico-dollar a token"
        ));
    }
    if let Some(first) = update.skipped.first() {
        let models = text::plural(u64::try_from(update.skipped.len()).unwrap_or(u64::MAX), "model");
        context.note(&format!(
            "{shown}: {models} skipped, such as {}: a rate is not a number or is negative, or only input or only output \
             has one; known prices are kept",
            Label::new(first)
        ));
    }
    let models = u64::try_from(update.models).unwrap_or(u64::MAX);
    let kept = Label::from_path(&target);
    writeln!(context.out, "{} with a price, in force from today; kept as {kept}", text::plural(models, "model"))?;
    differences(context, &update.differences)?;
    writeln!(context.out, "What is booked keeps its cost; `tokmeter prices check` shows what would change.")?;
    Ok(Exit::Fine)
}

/// Shows the differences.
pub(super) fn check(context: &mut Context<'_>) -> Result<Exit, Failure> {
    let (book, now) = (context.prices(), context.now());
    let days = u64::try_from((now.date_naive() - book.as_of()).num_days()).unwrap_or(0);
    let on_top = if book.as_of() == book.built_in_as_of() {
        "the built-in one".to_owned()
    } else {
        format!("on top of the built-in one of {}", book.built_in_as_of())
    };
    writeln!(context.out, "Price list of {}, {} old, {on_top}.", book.as_of(), text::plural(days, "day"))?;
    let changes = book.changes();
    if !changes.is_empty() {
        differences(context, &changes)?;
    }
    let booked = match ledger::open(context, &book)? {
        Some(books) => books.price_changes(&*book)?,
        None => crate::ledger::Repriced::default(),
    };
    if booked.calls > 0 {
        let (before, after) = ledger::costs(&booked);
        let calls = text::plural(booked.calls, "booked call");
        writeln!(context.out, "{calls} would cost {after} instead of the booked {before}:")?;
        ledger::write_changes(&booked, context.out)?;
        writeln!(context.out, "To reprice them: tokmeter ledger reprice")?;
    } else {
        writeln!(context.out, "Every booked call costs what it would cost today.")?;
    }
    Ok(if changes.is_empty() && booked.calls == 0 { Exit::Fine } else { Exit::Attention })
}

fn differences(context: &mut Context<'_>, all: &[Difference]) -> io::Result<()> {
    let changed: Vec<(&Difference, &Tariff)> =
        all.iter().filter_map(|difference| Some((difference, difference.before.as_ref()?))).collect();
    let new = all.len() - changed.len();
    if !changed.is_empty() {
        let heads = ["changed", "input", "", "output", ""].map(str::to_owned);
        let rows: Vec<Vec<String>> = changed
            .iter()
            .take(SHOWN)
            .map(|(difference, before)| {
                let after = &difference.after.rates;
                let rates = [before.rates.input, after.input, before.rates.output, after.output];
                let [input, new_input, output, new_output] = rates.map(text::rate_per_million);
                let became = |before: String, after: String| {
                    let arrow = if before == after { String::new() } else { format!("→ {after}") };
                    [before, arrow]
                };
                let [input, output] = [became(input, new_input), became(output, new_output)];
                let name = text::fit(&Label::new(&difference.model), 60);
                std::iter::once(name).chain(input).chain(output).collect()
            })
            .collect();
        output::plain(&heads, 1, &rows, context.out)?;
        if changed.len() > SHOWN {
            writeln!(context.out, "and {} more", changed.len() - SHOWN)?;
        }
    }
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    writeln!(context.out, "{} changed, {} new.", text::plural(count(changed.len()), "price"), text::count(count(new)))
}

fn read(path: &Path, given: &Path) -> io::Result<String> {
    if given.as_os_str() == "-" {
        return regular_file::read_whole_text(io::stdin().lock(), LARGEST);
    }
    regular_file::read_whole_text(regular_file::open_operand(path)?, LARGEST)
}
