//! `serve`: a meter without a screen, which listens for telemetry and answers over HTTP.

use super::http_server;
use super::live::{self, Started, no_runtime};
use super::{Context, Exit, Failure};
use crate::app::StopSignals;
use crate::app::catch_up::LogSelection;
use crate::app::mistyped::mistyped;
use crate::cli::{LiveArgs, ServeArgs};
use crate::config;
use crate::domain::Filter;
use crate::engine::{Driver, Feed, process};

/// Shortest sleep, so that a limit at the edge of a period is not evaluated again and again.
const SHORTEST_SLEEP: std::time::Duration = std::time::Duration::from_secs(1);

/// Serves until a signal comes; everything received is booked by then.
pub(super) fn run(context: &mut Context<'_>, args: ServeArgs) -> Result<Exit, Failure> {
    mistyped(context, &args.paths, "tokmeter serve", Vec::new)?;
    let bound = http_server::listen(context, args.listen, args.token_file.as_deref())?;
    let selection = LogSelection::from_args(context, &args.paths, args.no_ledger);
    let rules = context.rules(Filter::default());
    let mut ending = StopSignals::watch();
    // An empty name is the default socket.
    let socket = args.socket.or_else(|| context.settings.server.socket.then(std::ffi::OsString::new));
    let live =
        LiveArgs { paths: args.paths, socket, no_ledger: args.no_ledger, book: args.book, ..LiveArgs::default() };
    let started = live::start::start(context, &live, rules, live::Source::Logs(selection), Some(bound))?;
    let Started { engine, mut events, meter, server, .. } = started;
    if let Some(server) = &server {
        context.note(&format!("listening on http://{}", server.address));
    }
    let requests = engine.requests();
    let mut driver = Driver::new(meter, config::meter_alerts(&context.settings), context.now());
    let runtime = process::runtime(false).map_err(|error| no_runtime(&error))?;
    let code = runtime.block_on(async {
        loop {
            // Nothing is shown here; the summary raises the alerts.
            driver.summary(context.now());
            driver.send(&requests);
            let sleep = driver.sleep(context.now(), None).max(SHORTEST_SLEEP);
            tokio::select! {
                biased;
                code = ending.signal() => return Some(code),
                news = events.recv() => match news {
                    None | Some(Feed::Ended) => return None,
                    Some(Feed::Note(note)) => context.note(&note.text),
                    Some(news) => _ = driver.take(&news, context.now()),
                },
                () = tokio::time::sleep(sleep) => {}
            }
        }
    });
    ending.begins();
    drop(server);
    engine.stop(events);
    // A supervisor's SIGTERM is the normal end.
    Ok(match code {
        None => Exit::Fine,
        Some(code) if code == 128 + 15 => Exit::Fine,
        Some(code) => Exit::Code(code),
    })
}
