//! `replay`: a log played back in scaled real time, as if its calls were being made now.

use std::path::Path;

use super::books::{self, Reach};
use super::demo::Step;
use super::live::{self, Source};
use super::{Desk, Exit, Failure};
use crate::cli::LiveArgs;
use crate::config::Loaded;
use crate::domain::Filter;
use crate::ledger::Ledger;

/// Runs the command.
pub(super) fn run(
    desk: &mut Desk<'_>,
    loaded: &Loaded,
    args: &LiveArgs,
    file: &Path,
    speed: u32,
) -> Result<Exit, Failure> {
    let reach = Reach::Paths(vec![desk.absolute(file)]);
    let books = books::gather(desk, &reach, false)?;
    // Each call as the books have it in the end: one that grew while it was streamed is played once.
    let mut rows = books.ledger.calls(&Filter::default(), usize::MAX)?;
    rows.reverse();
    let Some(first) = rows.first().map(|row| row.call.at()) else {
        return Err(Failure::new(Exit::NoInput, "no call in it to play back"));
    };
    let mut last = first;
    let after = rows
        .iter()
        .map(|row| {
            let at = row.call.at();
            let step = Step { after: at - last, call: row.call.clone() };
            last = at;
            step
        })
        .collect();
    live::show(desk, loaded, args, Source::Played { before: Vec::new(), after, speed })
}
