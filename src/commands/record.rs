//! `record`: sends calls to the running meter, or appends them to the usage log.

mod flags;
mod line;
mod send;

use super::{Context, Exit, Failure, stdin};
use crate::cli::RecordArgs;
use line::Line;

pub(super) fn run(context: &mut Context<'_>, args: &RecordArgs) -> Result<Exit, Failure> {
    let now = context.now();
    let lines = match Line::of_flags(args, &context.settings, now)? {
        Some(lines) => lines,
        None if context.env.terminal[0] => {
            return Err(Failure::new(
                Exit::Usage,
                "nothing to record; give --model, --input and --output, or JSON on standard input",
            ));
        }
        None => Line::of_json(&stdin::everything(), &context.settings, now)?,
    };
    let prices = context.prices();
    let answers = send::send(context, args.socket.as_deref(), &lines, &prices)?;
    for answer in answers {
        writeln!(context.out, "{}", answer.trim_end())?;
    }
    Ok(Exit::Fine)
}
