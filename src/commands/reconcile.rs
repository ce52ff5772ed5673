//! `reconcile`: compares a provider's bill with the ledger by day and model, with the likely reason for each
//! difference.

use crate::app::catch_up::{self, LogSelection};
use crate::app::names::complete;
use crate::app::{Context, Exit, Failure};
use crate::cli::ReconcileArgs;
use crate::config::regular_file;
use crate::domain::{Day, Dimension, Label, Zone, day_start};
use crate::meter::reconcile::{Bill, Columns, Compared};
use crate::output::{self, Outcome};

/// Maximum size of a bill in bytes.
const LARGEST: u64 = 256 << 20;

pub(super) fn run(context: &mut Context<'_>, args: &ReconcileArgs) -> Result<Exit, Failure> {
    let shown = Label::from_path(&args.file);
    let wrong = |what: String| Failure::new(Exit::NoInput, format!("{shown}: {what}"));
    let text = read(context, args)
        .map_err(|error| Failure::new(Exit::NoInput, format!("{shown} {}", regular_file::why(&error))))?;
    let columns =
        Columns { date: args.date.as_deref(), model: args.model_column.as_deref(), cost: args.cost.as_deref() };
    let mut bill = Bill::read(&text, columns).map_err(wrong)?;
    let mut filter = args.filters.filter(
        context.now(),
        context.settings.zone,
        &context.settings.ticket,
        context.settings.week_start,
    );
    let wanted = |day: Day| {
        let start = day_start(day, Zone::UTC);
        filter.since.is_none_or(|since| start >= since) && filter.until.is_none_or(|until| start < until)
    };
    bill.lines.retain(|line| wanted(line.day));
    let days = bill.lines.iter().map(|line| line.day);
    let Some((first, last)) = days.clone().min().zip(days.max()) else {
        return Err(wrong("no charge in it (for these days)".to_owned()));
    };
    let names_model = filter.only.iter().any(|(dimension, _)| *dimension == Dimension::Model);
    if names_model && bill.lines.iter().all(|line| line.model.is_none()) {
        let why = format!("{shown} names no models, so --model would narrow only the ledger");
        return Err(Failure::new(Exit::Usage, why));
    }
    filter.since = Some(day_start(first, Zone::UTC));
    filter.until = Some(day_start(last.succ_opt().unwrap_or(last), Zone::UTC));
    let books = catch_up::open_and_catch_up(context, &LogSelection::Everything, false)?;
    complete(&books.ledger, &mut filter)?;
    let compared = Compared::new(&bill, (first, last), &books.ledger, &books.prices, &filter)?;
    let result = Outcome::from_compared(&compared, &bill, args.tolerance);
    if args.json {
        output::to_line(&result, context.out)?;
    } else {
        result.write(context.out)?;
    }
    Ok(if result.within_tolerance && bill.problems.is_empty() { Exit::Fine } else { Exit::Attention })
}

fn read(context: &Context<'_>, args: &ReconcileArgs) -> std::io::Result<String> {
    if args.file.as_os_str() == "-" {
        return regular_file::read_whole_text(std::io::stdin().lock(), LARGEST);
    }
    regular_file::read_whole_text(regular_file::open_operand(&context.absolute(&args.file))?, LARGEST)
}
