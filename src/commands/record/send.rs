//! Delivers recorded lines to the listening meter, otherwise to the usage log, or to the spool if the meter stalls.

use std::path::Path;

use super::line::Line;
use crate::commands::{Context, Exit, Failure};
use crate::domain::{Fidelity, Label};
use crate::pricing::{PriceBook, Pricer as _};

/// Delivers the lines. Each answer is one line of JSON in the form that the socket uses.
///
/// # Errors
/// When a line could be neither delivered nor written.
pub(super) fn send(
    context: &mut Context<'_>,
    socket: Option<&Path>,
    lines: &[Line],
    prices: &PriceBook,
) -> Result<Vec<String>, Failure> {
    let mut answers = Vec::with_capacity(lines.len());
    let mut rest = lines;
    let mut place = Place::UsageLog;
    while let Some((line, after)) = rest.split_first() {
        match ask(context, socket, line) {
            Asked::Answered(answer) => answers.push(answer),
            Asked::Nobody => break,
            Asked::Stalled => {
                place = Place::Spool;
                break;
            }
        }
        rest = after;
    }
    if !rest.is_empty() {
        append(context, place, rest)?;
        answers.extend(rest.iter().map(|line| booked(&line.call, prices)));
    }
    Ok(answers)
}

/// A file that keeps lines until the next run.
#[derive(Clone, Copy)]
enum Place {
    UsageLog,
    Spool,
}

/// Outcome of offering a line to the meter.
enum Asked {
    /// Accepted, with this answer.
    Answered(String),
    /// No meter is listening.
    Nobody,
    /// A meter is listening but is busy or does not reply. It may still accept the line, so the line goes to the spool.
    Stalled,
}

#[cfg(unix)]
fn ask(context: &Context<'_>, socket: Option<&Path>, line: &Line) -> Asked {
    use crate::config::SocketPath;
    use crate::ingest::socket::{ClientError, WRITE_TIMEOUT, ask};

    let path = match socket {
        Some(path) => context.absolute(path),
        None => match SocketPath::resolve(&context.env, &context.overrides) {
            Ok(found) => found.path,
            Err(_) => return Asked::Nobody,
        },
    };
    match ask(&path, &line.text, WRITE_TIMEOUT) {
        Ok(answer) if answer.contains("\"ok\":true") => Asked::Answered(answer),
        // We have parsed the line, so it is valid, and a rejection is about the meter's state.
        Ok(_) | Err(ClientError::Stalled) => Asked::Stalled,
        Err(ClientError::Nobody | ClientError::Io(_)) => Asked::Nobody,
    }
}

#[cfg(not(unix))]
fn ask(_: &Context<'_>, _: Option<&Path>, _: &Line) -> Asked {
    Asked::Nobody
}

/// Appends the lines in a single write, to a file with mode 0600.
fn append(context: &mut Context<'_>, place: Place, lines: &[Line]) -> Result<(), Failure> {
    context.paths.make_data_folder().map_err(|why| Failure::new(Exit::Io, why))?;
    let path = match place {
        Place::UsageLog => context.paths.usage_log(),
        Place::Spool => context.paths.spool(),
    };
    let path = path.ok_or_else(|| Failure::new(Exit::Io, context.paths.why_no_data()))?;
    let text: String = lines.iter().flat_map(|line| [line.text.as_str(), "\n"]).collect();
    crate::ingest::append_lines(&path, text.as_bytes()).map_err(|error| {
        let path = Label::from_path(&path);
        Failure::new(Exit::Io, format!("{path}: {error}; nothing was recorded"))
    })?;
    if let Place::Spool = place {
        context.note("the meter does not answer; the call waits in spool.jsonl");
    }
    Ok(())
}

/// The answer the socket would give.
fn booked(call: &crate::domain::Call, prices: &PriceBook) -> String {
    let cost = prices.cost(call).usd().map_or_else(|| "null".to_owned(), |usd| usd.to_string());
    let is_final = call.fidelity == Fidelity::Final;
    let fidelity = if is_final { String::new() } else { format!(r#","fidelity":"{}""#, call.fidelity.word()) };
    format!(r#"{{"ok":true,"key":"{}","cost_usd":{cost}{fidelity}}}"#, call.key)
}
