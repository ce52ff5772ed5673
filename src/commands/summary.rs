//! `summary`: totals of one session. Also printed at the end of the live screen and of `run`.

use std::io::{self, Write};
use std::path::PathBuf;

use crate::app::catch_up::{self, LogSelection};
use crate::app::sessions::only_session;
use crate::app::{Context, Exit, Failure};
use crate::domain::{Dimension, Filter, Label};
use crate::meter::closing;
use crate::meter::{LimitState, SessionLine};
use crate::output::{self};
use crate::text;

pub(super) fn run(context: &mut Context<'_>, words: &[PathBuf], json: bool, no_ledger: bool) -> Result<Exit, Failure> {
    let named = words.first().filter(|word| !context.absolute(word).exists()).and_then(|word| word.to_str());
    let paths = if named.is_some() { &words[1..] } else { words };
    let selection = LogSelection::from_args(context, paths, no_ledger);
    let books = catch_up::open_and_catch_up(context, &selection, false)?;
    let session = only_session(&books.ledger, named.unwrap_or("latest"), &Filter::default())?;
    let filter = Filter { only: vec![(Dimension::Session, session)], ..Filter::default() };
    let Some(row) = closing::session_row(&books.ledger, &filter)? else {
        return Err(Failure::new(Exit::NoInput, "no such session"));
    };
    let mut line = SessionLine::from_row(row, context.now());
    let unread_files = books.health.unread_files();
    if json {
        output::session_json(&line, unread_files, context.out)?;
    } else {
        line.row.sums = line.row.sums.marked(unread_files);
        let limits = catch_up::limit_states(context, &books, Some(&line.row))?;
        let log = closing::log_of(&books.ledger, &filter)?;
        let about = text::session_words(&line.row);
        write_text(about.as_deref(), &line, &limits, log.as_ref(), context.out)?;
    }
    Ok(Exit::Fine)
}

/// Writes the summary as text, with a line that names the session.
pub(super) fn write_text(
    about: Option<&str>,
    line: &SessionLine,
    limits: &[LimitState],
    log: Option<&Label>,
    out: &mut dyn Write,
) -> io::Result<()> {
    write!(out, "{}", text::complete_about(about, line, limits, log))
}
