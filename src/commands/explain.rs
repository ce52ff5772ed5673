//! `explain`: shows how a call's cost is computed, and the log line from which it was read.

mod call;
mod document;
mod find;
mod price;
mod text;
mod words;

pub(super) use self::text::text_of;

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use self::call::Explained;
use crate::app::catch_up::{self, LogSelection};
use crate::app::{Context, Exit, Failure};
use crate::domain::{Label, Zone};
use crate::ledger::{Ledger, Row};
use crate::output::{self};
use crate::pricing::PriceBook;

pub(super) fn run(context: &mut Context<'_>, key: &str, json: bool, paths: &[PathBuf]) -> Result<Exit, Failure> {
    let wanted = self::key(key)?;
    let selection = LogSelection::from_args(context, paths, false);
    let books = catch_up::open_and_catch_up(context, &selection, false)?;
    let row = find(&books.ledger, &wanted)?;
    if json {
        write_document(&row, &books.prices, context.out)?;
    } else {
        text::write_text(&Explained::from_row(&row, &books.prices), context.settings.zone, context.out)?;
    }
    Ok(Exit::Fine)
}

/// Writes the explanation of a call twice: as the command's JSON, and as text.
pub(super) fn write_both(
    books: &dyn Ledger,
    prices: &PriceBook,
    key: &str,
    zone: Zone,
    (json, people): (&mut dyn Write, &mut dyn Write),
) -> Result<(), Failure> {
    let row = find(books, &self::key(key)?)?;
    let explained = Explained::from_row(&row, prices);
    output::to_line(&document::document(&explained), json)?;
    text::write_text(&explained, zone, people)?;
    Ok(())
}

/// The beginning of a key, as the user typed it, or [`find::LATEST`].
pub(super) fn key(text: &str) -> Result<String, Failure> {
    let wanted = text.trim_end_matches('…').to_ascii_lowercase();
    if wanted == find::LATEST {
        return Ok(wanted);
    }
    if wanted.is_empty() || wanted.len() > 32 || !wanted.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let text = Label::new(text);
        return Err(Failure::new(
            Exit::Usage,
            format!("'{text}' is not a call key: up to 32 hex digits, as `tokmeter report call` shows them, or latest"),
        ));
    }
    Ok(wanted)
}

/// The one call whose key starts with this text, or the latest one.
pub(super) fn find(books: &dyn Ledger, wanted: &str) -> Result<Arc<Row>, Failure> {
    find::find(books, wanted, find::AT_A_TIME)
}

/// Writes the explanation of a call as one line of JSON.
pub(super) fn write_document(row: &Row, prices: &PriceBook, out: &mut dyn io::Write) -> io::Result<()> {
    output::to_line(&document::document(&Explained::from_row(row, prices)), out)
}
