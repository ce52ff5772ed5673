//! `record`: books one call, or many: to the meter that listens, else to the usage log that every command reads.

mod line;
mod send;

use super::{Desk, Exit, Failure, piped};
use crate::cli::RecordArgs;
use line::Line;

/// Runs the command.
pub(super) fn run(desk: &mut Desk<'_>, args: &RecordArgs) -> Result<Exit, Failure> {
    let now = desk.now();
    let lines = match Line::of_flags(args, &desk.settings, now)? {
        Some(lines) => lines,
        None if desk.world.terminal[0] => {
            return Err(Failure::new(
                Exit::Usage,
                "nothing to record; give --model, --input and --output, or JSON on standard input",
            ));
        }
        None => Line::of_json(&piped::everything(), &desk.settings, now)?,
    };
    let prices = desk.prices();
    let answers = send::send(desk, args.socket.as_deref(), &lines, &prices)?;
    for answer in answers {
        writeln!(desk.out, "{}", answer.trim_end())?;
    }
    Ok(Exit::Fine)
}
