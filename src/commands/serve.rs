//! `serve`: a meter without a screen, which listens for telemetry and answers over HTTP.

use super::live::{self, Started, no_runtime};
use super::{Context, Exit, Failure};
use super::{http_server, proxy};
use crate::app::StopSignals;
use crate::app::catch_up::LogSelection;
use crate::app::mistyped::mistyped;
use crate::cli::{LiveArgs, ServeArgs};
use crate::config;
use crate::domain::Filter;
use crate::engine::{Driver, Feed, process};

/// Shortest sleep, so that a limit at the edge of a period is not evaluated again and again.
const SHORTEST_SLEEP: std::time::Duration = std::time::Duration::from_secs(1);
/// How often it is checked whether the proxy has ended.
const LOOK: std::time::Duration = std::time::Duration::from_millis(2);

/// Serves until a signal comes; everything received is booked by then.
pub(super) fn run(context: &mut Context<'_>, args: ServeArgs) -> Result<Exit, Failure> {
    mistyped(context, &args.paths, "tokmeter serve", Vec::new)?;
    let bound = http_server::listen(context, args.listen, args.token_file.as_deref())?;
    let proxy = match args.proxy {
        Some(address) => Some(proxy::listen(context, address, args.token_file.as_deref(), &args.upstream)?),
        None => None,
    };
    let selection = LogSelection::from_args(context, &args.paths, args.no_ledger);
    let live = LiveArgs {
        paths: args.paths,
        socket: args.socket,
        listen: Some(args.listen),
        no_ledger: args.no_ledger,
        book: args.book,
        ..LiveArgs::default()
    };
    until_signal(context, &live, selection, Some(bound), proxy)
}

/// Runs a meter without a screen, with what was bound, until a signal comes.
pub(super) fn until_signal(
    context: &mut Context<'_>,
    live: &LiveArgs,
    selection: LogSelection,
    bound: Option<http_server::Bound>,
    proxy: Option<proxy::Bound>,
) -> Result<Exit, Failure> {
    let rules = context.rules(Filter::default());
    let mut ending = StopSignals::watch();
    let started = live::start::start(context, live, rules, live::Source::Logs(selection), bound)?;
    let Started { engine, mut events, meter, server, .. } = started;
    if let Some(server) = &server {
        context.note(&format!("listening on http://{}", server.address));
    }
    let proxy = match proxy {
        Some(bound) => Some(proxy::start(context, bound, engine.doors())?),
        None => None,
    };
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
    if let Some(proxy) = proxy {
        // The engine takes the last calls, and its events must not wait for anybody meanwhile.
        let ending = std::thread::spawn(move || proxy.end());
        while !ending.is_finished() {
            while events.try_recv().is_ok() {}
            std::thread::sleep(LOOK);
        }
        proxy::report(context, ending.join().unwrap_or_default());
    }
    engine.stop(events);
    // A supervisor's SIGTERM is the normal end.
    Ok(match code {
        None => Exit::Fine,
        Some(code) if code == 128 + 15 => Exit::Fine,
        Some(code) => Exit::Code(code),
    })
}
