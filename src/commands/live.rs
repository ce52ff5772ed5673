//! The live screen: starts and stops the log reader, the ledger thread, the socket and the screen.

use std::sync::Arc;
use std::time::Duration;

use super::start::{Source, Started, no_runtime, start};
use super::{Context, Exit, Failure, snapshot, stream, summary, tui_options};
use crate::app::StopSignals;
use crate::app::catch_up::LogSelection;
use crate::app::mistyped::{Slot, mistyped};
use crate::cli::LiveArgs;
use crate::config::{self, Loaded};
use crate::domain::Label;
use crate::engine::process;
use crate::meter::Meter;
use crate::meter::closing;
use crate::text;
use crate::tui::{self, App};

/// Time for the screen to react to a signal before the main thread does.
const MISSED: Duration = Duration::from_secs(1);

/// Runs the live screen on the selected logs.
pub(super) fn run(context: &mut Context<'_>, loaded: &Loaded, args: &LiveArgs) -> Result<Exit, Failure> {
    let slot = Slot { before: "tokmeter", kind: "command", otherwise: Exit::Usage };
    mistyped(context, &args.paths, slot, crate::cli::commands)?;
    let selection = LogSelection::from_args(context, &args.paths, args.no_ledger);
    show(context, loaded, args, Source::Logs(selection))
}

/// True when one screen is printed instead of a live one.
pub(super) fn is_single(context: &Context<'_>, args: &LiveArgs) -> bool {
    args.once || (!context.env.terminal[1] && !args.plain)
}

/// Shows a source: on the full screen, line by line, or once.
pub(super) fn show(
    context: &mut Context<'_>,
    loaded: &Loaded,
    args: &LiveArgs,
    source: Source,
) -> Result<Exit, Failure> {
    if is_single(context, args) {
        return snapshot::run(context, loaded, args, source);
    }
    let dumb = matches!(context.env.var("TERM"), None | Some("dumb"));
    if dumb && !args.plain {
        context.note("TERM is dumb or not set, so there is no full screen; one line per change instead");
    }
    let zone = context.settings.zone;
    let rules =
        context.rules(args.filters.filter(context.now(), zone, &context.settings.ticket, context.settings.week_start));
    // Install this before the socket can be reached, so that calls received there are written whatever signal arrives.
    let mut ending = StopSignals::watch();
    let bound = args.listen.map(|listen| super::http_server::listen(context, listen.address(), None)).transpose()?;
    let played = if let Source::Played { command, .. } = &source { Some(*command) } else { None };
    let started = start(context, args, rules, source, bound)?;
    if args.plain || dumb {
        started.unknown_names.iter().for_each(|sentence| context.note(sentence));
        if let Some(played) = played {
            context.note(&format!("{played}: nothing is booked"));
        }
        return stream::run(context, started, ending);
    }
    let mut options = tui_options::options(context, loaded, args, &started.roots)?;
    options.played = played;
    options.notes = started.unknown_names.iter().map(|sentence| Label::new(sentence)).collect();
    let app = App::new(options, context.now()).map_err(|error| Failure::new(Exit::Config, error.to_string()))?;
    let alerts = config::meter_alerts(&context.settings);
    let clock = Arc::clone(&context.env.clock);
    let runtime = process::runtime(true).map_err(|error| no_runtime(&error))?;
    let Started { engine, mut events, meter, server, .. } = started;
    let requests = engine.requests();
    let left = runtime.block_on(async {
        tokio::select! {
            biased;
            left = tui::run(app, meter, alerts, clock, &mut events, requests) => Ok(left),
            // The screen handles signals itself, except one that arrived before it opened.
            code = missed(&mut ending) => Err(code),
        }
    });
    ending.begins();
    drop(server);
    engine.stop(events);
    let left = match left {
        Ok(left) => left,
        Err(code) => return Ok(Exit::Code(code)),
    };
    let (exit, mut meter) = left.map_err(|error| Failure::new(Exit::Io, format!("the terminal: {error}")))?;
    restore_sequence(context, &mut meter, exit)?;
    Ok(if exit == tui::Exit::Quit { Exit::Fine } else { Exit::Code(exit.code()) })
}

/// Waits for a signal that nothing else handles. Returns its exit code.
async fn missed(ending: &mut StopSignals) -> u8 {
    let code = ending.signal().await;
    tokio::time::sleep(MISSED).await;
    code
}

/// Prints the summary of the followed session on the normal screen.
fn restore_sequence(context: &mut Context<'_>, meter: &mut Meter, exit: tui::Exit) -> Result<(), Failure> {
    if exit == tui::Exit::HungUp {
        return Ok(());
    }
    let summary = meter.summary(context.now());
    if let Some(session) = closing::of_followed(&summary) {
        let (about, limits) = (text::followed_words(&session, &summary), closing::limits(&summary));
        let log = closing::own_log(&session, &summary);
        summary::write_text(about.as_deref(), &session, &limits, log, context.out)?;
    }
    Ok(())
}
