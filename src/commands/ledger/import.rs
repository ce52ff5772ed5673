//! `ledger import`: imports calls exported on another machine.

use std::io::{self, BufReader};
use std::path::Path;

use crate::commands::{Context, Exit, Failure};
use crate::config::regular_file;
use crate::domain::Label;
use crate::ledger::{self, ImportError, Options};
use crate::text;

pub(crate) fn import(context: &mut Context<'_>, file: &Path) -> Result<Exit, Failure> {
    let shown = Label::from_path(file);
    let wrong = |error: io::Error| Failure::new(Exit::NoInput, format!("{shown} {}", regular_file::why(&error)));
    let mut source: Box<dyn io::BufRead> = if file.as_os_str() == "-" {
        Box::new(BufReader::new(io::stdin()))
    } else {
        Box::new(BufReader::new(regular_file::open_operand(&context.absolute(file)).map_err(wrong)?))
    };
    let prices = context.prices();
    let path = context.paths.ledger().ok_or_else(|| Failure::new(Exit::Unavailable, context.paths.why_no_data()))?;
    let mut opened = ledger::open(&path, Options::new(context.now()), prices)?;
    for note in &opened.notes {
        context.note(&note.to_string());
    }
    let imported = opened.books.import(&mut *source).map_err(|error| match error {
        ImportError::Books(error) => Failure::from(error),
        ImportError::Line { line, what } => {
            Failure::new(Exit::NoInput, format!("{shown}:{line}: {what}; nothing was imported"))
        }
    })?;
    for (line, what) in &imported.first_refused {
        context.note(&format!("{shown}:{line}: {what}; this line is not imported"));
    }
    let more = imported.refused - u64::try_from(imported.first_refused.len()).unwrap_or(0);
    if more > 0 {
        context.note(&format!("{} not imported for similar reasons", text::plural(more, "more line")));
    }
    if imported.refused > 0 && imported.calls == 0 {
        return Err(Failure::new(Exit::NoInput, format!("{shown}: nothing was imported")));
    }
    let refused = match imported.refused {
        0 => String::new(),
        1 => " 1 line refused: its values are not plausible.".to_owned(),
        lines => format!(" {} refused: their values are not plausible.", text::plural(lines, "line")),
    };
    writeln!(
        context.out,
        "{} read, {} of them new or with new data.{refused}",
        text::plural(imported.calls, "call"),
        text::count(imported.new)
    )?;
    Ok(if imported.refused > 0 { Exit::Attention } else { Exit::Fine })
}
