//! `explain`: the arithmetic of one call's cost, and the log line it was read from.

mod call;
mod document;
mod find;
mod price;
mod text;
mod words;

pub(super) use self::text::text_of;

use std::io::Write;
use std::path::PathBuf;

use self::call::Explained;
use crate::app::catch_up::{self, LogSelection};
use crate::app::{Context, Exit, Failure};
use crate::domain::{Label, Zone};
use crate::ledger::Ledger;
use crate::output::{self};
use crate::pricing::PriceBook;

pub(super) fn run(context: &mut Context<'_>, key: &str, json: bool, paths: &[PathBuf]) -> Result<Exit, Failure> {
    let wanted = wanted(key)?;
    let selection = LogSelection::from_args(context, paths, false);
    let books = catch_up::open_and_catch_up(context, &selection, false)?;
    let row = find::find(&books.ledger, &wanted, find::AT_A_TIME)?;
    let explained = Explained::from_row(&row, &books.prices);
    if json {
        output::to_line(&document::document(&explained), context.out)?;
    } else {
        text::write_text(&explained, context.settings.zone, context.out)?;
    }
    Ok(Exit::Fine)
}

/// Writes a call's arithmetic twice: as the JSON of the command, and for people.
pub(super) fn write_both(
    books: &dyn Ledger,
    prices: &PriceBook,
    key: &str,
    zone: Zone,
    (json, people): (&mut dyn Write, &mut dyn Write),
) -> Result<(), Failure> {
    let row = find::find(books, &wanted(key)?, find::AT_A_TIME)?;
    let explained = Explained::from_row(&row, prices);
    output::to_line(&document::document(&explained), json)?;
    text::write_text(&explained, zone, people)?;
    Ok(())
}

/// The key as it is searched for.
fn wanted(key: &str) -> Result<String, Failure> {
    let wanted = key.trim_end_matches('…').to_ascii_lowercase();
    if wanted.is_empty() || wanted.len() > 32 || !wanted.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let key = Label::new(key);
        return Err(Failure::new(
            Exit::Usage,
            format!("'{key}' is not a call key: up to 32 hex digits, as `tokmeter report call` shows them"),
        ));
    }
    Ok(wanted)
}
