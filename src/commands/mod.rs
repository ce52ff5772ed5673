//! One file per command. Each connects settings, ingest, ledger and meter to an interface.

mod agents;
mod audit;
mod backfill;
mod bench;
mod config;
mod daily_digest;
mod derived;
mod dispatch;
mod doctor;
mod explain;
mod follow;
mod gate;
mod http_server;
mod invoice;
mod ledger;
mod limits;
mod live;
mod mcp;
mod metrics;
mod plans;
mod prices;
mod proxy_keys;
mod reconcile;
mod record;
mod replay;
mod report;
mod report_query;
mod run;
mod selftest;
mod serve;
mod setup;
mod signals;
mod snapshot;
mod start;
mod statusline;
mod stream;
mod summary;
mod tui_options;

pub use gate::query;

use std::cell::Cell;
use std::ffi::OsString;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::app::ascii_filter::AsciiFilter;
use crate::app::bidi_filter::BidiFilter;
use crate::app::{Context, Exit, Failure, catch_up, printable, stdin};
use crate::cli::{self, Command};
use crate::config::Env;
use crate::domain::{Call, Instant, Label, Zone};
use crate::engine::{self};

/// Runs the program with these arguments and returns its exit status.
///
/// Results go to `out`, everything else to `err`. Nothing here exits the process, so commands can be tested in-process.
pub fn run(args: &[OsString], env: Env, out: &mut dyn Write, err: &mut dyn Write) -> Exit {
    let ascii = [Cell::new(false), Cell::new(false)];
    let (out, err) = (&mut AsciiFilter::new(out, &ascii[0]), &mut AsciiFilter::new(err, &ascii[1]));
    let (out, err): (&mut dyn Write, &mut dyn Write) = (&mut BidiFilter::new(out), &mut BidiFilter::new(err));
    let cli = match cli::parse(args) {
        Ok(cli) => cli,
        Err(error) if cli::is_display(&error) => {
            let shown = write!(out, "{error}").and_then(|()| out.flush());
            return settle(shown.map(|()| Exit::Fine).map_err(Failure::from), err);
        }
        Err(error) => {
            // The message repeats the arguments, which may contain anything.
            let _ = writeln!(err, "{}", printable(error.to_string().trim_end()));
            return Exit::Usage;
        }
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let begun = Cell::new(false);
        let mut out = Noticed { out, begun: &begun };
        let (mut context, loaded) = Context::open(&cli, env, &mut out, err)?;
        if tui_options::ascii(&context) {
            ascii[0].set(cli.prints_text());
            // The sum of a run as JSON is on standard error.
            ascii[1].set(!matches!(cli.command, Some(Command::Run { json: true, .. })));
        }
        let exit = match dispatch::dispatch(&mut context, cli.clone(), &loaded) {
            Err(failure) if failure.mendable => {
                catch_up::replace_damaged(&mut context)?;
                // Output already written cannot be taken back, and standard input cannot be read twice.
                if begun.get() || matches!(cli.command, Some(Command::Ledger { .. })) {
                    return Err(Failure { message: format!("{}; run the command again", failure.message), ..failure });
                }
                dispatch::dispatch(&mut context, cli, &loaded)?
            }
            dispatched => dispatched?,
        };
        let flushed = context.out.flush();
        // A refusal by the gate remains a refusal even if its text cannot be written.
        if exit != Exit::Over {
            flushed?;
        }
        Ok(exit)
    }));
    match outcome {
        Ok(outcome) => settle(outcome, err),
        // The panic hook has already reported it.
        Err(_) => Exit::Internal,
    }
}

/// The simulated calls of `demo`: those before it starts, and those it plays, each with its delay in seconds.
pub fn demo_calls(now: Instant, zone: Zone, user: &Label) -> (Vec<Call>, Vec<(i64, Call)>) {
    let engine::Scene { before, after } = engine::demo_scene(now, zone, user);
    (before, after.into_iter().map(|step| (step.after.num_seconds(), step.call)).collect())
}

/// The limits of `demo`.
pub fn demo_limits() -> Vec<crate::meter::Limit> {
    engine::demo_limits()
}

/// A writer that records whether anything was written.
struct Noticed<'a> {
    out: &'a mut dyn Write,
    begun: &'a Cell<bool>,
}

impl Write for Noticed<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.begun.set(true);
        self.out.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

fn settle(outcome: Result<Exit, Failure>, err: &mut dyn Write) -> Exit {
    outcome.unwrap_or_else(|failure| {
        if !failure.message.is_empty() {
            let _ = writeln!(err, "tokmeter: {}", printable(&failure.message));
        }
        failure.exit
    })
}
