//! `replay`: plays a log back at a multiple of real time, by the log's own clock.

use std::path::Path;
use std::sync::Arc;

use super::live;
use super::start::Source;
use crate::app::catch_up::{self, LogSelection};
use crate::app::{Context, Exit, Failure};
use crate::cli::LiveArgs;
use crate::config::Loaded;
use crate::domain::Filter;
use crate::engine::Step;
use crate::engine::playback::{LogClock, Steps};
use crate::ledger::{Ledger, Order};

pub(super) fn run(
    context: &mut Context<'_>,
    loaded: &Loaded,
    args: &LiveArgs,
    file: &Path,
    speed: u32,
) -> Result<Exit, Failure> {
    let selection = LogSelection::Paths(vec![context.absolute(file)]);
    let books = catch_up::open_and_catch_up(context, &selection, false)?;
    if books.ledger.calls(&Filter::default(), 1)?.is_empty() {
        return Err(Failure::new(Exit::NoInput, "no call in it to play back"));
    }
    if live::is_single(context, args) {
        // There is no screen to play it on: print what the log contains.
        return live::show(context, loaded, args, Source::Logs(selection));
    }
    let ledger = books.ledger;
    let mut first = context.now();
    ledger.each(&Filter::default(), Order::Ascending, &mut |row| {
        first = row.call.at();
        false
    })?;
    // Prices, rates and durations are those of the log.
    let clock = LogClock::new(first);
    context.env.clock = Arc::new({
        let clock = clock.clone();
        move || clock.now()
    });
    // These are merged calls: one that grew while it was streamed is played once.
    let after: Steps = Box::new(move |play| {
        let mut last = None;
        // The ledger is in memory, and an error could only end the playback.
        let _ = ledger.each(&Filter::default(), Order::Ascending, &mut |row| {
            let at = row.call.at();
            clock.run_to(at, speed);
            play(Step { after: at - last.replace(at).unwrap_or(at), call: row.call.clone() })
        });
        clock.run_on();
    });
    live::show(context, loaded, args, Source::Played { command: "replay", before: Vec::new(), after, speed })
}
